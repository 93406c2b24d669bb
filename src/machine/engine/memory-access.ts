/** The slow path of memory accesses from generated code: translation, devices, page crossings, first writes and writes to decoded code. */
import { GaveUp } from '../cpu/calls.ts';
import { type ExitInfo, Request, type Requests, Stop } from '../cpu/processor.ts';
import { guestFault } from '../memory/fault.ts';
import type { Paging } from '../memory/paging.ts';
import type { PhysicalMemory } from '../memory/physical.ts';
import { State } from '../state/layout.ts';
import type { Records } from './record.ts';

export interface AccessHost {
  readonly exit: ExitInfo;
  readonly requests: Requests;
  giveUp(why: number): 0;
  /** Offers an access to the VMM before it becomes an exit: true when it has been done, a read's value then being in `exit`. */
  offer(record: number): boolean;
}

export class MemoryAccess {
  private readonly view: DataView;
  /** Host pages of decoded code that the instruction being executed writes to; empty almost always. */
  readonly codePages: number[] = [];
  /** Set while an instruction that writes to decoded code is executed alone. */
  codeWritesAllowed = false;
  /** The record of the instruction that is accessing, or 0. */
  private record = 0;
  /** Host page of the write that was given up because it hits decoded code. */
  codePage = 0;

  constructor(
    private readonly host: AccessHost,
    memory: WebAssembly.Memory,
    private readonly paging: Paging,
    private readonly physical: PhysicalMemory,
    private readonly records: Records,
  ) {
    this.view = new DataView(memory.buffer);
  }
  private get user(): boolean {
    return this.view.getInt32(State.cpl, true) === 3;
  }

  /** Import `access`. `what`: size in bits, | 1 for a write to come at the same address, | 2 for a mere check. */
  readonly access = (linear: number, what: number, record: number): number => {
    this.record = record;
    try {
      return this.accessOrFault(linear >>> 0, (what & ~3) >>> 3, (what & 1) === 1, (what & 2) !== 0);
    } catch (fault) {
      if (fault !== guestFault) throw fault;
      return this.host.giveUp(GaveUp.fault);
    }
  };
  /** Import `store`. `size` in bits. */
  readonly store = (linear: number, size: number, low: number, high: number, record: number): number => {
    this.record = record;
    try {
      return this.storeOrFault(linear >>> 0, size >>> 3, low, high);
    } catch (fault) {
      if (fault !== guestFault) throw fault;
      return this.host.giveUp(GaveUp.fault);
    }
  };

  private accessOrFault(linear: number, bytes: number, write: boolean, check: boolean): number {
    if ((linear & 0xfff) + bytes > 4096) return this.crossing(linear, bytes, write);
    const { user } = this;
    const gpa = this.paging.translate(linear, write, user);
    const page = (write ? this.physical.writePage : this.physical.readPage)[gpa >>> 12] as number;
    if (page === 0) return check ? State.scratch : this.readDevice(linear, gpa, bytes, write);
    const address = page + (gpa & 0xfff);
    if (!write) {
      this.paging.fillFast(linear, address, false, user);
      return address;
    }
    if (this.records.touchesCode(address, bytes)) {
      if (!this.codeWritesAllowed) return this.giveUpCode(page);
      this.codePages.push(page);
    }
    this.physical.beforeWrite(page);
    if (!this.records.holdsCode(page)) this.paging.fillFast(linear, address, true, user);
    return address;
  }
  private giveUpCode(page: number): 0 {
    this.codePage = page;
    return this.host.giveUp(GaveUp.codeWrite);
  }
  /** A read that crosses pages is put together in the scratch area. Parts that nobody backs read all ones. */
  private crossing(linear: number, bytes: number, write: boolean): number {
    const { paging, physical, user } = this;
    const first = paging.translate(linear, write, user);
    const next = ((linear & ~0xfff) + 4096) >>> 0;
    const second = paging.translate(next, write, user);
    const inFirst = 4096 - (linear & 0xfff);
    for (let i = 0; i < bytes; i++) this.view.setUint8(State.scratch + i, physical.read8(i < inFirst ? first + i : second + (i - inFirst)));
    return State.scratch;
  }
  private storeOrFault(linear: number, bytes: number, low: number, high: number): number {
    const { paging, physical, records, view, user } = this;
    const gpa = paging.translate(linear, true, user);
    if ((linear & 0xfff) + bytes > 4096) return this.storeCrossing(linear, gpa, bytes, low, high);
    const page = physical.writePage[gpa >>> 12] as number;
    if (page === 0) return this.writeDevice(linear, gpa, bytes, low, high);
    const address = page + (gpa & 0xfff);
    if (records.touchesCode(address, bytes)) {
      if (!this.codeWritesAllowed) return this.giveUpCode(page);
      this.codePages.push(page);
    }
    physical.beforeWrite(page);
    if (bytes === 1) view.setInt8(address, low);
    else if (bytes === 2) view.setInt16(address, low, true);
    else {
      view.setInt32(address, low, true);
      if (bytes === 8) view.setInt32(address + 4, high, true);
    }
    if (!records.holdsCode(page)) paging.fillFast(linear, address, true, user);
    return 1;
  }
  private storeCrossing(linear: number, first: number, bytes: number, low: number, high: number): number {
    const { paging, physical, records } = this;
    const next = ((linear & ~0xfff) + 4096) >>> 0;
    const second = paging.translate(next, true, this.user);
    const inFirst = 4096 - (linear & 0xfff);
    for (let pass = this.codeWritesAllowed ? 1 : 0; pass < 2; pass++)
      for (let i = 0; i < bytes; i++) {
        const gpa = i < inFirst ? first + i : second + (i - inFirst);
        const page = physical.writePage[gpa >>> 12] as number;
        if (page === 0) continue;
        const code = records.touchesCode(page + (gpa & 0xfff), 1);
        if (pass === 0) {
          if (code) return this.giveUpCode(page);
          continue;
        }
        if (code && !this.codePages.includes(page)) this.codePages.push(page);
        physical.beforeWrite(page);
        this.view.setUint8(page + (gpa & 0xfff), i < 4 ? low >>> (8 * i) : high >>> (8 * (i - 4)));
      }
    return 1;
  }

  private readDevice(linear: number, gpa: number, bytes: number, update: boolean): number {
    const { read } = this.host.requests;
    if (read.state === Request.DONE && read.gpa === gpa && read.size === bytes) {
      this.view.setUint32(State.scratch, read.value, true);
      this.view.setUint32(State.scratch + 4, read.valueHigh, true);
      return State.scratch;
    }
    if (update) {
      // The page cannot be written but may be readable (ROM): an update reads what is there.
      const page = this.physical.readPage[gpa >>> 12] as number;
      if (page !== 0) {
        for (let i = 0; i < bytes; i++) this.view.setUint8(State.scratch + i, this.view.getUint8(page + (gpa & 0xfff) + i));
        return State.scratch;
      }
    }
    this.describe(linear, gpa, bytes, false, 0, 0);
    if (update || !this.host.offer(this.record)) return this.host.giveUp(Stop.mmio);
    this.view.setUint32(State.scratch, this.host.exit.value, true);
    this.view.setUint32(State.scratch + 4, this.host.exit.valueHigh, true);
    return State.scratch;
  }
  private writeDevice(linear: number, gpa: number, bytes: number, low: number, high: number): number {
    const { write } = this.host.requests;
    if (write.state === Request.DONE && write.gpa === gpa && write.size === bytes) return 1;
    this.describe(linear, gpa, bytes, true, low, high);
    return this.host.offer(this.record) ? 1 : this.host.giveUp(Stop.mmio);
  }
  private describe(linear: number, gpa: number, bytes: number, write: boolean, low: number, high: number): void {
    const { exit } = this.host;
    exit.gpa = gpa;
    exit.gla = linear;
    exit.size = bytes;
    exit.write = write;
    exit.value = bytes >= 4 ? low >>> 0 : low & ((1 << (8 * bytes)) - 1);
    exit.valueHigh = bytes === 8 ? high >>> 0 : 0;
  }
}
