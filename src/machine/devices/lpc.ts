/**
 * bhyve's LPC bridge, function 8086:7000: the IDs of a PIIX3, one function, and eight PIRQ routing registers. Not implemented: interrupts of PCI
 * devices (there are none to route).
 */
import { hex } from '../base/bits.ts';
import type { Device, InspectNode } from './device.ts';
import { ConfigSpace, PciRegister, type PciFunction } from './pci.ts';
import { checkKind } from './validate.ts';

/** PIRQA-PIRQD are routed by 60h-63h, PIRQE-PIRQH by 68h-6Bh. */
const PIRQ_ROUTING = [0x60, 0x61, 0x62, 0x63, 0x68, 0x69, 0x6a, 0x6b] as const;
const ROUTING_OFF = 0x80;

export type LpcState = { kind: 'lpc'; version: 1; config: Uint8Array };

export class Lpc implements Device<LpcState>, PciFunction {
  readonly name = 'lpc';
  // state
  private readonly config = new ConfigSpace([
    { register: PciRegister.VENDOR_ID, size: 4, value: 0x70008086 },
    { register: PciRegister.COMMAND, size: 2, value: 0, writable: 0x0547 },
    { register: PciRegister.STATUS, size: 2, value: 0, clearable: 0xf900 },
    { register: PciRegister.REVISION_ID, size: 4, value: 0x06010000 },
    { register: PciRegister.INTERRUPT_LINE, size: 1, value: 0, writable: 0xff },
    ...PIRQ_ROUTING.map((register) => ({ register, size: 1, value: ROUTING_OFF, writable: 0x8f })),
  ]);

  configRead(register: number, size: number): number {
    return this.config.get(register, size);
  }
  configWrite(register: number, size: number, value: number): void {
    this.config.write(register, size, value);
  }
  reset(): void {
    this.config.reset();
  }
  save(): LpcState {
    return { kind: 'lpc', version: 1, config: this.config.save() };
  }
  load(state: LpcState): void {
    checkKind(state, 'lpc', 1);
    this.config.check(state.config, 'lpc.config');
    this.config.load(state.config);
  }
  inspect(): InspectNode {
    const routing = PIRQ_ROUTING.map((register, i) => ({ name: `PIRQ${'ABCDEFGH'[i]}`, value: hex(this.config.get(register, 1), 2) }));
    return { name: this.name, value: '8086:7000', children: [...this.config.inspect(), ...routing] };
  }
}
