/**
 * Draws media/icon.png: a chip that an arrow leaves. `node test/media/icon.mjs` writes it again; a test compares.
 *
 * Shapes are signed distances in pixels (negative inside), which makes soft edges a matter of one clamp.
 */
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';

export const SIZE = 128;
export const ICON = fileURLToPath(new URL('../../media/icon.png', import.meta.url));

const roundedBox = (x, y, cx, cy, halfWidth, halfHeight, radius) => {
  const dx = Math.abs(x - cx) - halfWidth + radius;
  const dy = Math.abs(y - cy) - halfHeight + radius;
  return Math.hypot(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0) - radius;
};
/** A line with round ends. */
const line = (x, y, [ax, ay], [bx, by], width) => {
  const [px, py, dx, dy] = [x - ax, y - ay, bx - ax, by - ay];
  const along = Math.min(1, Math.max(0, (px * dx + py * dy) / (dx * dx + dy * dy)));
  return Math.hypot(px - along * dx, py - along * dy) - width / 2;
};

// The chip's body is 60 wide around (55, 64); its right side has a gap that the arrow goes through.
const [CX, CY, HALF] = [55, 64, 30];
const PINS = [-18, 0, 18];
const GAP = 15;

const pins = (x, y) =>
  Math.min(
    ...PINS.flatMap((at) => [
      line(x, y, [CX + at, CY - HALF - 11], [CX + at, CY - HALF], 7),
      line(x, y, [CX + at, CY + HALF + 11], [CX + at, CY + HALF], 7),
      line(x, y, [CX - HALF - 11, CY + at], [CX - HALF, CY + at], 7),
    ]),
  );
const body = (x, y) => {
  const outline = Math.abs(roundedBox(x, y, CX, CY, HALF, HALF, 7)) - 3.5;
  const gap = roundedBox(x, y, CX + HALF, CY, 9, GAP, 0);
  return Math.max(outline, -gap);
};
const arrow = (x, y) =>
  Math.min(
    line(x, y, [CX - 9, CY], [108, CY], 9),
    line(x, y, [94, CY - 15], [109, CY], 9),
    line(x, y, [94, CY + 15], [109, CY], 9),
    Math.hypot(x - (CX - 9), y - CY) - 8.5,
  );

/** From back to front: distance, colour (of a height from 0 at the top to 1). */
const mix = (from, to, t) => from.map((c, i) => c + ((to[i] ?? 0) - c) * t);
const LAYERS = [
  { distance: (x, y) => roundedBox(x, y, 64, 64, 64, 64, 26), colour: (t) => mix([34, 46, 74], [17, 23, 41], t) },
  { distance: (x, y) => Math.min(pins(x, y), body(x, y)), colour: (t) => mix([226, 235, 250], [168, 188, 222], t) },
  { distance: arrow, colour: (t) => mix([255, 178, 84], [255, 128, 56], t) },
];

/** Pixels, row by row: red, green, blue, alpha. */
export function drawIcon() {
  const pixels = new Uint8Array(SIZE * SIZE * 4);
  for (let row = 0; row < SIZE; row++) {
    for (let column = 0; column < SIZE; column++) {
      let colour = [0, 0, 0];
      let alpha = 0;
      for (const layer of LAYERS) {
        const cover = Math.min(1, Math.max(0, 0.5 - layer.distance(column + 0.5, row + 0.5)));
        if (cover === 0) continue;
        colour = alpha === 0 ? layer.colour(row / SIZE) : mix(colour, layer.colour(row / SIZE), cover);
        alpha = cover + alpha * (1 - cover);
      }
      pixels.set([...colour.map(Math.round), Math.round(alpha * 255)], (row * SIZE + column) * 4);
    }
  }
  return pixels;
}

/** PNG, "Datastream structure": 8 bits a sample, with alpha, no filters. */
function png(pixels) {
  const chunk = (type, data) => {
    const content = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const out = Buffer.alloc(content.length + 8);
    out.writeUInt32BE(data.length, 0);
    content.copy(out, 4);
    out.writeUInt32BE(crc32(content), content.length + 4);
    return out;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIZE, 0);
  header.writeUInt32BE(SIZE, 4);
  header.set([8, 6, 0, 0, 0], 8);
  const rows = Buffer.alloc(SIZE * (SIZE * 4 + 1));
  for (let row = 0; row < SIZE; row++) rows.set(pixels.subarray(row * SIZE * 4, (row + 1) * SIZE * 4), row * (SIZE * 4 + 1) + 1);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  fs.mkdirSync(path.dirname(ICON), { recursive: true });
  fs.writeFileSync(ICON, png(drawIcon()));
}
