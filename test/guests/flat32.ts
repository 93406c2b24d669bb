/** The end of a ROM of 4 KiB at FFFFF000h: from the reset vector into flat 32-bit code at `start32`, code 08h, data 10h. Source. */
export const FLAT32_END = `align 8
gdt:    dq      0
        dq      0x00CF9B000000FFFF
        dq      0x00CF93000000FFFF
gdtr:   dw      23
        dd      gdt
bits 16
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
