/** C0000h-FFFFFh under the host bridge's PAM registers: each segment is RAM, or what lies on PCI (the end of the boot ROM, or nothing), reads and writes apart. */
import type { Bootrom } from '../boot/bootrom.ts';
import type { GuestMemory } from './model.ts';

/** The host bridge's `shadow` wire. */
export const romShadow =
  (memory: GuestMemory, bootrom: Bootrom) =>
  (start: number, length: number, readsRam: boolean, writesRam: boolean): void => {
    const { alias } = bootrom;
    const end = start + length;
    const writes = writesRam ? 'ram' : 'none'; // writes to ROM exit, and are dropped
    if (readsRam || alias === undefined) return memory.route(start, length, readsRam ? 'ram' : 'none', writes, 0);
    // A small ROM covers only a part of a segment.
    const first = Math.min(Math.max(start, alias.base), end);
    const last = Math.max(Math.min(end, alias.base + alias.length), first);
    if (first > start) memory.route(start, first - start, 'none', writes, 0);
    if (last > first) memory.route(first, last - first, 'rom', writes, bootrom.base + alias.offset + (first - alias.base));
    if (end > last) memory.route(last, end - last, 'none', writes, 0);
  };
