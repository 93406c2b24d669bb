/** Guests for random sessions. */
import { BUSY } from '../machine/timeline/guest.ts';
import type { Guest } from './random-control.ts';
import { flat, sampleSource } from './rig.ts';

const sample = (name: string, cpus: number, labels: readonly string[]): Guest => {
  const source = sampleSource(name);
  return { name, rig: { source, file: `${name}.asm`, cpus }, labels, lines: source.split('\n').length };
};

/** Calls, a repetition, a software interrupt and the serial console, on one vCPU; ends in HLT for good. */
const TALKER = flat(`
        lidt    [idtr]
        mov     ebx, 40
.again: mov     al, bl
        and     al, 7
        add     al, '0'
        call    put
        int     1
        mov     esi, start32
        mov     edi, 0x2000
        mov     ecx, 60
        rep movsb
        dec     ebx
        jnz     .again
        mov     eax, 5
        call    deep
        hlt
put:    mov     dx, 0x3F8
        out     dx, al
        ret
deep:   push    eax
        call    put
        pop     eax
        dec     eax
        jz      .end
        call    deep
.end:   ret
inside: inc     dword [0x3000]
        iret
align 8
idt:    dq      0
        dw      0xF000+inside-$$, 0x08, 0x8E00, 0xFFFF
idtr:   dw      15
        dd      idt`);

export const GUESTS: readonly Guest[] = [
  sample('icrlo', 4, ['on_reply', 'on_timer', 'on_wake', 'on_nmi', 'ap_main', 'ap_page08', 'ap_forgetful', 'await_reply']),
  sample('ipi-modes', 4, ['delay', 'putc', 'on_count', 'on_nmi', 'ap_page08']),
  sample('timer', 1, ['on_timer', 'measure', 'sleep', 'verdict']),
  {
    name: 'a guest that calls and talks',
    rig: { source: TALKER, file: 'talker.asm', cpus: 1 },
    labels: ['put', 'deep', 'inside'],
    lines: TALKER.split('\n').length,
  },
  { name: 'a busy guest without source', rig: { rom: BUSY, cpus: 3, model: 'pc' }, labels: [], lines: 0, until: 300_000 },
];
