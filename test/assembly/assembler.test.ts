import { describe, expect, it } from 'vitest';
import { assemble } from '../../src/assembly/assembler.ts';
import { index } from './index.ts';

const run = (source: string, origin?: number) => assemble(source, 'a.asm', origin === undefined ? { index } : { index, origin });

/** The bytes of a text that must assemble without error, in hex. */
function bytes(source: string): string {
  const result = run(source);
  expect(result.diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
  return Buffer.from(result.bytes).toString('hex').toUpperCase();
}

describe('data', () => {
  it('db, dw, dd and dq store little-endian units', () => {
    expect(bytes('db 1,2\ndw 0x1234\ndd 0x12345678\ndq 0x123456789ABCDEF0')).toBe('0102341278563412F0DEBC9A78563412');
  });
  it('a string in a wider unit is padded with zeros', () => {
    expect(bytes("db 'abc'\ndw 'abc'\ndd 'abcde'")).toBe('61626361626300' + '6162636465000000');
  });
  it("backquoted strings know C's escapes", () => {
    expect(bytes('db `a\\n\\t\\x41\\0\\e\\u00e9`')).toBe('610A0941001BC3A9');
  });
  it('a string in an expression is a number, its first character lowest', () => {
    expect(bytes("dd 'ab'+1")).toBe('62620000');
  });
  it('times repeats data and instructions', () => {
    expect(bytes('times 3 db 1, 2\ntimes 2 nop')).toBe('0102010201029090');
  });
  it('times with a difference fills up to a size', () => {
    const image = run('bits 16\nnop\ntimes 510-($-$$) db 0\ndw 0xAA55').bytes;
    expect(image.length).toBe(512);
    expect([...image.subarray(510)]).toEqual([0x55, 0xaa]);
  });
  it('resb reserves zeros in a flat image', () => {
    expect(bytes('db 1\nresb 3\nresw 1\ndb 2')).toBe('01000000000002');
  });
  it('align fills with nops and alignb with zeros', () => {
    expect(bytes('db 1\nalign 4\ndb 2\nalignb 4\ndb 3\nalign 4, db 0xFF')).toBe('01909090' + '02000000' + '03FFFFFF');
  });
});

describe('numbers and expressions', () => {
  it('numbers take every notation of the dialect', () => {
    expect(bytes('db 0FFh, 0xFE, $0FD, 0hFC, 1111_1011b, 0b11111010, 0y11111001, 370q, 0o367, 0q366, 0d245, 244d, 243, 0F2h, 0bh')).toBe(
      'FFFEFDFCFBFAF9F8F7F6F5F4F3F20B',
    );
  });
  it('operators bind as in C, | loosest and unary tightest', () => {
    expect(bytes('db 3|4^1&6, 1+2*3, (1+2)*3, 1<<2+1, -2+3, ~0 & 0xF, !5, !0, 2*-3+7')).toBe('0707090801' + '0F000101');
  });
  it('/ and % are unsigned, // and %% are signed', () => {
    expect(bytes('dq -7 / 2\ndb -7 // 2, -7 % 4, -7 %% 4, 7 // 2')).toBe('FCFFFFFFFFFFFF7F' + 'FD01FD03');
  });
  it('$ is the beginning of the line and $$ that of the section', () => {
    expect(bytes('org 0x100\nnop\ndw $, $-$$, $$')).toBe('90' + '0101' + '0100' + '0001');
  });
  it('equ may refer to what follows', () => {
    expect(bytes('A equ B+1\nB equ end-start\nstart: db A\nend:')).toBe('02');
  });
  it('%define replaces a name by what it stands for, nested and with parameters', () => {
    expect(
      bytes('%define ONE 1\n%define TWO (ONE+ONE)\n%define MUL(a,b) ((a)*(b))\ndb TWO, MUL(TWO+1, 4)\n%undef ONE\nONE equ 7\ndb ONE'),
    ).toBe('020C07');
  });
  it('a macro is not expanded within itself', () => {
    expect(bytes('%define x x\nx equ 3\ndb x')).toBe('03');
  });
});

describe('labels and branches', () => {
  it('a local label belongs to the label before it', () => {
    const result = run('bits 16\na:\n.x: jmp .x\nb:\n.x: jmp a.x');
    expect(Buffer.from(result.bytes).toString('hex')).toBe('ebfeebfc');
    expect([...result.symbols]).toEqual([
      ['a', 0],
      ['a.x', 0],
      ['b', 2],
      ['b.x', 2],
    ]);
  });
  it('an equ does not open a scope for local labels', () => {
    expect(bytes('bits 16\na:\nn equ 1\n.x: jmp a.x')).toBe('EBFE');
  });
  it('a branch is short as long as its target is within reach, then near', () => {
    expect(bytes('bits 16\njmp end\ntimes 127 nop\nend:').slice(0, 4)).toBe('EB7F');
    expect(bytes('bits 16\njmp end\ntimes 128 nop\nend:').slice(0, 6)).toBe('E98000');
    expect(bytes('bits 32\njz end\ntimes 128 nop\nend:').slice(0, 12)).toBe('0F8480000000');
  });
  it('growing one branch may push another out of reach', () => {
    expect(bytes('bits 16\njmp a\njmp b\ntimes 125 nop\na: times 2 nop\nb:').slice(0, 8)).toBe('EB7FEB7F');
    expect(bytes('bits 16\njmp a\njmp b\ntimes 125 nop\na: times 3 nop\nb:').slice(0, 12)).toBe('E98000E98000');
  });
  it('a branch to a plain number is near, for its distance is known only when the origin is', () => {
    expect(bytes('bits 16\norg 0x7c00\njmp 0x7c00')).toBe('E9FDFF');
  });
  it('a far jump in 16-bit code can carry a 32-bit offset', () => {
    expect(bytes('bits 16\norg 0x7c00\njmp dword 0x08:go\ngo: jmp word 8:go\njmp 0xF000:0xFFF0')).toBe(
      '66EA087C00000800' + 'EA087C0800' + 'EAF0FF00F0',
    );
  });
  it('a far jump through memory names its pointer size', () => {
    expect(bytes('bits 16\njmp far [bx]\njmp dword far [bx]\ncall far dword [bx]')).toBe('FF2F66FF2F66FF1F');
  });
  it('the origin of the options holds unless the source gives one', () => {
    expect(run('a: dw a', 0x8000).symbols.get('a')).toBe(0x8000);
    const own = run('org 0x7c00\na: dw a', 0x8000);
    expect([own.origin, own.symbols.get('a')]).toEqual([0x7c00, 0x7c00]);
  });
});

/** Encodings where assemblers differ: the choices are nasm's. */
const CHOICES: readonly (readonly [string, 16 | 32, string, string])[] = [
  ['register to register takes the r/m, reg form', 32, 'add eax, ebx', '01D8'],
  ['mov register to register likewise', 32, 'mov eax, ebx', '89D8'],
  ['an immediate that fits takes the sign-extended byte', 32, 'add eax, 5', '83C005'],
  ['also where the accumulator form would be as long', 16, 'add ax, 5', '83C005'],
  ['a word that is a negative byte as well', 16, 'and ax, 0xFFF0', '83E0F0'],
  ['strict keeps the size that is written', 16, 'add ax, strict word 5', '050500'],
  ['the accumulator moves to and from a bare offset', 16, 'mov ax, [0x1234]', 'A13412'],
  ['a bare offset of the other address size', 16, 'mov al, [dword 0x1234]', '67A034120000'],
  ['xchg puts its first register in reg', 16, 'xchg cx, bx', '87CB'],
  ['xchg with the accumulator is one byte', 16, 'xchg bx, ax', '93'],
  ['test with memory second is the same instruction', 16, 'test cx, [bx]', '850F'],
  ['push takes the byte form', 16, 'push 5', '6A05'],
  ['push dword in 16-bit code', 16, 'push dword 5', '666A05'],
  ['a shift by 1 has its own opcode', 16, 'shl ax, 1', 'D1E0'],
  ['but a shift by byte 1 does not use it', 16, 'shl ax, byte 1', 'C1E001'],
  ['int 3 is two bytes', 16, 'int 3', 'CD03'],
  ['int3 is one', 16, 'int3', 'CC'],
  ['[ebp] needs a displacement of 0', 32, 'mov eax, [ebp]', '8B4500'],
  ['[bp] too', 16, 'mov ax, [bp]', '8B4600'],
  ['[eax*2] is split into [eax+eax]', 32, 'mov eax, [eax*2]', '8B0400'],
  ['nosplit keeps it', 32, 'mov eax, [nosplit eax*2]', '8B044500000000'],
  ['[eax*5] is [eax+eax*4]', 32, 'mov eax, [eax*5]', '8B0480'],
  ['esp is moved from index to base', 32, 'mov eax, [eax+esp]', '8B0404'],
  ['the first register mentioned is the base', 32, 'mov eax, [ecx+eax]', '8B0401'],
  ['32-bit addressing in 16-bit code', 16, 'mov eax, [fs:ebx+4]', '6466678B4304'],
  ['rep comes before the size prefixes', 16, 'rep movsd', 'F366A5'],
  ['a segment prefix before a string instruction', 16, 'cs lodsb', '2EAC'],
  ['o32 lgdt loads a 32-bit base', 16, 'o32 lgdt [0x1234]', '660F01163412'],
  ['moving to a segment register takes no size prefix', 32, 'mov ds, ax', '8ED8'],
  ['moving from one does', 32, 'mov ax, ds', '668CD8'],
  ['control registers', 16, 'mov cr0, eax', '0F22C0'],
  ['iretd in 16-bit code', 16, 'iretd', '66CF'],
  ['pusha follows the mode', 32, 'pusha', '60'],
  ['pushaw does not', 32, 'pushaw', '6660'],
  ['in and out', 16, 'out dx, eax', '66EF'],
  ['two-operand imul by an immediate', 16, 'imul ax, 500', '69C0F401'],
  ['aam alone is base 10', 16, 'aam', 'D40A'],
  ['lock', 32, 'lock xadd [ebx], eax', 'F00FC103'],
  ['loop with the other counter', 16, 'x: loop x, ecx', '67E2FD'],
];

describe('encodings', () => {
  it.each(CHOICES)('%s (bits %i: %s)', (_title, bits, line, expected) => {
    expect(bytes(`bits ${bits}\n${line}`)).toBe(expected);
  });
  it('the bracketed form of a directive is the directive', () => {
    expect(bytes('[bits 32]\nmov eax, 1\n[org 5]\nuse16\nmov eax, 1')).toBe('B801000000' + '66B801000000');
  });
  it('mnemonics and registers are read in either case', () => {
    expect(bytes('BITS 16\nMOV AX, Bx\nREP MOVSB')).toBe('89D8F3A4');
  });
  it('prefixes may stand alone on a line', () => {
    expect(bytes('lock\nrep')).toBe('F0F3');
  });
});

describe('the line map', () => {
  const lines = run('bits 16\nstart: nop\n  mov ax, 5\n\nmsg: db "hi", 0\nbits 32\ntimes 2 hlt\n').lines;
  it('an offset leads to the line that wrote it', () => {
    expect([0, 1, 2, 3, 4, 6, 7, 8].map((offset) => lines.lineAt(offset)?.line)).toEqual([2, 3, 3, 3, 5, 5, 7, 7]);
    expect(lines.lineAt(0)?.file).toBe('a.asm');
    expect(lines.lineAt(9)).toBeNull();
  });
  it('a line leads to its first offset', () => {
    expect([1, 2, 3, 5, 7].map((line) => lines.firstOffset(line))).toEqual([null, 0, 1, 4, 7]);
  });
  it('entries know code from data, and the mode', () => {
    expect(lines.entries.map((e) => [e.line, e.length, e.unit, e.instruction, e.bits])).toEqual([
      [2, 1, 1, true, 16],
      [3, 3, 3, true, 16],
      [5, 3, 3, false, 16],
      [7, 2, 1, true, 32],
    ]);
  });
  it('a breakpoint on a line without code belongs to the next that has some', () => {
    expect([1, 3, 4, 5, 8].map((line) => lines.nextInstruction(line)?.line ?? null)).toEqual([2, 3, 7, 7, null]);
  });
});
