/**
 * The ledger in words: one place for every surface, so that they all say the same thing.
 *
 * What `detail` holds, by reason: idMismatch: the target's ID register · ldrMismatch, ldrZero: its LDR · dfrInvalid: its DFR · notActive: the vCPU ·
 * notWaitingForSipi, alreadyRunning: its run-state bits · softwareDisabled: its SVR · hardwareDisabled: its APICBASE · vectorBelow16: the vector ·
 * notSent reasons: the ICR's low word.
 */
import { hex } from '../base/bits.ts';
import { Apic, apicRegisterAt, DeliveryMode } from '../x86/apic.ts';
import { decodeIcr, Shorthand } from '../x86/icr.ts';
import { ExitCode } from './exitcode.ts';
import { Answer, EventKind, type EventRecord, Outcome, RequestState } from './records.ts';
import { Reason, Verdict } from './verdict.ts';

const inverse = <T extends number>(names: Readonly<Record<string, T>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(names).map(([name, value]) => [value, name]));
const EXIT_NAMES = inverse(ExitCode);
const VERDICT_NAMES = inverse(Verdict);
const REASON_NAMES = inverse(Reason);
const REQUEST_NAMES = inverse(RequestState);

/** `INST_EMUL`; a code that is none is shown as a number. */
export const exitCodeName = (code: number): string => EXIT_NAMES.get(code) ?? `exit ${code}`;

/** The code's number by its name in any case, with or without VM_EXITCODE_; undefined for a name that is none. */
export function exitCodeNamed(name: string): ExitCode | undefined {
  const key = name.toUpperCase().replace(/^VM_EXITCODE_/, '');
  return Object.hasOwn(ExitCode, key) ? ExitCode[key as keyof typeof ExitCode] : undefined;
}

/** One word, as it is written in a break expression: `reached`, `merged`, `refused`, `notAddressed`, `notSent`. */
export const verdictName = (verdict: Verdict): string => VERDICT_NAMES.get(verdict) ?? `verdict ${verdict}`;
export const reasonName = (reason: Reason): string => REASON_NAMES.get(reason) ?? `reason ${reason}`;

const VERDICT_WORDS: Readonly<Record<Verdict, string>> = {
  [Verdict.reached]: 'reached',
  [Verdict.merged]: 'merged',
  [Verdict.refused]: 'refused',
  [Verdict.notAddressed]: 'not addressed',
  [Verdict.notSent]: 'not sent',
};

/** `not addressed`: as it is read by people. */
export const verdictWords = (verdict: Verdict): string => VERDICT_WORDS[verdict] ?? `verdict ${verdict}`;

/** `✓`, `✕` or `–`; without Unicode `ok`, `x` or `-`. */
export function verdictMark(verdict: Verdict, unicode = true): string {
  if (verdict === Verdict.reached || verdict === Verdict.merged) return unicode ? '✓' : 'ok';
  if (verdict === Verdict.notAddressed) return unicode ? '–' : '-';
  return unicode ? '✕' : 'x';
}

/** What an arrival did, by delivery mode: `accepted`, `NMI pended`, `INIT`, `started at 0800:0000`. */
export function reachedWords(icrLow: number): string {
  const { mode, vector } = decodeIcr(icrLow, 0);
  if (mode === DeliveryMode.NMI) return 'NMI pended';
  if (mode === DeliveryMode.INIT) return 'INIT';
  if (mode === DeliveryMode.STARTUP) return `started at ${hex(vector, 2)}00:0000`;
  return 'accepted';
}

/** Names of the VRS_* bits: `HALT`, `INIT`, `INIT|RUN`, `INIT|PEND_SIPI`. */
export function runStateName(bits: number): string {
  const names: string[] = [];
  if (bits & 0x1) names.push('INIT');
  if (bits & 0x2) names.push('RUN');
  if ((bits & 0x3) === 0) names.push('HALT');
  if (bits & 0x4000) names.push('PEND_INIT');
  if (bits & 0x8000) names.push('PEND_SIPI');
  return names.join('|');
}

const HOW = ['none', 'reset', 'power-off', 'halt', 'triple fault'] as const;

/** `enum vm_suspend_how` in words. */
export const suspendHowName = (how: number): string => HOW[how] ?? `suspended, how ${how}`;

/** Why an ICR value that was sent by the guest had no effect at all. */
function notSentWords(reason: Reason, icrLow: number): string {
  const icr = decodeIcr(icrLow, 0);
  switch (reason) {
    case Reason.levelDeassert:
      return 'level-triggered with bit 14 clear: a de-assert has no effect';
    case Reason.initLevelBitClear:
      return 'INIT with the level bit 14 clear has no effect';
    case Reason.modeUnsupported:
      return `${icr.modeName} is accepted, but this VMM does not send it`;
    case Reason.illegalVector:
      return `vector ${hex(icr.vector, 2)} is below 10: ESR bit 5, not sent`;
    case Reason.notHandled:
      return icr.shorthand !== Shorthand.NONE && (icr.mode === DeliveryMode.INIT || icr.mode === DeliveryMode.STARTUP)
        ? `shorthand ${icr.modeName}: no rule, returns -1`
        : `${icr.modeName}: no rule for ${hex(icrLow, 8)}, returns -1`;
    default:
      if (icr.mode === DeliveryMode.EXTINT) return 'delivery mode 7 is reserved';
      if (icr.shorthand === Shorthand.SELF) return `${icr.modeName} cannot be sent to self`;
      if (icr.shorthand === Shorthand.ALL_INCLUDING_SELF) return `${icr.modeName} cannot be sent to all including self`;
      return `${icr.modeName}: this combination of trigger and shorthand is invalid`;
  }
}

/** What whyWords needs of a target, and of its IPI where that is known. */
export interface Why {
  readonly reason: Reason;
  readonly detail: number;
}

/** Why a verdict is what it is, with the register value behind it decoded; '' for Reason.none. With the IPI the sentence can name both sides. */
export function whyWords({ reason, detail }: Why, ipi?: { readonly icrLow: number; readonly icrHigh: number }): string {
  const icr = ipi && decodeIcr(ipi.icrLow, ipi.icrHigh);
  switch (reason) {
    case Reason.none:
      return '';
    case Reason.idMismatch: {
      const id = hex(detail >>> 24, 2);
      if (icr?.shorthand === Shorthand.SELF) return 'not the sender';
      return icr && icr.shorthand === Shorthand.NONE ? `APIC ID ${id} is not ${hex(icr.destination, 2)}` : `no match with APIC ID ${id}`;
    }
    case Reason.ldrMismatch: {
      const ldr = detail >>> 24;
      if (!icr) return `LDR ${hex(ldr, 2)} does not match`;
      return (ldr & icr.destination) === 0
        ? `LDR ${hex(ldr, 2)} & ${hex(icr.destination, 2)} = 0`
        : `LDR ${hex(ldr, 2)} is not in the cluster of ${hex(icr.destination, 2)}`;
    }
    case Reason.ldrZero:
      return 'LDR is 0: matches no logical destination';
    case Reason.dfrInvalid:
      return `DFR = ${hex(detail, 8)}: model ${hex(detail >>> 28)} is neither flat (F) nor cluster (0)`;
    case Reason.senderExcluded:
      return 'self, excluded';
    case Reason.notActive:
      return 'not created yet';
    case Reason.notWaitingForSipi:
      return `not waiting for SIPI: run state ${runStateName(detail)}`;
    case Reason.alreadyRunning:
      return 'already running';
    case Reason.softwareDisabled:
      return 'LAPIC software-disabled, SVR bit 8 clear';
    case Reason.hardwareDisabled:
      return 'LAPIC hardware-disabled, APICBASE bit 11 (EN) clear';
    case Reason.vectorBelow16:
      return `vector ${hex(detail, 2)} is below 10`;
    default:
      return notSentWords(reason, detail);
  }
}

/** The register value a reason rests on, for those who want to see it: `SVR = 000000FF`; '' where there is none. */
export function evidenceWords({ reason, detail }: Why): string {
  switch (reason) {
    case Reason.idMismatch:
      return `ID = ${hex(detail, 8)}`;
    case Reason.ldrMismatch:
    case Reason.ldrZero:
      return `LDR = ${hex(detail, 8)}`;
    case Reason.dfrInvalid:
      return `DFR = ${hex(detail, 8)}`;
    case Reason.notWaitingForSipi:
    case Reason.alreadyRunning:
      return `run state = ${hex(detail, 4)} (${runStateName(detail)})`;
    case Reason.softwareDisabled:
      return `SVR = ${hex(detail, 8)}`;
    case Reason.hardwareDisabled:
      return `APICBASE = ${hex(detail, 8)}`;
    case Reason.none:
    case Reason.senderExcluded:
    case Reason.notActive:
    case Reason.vectorBelow16:
      return '';
    default:
      return `ICR_LO = ${hex(detail, 8)}`;
  }
}

const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  [Outcome.open]: 'being handled',
  [Outcome.resumed]: 'guest goes on',
  [Outcome.injected]: 'fault injected',
  [Outcome.waits]: 'vCPU waits',
  [Outcome.suspended]: 'VM ended in order',
  [Outcome.aborted]: 'VM abort',
  [Outcome.runFailed]: 'VM_RUN failed',
  [Outcome.hostPanic]: 'host panic',
};

/** `guest goes on`, `host panic`. */
export const outcomeWords = (outcome: Outcome): string => OUTCOME_WORDS[outcome] ?? `outcome ${outcome}`;

const ANSWER_WORDS: Readonly<Record<Answer, string>> = {
  [Answer.none]: 'not asked',
  [Answer.kernel]: 'in the kernel',
  [Answer.userspace]: 'in userspace',
  [Answer.nobody]: 'by nobody',
};
export const answerWords = (answer: Answer): string => ANSWER_WORDS[answer] ?? `answer ${answer}`;

/** `USER_FALLBACK`. */
export const requestName = (request: RequestState): string => REQUEST_NAMES.get(request) ?? `request ${request}`;

/** Names of ESR bits: `sent illegal vector`; those without a name as a number. */
export function esrName(bits: number): string {
  const names = (apicRegisterAt(Apic.ESR)?.fields ?? []).filter(({ high, name }) => name !== '' && (bits >>> high) & 1);
  return names.length === 0 ? `ESR ${hex(bits, 2)}` : names.map(({ name }) => name).join(', ');
}

/** One line for an event: `takes vector 30`, `run state HALT → INIT`. */
export function eventWords({ kind, value, detail }: Pick<EventRecord, 'kind' | 'value' | 'detail'>): string {
  switch (kind) {
    case EventKind.interrupt:
      return `takes vector ${hex(value, 2)}`;
    case EventKind.nmi:
      return 'takes NMI';
    case EventKind.extInt:
      return `takes vector ${hex(value, 2)} from the 8259 (ExtINT)`;
    case EventKind.exception:
      return `exception ${value}${detail ? `, error code ${hex(detail)}` : ''}`;
    case EventKind.runState:
      return `run state ${runStateName(detail)} → ${runStateName(value)}`;
    case EventKind.suspended:
      return `VM ends: ${suspendHowName(value)}`;
    case EventKind.hostPanic:
      return 'the host panics';
    case EventKind.stuck:
      return 'nothing can happen any more';
    case EventKind.apicError:
      return `notes an APIC error: ${esrName(value)}`;
  }
}
