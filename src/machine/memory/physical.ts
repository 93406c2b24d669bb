/**
 * Guest-physical memory: which host page answers each guest page, for reading and for writing.
 *
 * Memory that nobody answers is absent from both maps: an access to it becomes an exit. What must be noticed about a page (the first write since a
 * checkpoint, decoded code) is noticed here, because every write that does not go through the fast tables comes through this class.
 */
import type { MemoryLayout } from '../state/layout.ts';

const PAGE = 4096;
const PAGES = 1 << 20;

/** Which memory answers a range whose reads and writes may go to different places (PAM: RAM below, ROM above). */
export type Backing = 'ram' | 'rom' | 'none';

/** What a write to physical memory must tell. Set by whoever cares; each does nothing until then. */
export interface MemoryObserver {
  /** First writes are to be told again: from now on, each page's next write must come through beforeWrite. */
  writesTracked(): void;
  /** A write by TypeScript (a device, a page walk, the debugger) to bytes that hold decoded code; after it happened. */
  codeWritten(host: number): void;
  /** A whole page has another content. `page`: host address of the page. */
  pageReplaced(page: number): void;
  /** The maps have changed: whatever was derived from them is void. */
  remapped(): void;
}

export class PhysicalMemory {
  /** Host address of the page that answers reads, 0: nobody. By guest page number. */
  readonly readPage = new Uint32Array(PAGES);
  readonly writePage = new Uint32Array(PAGES);
  readonly view: DataView;
  readonly bytes: Uint8Array;
  /** ANDed to every physical address: bit 20 is clear while the A20 gate is closed. */
  a20Mask = 0xffffffff | 0;
  observer: MemoryObserver = { writesTracked() {}, codeWritten() {}, pageReplaced() {}, remapped() {} };
  /** Called before the first write to a page of RAM since trackWrites. `page`: its number, from RAM's first on. */
  onFirstWrite: ((page: number) => void) | undefined;
  /** 1 for each host page (from RAM's first on) whose writes need no notice. */
  readonly written: Uint8Array;
  /** 1 for each host page that was ever written: RAM that was not is zeros. */
  readonly touched: Uint8Array;
  private romUsed = 0;
  /** Where each ROM image went, to be aliased. */
  private readonly images: { gpa: number; host: number; bytes: number }[] = [];

  constructor(
    memory: WebAssembly.Memory,
    private readonly layout: MemoryLayout,
  ) {
    this.view = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.written = new Uint8Array((layout.ramBytes + layout.romBytes) / PAGE);
    this.touched = new Uint8Array(this.written.length);
  }

  /** Bytes of RAM there are. */
  get ramBytes(): number {
    return this.layout.ramBytes;
  }
  /** RAM at `gpa`, `bytes` long, taken from RAM's own beginning at `offset` (default: the same offset as gpa). Multiples of 4096. */
  mapRam(gpa: number, bytes: number, offset = gpa): void {
    for (let i = 0; i < bytes; i += PAGE) {
      const host = this.layout.ram + offset + i;
      this.readPage[(gpa + i) >>> 12] = this.writePage[(gpa + i) >>> 12] = host;
    }
    this.observer.remapped();
  }
  /** Nobody answers here any more. */
  unmap(gpa: number, bytes: number): void {
    for (let i = 0; i < bytes; i += PAGE) this.readPage[(gpa + i) >>> 12] = this.writePage[(gpa + i) >>> 12] = 0;
    this.observer.remapped();
  }
  /** A ROM image at `gpa` (both multiples of 4096 long): read and executed, never written. */
  mapRom(gpa: number, image: Uint8Array): void {
    const host = this.layout.rom + this.romUsed;
    const bytes = Math.ceil(image.length / PAGE) * PAGE;
    if (this.romUsed + bytes > this.layout.romBytes)
      throw Error(`ROM images of ${this.romUsed + bytes} bytes exceed the ${this.layout.romBytes} laid out`);
    this.bytes.set(image, host);
    this.romUsed += bytes;
    this.images.push({ gpa, host, bytes });
    for (let i = 0; i < bytes; i += PAGE) {
      this.readPage[(gpa + i) >>> 12] = host + i;
      this.writePage[(gpa + i) >>> 12] = 0;
    }
    this.observer.remapped();
  }
  /**
   * Decides who answers `bytes` at `gpa`, for reading and writing apart. `rom`: the image byte that stands at `romGpa` (where it was mapped by
   * mapRom); `ram`: RAM at the same offset; `none`: nobody.
   */
  route(gpa: number, bytes: number, read: Backing, write: Backing, romGpa: number): void {
    let changed = false;
    for (let i = 0; i < bytes; i += PAGE) {
      const page = (gpa + i) >>> 12;
      const reads = this.hostFor(read, gpa + i, romGpa + i);
      const writes = write === 'ram' ? this.hostFor('ram', gpa + i, 0) : 0;
      changed ||= this.readPage[page] !== reads || this.writePage[page] !== writes;
      this.readPage[page] = reads;
      this.writePage[page] = writes;
    }
    if (changed) this.observer.remapped();
  }
  private hostFor(backing: Backing, gpa: number, romGpa: number): number {
    if (backing === 'ram') return gpa < this.layout.ramBytes ? this.layout.ram + gpa : 0;
    if (backing === 'none') return 0;
    for (const { gpa: start, host, bytes } of this.images) if (romGpa >= start && romGpa < start + bytes) return host + (romGpa - start);
    return 0;
  }
  setA20(enabled: boolean): void {
    const mask = enabled ? 0xffffffff | 0 : ~(1 << 20);
    if (mask === this.a20Mask) return;
    this.a20Mask = mask;
    this.observer.remapped();
  }
  isBacked(gpa: number): boolean {
    return this.readPage[gpa >>> 12] !== 0;
  }
  isWritable(gpa: number): boolean {
    return this.writePage[gpa >>> 12] !== 0;
  }
  /** Host address that answers a read of one byte at `gpa`, or 0. */
  hostForRead(gpa: number): number {
    const page = this.readPage[gpa >>> 12] as number;
    return page ? page + (gpa & 0xfff) : 0;
  }

  // ── Plain accesses: by page walks, devices (DMA) and the debugger. Unbacked memory reads all ones and drops writes. ─────────────────
  read8(gpa: number): number {
    const host = this.hostForRead(gpa);
    return host ? (this.bytes[host] as number) : 0xff;
  }
  /** Little-endian, u16; may cross a page. */
  read16(gpa: number): number {
    const host = this.hostForRead(gpa);
    return host && (gpa & 0xfff) <= 0xffe ? this.view.getUint16(host, true) : this.read8(gpa) | (this.read8(gpa + 1) << 8);
  }
  /** Little-endian, u32; may cross a page. */
  read32(gpa: number): number {
    const host = this.hostForRead(gpa);
    return host && (gpa & 0xfff) <= 0xffc ? this.view.getUint32(host, true) : (this.read16(gpa) | (this.read16(gpa + 2) << 16)) >>> 0;
  }
  write8(gpa: number, value: number): void {
    const page = this.writePage[gpa >>> 12] as number;
    if (!page) return;
    const host = page + (gpa & 0xfff);
    this.beforeWrite(page);
    this.bytes[host] = value;
    this.observer.codeWritten(host);
  }
  write16(gpa: number, value: number): void {
    this.write8(gpa, value & 0xff);
    this.write8(gpa + 1, (value >>> 8) & 0xff);
  }
  write32(gpa: number, value: number): void {
    const page = this.writePage[gpa >>> 12] as number;
    if (!page || (gpa & 0xfff) > 0xffc) {
      this.write16(gpa, value & 0xffff);
      this.write16(gpa + 2, value >>> 16);
      return;
    }
    const host = page + (gpa & 0xfff);
    this.beforeWrite(page);
    this.view.setInt32(host, value, true);
    this.observer.codeWritten(host);
  }
  readBytes(gpa: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let i = 0; i < length; ) {
      const host = this.hostForRead(gpa + i);
      const end = Math.min(i + PAGE - ((gpa + i) & (PAGE - 1)), length);
      if (host) out.set(this.bytes.subarray(host, host + end - i), i);
      else out.fill(0xff, i, end);
      i = end;
    }
    return out;
  }
  writeBytes(gpa: number, bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) this.write8(gpa + i, bytes[i] as number);
  }

  // ── RAM by pages, for checkpoints ──────────────────────────────────────────────────────────────────────────────────────────────
  /** All of RAM. */
  get ramWords(): Int32Array {
    return new Int32Array(this.bytes.buffer, this.layout.ram, this.layout.ramBytes / 4);
  }
  /** From now on, onFirstWrite tells of each page's next write. */
  trackWrites(): void {
    this.written.fill(0);
    this.observer.writesTracked();
  }
  /** Page number `page` of RAM (from its first on): a view that stays true. */
  ramPage(page: number): Uint8Array {
    const host = this.layout.ram + page * PAGE;
    return this.bytes.subarray(host, host + PAGE);
  }
  /** Gives a page of RAM another content, as if it had always been there: onFirstWrite does not hear of it. */
  replacePage(page: number, content: Uint8Array | 'zeros'): void {
    const mine = this.ramPage(page);
    if (content === 'zeros') mine.fill(0);
    else mine.set(content);
    this.observer.pageReplaced(this.layout.ram + page * PAGE);
  }

  /** To be called before any write to a host page that does not come from generated code's fast path. `page`: host address of the page. */
  beforeWrite(page: number): void {
    const index = (page - this.layout.ram) >>> 12;
    if (this.written[index]) return;
    this.written[index] = 1;
    this.touched[index] = 1;
    this.onFirstWrite?.(index);
  }
}
