/**
 * ISA interrupt lines: IRQ n drives input n of the 8259s and a pin of the I/O APIC (pin 2 for IRQ 0); the 8259s' INTR drives LINT0 of every vCPU and,
 * as a pulse, I/O APIC pin 0 (illumos `vatpic.c`, bhyve's ISA interrupt routing).
 */
import { checkState, type Stateful } from '../base/state.ts';
import type { Pin } from '../devices/device.ts';
import type { Vatpic } from '../devices/vatpic.ts';
import type { Vioapic } from '../devices/vioapic.ts';
import { LvtIndex } from '../devices/vlapic-lvt.ts';
import type { Vlapic } from '../devices/vlapic.ts';
import { DeliveryMode, Lvt } from '../x86/apic.ts';

const RTE_MASK = 1 << 16;
/** The master's input that carries the slave. */
const CASCADE = 2;

export type InterruptLinesState = { kind: 'irq'; version: 1; levels: number[] };

/** All sources of ISA interrupts. Several may share a line: the controllers count. */
export class InterruptLines implements Stateful<InterruptLinesState> {
  /** The level each source drives, in the order in which they were made. */
  private readonly levels: boolean[] = [];
  /** The IRQ that each alarm (by its name) can raise: for telling whether anything can happen any more. */
  readonly irqOfAlarm = new Map<string, number>();

  constructor(
    private readonly pic: Vatpic,
    private readonly ioapic: Vioapic,
  ) {}

  /** An output of a device that is wired to `irq` (0..15). Made while the machine is built. */
  source(irq: number): Pin {
    const index = this.levels.push(false) - 1;
    return (level) => this.drive(index, irq, level);
  }
  /** As source, for a device with sixteen interrupts (PIIX3). */
  sources(): (irq: number, level: boolean) => void {
    const pins = Array.from({ length: 16 }, (_, irq) => this.source(irq));
    return (irq, level) => pins[irq]?.(level);
  }

  /** Could an edge of `irq` interrupt the vCPU of that local APIC; with IF=0 (`nmiOnly`), as an NMI? */
  mayInterrupt(irq: number, lapic: Vlapic, nmiOnly: boolean): boolean {
    const { low } = this.ioapic.save();
    const entry = low[irq === 0 ? 2 : irq];
    if (!nmiOnly && entry !== undefined && (entry & RTE_MASK) === 0) return true;
    const { master, slave } = this.pic.save();
    if (irq < 8 ? master.imr & (1 << irq) : master.imr & (1 << CASCADE) || slave.imr & (1 << (irq & 7))) return false;
    const lint0 = lapic.lvt[LvtIndex.LINT0] as number;
    if (!lapic.softwareEnabled || !lapic.hardwareEnabled) return !nmiOnly;
    if (lint0 & Lvt.MASKED) return false;
    return !nmiOnly || (lint0 & Lvt.DELIVERY_MODE) >>> 8 === DeliveryMode.NMI;
  }

  save(): InterruptLinesState {
    return { kind: 'irq', version: 1, levels: this.levels.map(Number) };
  }
  load(state: InterruptLinesState): void {
    checkState(state.kind === 'irq' && state.version === 1, 'irq', `${state.kind} ${state.version}`, 'irq 1');
    checkState(state.levels.length === this.levels.length, 'irq.levels.length', state.levels.length, String(this.levels.length));
    state.levels.forEach((level, i) => {
      this.levels[i] = level !== 0;
    });
  }

  private drive(index: number, irq: number, level: boolean): void {
    if (this.levels[index] === level) return;
    this.levels[index] = level;
    const pin = irq === 0 ? 2 : irq;
    if (level) {
      this.pic.assert(irq);
      this.ioapic.assert(pin);
    } else {
      this.pic.deassert(irq);
      this.ioapic.deassert(pin);
    }
  }
}
