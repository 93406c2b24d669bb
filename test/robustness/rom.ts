/**
 * Boot ROMs full of random instructions behind a prologue that works: it sets up descriptor tables, handlers that count and go on elsewhere, page
 * tables, timers and the other processors, and enters the mode the instructions are for. All tables lie in ROM, where nothing can spoil them.
 */
import { assemble, hasErrors } from '../../src/assembly/assembler.ts';
import type { EncodingIndex } from '../../src/machine/isa/encoding-index.ts';
import { Random } from '../silicon/random.ts';
import { instruction, SLOT, value } from './instructions.ts';

export const MODES = ['real', 'flat', 'paged', 'user', 'segmented'] as const;
export type Mode = (typeof MODES)[number];

/** RAM the ROMs count on. */
export const ROM_RAM_BYTES = 0x200000;
const ROM_BASE = 0xffffc000;
const SLOTS = 256;
const DATA = 0x10000;
const PAGING_PAGE = 0x1000;

const PROLOGUE = `
bits 32
org 0xFFFFC000
SLOTS   equ 256
COUNTER equ 0x500
LAPIC   equ 0xFEE00000

; parameters, filled in afterwards
align_0:
p_body:  dd 0                   ; where the instructions go
p_mode:  dd 0                   ; 0 real, 1 flat, 2 paged, 3 user, 4 segmented
p_flags: dd 0x202               ; EFLAGS that handlers go on with
p_pit:   dd 0                   ; PIT mode << 16 | count, 0: not used
p_masks: dd 0xFFFF              ; PIC masks
p_timer: dd 0                   ; local APIC timer's count, 0: not used
p_lvt:   dd 0x10030
p_wake:  dd 0                   ; wake the other processors?
p_cr3:   dd 0
p_cr4:   dd 0x10
p_ds:    dd 0x10
p_stack: dd 0x7000
gdtr:    dw 255
         dd gdt
idtr:    dw 2047
         dd idt
rmidtr:  dw 1023
         dd ivt

start32:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     fs, eax
        mov     gs, eax
        mov     esp, 0x7000
        mov     esi, body
        mov     edi, [p_body]
        mov     ecx, SLOTS*16
        rep movsb
        mov     esi, rm_code
        mov     edi, 0x600
        mov     ecx, rm_end-rm_code
        rep movsb
        mov     esi, ap_code
        mov     edi, 0x3000
        mov     ecx, ap_end-ap_code
        rep movsb
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
        mov     al, 1
        out     0x21, al
        out     0xA1, al
        mov     eax, [p_masks]
        out     0x21, al
        shr     eax, 8
        out     0xA1, al
        mov     eax, [p_pit]
        test    eax, eax
        jz      .timer
        shr     eax, 16
        out     0x43, al
        mov     eax, [p_pit]
        out     0x40, al
        shr     eax, 8
        out     0x40, al
.timer: mov     dword [LAPIC+0xF0], 0x1FF
        mov     dword [LAPIC+0x350], 0x700
        mov     eax, [p_timer]
        test    eax, eax
        jz      .wake
        mov     ecx, [p_lvt]
        mov     [LAPIC+0x320], ecx
        mov     dword [LAPIC+0x3E0], 0xB
        mov     [LAPIC+0x380], eax
.wake:  cmp     dword [p_wake], 0
        je      enter
        mov     dword [LAPIC+0x300], 0x000C4500
        mov     dword [LAPIC+0x300], 0x000C4603
enter:
        lidt    [idtr]
        mov     eax, 0x38
        mov     ebx, [p_mode]
        test    ebx, ebx
        jz      real
        ltr     ax
        cmp     ebx, 4
        je      begin
        cmp     ebx, 2
        jb      begin
        mov     eax, [p_cr3]
        mov     cr3, eax
        mov     eax, [p_cr4]
        mov     cr4, eax
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        jmp     begin
real:   lidt    [rmidtr]
        jmp     0x18:(rm_enter-rm_code+0x600)

; goes on at the slot that the counter gives
exception:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, 0x7000
begin:
        cld
        mov     eax, 1
        lock xadd [COUNTER], eax
        and     eax, SLOTS-1
        shl     eax, 4
        add     eax, [p_body]
        cmp     dword [p_mode], 3
        je      .user
        mov     ecx, [p_ds]
        mov     ds, ecx
        push    dword [ss:p_flags]
        push    0x08
        push    eax
        iret
.user:  push    0x33
        push    0x17000
        push    dword [p_flags]
        push    0x2B
        push    eax
        mov     ecx, 0x33
        mov     ds, ecx
        mov     es, ecx
        mov     fs, ecx
        mov     gs, ecx
        iret
from_pic:
        push    eax
        mov     al, 0x20
        out     0xA0, al
        out     0x20, al
        pop     eax
        iret
from_apic:
        mov     dword [ss:LAPIC+0xB0], 0
        iret

bits 16
; copied to 0000:0600
rm_code:
rm_enter:
        mov     ax, 0x20
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     eax, cr0
        and     al, 0xFE
        mov     cr0, eax
        jmp     0:(rm_begin-rm_code+0x600)
rm_begin:
        cli
        xor     ax, ax
        mov     ss, ax
        mov     sp, 0x7000
        mov     ds, ax
        mov     al, 0x20
        out     0x20, al
        lock inc word [COUNTER]
        mov     bx, [COUNTER]
        and     bx, SLOTS-1
        shl     bx, 4
        add     bx, [rm_body-rm_code+0x600]
        push    word [rm_flags-rm_code+0x600]
        push    ax
        mov     [esp], ss
        push    bx
        mov     ax, 0x1000
        mov     ds, ax
        mov     es, ax
        cld
        iret
rm_body:  dw 0
rm_flags: dw 0x202
rm_end:

; copied to 0300:0000
ap_code:
        o32 lgdt [cs:ap_gdtr-ap_code]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 0x08:ap_main
ap_gdtr: dw 255
         dd gdt
ap_end:

bits 32
ap_main:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, 0x6000
        mov     dword [LAPIC+0xF0], 0x1FF
        jmp     enter

        times 0x600-($-align_0) db 0
tss:    times 128 db 0
gdt:    times 256 db 0
        times 0x800-($-align_0) db 0
idt:    times 2048 db 0
        times 0x1000-($-align_0) db 0
pages:  times 0x1000 db 0
directory: times 0x1000 db 0
ivt:    times 1024 db 0
        times 0x3FF0-0x1000-16-($-align_0) db 0
body:
        times 16 db 0
`;
const RESET = `
bits 16
`;
