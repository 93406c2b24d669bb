/**
 * Debug console: one byte port to which firmware writes its messages (Bochs and QEMU `isa-debugcon`, port 402h). Reads give E9h, by which a guest
 * recognises that it is there.
 */
import { hex } from '../base/bits.ts';
import { Access, type Device, type InspectNode, type RegisterFacet } from './device.ts';
import { checkInteger, checkKind } from './validate.ts';

/** What a read gives. */
const PRESENT = 0xe9;

export interface DebugconWiring {
  /** A byte of the message, 0..255. */
  transmit(byte: number): void;
}

export type DebugconState = { kind: 'debugcon'; version: 1; last: number };

export class Debugcon implements Device<DebugconState>, RegisterFacet {
  // state
  private state: DebugconState = { kind: 'debugcon', version: 1, last: 0 };

  constructor(
    // static configuration
    readonly name: string,
    // wiring
    private readonly wiring: DebugconWiring,
  ) {}

  read(_offset: number, size: number): number {
    return size === 1 ? PRESENT : Access.absent;
  }
  write(_offset: number, size: number, value: number): number {
    if (size !== 1) return Access.absent;
    this.state.last = value;
    this.wiring.transmit(value);
    return Access.ok;
  }
  peek(offset: number, size: number): number {
    return this.read(offset, size);
  }
  reset(): void {
    this.state.last = 0;
  }
  save(): DebugconState {
    return { ...this.state };
  }
  load(state: DebugconState): void {
    checkKind(state, 'debugcon', 1);
    checkInteger(`${this.name}.last`, state.last, 0, 0xff);
    this.state = { ...state };
  }
  inspect(): InspectNode {
    return { name: this.name, value: `last byte ${hex(this.state.last, 2)}` };
  }
}
