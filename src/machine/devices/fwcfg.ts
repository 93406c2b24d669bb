/**
 * Firmware configuration device (QEMU "fw_cfg" specification): items of bytes, chosen by a 16-bit key and read through a data port or by DMA.
 * Ports 510h (selector), 511h (data), 514h-51Bh (DMA address, big-endian). Not implemented: writing items.
 */
import { hex } from '../base/bits.ts';
import { Access, type Device, type InspectNode, type RegisterFacet } from './device.ts';
import { checkBoolean, checkInteger, checkKind } from './validate.ts';

/** Keys of the items that are not files. */
export const FwCfgKey = {
  SIGNATURE: 0x00,
  ID: 0x01,
  UUID: 0x02,
  RAM_SIZE: 0x03,
  NOGRAPHIC: 0x04,
  NB_CPUS: 0x05,
  NUMA: 0x0d,
  BOOT_MENU: 0x0e,
  MAX_CPUS: 0x0f,
  FILE_DIR: 0x19,
  FILE_FIRST: 0x20,
  IRQ0_OVERRIDE: 0x8002,
} as const;

// ID: which interfaces there are.
const ID_TRADITIONAL = 0x01;
const ID_DMA = 0x02;

// FWCfgDmaAccess.control; the key is in the upper half.
const DMA_ERROR = 0x01;
const DMA_READ = 0x02;
const DMA_SKIP = 0x04;
const DMA_SELECT = 0x08;
const DMA_WRITE = 0x10;

/** Bytes of FWCfgDmaAccess: control, length (32 bits each) and address (64 bits), big-endian. */
const DMA_ACCESS_SIZE = 16;
/** What the DMA address register reads: "QEMU CFG". */
const DMA_SIGNATURE_HIGH = 0x554d4551;
const DMA_SIGNATURE_LOW = 0x47464320;
/** The longest DMA transfer; past an item's end there are only zeros, of which nobody needs this many. */
const DMA_MAX_BYTES = 16 * 1024 * 1024;
/** Bytes moved at once. */
const CHUNK = 0x10000;
/** A file name's longest length; its field has a terminating zero. */
const NAME_MAX = 55;
const NAME_FIELD = 56;
const FILE_MAX = 0x1000;
/** Guest-physical addresses have 52 bits at most. */
const ADDRESS_HIGH_MAX = 0xfffff;

export interface FwCfgFile {
  /** Up to 55 ASCII characters, `etc/e820`. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface FwCfgConfig {
  /** Does it offer the DMA interface? */
  readonly dma: boolean;
  /** Items by key, besides SIGNATURE, ID and FILE_DIR, which the device makes itself. */
  readonly items: ReadonlyMap<number, Uint8Array>;
  /** Files, numbered from key 20h in this order. */
  readonly files: readonly FwCfgFile[];
}

export interface FwCfgWiring {
  /** `length` bytes (1 or more) of guest memory; undefined where there is none. */
  read(gpa: number, length: number): Uint8Array | undefined;
  /** False where there is no memory to write; then nothing was written. */
  write(gpa: number, bytes: Uint8Array): boolean;
}

export type FwCfgState = {
  kind: 'fwcfg';
  version: 1;
  key: number;
  /** Next byte of the item; stops at its end. */
  offset: number;
  /** Upper half of the DMA address, as written to 514h. */
  dmaHigh: number;
  /** Has the last DMA failed? For the inspection tree. */
  dmaFailed: boolean;
};

const atReset = (): FwCfgState => ({ kind: 'fwcfg', version: 1, key: 0, offset: 0, dmaHigh: 0, dmaFailed: false });

export class FwCfg implements Device<FwCfgState> {
  readonly name = 'fwcfg';
  // static configuration
  private readonly items = new Map<number, Uint8Array>();
  private readonly names = new Map<number, string>(Object.entries(FwCfgKey).map(([name, key]) => [key, name] as const));
  private readonly dmaOffered: boolean;
  // state
  private state = atReset();

  /** Throws a RangeError when a file's name is empty, longer than 55 characters or used twice, or when there are more than 4096 files. */
  constructor(
    // static configuration
    config: FwCfgConfig,
    // wiring
    private readonly wiring: FwCfgWiring,
  ) {
    this.dmaOffered = config.dma;
    this.names.delete(FwCfgKey.FILE_FIRST);
    for (const [key, bytes] of config.items) this.items.set(key, bytes);
    this.items.set(FwCfgKey.SIGNATURE, ascii('QEMU'));
    this.items.set(FwCfgKey.ID, Uint8Array.of(ID_TRADITIONAL | (config.dma ? ID_DMA : 0), 0, 0, 0));
    this.items.set(FwCfgKey.FILE_DIR, directory(config.files));
    config.files.forEach(({ name, bytes }, i) => {
      this.items.set(FwCfgKey.FILE_FIRST + i, bytes);
      this.names.set(FwCfgKey.FILE_FIRST + i, name);
    });
  }

  /** Ports 510h and 511h: the selector takes words, the data port gives bytes. */
  readonly ports: RegisterFacet = {
    read: (offset, size) => {
      if (offset !== 1 || size !== 1) return Access.absent;
      const value = this.item[this.state.offset];
      if (value === undefined) return 0;
      this.state.offset++;
      return value;
    },
    write: (offset, size, value) => {
      if (offset === 0 && size === 2) {
        this.select(value);
        return Access.ok;
      }
      // A byte written to the data port has no effect any more (item writing went away with QEMU 2.4).
      return offset === 1 && size === 1 ? Access.ok : Access.absent;
    },
    peek: (offset, size) => (offset === 1 && size === 1 ? (this.item[this.state.offset] ?? 0) : Access.absent),
  };

  /** Ports 514h-51Bh, where DMA is offered: the address of an FWCfgDmaAccess, big-endian; writing its lower half starts the transfer. */
  readonly dma: RegisterFacet = {
    read: (offset, size) => this.dma.peek?.(offset, size) ?? Access.absent,
    write: (offset, size, value) => {
      if (!this.dmaOffered || size !== 4) return Access.absent;
      if (offset === 0) this.state.dmaHigh = swap32(value);
      else if (offset === 4) {
        const high = this.state.dmaHigh;
        this.state.dmaHigh = 0;
        this.transfer(high, swap32(value));
      } else return Access.absent;
      return Access.ok;
    },
    peek: (offset, size) => {
      if (!this.dmaOffered || size !== 4) return Access.absent;
      return offset === 0 ? DMA_SIGNATURE_HIGH : offset === 4 ? DMA_SIGNATURE_LOW : Access.absent;
    },
  };

  reset(): void {
    this.state = atReset();
  }

  save(): FwCfgState {
    return { ...this.state };
  }

  load(state: FwCfgState): void {
    checkKind(state, 'fwcfg', 1);
    checkInteger('fwcfg.key', state.key, 0, 0xffff);
    checkInteger('fwcfg.offset', state.offset, 0, this.items.get(state.key)?.length ?? 0);
    checkInteger('fwcfg.dmaHigh', state.dmaHigh, 0, 0xffffffff);
    checkBoolean('fwcfg.dmaFailed', state.dmaFailed);
    this.state = { ...state };
  }

  inspect(): InspectNode {
    const { key, offset, dmaHigh, dmaFailed } = this.state;
    const items = [...this.items].sort(([a], [b]) => a - b);
    return {
      name: this.name,
      value: `${hex(key, 4)} ${this.names.get(key) ?? 'no such item'}, byte ${offset} of ${this.item.length}`,
      children: [
        {
          name: 'DMA',
          value: this.dmaOffered ? `address high ${hex(dmaHigh, 8)}${dmaFailed ? ', last transfer failed' : ''}` : 'not offered',
        },
        {
          name: 'items',
          value: String(items.length),
          children: items.map(([k, bytes]) => ({ name: hex(k, 4), value: `${this.names.get(k) ?? ''} (${bytes.length} bytes)` })),
        },
      ],
    };
  }

  private get item(): Uint8Array {
    return this.items.get(this.state.key) ?? NO_ITEM;
  }

  private select(key: number): void {
    this.state.key = key;
    this.state.offset = 0;
  }

  /** One transfer, done at once; its control word then becomes 0, or the error bit. */
  private transfer(high: number, low: number): void {
    this.state.dmaFailed = true;
    if (high > ADDRESS_HIGH_MAX) return;
    const gpa = high * 0x100000000 + low;
    const access = this.wiring.read(gpa, DMA_ACCESS_SIZE);
    if (!access) return;
    const view = new DataView(access.buffer, access.byteOffset, access.byteLength);
    const control = view.getUint32(0);
    const length = view.getUint32(4);
    const addressHigh = view.getUint32(8);
    const address = addressHigh * 0x100000000 + view.getUint32(12);
    if (control & DMA_SELECT) this.select(control >>> 16);
    let done = true;
    if (control & DMA_READ) done = addressHigh <= ADDRESS_HIGH_MAX && this.copy(address, length);
    else if (control & DMA_WRITE) done = false;
    else if (control & DMA_SKIP) this.state.offset = Math.min(this.state.offset + length, this.item.length);
    const answered = this.wiring.write(gpa, Uint8Array.of(0, 0, 0, done ? 0 : DMA_ERROR));
    this.state.dmaFailed = !done || !answered;
  }

  /** Copies `length` bytes of the item to guest memory; past its end there are zeros. */
  private copy(address: number, length: number): boolean {
    if (length > DMA_MAX_BYTES) return false;
    for (let moved = 0; moved < length; moved += CHUNK) {
      const chunk = new Uint8Array(Math.min(CHUNK, length - moved));
      const bytes = this.item.subarray(this.state.offset, this.state.offset + chunk.length);
      chunk.set(bytes);
      if (!this.wiring.write(address + moved, chunk)) return false;
      this.state.offset += bytes.length;
    }
    return true;
  }
}

const NO_ITEM = new Uint8Array(0);

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0) & 0x7f);

const swap32 = (n: number): number => ((n << 24) | ((n & 0xff00) << 8) | ((n >>> 8) & 0xff00) | (n >>> 24)) >>> 0;

/** The file directory: a count, then size (32 bits), key (16), reserved (16) and name (56 bytes) of each; numbers are big-endian. */
function directory(files: readonly FwCfgFile[]): Uint8Array {
  if (files.length > FILE_MAX) throw new RangeError(`fw_cfg: ${files.length} files are too many; at most ${FILE_MAX} fit`);
  const entrySize = 8 + NAME_FIELD;
  const bytes = new Uint8Array(4 + files.length * entrySize);
  const view = new DataView(bytes.buffer);
  const seen = new Set<string>();
  view.setUint32(0, files.length);
  files.forEach((file, i) => {
    if (file.name.length === 0 || file.name.length > NAME_MAX)
      throw new RangeError(`fw_cfg: the file name "${file.name}" is not 1 to ${NAME_MAX} characters long`);
    if (seen.has(file.name)) throw new RangeError(`fw_cfg: there are two files named "${file.name}"; each name can be used once`);
    seen.add(file.name);
    const at = 4 + i * entrySize;
    view.setUint32(at, file.bytes.length);
    view.setUint16(at + 4, FwCfgKey.FILE_FIRST + i);
    bytes.set(ascii(file.name), at + 8);
  });
  return bytes;
}
