/**
 * Reset control register, port CF9h (Intel 82371SB PIIX3 data sheet, "RC: Reset Control Register"): RCPU going from 0 to 1 starts a reset, hard or
 * soft by SRST. The register lies inside the doubleword of CONFIG_ADDRESS, so a model with PCI gives it to the PciHost (pci.ts).
 */
import { hex } from '../base/bits.ts';
import { Access, type Device, type InspectNode, type RegisterFacet } from './device.ts';
import { checkInteger, checkKind } from './validate.ts';

const SRST = 0x02;
const RCPU = 0x04;
/** Bit 3 (FULL_RST, from ICH on) can be written and read back. */
const WRITABLE = 0x0e;

export interface ResetControlWiring {
  /** A reset is asked for: of the whole platform (`hard`), or of the processors. */
  reset(hard: boolean): void;
}

export type ResetControlState = { kind: 'cf9'; version: 1; value: number };

export class ResetControl implements Device<ResetControlState>, RegisterFacet {
  readonly name = 'cf9';
  // state
  private state: ResetControlState = { kind: 'cf9', version: 1, value: 0 };

  constructor(
    // wiring
    private readonly wiring: ResetControlWiring,
  ) {}

  read(_offset: number, size: number): number {
    return size === 1 ? this.state.value : Access.absent;
  }
  write(_offset: number, size: number, value: number): number {
    if (size !== 1) return Access.absent;
    const before = this.state.value;
    this.state.value = value & WRITABLE;
    if (value & ~before & RCPU) this.wiring.reset((value & SRST) !== 0);
    return Access.ok;
  }
  peek(offset: number, size: number): number {
    return this.read(offset, size);
  }
  reset(): void {
    this.state.value = 0;
  }
  save(): ResetControlState {
    return { ...this.state };
  }
  load(state: ResetControlState): void {
    checkKind(state, 'cf9', 1);
    checkInteger('cf9.value', state.value, 0, WRITABLE);
    this.state = { ...state };
  }
  inspect(): InspectNode {
    return { name: this.name, value: hex(this.state.value, 2) };
  }
}
