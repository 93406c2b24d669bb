/**
 * 16550A UART (National Semiconductor PC16550D, "Registers").
 *
 * A character takes no time: what is written to THR is on the wire at once, so THRE and TEMT are always set, and a FIFO below its trigger level
 * reports a character timeout at once. Not implemented: line errors other than overrun, DMA mode, the gating of the interrupt by OUT2 (a matter of
 * the PC's wiring, which bhyve does not follow either).
 */
import { bit, hex } from '../base/bits.ts';
import { checkQueue } from './byte-queue.ts';
import { Access, type Device, type InspectNode, type Pin, type RegisterFacet } from './device.ts';
import { checkBoolean, checkInteger, checkKind } from './validate.ts';

// Registers, in the order of the data sheet. With LCR.DLAB set, 0 and 1 are the divisor latch.
const RBR_THR = 0;
const IER = 1;
const IIR_FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

const IER_RECEIVED = 0x01;
const IER_THR_EMPTY = 0x02;
const IER_LINE_STATUS = 0x04;
const IER_MODEM_STATUS = 0x08;

const IIR_NONE = 0x01;
const IIR_MODEM_STATUS = 0x00;
const IIR_THR_EMPTY = 0x02;
const IIR_RECEIVED = 0x04;
const IIR_LINE_STATUS = 0x06;
const IIR_TIMEOUT = 0x0c;
const IIR_FIFO = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVER = 0x02;

const LCR_DLAB = 0x80;

const MCR_DTR = 0x01;
const MCR_RTS = 0x02;
const MCR_OUT1 = 0x04;
const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;

const LSR_DATA_READY = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_THR_EMPTY = 0x20;
const LSR_TRANSMITTER_EMPTY = 0x40;

const MSR_DELTA_CTS = 0x01;
const MSR_DELTA_DSR = 0x02;
const MSR_TRAILING_RI = 0x04;
const MSR_DELTA_DCD = 0x08;
const MSR_CTS = 0x10;
const MSR_DSR = 0x20;
const MSR_RI = 0x40;
const MSR_DCD = 0x80;

/** A terminal that is always there: CTS, DSR and DCD active. */
const MODEM_PRESENT = MSR_CTS | MSR_DSR | MSR_DCD;
const FIFO_DEPTH = 16;
const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
const REGISTER_NAMES = ['RBR', 'IER', 'IIR', 'LCR', 'MCR', 'LSR', 'MSR', 'SCR'] as const;

export interface Uart16550Wiring {
  /** A character leaves the transmitter, 0..255. */
  transmit(byte: number): void;
  interrupt: Pin;
}

export type Uart16550State = {
  kind: 'uart16550';
  version: 1;
  ier: number;
  /** FCR as last written (bits 0, 3, 6, 7). */
  fcr: number;
  lcr: number;
  mcr: number;
  /** Sticky error bits of LSR. */
  errors: number;
  /** MSR: upper half the lines, lower half what changed since the last read. */
  msr: number;
  scr: number;
  divisor: number;
  received: number[];
  thrEmptyPending: boolean;
  /** The level on the interrupt pin. */
  line: boolean;
};

const atReset = (): Uart16550State => ({
  kind: 'uart16550',
  version: 1,
  ier: 0,
  fcr: 0,
  lcr: 0,
  mcr: 0,
  errors: 0,
  msr: MODEM_PRESENT,
  scr: 0,
  divisor: 12,
  received: [],
  thrEmptyPending: false,
  line: false,
});

export class Uart16550 implements Device<Uart16550State>, RegisterFacet {
  // state
  private state = atReset();

  constructor(
    // static configuration
    readonly name: string,
    // wiring
    private readonly wiring: Uart16550Wiring,
  ) {}

  read(offset: number, size: number): number {
    const value = this.peek(offset, size);
    if (value < 0) return value;
    const s = this.state;
    if (offset === RBR_THR && !bit(s.lcr, 7)) s.received.shift();
    else if (offset === IIR_FCR && (value & 0x0f) === IIR_THR_EMPTY) s.thrEmptyPending = false;
    else if (offset === LSR) s.errors = 0;
    else if (offset === MSR) s.msr &= 0xf0;
    this.drive();
    return value;
  }

  write(offset: number, size: number, value: number): number {
    if (size !== 1 || offset > SCR) return Access.absent;
    const s = this.state;
    const latch = (s.lcr & LCR_DLAB) !== 0;
    switch (offset) {
      case RBR_THR:
        if (latch) s.divisor = (s.divisor & 0xff00) | value;
        else {
          if (s.mcr & MCR_LOOP) this.take(value);
          else this.wiring.transmit(value);
          s.thrEmptyPending = true;
        }
        break;
      case IER:
        if (latch) s.divisor = (s.divisor & 0x00ff) | (value << 8);
        else {
          if (value & ~s.ier & IER_THR_EMPTY) s.thrEmptyPending = true;
          s.ier = value & 0x0f;
        }
        break;
      case IIR_FCR:
        if ((value ^ s.fcr) & FCR_ENABLE || value & FCR_CLEAR_RECEIVER) s.received.length = 0;
        s.fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
        break;
      case LCR:
        s.lcr = value;
        break;
      case MCR:
        s.mcr = value & 0x1f;
        this.modemLines();
        break;
      case SCR:
        s.scr = value;
        break;
      default: // LSR and MSR: "intended for read operations only"
        break;
    }
    this.drive();
    return Access.ok;
  }

  peek(offset: number, size: number): number {
    if (size !== 1 || offset > SCR) return Access.absent;
    const s = this.state;
    const latch = (s.lcr & LCR_DLAB) !== 0;
    switch (offset) {
      case RBR_THR:
        return latch ? s.divisor & 0xff : (s.received[0] ?? 0);
      case IER:
        return latch ? s.divisor >>> 8 : s.ier;
      case IIR_FCR:
        return this.pending() | (s.fcr & FCR_ENABLE ? IIR_FIFO : 0);
      case LCR:
        return s.lcr;
      case MCR:
        return s.mcr;
      case LSR:
        return LSR_TRANSMITTER_EMPTY | LSR_THR_EMPTY | s.errors | (s.received.length > 0 ? LSR_DATA_READY : 0);
      case MSR:
        return s.msr;
      default:
        return s.scr;
    }
  }

  /** A character arrives on the wire, 0..255. One that finds no room is lost (overrun); in loopback mode the wire is cut off. */
  receive(byte: number): void {
    if (this.state.mcr & MCR_LOOP) return;
    this.take(byte & 0xff);
    this.drive();
  }

  /** How many characters the receiver takes before it overruns. */
  get room(): number {
    return Math.max((this.state.fcr & FCR_ENABLE ? FIFO_DEPTH : 1) - this.state.received.length, 0);
  }

  reset(): void {
    this.state = atReset();
    this.wiring.interrupt(false);
  }

  save(): Uart16550State {
    return { ...this.state, received: [...this.state.received] };
  }

  load(state: Uart16550State): void {
    checkKind(state, 'uart16550', 1);
    for (const field of ['ier', 'fcr', 'lcr', 'mcr', 'errors', 'msr', 'scr'] as const)
      checkInteger(`${this.name}.${field}`, state[field], 0, 0xff);
    checkInteger(`${this.name}.divisor`, state.divisor, 0, 0xffff);
    checkQueue(`${this.name}.received`, state.received, FIFO_DEPTH);
    checkBoolean(`${this.name}.thrEmptyPending`, state.thrEmptyPending);
    checkBoolean(`${this.name}.line`, state.line);
    this.state = { ...state, received: [...state.received] };
  }

  inspect(): InspectNode {
    const s = this.state;
    return {
      name: this.name,
      value: `${s.divisor ? Math.round(115200 / s.divisor) : 0} baud, ${s.received.length} received${s.line ? ', interrupt' : ''}`,
      children: [
        ...REGISTER_NAMES.map((name, offset) => ({
          name,
          value: hex(offset === RBR_THR ? (s.received[0] ?? 0) : offset === IER ? s.ier : this.peek(offset, 1), 2),
        })),
        { name: 'FCR', value: hex(s.fcr, 2) },
        { name: 'DLM:DLL', value: hex(s.divisor, 4) },
      ],
    };
  }

  private take(byte: number): void {
    const s = this.state;
    if (this.room > 0) s.received.push(byte);
    else {
      s.errors |= LSR_OVERRUN;
      // With FIFOs the newcomer is lost; without, it overwrites the one in RBR ("Overrun Error").
      if (!(s.fcr & FCR_ENABLE)) s.received[0] = byte;
    }
  }

  /** In loopback mode the four modem outputs are connected to the four inputs. */
  private modemLines(): void {
    const s = this.state;
    const lines = !(s.mcr & MCR_LOOP)
      ? MODEM_PRESENT
      : (s.mcr & MCR_RTS ? MSR_CTS : 0) |
        (s.mcr & MCR_DTR ? MSR_DSR : 0) |
        (s.mcr & MCR_OUT1 ? MSR_RI : 0) |
        (s.mcr & MCR_OUT2 ? MSR_DCD : 0);
    const changed = lines ^ s.msr;
    s.msr = lines | (s.msr & 0x0f);
    if (changed & MSR_CTS) s.msr |= MSR_DELTA_CTS;
    if (changed & MSR_DSR) s.msr |= MSR_DELTA_DSR;
    if (changed & MSR_RI && !(lines & MSR_RI)) s.msr |= MSR_TRAILING_RI;
    if (changed & MSR_DCD) s.msr |= MSR_DELTA_DCD;
  }

  /** Bits 3..0 of IIR: the pending interrupt of the highest priority. */
  private pending(): number {
    const s = this.state;
    if (s.ier & IER_LINE_STATUS && s.errors) return IIR_LINE_STATUS;
    if (s.ier & IER_RECEIVED && s.received.length > 0) {
      const trigger = s.fcr & FCR_ENABLE ? (TRIGGER_LEVELS[s.fcr >>> 6] ?? 1) : 1;
      return s.received.length >= trigger ? IIR_RECEIVED : IIR_TIMEOUT;
    }
    if (s.ier & IER_THR_EMPTY && s.thrEmptyPending) return IIR_THR_EMPTY;
    if (s.ier & IER_MODEM_STATUS && s.msr & 0x0f) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  private drive(): void {
    const level = this.pending() !== IIR_NONE;
    if (level === this.state.line) return;
    this.state.line = level;
    this.wiring.interrupt(level);
  }
}
