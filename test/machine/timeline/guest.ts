/**
 * A guest that keeps a whole machine busy: three vCPUs in 32-bit paging with more pages than the TLB holds, timers, IPIs both ways, HLT and PAUSE,
 * string I/O, code that rewrites itself, faults, time-stamps, console output and input. It never ends.
 */
import { readFileSync } from 'node:fs';
import { assemble, hasErrors } from '../../../src/assembly/assembler.ts';
import { Machine, type MachineOptions } from '../../../src/machine/machine.ts';
import type { PhysicalMemory } from '../../../src/machine/memory/physical.ts';
import { modelNamed } from '../../../src/machine/models/index.ts';
import { processorFactory } from '../../../src/machine/processor-kit.ts';
import { profileNamed } from '../../../src/machine/profiles/index.ts';
import { index } from '../../assembly/index.ts';

const SOURCE = `
bits 32
org 0xFFFFF000
LAPIC   equ 0xFEE00000
COM1    equ 0x3F8
PAGEDIR equ 0x10000
TABLE   equ 0x11000
ticks   equ 0x600
kicks   equ 0x604
faults  equ 0x608
ready   equ 0x60C
input   equ 0x610
inputs  equ 0x614
shared  equ 0x618

start32:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, 0x7000
        mov     esi, ap_page08
        mov     edi, 0x8000
        mov     ecx, ap_end-ap_page08
        rep movsb
        mov     esi, kernel             ; the program runs in RAM, where it can change itself
        mov     edi, 0x20000
        mov     ecx, kernel_end-kernel
        rep movsb
        ; pages: 4 MiB at 0 by a table of 1024, twice more at 400000h and 800000h by the same table; a large page for the ROM and the APIC
        mov     edi, TABLE
        mov     eax, 3
.pages: mov     [edi], eax
        add     edi, 4
        add     eax, 0x1000
        cmp     eax, 0x400003
        jb      .pages
        mov     dword [PAGEDIR], TABLE+3
        mov     dword [PAGEDIR+4], TABLE+3
        mov     dword [PAGEDIR+8], TABLE+3
        mov     dword [PAGEDIR+0xFEC], 0xFEC00083+0x10
        mov     dword [PAGEDIR+0xFFC], 0xFFC00083
        mov     dword [LAPIC+0x0F0], 0x1FF
        mov     dword [LAPIC+0x300], 0x000C4500
        mov     dword [LAPIC+0x300], 0x000C4608
        xor     ebp, ebp                ; vCPU0
ready_to_page:
        mov     eax, PAGEDIR
        mov     cr3, eax
        mov     eax, cr4
        or      eax, 0x10
        mov     cr4, eax
        mov     eax, cr0
        or      eax, 0x80010000
        mov     cr0, eax
        lidt    [idtr]
        jmp     dword 0x08:0x20000

ap_main:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     eax, 1
        cpuid
        shr     ebx, 24
        mov     ebp, ebx
        mov     esp, ebx
        shl     esp, 9
        neg     esp
        add     esp, 0x7000
        mov     dword [LAPIC+0x0F0], 0x1FF
        jmp     ready_to_page

; --- copied to 20000h; position-dependent parts use absolute addresses in the ROM or RAM
kernel:
        mov     dword [LAPIC+0x320], 0x20020    ; periodic timer, vector 20h
        mov     dword [LAPIC+0x3E0], 0xB
        lea     eax, [ebp*2+7]
        imul    eax, 211
        mov     [LAPIC+0x380], eax
        lock inc dword [ready]
        sti
        test    ebp, ebp
        jnz     .ap
        mov     dx, COM1+1              ; interrupts of the UART stay off; its FIFO on
        mov     al, 0
        out     dx, al
        inc     edx
        inc     eax
        out     dx, al
.main:  call    .walk
        call    .patch
        call    .talk
        call    .send
        jmp     .main
.walk:  ; one word in each of 130 pages that fall into few sets of the TLB, by three mappings
        mov     ecx, 130
        mov     edi, 0x100000
.step:  inc     dword [edi]
        mov     eax, [edi+0x400000]
        add     [edi+0x800004], eax
        add     edi, 0x4000
        cmp     edi, 0x300000
        jb      .in
        sub     edi, 0x1FF000
.in:    test    ecx, 15
        jnz     .next
        invlpg  [edi]
        rdtsc
        xor     [edi+8], eax
.next:  loop    .step
        ret
.patch: ; the immediate of the instruction after the next store
        mov     eax, [ticks]
        call    .here
.here:  pop     ebx
        mov     [ebx+.change+1-.here], eax
.change: mov    ecx, 0x11111111
        add     [shared], ecx
        ud2                             ; its handler skips it
        mov     ax, [0x30FFF]           ; crosses pages
        mov     [0x30FFE], eax
        push    dword 0x0DEF0202
        popfd
        mov     eax, cr3                ; all translations anew, now and then
        test    byte [ticks], 3
        jnz     .keep
        mov     cr3, eax
.keep:  ret
.talk:  mov     dx, COM1+5
        in      al, dx
        test    al, 1
        jz      .none
        mov     dx, COM1
        in      al, dx
        mov     [input], al
        inc     dword [inputs]
        out     dx, al
.none:  mov     esi, text
        mov     ecx, 5
        mov     dx, COM1
        rep outsb
        mov     edi, 0x5000             ; string input into RAM
        mov     ecx, 3
        mov     dx, COM1+5
        rep insb
        ret
.send:  mov     dword [LAPIC+0x310], 0x01000000
        mov     dword [LAPIC+0x300], 0x00004030
        mov     dword [LAPIC+0x310], 0x02000000
        mov     dword [LAPIC+0x300], 0x00004030
        mov     esi, LAPIC+0x380        ; string moves from and to a device
        mov     edi, 0x5100
        movsd
        pause
        hlt
        ret
.ap:    cmp     ebp, 2
        je      .spin
        hlt
        mov     dword [LAPIC+0x310], 0
        mov     dword [LAPIC+0x300], 0x00000030
        jmp     .ap
.spin:  mov     eax, [shared]
        xor     edx, edx
        mov     ecx, 7
        div     ecx
        add     [0x5200+edx*4], eax
        lock xadd [shared], eax
        pause
        jmp     .spin
kernel_end:

on_timer:
        inc     dword [ticks]
        mov     dword [LAPIC+0x0B0], 0
        iret
on_kick:
        lock inc dword [kicks]
        mov     dword [LAPIC+0x0B0], 0
        iret
on_undefined:
        inc     dword [faults]
        add     dword [esp], 2
        iret
text:   db      'tick', 10
align 8
gdt:    dq      0
        dq      0x00CF9B000000FFFF
        dq      0x00CF93000000FFFF
gdtr:   dw      23
        dd      gdt
idt:    times 6 dq 0
        dw      0xF000+on_undefined-$$, 0x08, 0x8E00, 0xFFFF
        times 0x20-7 dq 0
        dw      0xF000+on_timer-$$, 0x08, 0x8E00, 0xFFFF
        times 0x30-0x21 dq 0
        dw      0xF000+on_kick-$$, 0x08, 0x8E00, 0xFFFF
idtr:   dw      0x31*8-1
        dd      idt

bits 16
ap_page08:
        o32 lgdt [cs:ap_gdtr-ap_page08]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 0x08:ap_main
ap_gdtr: dw     23
        dd      gdt
ap_end:
start16:
        o32 lgdt [cs:0xF000+gdtr-$$]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 0x08:start32
        times 0xFF0-($-$$) db 0
        jmp     start16
        times 0x1000-($-$$) db 0
`;

function assembled(): Uint8Array {
  const result = assemble(SOURCE, 'busy.asm', { index });
  if (hasErrors(result)) throw new Error(result.diagnostics.map(({ line, message }) => `busy.asm:${line}: ${message}`).join('\n'));
  return result.bytes;
}

/** The boot ROM. */
export const BUSY: Uint8Array = assembled();

const interpreter = new Uint8Array(readFileSync(new URL('../../../dist/interpreter.wasm', import.meta.url)));

export type TestMachine = Machine<PhysicalMemory>;

/** A machine that has just been switched on: three vCPUs and 4 MiB unless told otherwise. */
export function machine(
  options: Partial<Omit<MachineOptions, 'model' | 'profile'>> & { model?: string; profile?: string } = {},
): TestMachine {
  const { model = 'pc', profile = 'illumos', ...rest } = options;
  return new Machine(
    { rom: BUSY, cpus: 3, memoryBytes: 4 << 20, seed: 1, slice: 997, ...rest, model: modelNamed(model)!, profile: profileNamed(profile)! },
    processorFactory(interpreter),
  );
}
