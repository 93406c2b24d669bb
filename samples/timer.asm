; timer: the local APIC's timer, one-shot and periodic, and what its divider does. One vCPU.
; Each part prints a line on COM1; "ok" or "no" is found out by the guest itself.
; Execution begins at the end of the file (FFFFFFF0h).
bits 32
org 0xFFFFF000                          ; 4 KiB of ROM: its last byte lies at FFFFFFFFh
LAPIC     equ 0xFEE00000
EOI       equ 0x0B0                     ; end of interrupt: without it no interrupt of the same or a lower class comes again
SVR       equ 0x0F0
LVT_TIMER equ 0x320                     ; vector in 7:0, bit 16 masks, bit 17 makes it periodic
TICR      equ 0x380                     ; initial count: a store starts the timer, 0 stops it
TCCR      equ 0x390                     ; current count
TDCR      equ 0x3E0                     ; divide: 0 by 2, 3 by 16, Bh by 1
COM1      equ 0x3F8
ticks     equ 0x0500                    ; RAM: interrupts so far

start32:
        mov     eax, 0x10               ; data segment: base 0, 4 GiB
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, 0x7000
        lidt    [idtr]
        mov     dword [LAPIC+SVR], 0x1FF

        ; One-shot: one interrupt, then the current count stays 0
        mov     esi, text_oneshot
        call    print
        mov     dword [LAPIC+LVT_TIMER], 0x20
        mov     dword [LAPIC+TDCR], 0xB
        mov     dword [ticks], 0
        mov     eax, 100000
        call    sleep
        mov     ecx, 1000               ; time for a second one, if there were one
.more:  loop    .more
        cmp     dword [ticks], 1
        jne     .no1
        cmp     dword [LAPIC+TCCR], 0
.no1:   call    verdict

        ; Periodic: it starts itself again, until the count is set to 0
        mov     esi, text_periodic
        call    print
        mov     dword [ticks], 0
        mov     dword [LAPIC+LVT_TIMER], 0x20020
        mov     dword [LAPIC+TICR], 50000
.again: cli
        cmp     dword [ticks], 5
        jae     .five
        sti                             ; takes effect after the next instruction: no interrupt can come before HLT
        hlt
        jmp     .again
.five:  mov     dword [LAPIC+TICR], 0
        mov     ecx, 100000
        sti
.quiet: loop    .quiet
        cmp     dword [ticks], 5
        call    verdict

        ; Masked: it counts down, but nobody is told
        mov     esi, text_masked
        call    print
        mov     dword [ticks], 0
        mov     dword [LAPIC+LVT_TIMER], 0x10020
        mov     dword [LAPIC+TICR], 1000
.down:  cmp     dword [LAPIC+TCCR], 0
        jne     .down
        cmp     dword [ticks], 0
        call    verdict

        ; Divide: the same count lasts 16 times as long, by the time-stamp counter
        mov     esi, text_divide
        call    print
        mov     dword [LAPIC+LVT_TIMER], 0x20
        call    measure
        mov     edi, ebx                ; divide by 1
        mov     dword [LAPIC+TDCR], 3
        call    measure                 ; divide by 16
        mov     eax, ebx
        xor     edx, edx
        div     edi
        cmp     eax, 15                 ; 15.9 rounds down
        je      .close
        cmp     eax, 16
.close: call    verdict
halt:   cli
        hlt                             ; for good: no interrupt is let in any more
        jmp     halt

; Waits for one timer interrupt after eax counts.
sleep:
        cli
        mov     [LAPIC+TICR], eax
        sti
        hlt
        ret

; ebx: cycles of the time-stamp counter that 1,000,000 counts of the timer last.
measure:
        rdtsc
        mov     ebx, eax
        mov     eax, 1000000
        call    sleep
        rdtsc
        sub     eax, ebx
        mov     ebx, eax
        ret

on_timer:                               ; vector 20h
        inc     dword [ticks]
        mov     dword [LAPIC+EOI], 0
        iret

; Prints "ok" if the zero flag is set, else "no".
verdict:
        mov     esi, text_ok
        je      print
        mov     esi, text_no
; Prints the text at esi up to its 0 byte on COM1.
print:
        lodsb
        test    al, al
        jz      .end
        mov     ah, al
        mov     dx, COM1+5              ; line status
.full:  in      al, dx
        test    al, 0x20                ; transmitter holding register empty?
        jz      .full
        mov     al, ah
        mov     dx, COM1
        out     dx, al
        jmp     print
.end:   ret

text_oneshot:  db 'one-shot: one interrupt ... ', 0
text_periodic: db 'periodic: five, then stopped ... ', 0
text_masked:   db 'masked: counts in silence ... ', 0
text_divide:   db 'divide by 16: 16 times as long ... ', 0
text_ok:       db 'ok', 10, 0
text_no:       db 'no', 10, 0

; Descriptors are marked "accessed" beforehand: the processor cannot write that into ROM.
align 8
gdt:    dq      0
        dq      0x00CF9B000000FFFF      ; 08: code, base 0, 4 GiB, 32-bit
        dq      0x00CF93000000FFFF      ; 10: data, base 0, 4 GiB
gdtr:   dw      23
        dd      gdt

; Interrupt gates: offset 15:0, selector, type, offset 31:16
idt:    times 0x20 dq 0
        dw      0xF000+on_timer-$$, 0x08, 0x8E00, 0xFFFF        ; 20
idtr:   dw      0x21*8-1
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

; EXPECT: cpus 1
; EXPECT: *: console "one-shot: one interrupt ... ok\nperiodic: five, then stopped ... ok\n"
; EXPECT: *: console "masked: counts in silence ... ok\ndivide by 16: 16 times as long ... ok\n"
; EXPECT: *: end suspended halt
; EXPECT: *: ipis 0
