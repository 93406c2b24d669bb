; Entered by rom.asm, flat 32-bit, scale in EBX: 4 KB pages for the first 128 MB and the local APIC, an IDT, then guest_main(scale).
STACK_TOP       equ 0x3F0000
PAGE_DIRECTORY  equ 0x300000
APIC_TABLE      equ 0x304000        ; the page table of the 4 MB around FEE00000
PAGE_TABLES     equ 0x310000        ; 32 of them
IDT             equ 0x350000
LAPIC           equ 0xFEE00000
LAPIC_EOI       equ LAPIC + 0xB0
PRESENT_RW      equ 0x003
UNCACHED        equ 0x018           ; PCD | PWT
CODE32          equ 0x08
DATA32          equ 0x10
SERIAL          equ 0x3F8

bits 32
extern guest_main
global _start, apic_count, int80_count

section .boot progbits alloc exec nowrite align=16
_start:
    mov esp, STACK_TOP
    mov edi, PAGE_DIRECTORY
    mov ecx, 0x60000 / 4
    xor eax, eax
    rep stosd

    mov edi, PAGE_DIRECTORY
    mov eax, PAGE_TABLES | PRESENT_RW
    mov ecx, 32
.directory:
    mov [edi], eax
    add edi, 4
    add eax, 0x1000
    loop .directory

    mov edi, PAGE_TABLES
    mov eax, PRESENT_RW
    mov ecx, 32 * 1024
.table:
    mov [edi], eax
    add edi, 4
    add eax, 0x1000
    loop .table

    mov dword [PAGE_DIRECTORY + (LAPIC >> 22) * 4], APIC_TABLE | PRESENT_RW
    mov dword [APIC_TABLE + ((LAPIC >> 12) & 1023) * 4], LAPIC | PRESENT_RW | UNCACHED
    mov eax, PAGE_DIRECTORY
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000              ; PG
    and eax, ~0x60000000            ; CD, NW
    mov cr0, eax
    lgdt [gdt_pointer]
    jmp CODE32:.paged
.paged:
    mov ax, DATA32
    mov ds, ax
    mov es, ax
    mov ss, ax

%macro gate 2                       ; vector, handler
    mov eax, %2
    mov ecx, IDT + (%1) * 8
    call set_gate
%endmacro
    gate 0x06, on_fault
    gate 0x08, on_fault
    gate 0x0D, on_fault
    gate 0x0E, on_fault
    gate 0x40, on_apic
    gate 0x80, on_int80
    gate 0xFF, on_spurious
    lidt [idt_pointer]
    push ebx
    call guest_main
    jmp halt

; A present 32-bit interrupt gate at ECX for the handler at EAX.
set_gate:
    mov [ecx], ax
    mov word [ecx + 2], CODE32
    mov word [ecx + 4], 0x8E00
    shr eax, 16
    mov [ecx + 6], ax
    ret

on_fault:                           ; says so and stops: the host looks for the checksum and does not find it
    mov dx, SERIAL
    mov al, 'F'
    out dx, al
halt:
    cli
    hlt
    jmp halt

on_apic:
    push eax
    inc dword [apic_count]
    mov eax, LAPIC_EOI
    mov dword [eax], 0
    pop eax
    iret

on_int80:
    inc dword [int80_count]
on_spurious:
    iret

align 8
gdt:
    dq 0
    dq 0x00CF9A000000FFFF           ; CODE32
    dq 0x00CF92000000FFFF           ; DATA32
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd gdt
idt_pointer:
    dw 256 * 8 - 1
    dd IDT

section .data                       ; link.ld puts it on a page of its own, away from code
align 8
apic_count:  dd 0
int80_count: dd 0
