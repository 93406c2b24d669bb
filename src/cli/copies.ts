/**
 * Source lines of code that the guest has copied out of its ROM: application processors begin below 1 MiB, so their first instructions lie in a copy
 * that no line map knows. The copy is recognised by its bytes.
 */
import type { Rom, SourcePlace } from './rom.ts';

/** A copy is believed in when so many bytes agree around the address. */
const ENOUGH = 8;
/** How far to either side is compared. */
const REACH = 256;

/** The ROM with a `placeAt` that also knows copies. `peek`: the byte at a linear address now, or undefined. */
export function withCopies(rom: Rom, peek: (linear: number) => number | undefined): Rom {
  const { assembled, image } = rom;
  if (assembled === undefined) return rom;
  const base = 2 ** 32 - image.length;
  const known = new Map<number, SourcePlace | undefined>();

  /** The offset in the image of the code that lies at `linear`, if exactly one place of the source agrees best. */
  const original = (linear: number): number | undefined => {
    const around = new Map<number, number | undefined>();
    const at = (address: number): number | undefined => {
      if (!around.has(address)) around.set(address, address < 0 ? undefined : peek(address));
      return around.get(address);
    };
    let best: number | undefined;
    let most = ENOUGH - 1;
    for (const { offset, length, instruction } of assembled.lines.entries) {
      if (!instruction || image[offset] !== at(linear)) continue;
      let forward = 0;
      while (forward < REACH && offset + forward < image.length && image[offset + forward] === at(linear + forward)) forward++;
      if (forward < length) continue;
      let backward = 0;
      while (backward < REACH && offset - backward > 0 && image[offset - backward - 1] === at(linear - backward - 1)) backward++;
      const agree = forward + backward;
      if (agree === most) best = undefined;
      if (agree > most) [best, most] = [offset, agree];
    }
    return best;
  };

  return {
    ...rom,
    placeAt: (linear) => {
      if (linear >= base) return rom.placeAt(linear);
      if (!known.has(linear)) {
        const offset = original(linear);
        if (offset === undefined) return undefined;
        known.set(linear, rom.placeAt(base + offset));
      }
      return known.get(linear);
    },
  };
}
