; The workloads that are one loop each, so that what they execute does not depend on a compiler. C calling convention, 32-bit.
LAPIC_ICR_LOW  equ 0xFEE00300
SELF_FIXED_40  equ 0x00044040       ; shorthand self, assert, fixed, vector 40h

bits 32
extern apic_count, int80_count
global loop_alu, loop_copy, loop_chase, loop_apic, loop_int80, loop_rep_movs

section .text

; u32 loop_alu(u32 iterations): xorshift, multiply, add with carry, rotate; 13 instructions a turn
loop_alu:
    push ebx
    push esi
    push edi
    mov ecx, [esp + 16]
    mov eax, 0x9E3779B9
    xor esi, esi
    mov edi, 0x4F6CDD1D
align 16
.turn:
    mov edx, eax
    shl edx, 13
    xor eax, edx
    mov edx, eax
    shr edx, 17
    xor eax, edx
    mov edx, eax
    imul edx, edi
    add esi, edx
    adc esi, 0
    rol esi, 5
    xor eax, esi
    dec ecx
    jnz .turn
    mov eax, esi
    pop edi
    pop esi
    pop ebx
    ret

; void loop_copy(void *to, const void *from, u32 sixteens)
loop_copy:
    push esi
    push edi
    mov edi, [esp + 12]
    mov esi, [esp + 16]
    mov edx, [esp + 20]
align 16
.turn:
    mov eax, [esi]
    mov [edi], eax
    mov eax, [esi + 4]
    mov [edi + 4], eax
    mov eax, [esi + 8]
    mov [edi + 8], eax
    mov eax, [esi + 12]
    mov [edi + 12], eax
    add esi, 16
    add edi, 16
    dec edx
    jnz .turn
    pop edi
    pop esi
    ret

; u32 loop_chase(struct node *first, u32 steps): follows pointers, and writes to every node it passes
loop_chase:
    push esi
    mov eax, [esp + 8]
    mov esi, [esp + 12]
    xor edx, edx
align 16
.turn:
    mov ecx, [eax + 8]
    add edx, ecx
    add dword [eax + 16], 1
    mov eax, [eax]
    dec esi
    jnz .turn
    mov eax, edx
    pop esi
    ret

; u32 loop_apic(u32 ipis): sends itself an IPI, takes it, EOIs it; gives how many were taken
loop_apic:
    mov ecx, [esp + 4]
    sti
    mov eax, LAPIC_ICR_LOW
.turn:
    mov dword [eax], SELF_FIXED_40
    nop
    dec ecx
    jnz .turn
    cli
    mov eax, [apic_count]
    ret

; u32 loop_int80(u32 times): software interrupt and IRET
loop_int80:
    mov ecx, [esp + 4]
.turn:
    int 0x80
    dec ecx
    jnz .turn
    mov eax, [int80_count]
    ret

; void loop_rep_movs(void *to, const void *from, u32 bytes)
loop_rep_movs:
    push esi
    push edi
    mov edi, [esp + 12]
    mov esi, [esp + 16]
    mov ecx, [esp + 20]
    shr ecx, 2
    rep movsd
    pop edi
    pop esi
    ret
