/** 256-bit vector maps (ISR, TMR, IRR) as eight u32 words each. */

/** The highest vector set, or -1. */
export function highestVector(map: Uint32Array): number {
  for (let word = 7; word >= 0; word--) {
    const bits = map[word] as number;
    if (bits !== 0) return word * 32 + 31 - Math.clz32(bits);
  }
  return -1;
}

export const hasVector = (map: Uint32Array, vector: number): boolean => (((map[vector >>> 5] as number) >>> (vector & 31)) & 1) === 1;

export function setVector(map: Uint32Array, vector: number): void {
  map[vector >>> 5] = (map[vector >>> 5] as number) | (1 << (vector & 31));
}

export function clearVector(map: Uint32Array, vector: number): void {
  map[vector >>> 5] = (map[vector >>> 5] as number) & ~(1 << (vector & 31));
}

/** All vectors set, ascending. */
export function vectorsOf(map: Uint32Array): number[] {
  const out: number[] = [];
  for (let vector = 0; vector < 256; vector++) if (hasVector(map, vector)) out.push(vector);
  return out;
}
