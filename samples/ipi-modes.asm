; ipi-modes: every delivery mode, destination mode and shorthand, and who counts an interrupt. Four vCPUs.
; For each row of a table vCPU0 stores ICR_HI and ICR_LO, waits, and prints on COM1 what each of the four counted meanwhile.
; Each processor counts vector 40h, NMIs and its own start. The APs are started one by one, so that the kernels of 2020 can run the
; first rows as well (one INIT for all ends them: see icrlo.asm).
; Execution begins at the end of the file (FFFFFFF0h).
bits 32
org 0xFFFFF000                          ; 4 KiB of ROM: its last byte lies at FFFFFFFFh
LAPIC     equ 0xFEE00000
EOI       equ 0x0B0                     ; end of interrupt
LDR       equ 0x0D0                     ; logical ID, bits 31:24
DFR       equ 0x0E0                     ; model of logical IDs, bits 31:28: F flat, 0 cluster
SVR       equ 0x0F0
ICR_LO    equ 0x300
ICR_HI    equ 0x310
COM1      equ 0x3F8
counts    equ 0x0510                    ; RAM: a byte for each processor

; In every processor EBP holds its number, for its handlers.
start32:
        mov     eax, 0x10               ; data segment: base 0, 4 GiB
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, 0x7000
        lidt    [idtr]
        mov     esi, ap_page08          ; where the APs begin: 08000h
        mov     edi, 0x8000
        mov     ecx, ap_page08_end-ap_page08
        rep movsb
        xor     ebp, ebp
        mov     dword [LAPIC+SVR], 0x1FF
        mov     dword [LAPIC+LDR], 0x01000000

        mov     ebx, 0x01000000         ; APIC IDs 1, 2 and 3
.wake:  mov     [LAPIC+ICR_HI], ebx
        mov     dword [LAPIC+ICR_LO], 0x4500
        call    delay
        mov     dword [LAPIC+ICR_LO], 0x4608
        call    delay
        add     ebx, 0x01000000
        cmp     ebx, 0x04000000
        jne     .wake
        sti

        mov     ebx, table
.row:   mov     dword [counts], 0
        mov     eax, [ebx]
        mov     [LAPIC+ICR_HI], eax
        mov     eax, [ebx+4]
        mov     [LAPIC+ICR_LO], eax
        call    delay
        lea     esi, [ebx+8]
        call    print
        xor     edi, edi
.count: mov     al, [counts+edi]
        add     al, '0'
        call    putc
        inc     edi
        cmp     edi, 4
        jne     .count
        mov     al, 10
        call    putc
        add     ebx, 40
        cmp     ebx, table_end
        jne     .row
halt:   cli
        hlt                             ; for good: no interrupt is let in any more
        jmp     halt

; Long enough for the others to do something.
delay:  mov     ecx, 10000
.loop:  pause
        loop    .loop
        ret

; Prints the text at esi up to its 0 byte on COM1.
print:
        lodsb
        test    al, al
        jz      .end
        call    putc
        jmp     print
.end:   ret

; Prints the character in al on COM1.
putc:
        mov     ah, al
        mov     dx, COM1+5              ; line status
.full:  in      al, dx
        test    al, 0x20                ; transmitter holding register empty?
        jz      .full
        mov     al, ah
        mov     dx, COM1
        out     dx, al
        ret

on_nmi:                                 ; an NMI is not acknowledged at the APIC
        inc     byte [counts+ebp]
        iret

on_count:                               ; vector 40h
        inc     byte [counts+ebp]
        mov     dword [LAPIC+EOI], 0
        iret

on_cluster:                             ; vector 41h: into cluster 1, as the member that EBP says
        push    eax
        push    ecx
        mov     dword [LAPIC+DFR], 0x0FFFFFFF
        lea     ecx, [ebp+24]
        mov     eax, 1
        shl     eax, cl
        or      eax, 0x10000000
        mov     [LAPIC+LDR], eax
        mov     dword [LAPIC+EOI], 0
        pop     ecx
        pop     eax
        iret

bits 16
ap_page08:                              ; an AP, at 0800:0000 in real mode
        o32 lgdt [cs:gdtr-ap_page08]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 0x08:ap_main
gdtr:   dw      23
        dd      gdt
ap_page08_end:

bits 32
ap_main:
        mov     eax, 1                  ; CPUID tells its APIC ID without touching the APIC
        cpuid
        shr     ebx, 24
        mov     ebp, ebx
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, ebx                ; a stack for each: 6C00h, 6800h, 6400h
        shl     esp, 10
        neg     esp
        add     esp, 0x7000
        lidt    [idtr]
        mov     dword [LAPIC+SVR], 0x1FF
        lea     ecx, [ebx+24]
        mov     eax, 1
        shl     eax, cl
        mov     [LAPIC+LDR], eax
        inc     byte [counts+ebp]
        sti
.idle:  hlt
        jmp     .idle

; What to store in ICR_HI and ICR_LO, and what to call it: 40 bytes each
align 8
table:
        dd      0x01000000, 0x00004040
        db      'FIXED, physical 1             ', 0, 0
        dd      0xFF000000, 0x00004040
        db      'FIXED, physical FF            ', 0, 0   ; everybody, the sender too
        dd      0x06000000, 0x00004840
        db      'FIXED, logical 06, flat       ', 0, 0   ; a bit for each
        dd      0x00000000, 0x00044040
        db      'FIXED, self                   ', 0, 0
        dd      0x00000000, 0x00084040
        db      'FIXED, all including self     ', 0, 0
        dd      0x00000000, 0x000C4040
        db      'FIXED, all excluding self     ', 0, 0
        dd      0x00000000, 0x000CC040
        db      'FIXED, level, assert          ', 0, 0   ; as good as edge
        dd      0x00000000, 0x000C8040
        db      'FIXED, level, de-assert       ', 0, 0   ; ignored since 2022; delivered before
        dd      0x01000000, 0x0000400F
        db      'FIXED, vector 0F              ', 0, 0   ; 0 to 15 are illegal: ESR bit 5
        dd      0x09000000, 0x00004040
        db      'FIXED, physical 9             ', 0, 0   ; nobody is there
        dd      0x02000000, 0x00004400
        db      'NMI, physical 2               ', 0, 0
        dd      0x0A000000, 0x00004C00
        db      'NMI, logical 0A, flat         ', 0, 0
        dd      0x00000000, 0x000C4400
        db      'NMI, all excluding self       ', 0, 0
        dd      0x00000000, 0x00044400
        db      'NMI, self                     ', 0, 0   ; not a valid combination; delivered before 2022
        dd      0x03000000, 0x00000500
        db      'INIT, bit 14 clear            ', 0, 0   ; ignored by bhyve alone
        dd      0x03000000, 0x00004500
        db      'INIT, physical 3              ', 0, 0   ; vCPU3 waits for a STARTUP now
        dd      0x03000000, 0x00004040
        db      'FIXED, physical 3             ', 0, 0   ; its local APIC was reset too: software-disabled
        dd      0x03000000, 0x00004608
        db      'STARTUP 08, physical 3        ', 0, 0   ; it counts its start
        dd      0x03000000, 0x00004608
        db      'STARTUP 08, once more         ', 0, 0   ; it runs already
        dd      0x00000000, 0x00084041
        db      'FIXED 41, all including self  ', 0, 0   ; everybody changes to the cluster model
        dd      0x13000000, 0x00004840
        db      'FIXED, logical 13, cluster    ', 0, 0   ; cluster 1, members 0 and 1
        dd      0x21000000, 0x00004840
        db      'FIXED, logical 21, cluster    ', 0, 0   ; nobody is in cluster 2
        dd      0x1F000000, 0x00004940
        db      'LOWPRIO, logical 1F           ', 0, 0   ; bhyve has none; in 2020 the host panicked here
        dd      0x01000000, 0x00004200
        db      'SMI, physical 1               ', 0, 0   ; bhyve has no SMM
        dd      0x01000000, 0x00000340
        db      'mode 011, physical 1          ', 0, 0   ; Remote Read of old
        dd      0x01000000, 0x00004740
        db      'mode 111, physical 1          ', 0, 0   ; reserved
        dd      0x00000000, 0x00044500
        db      'INIT, self                    ', 0, 0   ; not a valid combination
table_end:

; Descriptors are marked "accessed" beforehand: the processor cannot write that into ROM.
align 8
gdt:    dq      0
        dq      0x00CF9B000000FFFF      ; 08: code, base 0, 4 GiB, 32-bit
        dq      0x00CF93000000FFFF      ; 10: data, base 0, 4 GiB

; Interrupt gates: offset 15:0, selector, type, offset 31:16
idt:    times 2 dq 0
        dw      0xF000+on_nmi-$$, 0x08, 0x8E00, 0xFFFF          ; 02
        times 0x40-3 dq 0
        dw      0xF000+on_count-$$, 0x08, 0x8E00, 0xFFFF        ; 40
        dw      0xF000+on_cluster-$$, 0x08, 0x8E00, 0xFFFF      ; 41
idtr:   dw      0x42*8-1
        dd      idt

bits 16
start16:                                ; CS base FFFF0000h; a near jump is all that can be done until the far one
        o32 lgdt [cs:0xF000+gdtr-$$]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 0x08:start32
        times 0xFF0-($-$$) db 0
        jmp     start16                 ; FFFFFFF0h: the first instruction
        times 0x1000-($-$$) db 0

; EXPECT: cpus 4
; EXPECT: illumos: console "FIXED, physical 1             0100\n"
; EXPECT: illumos: console "FIXED, physical FF            1111\n"
; EXPECT: illumos: console "FIXED, logical 06, flat       0110\n"
; EXPECT: illumos: console "FIXED, self                   1000\n"
; EXPECT: illumos: console "FIXED, all including self     1111\n"
; EXPECT: illumos: console "FIXED, all excluding self     0111\n"
; EXPECT: illumos: console "FIXED, level, assert          0111\n"
; EXPECT: illumos: console "FIXED, level, de-assert       0000\n"
; EXPECT: illumos: console "FIXED, vector 0F              0000\n"
; EXPECT: illumos: console "FIXED, physical 9             0000\n"
; EXPECT: illumos: console "NMI, physical 2               0010\n"
; EXPECT: illumos: console "NMI, logical 0A, flat         0101\n"
; EXPECT: illumos: console "NMI, all excluding self       0111\n"
; EXPECT: illumos: console "NMI, self                     0000\n"
; EXPECT: illumos: console "INIT, bit 14 clear            0000\n"
; EXPECT: illumos: console "INIT, physical 3              0000\n"
; EXPECT: illumos: console "FIXED, physical 3             0000\n"
; EXPECT: illumos: console "STARTUP 08, physical 3        0001\n"
; EXPECT: illumos: console "STARTUP 08, once more         0000\n"
; EXPECT: illumos: console "FIXED 41, all including self  0000\n"
; EXPECT: illumos: console "FIXED, logical 13, cluster    1100\n"
; EXPECT: illumos: console "FIXED, logical 21, cluster    0000\n"
; EXPECT: illumos: console "LOWPRIO, logical 1F           0000\n"
; EXPECT: illumos: console "SMI, physical 1               0000\n"
; EXPECT: illumos: console "mode 011, physical 1          0000\n"
; EXPECT: illumos: console "mode 111, physical 1          0000\n"
; EXPECT: illumos: console "INIT, self                    0000\n"
; EXPECT: illumos: end stuck
; EXPECT: illumos: ipis 33
; EXPECT: illumos: ipi 7 FIXED 40: vCPU1 reached
; EXPECT: illumos: ipi 14 FIXED 40: vCPU0 notAddressed senderExcluded, vCPU1 notSent, vCPU2 notSent, vCPU3 notSent
; EXPECT: illumos: ipi 23 FIXED 40: vCPU3 refused softwareDisabled
; EXPECT: illumos: ipi 25 SIPI 08: vCPU3 refused
; EXPECT: illumos-2020-10: console "FIXED, level, de-assert       0111\n"
; EXPECT: illumos-2020-10: console "NMI, self                     1000\n"
; EXPECT: illumos-2020-10: end host-panic
; EXPECT: illumos-13253: end vm-abort
