/** Lines, labels and addresses of a program, and what is wrong with a file that is none. */
import { describe, expect, it } from 'vitest';
import { loadProgram, type Program } from '../../../src/debugger/code/program.ts';
import { sameFile } from '../../../src/debugger/code/file-names.ts';
import { AssemblyFailure, DebuggerError } from '../../../src/debugger/error.ts';
import { assembled, board, programOf, sampleProgram } from './board.ts';

const icrlo = sampleProgram('icrlo');
const problem = (file: string, text: string | Uint8Array): Error => {
  try {
    loadProgram(file, typeof text === 'string' ? new TextEncoder().encode(text) : text, assembled);
  } catch (error) {
    return error as Error;
  }
  throw new Error(`${file} was taken`);
};
const SOURCE = `bits 32
org 0xFFFFFF00
value equ 0xFFFFFF04            ; as large as an address, but no label
first:  nop                     ; a comment; "with" signs
        mov     al, ';'
.inner: jmp     .inner
text:   db "a;b", 0             ; data
second: times 3 mov eax, 1
bits 16
        times 0xF0-($-$$) hlt
        jmp     $
        times 0x100-($-$$) db 0
`;
const small = programOf(SOURCE);

describe('a program from source', () => {
  it('has a place for each of its addresses, with the text of the line', () => {
    expect(icrlo.placeAt(0xfffff04f)).toEqual({
      file: '/firmware/samples/icrlo.asm',
      line: 41,
      text: 'mov     dword [LAPIC+ICR_LO], 0x000C4500',
    });
    expect(icrlo.placeAt(0xfffffff0)?.line).toBe(218);
    expect(icrlo.placeAt(0xffffefff)).toBeUndefined();
    expect(small.placeAt(0xffffff01)).toMatchObject({ line: 5, text: "mov     al, ';'" });
    expect(small.placeAt(0xffffff05)?.text).toBe('text:   db "a;b", 0');
  });
  it('knows the lengths and sizes of its instructions, those of a repetition too', () => {
    expect(icrlo.lengthAt(0xfffff04f)).toBe(10);
    expect(icrlo.lengthAt(0xfffff050)).toBeUndefined();
    expect(icrlo.bitsAt(0xfffff04f)).toBe(32);
    expect(icrlo.bitsAt(0xfffffff0)).toBe(16);
    const second = small.labelAddress('second')!;
    expect([0, 1, 5, 10, 15].map((n) => small.lengthAt(second + n))).toEqual([5, undefined, 5, 5, 1]);
    expect(small.lengthAt(small.labelAddress('text')!)).toBeUndefined();
  });
  it('names the nearest global label: no local one, no equate', () => {
    expect(icrlo.labelAt(0xfffff04f)).toEqual({ name: 'wake_aps', offset: 0 });
    expect(icrlo.labelAt(icrlo.labelAddress('wake_aps.wait')!)?.name).toBe('wake_aps');
    expect(small.labelAt(0xffffff04)).toEqual({ name: 'first', offset: 4 });
    expect(small.labelHere(0xffffff03)).toBe('.inner');
    expect(small.labelHere(0xffffff04)).toBeUndefined();
    expect(small.symbol('value')).toBe(0xffffff04);
  });
  it('gives labels the address at which the machine has them, whatever ORG says', () => {
    const low = programOf('org 0x1000\nstart: jmp start\ntimes 16-($-$$) nop\n');
    expect(low.symbol('start')).toBe(0x1000);
    expect(low.labelAddress('start')).toBe(0xfffffff0);
  });
  it('finds the first code at or after a line, and says which line that is', () => {
    expect(icrlo.lineAddress('/firmware/samples/icrlo.asm', 41)).toEqual({ linear: 0xfffff04f, line: 41 });
    expect(icrlo.lineAddress('/firmware/samples/icrlo.asm', 39)).toEqual({ linear: 0xfffff04f, line: 41 });
    expect(icrlo.lineAddress('/firmware/samples/icrlo.asm', 219)).toBeUndefined();
    expect(small.lineAddress('guest.asm', 7)).toEqual({ linear: small.labelAddress('second'), line: 8 });
  });
  it('lists the lines that hold code', () => {
    expect(icrlo.codeLines('/firmware/samples/icrlo.asm', 36, 44)).toEqual([36, 37, 41, 42, 43, 44]);
    expect(icrlo.codeLines('/firmware/elsewhere/icrlo.asm', 36, 44)).toEqual([]);
  });
  it('says how many vCPUs it is for', () => {
    expect(icrlo.expectedCpus).toBe(4);
    expect(small.expectedCpus).toBeUndefined();
  });
});

describe('a file is the same one', () => {
  it.each([
    ['/firmware/a.asm', '/firmware/a.asm', true],
    ['/firmware/a.asm', '/other/a.asm', false],
    ['/firmware/a.asm', 'file:///firmware/a.asm', true],
    ['/firmware/x/../a.asm', '/firmware/./a.asm', true],
    ['/with space/a.asm', 'file:///with%20space/a.asm', true],
    ['/100%/a.asm', '/100%/a.asm', true],
    ['a.asm', '/firmware/a.asm', true],
    ['samples/a.asm', './a.asm', true],
    ['samples/b.asm', './a.asm', false],
    ['C:\\firmware\\a.asm', 'c:/Firmware/A.asm', true],
    ['C:\\firmware\\a.asm', 'file:///c%3A/firmware/a.asm', true],
    ['D:\\firmware\\a.asm', 'C:\\firmware\\a.asm', false],
    ['vscode-vfs://github/me/a.asm', 'vscode-vfs://github/me/a.asm', true],
    ['vscode-vfs://github/me/a.asm', 'vscode-vfs://github/you/a.asm', false],
    ['vscode-vfs://github/me/a.asm', '/me/a.asm', false],
  ])('%s and %s: %s', (a, b, same) => {
    expect(sameFile(a, b)).toBe(same);
    expect(sameFile(b, a)).toBe(same);
  });
});

describe('a program without source', () => {
  const rom = loadProgram('/firmware/boot.rom', icrlo.image, assembled).program;
  it('has neither places nor labels', () => {
    expect(rom.assembled).toBeUndefined();
    expect([rom.placeAt(0xfffff04f), rom.lengthAt(0xfffff04f), rom.bitsAt(0xfffff04f), rom.labelAt(0xfffff04f)]).toEqual(
      Array(4).fill(undefined),
    );
    expect([...rom.symbols()]).toEqual([]);
    expect(rom.lineAddress('/firmware/boot.rom', 1)).toBeUndefined();
    expect(rom.copiesOf(0xfffff04f)).toEqual([]);
  });
  it('is told how many bytes the machine puts in front', () => {
    expect(rom.padding).toBe(0);
    expect(loadProgram('/firmware/boot.rom', new Uint8Array(4080), assembled).program.padding).toBe(16);
  });
});

describe('a file that is no program', () => {
  it('is named, with what is wrong with it', () => {
    const error = problem('/firmware/boot.rom', new Uint8Array(17));
    expect(error).toBeInstanceOf(DebuggerError);
    expect(error.message).toContain('/firmware/boot.rom: the ROM image is 17 bytes long; it must be a multiple of 16');
    expect(problem('/firmware/empty.asm', '').message).toContain('/firmware/empty.asm: the ROM image is empty');
  });
  it('fails with all diagnostics when it cannot be assembled, and names the first place', () => {
    const error = problem('/firmware/a.asm', 'nop\n  mov eax\n  mov ebx\n');
    expect(error).toBeInstanceOf(AssemblyFailure);
    expect(error.message).toMatch(/^a\.asm cannot be assembled: 2 errors, the first at a\.asm:2:\d+: /);
    expect((error as AssemblyFailure).diagnostics.map((d) => d.line)).toEqual([2, 3]);
    expect(problem('/firmware/a.asm', 'mov eax').message).toContain(': 1 error, the first at a.asm:1:5: ');
  });
  it('may have warnings, which are no failure', () => {
    const { warnings } = loadProgram(
      '/firmware/a.asm',
      new TextEncoder().encode('bits 16\nmov al, 0x1234\ntimes 16-($-$$) nop\n'),
      assembled,
    );
    expect(warnings.map(({ severity, line }) => [severity, line])).toEqual([['warning', 2]]);
  });
});

describe('copies that the guest makes of its code', () => {
  const trampoline = icrlo.labelAddress('ap_page08')!;
  const at = (program: Program, linear: number): unknown => program.placeAt(linear)?.line;

  it('have the lines, labels, lengths and sizes of the original', () => {
    const b = board(icrlo);
    expect(at(b.program, 0x8000)).toBeUndefined();
    b.runTo(41);
    const { program } = b;
    expect([at(program, 0x8000), at(program, 0x8006), at(program, 0x8021), at(program, 0x9000)]).toEqual([105, 106, 114, 172]);
    expect(program.labelAt(0x8006)).toEqual({ name: 'ap_page08', offset: 6 });
    expect([program.lengthAt(0x8000), program.lengthAt(0x8001), program.bitsAt(0x8000)]).toEqual([6, undefined, 16]);
    expect([at(program, 0x8030), at(program, 0x7fff)]).toEqual([undefined, undefined]);
  });
  it('are none any more when they are overwritten', () => {
    const b = board(icrlo);
    b.runTo(41);
    expect(at(b.program, 0x8006)).toBe(106);
    b.machine.memory.writeBytes(0x8000, new Uint8Array(48));
    expect(at(b.program, 0x8006)).toBeUndefined();
  });
  it('stay copies when a few bytes in them are patched', () => {
    const b = board(icrlo);
    b.runTo(41);
    b.machine.memory.writeBytes(0x8014, new Uint8Array([0x12, 0x34])); // within LGDT
    expect([at(b.program, 0x8000), at(b.program, 0x8012), at(b.program, 0x8019), at(b.program, 0x8021)]).toEqual([105, 110, 111, 114]);
  });
  it('are not seen where the bytes are of two places of the source alike', () => {
    const twice = programOf(
      `bits 32\norg 0xFFFFFF00\na: mov eax, 1\n mov ebx, 2\n ret\nb: mov eax, 1\n mov ebx, 2\n ret\ntimes 0x100-($-$$) hlt\n`,
    );
    const b = board(twice);
    b.machine.memory.writeBytes(0x5000, twice.image.subarray(0, 11));
    expect(at(b.program, 0x5000)).toBeUndefined();
  });
  it('are believed in only for instructions: filling is no copy', () => {
    const filled = programOf('bits 16\norg 0xFFFFFF00\ndata: times 0xE0 db 0x55\nhlt\ntimes 15 db 0\njmp data\ntimes 0x100-($-$$) db 0\n');
    const b = board(filled);
    b.machine.memory.writeBytes(0x5000, new Uint8Array(64).fill(0x55));
    b.machine.memory.writeBytes(0x6000, new Uint8Array([0xf4, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    expect([at(b.program, 0x5000), at(b.program, 0x6000)]).toEqual([undefined, undefined]);
  });
  it('are told of when they are about to be executed, before their first instruction', () => {
    const b = board(icrlo);
    b.watch.enabled = true;
    expect(b.machine.run()).toBe('breakpoint');
    expect(b.watch.take()).toBe(true);
    expect(b.watch.take()).toBe(false);
    const first = b.machine.schedule.currentVcpu;
    expect(first).toBe(3);
    expect(b.view.position(3)).toEqual({ eip: 0, csBase: 0x9000 });
    expect(b.program.copiesOf(icrlo.labelAddress('ap_page09')!)).toEqual([0x9000]);
    expect(b.program.copiesOf(trampoline)).toEqual([]); // not executed yet
    expect(b.machine.run()).toBe('breakpoint');
    expect(b.watch.take()).toBe(true);
    expect(b.program.copiesOf(trampoline)).toEqual([0x8000]);
    expect(b.program.copiesOf(trampoline + 6)).toEqual([0x8006]);
    expect(b.machine.run()).toMatchObject({ kind: 'aborted' });
    expect(b.watch.take()).toBe(false);
  });
  it('stop a breakpoint on their first line', () => {
    const b = board(icrlo);
    b.watch.enabled = true;
    const found: [number, number][] = [];
    const line = b.program.lineAddress(icrlo.file, 105)!.linear;
    b.machine.processor.breakpoints = new Set([line]);
    while (b.machine.run() === 'breakpoint') {
      if (b.watch.take()) b.machine.processor.breakpoints = new Set([line, ...b.program.copiesOf(line)]);
      else found.push([b.machine.schedule.currentVcpu, b.view.position(b.machine.schedule.currentVcpu).csBase]);
    }
    expect(found.sort()).toEqual([
      [1, 0x8000],
      [2, 0x8000],
    ]);
  });
  it('are found without a stop while the machine is moved quietly, and where vCPUs stand already', () => {
    const b = board(icrlo);
    b.watch.enabled = true;
    b.watch.quietly(() => expect(b.machine.run({ instructions: 102_000 })).toBe('limit'));
    expect(b.watch.take()).toBe(true);
    expect(b.program.copiesOf(trampoline)).toEqual([0x8000]);
    const late = board(icrlo);
    late.runTo('00008006');
    late.watch.enabled = true;
    expect(late.watch.take()).toBe(true);
    expect(late.program.copiesOf(trampoline)).toEqual([0x8000]);
  });
});
