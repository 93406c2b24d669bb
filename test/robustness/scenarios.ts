/** ROMs that do to the chips what hurts most: interrupt storms, timers at their fastest, DMA to where no memory is, configuration turned upside down. */
import { assemble, hasErrors } from '../../src/assembly/assembler.ts';
import type { EncodingIndex } from '../../src/machine/isa/encoding-index.ts';

export interface Scenario {
  readonly name: string;
  /** 32-bit code, flat segments, ESP 7000h, IF=0. Vector 20h-2Fh: irq, 30h: timer, 31h: ipi; all others: fault; NMI: nmi. */
  readonly code: string;
  readonly model?: 'bhyve' | 'pc';
  readonly memoryBytes?: number;
  readonly cpus?: number;
  /** How it ends; default: it goes on. */
  readonly end?: 'stuck';
}

const LAPIC_TIMER = `
        mov     dword [0xFEE000F0], 0x1FF
        mov     dword [0xFEE003E0], 0xB         ; divide by 1
`;
const PIC = (icw4: number, mask: number): string => `
        mov     al, 0x11
        out     0x20, al
        out     0xA0, al
        mov     al, 0x20
        out     0x21, al
        mov     al, 0x28
        out     0xA1, al
        mov     al, 4
        out     0x21, al
        mov     al, 2
        out     0xA1, al
        mov     al, ${icw4}
        out     0x21, al
        out     0xA1, al
        mov     al, ${mask & 0xff}
        out     0x21, al
        mov     al, ${mask >>> 8}
        out     0xA1, al
        mov     dword [0xFEE000F0], 0x1FF
        mov     dword [0xFEE00350], 0x700       ; LINT0: ExtINT
`;
const PIT = (mode: number, count: number): string => `
        mov     al, ${mode}
        out     0x43, al
        mov     al, ${count & 0xff}
        out     0x40, al
        mov     al, ${count >>> 8}
        out     0x40, al
`;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a level-triggered 8259 input that stays active, with automatic EOI and a trap gate, interrupts without end',
    model: 'pc',
    code: `${PIC(3, 0xffef)}
        mov     edx, 0x4D0              ; ELCR: IRQ 4 level
        mov     al, 0x10
        out     dx, al
        mov     edx, 0x3F9              ; UART: transmitter-empty interrupt
        mov     al, 2
        out     dx, al
        mov     edx, 0x3FC
        mov     al, 8
        out     dx, al
        sti
.here:  inc     dword [0x500]
        jmp     .here
irq:    iret
`,
  },
  {
    name: 'a local APIC timer of one count interrupts at every instruction',
    code: `${LAPIC_TIMER}
        mov     dword [0xFEE00320], 0x20030
        mov     dword [0xFEE00380], 1
        sti
.here:  inc     dword [0x500]
        jmp     .here
timer:  mov     dword [0xFEE000B0], 0
        iret
`,
  },
  {
    name: 'a local APIC timer of one count that nobody serves rings while the processor halts',
    end: 'stuck',
    code: `${LAPIC_TIMER}
        mov     dword [0xFEE00320], 0x20030
        mov     dword [0xFEE00380], 1
        sti
.here:  hlt
        jmp     .here
timer:  iret
`,
  },
  {
    name: 'a masked local APIC timer of one count does not keep the PIT from waking the processor',
    code: `${PIC(1, 0xfffe)}${PIT(0x34, 0xffff)}${LAPIC_TIMER}
        mov     dword [0xFEE00320], 0x30030
        mov     dword [0xFEE00380], 1
        sti
.here:  hlt
        inc     dword [0x500]
        jmp     .here
irq:    mov     al, 0x20
        out     0x20, al
        iret
`,
  },
  ...[0x30, 0x34, 0x36].map(
    (mode): Scenario => ({
      // Mode 0 interrupts once.
      ...(mode === 0x30 ? { end: 'stuck' } : {}),
      name: `the PIT with control word ${mode.toString(16)}h and a count of 2 interrupts`,
      code: `${PIC(1, 0xfffe)}${PIT(mode, 2)}
        sti
.here:  hlt
        jmp     .here
irq:    mov     al, 0x20
        out     0x20, al
        iret
`,
    }),
  ),
  {
    name: 'the PIT with a count of 1 in every mode interrupts',
    model: 'pc',
    code: `${PIC(3, 0xfffe)}
        mov     ebx, 0x30
        sti
.here:  mov     al, bl
        out     0x43, al
        mov     al, 1
        out     0x40, al
        mov     al, 0
        out     0x40, al
        in      al, 0x40
        pause
        add     ebx, 2
        and     ebx, 0x3E
        or      ebx, 0x30
        jmp     .here
irq:    iret
`,
  },
  {
    name: 'the clock chip rings at every rate, with all its interrupts',
    model: 'pc',
    code: `${PIC(1, 0xfefb)}
        mov     ebx, 0x21
        sti
.here:  mov     al, 0x0B
        out     0x70, al
        mov     al, 0x72
        out     0x71, al
        mov     al, 0x0A
        out     0x70, al
        mov     al, bl
        out     0x71, al
        mov     al, 0x0C
        out     0x70, al
        in      al, 0x71
        hlt
        inc     ebx
        and     ebx, 0x2F
        or      ebx, 0x21
        jmp     .here
irq:    mov     al, 0x0C
        out     0x70, al
        in      al, 0x71
        mov     al, 0x20
        out     0xA0, al
        out     0x20, al
        iret
`,
  },
  {
    name: 'an interrupt sends itself again from its handler, and NMI as well',
    cpus: 2,
    code: `${LAPIC_TIMER}
        sti
        mov     dword [0xFEE00300], 0x44031
.here:  mov     dword [0xFEE00310], 0
        mov     dword [0xFEE00300], 0x4400      ; NMI for APIC ID 0
        jmp     .here
ipi:    mov     dword [0xFEE000B0], 0
        mov     dword [0xFEE00300], 0x44031
        iret
nmi:    mov     dword [0xFEE00300], 0x4400
        iret
`,
  },
  {
    name: 'fw_cfg is told to transfer 4 GiB to and from memory, ROM, device memory and nowhere',
    model: 'pc',
    code: `
        mov     ebx, commands
        mov     esi, 0
.here:  mov     eax, [ebx]              ; control, big-endian, with an item in its upper half
        mov     edi, [targets+esi*4]
        mov     dword [0x1000], eax
        mov     ecx, [lengths+esi*4]
        bswap   ecx
        mov     [0x1004], ecx
        mov     dword [0x1008], 0
        bswap   edi
        mov     [0x100C], edi
        mov     eax, 0x00100000         ; 1000h, big-endian
        mov     edx, 0x518
        out     dx, eax
        mov     eax, [targets+esi*4]    ; a command that lies there itself
        bswap   eax
        out     dx, eax
        inc     esi
        and     esi, 7
        jnz     .here
        add     ebx, 4
        cmp     ebx, commands_end
        jb      .here
        mov     ebx, commands
        jmp     .here
commands: dd    0x0A001900, 0x0A000500, 0x02000000, 0x04000000, 0x18001900, 0x10000000, 0x01000000, 0xFFFFFFFF, 0x1A001900
commands_end:
targets: dd     0x2000, 0xFFFF0000, 0xFEE00300, 0x1FFFF8, 0x80000000, 0xFFFFFFF8, 0xA0000, 0x1000
lengths: dd     0xFFFFFFFF, 0x1000, 0x100, 0x40, 0xFFFFFFFF, 0x100, 0x20000, 0x10
`,
  },
  {
    name: 'every register of every PCI function is written with all ones, zeros and noise',
    model: 'pc',
    code: `
        mov     ebx, 0x80000000
        mov     esi, 0x12345678
.here:  mov     eax, ebx
        mov     edx, 0xCF8
        out     dx, eax
        mov     edx, 0xCFC
        in      eax, dx
        mov     eax, -1
        out     dx, eax
        xor     eax, eax
        out     dx, eax
        imul    esi, esi, 1103515245
        add     esi, 12345
        mov     eax, esi
        out     dx, eax
        add     ebx, 4
        and     ebx, 0x8000FFFF
        jmp     .here
`,
  },
  {
    name: 'the PM block moves over all other ports',
    model: 'pc',
    code: `
        mov     ebx, 0
.here:  mov     eax, 0x80000B40
        mov     edx, 0xCF8
        out     dx, eax
        mov     eax, ebx
        mov     edx, 0xCFC
        out     dx, eax
        mov     eax, 0x80000B80
        mov     edx, 0xCF8
        out     dx, eax
        mov     eax, 1
        mov     edx, 0xCFC
        out     dx, eax
        lea     edx, [ebx+8]
        in      eax, dx
        add     ebx, 0x40
        and     ebx, 0xFFC0
        jmp     .here
`,
  },
  {
    name: 'A20 and the shadow RAM open and close all the time',
    model: 'pc',
    code: `
.here:  in      al, 0x92
        xor     al, 2
        out     0x92, al
        mov     eax, 0x80000058
        mov     edx, 0xCF8
        out     dx, eax
        mov     edx, 0xCFC
        in      eax, dx
        not     eax
        out     dx, eax
        mov     [0xC0000], eax
        mov     [0xFFFF0], eax
        mov     [0x100000], eax
        jmp     .here
`,
  },
  {
    name: 'a string instruction writes four billion times to a device, and to the console',
    model: 'pc',
    code: `
        mov     edi, 0xFEE00080
        mov     ecx, -1
        mov     eax, 0
        mov     edx, 0x402
        mov     esi, 0
        call    part
        rep outsb
part:   mov     ecx, 1000
.again: mov     edi, 0xFEE00080
        stosd
        loop    .again
        mov     ecx, -1
        ret
`,
  },
  {
    name: 'every breakpoint trap breaks again, until the stack has gone round',
    code: `
        int3
        jmp     $
fault:  int3
`,
  },
  {
    name: 'an instruction is executed in every page of 64 MiB',
    memoryBytes: 64 << 20,
    code: `
        mov     edi, 0x2000
.fill:  mov     byte [edi], 0xC3
        add     edi, 0x1000
        cmp     edi, 64 << 20
        jb      .fill
.again: mov     edi, 0x2000
.call:  call    edi
        add     edi, 0x1000
        cmp     edi, 64 << 20
        jb      .call
        jmp     .again
`,
  },
  {
    name: 'every processor writes into the code that the others execute',
    cpus: 4,
    code: `
        mov     esi, ap
        mov     edi, 0x8000
        mov     ecx, ap_end-ap
        rep movsb
        mov     edi, 0x9000
        mov     ecx, 0x40
        mov     al, 0x90
        rep stosb
        mov     dword [edi], 0x9090E2FF ; JMP EDX
        mov     dword [0xFEE000F0], 0x1FF
        mov     dword [0xFEE00300], 0xC4500
        mov     dword [0xFEE00300], 0xC4608
common: mov     ebx, 0x9000
        mov     edx, .next
.next:  rdtsc
        and     eax, 0x3F
        mov     edx, .next
        mov     byte [ebx+eax], 0x90
        mov     dword [ebx+0x40], 0x9090E2FF
        jmp     ebx
bits 16
ap:     o32 lgdt [cs:ap_gdtr-ap]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 0x08:ap32
ap_gdtr: dw     23
        dd      gdt
ap_end:
bits 32
ap32:   mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        jmp     common
`,
  },
];

/** The ROM of a scenario. @throws Error when it does not assemble */
export function scenarioRom({ name, code }: Scenario, index: EncodingIndex): Uint8Array {
  const handlers = ['fault', 'nmi', 'irq', 'timer', 'ipi'];
  const own = new Set(handlers.filter((h) => new RegExp(`^${h}:`, 'm').test(code)));
  const gate = (handler: string, type: number): string => {
    const label = own.has(handler) ? handler : own.has('fault') ? 'fault' : 'stop';
    return `        dw      0xE000+${label}-$$, 0x08, ${type}, 0xFFFF\n`;
  };
  let idt = '';
  for (let v = 0; v < 256; v++)
    idt += gate(
      v === 2 ? 'nmi' : v >= 0x20 && v < 0x30 ? 'irq' : v === 0x30 ? 'timer' : v === 0x31 ? 'ipi' : 'fault',
      v >= 0x20 && v < 0x30 ? 0x8f00 : 0x8e00,
    );
  const source = `
bits 32
org 0xFFFFE000
start32: mov    eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, 0x7000
        lidt    [idtr]
${code}
stop:   cli
        hlt
        jmp     stop
gdt:    dq      0
        dw      0xFFFF, 0, 0x9B00, 0x00CF
        dw      0xFFFF, 0, 0x9300, 0x00CF
gdtr:   dw      23
        dd      gdt
idtr:   dw      2047
        dd      idt
        times 0x1000-($-$$) db 0
idt:
${idt}
bits 16
start16: o32 lgdt [cs:0xE000+gdtr-$$]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 0x08:start32
        times 0x1FF0-($-$$) db 0
        jmp     start16
        times 0x2000-($-$$) db 0
`;
  const assembly = assemble(source, name, { index });
  if (hasErrors(assembly)) throw new Error(`${name}: ${assembly.diagnostics.map((d) => `${d.line}: ${d.message}`).join('; ')}`);
  return assembly.bytes;
}
