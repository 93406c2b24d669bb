/** Why the machine stands still: the sentence, the few words for a call stack, and the rows of the exception widget. */
import { hex } from '../machine/base/bits.ts';
import { ExitCode } from '../machine/ledger/exitcode.ts';
import {
  EventKind,
  type EventRecord,
  type ExitRecord,
  type IpiRecord,
  type IpiTarget,
  type LedgerReader,
  Outcome,
} from '../machine/ledger/records.ts';
import { Reason, Verdict } from '../machine/ledger/verdict.ts';
import { eventWords, outcomeWords, requestName, verdictMark, verdictWords } from '../machine/ledger/words.ts';
import type { Profile } from '../machine/profiles/profile.ts';
import type { End } from '../machine/vmm/end.ts';
import { VRS } from '../machine/vmm/runstate.ts';
import { Apic, apicRegisterAt, decodeFields, DeliveryMode } from '../machine/x86/apic.ts';
import { errorCodeWords, exceptionMnemonic, exceptionWords } from '../machine/x86/exceptions.ts';
import { decodeIcr, icrFieldRows, icrMode, icrSentence, icrWhat } from '../machine/x86/icr.ts';
import { baseName } from './code/file-names.ts';
import type { Program } from './code/program.ts';
import { EXIT_GROUPS } from './constants.ts';
import type { Hit } from './engine.ts';
import {
  arrivalWords,
  endWords,
  explainEnd,
  explainExit,
  exitName,
  ipiSentence,
  isTripleFault,
  lapicAccess,
  reasonWords,
  returned,
  time,
  vcpuList,
  whatExit,
} from './explain.ts';
import { opcodeWords } from './opcode.ts';
import type { CodePosition, Exception, Stop, StopReason } from './stop.ts';

/** What a stop is explained with. */
export interface StopContext {
  readonly ledger: LedgerReader;
  readonly program: Program;
  readonly profile: Profile;
  /** The instruction that a vCPU is about to execute. */
  instruction(vcpu: number): string;
  /** A register of one vCPU; undefined for a name that is none. */
  register(vcpu: number, name: string): number | undefined;
}

/** Which kind of breakpoint names the stop where several were hit at once: those that have a widget first. */
const REASONS: readonly (readonly [Hit['kind'], StopReason])[] = [
  ['filter', 'exception'],
  ['exits', 'exception'],
  ['ipis', 'exception'],
  ['data', 'data breakpoint'],
  ['function', 'function breakpoint'],
  ['cli', 'function breakpoint'],
  ['instruction', 'instruction breakpoint'],
  ['source', 'breakpoint'],
  ['apEntry', 'entry'],
];

type Row = readonly [label: string, text: string];

const LABEL = 9;
/** Rows with their labels in a column; a row without a label goes on with the one above it. */
const aligned = (rows: readonly Row[]): string => rows.map(([label, text]) => `${label.padEnd(LABEL)}${text}`.trimEnd()).join('\n');

const bsp = (vcpu: number): string => `vCPU${vcpu}${vcpu === 0 ? ' (BSP)' : ''}`;
const linearOf = ({ csBase, eip }: CodePosition): number => (csBase + eip) >>> 0;
const lower = (text: string): string => `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
const upper = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
const withoutStop = (text: string): string => text.replace(/\.$/, '');

/** `icrlo.asm:63   mov dword [LAPIC+ICR_LO], 0x00004830`, or the address. */
function placeRow(program: Program, at: CodePosition): string {
  const place = program.placeAt(linearOf(at));
  if (place === undefined) return `${hex(linearOf(at), 8)}`;
  return `${baseName(place.file)}:${place.line}   ${place.text.replace(/\s+/g, ' ')}`;
}

const isSend = (exit: ExitRecord | undefined): boolean =>
  exit?.write === true && lapicAccess(exit)?.offset === Apic.ICR_LO && exit.size !== 0;

/** Fields in rows of at most so many columns, the first beside the value. */
function fieldRows(label: string, value: number, fields: readonly string[]): Row[] {
  const head = `${hex(value, 8)}   `;
  const rows: Row[] = [];
  let line = head;
  for (const field of fields) {
    if (line.trim() !== '' && line.length > head.length && line.length + field.length > 70) {
      rows.push([rows.length === 0 ? label : '', line.replace(/ · $/, '')]);
      line = ' '.repeat(head.length);
    }
    line += `${field} · `;
  }
  rows.push([rows.length === 0 ? label : '', line.replace(/ · $/, '')]);
  return rows;
}

function valueRows(exit: ExitRecord, ipi: IpiRecord | undefined): Row[] {
  const register = lapicAccess(exit);
  // A read that was given up has no value.
  if (register === undefined || exit.size === 0 || (!exit.write && exit.outcome !== Outcome.resumed)) return [];
  if (isSend(exit)) {
    const high = ipi?.icrHigh ?? 0;
    const { destination, logical, shorthand } = decodeIcr(exit.value, high);
    const rows = icrFieldRows(exit.value).filter(({ name }) => name !== '');
    const whom = shorthand !== 0 ? 'unused: the shorthand says to whom' : logical ? 'the logical destination' : 'the destination APIC ID';
    return [
      ...fieldRows(
        'ICR_LO',
        exit.value,
        rows.map(({ bits, binary, text }) => (binary.length > 4 ? `${bits}=${text}` : `${bits}=${binary} ${text}`)),
      ),
      ['ICR_HI', `${hex(high, 8)}   31:24=${hex(destination, 2)}, ${whom}`],
    ];
  }
  const fields = apicRegisterAt(register.offset)?.fields ?? [];
  const decoded = decodeFields(fields, exit.value).filter(({ name }) => name !== '');
  return fieldRows(
    register.name,
    exit.value,
    decoded.map(({ bits, name, text }) => `${bits} ${name}=${text}`),
  );
}

const FATE: Readonly<Record<Verdict, string>> = {
  [Verdict.reached]: 'reached',
  [Verdict.merged]: 'merged',
  [Verdict.refused]: 'refused',
  [Verdict.notAddressed]: 'no match',
  [Verdict.notSent]: 'not sent',
};
/** Those that somebody looks for stand first. */
const ORDER: readonly Verdict[] = [Verdict.refused, Verdict.notSent, Verdict.reached, Verdict.merged, Verdict.notAddressed];

/** One row for each target, refused ones first; those with the same fate and the same words together. */
function targetRows(ipi: IpiRecord): Row[] {
  const groups = new Map<string, { readonly target: IpiTarget; readonly words: string; readonly vcpus: number[] }>();
  for (const verdict of ORDER) {
    for (const target of ipi.targets) {
      if (target.verdict !== verdict) continue;
      const good = verdict === Verdict.reached || verdict === Verdict.merged;
      const words = good ? arrivalWords(ipi, target) : reasonWords(ipi, target);
      const group = groups.get(`${verdict} ${words}`);
      if (group) group.vcpus.push(target.vcpu);
      else groups.set(`${verdict} ${words}`, { target, words, vcpus: [target.vcpu] });
    }
  }
  const rows = [...groups.values()];
  const width = Math.max(...rows.map(({ vcpus }) => vcpuList(vcpus).length));
  return rows.map(({ target, vcpus, words }, i) => [
    i === 0 ? 'Targets' : '',
    `${verdictMark(target.verdict)} ${vcpuList(vcpus).padEnd(width)}  ${FATE[target.verdict].padEnd(8)}  ${words}`,
  ]);
}

/** The newest store to a local APIC register of one vCPU before an exit; undefined: there is none in what the ledger still holds. */
function lastStore(ledger: LedgerReader, vcpu: number, offset: number, before = ledger.exitCount + 1): ExitRecord | undefined {
  for (let n = before - 1; n >= ledger.firstExit; n--) {
    const exit = ledger.exitAt(n);
    if (exit?.vcpu === vcpu && exit.write && exit.size !== 0 && exit.outcome === Outcome.resumed && lapicAccess(exit)?.offset === offset)
      return exit;
  }
  return undefined;
}

/** Which IPI of a mode reached a vCPU last, before an IPI. */
function lastOf(mode: DeliveryMode, ledger: LedgerReader, vcpu: number, before: number): IpiRecord | undefined {
  for (let n = before - 1; n >= ledger.firstIpi; n--) {
    const ipi = ledger.ipiAt(n);
    if (ipi !== undefined && icrMode(ipi.icrLow) === mode && ipi.targets[vcpu]?.verdict === Verdict.reached) return ipi;
  }
  return undefined;
}

/** What led to a refusal, as far as the ledger knows. */
function causeRows(ipi: IpiRecord, context: StopContext): Row[] {
  const { ledger, program } = context;
  const rows: Row[] = [];
  const say = (text: string): void => {
    rows.push([rows.length === 0 ? 'Cause' : '', text]);
  };
  for (const target of ipi.targets) {
    const { vcpu, verdict, reason } = target;
    if (verdict !== Verdict.refused) continue;
    const start = lastOf(DeliveryMode.STARTUP, ledger, vcpu, ipi.number);
    const started = start === undefined ? '' : ` It started at ${hex(start.icrLow & 0xff, 2)}00:0000 (i#${start.number}).`;
    if (reason === Reason.softwareDisabled) {
      const store = lastStore(ledger, vcpu, Apic.SVR, ipi.exit || undefined);
      const init = lastOf(DeliveryMode.INIT, ledger, vcpu, ipi.number);
      if (init !== undefined && store !== undefined && init.exit > store.number)
        say(`INIT reset SVR of vCPU${vcpu} (i#${init.number}, ${placeRow(program, init)}), and it was not written since.`);
      else if (store !== undefined) say(`SVR of vCPU${vcpu} was last written at ${placeRow(program, store)} (e#${store.number}).`);
      else if (ledger.firstExit === 1) say(`SVR of vCPU${vcpu} was never written.${started}`);
    } else if (reason === Reason.notWaitingForSipi && target.detail === VRS.HALT) {
      say(`vCPU${vcpu} has got no INIT: it waits for a SIPI only after one.`);
    } else if ((reason === Reason.alreadyRunning || reason === Reason.notWaitingForSipi) && start !== undefined) {
      say(`vCPU${vcpu} was started before by i#${start.number}, ${placeRow(program, start)}.`);
    }
  }
  return rows.slice(0, 4);
}

/** `C7 /0  mov m32, imm32` as `mov m32, imm32 (C7, digit 0)`: editors take the manual's /0 for a path. */
const withoutSlash = (opcode: string): string =>
  opcode.replace(
    /^([0-9A-F ]+?)(?: \/([0-7]))? {2}(.*)$/,
    (_, code: string, digit: string | undefined, words: string) => `${words} (${code}${digit === undefined ? '' : `, digit ${digit}`})`,
  );

/** The way of an exit in one row: `MMIO_EMUL gpa FEE00300 → vie: mov m32, imm32 (C7, digit 0) → vlapic returns 0, done → guest goes on`. */
function exitRow(exit: ExitRecord, profile: Profile): string {
  const where =
    exit.code === ExitCode.INOUT
      ? ` port ${hex(exit.address, 2)}`
      : exit.code === ExitCode.RDMSR || exit.code === ExitCode.WRMSR
        ? ` MSR ${hex(exit.address)}`
        : exit.code === ExitCode.MMIO_EMUL ||
            exit.code === ExitCode.MMIO ||
            exit.code === ExitCode.INST_EMUL ||
            exit.code === ExitCode.PAGING
          ? ` gpa ${hex(exit.address, 8)}`
          : '';
  const parts = [`${exitName(exit.code)}${where}`];
  const emulated = exit.code === ExitCode.MMIO_EMUL || exit.code === ExitCode.MMIO || exit.code === ExitCode.INST_EMUL;
  const opcode = emulated ? withoutSlash(opcodeWords(exit.bytes, profile, exit.size)) : '';
  if (opcode !== '') parts.push(`vie: ${opcode}`);
  const answer = returned(exit);
  if (answer !== '') parts.push(exit.device === '' ? answer : `${exit.device} ${answer}`);
  if (exit.finalCode !== exit.code) parts.push(`userspace: ${exitName(exit.finalCode)}`);
  if (exit.outcome !== Outcome.open) parts.push(isTripleFault(exit) ? 'VM ended' : outcomeWords(exit.outcome));
  return parts.join(' → ');
}

/** `FIXED 30 reached nobody: refused by vCPU3, LAPIC software-disabled, SVR bit 8 clear (SVR = 000000FF).` */
function lostSentence(ipi: IpiRecord): string {
  const lost = ipi.targets.some(({ verdict }) => verdict === Verdict.refused || verdict === Verdict.notSent);
  const got = ipi.targets.some(({ verdict }) => verdict === Verdict.reached || verdict === Verdict.merged);
  const sentence = ipiSentence(ipi);
  if (!lost || got) return sentence;
  const fate = lower(sentence.slice(sentence.indexOf(';') + 2));
  return `${icrWhat(decodeIcr(ipi.icrLow, ipi.icrHigh))} ${fate.startsWith('not sent:') ? 'was' : 'reached nobody:'} ${fate}`;
}

const recordRow = (parts: readonly string[], timeNs: number, vcpu: number): Row => [
  'Record',
  [parts.filter((part) => part !== '').join(', '), `t ${time(timeNs)}`, bsp(vcpu)].filter((part) => part !== '').join(' · '),
];

interface Cause {
  readonly exit?: ExitRecord | undefined;
  readonly ipi?: IpiRecord | undefined;
  readonly event?: EventRecord | undefined;
}

const PAGE_FAULT = 14;

/** Does the error code say something? That of a page fault does even if it is 0. */
const hasCode = ({ value, detail }: EventRecord): boolean => detail > 0 || (value === PAGE_FAULT && detail === 0);

/** The linear address of a page fault, which CR2 holds right after it. */
const faultAddress = ({ kind, value, vcpu }: EventRecord, context: StopContext): number | undefined =>
  kind === EventKind.exception && value === PAGE_FAULT ? context.register(vcpu, 'cr2') : undefined;

/** `#GP, general protection; error code 0018h: selector 0018 in the GDT`. */
function exceptionSentence(event: EventRecord, page?: number): string {
  const { value, detail } = event;
  const words = exceptionWords(value);
  const at = page === undefined ? '' : ` at ${hex(page, 8)}h`;
  const code = hasCode(event) ? `; error code ${hex(detail, 4)}h: ${errorCodeWords(value, detail)}` : '';
  return `${exceptionMnemonic(value)}${words === '' ? '' : `, ${words}`}${at}${code}`;
}

function detailsOf({ exit, ipi, event }: Cause, context: StopContext): string {
  const rows: Row[] = [];
  const { program, profile } = context;
  const moment = exit ?? ipi ?? event;
  if (moment === undefined) return '';
  rows.push(
    recordRow(
      [exit ? `e#${exit.number}` : '', ipi ? `i#${ipi.number}` : '', event && !exit && !ipi ? `event ${event.number}` : ''],
      moment.timeNs,
      moment.vcpu,
    ),
  );
  rows.push([isSend(exit) || (ipi && !exit) ? 'Store' : 'At', placeRow(program, moment)]);
  if (exit) rows.push(...valueRows(exit, ipi));
  else if (ipi) rows.push(['ICR', `${hex(ipi.icrLow, 8)}, ${hex(ipi.icrHigh, 8)}   ${icrSentence(ipi.icrLow, ipi.icrHigh)}`]);
  if (event?.kind === EventKind.exception) {
    rows.push(['Vector', `${hex(event.value, 2)}   ${exceptionMnemonic(event.value)} ${exceptionWords(event.value)}`.trimEnd()]);
    if (hasCode(event)) rows.push(['Code', `${hex(event.detail, 4)}   ${errorCodeWords(event.value, event.detail)}`]);
    const page = faultAddress(event, context);
    if (page !== undefined) rows.push(['CR2', hex(page, 8)]);
  }
  if (ipi) {
    rows.push(['', ''], ...targetRows(ipi));
    const cause = causeRows(ipi, context);
    if (cause.length > 0) rows.push(['', ''], ...cause);
  }
  if (exit) {
    rows.push(['', ''], ['Exit', exitRow(exit, profile)]);
    if (exit.note !== '') rows.push(['', exit.note]);
    if (exit.outcome === Outcome.hostPanic || exit.outcome === Outcome.aborted)
      rows.push([
        'Request',
        `${requestName(exit.request)}${exit.outcome === Outcome.hostPanic && exit.request === 0 ? ', yet an exit is due' : ''}`,
      ]);
  }
  return aligned(rows);
}

/** The id under which a stop by an exit or IPI is known, where no filter names it. */
function exceptionId(hit: Hit, { exit, ipi, event }: Cause): string {
  const byCode = hit.kind === 'exits' || (hit.filter !== undefined && EXIT_GROUPS.has(hit.filter) && hit.filter !== 'fatal');
  if (byCode && exit) return exitName(exit.finalCode);
  if (hit.filter !== undefined) return hit.filter;
  if (hit.kind === 'ipis' || (ipi && !exit)) return ipi ? icrWhat(decodeIcr(ipi.icrLow, ipi.icrHigh)) : 'IPI';
  if (exit) return exitName(exit.finalCode);
  return event ? eventWords(event) : hit.breakpoint.text;
}

function sentenceOf(hit: Hit, { exit, ipi, event }: Cause, context: StopContext): string {
  const refused = ipi?.targets.some(({ verdict }) => verdict === Verdict.refused || verdict === Verdict.notSent) === true;
  if (ipi && refused && hit.kind !== 'data') return lostSentence(ipi);
  if (ipi && hit.filter === 'lost-ipi') return `${icrSentence(ipi.icrLow, ipi.icrHigh)} reached nobody: no vCPU is addressed.`;
  if (exit) return explainExit(exit, ipi);
  if (ipi) return ipiSentence(ipi);
  if (event?.kind === EventKind.exception) return `vCPU${event.vcpu} raised ${exceptionSentence(event, faultAddress(event, context))}.`;
  if (event) return `vCPU${event.vcpu} ${eventWords(event)}.`;
  const { focus } = hit;
  if (focus.vector !== undefined) return `vCPU${focus.vcpu} was delivered ${exceptionMnemonic(focus.vector)}.`;
  const what = context.instruction(focus.vcpu);
  return hit.kind === 'apEntry'
    ? `vCPU${focus.vcpu} was started, and is about to execute ${what}.`
    : `vCPU${focus.vcpu} is about to execute ${what}.`;
}

/** A few words for the call stack. */
function headlineOf(hit: Hit, { exit, ipi, event }: Cause): string {
  const number = exit ? ` · e#${exit.number}` : '';
  if (ipi) {
    const what = icrWhat(decodeIcr(ipi.icrLow, ipi.icrHigh));
    const [worst] = ORDER.map((verdict) => ipi.targets.filter((t) => t.verdict === verdict)).filter((targets) => targets.length > 0);
    const verdict = worst?.[0]?.verdict ?? Verdict.notAddressed;
    if (verdict === Verdict.notAddressed) return `${what} addresses nobody${number}`;
    if (verdict === Verdict.notSent) return `${what} not sent${number}`;
    const by = verdict === Verdict.refused ? 'refused by' : verdictWords(verdict);
    return `${what} ${by} ${vcpuList((worst ?? []).map(({ vcpu }) => vcpu))}${number}`;
  }
  if (exit) {
    const register = lapicAccess(exit);
    const what =
      register !== undefined && exit.size !== 0 && exit.code === ExitCode.MMIO_EMUL
        ? `${register.name} ${exit.write ? '←' : '→'} ${hex(exit.value, 8)}h`
        : whatExit(exit).replace(/^vCPU[0-9]+ /, '');
    return `${upper(what)}${number}`;
  }
  if (event)
    return event.kind === EventKind.exception
      ? `${exceptionMnemonic(event.value)} ${exceptionWords(event.value)}`
      : upper(eventWords(event));
  return { apEntry: 'AP entry', source: 'Breakpoint', instruction: 'Instruction breakpoint' }[hit.kind as string] ?? hit.breakpoint.text;
}

/** A stop by breakpoints, at least one. `context`: the machine as it stands. */
export function explainHits(hits: readonly Hit[], context: StopContext): Stop {
  const rank = (hit: Hit): number => REASONS.findIndex(([kind]) => kind === hit.kind);
  const first = [...hits].sort((a, b) => rank(a) - rank(b))[0] as Hit;
  const reason = REASONS[rank(first)]?.[1] ?? 'breakpoint';
  const { ledger } = context;
  // An IPI is told of before the exit that sends it is finished: both are one thing to the reader.
  const of = <T>(get: (hit: Hit) => T | undefined): T | undefined => get(first) ?? hits.map(get).find((found) => found !== undefined);
  const told = of((hit) => hit.focus.ipi);
  const exit = of((hit) => hit.focus.exit) ?? (told && told.exit !== 0 ? ledger.exitAt(told.exit) : undefined);
  const ipi = told ?? (exit && exit.ipi !== 0 ? ledger.ipiAt(exit.ipi) : undefined);
  const event = of((hit) => hit.focus.event);
  const cause: Cause = { exit: exit && ledger.exitAt(exit.number), ipi: ipi && ledger.ipiAt(ipi.number), event };
  const problems = hits.flatMap((hit) =>
    hit.problem === undefined ? [] : [` (The condition of ${hit.breakpoint.text} could not be evaluated: ${hit.problem})`],
  );
  const sentence = `${sentenceOf(first, cause, context)}${problems.join('')}`;
  const at = exit ?? ipi;
  const ids = [...new Set(hits.flatMap((hit) => (hit.id === undefined ? [] : [hit.id])))];
  return {
    reason,
    vcpu: first.focus.vcpu,
    headline: headlineOf(first, cause),
    sentence,
    breakpoints: ids,
    ...(reason === 'exception' ? { exception: { id: exceptionId(first, cause), sentence, details: detailsOf(cause, context) } } : {}),
    ...(cause.exit ? { exit: cause.exit } : {}),
    ...(cause.ipi ? { ipi: cause.ipi } : {}),
    ...(event ? { event } : {}),
    ...(at ? { at: { eip: at.eip, csBase: at.csBase } } : {}),
  };
}

/** The exception whose delivery ended in a triple fault. */
function undelivered(end: End, ledger: LedgerReader): EventRecord | undefined {
  if (end.kind !== 'suspended' || end.how !== 'tripleFault') return undefined;
  for (let n = ledger.eventCount; n >= ledger.firstEvent && n > 0; n--) {
    const event = ledger.eventAt(n);
    if (event?.vcpu === end.vcpu && event.kind === EventKind.exception) return linearOf(event) === linearOf(end) ? event : undefined;
  }
  return undefined;
}

/** What the guest did last that ended the machine: the exception that could not be delivered, the write that reset it. */
function endCause(end: End, { ledger, program }: StopContext): Row[] {
  const event = undelivered(end, ledger);
  if (event !== undefined) return [['Cause', `${exceptionSentence(event)} (event ${event.number})`]];
  if (end.kind !== 'suspended' || (end.how !== 'reset' && end.how !== 'poweroff')) return [];
  for (let n = end.exit - 1; n >= ledger.firstExit && n > 0; n--) {
    const exit = ledger.exitAt(n);
    if (exit?.vcpu !== end.vcpu || !exit.write) continue;
    return [
      ['Cause', `${whatExit(exit)} (e#${exit.number})`],
      ['', `at ${placeRow(program, exit)}`],
    ];
  }
  return [];
}

function endSentence(end: End, ledger: LedgerReader): string {
  const event = undelivered(end, ledger);
  const sentence = explainEnd(end);
  return event === undefined ? sentence : `${withoutStop(sentence)}: ${exceptionMnemonic(event.value)} could not be delivered.`;
}

/** The machine has ended: always with a widget. */
export function explainEnded(end: End, context: StopContext): Stop {
  const { ledger, program } = context;
  const exit = end.exit === 0 ? undefined : ledger.exitAt(end.exit);
  const ipi = exit && exit.ipi !== 0 ? ledger.ipiAt(exit.ipi) : undefined;
  const rows: Row[] = [];
  if (end.kind === 'hostPanic') {
    rows.push(['Panic', end.message], ...end.chain.map((frame): Row => ['', `  ${frame}`]), ['', '']);
  } else if (end.kind === 'aborted' || end.kind === 'runFailed') {
    const lines = end.printed.trimEnd().split('\n');
    if (end.printed !== '') rows.push(...lines.map((line, i): Row => [i === 0 ? 'bhyve' : '', line]), ['', '']);
  } else if (end.kind === 'stuck') {
    rows.push(...end.vcpus.map((line, i): Row => [i === 0 ? 'vCPUs' : '', line]), ['', '']);
  }
  if (exit)
    rows.push(
      ...detailsOf({ exit, ipi }, context)
        .split('\n')
        .map((line): Row => [line.slice(0, LABEL).trimEnd(), line.slice(LABEL)]),
    );
  else rows.push(['Record', `t ${time(end.timeNs)} · ${bsp(end.vcpu)}`], ['At', placeRow(program, end)]);
  const cause = endCause(end, context);
  if (cause.length > 0) rows.push(['', ''], ...cause);
  const exception: Exception = { id: endWords(end), sentence: endSentence(end, ledger), details: aligned(rows).replace(/\n+$/, '') };
  return {
    reason: 'end',
    vcpu: end.vcpu,
    headline: upper(withoutStop(`${endWords(end)}${exit ? ` · e#${exit.number}` : ''}`)),
    sentence: exception.sentence,
    breakpoints: [],
    exception,
    end,
    ...(exit ? { exit } : {}),
    ...(ipi ? { ipi } : {}),
    at: { eip: end.eip, csBase: end.csBase },
  };
}
