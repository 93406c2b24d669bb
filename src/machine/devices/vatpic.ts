/**
 * Intel 8259A programmable interrupt controller, master and slave as in the PC/AT, with the edge/level control registers of the PIIX ("8259A Data
 * Sheet", sections Initialization Command Words and Operation Command Words).
 *
 * Inputs count: a line shared by several devices is high while more of them assert than deassert. An edge is latched until it is acknowledged, so a
 * pulse is never lost. With `strict` it is bhyve's in-kernel vatpic, whose deviations stand where they happen.
 *
 * Not implemented: MCS-80/85 mode (no CALL sequence), buffered mode, LTIM (the ELCR decides instead, as in the PIIX), cascading elsewhere than IR2.
 */
import { checkState } from '../base/state.ts';
import { hex } from '../base/bits.ts';
import { byteFacet } from './byte-ports.ts';
import { Access, type Device, type InspectNode, type Pin, type RegisterFacet } from './device.ts';
import { checkBoolean, checkInteger, checkKind, checkWords } from './validate.ts';

// Initialization and operation command words
const ICW1_IC4 = 0x01;
const ICW1_SNGL = 0x02;
const ICW1 = 0x10;
const ICW4_8086 = 0x01;
const ICW4_AEOI = 0x02;
const ICW4_SFNM = 0x10;
const OCW2_EOI = 0x20;
const OCW2_SL = 0x40;
const OCW2_R = 0x80;
const OCW3 = 0x08;
const OCW3_RIS = 0x01;
const OCW3_RR = 0x02;
const OCW3_P = 0x04;
const OCW3_SMM = 0x20;
const OCW3_ESMM = 0x40;

/** The master's input that the slave's INT drives. */
const CASCADE = 2;
/** The input whose vector stands for "nobody asked". */
const SPURIOUS = 7;
/** IRQ 0, 1, 2, 8 and 13 are always edge-triggered. */
const ELCR_WRITABLE = [0xf8, 0xde] as const;
const MAX_COUNT = 0xffffffff;

export interface VatpicOptions {
  readonly name?: string;
  /** true: bhyve's handler, which sends what it does not know to userspace (Access.toUserspace); false: a permissive PC chip. */
  readonly strict: boolean;
}

export interface VatpicWiring {
  /** INTR: to LINT0 of every CPU and, as bhyve has it, as a pulse to I/O APIC pin 0. Called when the level changes. */
  readonly intr: Pin;
}

/** One of the two chips. */
type ChipState = {
  /** The initialization command word that comes next: 2, 3, 4; 1 when none is due. */
  icw: number;
  /** Has it been initialized? It asks for nothing before. */
  ready: boolean;
  /** ICW1: SNGL, IC4. */
  single: boolean;
  icw4: boolean;
  autoEoi: boolean;
  specialFullyNested: boolean;
  specialMask: boolean;
  poll: boolean;
  /** Rotate in automatic EOI mode. */
  rotate: boolean;
  /** OCW3: the next read at offset 0 is of ISR, not IRR. */
  readIsr: boolean;
  /** The INT output. */
  raised: boolean;
  irr: number;
  isr: number;
  imr: number;
  /** ICW2: vector of input 0, a multiple of 8. */
  base: number;
  /** The input of lowest priority. */
  lowest: number;
  elcr: number;
  /** How many assert each input. */
  counts: Uint32Array;
};

export type VatpicState = { kind: 'vatpic'; version: 1; master: ChipState; slave: ChipState };

const powerOn = (): ChipState => ({
  icw: 1,
  ready: false,
  single: false,
  icw4: false,
  autoEoi: false,
  specialFullyNested: false,
  specialMask: false,
  poll: false,
  rotate: false,
  readIsr: false,
  raised: false,
  irr: 0,
  isr: 0,
  imr: 0,
  base: 0,
  lowest: 7,
  elcr: 0,
  counts: new Uint32Array(8),
});

export class Vatpic implements Device<VatpicState> {
  // static configuration
  readonly name: string;
  private readonly strict: boolean;
  /** Ports 20h and 21h. */
  readonly master: RegisterFacet;
  /** Ports A0h and A1h. */
  readonly slave: RegisterFacet;
  /** Ports 4D0h and 4D1h: a set bit makes an input level-triggered. */
  readonly elcr: RegisterFacet;

  // state
  private chips: [ChipState, ChipState] = [powerOn(), powerOn()];

  constructor(
    options: VatpicOptions,
    private readonly wiring: VatpicWiring,
  ) {
    this.name = options.name ?? 'vatpic';
    this.strict = options.strict;
    const wide = options.strict ? 'toUserspace' : 'split';
    const chipFacet = (n: 0 | 1): RegisterFacet =>
      byteFacet(
        {
          read: (offset) => this.read(this.chips[n], offset),
          peek: (offset) => this.peek(this.chips[n], offset),
          write: (offset, value) => this.write(this.chips[n], offset, value),
        },
        2,
        wide,
      );
    this.master = chipFacet(0);
    this.slave = chipFacet(1);
    const level = (offset: number): number => (offset === 0 ? this.chips[0] : this.chips[1]).elcr;
    this.elcr = byteFacet({ read: level, peek: level, write: (offset, value) => this.writeElcr(offset === 0 ? 0 : 1, value) }, 2, wide);
  }

  // registers

  private read(chip: ChipState, offset: number): number {
    const value = this.peek(chip, offset);
    if (chip.poll) {
      chip.poll = false;
      if (value !== 0) {
        this.accept(chip, value & 7);
        if (!this.strict) this.drive();
      }
    }
    return value;
  }

  private peek(chip: ChipState, offset: number): number {
    if (chip.poll) {
      const pin = this.request(chip);
      return pin < 0 ? 0 : 0x80 | pin;
    }
    if (offset === 1) return chip.imr;
    return chip.readIsr ? chip.isr : chip.irr;
  }

  private write(chip: ChipState, offset: number, value: number): number {
    let result: number = Access.ok;
    if (offset === 1) result = this.writeOdd(chip, value);
    else if (value & ICW1) result = this.writeIcw1(chip, value);
    else if (chip.ready && value & OCW3) this.writeOcw3(chip, value);
    else if (chip.ready) this.writeOcw2(chip, value);
    if (chip.ready || !this.strict) this.drive();
    return result;
  }

  private writeIcw1(chip: ChipState, value: number): number {
    chip.ready = false;
    chip.icw = 1;
    chip.irr = 0;
    chip.imr = 0;
    chip.lowest = 7;
    chip.readIsr = false;
    chip.poll = false;
    chip.specialMask = false;
    if (this.strict) {
      // bhyve keeps ISR here, and knows neither a chip without slave nor one without ICW4
      if (value & ICW1_SNGL || !(value & ICW1_IC4)) return Access.toUserspace;
    } else {
      chip.isr = 0;
      chip.autoEoi = false;
      chip.specialFullyNested = false;
      chip.rotate = false;
      chip.irr = this.levels(chip);
    }
    chip.single = (value & ICW1_SNGL) !== 0;
    chip.icw4 = (value & ICW1_IC4) !== 0;
    chip.icw = 2;
    return Access.ok;
  }

  /** Offset 1: the rest of the initialization sequence, then OCW1. */
  private writeOdd(chip: ChipState, value: number): number {
    switch (chip.icw) {
      case 2:
        chip.base = value & 0xf8;
        if (!chip.single) chip.icw = 3;
        else this.afterIcw3(chip);
        return Access.ok;
      case 3:
        this.afterIcw3(chip);
        return Access.ok;
      case 4:
        if (this.strict && !(value & ICW4_8086)) return Access.toUserspace;
        chip.autoEoi = (value & ICW4_AEOI) !== 0;
        if (chip === this.chips[0]) chip.specialFullyNested = (value & ICW4_SFNM) !== 0;
        chip.icw = 1;
        chip.ready = true;
        return Access.ok;
      default:
        chip.imr = value;
        return Access.ok;
    }
  }

  private afterIcw3(chip: ChipState): void {
    chip.icw = chip.icw4 ? 4 : 1;
    chip.ready = !chip.icw4;
  }

  private writeOcw2(chip: ChipState, value: number): void {
    const rotate = (value & OCW2_R) !== 0;
    const specific = (value & OCW2_SL) !== 0;
    // bhyve lets every OCW2 set or clear the rotation of automatic EOIs; the chip only the two commands that say so
    if (this.strict || !(value & (OCW2_EOI | OCW2_SL))) chip.rotate = rotate;
    if (value & OCW2_EOI) {
      const pin = specific ? value & 7 : this.inService(chip);
      if (pin < 0) return;
      chip.isr &= ~(1 << pin);
      if (rotate) chip.lowest = pin;
    } else if (specific && rotate) {
      chip.lowest = value & 7;
    }
  }

  private writeOcw3(chip: ChipState, value: number): void {
    if (value & OCW3_ESMM) chip.specialMask = (value & OCW3_SMM) !== 0;
    if (value & OCW3_RR) chip.readIsr = (value & OCW3_RIS) !== 0;
    if (value & OCW3_P) chip.poll = true;
  }

  private writeElcr(n: 0 | 1, value: number): number {
    const chip = this.chips[n];
    const before = chip.elcr;
    chip.elcr = value & ELCR_WRITABLE[n];
    if (!this.strict) {
      chip.irr = (chip.irr & ~(before | chip.elcr)) | this.levels(chip);
      this.drive();
    }
    return Access.ok;
  }

  // pins

  /** One more device pulls IRQ `irq` (0..15) up. */
  assert(irq: number): void {
    this.input(irq, true);
  }
  /** One device fewer does. */
  deassert(irq: number): void {
    this.input(irq, false);
  }
  /** Up and down again: one edge. */
  pulse(irq: number): void {
    this.input(irq, true);
    this.input(irq, false);
  }

  private input(irq: number, level: boolean): void {
    const chip = this.chips[irq >> 3];
    // bhyve does not even count before initialization
    if (!chip || (this.strict && !chip.ready)) return;
    this.line(chip, irq & 7, level);
    this.drive();
  }

  private line(chip: ChipState, pin: number, level: boolean): void {
    const before = chip.counts[pin] as number;
    const after = level ? Math.min(before + 1, MAX_COUNT) : Math.max(before - 1, 0);
    const bit = 1 << pin;
    chip.counts[pin] = after;
    if (chip.elcr & bit) chip.irr = after > 0 ? chip.irr | bit : before > 0 ? chip.irr & ~bit : chip.irr;
    else if (before === 0 && after === 1) chip.irr |= bit;
  }

  /** The INTR output: an interrupt is waiting to be acknowledged. */
  get hasPending(): boolean {
    return this.chips[0].raised;
  }

  /** INTA: takes the interrupt of highest priority into service and gives its vector, 0..255; the vector of input 7 when there is none. */
  acknowledge(): number {
    const [master, slave] = this.chips;
    const pin = this.request(master);
    const cascaded = pin === CASCADE && !master.single;
    const chip = cascaded ? slave : master;
    const request = cascaded ? this.request(slave) : pin;
    const vector = chip.base + (request < 0 ? SPURIOUS : request);
    if (this.strict) {
      // bhyve takes up by vector, spurious ones included: ISR bit 7 is set for an interrupt that never was
      const fromSlave = (vector & 0xf8) === slave.base;
      this.accept(fromSlave ? slave : master, vector & 7);
      if (fromSlave) this.accept(master, CASCADE);
    } else {
      if (pin >= 0) this.accept(master, pin);
      if (cascaded && request >= 0) this.accept(slave, request);
    }
    this.drive();
    return vector;
  }

  /** Takes a request into service. */
  private accept(chip: ChipState, pin: number): void {
    const bit = 1 << pin;
    this.setOutput(chip, false);
    // bhyve keeps the request of an edge-triggered input that is still high
    if (chip.counts[pin] === 0 || (!this.strict && !(chip.elcr & bit))) chip.irr &= ~bit;
    if (!chip.autoEoi) chip.isr |= bit;
    else if (chip.rotate) chip.lowest = pin;
  }

  /** Brings the INT outputs up to date: the slave's first, since it feeds the master. bhyve's stay up until acknowledged. */
  private drive(): void {
    const [master, slave] = this.chips;
    for (const chip of [slave, master]) {
      const wanted = (chip.ready || this.strict) && this.request(chip) >= 0;
      if (wanted !== chip.raised && (wanted || !this.strict)) this.setOutput(chip, wanted);
    }
  }

  private setOutput(chip: ChipState, level: boolean): void {
    if (chip.raised === level) return;
    chip.raised = level;
    const master = this.chips[0];
    if (chip === master) {
      this.wiring.intr(level);
    } else if (!this.strict) {
      this.line(master, CASCADE, level);
    } else if (level) {
      this.line(master, CASCADE, true);
      this.line(master, CASCADE, false);
    }
  }

  reset(): void {
    const wasRaised = this.chips[0].raised;
    this.chips = [powerOn(), powerOn()];
    if (wasRaised) this.wiring.intr(false);
  }

  // saved state

  save(): VatpicState {
    const copy = (chip: ChipState): ChipState => ({ ...chip, counts: chip.counts.slice() });
    const [master, slave] = this.chips;
    return { kind: 'vatpic', version: 1, master: copy(master), slave: copy(slave) };
  }
  load(state: VatpicState): void {
    checkKind(state, 'vatpic', 1);
    checkChip('vatpic.master', state.master, ELCR_WRITABLE[0]);
    checkChip('vatpic.slave', state.slave, ELCR_WRITABLE[1]);
    const copy = (chip: ChipState): ChipState => ({ ...chip, counts: chip.counts.slice() });
    this.chips = [copy(state.master), copy(state.slave)];
  }

  inspect(): InspectNode {
    const node = (name: string, chip: ChipState): InspectNode => ({
      name,
      value: chip.ready
        ? `vectors ${hex(chip.base, 2)}h to ${hex(chip.base + 7, 2)}h`
        : `not initialized, ${chip.icw === 1 ? 'ICW1' : `ICW${chip.icw}`} is next`,
      children: [
        { name: 'IRR', value: bits(chip.irr) },
        { name: 'ISR', value: bits(chip.isr) },
        { name: 'IMR', value: bits(chip.imr) },
        { name: 'ELCR', value: bits(chip.elcr) },
        { name: 'INT', value: chip.raised ? 'high' : 'low' },
        { name: 'lowest priority', value: `IR${chip.lowest}` },
        { name: 'modes', value: modes(chip) },
        {
          name: 'inputs',
          value:
            [...chip.counts]
              .map((n, i) => (n ? `IR${i}${n > 1 ? ` ×${n}` : ''}` : ''))
              .filter(Boolean)
              .join(' ') || 'all low',
        },
      ],
    });
    return { name: this.name, value: '', children: [node('master', this.chips[0]), node('slave', this.chips[1])] };
  }

  // helpers

  /** The requests of level-triggered inputs that are high. */
  private levels(chip: ChipState): number {
    let high = 0;
    for (let pin = 0; pin < 8; pin++) if ((chip.counts[pin] as number) > 0) high |= 1 << pin;
    return high & chip.elcr;
  }

  /** The input that may interrupt now, or -1. */
  private request(chip: ChipState): number {
    let serviced = chip.isr;
    let requests = chip.irr & ~chip.imr;
    if (chip.specialFullyNested) serviced &= ~(1 << CASCADE);
    if (chip.specialMask) {
      // all other levels are enabled; bhyve enables the level in service as well
      if (!this.strict) requests &= ~serviced;
      serviced = 0;
    }
    for (let i = 1; i <= 8; i++) {
      const pin = (chip.lowest + i) & 7;
      if (serviced & (1 << pin)) return -1;
      if (requests & (1 << pin)) return pin;
    }
    return -1;
  }

  /** The input in service of highest priority, or -1. In special mask mode a masked one is passed over ("Special Mask Mode"). */
  private inService(chip: ChipState): number {
    const serviced = chip.specialMask ? chip.isr & ~chip.imr : chip.isr;
    for (let i = 1; i <= 8; i++) {
      const pin = (chip.lowest + i) & 7;
      if (serviced & (1 << pin)) return pin;
    }
    return -1;
  }
}

const bits = (byte: number): string => {
  const set = [0, 1, 2, 3, 4, 5, 6, 7].filter((n) => byte & (1 << n));
  return `${hex(byte, 2)}h${set.length ? ` (${set.join(', ')})` : ''}`;
};

const modes = (chip: ChipState): string =>
  [
    chip.autoEoi ? 'automatic EOI' : '',
    chip.rotate ? 'rotate' : '',
    chip.specialFullyNested ? 'special fully nested' : '',
    chip.specialMask ? 'special mask' : '',
    chip.poll ? 'poll' : '',
    chip.readIsr ? 'reads ISR' : 'reads IRR',
  ]
    .filter(Boolean)
    .join(', ');

function checkChip(what: string, chip: ChipState, elcrWritable: number): void {
  checkState(typeof chip === 'object' && chip !== null, what, chip, 'a chip');
  const {
    icw,
    ready,
    single,
    icw4,
    autoEoi,
    specialFullyNested,
    specialMask,
    poll,
    rotate,
    readIsr,
    raised,
    irr,
    isr,
    imr,
    base,
    lowest,
    elcr,
    counts,
  } = chip;
  checkInteger(`${what}.icw`, icw, 1, 4);
  for (const [field, value] of Object.entries({
    ready,
    single,
    icw4,
    autoEoi,
    specialFullyNested,
    specialMask,
    poll,
    rotate,
    readIsr,
    raised,
  }))
    checkBoolean(`${what}.${field}`, value);
  for (const [field, value] of Object.entries({ irr, isr, imr })) checkInteger(`${what}.${field}`, value, 0, 0xff);
  checkInteger(`${what}.base`, base, 0, 0xf8);
  checkState((base & 7) === 0, `${what}.base`, base, 'a multiple of 8');
  checkInteger(`${what}.lowest`, lowest, 0, 7);
  checkInteger(`${what}.elcr`, elcr, 0, 0xff);
  checkState((elcr & ~elcrWritable) === 0, `${what}.elcr`, elcr, `bits within ${hex(elcrWritable)}h`);
  checkWords(`${what}.counts`, counts, 8);
}
