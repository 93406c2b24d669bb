/** Small integer helpers. All take and give numbers; "u32" means 0..2^32-1. */

/** The unsigned reading of the low 32 bits. */
export const u32 = (n: number): number => n >>> 0;

/** Is bit `n` (0..31) of `word` set? */
export const bit = (word: number, n: number): boolean => ((word >>> n) & 1) === 1;

/** Bits `high`..`low` (0..31, inclusive) of `word`, moved down to bit 0. */
export const field = (word: number, high: number, low: number): number =>
  (word >>> low) & (high - low === 31 ? 0xffffffff : (1 << (high - low + 1)) - 1);

/** All ones in `size` bytes (1, 2 or 4), as u32: what an access that nobody answers reads. */
export const allOnes = (size: number): number => (size >= 4 ? 0xffffffff : (1 << (8 * size)) - 1);

/** `word` cut to `size` bytes (1, 2 or 4), as u32. */
export const truncate = (word: number, size: number): number => (word & allOnes(size)) >>> 0;

/** Upper-case hexadecimal without prefix, padded to `digits`. */
export const hex = (n: number, digits = 1): string => (n < 0 ? n >>> 0 : n).toString(16).toUpperCase().padStart(digits, '0');
