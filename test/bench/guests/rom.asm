; The boot ROM of every workload: 64 KB that end at 4 GB. It copies the linked image to RAM at IMAGE_BASE and enters it in flat 32-bit protected
; mode. The image starts at offset 0; the dword at SCALE_OFFSET is filled in by the host, so that one build serves runs of any length.
IMAGE_BASE   equ 0x200000
IMAGE_BYTES  equ 0xE000
ROM_BASE     equ 0xFFFF0000
CODE32       equ 0x08
DATA32       equ 0x10

bits 16
org 0
    incbin IMAGE
    times IMAGE_BYTES - ($ - $$) db 0

entry:                              ; CS still has the base it has after RESET, FFFF0000
    cli
    cld
    o32 lgdt [cs:gdt_pointer]
    mov al, 2                       ; A20 on
    out 0x92, al
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword CODE32:ROM_BASE + protected

bits 32
protected:
    mov ax, DATA32
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esi, ROM_BASE
    mov edi, IMAGE_BASE
    mov ecx, IMAGE_BYTES / 4
    rep movsd
    mov ebx, [ROM_BASE + SCALE_OFFSET]  ; start.asm expects the scale in EBX
    mov eax, IMAGE_BASE
    jmp eax

align 8
gdt:
    dq 0
    dq 0x00CF9A000000FFFF           ; CODE32
    dq 0x00CF92000000FFFF           ; DATA32
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd ROM_BASE + gdt

    times 0xFFE0 - ($ - $$) db 0
SCALE_OFFSET equ $ - $$             ; FFE0: see SCALE_OFFSET in ../guests.ts
    dd 0

    times 0xFFF0 - ($ - $$) db 0
bits 16
    jmp entry
    times 0x10000 - ($ - $$) db 0
