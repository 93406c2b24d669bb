import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { drawIcon, ICON, SIZE } from './icon.mjs';

/** The pixels of a PNG as icon.mjs writes it: one IDAT chunk, RGBA, no filters. */
function pixelsOf(png: Buffer): Buffer {
  const at = png.indexOf('IDAT', 0, 'latin1');
  const rows = inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)));
  return Buffer.concat(Array.from({ length: SIZE }, (_, row) => rows.subarray(row * (SIZE * 4 + 1) + 1, (row + 1) * (SIZE * 4 + 1))));
}

test('media/icon.png is what test/media/icon.mjs draws, 128 pixels wide and high', () => {
  const png = readFileSync(ICON);
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([128, 128]);
  expect(Buffer.compare(pixelsOf(png), Buffer.from(drawIcon()))).toBe(0);
});
