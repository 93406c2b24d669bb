/** The pieces that `demo` and `diff` draw: the store, its ICR field by field, one profile's exit chain, what became of each target. */
import { arrivalWords, exitName, lapicAccess, reasonWords, returned, span, vcpuList } from '../debugger/explain.ts';
import { hex } from '../machine/base/bits.ts';
import { Access } from '../machine/devices/device.ts';
import { Answer, type ExitRecord, type IpiRecord, type IpiTarget, Outcome, RequestState } from '../machine/ledger/records.ts';
import { Reason, Verdict } from '../machine/ledger/verdict.ts';
import type { Profile } from '../machine/profiles/profile.ts';
import { requestName, runStateName, whyWords } from '../machine/ledger/words.ts';
import { opcodeWords } from '../debugger/opcode.ts';
import { decodeIcr, icrFieldRows, icrSentence } from '../machine/x86/icr.ts';
import { DeliveryMode } from '../machine/x86/apic.ts';
import type { Paint } from './paint.ts';
import { table, visible } from './table.ts';

/** A heading with a rule to the right edge. */
export const heading = (text: string, paint: Paint): string =>
  ` ${paint.bold(text)} ${paint.dim(paint.sign.line.repeat(Math.max(paint.width - visible(text) - 6, 3)))}`;

/** The ICR's low word, field by field: bit numbers, bits, meaning. */
export function icrRows(low: number, high: number, paint: Paint): string[] {
  const fields = icrFieldRows(low);
  const blank = (f: (typeof fields)[number]): boolean => f.name === '' || f.name === 'delivery status';
  const rows = [
    fields.map((f) => paint.dim(f.bits)),
    fields.map((f) => (blank(f) ? paint.dim(f.binary) : paint.cyan(f.binary))),
    fields.map((f) => (f.text === '–' ? paint.dim(paint.sign.none) : f.text)),
  ];
  return [`${'ICR_LO'} ${paint.cyan(`0x${hex(low, 8)}`)}   ${paint.bold(icrSentence(low, high))}`, ...table(rows, 2)];
}

/** What the local APIC made of an ICR value, in a few words. */
function understood(exit: ExitRecord, ipi: IpiRecord | undefined): string {
  if (ipi === undefined) return '';
  const { modeName } = decodeIcr(ipi.icrLow, ipi.icrHigh);
  const reached = ipi.targets.filter((t) => t.verdict === Verdict.reached || t.verdict === Verdict.merged).map((t) => t.vcpu);
  if (exit.returned === Access.toUserspace)
    return `${decodeIcr(ipi.icrLow, ipi.icrHigh).shorthand === 0 ? '' : 'shorthand '}${modeName}: no rule`;
  return reached.length === 0 ? `${modeName} to nobody` : `${modeName} to ${vcpuList(reached)}`;
}

/** One line of an exit chain: where in the chain it stands, and its text. */
export interface ChainRow {
  readonly label: 'exit' | 'decode' | 'device' | 'request' | 'outcome' | '';
  readonly text: string;
}

/** The way of one exit, from the hardware's exit code to its outcome, as rows with the same labels for every profile. `length`: bytes of its instruction. */
export function chain(exit: ExitRecord, ipi: IpiRecord | undefined, profile: Profile, length: number, paint: Paint): ChainRow[] {
  const { bar, branch, last, yes, no } = paint.sign;
  const register = lapicAccess(exit);
  const rows: ChainRow[] = [
    { label: 'exit', text: `e#${exit.number} ${paint.blue(exitName(exit.code))}` },
    { label: '', text: `${paint.dim(bar)} gpa ${hex(exit.address, 8)}` },
    { label: 'decode', text: `${paint.dim(branch)} ${opcodeWords(exit.bytes, profile, exit.size) || 'not fetched'}` },
  ];
  const answered = register === undefined ? exit.device || 'device' : `LAPIC ${exit.write ? 'write' : 'read'} ${hex(register.offset, 3)}`;
  rows.push({ label: 'device', text: `${paint.dim(branch)} ${exit.answer === Answer.none ? 'was not asked' : answered}` });
  const meant = understood(exit, ipi);
  if (meant !== '') rows.push({ label: '', text: `${paint.dim(bar)} ${meant}` });
  const back = returned(exit);
  if (back !== '') {
    const code = /-?\b[0-9]+\b|EINVAL/.exec(back)?.[0] ?? '';
    const painted = code === '' ? back : back.replace(code, code === '0' ? paint.green(code) : paint.yellow(code));
    rows.push({ label: '', text: `${paint.dim(bar)} ${painted}` });
  }
  const state = requestName(exit.request);
  const request = exit.outcome === Outcome.hostPanic && exit.request === RequestState.NONE ? `${state}, yet an exit is due` : state;
  rows.push({
    label: 'request',
    text: `${paint.dim(branch)} ${exit.request === RequestState.DONE ? paint.green(request) : exit.request === RequestState.NONE ? request : paint.yellow(request)}`,
  });
  const outcome = (good: boolean, words: string, note: string): void => {
    rows.push(
      {
        label: 'outcome',
        text: `${paint.dim(last)} ${good ? paint.green(paint.bold(`${yes} ${words}`)) : paint.red(paint.bold(`${no} ${words}`))}`,
      },
      { label: '', text: `  ${note}` },
    );
  };
  switch (exit.outcome) {
    case Outcome.hostPanic:
      outcome(false, 'HOST PANIC', exit.note);
      break;
    case Outcome.aborted:
      outcome(
        false,
        `exit ${exitName(exit.finalCode)}`,
        exit.bytes.length > 0 ? `VM aborts, ${exit.bytes.length} bytes shown` : 'VM aborts',
      );
      break;
    case Outcome.runFailed:
      outcome(false, 'VM_RUN FAILED', exit.note);
      break;
    default:
      outcome(true, 'guest goes on', `eip ${hex((exit.eip + length) >>> 0, 8)}`);
  }
  return rows;
}

/** What became of an IPI at one target, in a few words with its sign: `✓ INIT, HALT → INIT`, `✕ not sent, no rule`. */
export function fate(ipi: IpiRecord, target: IpiTarget, paint: Paint): string {
  const { yes, no, none, arrow } = paint.sign;
  const { mode } = decodeIcr(ipi.icrLow, ipi.icrHigh);
  switch (target.verdict) {
    case Verdict.reached:
    case Verdict.merged: {
      const words = arrivalWords(ipi, target);
      if (mode === DeliveryMode.INIT) return `${paint.green(`${yes} ${words}`)}, ${runStateName(target.detail)} ${arrow} INIT`;
      return `${paint.green(yes)} ${words}`;
    }
    case Verdict.refused:
      return `${paint.red(`${no} refused`)}, ${reasonWords(ipi, target)}`;
    case Verdict.notAddressed:
      return paint.dim(`${none} ${target.reason === Reason.senderExcluded ? 'self, excluded' : reasonWords(ipi, target)}`);
    default:
      return `${paint.red(`${no} not sent`)}, ${target.reason === Reason.notHandled ? 'no rule for it' : target.reason === Reason.notActive ? 'not created' : reasonWords(ipi, target)}`;
  }
}

/** What became of an IPI, targets with the same fate together: `✓ vCPU1, 2 started at 0800:0000`, `✕ vCPU3 refused: already running`. */
export function fates(ipi: IpiRecord, paint: Paint): string[] {
  const icr = decodeIcr(ipi.icrLow, ipi.icrHigh);
  const groups = new Map<string, { good: boolean; vcpus: number[] }>();
  for (const target of ipi.targets) {
    if (target.verdict === Verdict.notAddressed) continue;
    const good = target.verdict === Verdict.reached || target.verdict === Verdict.merged;
    const late = target.takenNs > ipi.timeNs && icr.mode === DeliveryMode.NMI ? `, taken ${span(target.takenNs - ipi.timeNs)} later` : '';
    const words = good
      ? `${arrivalWords(ipi, target)}${late}`
      : `${target.verdict === Verdict.refused ? 'refused' : 'not sent'}: ${whyWords(target, ipi)}`;
    const group = groups.get(words);
    if (group) group.vcpus.push(target.vcpu);
    else groups.set(words, { good, vcpus: [target.vcpu] });
  }
  const to = icr.shorthand === 0 && icr.logical ? `, logical destination ${hex(icr.destination, 2)}` : '';
  if (groups.size === 0) return [`${paint.dim(paint.sign.none)} nobody is addressed`];
  return [...groups].map(
    ([words, { good, vcpus }]) =>
      `${good ? paint.green(paint.sign.yes) : paint.red(paint.sign.no)} ${vcpuList(vcpus)} ${words}${good ? to : ''}`,
  );
}
