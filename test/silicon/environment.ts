import { Random } from './random.ts';

/**
 * Where a recorded instruction ran: two windows of linear memory and the segments over them. recorder.c builds the same on the real
 * processor (with user-mode selectors: RPL 3), a replay builds it on the processor under test.
 */

/** Linear address of the code window: WINDOW bytes, read and execute, filled with NOP, nothing mapped on either side. */
export const CODE = 0x2000_0000;
/** Linear address of the data window: WINDOW bytes, nothing mapped on either side. */
export const DATA = 0x3000_0000;
/** Bytes in each window. */
export const WINDOW = 0x1_0000;
/** Offset in the data window of a page that is not present. */
export const HOLE = 0x5000;
/** Offset in the data window of a page that may only be read. */
export const READ_ONLY = 0xa000;

/**
 * One segment register as the processor holds it. Base and limit are in bytes; the limit is the last offset for expand-up, the last
 * offset *not* usable for expand-down.
 */
export interface Segment {
  readonly selector: number;
  readonly base: number;
  readonly limit: number;
  /** D/B: 32-bit code, 32-bit stack, upper bound of 4 GB when it expands down. */
  readonly big: boolean;
  /** The type field of the descriptor (accessed bit set). */
  readonly type: number;
  readonly present: boolean;
}

const CODE_TYPE = 11;
const WRITABLE = 3;
const FIXED = 1;
const DOWN = 7;

const segment = (selector: number, base: number, limit: number, big: boolean, type: number, present = true): Segment => ({
  selector,
  base,
  limit,
  big,
  type,
  present,
});
const flatCode = segment(0x23, 0, 0xffff_ffff, true, CODE_TYPE);
const flatData = segment(0x2b, 0, 0xffff_ffff, true, WRITABLE);
const code16 = segment(0x07, CODE, 0xffff, false, CODE_TYPE);
const code32 = segment(0x47, CODE, 0xffff, true, CODE_TYPE);
const data = segment(0x0f, DATA, 0xffff, false, WRITABLE);
const half = segment(0x17, DATA, 0x7fff, false, WRITABLE);
const stack = segment(0x1f, DATA, 0xffff, false, WRITABLE);
const fixed = segment(0x27, DATA + 0x100, 0x0fff, false, FIXED);
const down = segment(0x2f, DATA, 0x7fff, false, DOWN);
const some = segment(0x37, DATA + 0x10, 0x3fff, true, WRITABLE);
const bigDown = segment(0x3f, DATA, 0x0fff, true, DOWN);
const absent = segment(0x4f, DATA, 0xffff, false, WRITABLE, false);
const executeOnly = segment(0x57, CODE, 0xffff, true, 9);

/**
 * Every segment that an instruction can load; there is nothing else in the tables, and nothing behind 57h in the LDT or from 80h on in
 * the GDT.
 */
export const descriptors: readonly Segment[] = [
  ...[flatCode, flatData, code16, data, half, stack, fixed, down, some, bigDown, code32, absent, executeOnly],
];

/** Index of a segment register in `Environment.segments`, and its number in an instruction. */
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;

export interface Environment {
  readonly name: string;
  /** ES CS SS DS FS GS. */
  readonly segments: readonly [Segment, Segment, Segment, Segment, Segment, Segment];
}

/** By the number that a vector holds. */
export const environments: readonly Environment[] = [
  { name: 'flat32', segments: [flatData, flatCode, flatData, flatData, some, bigDown] },
  { name: 'seg16', segments: [half, code16, stack, data, fixed, down] },
  { name: 'seg32', segments: [half, code32, stack, data, some, bigDown] },
];

/**
 * The data window's content before a vector's own patches: random bytes, runs of equal bytes, and dwords at the edges of the number
 * range.
 */
export function background(seed: number): Uint8Array {
  const random = new Random(seed);
  const bytes = new Uint8Array(WINDOW);
  const edges = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < WINDOW; at += 16) {
    const kind = random.below(10);
    const fill = random.pick([0, 0xff, random.below(256)]);
    for (let i = 0; i < 16; i += 4)
      view.setUint32(at + i, kind < 6 ? random.u32() : kind < 8 ? fill * 0x0101_0101 : random.pick(edges), true);
  }
  return bytes;
}
