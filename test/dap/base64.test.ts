import { describe, expect, test } from 'vitest';
import { fromBase64, toBase64 } from '../../src/dap/base64.ts';

describe('bytes as text', () => {
  test('are what every other base64 is, for every length and every digit', () => {
    for (let length = 0; length < 100; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length * 11) & 0xff);
      const text = Buffer.from(bytes).toString('base64');
      expect(toBase64(bytes)).toBe(text);
      expect(fromBase64(text)).toEqual(bytes);
    }
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    expect(toBase64(fromBase64(digits))).toBe(digits);
  });

  test('may come without padding', () => {
    expect(fromBase64('AQI')).toEqual(Uint8Array.of(1, 2));
    expect(fromBase64('AQ')).toEqual(Uint8Array.of(1));
  });

  test('are refused with the digit that is none, or a length that is none', () => {
    expect(() => fromBase64('AQ*D')).toThrow('The data is no base64: "*" at 2 is no digit.');
    expect(() => fromBase64('AQIDB')).toThrow('The data is no base64: 5 digits make no whole bytes.');
    expect(() => fromBase64('A===')).toThrow(/no base64/);
  });
});
