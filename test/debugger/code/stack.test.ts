/** Call stacks, as the sample's own comments tell how its code is reached; and of whatever a guest's memory may hold. */
import { describe, expect, it } from 'vitest';
import type { Frame } from '../../../src/debugger/code/frame.ts';
import { stackOf } from '../../../src/debugger/code/stack.ts';
import { loadProgram } from '../../../src/debugger/code/program.ts';
import type { Machine } from '../../../src/machine/machine.ts';
import { profileNamed } from '../../../src/machine/profiles/index.ts';
import { Random } from '../../machine/devices/random.ts';
import { seedBelow } from '../../seed.ts';
import { assembled, type Board, board, picture, programOf, sampleProgram } from './board.ts';

const icrlo = sampleProgram('icrlo');
const at = (line: number | string): Board => {
  const b = board(icrlo);
  b.runTo(line);
  return b;
};
const drawn = (b: Board, vcpu: number): string[] => picture(stackOf(b, vcpu));
const ran = (b: Board): Board => {
  b.machine.run();
  return b;
};

describe('the call stack of the sample', () => {
  it('begins with the reset vector alone', () => {
    const b = board(icrlo);
    expect(drawn(b, 0)).toEqual(['reset vector :218']);
    expect(stackOf(b, 0)[0]).toMatchObject({ depth: 0, kind: 'code', eip: 0xfff0, csBase: 0xffff0000, linear: 0xfffffff0, bits: 16 });
  });
  it('shows callers at the lines of their calls, down to the reset vector', () => {
    expect(drawn(at(41), 0)).toEqual(['wake_aps :41', 'start32 :36', 'reset vector :218']);
    expect(drawn(at(87), 0)).toEqual(['sleep :87', 'wake_aps :43', 'start32 :36', 'reset vector :218']);
    expect(drawn(at(21), 0)).toEqual(['start32 :21', 'reset vector :218']);
  });
  it('gives the return address of a caller, and the stack pointer after the return', () => {
    const [sleep, wake, start] = stackOf(at(87), 0) as [Frame, Frame, Frame];
    expect(sleep).toMatchObject({ esp: 0x6ff8, bits: 32 });
    expect(wake).toMatchObject({ eip: 0xfffff063, linear: 0xfffff063, csBase: 0, esp: 0x6ffc, guessed: false, depth: 1 });
    expect(start).toMatchObject({ linear: 0xfffff04d, esp: 0x7000 });
  });
  it('names the IPI that interrupted it', () => {
    expect(drawn(at(98), 0)).toEqual([
      'on_reply :98',
      '── vector 31, IPI i#5 from vCPU2 ──',
      'await_reply :71',
      'wake_aps :56',
      'start32 :36',
      'reset vector :218',
    ]);
  });
  it('names the timer, and where the sleeper was woken from HLT', () => {
    expect(drawn(at(94), 0)).toEqual([
      'on_timer :94',
      '── vector 20, APIC timer ──',
      'sleep :91',
      'wake_aps :43',
      'start32 :36',
      'reset vector :218',
    ]);
  });
  it('finds the interrupted code below what a handler has pushed', () => {
    const b = board(icrlo);
    expect(b.runTo(152)).toBe(2);
    expect(drawn(b, 2)).toEqual(['on_wake :152', '── vector 30, IPI i#4 from vCPU0 ──', 'ap_main :143', '── started by SIPI 08 (i#3) ──']);
  });
  it('shows a halted vCPU at its HLT', () => {
    const b = ran(board(icrlo));
    expect(drawn(b, 0)).toEqual(['wake_aps :66', 'start32 :36', 'reset vector :218']);
    const [frame] = stackOf(b, 0) as [Frame];
    expect(frame.linear).toBe(icrlo.labelAddress('wake_aps.idle'));
    expect(drawn(b, 2)).toEqual(['ap_main :142', '── started by SIPI 08 (i#3) ──']);
  });
  it('names an NMI, and by whom it was sent', () => {
    const b = ran(board(icrlo));
    expect(drawn(b, 1)).toEqual(['on_nmi :165', '── NMI, IPI i#6 from vCPU0 ──', 'ap_main :143', '── started by SIPI 08 (i#3) ──']);
  });
  it('shows the lines of a copy, and what started it', () => {
    const b = at('00008006');
    expect(drawn(b, b.machine.schedule.currentVcpu)).toEqual(['ap_page08 :106', '── started by SIPI 08 (i#3) ──']);
    expect(stackOf(b, b.machine.schedule.currentVcpu)[0]).toMatchObject({ eip: 6, csBase: 0x8000, linear: 0x8006, bits: 16 });
  });
  it('begins where the debugger shows the vCPU, not where it goes on', () => {
    const b = at(42);
    b.at = { vcpu: 0, eip: 0xfffff04f, csBase: 0 };
    expect(drawn(b, 0)).toEqual(['wake_aps :41', 'start32 :36', 'reset vector :218']);
  });
});

describe('a vCPU on which no code runs', () => {
  it('says that it was never started, and by what it would be', () => {
    const [frame] = stackOf(at(41), 1) as [Frame];
    expect(frame).toMatchObject({ kind: 'waiting', name: 'never started', depth: 0 });
    expect(frame.text).toMatch(/vCPU1 has never been started: no code runs on it\. It takes an INIT, then a SIPI/);
    expect(frame.text).toMatch(/^Last INIT {2}none is on record/m);
  });
  it('says which INIT brought it there when it waits for a SIPI', () => {
    const [frame] = stackOf(at(44), 2) as [Frame];
    expect(frame).toMatchObject({ kind: 'waiting', name: 'waits for SIPI' });
    expect(frame.text).toContain('vCPU2 waits for a SIPI');
    expect(frame.text).toMatch(/^Run state {2}INIT$/m);
    expect(frame.text).toMatch(/^Last INIT {2}i#1 {2}INIT from vCPU0 at icrlo\.asm:41, /m);
  });
  it('tells of IPIs that were meant for it and did not take', () => {
    const b = board(icrlo, { profile: profileNamed('illumos-13253')! });
    b.machine.run();
    const [frame] = stackOf(b, 1) as [Frame];
    expect(frame.text).toMatch(/^Not taken {2}i#1 {2}INIT from vCPU0 at icrlo\.asm:41, .*not sent/m);
  });
});

describe('code without source', () => {
  it('has addresses for names, and guesses its callers', () => {
    const rom = loadProgram('/firmware/icrlo.rom', icrlo.image, assembled).program;
    const b = board(rom, { cpus: 4 });
    expect(drawn(b, 0)).toEqual(['reset vector']);
    b.runTo('FFFFF3E6');
    expect(drawn(b, 0)).toEqual(['F000:F3E6', 'reset vector']);
    b.runTo('FFFFF10C');
    expect(drawn(b, 0)).toEqual(['FFFFF10C', 'FFFFF063 ?', 'FFFFF04D ?', 'reset vector']);
    b.runTo('00008006');
    expect(drawn(b, b.machine.schedule.currentVcpu)).toEqual(['0800:0006', '── started by SIPI 08 (i#3) ──']);
  });
});

/** A guest in real mode with a stack at 0000:7000. */
const realMode = (body: string): Board =>
  board(
    programOf(`bits 16
org 0xF000
start:  xor     ax, ax
        mov     ss, ax
        mov     sp, 0x7000
        mov     ds, ax
${body}
        times 0xFF0-($-$$) db 0
        jmp     start
        times 0x1000-($-$$) db 0
`),
    { memoryBytes: 1 << 20 },
  );

describe('callers in real mode', () => {
  it('are found behind near calls with 16-bit offsets', () => {
    const b = realMode(`        call    outer
        hlt
outer:  push    bp
        call    inner
        ret
inner:  push    ax
        nop
        ret`);
    b.runTo(13);
    expect(drawn(b, 0)).toEqual(['inner :13', 'outer :10', 'start :7', 'reset vector :16']);
    expect(stackOf(b, 0).map(({ esp }) => esp)).toEqual([0x6ff8, 0x6ffc, 0x7000, undefined]);
  });
  it('are found behind calls through a pointer, as a guess', () => {
    const b = realMode(`        mov     word [0x600], inner+0xF000-0xF000
        call    word [0x600]
        hlt
inner:  nop
        ret`);
    b.runTo(10);
    expect(drawn(b, 0)).toEqual(['inner :10', 'start :8 ?', 'reset vector :13']);
  });
  it('are found behind INT', () => {
    const b = realMode(`        mov     word [0x30*4], handler
        mov     word [0x30*4+2], 0xF000
        int     0x30
        hlt
handler: nop
        iret`);
    // There is no ROM below 1 MiB: the handler is a copy at F0000h.
    b.machine.memory.writeBytes(0xff000, b.program.image);
    b.runTo((0xf0000 + b.program.symbol('handler')!).toString(16));
    const frames = stackOf(b, 0);
    expect(picture(frames).slice(0, 3)).toEqual(['handler :11', '── INT 30 ──', 'start :9 ?']);
    expect(frames[2]).toMatchObject({ esp: 0x7000 });
  });
});

describe('exceptions', () => {
  it('are named, with their error code', () => {
    const b = board(
      programOf(`bits 32
org 0xFFFFF000
start32:
        mov     eax, 0x10
        mov     ds, eax
        mov     ss, eax
        mov     esp, 0x7000
        lidt    [idtr]
        call    fails
        hlt
fails:  mov     eax, 0x50
        mov     fs, eax
        ret
on_gp:  nop
        hlt
align 8
gdt:    dq      0
        dq      0x00CF9B000000FFFF
        dq      0x00CF93000000FFFF
gdtr:   dw      23
        dd      gdt
idt:    times 13 dq 0
        dw      0xF000+on_gp-$$, 0x08, 0x8E00, 0xFFFF
idtr:   dw      14*8-1
        dd      idt
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
`),
    );
    b.runTo(14);
    expect(drawn(b, 0)).toEqual(['on_gp :14', '── #GP, error code 0050 ──', 'fails :12', 'start32 :9', 'reset vector :34']);
  });
});

const scramble = (machine: Machine, random: Random): void => {
  const bytes = new Uint8Array(0x2000);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = random.below(4) === 0 ? [0xe8, 0xff, 0x9a, 0xcd, 0xd0][random.below(5)]! : random.below(256);
  machine.memory.writeBytes(random.below(16) * 0x1000, bytes);
};

describe('whatever the guest’s memory and registers hold', () => {
  const seed = seedBelow(2 ** 31);
  it(`a call stack has 1 to 32 frames, in order (seed ${seed})`, () => {
    const random = new Random(seed);
    const b = at(41);
    const { processor } = b.machine;
    for (let i = 0; i < 150; i++) {
      scramble(b.machine, random);
      processor.select(0);
      processor.setRegister('esp', random.below(2) === 0 ? random.below(0x12000) : random.word());
      processor.setRegister('ss.base', random.below(3) === 0 ? random.word() : 0);
      processor.setRegister('idtr.base', random.word());
      const eip = random.below(3) === 0 ? random.word() : [0xfffff10c, 0x1000 + random.below(0x10000), 0xfffffff0, 0][random.below(4)]!;
      b.at = { vcpu: 0, eip, csBase: random.below(4) === 0 ? random.word() : 0 };
      const frames = stackOf(b, 0);
      expect(frames.length).toBeGreaterThanOrEqual(1);
      expect(frames.length).toBeLessThanOrEqual(32);
      frames.forEach((frame, depth) => {
        expect(frame.depth).toBe(depth);
        expect(frame.linear).toBe((frame.csBase + frame.eip) >>> 0);
      });
      expect(frames[0]).toMatchObject({ kind: 'code', guessed: false, linear: (b.at.csBase + eip) >>> 0 });
    }
  });
});
