/** Memory by linear address as one vCPU sees it, for one look: each page is translated and read once. Devices are left alone. */
import type { Subject } from '../subject.ts';

const PAGE = 4096;
/** So many pages are held. */
const PAGES = 64;

export class LinearBytes {
  private readonly pages = new Map<number, Uint8Array | undefined>();

  constructor(
    private readonly view: Subject,
    private readonly vcpu: number,
  ) {}

  /** The byte at a linear address (taken modulo 4 GiB); undefined where no memory is. */
  at(linear: number): number | undefined {
    return this.page(linear >>> 12)?.[linear & (PAGE - 1)];
  }
  /** Little-endian, u16 or u32; undefined where no memory is. */
  value(linear: number, size: 2 | 4): number | undefined {
    let value = 0;
    for (let i = 0; i < size; i++) {
      const byte = this.at(linear + i);
      if (byte === undefined) return undefined;
      value |= byte << (8 * i);
    }
    return value >>> 0;
  }
  /** At most `length` bytes from `linear` on: those before the first that is no memory. Goes on at 0 behind FFFFFFFFh. */
  read(linear: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      const byte = this.at(linear + i);
      if (byte === undefined) return bytes.subarray(0, i);
      bytes[i] = byte;
    }
    return bytes;
  }

  private page(number: number): Uint8Array | undefined {
    if (this.pages.has(number)) return this.pages.get(number);
    const { memory } = this.view.machine;
    const physical = this.view.translate(this.vcpu, (number * PAGE) >>> 0);
    const page = physical !== undefined && memory.isBacked(physical) ? memory.readBytes(physical, PAGE) : undefined;
    if (this.pages.size >= PAGES) this.pages.clear();
    this.pages.set(number, page);
    return page;
  }
}
