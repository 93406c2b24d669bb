/** Rows of a disassembly: as many as are asked for, agreeing with the source where there is one. */
import { describe, expect, it } from 'vitest';
import { disassemble, type DisassemblyRow } from '../../../src/debugger/code/disassembly.ts';
import { loadProgram } from '../../../src/debugger/code/program.ts';
import { Random } from '../../machine/devices/random.ts';
import { seedBelow } from '../../seed.ts';
import { assembled, type Board, board, programOf, sampleProgram } from './board.ts';

const icrlo = sampleProgram('icrlo');
const rows = (b: Board, linear: number, instructionOffset: number, instructionCount: number, byteOffset = 0): DisassemblyRow[] =>
  disassemble(b, 0, { linear, instructionOffset, instructionCount, byteOffset });
const texts = (list: readonly DisassemblyRow[]): string[] => list.map(({ text }) => text);
const addresses = (list: readonly DisassemblyRow[]): number[] => list.map(({ linear }) => linear);

describe.each(['icrlo', 'ipi-modes', 'lost-sipi', 'timer'])('the disassembly of samples/%s.asm', (name) => {
  const program = sampleProgram(name);
  const b = board(program);
  const all = rows(b, program.base, 0, 5000).filter(({ linear }) => linear < 2 ** 32);
  const byAddress = new Map(all.map((row) => [row.linear, row]));

  it('holds each byte of the image once', () => {
    expect(all.flatMap(({ bytes }) => [...bytes])).toEqual([...program.image]);
  });
  it('has a row for each instruction of the source, of its length, size and line', () => {
    let seen = 0;
    for (const { offset, length, unit, line, instruction, bits } of program.assembled!.lines.entries) {
      if (!instruction) continue;
      for (let at = offset; at < offset + length; at += unit) {
        const row = byAddress.get(program.base + at);
        expect(row, `line ${line}`).toMatchObject({ bits, invalid: false, place: { line } });
        expect(row?.bytes.length, `line ${line}`).toBe(unit);
        expect(row?.text, `line ${line}`).not.toMatch(/^db /);
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(50);
  });
  it('has db for data', () => {
    for (const { offset, line, instruction } of program.assembled!.lines.entries)
      if (!instruction) expect(byAddress.get(program.base + offset)?.text, `line ${line}`).toMatch(/^db /);
  });
  it('is the same backwards from every row', () => {
    all.forEach(({ linear }, i) => {
      if (i < 12 || i % 3 !== 0) return;
      expect(addresses(rows(b, linear, -12, 14)), linear.toString(16)).toEqual(
        [...addresses(all.slice(i - 12, i + 2)), 2 ** 32].slice(0, 14),
      );
    });
  });
});

describe('rows', () => {
  it('are written as the manual of the processor and this machine write numbers', () => {
    const b = board(icrlo);
    expect(texts(rows(b, icrlo.labelAddress('wake_aps')!, -1, 4))).toEqual([
      'jmp FFFFF04Dh',
      'mov dword [FEE00300h], 000C4500h',
      'mov eax, 00147AE2h',
      'call FFFFF10Ch',
    ]);
    expect(texts(rows(b, 0xfffffff0, 0, 2))).toEqual(['jmp F3E6h', 'db 00h, 00h, 00h, 00h, 00h, 00h, 00h, 00h']);
    expect(rows(b, icrlo.labelAddress('wake_aps.wait')!, 0, 1)[0]).toMatchObject({ label: '.wait', text: 'cmp byte [500h], 2', bits: 32 });
  });
  it('of a copy are those of its source, whatever mode the asking vCPU is in', () => {
    const b = board(icrlo);
    b.runTo(53);
    const list = rows(b, 0x8000, -1, 5);
    expect(texts(list).slice(1)).toEqual(['mov eax, 1', 'cpuid', 'shr ebx, 18h', 'lea ax, [bx+90h]']);
    expect(list.slice(1).map(({ bits, place }) => [bits, place?.line])).toEqual([105, 106, 107, 108].map((line) => [16, line]));
    expect(list[1]).toMatchObject({ linear: 0x8000, label: 'ap_page08' });
  });
  it('begin some bytes further when a byte offset is given', () => {
    const b = board(icrlo);
    expect(addresses(rows(b, 0xfffff000, 0, 2, 4))).toEqual(addresses(rows(b, 0xfffff004, 0, 2)));
    expect(addresses(rows(b, 0xfffff010, 0, 2, -16))).toEqual([0xfffff000, 0xfffff002]);
  });
  it('begin some instructions further when an offset is given', () => {
    const b = board(icrlo);
    expect(addresses(rows(b, 0xfffff000, 3, 2))).toEqual(addresses(rows(b, 0xfffff000, 0, 5)).slice(3));
    expect(addresses(rows(b, 0xfffff04f, -8, 3))).toEqual(addresses(rows(b, 0xfffff04f, -8, 9)).slice(0, 3));
  });
  it('are filled up before the first address and behind the last', () => {
    const b = board(icrlo);
    const first = rows(b, 0, -3, 5);
    expect(addresses(first)).toEqual([-3, -2, -1, 0, 2]);
    expect(first.map(({ invalid }) => invalid)).toEqual([true, true, true, false, false]);
    const last = rows(b, 0xfffffffb, 0, 3);
    expect(addresses(last)).toEqual([0xfffffffb, 2 ** 32, 2 ** 32 + 1]);
    expect(last.map(({ invalid, bytes }) => [invalid, bytes.length])).toEqual([
      [false, 5],
      [true, 0],
      [true, 0],
    ]);
    expect(addresses(rows(b, 0, -3, 2, -10))).toEqual([-3, -2]);
    expect(addresses(rows(b, 0xffffffff, 10, 2, 10))).toEqual([2 ** 32 + 10, 2 ** 32 + 11]);
  });
  it('say where no memory is', () => {
    const b = board(icrlo);
    const list = rows(b, 0xfffff000, -2, 3);
    expect(list.slice(0, 2).map(({ text, invalid }) => [text, invalid])).toEqual([
      ['??', true],
      ['??', true],
    ]);
    expect(list[2]).toMatchObject({ linear: 0xfffff000, invalid: false });
  });
  it('leave devices alone', () => {
    const b = board(icrlo);
    b.runTo(53);
    const before = b.machine.ledger.exitCount;
    expect(rows(b, 0xfee00300, -4, 8).every(({ invalid }) => invalid)).toBe(true);
    expect(b.machine.ledger.exitCount).toBe(before);
  });
});

describe('code without source', () => {
  const rom = loadProgram('/firmware/icrlo.rom', icrlo.image, assembled).program;
  it('is of the size in which the reset vector leads to it', () => {
    const b = board(rom, { cpus: 4 });
    expect(rows(b, 0xfffff3e6, 0, 5).map(({ text, bits }) => [bits, text])).toEqual([
      [16, 'o32 lgdt [cs:F15Ah]'],
      [16, 'mov eax, cr0'],
      [16, 'or al, 1'],
      [16, 'mov cr0, eax'],
      [16, 'jmp 8:FFFFF000h'],
    ]);
    expect(rows(b, 0xfffff04f, 0, 1)[0]).toMatchObject({ bits: 32, text: 'mov dword [FEE00300h], 000C4500h' });
  });
  it('is read backwards as it is forwards', () => {
    const b = board(rom, { cpus: 4 });
    const source = board(icrlo);
    for (const label of ['wake_aps', 'await_reply', 'sleep', 'on_reply']) {
      const linear = icrlo.labelAddress(label)!;
      expect(addresses(rows(b, linear, -6, 9)), label).toEqual(addresses(rows(source, linear, -6, 9)));
    }
  });
  it('is of the size that the vCPU has which is there', () => {
    const b = board(rom, { cpus: 4 });
    b.runTo('00008006');
    expect(b.view.as(0, ({ code32 }) => code32)).toBe(true);
    expect(texts(rows(b, 0x8006, 0, 2))).toEqual(['cpuid', 'shr ebx, 18h']);
  });
  it('has a row that begins where a vCPU is, however the bytes before it read', () => {
    const b = board(rom, { cpus: 4 });
    // Eight bytes that swallow what follows: mov eax, imm32, the immediate of which holds the next instruction.
    b.machine.memory.writeBytes(0x9ffc, new Uint8Array([0xb8, 0x90, 0x90, 0x90, 0xf4, 0xc3]));
    const { processor } = b.machine;
    processor.setRegister('cs.base', 0);
    processor.setRegister('cs.access', 0xc09b);
    processor.setRegister('eip', 0xa000);
    expect(rows(b, 0x9ffc, 0, 3).map(({ linear, text }) => [linear, text])).toEqual([
      [0x9ffc, 'db 0B8h, 90h, 90h, 90h'],
      [0xa000, 'hlt'],
      [0xa001, 'ret'],
    ]);
  });
  it('is followed through the copy of a ROM below 1 MiB', () => {
    const pc = programOf(
      'bits 16\norg 0xF000\nstart: mov ax, 1\n nop\n hlt\ntimes 0xFF0-($-$$) db 0\njmp 0xF000:start\ntimes 0x1000-($-$$) db 0\n',
    );
    const b = board(loadProgram('/firmware/pc.rom', pc.image, assembled).program);
    b.machine.processor.setRegister('cs.access', 0xc09b); // the asking vCPU is in 32-bit code
    expect(b.view.as(0, ({ code32 }) => code32)).toBe(true);
    expect(texts(rows(b, 0xfffff000, 0, 3))).toEqual(['mov ax, 1', 'nop', 'hlt']);
  });
});

describe('any request', () => {
  const seed = seedBelow(2 ** 31);
  it(`is answered with exactly as many rows, in order and without gaps (seed ${seed})`, () => {
    const random = new Random(seed);
    const b = board(icrlo);
    b.runTo(53);
    const noise = new Uint8Array(0x4000);
    for (let i = 0; i < noise.length; i++) noise[i] = random.below(256);
    b.machine.memory.writeBytes(0x20000, noise);
    const places = [0, 0x8000, 0x20000, 0x22000, 0xfffff000, 0xfffffff0, 0x100000, 0xfee00000];
    for (let i = 0; i < 150; i++) {
      const linear = random.below(5) === 0 ? random.word() : ((places[random.below(places.length)] as number) + random.below(200)) >>> 0;
      const count = random.below(60);
      const list = rows(b, linear, random.below(200) - 100, count, random.below(3) === 0 ? random.below(400) - 200 : 0);
      expect(list.length).toBe(count);
      list.forEach((row, k) => {
        const next = list[k + 1];
        if (next !== undefined) expect(next.linear - row.linear).toBe(Math.max(row.bytes.length, 1));
      });
    }
  });
  it(`gives in two halves what it gives at once (seed ${seed})`, () => {
    const random = new Random(seed);
    const b = board(icrlo);
    const noise = new Uint8Array(0x2000);
    for (let i = 0; i < noise.length; i++) noise[i] = random.below(256);
    b.machine.memory.writeBytes(0x20000, noise);
    for (let i = 0; i < 30; i++) {
      const linear = 0x20800 + random.below(0x1000);
      const whole = addresses(rows(b, linear, -20, 40));
      expect([...addresses(rows(b, linear, -20, 20)), ...addresses(rows(b, linear, 0, 20))]).toEqual(whole);
      expect(whole).toContain(linear);
    }
  });
});
