/** Accesses by linear address from TypeScript, on behalf of the guest: system structures (always supervisor) and stacks. They may fault. */
import type { Paging } from './paging.ts';
import type { PhysicalMemory } from './physical.ts';

export class LinearMemory {
  constructor(
    private readonly paging: Paging,
    private readonly physical: PhysicalMemory,
  ) {}

  /** @returns u8 */
  read8(linear: number, user = false): number {
    return this.physical.read8(this.paging.translate(linear, false, user));
  }
  /** Little-endian, u16. */
  read16(linear: number, user = false): number {
    if ((linear & 0xfff) > 0xffe) return this.read8(linear, user) | (this.read8((linear + 1) >>> 0, user) << 8);
    return this.physical.read16(this.paging.translate(linear, false, user));
  }
  /** Little-endian, u32. */
  read32(linear: number, user = false): number {
    const host = this.paging.fastHost(linear, 4, false, user);
    if (host !== 0) return this.physical.view.getUint32(host, true);
    if ((linear & 0xfff) > 0xffc) return (this.read16(linear, user) | (this.read16((linear + 2) >>> 0, user) << 16)) >>> 0;
    const gpa = this.paging.translate(linear, false, user);
    const backed = this.physical.hostForRead(gpa);
    if (backed !== 0) this.paging.fillFast(linear, backed, false, user);
    return this.physical.read32(gpa);
  }
  /** @param size bytes, 1, 2 or 4 */
  read(linear: number, size: number, user = false): number {
    return size === 4 ? this.read32(linear, user) : size === 2 ? this.read16(linear, user) : this.read8(linear, user);
  }
  /** Writes `size` bytes (1, 2 or 4); both pages of a crossing are checked before either changes. */
  write(linear: number, size: number, value: number, user = false): void {
    const host = this.paging.fastHost(linear, size, true, user);
    if (host !== 0) {
      if (size === 4) this.physical.view.setInt32(host, value, true);
      else if (size === 2) this.physical.view.setInt16(host, value, true);
      else this.physical.view.setInt8(host, value);
      return;
    }
    const first = this.paging.translate(linear, true, user);
    if ((linear & 0xfff) + size <= 4096) {
      if (size === 4) this.physical.write32(first, value);
      else if (size === 2) this.physical.write16(first, value);
      else this.physical.write8(first, value);
      return;
    }
    const second = this.paging.translate((linear + size - 1) >>> 0, true, user) & ~0xfff;
    for (let i = 0; i < size; i++) {
      const at = (linear + i) >>> 0;
      this.physical.write8((at & 0xfff) < (linear & 0xfff) ? (second | (at & 0xfff)) >>> 0 : first + i, (value >>> (8 * i)) & 0xff);
    }
  }
}
