/**
 * System control port A, port 92h (IBM PS/2 Hardware Interface Technical Reference, "System Control Port A"): the alternate A20 gate and the fast
 * reset. Not implemented: the disk activity lights, the watchdog and the password lock.
 */
import { hex } from '../base/bits.ts';
import { Access, type Device, type InspectNode, type Pin, type RegisterFacet } from './device.ts';
import { checkInteger, checkKind } from './validate.ts';

const FAST_RESET = 0x01;
const A20 = 0x02;

export interface Port92Wiring {
  /** This port's share of the A20 gate; a PC joins it with the keyboard controller's by OR. Driven by load() too. */
  a20: Pin;
  /** Bit 0 went from 0 to 1: reset the processors. */
  reset(): void;
}

export type Port92State = { kind: 'port92'; version: 1; value: number };

export class Port92 implements Device<Port92State>, RegisterFacet {
  readonly name = 'port92';
  // state
  private state: Port92State = { kind: 'port92', version: 1, value: 0 };

  constructor(
    // wiring
    private readonly wiring: Port92Wiring,
  ) {}

  read(_offset: number, size: number): number {
    return size === 1 ? this.state.value : Access.absent;
  }
  write(_offset: number, size: number, value: number): number {
    if (size !== 1) return Access.absent;
    const before = this.state.value;
    this.state.value = value & (FAST_RESET | A20);
    if ((before ^ value) & A20) this.wiring.a20((value & A20) !== 0);
    if (value & ~before & FAST_RESET) this.wiring.reset();
    return Access.ok;
  }
  peek(offset: number, size: number): number {
    return this.read(offset, size);
  }
  reset(): void {
    this.state.value = 0;
    this.wiring.a20(false);
  }
  save(): Port92State {
    return { ...this.state };
  }
  load(state: Port92State): void {
    checkKind(state, 'port92', 1);
    checkInteger('port92.value', state.value, 0, FAST_RESET | A20);
    this.state = { ...state };
    this.wiring.a20((state.value & A20) !== 0);
  }
  inspect(): InspectNode {
    const { value } = this.state;
    return { name: this.name, value: hex(value, 2), children: [{ name: 'A20', value: value & A20 ? 'on' : 'off' }] };
  }
}
