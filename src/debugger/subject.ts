/** A Machine as the debugger drives and looks at it. Every look is a peek: no device notices, and the processor stays as it was. */
import type { Machine } from '../machine/machine.ts';
import type { LedgerReader } from '../machine/ledger/records.ts';
import type { End } from '../machine/vmm/end.ts';
import type { Timeline } from '../machine/timeline/timeline.ts';
import { RunStop } from '../machine/vmm/schedule.ts';
import type { Observers } from '../machine/vmm/vm.ts';
import { APIC_BASE_ADDRESS } from '../machine/x86/apic.ts';
import type { IoapicView } from './scope.ts';
import type { Debuggee } from './session.ts';

const PAGING = 0x80000000;
const PAGE_SIZE_EXTENSIONS = 0x10;
const PRESENT = 1;
const LARGE = 0x80;

const STOPS = {
  limit: RunStop.limit,
  stopped: RunStop.stopped,
  breakpoint: RunStop.breakpoint,
  turn: RunStop.turn,
  alone: RunStop.alone,
} as const;

export class Subject implements Debuggee {
  /** @param timeline through which the machine is to be run, so that it can be gone back; absent: it runs by itself */
  constructor(
    readonly machine: Machine,
    private readonly timeline?: Timeline,
  ) {}

  get vcpuCount(): number {
    return this.machine.cpus;
  }
  get nowNs(): number {
    return this.machine.clock.nowNs;
  }
  get instructions(): number {
    return this.machine.clock.instructions;
  }
  get ledger(): LedgerReader {
    return this.machine.ledger;
  }
  get end(): End | undefined {
    return this.machine.end;
  }
  get observers(): Observers {
    return this.machine.observers;
  }
  get currentVcpu(): number {
    return this.machine.schedule.currentVcpu;
  }

  run(instructions: number, untilNs: number, turnOf = -1): RunStop {
    if (this.timeline === undefined) return this.machine.schedule.run(instructions, untilNs, turnOf);
    const ran = this.timeline.run({ instructions, untilNs, turnOf });
    return typeof ran === 'string' ? STOPS[ran] : RunStop.ended;
  }
  ranAt(vcpu: number): number {
    return this.machine.schedule.ranAt(vcpu);
  }
  requestStop(): void {
    this.machine.requestStop();
  }

  register(vcpu: number, name: string): number | undefined {
    return this.as(vcpu, (processor) => processor.register(name));
  }
  position(vcpu: number): { eip: number; csBase: number } {
    return this.as(vcpu, ({ eip, csBase }) => ({ eip: eip >>> 0, csBase: csBase >>> 0 }));
  }
  /** Up to 15 bytes of a vCPU's next instruction, as many as can be read, and whether it is 32-bit code. */
  code(vcpu: number): { readonly bytes: Uint8Array; readonly bits: 16 | 32 } {
    return this.as(vcpu, (processor) => {
      const bytes = new Uint8Array(15);
      return { bytes: bytes.subarray(0, processor.fetchBytes(bytes)), bits: processor.code32 ? 32 : 16 };
    });
  }
  lapic(vcpu: number, offset: number): number | undefined {
    return this.machine.vm.mmio.peek(vcpu, APIC_BASE_ADDRESS + offset, 4);
  }

  get ioapic(): IoapicView {
    return this.machine.platform.ioapic;
  }

  peek(vcpu: number, linear: number, size: 1 | 2 | 4): number | undefined {
    let value = 0;
    for (let i = 0; i < size; i++) {
      const physical = this.translate(vcpu, (linear + i) >>> 0);
      if (physical === undefined) return undefined;
      // A device's register is looked at as a whole.
      if (!this.machine.memory.isBacked(physical)) return i === 0 ? this.machine.vm.mmio.peek(vcpu, physical, size) : undefined;
      value = (value | ((this.machine.memory.readBytes(physical, 1)[0] as number) << (8 * i))) >>> 0;
    }
    return value;
  }

  setInstructionBreakpoints(linear: ReadonlySet<number>): void {
    this.machine.processor.breakpoints = linear;
  }

  /** Guest-physical address of a linear one, by the page tables as they stand; undefined where nothing is mapped. Sets no accessed bit. */
  translate(vcpu: number, linear: number): number | undefined {
    if (((this.register(vcpu, 'cr0') ?? 0) & PAGING) === 0) return linear;
    const directory = ((this.register(vcpu, 'cr3') ?? 0) & 0xfffff000) >>> 0;
    const entry = this.physical32(directory + (linear >>> 22) * 4);
    if (entry === undefined || (entry & PRESENT) === 0) return undefined;
    if ((entry & LARGE) !== 0 && ((this.register(vcpu, 'cr4') ?? 0) & PAGE_SIZE_EXTENSIONS) !== 0)
      return ((entry & 0xffc00000) >>> 0) + (linear & 0x3fffff);
    const page = this.physical32(((entry & 0xfffff000) >>> 0) + ((linear >>> 12) & 0x3ff) * 4);
    return page === undefined || (page & PRESENT) === 0 ? undefined : ((page & 0xfffff000) >>> 0) + (linear & 0xfff);
  }

  private physical32(address: number): number | undefined {
    const bytes = this.machine.memory.readBytes(address >>> 0, 4);
    return bytes.length < 4 ? undefined : new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  }

  /** Looks through the eyes of one vCPU, and gives the processor back as it was. */
  as<T>(vcpu: number, look: (processor: Machine['processor']) => T): T {
    const { processor } = this.machine;
    const before = processor.selected;
    if (before !== vcpu) processor.select(vcpu);
    const result = look(processor);
    if (before !== vcpu) processor.select(before);
    return result;
  }
}
