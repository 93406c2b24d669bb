; lost-sipi: a processor that never wakes. Two vCPUs.
; vCPU0 sends a STARTUP interrupt to vCPU1, but no INIT before it. The store succeeds, the ICR reads back as written, and nothing happens:
; a processor takes a STARTUP only while it waits for one, and on bhyve only INIT makes it wait. All that the firmware can see is silence.
; The ledger knows more: run it with --break "ipi:SIPI=refused", or look at the IPIs of the summary.
; Execution begins at the end of the file (FFFFFFF0h).
bits 32
org 0xFFFFF000                          ; 4 KiB of ROM: its last byte lies at FFFFFFFFh
LAPIC     equ 0xFEE00000
SVR       equ 0x0F0
ICR_LO    equ 0x300
ICR_HI    equ 0x310
COM1      equ 0x3F8
awake     equ 0x0500                    ; RAM: set by vCPU1

start32:
        mov     eax, 0x10               ; data segment: base 0, 4 GiB
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, 0x7000
        mov     esi, ap_page08          ; where vCPU1 would begin: 08000h
        mov     edi, 0x8000
        mov     ecx, ap_page08_end-ap_page08
        rep movsb
        mov     dword [LAPIC+SVR], 0x1FF

        mov     esi, text_sending
        call    print
        ; dword [LAPIC+ICR_LO] = 0x00004500 belongs here, then 10 ms of patience
        mov     dword [LAPIC+ICR_HI], 0x01000000
        mov     dword [LAPIC+ICR_LO], 0x00004608

        mov     ecx, 100000             ; vCPU1 needs a dozen instructions
.wait:  cmp     byte [awake], 1
        je      .answered
        pause
        loop    .wait
        mov     esi, text_silence
        call    print
        jmp     halt
.answered:
        mov     esi, text_answer
        call    print
halt:   cli
        hlt                             ; for good: no interrupt is let in any more
        jmp     halt

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

text_sending: db 'STARTUP 08 to APIC ID 1', 10, 0
text_silence: db 'no answer', 10, 0
text_answer:  db 'vCPU1 is awake', 10, 0

bits 16
ap_page08:                              ; vCPU1, at 0800:0000 in real mode
        xor     ax, ax
        mov     ds, ax
        mov     byte [awake], 1
.halt:  cli
        hlt
        jmp     .halt
ap_page08_end:

; Descriptors are marked "accessed" beforehand: the processor cannot write that into ROM.
align 8
gdt:    dq      0
        dq      0x00CF9B000000FFFF      ; 08: code, base 0, 4 GiB, 32-bit
        dq      0x00CF93000000FFFF      ; 10: data, base 0, 4 GiB
gdtr:   dw      23
        dd      gdt

start16:                                ; CS base FFFF0000h; a near jump is all that can be done until the far one
        o32 lgdt [cs:0xF000+gdtr-$$]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 0x08:start32
        times 0xFF0-($-$$) db 0
        jmp     start16                 ; FFFFFFF0h: the first instruction
        times 0x1000-($-$$) db 0

; EXPECT: cpus 2
; EXPECT: *: console "STARTUP 08 to APIC ID 1\nno answer\n"
; EXPECT: *: ipi 1 SIPI 08: vCPU1 refused notWaitingForSipi
; EXPECT: *: ipis 1
; EXPECT: illumos-2020-10: end suspended halt
; EXPECT: illumos-13253: end suspended halt
; EXPECT: illumos: end stuck
