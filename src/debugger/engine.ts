/** The one breakpoint engine: which breakpoints an exit, an IPI, an event or an instruction fulfils. */
import { field } from '../machine/base/bits.ts';
import { ExitCode } from '../machine/ledger/exitcode.ts';
import { EventKind, type EventRecord, type ExitRecord, type IpiRecord, type IpiTarget, Outcome } from '../machine/ledger/records.ts';
import { Verdict } from '../machine/ledger/verdict.ts';
import { icrMode } from '../machine/x86/icr.ts';
import type { Access, Breakpoint, Hits, Trigger } from './breakpoint.ts';
import { evaluate, isTrue } from './evaluate.ts';
import { isTripleFault, lapicAccess } from './explain.ts';
import { ExpressionError } from './lexer.ts';
import { type Focus, MachineScope, type MachineView } from './scope.ts';

/** A breakpoint that was fulfilled, and by what. */
export interface Hit {
  readonly breakpoint: Breakpoint;
  /** How often it has been fulfilled, its condition included, this time counted. */
  readonly count: number;
  readonly focus: Focus;
  /** Why its condition could not be evaluated; then it counts as fulfilled, so that nothing is missed in silence. */
  readonly problem?: string;
}

/** A breakpoint that has not stopped the run yet. */
export interface Unmet {
  readonly breakpoint: Breakpoint;
  /** How often it was fulfilled: 0, unless its hit count asks for more. */
  readonly count: number;
}

interface Armed {
  readonly breakpoint: Breakpoint;
  count: number;
  stopped: boolean;
}

const counts = (hits: Hits | undefined, n: number): boolean => {
  if (hits === undefined) return true;
  switch (hits.operator) {
    case '==':
      return n === hits.count;
    case '>':
      return n > hits.count;
    case '>=':
      return n >= hits.count;
    case '<':
      return n < hits.count;
    case '<=':
      return n <= hits.count;
    case '%':
      return n % hits.count === 0;
  }
};

const allows = (access: Access, write: boolean): boolean => (write ? access.write : access.read);

const FATAL: readonly Outcome[] = [Outcome.aborted, Outcome.runFailed, Outcome.hostPanic];

const VECTOR_EVENTS: readonly EventKind[] = [EventKind.interrupt, EventKind.nmi, EventKind.extInt, EventKind.exception];

export class BreakpointEngine {
  private readonly armed: Armed[] = [];
  private readonly kinds = new Set<Trigger['kind']>();

  constructor(
    private readonly machine: MachineView,
    private readonly symbols: (name: string) => number | undefined = () => undefined,
  ) {}

  add(breakpoint: Breakpoint): void {
    this.armed.push({ breakpoint, count: 0, stopped: false });
    this.kinds.add(breakpoint.trigger.kind);
  }
  get breakpoints(): readonly Breakpoint[] {
    return this.armed.map((a) => a.breakpoint);
  }
  /** Breakpoints that have never stopped the run. */
  unmet(): readonly Unmet[] {
    return this.armed.filter((a) => !a.stopped).map(({ breakpoint, count }) => ({ breakpoint, count }));
  }
  /** Does any breakpoint wait for such a thing? Lets the caller spare itself the record. */
  waitsFor(kind: Trigger['kind']): boolean {
    return this.kinds.has(kind);
  }
  /** May an exit of this hardware code fulfil any breakpoint? */
  waitsForExit(code: number): boolean {
    for (const { breakpoint } of this.armed) {
      const t = breakpoint.trigger;
      if (t.kind === 'exit' && (t.fatal || t.codes.has(code) || code === ExitCode.MMIO_EMUL)) return true;
      if (t.kind === 'io' && code === ExitCode.INOUT) return true;
      if (t.kind === 'msr' && (code === ExitCode.RDMSR || code === ExitCode.WRMSR)) return true;
      if (
        t.kind === 'lapic' &&
        (code === ExitCode.MMIO_EMUL || code === ExitCode.MMIO || code === ExitCode.RDMSR || code === ExitCode.WRMSR)
      )
        return true;
    }
    return false;
  }
  /** Linear addresses of all instruction breakpoints. */
  instructionAddresses(): ReadonlySet<number> {
    const addresses = new Set<number>();
    for (const { breakpoint } of this.armed)
      if (breakpoint.trigger.kind === 'instruction') for (const linear of breakpoint.trigger.linear) addresses.add(linear);
    return addresses;
  }

  /** Breakpoints that a finished exit fulfils. */
  exit(exit: ExitRecord, ipi?: IpiRecord): Hit[] {
    return this.check((t) => {
      switch (t.kind) {
        case 'exit':
          return t.codes.has(exit.code) || t.codes.has(exit.finalCode) || (t.fatal && (FATAL.includes(exit.outcome) || isTripleFault(exit)))
            ? { vcpu: exit.vcpu, exit, ipi }
            : undefined;
        case 'io': {
          const overlaps =
            exit.code === ExitCode.INOUT && exit.address < t.port + t.length && t.port < exit.address + Math.max(exit.size, 1);
          return overlaps && allows(t.access, exit.write) ? { vcpu: exit.vcpu, exit } : undefined;
        }
        case 'msr': {
          const write = exit.code === ExitCode.WRMSR;
          return (write || exit.code === ExitCode.RDMSR) && exit.address === t.msr && allows(t.access, write)
            ? { vcpu: exit.vcpu, exit }
            : undefined;
        }
        case 'lapic': {
          const accessed = lapicAccess(exit);
          const write = exit.code === ExitCode.WRMSR || (exit.code !== ExitCode.RDMSR && exit.write);
          if (accessed?.offset !== t.register.offset || (t.vcpu !== undefined && t.vcpu !== exit.vcpu) || !allows(t.access, write))
            return undefined;
          const value = t.field === undefined ? exit.value : field(exit.value, t.field.high, t.field.low) >>> 0;
          return { vcpu: exit.vcpu, exit, ipi, value };
        }
        default:
          return undefined;
      }
    });
  }

  /** Breakpoints that an IPI fulfils at any of its targets. A vCPU that it does not address counts only when `notAddressed` is asked for. */
  ipi(ipi: IpiRecord, exit?: ExitRecord): Hit[] {
    return this.check((t) => {
      if (t.kind !== 'ipi' || (t.mode !== undefined && t.mode !== icrMode(ipi.icrLow))) return undefined;
      if (t.nobody === true) {
        const found = ipi.targets.every(({ verdict }) => verdict === Verdict.notAddressed);
        return found ? { vcpu: ipi.vcpu, ipi, exit, value: ipi.icrLow } : undefined;
      }
      const wanted = ({ vcpu, verdict, reason }: IpiTarget): boolean =>
        (t.target === undefined || t.target === vcpu) &&
        (t.reason !== undefined ? reason === t.reason : t.verdict !== undefined ? verdict === t.verdict : verdict !== Verdict.notAddressed);
      const target = ipi.targets.find(wanted);
      const nobody = t.target === undefined && t.verdict === undefined && t.reason === undefined;
      return target !== undefined || nobody ? { vcpu: ipi.vcpu, ipi, exit, target, value: ipi.icrLow } : undefined;
    });
  }

  /** Breakpoints that an event fulfils. */
  event(event: EventRecord): Hit[] {
    if (!VECTOR_EVENTS.includes(event.kind)) return [];
    const vector = event.kind === EventKind.nmi ? 2 : event.value;
    return this.check((t) => (t.kind === 'vector' && t.vector === vector ? { vcpu: event.vcpu, vector, value: event.detail } : undefined));
  }

  /** Breakpoints at the instruction that a vCPU is about to execute. */
  instruction(vcpu: number, linear: number): Hit[] {
    return this.check((t) => (t.kind === 'instruction' && t.linear.includes(linear) ? { vcpu } : undefined));
  }

  private check(fulfilled: (trigger: Trigger) => Focus | undefined): Hit[] {
    const hits: Hit[] = [];
    for (const armed of this.armed) {
      const { breakpoint } = armed;
      const focus = fulfilled(breakpoint.trigger);
      if (focus === undefined) continue;
      let problem: string | undefined;
      if (breakpoint.condition !== undefined) {
        try {
          if (!isTrue(evaluate(breakpoint.condition, new MachineScope(this.machine, focus, this.symbols)))) continue;
        } catch (error) {
          if (!(error instanceof ExpressionError)) throw error;
          problem = error.message;
        }
      }
      armed.count++;
      if (problem === undefined && !counts(breakpoint.hits, armed.count)) continue;
      armed.stopped = true;
      hits.push({ breakpoint, count: armed.count, focus, ...(problem === undefined ? {} : { problem }) });
    }
    return hits;
  }
}
