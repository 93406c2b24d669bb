/** C0000h-FFFFFh under the host bridge's PAM registers: each segment is RAM, or what lies on PCI (the end of the boot ROM, or nothing), reads and writes apart. */
import type { Bootrom } from '../boot/bootrom.ts';
import type { GuestMemory } from './model.ts';

/** The host bridge's `shadow` wire. */
export const romShadow =
  (memory: GuestMemory, bootrom: Bootrom) =>
  (start: number, length: number, readsRam: boolean, writesRam: boolean): void => {
    const { alias } = bootrom;
    const inRom = alias !== undefined && start >= alias.base && start + length <= alias.base + alias.length;
    // Writes to ROM exit, and are dropped.
    const romGpa = inRom ? bootrom.base + alias.offset + (start - alias.base) : 0;
    memory.route(start, length, readsRam ? 'ram' : inRom ? 'rom' : 'none', writesRam ? 'ram' : 'none', romGpa);
  };
