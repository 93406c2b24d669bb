; icrlo: a bootrom wakes its application processors with one store, and loses an interrupt on the way. Four vCPUs.
; Execution begins at the end of the file (FFFFFFF0h); the notes there say what happens and what each hypervisor makes of it.
bits 32
org 0xFFFFF000                          ; 4 KiB of ROM: its last byte lies at FFFFFFFFh
LAPIC     equ 0xFEE00000                ; every processor finds its own local APIC here
TPR       equ 0x080                     ; task priority
EOI       equ 0x0B0                     ; end of interrupt
LDR       equ 0x0D0                     ; logical destination, bits 31:24
SVR       equ 0x0F0                     ; spurious vector, and in bit 8 the software enable
ICR_LO    equ 0x300                     ; interrupt command: a store here sends
ICR_HI    equ 0x310                     ; its destination, bits 31:24
LVT_TIMER equ 0x320                     ; which vector the timer raises
TICR      equ 0x380                     ; timer, initial count: a store here starts it
TDCR      equ 0x3E0                     ; timer, divide
ready     equ 0x0500                    ; RAM: how many processors have reported in
replies   equ 0x0501                    ; RAM: answers that vCPU0 has got
done      equ 0x0502                    ; RAM: vCPU0 has sent everything

; vCPU0, in 32-bit protected mode
start32:
        mov     al, 0x10                ; POST code: how firmware says where it is before it can print
        out     0x80, al
        mov     eax, 0x10               ; data segment: base 0, 4 GiB
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, 0x7000
        lidt    [idtr]
        call    copy_pages              ; the others will begin in RAM below 1 MiB

        mov     dword [LAPIC+SVR], 0x1FF
        mov     dword [LAPIC+LDR], 0x01000000
        mov     dword [LAPIC+LVT_TIMER], 0x20
        mov     dword [LAPIC+TDCR], 0xB ; divide by 1: 134,217,728 counts a second

        call    wake_aps
        jmp     $

wake_aps:
        ; INIT to everybody else: edge, assert, all excluding self. The store that ended the host in 2020
        mov     dword [LAPIC+ICR_LO], 0x000C4500
        mov     eax, 1342178            ; 10 ms, as the MP specification asks
        call    sleep
        mov     dword [LAPIC+ICR_HI], 0x03000000
        mov     dword [LAPIC+ICR_LO], 0x00004609        ; STARTUP for APIC ID 3: begin at 0900:0000
        mov     eax, 26844              ; 200 us
        call    sleep
        mov     dword [LAPIC+ICR_LO], 0x000C4608        ; and for everybody else: begin at 0800:0000

.wait:  cmp     byte [ready], 2         ; vCPU1 and vCPU2 report in
        jne     .wait

        ; wake vCPU2 by its logical ID
        mov     dword [LAPIC+ICR_HI], 0x04000000
        mov     dword [LAPIC+ICR_LO], 0x00004830
        call    await_reply
        ; an NMI for vCPU1
        mov     dword [LAPIC+ICR_HI], 0x01000000
        mov     dword [LAPIC+ICR_LO], 0x00004400

        ; and the same vector for vCPU3, whose local APIC is still software-disabled: nobody will ever see it
        mov     dword [LAPIC+ICR_HI], 0x08000000
        mov     dword [LAPIC+ICR_LO], 0x00004830
        mov     byte [done], 1
.idle:
        hlt
        jmp     .idle

await_reply:
        cmp     byte [replies], 1       ; on_reply counts
        jne     await_reply
        ret

copy_pages:
        mov     esi, ap_page08
        mov     edi, 0x8000
        mov     ecx, ap_page08_end-ap_page08
        rep movsb
        mov     esi, ap_page09
        mov     edi, 0x9000
        mov     ecx, ap_page09_end-ap_page09
        rep movsb
        ret

; Waits for the timer: eax counts of it. STI takes effect after the next instruction, so the interrupt cannot come before HLT.
sleep:
        cli
        mov     [LAPIC+TICR], eax
        sti
        hlt
        ret

on_timer:                               ; vector 20h
        mov     dword [LAPIC+EOI], 0
        iret

on_reply:                               ; vector 31h, at vCPU0
        inc     byte [replies]
        mov     dword [LAPIC+EOI], 0
        iret

; vCPU1 and vCPU2 begin here, at 0800:0000, in real mode. CPUID tells each its APIC ID without touching the APIC.
bits 16
ap_page08:
        mov     eax, 1
        cpuid
        shr     ebx, 24
        lea     ax, [bx+0x90]
        out     0x80, al                ; 91h, 92h
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
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, ebx                ; a stack for each: 6C00h, 6800h
        shl     esp, 10
        neg     esp
        add     esp, 0x7000
        lidt    [idtr]
        mov     dword [LAPIC+SVR], 0x1FF
        lea     ecx, [ebx+24]
        mov     eax, 1
        shl     eax, cl                 ; logical ID: bit n of 31:24 for vCPU n
        mov     [LAPIC+LDR], eax
        cmp     ebx, 2
        jne     .report
        mov     dword [LAPIC+LVT_TIMER], 0x20
        mov     dword [LAPIC+TICR], 500 ; divide by 2, as after reset: 7.5 us, so that it ends while vector 30h is served
.report:
        lock inc byte [ready]
        sti
.idle:  hlt
        jmp     .idle

on_wake:                                ; vector 30h, at vCPU2
        push    eax
        push    ecx
        mov     al, 0x30
        out     0x80, al
        mov     dword [LAPIC+ICR_LO], 0x00004031        ; a reply for APIC ID 0: ICR_HI is still 0 here
        mov     ecx, 2000
.work:  loop    .work                   ; the timer's vector 20h waits meanwhile: class 2 is not above class 3
        pop     ecx
        pop     eax
        mov     dword [LAPIC+EOI], 0
        iret

on_nmi:                                 ; at vCPU1
        push    eax
        mov     al, 0x4E
        out     0x80, al
.wait:  cmp     byte [done], 1
        jne     .wait
        mov     eax, 0x20
        xchg    [LAPIC+TPR], eax        ; fine on hardware. bhyve's instruction emulator does not know opcode 87h
        pop     eax
        iret

; vCPU3 begins here, at 0900:0000. It sets its logical ID and forgets SVR: its local APIC stays software-disabled.
bits 16
ap_page09:
        mov     al, 0x93
        out     0x80, al
        o32 lgdt [cs:gdtr09-ap_page09]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 0x08:ap_forgetful
gdtr09: dw      23
        dd      gdt
ap_page09_end:

bits 32
ap_forgetful:
        mov     eax, 0x10
        mov     ds, eax
        mov     dword [LAPIC+LDR], 0x08000000
.spin:  pause
        jmp     .spin

; Descriptors are marked "accessed" beforehand: the processor cannot write that into ROM.
align 8
gdt:    dq      0
        dq      0x00CF9B000000FFFF      ; 08: code, base 0, 4 GiB, 32-bit
        dq      0x00CF93000000FFFF      ; 10: data, base 0, 4 GiB

; Interrupt gates: offset 15:0, selector, type, offset 31:16. All handlers lie in the ROM's page, FFFFF000h.
idt:    times 2 dq 0
        dw      0xF000+on_nmi-$$, 0x08, 0x8E00, 0xFFFF          ; 02
        times 0x20-3 dq 0
        dw      0xF000+on_timer-$$, 0x08, 0x8E00, 0xFFFF        ; 20
        times 0x30-0x21 dq 0
        dw      0xF000+on_wake-$$, 0x08, 0x8E00, 0xFFFF         ; 30
        dw      0xF000+on_reply-$$, 0x08, 0x8E00, 0xFFFF        ; 31
idtr:   dw      0x32*8-1
        dd      idt

; vCPU0 after reset: CS base FFFF0000h, IP FFF0h, real mode. There is no copy of the ROM below 1 MiB, so a near jump is all
; that can be done until the far jump into a flat 32-bit segment. It reads the GDT through CS, with IP-relative arithmetic.
bits 16
start16:
        o32 lgdt [cs:0xF000+gdtr-$$]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 0x08:start32
        times 0xFF0-($-$$) db 0
        jmp     start16                 ; FFFFFFF0h: the first instruction
        times 0x1000-($-$$) db 0

; NOTES
; Line 41   One store sends INIT to three processors. illumos of autumn 2020 has no rule for INIT with a shorthand: the local APIC
;           asks to leave to userspace, nobody has noted a request, and the host panics. Fixed on 29 October 2020, the VM ends with
;           exit INST_EMUL instead; since January 2021 the interrupt is delivered.
; Line 48   STARTUP to all: vCPU3 runs already, so it is refused there. Harmless, but a sign of two starts.
; Line 63   vCPU3 wrote LDR but not SVR (ap_forgetful). A fixed interrupt for a software-disabled local APIC is dropped.
; on_nmi    XCHG on a device register: the instruction emulator of bhyve has no such opcode; the VM ends with exit INST_EMUL.
;
; EXPECT: cpus 4
; EXPECT: illumos-2020-10: end host-panic line 41
; EXPECT: illumos-2020-10: end-note "bad pending MMIO state"
; EXPECT: illumos-2020-10: ipi 1 INIT: vCPU1 notSent, vCPU2 notSent, vCPU3 notSent
; EXPECT: illumos-2020-10: exits 6
; EXPECT: illumos-13253: end vm-abort line 41
; EXPECT: illumos-13253: ipi 1 INIT: vCPU1 notSent, vCPU2 notSent, vCPU3 notSent
; EXPECT: illumos-13253: exits 6
; EXPECT: illumos: end vm-abort line 165
; EXPECT: illumos: end-note "opcode 87 is not emulated on MMIO"
; EXPECT: illumos: ipi 1 INIT: vCPU1 reached, vCPU2 reached, vCPU3 reached
; EXPECT: illumos: ipi 2 SIPI 09: vCPU3 reached
; EXPECT: illumos: ipi 3 SIPI 08: vCPU1 reached, vCPU2 reached, vCPU3 refused
; EXPECT: illumos: ipi 4 FIXED 30: vCPU2 reached
; EXPECT: illumos: ipi 5 FIXED 31: vCPU0 reached
; EXPECT: illumos: ipi 6 NMI: vCPU1 reached
; EXPECT: illumos: ipi 7 FIXED 30: vCPU3 refused
; EXPECT: illumos: ipis 7
; EXPECT: illumos: exits INOUT 6
; EXPECT: illumos: exits 45
