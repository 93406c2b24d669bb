import { describe, expect, it } from 'vitest';
import { assemble, formatDiagnostic } from '../../src/assembly/assembler.ts';
import { index } from './index.ts';
import { comparable, ProgramWriter, Random } from './random-lines.ts';

const said = (source: string): string[] => assemble(source, 'a.asm', { index }).diagnostics.map(formatDiagnostic);

const ERRORS: readonly (readonly [string, string])[] = [
  ['%macro x 1\nnop nop\n%endmacro', 'a.asm:1:1: error: %macro is not supported yet'],
  ['%include "x"', 'a.asm:1:1: error: %include is not supported yet'],
  ['  incbin "x"', 'a.asm:1:3: error: incbin is not supported yet'],
  ['struc point', 'a.asm:1:1: error: struc is not supported yet'],
  ['global start', 'a.asm:1:1: error: global is not supported yet'],
  ['[global start]', 'a.asm:1:2: error: [global] is not supported yet'],
  ['bits 64', 'a.asm:1:6: error: bits 64 is not supported yet'],
  ['section .data', "a.asm:1:9: error: only the section .text is supported yet, found '.data'"],
  ['dd 1.5', 'a.asm:1:4: error: floating-point constants are not supported yet'],
  ['mov rax, 1', 'a.asm:1:5: error: rax exists in 64-bit code only, which is not supported yet'],
  ['nop\n jmp nowhere', "a.asm:2:6: error: 'nowhere' is not defined"],
  ['a: nop\nb: nop\na: nop', "a.asm:3:1: error: 'a' is already defined in line 1"],
  ['foo ax, bx', "a.asm:1:1: error: 'foo' is not an instruction that the assembler knows"],
  ['a: foo ax', "a.asm:1:4: error: 'foo' is not an instruction that the assembler knows"],
  ['mov ax', 'a.asm:1:5: error: mov takes 2 operands, found 1'],
  ['hlt ax', 'a.asm:1:5: error: hlt takes no operand, found 1'],
  ['mov ax, ebx', 'a.asm:1:5: error: the sizes of the operands do not suit mov'],
  ['mov 5, ax', 'a.asm:1:5: error: mov does not take these operands'],
  ['mov [bx], 5', 'a.asm:1:5: error: the size of the operand is not known: write byte, word or dword in front of the bracket'],
  ['mov ax, [bx+cx]', 'a.asm:1:9: error: a 16-bit address takes bx or bp, plus si or di'],
  ['mov ax, [ebx+si]', 'a.asm:1:14: error: an address cannot mix ebx and si'],
  ['mov ax, [eax*7]', 'a.asm:1:9: error: a register cannot be scaled by 7'],
  ['mov ax, es:[bx]', 'a.asm:1:9: error: a segment override is written inside the brackets: [es:bx]'],
  ['mov ax, word ptr [bx]', 'a.asm:1:14: error: ptr is not written in this dialect: [x] is memory, x is its address'],
  ['jmp short x\ntimes 200 nop\nx:', 'a.asm:1:5: error: the target is out of range of a short jump by 73 bytes'],
  ['db 1 2', "a.asm:1:6: error: expected the end of the line, found '2'"],
  ['db (1+2', "a.asm:1:8: error: expected ')', found the end of the line"],
  ["db 'abc", "a.asm:1:4: error: the string has no closing '"],
  ['db 12z', "a.asm:1:4: error: '12z' is not a decimal number"],
  ['db 0x10000000000000000', 'a.asm:1:4: error: the number 0x10000000000000000 does not fit in 64 bits'],
  ['db 1/0', "a.asm:1:4: error: '/' divides by zero"],
  ['x: dw x & 1', "a.asm:1:7: error: '&' takes numbers, not addresses; a difference such as label - $$ is a number"],
  ['x: dw x + x', 'a.asm:1:7: error: data cannot hold the sum or the negative of addresses'],
  ['a equ b\nb equ a\ndb a', "a.asm:1:7: error: the value of 'b' depends on itself"],
  ['equ 5', 'a.asm:1:1: error: equ needs a label in front of it'],
  ['align 3', 'a.asm:1:7: error: align takes a power of two, found 3'],
  ['times -1 nop', 'a.asm:1:7: error: times takes a number that is not negative, found -1'],
  ['times 0x7fffffff nop', 'a.asm:1:7: error: times takes at most 67108864, found 2147483647'],
  ['org 1\norg 2', 'a.asm:2:1: error: org is already given in line 1'],
  ['cpu 6502', "a.asm:1:5: error: cpu takes a processor such as 386 or all, found '6502'"],
  ['mov ax, {', "a.asm:1:9: error: expected a value, found '{'"],
  ['mov ax, §', "a.asm:1:9: error: '§' is not defined"],
];

describe('errors', () => {
  it.each(ERRORS)('%j is refused in one sentence', (source, message) => {
    expect(said(source)[0]).toBe(message);
  });
  it('all errors of a text are reported, in source order, one for each statement', () => {
    expect(said('mov ax\nnop\nfoo:\njmp nope+nope2\nbits 17')).toEqual([
      'a.asm:1:5: error: mov takes 2 operands, found 1',
      "a.asm:4:5: error: 'nope' is not defined",
      "a.asm:5:6: error: bits takes 16 or 32, found '17'",
    ]);
  });
  it('after 100 errors the rest is only counted', () => {
    const list = said('mov ax\n'.repeat(150));
    expect(list.length).toBe(101);
    expect(list[100]).toContain('50 more errors not shown');
  });
  it('an error inside a macro is reported where the macro is used', () => {
    expect(said('%define BAD nowhere+1\nnop\n  dw BAD')).toEqual(["a.asm:3:6: error: 'nowhere' is not defined"]);
  });
  it('a line continued by a backslash keeps its columns', () => {
    expect(said('db 1, \\\n   nowhere')).toEqual(["a.asm:2:4: error: 'nowhere' is not defined"]);
  });
});

const WARNINGS: readonly (readonly [string, string])[] = [
  ['mov ax, 70000', 'a.asm:1:9: warning: 70000 does not fit in 16 bits and is cut'],
  ['mov al, 300', 'a.asm:1:9: warning: 300 does not fit in 8 bits and is cut'],
  ['db 256', 'a.asm:1:4: warning: 256 does not fit in 8 bits and is cut'],
  ['add ax, byte 200', 'a.asm:1:9: warning: 200 does not fit in a signed byte and is cut'],
  ['mov ax, [bx+0x12345]', 'a.asm:1:9: warning: the displacement 74565 does not fit in 16 bits and is cut'],
  ['nopp', "a.asm:1:1: warning: 'nopp' stands alone on its line and is taken for a label; write 'nopp:' if it is one"],
  ['o32 mov ax, bx', 'a.asm:1:1: warning: o32 contradicts the 16-bit operands of mov; the processor goes by the prefix'],
];

describe('warnings', () => {
  it.each(WARNINGS)('%j is warned about', (source, message) => {
    expect(said(source)).toEqual([message]);
  });
  it('an address beyond 64 KiB in a word is no warning: firmware is linked high', () => {
    expect(said('org 0xF0000\nx: mov si, x\ndw x')).toEqual([]);
  });
});

describe('any text whatever', () => {
  it('a sum of 100,000 terms is refused, not walked', () => {
    expect(said(`dd 1${'+1'.repeat(100_000)}`)[0]).toContain('the expression has more than 500 operators');
    expect(said(`dd ${'('.repeat(100_000)}`)[0]).toContain('the expression has more than 500 operators');
    expect(said(`dd ${'-'.repeat(100_000)}1`)[0]).toContain('the expression has more than 500 operators');
  });
  it('macros that double each other are stopped', () => {
    const doubling = Array.from({ length: 60 }, (_, i) => `%define m${i + 1} m${i} + m${i}`).join('\n');
    expect(said(`%define m0 1\n${doubling}\ndd m60`)[0]).toContain('expand to more than 20000 tokens');
  });
  it('an image beyond 64 MiB is refused', () => {
    expect(said('times 60000000 nop\ntimes 60000000 nop')[0]).toBe(
      'a.asm:1:1: error: the image would have 120000000 bytes; the limit is 67108864',
    );
  });
  it('a size that depends on itself is refused', () => {
    expect(said('a: times 1-(b-a) nop\nb:')[0]).toContain('depends on');
  });
  it('mangled programs give diagnostics and never a throw', () => {
    const seed = 20_261;
    const random = new Random(seed);
    for (let i = 0; i < 60; i++) {
      let text = new ProgramWriter(seed + i, index, comparable(index), 60).text;
      for (let k = 0; k < 40; k++) {
        const at = random.below(text.length);
        const piece = random.pick([
          '',
          ',',
          '[',
          ']',
          '(',
          ')',
          ':',
          '%',
          '$',
          '"',
          "'",
          '`',
          '\\',
          '\n',
          '*',
          '9',
          'L',
          '-',
          '\0',
          '\uD800',
          'times ',
          'equ ',
          '%define ',
          '&&',
          'é',
        ]);
        text = text.slice(0, at) + piece + text.slice(at + random.below(3));
      }
      const result = assemble(text, 'a.asm', { index });
      expect(result.bytes.length, `seed ${seed}, program ${i}`).toBeLessThanOrEqual(64 * 1024 * 1024);
    }
  });
});
