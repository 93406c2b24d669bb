/**
 * PCI-to-ISA bridge of the PIIX3, function 8086:7000 (Intel 82371SB data sheet, "PCI to ISA Bridge", function 0): the routing of the four PCI
 * interrupt lines PIRQA#-PIRQD# to ISA interrupts. The other registers hold what is written. Not implemented: DMA and ISA timing, the motherboard
 * devices' interrupts, SMM control (registers A0h-AEh hold what is written).
 */
import { hex } from '../base/bits.ts';
import type { Device, InspectNode } from './device.ts';
import { ConfigSpace, PciRegister, type PciFunction } from './pci.ts';
import { checkInteger, checkKind } from './validate.ts';

const PIRQRCA = 0x60;
const PIRQS = 4;
/** PIRQRC: the line is not routed. */
const ROUTING_OFF = 0x80;
/** Interrupts a PIRQ can be routed to: all but 0, 1, 2, 8 and 13. */
const ROUTABLE = 0xdef8;

export interface Piix3Wiring {
  /** ISA interrupt `irq` (3..15) as driven by the PCI lines: called when its level changes, and for every routable one at reset. */
  interrupt(irq: number, level: boolean): void;
}

export type Piix3State = { kind: 'piix3'; version: 1; config: Uint8Array; pirqs: number; driven: number };

export class Piix3 implements Device<Piix3State>, PciFunction {
  readonly name = 'piix3';
  // state
  private readonly config = new ConfigSpace([
    { register: PciRegister.VENDOR_ID, size: 4, value: 0x70008086 },
    { register: PciRegister.COMMAND, size: 2, value: 0x0007, writable: 0x0108 },
    { register: PciRegister.STATUS, size: 2, value: 0x0200, clearable: 0x7800 },
    { register: PciRegister.REVISION_ID, size: 4, value: 0x06010000 },
    { register: PciRegister.HEADER_TYPE, size: 1, value: 0x80 }, // multi-function
    { register: 0x4c, size: 1, value: 0x4d, writable: 0xff }, // IORT
    { register: 0x4e, size: 2, value: 0x0003, writable: 0x01ff }, // XBCS
    ...Array.from({ length: PIRQS }, (_, i) => ({ register: PIRQRCA + i, size: 1, value: ROUTING_OFF, writable: 0x8f })),
    { register: 0x69, size: 1, value: 0x02, writable: 0xfe }, // TOM
    { register: 0x6a, size: 2, value: 0, writable: 0x8094 }, // MSTAT
    { register: 0x70, size: 2, value: 0x8080, writable: 0xefef }, // MBIRQ0-1
    { register: 0x76, size: 2, value: 0x0c0c, writable: 0x8f8f }, // MBDMA0-1
    { register: 0x78, size: 2, value: 0x0002, writable: 0xffff }, // PCSC
    { register: 0x80, size: 1, value: 0, writable: 0x7f }, // APICBASE
    { register: 0x82, size: 1, value: 0, writable: 0x0f }, // DLC
    { register: 0xa0, size: 1, value: 0x08, writable: 0x1f }, // SMICNTL
    { register: 0xa2, size: 2, value: 0, writable: 0x00ff }, // SMIEN
    { register: 0xa4, size: 4, value: 0, writable: 0xffffffff }, // SEE
    { register: 0xa8, size: 1, value: 0x0f, writable: 0xff }, // FTMR
    { register: 0xaa, size: 2, value: 0, clearable: 0x00ff }, // SMIREQ
    { register: 0xac, size: 1, value: 0, writable: 0xff }, // CTLTMR
    { register: 0xae, size: 1, value: 0, writable: 0xff }, // CTHTMR
  ]);
  /** Levels of PIRQA-PIRQD, bits 0 to 3; true is asserted. */
  private pirqs = 0;
  /** ISA interrupts now held high, one bit each. */
  private driven = 0;

  constructor(
    // wiring
    private readonly wiring: Piix3Wiring,
  ) {}

  configRead(register: number, size: number): number {
    return this.config.get(register, size);
  }

  configWrite(register: number, size: number, value: number): void {
    this.config.write(register, size, value);
    this.route();
  }

  /** PCI interrupt line `line` (0..3: PIRQA..PIRQD) is asserted or released. */
  pirq(line: number, level: boolean): void {
    const mask = 1 << (line & 3);
    this.pirqs = level ? this.pirqs | mask : this.pirqs & ~mask;
    this.route();
  }

  reset(): void {
    this.config.reset();
    this.pirqs = 0;
    this.driven = 0;
    for (let irq = 0; irq < 16; irq++) if ((ROUTABLE >>> irq) & 1) this.wiring.interrupt(irq, false);
  }

  save(): Piix3State {
    const { pirqs, driven } = this;
    return { kind: 'piix3', version: 1, config: this.config.save(), pirqs, driven };
  }

  load(state: Piix3State): void {
    checkKind(state, 'piix3', 1);
    this.config.check(state.config, 'piix3.config');
    checkInteger('piix3.pirqs', state.pirqs, 0, 0x0f);
    checkInteger('piix3.driven', state.driven, 0, 0xffff);
    this.config.load(state.config);
    this.pirqs = state.pirqs;
    this.driven = state.driven;
  }

  inspect(): InspectNode {
    const routing = Array.from({ length: PIRQS }, (_, i) => {
      const value = this.config.get(PIRQRCA + i, 1);
      return {
        name: `PIRQ${'ABCD'[i]}`,
        value: `${value & ROUTING_OFF ? 'not routed' : `IRQ ${value & 0x0f}`}${(this.pirqs >>> i) & 1 ? ', asserted' : ''}`,
      };
    });
    return {
      name: this.name,
      value: '8086:7000',
      children: [...this.config.inspect(), ...routing, { name: 'IRQs driven', value: hex(this.driven, 4) }],
    };
  }

  /** Several lines may share one interrupt: it is high while any of them is asserted. */
  private route(): void {
    let levels = 0;
    for (let i = 0; i < PIRQS; i++) {
      const routing = this.config.get(PIRQRCA + i, 1);
      if ((this.pirqs >>> i) & 1 && !(routing & ROUTING_OFF)) levels |= 1 << (routing & 0x0f);
    }
    levels &= ROUTABLE;
    const changed = levels ^ this.driven;
    this.driven = levels;
    for (let irq = 0; irq < 16; irq++) if ((changed >>> irq) & 1) this.wiring.interrupt(irq, ((levels >>> irq) & 1) === 1);
  }
}
