/**
 * The boot ROM: an image whose last byte lies at FFFFFFFFh, so that the reset vector (FFFFFFF0h) is its sixteenth byte from the end. A PC shows its
 * end once more below 1 MiB.
 */
import { hex } from '../base/bits.ts';

/** The window below 4 GiB in which a boot ROM may lie. */
export const BOOTROM_MAX_BYTES = 16 * 1024 * 1024;
/** What real bhyve insists that a ROM is a multiple of. */
export const BOOTROM_PAGE = 4096;
/** The reset vector's distance from the end: an image must at least hold it, in paragraphs of 16 bytes. */
const PARAGRAPH = 16;
const FOUR_GIB = 0x100000000;
const ONE_MIB = 0x100000;

/** An image that cannot be a boot ROM: one sentence that says what about it is wrong and what would be right. */
export class BootromError extends Error {
  override readonly name = 'BootromError';
}

export interface Bootrom {
  /** The image, filled up with FFh in front to whole pages. */
  readonly bytes: Uint8Array;
  /** Its first guest-physical address; the last is FFFFFFFFh. */
  readonly base: number;
  /** Bytes of filling in front; not 0: real bhyve refuses the image. */
  readonly padding: number;
  /** Its end as seen below 1 MiB: `bytes` from `offset`, at `base`, `length` bytes long. Undefined: it is not seen there. */
  readonly alias: { readonly base: number; readonly length: number; readonly offset: number } | undefined;
}

/**
 * Where an image goes.
 * @param aliasMax how much of its end is seen below 1 MiB, in bytes: 0 (bhyve) or up to 128 KiB (a PC: E0000h-FFFFFh)
 * @throws BootromError when the image is empty, larger than 16 MiB, or not a multiple of 16 bytes
 */
export function placeBootrom(image: Uint8Array, aliasMax: number): Bootrom {
  const size = image.length;
  if (size === 0) throw new BootromError('the ROM image is empty; it must hold at least the 16 bytes of the reset vector');
  if (size > BOOTROM_MAX_BYTES)
    throw new BootromError(`the ROM image is ${size} bytes long; at most ${BOOTROM_MAX_BYTES} (16 MiB) fit below 4 GiB`);
  if (size % PARAGRAPH !== 0)
    throw new BootromError(
      `the ROM image is ${size} bytes long; it must be a multiple of 16, so that its end is the reset vector at ${hex(FOUR_GIB - PARAGRAPH)}h`,
    );
  const padding = (BOOTROM_PAGE - (size % BOOTROM_PAGE)) % BOOTROM_PAGE;
  const bytes = new Uint8Array(size + padding).fill(0xff, 0, padding);
  bytes.set(image, padding);
  const length = Math.min(bytes.length, aliasMax);
  const alias = length > 0 ? { base: ONE_MIB - length, length, offset: bytes.length - length } : undefined;
  return { bytes, base: FOUR_GIB - bytes.length, padding, alias };
}
