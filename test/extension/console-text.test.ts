/** Bytes of a console as a terminal's text. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesOf, ConsoleText } from '../../src/extension/console-text.ts';
import { seedBelow } from '../seed.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const all = (...pieces: Uint8Array[]): string => {
  const text = new ConsoleText();
  return pieces.map((piece) => text.push(piece)).join('') + text.end();
};
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('the text of a console', () => {
  test('is UTF-8 where the bytes are that', () => {
    expect(all(utf8('été ✓ 𝄞'))).toBe('été ✓ 𝄞');
  });

  test('is code page 437 where they are not', () => {
    expect(all(bytes(0xc9, 0xcd, 0xcd, 0x41))).toBe('╔══A');
    expect(all(bytes(0x41, 0xff, 0x42))).toBe('A\u00A0B');
  });

  test('is UTF-8 even where code page 437 was meant, when the bytes happen to be both', () => {
    expect(all(bytes(0xcd, 0xbb))).toBe('\u037B');
  });

  test.each([
    ['an overlong form', [0xc0, 0x80], '└Ç'],
    ['half of a surrogate pair', [0xed, 0xa0, 0x80], 'φáÇ'],
    ['a number beyond the last character', [0xf4, 0x90, 0x80, 0x80], '⌠ÉÇÇ'],
  ])('takes %s for code page 437', (_, values, text) => {
    expect(all(bytes(...values))).toBe(text);
  });

  test('is the same wherever the bytes are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), (whole, at) => {
        expect(all(whole.subarray(0, at), whole.subarray(at))).toBe(all(whole));
      }),
      { seed: seedBelow(2 ** 31) },
    );
  });

  test('begins a new line at a line feed, with or without a carriage return before it', () => {
    expect(all(utf8('a\nb\r\nc\r'), utf8('\nd'))).toBe('a\r\nb\r\nc\r\nd');
  });

  test('leaves out NUL and keeps escape sequences', () => {
    expect(all(utf8('\0\x1b[1mx\x07'))).toBe('\x1b[1mx\x07');
  });
});

test('base64 gives its bytes', () => {
  expect([...bytesOf('AAH/gA==')]).toEqual([0, 1, 255, 128]);
});
