/**
 * Intel 82093AA I/O advanced programmable interrupt controller ("82093AA I/O APIC Data Sheet"), with what bhyve and others make of it as rules.
 *
 * Inputs count: a pin is asserted while more devices assert it than deassert it; polarity (bit 13) is stored and means nothing, since the wiring says
 * "asserted". What a delivery mode does, NMI, SMI, INIT and ExtINT included, is the business of the CPUs that `deliver` reaches.
 *
 * Not implemented: delivery status (bit 12 always reads 0: a delivery takes no time), arbitration on the APIC bus.
 */
import { hex, truncate } from '../base/bits.ts';
import { checkState } from '../base/state.ts';
import { Access, type Device, type InspectNode, type RegisterFacet } from './device.ts';
import { checkInteger, checkKind, checkWords } from './validate.ts';

// Direct registers
const IOREGSEL = 0x00;
const IOWIN = 0x10;
const EOI = 0x40;

// Indirect registers
const IOAPICID = 0x00;
const IOAPICVER = 0x01;
const IOAPICARB = 0x02;
const IOREDTBL = 0x10;

// Redirection table entry, low half
const RTE_VECTOR = 0xff;
const RTE_DESTINATION_MODE = 1 << 11;
const RTE_DELIVERY_STATUS = 1 << 12;
const RTE_POLARITY = 1 << 13;
const RTE_REMOTE_IRR = 1 << 14;
const RTE_TRIGGER_MODE = 1 << 15;
const RTE_MASK = 1 << 16;
const RTE_READ_ONLY = RTE_DELIVERY_STATUS | RTE_REMOTE_IRR;

const MAX_COUNT = 0xffffffff;

/** How I/O APICs differ; each field is the rule `ioapic.…` of its name. */
export interface VioapicRules {
  /** ioapic.version: the number of inputs, 1 to 64… */
  readonly pins: number;
  /** …and the version register as it reads. */
  readonly version: number;
  /** ioapic.eoireg: is there an EOI register at offset 40h? */
  readonly eoiRegister: boolean;
  /**
   * ioapic.access. `dword`: four bytes at offsets 0 and 10h, anything else reads 0 or is dropped; `anySelect`: IOREGSEL in any size;
   * `any`: both in any size, a narrow write being extended with zeros.
   */
  readonly access: 'dword' | 'anySelect' | 'any';
  /** Bits of IOREGSEL that are stored, and bits of the ID register that are. */
  readonly selectMask: number;
  readonly idMask: number;
  /** ioapic.rte.reset: the high half of an entry; the low half is 00010000h everywhere. */
  readonly rteResetHigh: number;
  /** ioapic.edgeSwitch.clearsRirr: does making an entry edge-triggered clear its remote IRR? */
  readonly edgeSwitchClearsRirr: boolean;
  /** ioapic.level.resendBlocked: does a set remote IRR hold a level-triggered interrupt back? */
  readonly levelResendBlocked: boolean;
  /**
   * ioapic.rteWrite.assertedPin: when does writing an entry send the interrupt of an asserted pin? `level`: when it is level-triggered;
   * `levelRirrClear`: when its remote IRR is clear as well; `rirrClear`: whatever its trigger mode, when its remote IRR is clear.
   */
  readonly rteWriteAssertedPin: 'level' | 'levelRirrClear' | 'rirrClear';
}

/** The data sheet's own part: 24 inputs, version 11h. */
export const RULES_82093AA: VioapicRules = {
  pins: 24,
  version: 0x00170011,
  eoiRegister: false,
  access: 'dword',
  selectMask: 0xff,
  idMask: 0x0f000000,
  rteResetHigh: 0,
  edgeSwitchClearsRirr: true,
  levelResendBlocked: true,
  rteWriteAssertedPin: 'level',
};

/**
 * Where interrupts go. `dest` is the 8-bit destination, `destMode` 0 physical or 1 logical, `deliveryMode` the three bits of the entry (0 fixed,
 * 1 lowest priority, 2 SMI, 4 NMI, 5 INIT, 7 ExtINT), `vector` 0..255.
 */
export type Deliver = (dest: number, destMode: number, deliveryMode: number, vector: number, levelTriggered: boolean) => void;

export interface VioapicOptions {
  readonly name?: string;
  readonly rules: VioapicRules;
}

export type VioapicState = {
  kind: 'vioapic';
  version: 1;
  id: number;
  select: number;
  low: Uint32Array;
  high: Uint32Array;
  counts: Uint32Array;
};

export class Vioapic implements Device<VioapicState> {
  // static configuration
  readonly name: string;
  private readonly rules: VioapicRules;
  /** The 4 KiB at FEC00000h. */
  readonly mmio: RegisterFacet;

  // state
  private id = 0;
  private select = 0;
  private readonly low: Uint32Array;
  private readonly high: Uint32Array;
  /** How many assert each pin. */
  private readonly counts: Uint32Array;

  constructor(
    options: VioapicOptions,
    // wiring
    private readonly deliver: Deliver,
  ) {
    this.name = options.name ?? 'vioapic';
    this.rules = options.rules;
    const { pins, rteResetHigh } = options.rules;
    this.low = new Uint32Array(pins).fill(RTE_MASK);
    this.high = new Uint32Array(pins).fill(rteResetHigh);
    this.counts = new Uint32Array(pins);
    const read = (offset: number, size: number): number => this.read(offset, size);
    this.mmio = { read, peek: read, write: (offset, size, value) => this.write(offset, size, value) };
  }

  /** The number of inputs. */
  get pins(): number {
    return this.rules.pins;
  }

  /** The index register: which register the data register is. */
  get selected(): number {
    return this.select;
  }
  /** Looks at a register by its index, whatever IOREGSEL says; 0 where there is none. */
  peekRegister(index: number): number {
    return this.readIndirect(index);
  }
  /** Why the debugger cannot change a register, in one sentence; undefined: it can. */
  whyNotPoked(index: number): string | undefined {
    if (index === IOAPICID || (Number.isInteger(index) && index >= IOREDTBL && index < IOREDTBL + 2 * this.pins)) return undefined;
    if (index === IOAPICVER || index === IOAPICARB) return `I/O APIC register ${hex(index, 2)}h is read-only`;
    return `the I/O APIC has no register ${index}: there are 0, and ${IOREDTBL} to ${IOREDTBL + 2 * this.pins - 1}`;
  }
  /** Changes a register, whatever IOREGSEL says. As a write does, but remote IRR can be set as well. */
  poke(index: number, value: number): void {
    if (this.whyNotPoked(index) !== undefined) return;
    const pin = (index - IOREDTBL) >> 1;
    if (pin >= 0 && (index & 1) === 0) this.low[pin] = value & RTE_REMOTE_IRR;
    this.writeIndirect(index, value);
  }

  // registers

  private accepts(offset: number, size: number): boolean {
    const { access } = this.rules;
    if (offset === IOREGSEL) return size === 4 || access !== 'dword';
    if (offset === IOWIN) return size === 4 || access === 'any';
    return false;
  }

  private read(offset: number, size: number): number {
    if (!this.accepts(offset, size)) return 0;
    return truncate(offset === IOREGSEL ? this.select : this.readIndirect(this.select & 0xff), size);
  }

  private readIndirect(register: number): number {
    if (register === IOAPICID || register === IOAPICARB) return this.id;
    if (register === IOAPICVER) return this.rules.version;
    const half = register & 1 ? this.high : this.low;
    return register < IOREDTBL ? 0 : (half[(register - IOREDTBL) >> 1] ?? 0);
  }

  private write(offset: number, size: number, value: number): number {
    if (offset === EOI && size === 4 && this.rules.eoiRegister) this.eoi(value & 0xff);
    else if (this.accepts(offset, size)) {
      if (offset === IOREGSEL) this.select = (value & this.rules.selectMask) >>> 0;
      else this.writeIndirect(this.select & 0xff, value);
    }
    return Access.ok;
  }

  private writeIndirect(register: number, value: number): void {
    if (register === IOAPICID) this.id = (value & this.rules.idMask) >>> 0;
    const pin = (register - IOREDTBL) >> 1;
    if (register < IOREDTBL || pin >= this.pins) return;
    if (register & 1) this.high[pin] = value;
    else this.low[pin] = ((this.low[pin] as number) & RTE_READ_ONLY) | (value & ~RTE_READ_ONLY);
    this.rteWritten(pin);
  }

  /** Either half of an entry was written. */
  private rteWritten(pin: number): void {
    const { edgeSwitchClearsRirr, rteWriteAssertedPin } = this.rules;
    const level = ((this.low[pin] as number) & RTE_TRIGGER_MODE) !== 0;
    if (!level && edgeSwitchClearsRirr) this.low[pin] = (this.low[pin] as number) & ~RTE_REMOTE_IRR;
    if (this.counts[pin] === 0) return;
    const rirrClear = ((this.low[pin] as number) & RTE_REMOTE_IRR) === 0;
    const send = rteWriteAssertedPin === 'level' ? level : rirrClear && (level || rteWriteAssertedPin === 'rirrClear');
    if (send) this.send(pin);
  }

  private send(pin: number): void {
    const low = this.low[pin] as number;
    if (low & RTE_MASK) return;
    const level = (low & RTE_TRIGGER_MODE) !== 0;
    if (level) {
      if (low & RTE_REMOTE_IRR && this.rules.levelResendBlocked) return;
      this.low[pin] = low | RTE_REMOTE_IRR;
    }
    this.deliver((this.high[pin] as number) >>> 24, low & RTE_DESTINATION_MODE ? 1 : 0, (low >>> 8) & 7, low & RTE_VECTOR, level);
  }

  // pins

  /** One more device asserts pin `pin` (0 to pins-1; others are ignored). The first one is an edge. */
  assert(pin: number): void {
    const count = this.counts[pin];
    if (count === undefined) return;
    this.counts[pin] = Math.min(count + 1, MAX_COUNT);
    if (count === 0) this.send(pin);
  }
  /** One device fewer does. */
  deassert(pin: number): void {
    const count = this.counts[pin];
    if (count !== undefined && count > 0) this.counts[pin] = count - 1;
  }
  /** Asserted and deasserted: one edge, unless it was asserted already. */
  pulse(pin: number): void {
    this.assert(pin);
    this.deassert(pin);
  }

  /** A CPU ended interrupt `vector` (0..255): clears remote IRR of every entry with it, and sends again from pins that are still asserted. */
  eoi(vector: number): void {
    for (let pin = 0; pin < this.pins; pin++) {
      const low = this.low[pin] as number;
      if (!(low & RTE_REMOTE_IRR) || (low & RTE_VECTOR) !== vector) continue;
      this.low[pin] = low & ~RTE_REMOTE_IRR;
      if ((this.counts[pin] as number) > 0) this.send(pin);
    }
  }

  reset(): void {
    this.id = 0;
    this.select = 0;
    this.low.fill(RTE_MASK);
    this.high.fill(this.rules.rteResetHigh);
    this.counts.fill(0);
  }

  // saved state

  save(): VioapicState {
    const { id, select, low, high, counts } = this;
    return { kind: 'vioapic', version: 1, id, select, low: low.slice(), high: high.slice(), counts: counts.slice() };
  }
  load(state: VioapicState): void {
    checkKind(state, 'vioapic', 1);
    const { id, select, low, high, counts } = state;
    checkInteger('vioapic.id', id, 0, 0xffffffff);
    checkState((id & ~this.rules.idMask) === 0, 'vioapic.id', id, `bits within ${hex(this.rules.idMask)}h`);
    checkInteger('vioapic.select', select, 0, this.rules.selectMask);
    for (const [field, words] of Object.entries({ low, high, counts })) checkWords(`vioapic.${field}`, words, this.pins);
    this.id = id;
    this.select = select;
    this.low.set(low);
    this.high.set(high);
    this.counts.set(counts);
  }

  inspect(): InspectNode {
    const entries = Array.from(this.low, (low, pin): InspectNode => {
      const high = this.high[pin] as number;
      const count = this.counts[pin] as number;
      return {
        name: `IOREDTBL${pin}`,
        value: [
          `vector ${hex(low & RTE_VECTOR, 2)}h`,
          DELIVERY_MODES[(low >>> 8) & 7],
          `${low & RTE_DESTINATION_MODE ? 'logical' : 'physical'} ${hex(high >>> 24, 2)}h`,
          low & RTE_TRIGGER_MODE ? 'level' : 'edge',
          low & RTE_POLARITY ? 'active low' : '',
          low & RTE_REMOTE_IRR ? 'remote IRR' : '',
          low & RTE_MASK ? 'masked' : '',
          count ? `asserted${count > 1 ? ` ×${count}` : ''}` : '',
        ]
          .filter(Boolean)
          .join(', '),
        children: [
          { name: 'low', value: `${hex(low, 8)}h` },
          { name: 'high', value: `${hex(high, 8)}h` },
        ],
      };
    });
    return {
      name: this.name,
      value: `${this.pins} inputs`,
      children: [
        { name: 'IOREGSEL', value: `${hex(this.select, 2)}h` },
        { name: 'IOAPICID', value: `${hex(this.id, 8)}h` },
        { name: 'IOAPICVER', value: `${hex(this.rules.version, 8)}h` },
        { name: 'IOAPICARB', value: `${hex(this.id, 8)}h` },
        ...entries,
      ],
    };
  }
}

const DELIVERY_MODES = ['fixed', 'lowest priority', 'SMI', 'reserved mode 3', 'NMI', 'INIT', 'reserved mode 6', 'ExtINT'] as const;
