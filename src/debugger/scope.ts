/** What an expression sees at a stop: the selected vCPU, every local APIC, time, and the exit or IPI that is looked at. */
import { field } from '../machine/base/bits.ts';
import { ExitCode } from '../machine/ledger/exitcode.ts';
import type { EventRecord, ExitRecord, IpiRecord, IpiTarget } from '../machine/ledger/records.ts';
import { decodeIcr } from '../machine/x86/icr.ts';
import type { Scope, Unavailable, Value } from './evaluate.ts';
import {
  FLAGS,
  fieldWord,
  IOAPIC_NAMES,
  ioapicField,
  ioapicFieldWords,
  ioapicRegister,
  LAPIC_NAMES,
  lapicField,
  lapicRegister,
  PROCESSOR_REGISTERS,
} from './registers.ts';

/** The I/O APIC, to look at. */
export interface IoapicView {
  /** The number of redirection entries. */
  readonly pins: number;
  /** The index register: which register the data register is. */
  readonly selected: number;
  /** A register by its index, whatever the index register says; 0 where there is none. */
  peekRegister(index: number): number;
}

/** What the debugger asks of a machine in order to look at it. Nothing here has a side effect on the guest. */
export interface MachineView {
  readonly vcpuCount: number;
  readonly nowNs: number;
  readonly instructions: number;
  /** A register of one vCPU by name, or undefined for a name that is none. */
  register(vcpu: number, name: string): number | undefined;
  /** 1, 2 or 4 bytes at a linear address of one vCPU; undefined where there is nothing to read. */
  peek(vcpu: number, linear: number, size: 1 | 2 | 4): number | undefined;
  /** A local APIC register by offset, or undefined where it cannot be looked at. */
  lapic(vcpu: number, offset: number): number | undefined;
  readonly ioapic?: IoapicView | undefined;
}

/** What is looked at besides the machine. */
export interface Focus {
  readonly vcpu: number;
  readonly exit?: ExitRecord | undefined;
  readonly ipi?: IpiRecord | undefined;
  readonly target?: IpiTarget | undefined;
  /** What `value` means, where that is not the exit's value. */
  readonly value?: number | undefined;
  /** The vector that was delivered. */
  readonly vector?: number | undefined;
  readonly event?: EventRecord | undefined;
}

const MMIO: readonly number[] = [ExitCode.MMIO_EMUL, ExitCode.MMIO, ExitCode.PAGING, ExitCode.INST_EMUL];

/** Fields of `exit.`: each gives a value, or why this exit has none. */
const EXIT: Readonly<Record<string, (e: ExitRecord) => Value | Unavailable>> = {
  number: (e) => e.number,
  code: (e) => e.code,
  final: (e) => e.finalCode,
  vcpu: (e) => e.vcpu,
  time: (e) => e.timeNs,
  eip: (e) => e.eip,
  address: (e) => e.address,
  gpa: (e) => (MMIO.includes(e.code) ? e.address : { unavailable: 'this exit is no memory access' }),
  port: (e) => (e.code === ExitCode.INOUT ? e.address : { unavailable: 'this exit is no port access' }),
  msr: (e) => (e.code === ExitCode.RDMSR || e.code === ExitCode.WRMSR ? e.address : { unavailable: 'this exit is no MSR access' }),
  size: (e) => e.size,
  write: (e) => (e.write ? 1 : 0),
  value: (e) => e.value,
  value_high: (e) => e.valueHigh,
  device: (e) => e.device,
  request: (e) => e.request,
  outcome: (e) => e.outcome,
  ipi: (e) => e.ipi,
  note: (e) => e.note,
};

const needsTarget: Unavailable = { unavailable: 'no single target is looked at' };

/** Fields of `ipi.`. */
const IPI: Readonly<Record<string, (i: IpiRecord, t: IpiTarget | undefined) => Value | Unavailable>> = {
  number: (i) => i.number,
  exit: (i) => i.exit,
  vcpu: (i) => i.vcpu,
  time: (i) => i.timeNs,
  mode: (i) => decodeIcr(i.icrLow, i.icrHigh).mode,
  vector: (i) => decodeIcr(i.icrLow, i.icrHigh).vector,
  dest: (i) => decodeIcr(i.icrLow, i.icrHigh).destination,
  shorthand: (i) => decodeIcr(i.icrLow, i.icrHigh).shorthand,
  logical: (i) => (decodeIcr(i.icrLow, i.icrHigh).logical ? 1 : 0),
  assert: (i) => (decodeIcr(i.icrLow, i.icrHigh).assert ? 1 : 0),
  level: (i) => (decodeIcr(i.icrLow, i.icrHigh).levelTriggered ? 1 : 0),
  icr_lo: (i) => i.icrLow,
  icr_hi: (i) => i.icrHigh,
  target: (_, t) => t?.vcpu ?? needsTarget,
  verdict: (_, t) => t?.verdict ?? needsTarget,
  reason: (_, t) => t?.reason ?? needsTarget,
  detail: (_, t) => t?.detail ?? needsTarget,
};

const REGISTERS = new Set(PROCESSOR_REGISTERS);

export class MachineScope implements Scope {
  /** @param symbols address (or value of an EQU) of a name of the program, if it has such a name */
  constructor(
    private readonly machine: MachineView,
    private readonly focus: Focus,
    private readonly symbols: (name: string) => number | undefined = () => undefined,
  ) {}

  symbol(name: string): number | undefined {
    return this.symbols(name);
  }

  memory(address: number, size: 1 | 2 | 4): number | undefined {
    return this.machine.peek(this.focus.vcpu, address, size);
  }

  lookup(path: readonly string[], index: number | undefined, part = 0): Value | Unavailable | undefined {
    const [first, second] = path as [string, string?];
    if (first === 'ioapic') return this.ioapic(path, index, part);
    if (index !== undefined && part > 0) {
      // lapic.irr[3]: the eight words of a vector map.
      const map = first === 'lapic' && part === 1 && /^(?:isr|tmr|irr)$/.test(second ?? '');
      return map ? this.lapic([first, `${second}${index}`, ...path.slice(2)], this.focus.vcpu) : undefined;
    }
    if (first === 'lapic') return this.lapic(path, index ?? this.focus.vcpu);
    if (first === 'cpu' || first === 'vcpu') {
      if (index !== undefined) return path.length > 1 ? this.register(index, path.slice(1).join('.')) : index;
      if (path.length === 1) return this.focus.vcpu;
    }
    if (index !== undefined) return undefined;
    const { exit, ipi, target } = this.focus;
    if (first === 'exit' && path.length <= 2) {
      const field = EXIT[second ?? 'code'];
      if (field !== undefined) return exit === undefined ? { unavailable: 'nothing has exited' } : field(exit);
    }
    if (first === 'ipi' && path.length <= 2) {
      const field = IPI[second ?? 'number'];
      if (field !== undefined) return ipi === undefined ? { unavailable: 'no IPI is looked at' } : field(ipi, target);
    }
    if (path.length === 1) {
      if (first === 'time') return this.machine.nowNs;
      if (first === 'icount') return this.machine.instructions;
      if (first === 'vcpus') return this.machine.vcpuCount;
      if (first === 'value') return this.focus.value ?? exit?.value ?? { unavailable: 'nothing was read or written' };
      if (first === 'vector') return this.focus.vector ?? { unavailable: 'nothing was delivered' };
    }
    return this.register(this.focus.vcpu, path.join('.'));
  }

  private register(vcpu: number, name: string): Value | Unavailable | undefined {
    if (vcpu < 0 || vcpu >= this.machine.vcpuCount)
      return { unavailable: `there is no vCPU ${vcpu}; 0 to ${this.machine.vcpuCount - 1} are` };
    const flag = FLAGS.get(name);
    if (flag) return field(this.machine.register(vcpu, 'eflags') ?? 0, flag[0] + flag[1] - 1, flag[0]) >>> 0;
    if (name === 'flags') return this.machine.register(vcpu, 'eflags');
    return REGISTERS.has(name) ? this.machine.register(vcpu, name) : undefined;
  }

  private lapic(path: readonly string[], vcpu: number): Value | Unavailable | undefined {
    const register = path[1] === undefined ? undefined : lapicRegister(path[1]);
    if (register === undefined || path.length > 3) return undefined;
    if (vcpu < 0 || vcpu >= this.machine.vcpuCount)
      return { unavailable: `there is no vCPU ${vcpu}; 0 to ${this.machine.vcpuCount - 1} are` };
    const value = this.machine.lapic(vcpu, register.offset);
    if (path[2] === undefined) return value ?? { unavailable: `${register.name} cannot be read` };
    const part = lapicField(register, path[2]);
    if (part === undefined) return undefined;
    return value === undefined ? { unavailable: `${register.name} cannot be read` } : field(value, part.high, part.low) >>> 0;
  }

  private ioapic(path: readonly string[], index: number | undefined, part: number): Value | Unavailable | undefined {
    const register = path[1] === undefined ? undefined : ioapicRegister(path[1]);
    if (register === undefined || path.length > 3) return undefined;
    const table = register.name === 'REDTBL';
    if (table ? index === undefined || part !== 1 : index !== undefined) return undefined;
    const found = path[2] === undefined ? undefined : ioapicField(register, path[2]);
    if (path[2] !== undefined && found === undefined) return undefined;
    const { ioapic } = this.machine;
    if (ioapic === undefined) return { unavailable: 'there is no I/O APIC to look at' };
    if (register.name === 'EOI') return { unavailable: 'EOI cannot be read' };
    if (table && (index! < 0 || index! >= ioapic.pins)) return { unavailable: `there is no entry ${index}; 0 to ${ioapic.pins - 1} are` };
    const entry = table ? 2 * index! + (found?.half === 'high' ? 1 : 0) : 0;
    const value =
      register.index !== undefined
        ? ioapic.peekRegister(register.index + entry)
        : register.name === 'IOREGSEL'
          ? ioapic.selected
          : ioapic.peekRegister(ioapic.selected);
    return found === undefined ? value : field(value, found.field.high, found.field.low) >>> 0;
  }

  /** All names, for completion and for suggestions. Redirection entries are there one by one, as many as there are. */
  *names(): Iterable<string> {
    yield* PROCESSOR_REGISTERS;
    yield* FLAGS.keys();
    for (const name of LAPIC_NAMES) {
      yield `lapic.${name}`;
      for (const part of lapicRegister(name)?.fields ?? []) if (part.name !== '') yield `lapic.${name}.${fieldWord(part)}`;
    }
    for (const name of this.machine.ioapic === undefined ? [] : IOAPIC_NAMES) {
      const fields = ioapicFieldWords(ioapicRegister(name)!);
      const entries = name === 'redtbl' ? Array.from({ length: this.machine.ioapic!.pins }, (_, i) => `redtbl[${i}]`) : [name];
      for (const entry of entries) yield* [`ioapic.${entry}`, ...fields.map((word) => `ioapic.${entry}.${word}`)];
    }
    for (const key of Object.keys(EXIT)) yield `exit.${key}`;
    for (const key of Object.keys(IPI)) yield `ipi.${key}`;
    yield* ['vcpu', 'time', 'icount', 'vcpus', 'value', 'vector'];
  }
}
