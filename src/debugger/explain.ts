/**
 * One decoded sentence, with its numbers, for everything that the machine records: exits, IPIs, their targets, events and ends.
 * Every surface says it in these words.
 */
import { hex } from '../machine/base/bits.ts';
import { Access } from '../machine/devices/device.ts';
import { ExitCode } from '../machine/ledger/exitcode.ts';
import { Answer, type ExitRecord, type IpiRecord, type IpiTarget, Outcome, RequestState } from '../machine/ledger/records.ts';
import { Reason, Verdict } from '../machine/ledger/verdict.ts';
import { evidenceWords, exitCodeName, outcomeWords, reachedWords, runStateName, whyWords } from '../machine/ledger/words.ts';
import type { End } from '../machine/vmm/end.ts';
import { APIC_BASE_ADDRESS, APIC_PAGE_SIZE, Apic, apicRegisterAt } from '../machine/x86/apic.ts';
import { SuspendHow, VRS } from '../machine/vmm/runstate.ts';
import { decodeIcr, icrSentence, icrWhat } from '../machine/x86/icr.ts';
import { MSR_NAMES } from './registers.ts';

/** An exit code's name, without VM_EXITCODE_. */
export const exitName = exitCodeName;

/** Virtual time in ms with µs and ns set apart: `0.002 110 ms`. */
export function time(ns: number): string {
  const whole = Math.floor(ns / 1e6);
  const rest = String(Math.floor(ns % 1e6)).padStart(6, '0');
  return `${whole}.${rest.slice(0, 3)} ${rest.slice(3)} ms`;
}

/** A span of virtual time in the largest fitting unit: `20 ns`, `7.5 us`, `10 ms`, `1.2 s`. */
export function span(ns: number): string {
  const [scale, unit] = ns < 1e3 ? [1, 'ns'] : ns < 1e6 ? [1e3, 'us'] : ns < 1e9 ? [1e6, 'ms'] : [1e9, 's'];
  return `${Number((ns / (scale as number)).toPrecision(3))} ${unit}`;
}

/** The local APIC register that an exit accessed (by memory, or by x2APIC MSR), or undefined. */
export function lapicAccess(exit: ExitRecord): { readonly offset: number; readonly name: string } | undefined {
  const mmio = exit.code === ExitCode.MMIO_EMUL || exit.code === ExitCode.MMIO || exit.code === ExitCode.INST_EMUL;
  let offset = -1;
  if (mmio && exit.address >= APIC_BASE_ADDRESS && exit.address < APIC_BASE_ADDRESS + APIC_PAGE_SIZE)
    offset = (exit.address - APIC_BASE_ADDRESS) & ~0xf;
  else if ((exit.code === ExitCode.RDMSR || exit.code === ExitCode.WRMSR) && exit.address >= 0x800 && exit.address < 0x840)
    offset = (exit.address - 0x800) * 16;
  if (offset < 0) return undefined;
  return { offset, name: apicRegisterAt(offset)?.name ?? `offset ${hex(offset, 3)}` };
}

/** Did the VM end here because a vCPU shut down? */
export const isTripleFault = (exit: ExitRecord): boolean => exit.code === ExitCode.SUSPENDED && exit.address === SuspendHow.TRIPLEFAULT;

/** Is it a store to the local APIC's page that no register takes: not of 32 bits, or beside a register's first byte? */
const isMalformed = (exit: ExitRecord): boolean =>
  lapicAccess(exit) !== undefined &&
  (exit.code === ExitCode.MMIO_EMUL || exit.code === ExitCode.MMIO) &&
  exit.write &&
  exit.size !== 0 &&
  exit.ipi === 0 &&
  (exit.size !== 4 || (exit.address & 0xf) !== 0);

const h = (n: number, digits: number): string => `${hex(n, digits)}h`;

function stored(exit: ExitRecord): string {
  if (exit.size === 0) return '';
  const digits = exit.size === 8 ? 8 : 2 * exit.size;
  return exit.size === 8 && exit.valueHigh !== 0 ? `${hex(exit.valueHigh, 8)}_${h(exit.value, 8)}` : h(exit.value, digits);
}

/** `APICBASE (1Bh)`; for one without a name `1234h`. */
export const msrName = (msr: number): string => {
  for (const [name, number] of MSR_NAMES) if (number === msr) return `${name.toUpperCase()} (${h(msr, 1)})`;
  return h(msr, 1);
};

/** What a vCPU does that leaves the guest because of its run state. */
function runStateWords(bits: number): string {
  if (bits & VRS.PEND_INIT) return 'takes an INIT';
  if ((bits & VRS.INIT) === 0) return bits & VRS.RUN ? 'has its run state looked at' : 'has not been started';
  return bits & VRS.PEND_SIPI ? 'takes a SIPI' : 'waits for a SIPI';
}

/** What the guest did: `vCPU0 stored 000C4500h to ICR_LO: INIT to all excluding self`. Without a full stop. */
export function whatExit(exit: ExitRecord, ipi?: IpiRecord): string {
  const who = `vCPU${exit.vcpu}`;
  const value = stored(exit);
  const register = lapicAccess(exit);
  switch (exit.code) {
    case ExitCode.INOUT:
      return exit.write ? `${who} wrote ${value} to port ${h(exit.address, 2)}` : `${who} read ${value} from port ${h(exit.address, 2)}`;
    case ExitCode.RDMSR:
      return exit.outcome === Outcome.injected
        ? `${who} tried to read MSR ${msrName(exit.address)}`
        : `${who} read ${value} from MSR ${msrName(exit.address)}`;
    case ExitCode.WRMSR:
      return `${who} ${exit.outcome === Outcome.injected ? 'tried to write' : 'wrote'} ${value} to MSR ${msrName(exit.address)}`;
    case ExitCode.MMIO_EMUL:
    case ExitCode.MMIO: {
      const where = register?.name ?? `${exit.device === '' ? '' : `${exit.device} at `}${h(exit.address, 8)}`;
      if (exit.answer === Answer.none && exit.request !== RequestState.DONE)
        return `${who} ${exit.write ? 'tried to store to' : 'tried to access'} ${where}`;
      if (!exit.write) return `${who} read ${value === '' ? '' : `${value} `}from ${where}`;
      if (value === '') return `${who} tried to store to ${where}`;
      if (isMalformed(exit)) {
        const lane = exit.address & 0xf;
        return `${who} stored ${value} to ${where}${lane === 0 ? '' : `+${lane}`}`;
      }
      const asked = register?.offset === Apic.ICR_LO ? `: ${icrSentence(exit.value, ipi?.icrHigh ?? 0)}` : '';
      return `${who} stored ${value} to ${where}${asked}`;
    }
    case ExitCode.PAGING:
      return `${who} accessed ${h(exit.address, 8)}, where there is nothing`;
    case ExitCode.INST_EMUL:
      return `${who} executed an instruction that the VMM cannot emulate${exit.address === 0 ? '' : ` on ${register?.name ?? h(exit.address, 8)}`}`;
    case ExitCode.HLT:
      return `${who} halted`;
    case ExitCode.PAUSE:
      return `${who} executed PAUSE`;
    case ExitCode.RUN_STATE:
      return `${who} ${runStateWords(exit.address)} (run state ${runStateName(exit.address)})`;
    case ExitCode.SUSPENDED:
      return isTripleFault(exit) ? `${who} shut down` : `${who} saw that the VM is suspended`;
    case ExitCode.IOAPIC_EOI:
      return `${who} ended level-triggered vector ${hex(exit.address, 2)}`;
    default:
      return `${who} left the guest with ${exitName(exit.code)}`;
  }
}

/** How a handler answered: `returns -1, to userspace`; '' when nothing was asked. */
export function returned(exit: ExitRecord): string {
  if (exit.answer === Answer.nobody) return 'nobody answers there';
  if (exit.answer === Answer.none) return '';
  switch (exit.returned) {
    case Access.toUserspace:
      return 'returns -1, to userspace';
    case Access.invalid:
      return 'returns EINVAL';
    case Access.absent:
      return 'no such register';
    default:
      return 'returns 0, done';
  }
}

/** Whole sentence of an exit: `vCPU0 stored 000C4500h to ICR_LO: INIT to all excluding self; lapic returns -1, to userspace; HOST PANIC: bad pending MMIO state.` */
export function explainExit(exit: ExitRecord, ipi?: IpiRecord): string {
  const parts = [whatExit(exit, ipi)];
  const answer = returned(exit);
  if (
    answer !== '' &&
    exit.returned !== Access.ok &&
    !(exit.outcome === Outcome.resumed && exit.answer === Answer.nobody && exit.code === ExitCode.INOUT)
  )
    parts.push(exit.device === '' ? answer : `${exit.device} ${answer}`);
  if (isMalformed(exit))
    parts.push(`${exit.returned === Access.ok ? 'ignored: ' : ''}a local APIC register takes 32-bit stores at multiples of 16`);
  if (exit.finalCode !== exit.code) parts.push(`to userspace as ${exitName(exit.finalCode)}`);
  const injectedMsr = exit.outcome === Outcome.injected && (exit.code === ExitCode.RDMSR || exit.code === ExitCode.WRMSR);
  if (isTripleFault(exit) && exit.outcome === Outcome.suspended) parts.push('a triple fault ended the VM');
  // The VMM answers a wrong MSR access with #GP alone; its note says why.
  else if (injectedMsr) parts.push(exit.note === '' ? '#GP' : exit.note.replace(/^(.*): #GP$/, '#GP: $1'));
  else if (
    exit.outcome !== Outcome.resumed &&
    exit.outcome !== Outcome.open &&
    !(exit.outcome === Outcome.waits && exit.code === ExitCode.HLT)
  )
    parts.push(`${outcomeWords(exit.outcome)}${exit.note === '' ? '' : `: ${exit.note}`}`);
  else if (exit.note !== '') parts.push(exit.note);
  return `${parts.join('; ')}.`;
}

/** Why a verdict is what it is, with the register value that it rests on. */
export function reasonWords(ipi: IpiRecord, target: IpiTarget): string {
  const evidence = target.reason === Reason.softwareDisabled || target.reason === Reason.hardwareDisabled ? evidenceWords(target) : '';
  return `${whyWords(target, ipi)}${evidence === '' ? '' : ` (${evidence})`}`;
}

/** What reaching a target meant: `INIT`, `started at 0800:0000`, `accepted`, `NMI pended`. */
export const arrivalWords = (ipi: IpiRecord, target: IpiTarget): string =>
  target.verdict === Verdict.merged ? 'merged with one already pending' : reachedWords(ipi.icrLow);

/** What became of an IPI at one target: `reached vCPU2: accepted`, `refused by vCPU3: LAPIC software-disabled, SVR 000000FF: bit 8 is clear`. */
export function explainTarget(ipi: IpiRecord, target: IpiTarget): string {
  const why = reasonWords(ipi, target);
  const who = `vCPU${target.vcpu}`;
  switch (target.verdict) {
    case Verdict.reached:
    case Verdict.merged: {
      const taken = target.takenNs >= 0 && target.takenNs > ipi.timeNs ? `, taken ${span(target.takenNs - ipi.timeNs)} later` : '';
      return `reached ${who}: ${arrivalWords(ipi, target)}${taken}`;
    }
    case Verdict.refused:
      return `refused by ${who}: ${why}`;
    case Verdict.notAddressed:
      return `not addressed to ${who}: ${why}`;
    default:
      return `not sent to ${who}: ${why}`;
  }
}

/** Whole sentence of an IPI: what, to whom, and what became of it at every vCPU it concerned. */
export function explainIpi(ipi: IpiRecord): string {
  const icr = decodeIcr(ipi.icrLow, ipi.icrHigh);
  const head = `vCPU${ipi.vcpu} sent ${icrSentence(ipi.icrLow, ipi.icrHigh)}, ${icr.levelTriggered ? 'level' : 'edge'}, ${icr.assert ? 'assert' : 'de-assert'}`;
  const concerned = ipi.targets.filter((t) => t.verdict !== Verdict.notAddressed);
  if (concerned.length === 0) return `${head}; nobody is addressed.`;
  const unsent = concerned.filter((t) => t.verdict === Verdict.notSent);
  if (unsent.length === concerned.length) return `${head}; not sent: ${reasonWords(ipi, unsent[0] as IpiTarget)}.`;
  return `${head}; ${concerned.map((t) => explainTarget(ipi, t)).join('; ')}.`;
}

/** `vCPU1, 2`. */
export const vcpuList = (vcpus: readonly number[]): string => `vCPU${vcpus.join(', ')}`;

/** Whole sentence of an IPI, targets with the same fate together, those that it did not reach first: `vCPU0 sent SIPI 08 to …; refused by vCPU3: already running; reached vCPU1, 2: started at 0800:0000.` */
export function ipiSentence(ipi: IpiRecord): string {
  const concerned = ipi.targets.filter((t) => t.verdict !== Verdict.notAddressed);
  const lost = (t: IpiTarget): boolean => t.verdict === Verdict.refused || t.verdict === Verdict.notSent;
  const whole = explainIpi(ipi);
  if (concerned.length < 2 || concerned.every((t) => t.verdict === Verdict.notSent)) return whole;
  const groups = new Map<string, number[]>();
  for (const target of [...concerned.filter(lost), ...concerned.filter((t) => !lost(t))]) {
    const words = explainTarget(ipi, target).replace(`vCPU${target.vcpu}:`, '*:');
    const group = groups.get(words);
    if (group) group.push(target.vcpu);
    else groups.set(words, [target.vcpu]);
  }
  const became = [...groups].map(([words, vcpus]) => words.replace('*:', `${vcpuList(vcpus)}:`));
  return `${whole.slice(0, whole.indexOf(';'))}; ${became.join('; ')}.`;
}

/** What was sent, in two or three words: `SIPI 09`, `INIT`. */
export const ipiWords = (ipi: IpiRecord): string => icrWhat(decodeIcr(ipi.icrLow, ipi.icrHigh));

const SUSPENDED = { reset: 'reset', poweroff: 'power-off', halt: 'halted', tripleFault: 'triple fault' } as const;

/** How a machine ended, in two words: `host panic`, `VM abort`, `halted`. */
export function endWords(end: End): string {
  switch (end.kind) {
    case 'hostPanic':
      return 'host panic';
    case 'aborted':
      return 'VM abort';
    case 'runFailed':
      return 'VM_RUN failed';
    case 'suspended':
      return SUSPENDED[end.how];
    case 'stuck':
      return 'stuck';
    case 'guestExit':
      return `guest exit ${end.status}`;
  }
}

/** Did the guest (or its host) come to grief? A halt, a reset, a power-off, a guest's own exit and "nothing can happen any more" are ends in order. */
export const isFatal = (end: End): boolean =>
  end.kind === 'hostPanic' || end.kind === 'aborted' || end.kind === 'runFailed' || (end.kind === 'suspended' && end.how === 'tripleFault');

/** Whole sentence of an end. */
export function explainEnd(end: End): string {
  const named = /^(bhyve|vCPU)/.test(end.sentence);
  const sentence = `${named ? end.sentence.charAt(0) : end.sentence.charAt(0).toUpperCase()}${end.sentence.slice(1)}`.replace(/\.$/, '');
  return `${sentence}.`;
}
