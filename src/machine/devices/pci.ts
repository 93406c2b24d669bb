/**
 * PCI configuration: the 256 bytes of one function, and access mechanism #1 through ports CF8h-CFFh (PCI Local Bus Specification 3.0, "Configuration
 * Space" and "Software Generation of Configuration Transactions"). Bus 0 only. Not implemented: bridges to other buses, ECAM, parity and system errors.
 */
import { allOnes, hex, truncate } from '../base/bits.ts';
import { checkState } from '../base/state.ts';
import { Access, type Device, type InspectNode, type RegisterFacet } from './device.ts';
import { checkBytes, checkInteger, checkKind } from './validate.ts';

/** Registers of every configuration header (type 0). */
export const PciRegister = {
  VENDOR_ID: 0x00,
  DEVICE_ID: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION_ID: 0x08,
  CLASS_CODE: 0x09,
  HEADER_TYPE: 0x0e,
  SUBSYSTEM_VENDOR_ID: 0x2c,
  SUBSYSTEM_ID: 0x2e,
  CAPABILITIES: 0x34,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
} as const;

const SIZE = 256;

/** One register of a function: its value at reset and which of its bits a guest may change. All other bytes are 0 and read-only. */
export interface PciRegisterRow {
  readonly register: number;
  /** Bytes: 1, 2, 3 or 4. */
  readonly size: number;
  readonly value: number;
  /** Bits that take the value written. Default: none. */
  readonly writable?: number;
  /** Bits that a written 1 clears. Default: none. */
  readonly clearable?: number;
}

/** The configuration space of one function: bytes with masks. It is part of a chip, which saves it with its own state. */
export class ConfigSpace {
  private readonly atReset = new Uint8Array(SIZE);
  private readonly writable = new Uint8Array(SIZE);
  private readonly clearable = new Uint8Array(SIZE);
  private readonly bytes = new Uint8Array(SIZE);

  constructor(rows: readonly PciRegisterRow[]) {
    for (const { register, size, value, writable = 0, clearable = 0 } of rows) {
      for (let i = 0; i < size; i++) {
        this.atReset[register + i] = value >>> (8 * i);
        this.writable[register + i] = writable >>> (8 * i);
        this.clearable[register + i] = clearable >>> (8 * i);
      }
    }
    this.reset();
  }

  /** `size` bytes (1, 2 or 4) from `register` (0..255), little-endian, u32. */
  get(register: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = ((value << 8) | (this.bytes[register + i] ?? 0)) >>> 0;
    return value;
  }

  /** A write by the guest: only what may be changed is. */
  write(register: number, size: number, value: number): void {
    for (let i = 0; i < size; i++) {
      const at = register + i;
      const byte = (value >>> (8 * i)) & 0xff;
      const mask = this.writable[at] ?? 0;
      this.bytes[at] = (((this.bytes[at] ?? 0) & ~mask) | (byte & mask)) & ~(byte & (this.clearable[at] ?? 0));
    }
  }

  /** The chip itself sets a register, masks notwithstanding. */
  set(register: number, size: number, value: number): void {
    for (let i = 0; i < size; i++) this.bytes[register + i] = value >>> (8 * i);
  }

  reset(): void {
    this.bytes.set(this.atReset);
  }

  save(): Uint8Array {
    return this.bytes.slice();
  }

  /** Throws a StateError unless saved bytes can be loaded: those that are constant here must be the same there. `what` names the field. */
  check(bytes: Uint8Array, what: string): void {
    checkBytes(what, bytes, SIZE);
    for (let i = 0; i < SIZE; i++) {
      const variable = (this.writable[i] ?? 0) | (this.clearable[i] ?? 0);
      const fixed = this.atReset[i] ?? 0;
      // The chip itself may have set any bit of a byte that has variable ones; a byte without is what identifies the function.
      if (variable === 0) checkState(bytes[i] === fixed, `${what}[${i}]`, bytes[i], String(fixed));
    }
  }

  /** Takes saved bytes that were checked. */
  load(bytes: Uint8Array): void {
    this.bytes.set(bytes);
  }

  /** The header's first registers, for a chip's inspection tree. */
  inspect(): InspectNode[] {
    const row = (name: string, register: number, size: number): InspectNode => ({ name, value: hex(this.get(register, size), 2 * size) });
    return [
      row('vendor ID', PciRegister.VENDOR_ID, 2),
      row('device ID', PciRegister.DEVICE_ID, 2),
      row('command', PciRegister.COMMAND, 2),
      row('status', PciRegister.STATUS, 2),
      { name: 'class', value: hex(this.get(PciRegister.REVISION_ID, 4) >>> 8, 6) },
    ];
  }
}

/** A function on bus 0, as the host sees it. */
export interface PciFunction {
  /** `size` 1, 2 or 4; the access lies within one doubleword. */
  configRead(register: number, size: number): number;
  configWrite(register: number, size: number, value: number): void;
}

const ENABLE = 0x80000000;
/** Bits of CONFIG_ADDRESS that hold a value: enable, bus, device, function, register. */
const ADDRESS_WRITABLE = 0x80fffffc;
/** Offset of port CF9h from CF8h. */
const RESET_CONTROL = 1;

/** Device and function number as one: `(device << 3) | function`. */
export const devfn = (device: number, fn: number): number => (device << 3) | fn;

export interface PciHostWiring {
  /** The functions of bus 0 by devfn (0..255). */
  readonly functions: ReadonlyMap<number, PciFunction>;
  /** Port CF9h, which lies inside CONFIG_ADDRESS and answers byte accesses. */
  readonly resetControl?: RegisterFacet;
}

export type PciHostState = { kind: 'pci'; version: 1; address: number };

/** The host side of PCI configuration: CONFIG_ADDRESS (four ports from CF8h) and CONFIG_DATA (four ports from CFCh). */
export class PciHost implements Device<PciHostState> {
  readonly name = 'pci';
  // state
  private state: PciHostState = { kind: 'pci', version: 1, address: 0 };

  constructor(
    // wiring
    private readonly wiring: PciHostWiring,
  ) {}

  /** Ports CF8h-CFBh. Only a doubleword access is to CONFIG_ADDRESS; "any other types of accesses" are ordinary I/O. */
  readonly address: RegisterFacet = {
    read: (offset, size) => {
      if (offset === 0 && size === 4) return this.state.address;
      return offset === RESET_CONTROL && size === 1 ? (this.wiring.resetControl?.read(0, 1) ?? Access.absent) : Access.absent;
    },
    write: (offset, size, value) => {
      if (offset === 0 && size === 4) {
        this.state.address = (value & ADDRESS_WRITABLE) >>> 0;
        return Access.ok;
      }
      return offset === RESET_CONTROL && size === 1 ? (this.wiring.resetControl?.write(0, 1, value) ?? Access.absent) : Access.absent;
    },
    peek: (offset, size) => {
      if (offset === 0 && size === 4) return this.state.address;
      return offset === RESET_CONTROL && size === 1 ? (this.wiring.resetControl?.peek?.(0, 1) ?? Access.absent) : Access.absent;
    },
  };

  /** Ports CFCh-CFFh. A function that is not there reads as all ones (master abort). */
  readonly data: RegisterFacet = {
    read: (offset, size) => {
      if (!(this.state.address & ENABLE) || offset + size > 4) return Access.absent;
      return this.selected()?.configRead((this.state.address & 0xfc) + offset, size) ?? allOnes(size);
    },
    write: (offset, size, value) => {
      if (!(this.state.address & ENABLE) || offset + size > 4) return Access.absent;
      this.selected()?.configWrite((this.state.address & 0xfc) + offset, size, truncate(value, size));
      return Access.ok;
    },
    // Configuration reads have no side effects.
    peek: (offset, size) => this.data.read(offset, size),
  };

  reset(): void {
    this.state.address = 0;
  }
  save(): PciHostState {
    return { ...this.state };
  }
  load(state: PciHostState): void {
    checkKind(state, 'pci', 1);
    checkInteger('pci.address', state.address, 0, 0xffffffff);
    this.state = { ...state };
  }
  inspect(): InspectNode {
    const { address } = this.state;
    const where = `${hex((address >>> 16) & 0xff, 2)}:${hex((address >>> 11) & 0x1f, 2)}.${(address >>> 8) & 7} register ${hex(address & 0xfc, 2)}`;
    return {
      name: this.name,
      value: address & ENABLE ? where : 'disabled',
      children: [{ name: 'CONFIG_ADDRESS', value: hex(address, 8) }],
    };
  }

  private selected(): PciFunction | undefined {
    const { address } = this.state;
    return address & 0x00ff0000 ? undefined : this.wiring.functions.get((address >>> 8) & 0xff);
  }
}
