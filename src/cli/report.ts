/** What `run` says on stderr: trace lines, why it ended and where, exits by code, IPIs by verdict. */
import { basename } from 'node:path';
import { explainEnd, explainExit, endWords, exitName, ipiSentence, ipiWords, isFatal, span, time } from '../debugger/explain.ts';
import type { Hit } from '../debugger/engine.ts';
import { hex } from '../machine/base/bits.ts';
import type { ExitRecord, IpiRecord, LedgerReader } from '../machine/ledger/records.ts';
import { ExitCode } from '../machine/ledger/exitcode.ts';
import { Verdict } from '../machine/ledger/verdict.ts';
import { runStateName, verdictName } from '../machine/ledger/words.ts';
import type { End } from '../machine/vmm/end.ts';
import { Status } from './errors.ts';
import { type Address, type Finished, linear, place } from './finished.ts';
import type { Paint } from './paint.ts';
import type { Program } from '../debugger/code/program.ts';
import { grouped, padEnd, wrap } from './table.ts';

/** Verdicts in the order and words of summaries. */
export const VERDICT_WORDS: readonly (readonly [Verdict, string])[] = [
  [Verdict.reached, 'reached'],
  [Verdict.merged, 'merged'],
  [Verdict.refused, 'refused'],
  [Verdict.notSent, 'not sent'],
];

/** One line for --trace exits. */
export const traceExit = (exit: ExitRecord, ipi: IpiRecord | undefined, rom: Program, paint: Paint): string =>
  `${paint.dim(`${time(exit.timeNs).padStart(15)}  `)}${padEnd(`e#${exit.number}`, 7)} ${padEnd(place(rom, exit), 18)} ${paint.blue(padEnd(exitName(exit.code), 11))} ${explainExit(exit, ipi)}`;

/** One line for --trace ipis. What its column has no room for stands in the sentence. */
export const traceIpi = (ipi: IpiRecord, rom: Program, paint: Paint): string =>
  `${paint.dim(`${time(ipi.timeNs).padStart(15)}  `)}${padEnd(`i#${ipi.number}`, 7)} ${padEnd(place(rom, ipi), 18)} ${paint.cyan(padEnd(ipiWords(ipi).replace(' level de-assert', ''), 11))} ${ipiSentence(ipi)}`;

/** What a breakpoint stopped at, in one sentence. */
export function hitSentence(hit: Hit, run: Finished): string {
  const { focus, breakpoint } = hit;
  if (breakpoint.trigger.kind === 'ipi' && focus.ipi) return ipiSentence(focus.ipi);
  if (focus.exit) return explainExit(focus.exit, focus.ipi);
  if (breakpoint.trigger.kind === 'vector') return `vCPU${focus.vcpu} was delivered vector ${hex(breakpoint.trigger.vector, 2)}.`;
  const source = run.rom.placeAt(linear(run.vcpus[focus.vcpu] as (typeof run.vcpus)[number]));
  return `vCPU${focus.vcpu} is about to execute ${source === undefined ? 'the instruction there' : source.text.replace(/\s+/g, ' ')}.`;
}

interface Ending {
  readonly words: string;
  /** `neutral`: neither what was asked for nor grief. */
  readonly mood: 'good' | 'bad' | 'neutral';
  readonly where: string;
  readonly sentences: readonly string[];
}

/** Why and where a run ended, in words. */
export function ending(run: Finished): Ending {
  const { stopped, rom } = run;
  switch (stopped.kind) {
    case 'end': {
      const { end } = stopped;
      const sentences = [explainEnd(end)];
      if (end.kind === 'hostPanic') sentences.push(`panic: ${end.message}`, ...end.chain.map((f) => `  ${f}`));
      if ((end.kind === 'aborted' || end.kind === 'runFailed') && end.printed !== '')
        sentences.push(
          ...end.printed
            .trimEnd()
            .split('\n')
            .map((l) => `bhyve: ${l}`),
        );
      if (end.kind === 'stuck') sentences.push(...end.vcpus.map((v) => located(v, rom)));
      return {
        words: endWords(end),
        mood: isFatal(end) ? 'bad' : end.kind === 'stuck' ? 'neutral' : 'good',
        where: place(rom, haltAt(run, end) ?? end),
        sentences,
      };
    }
    case 'breakpoint': {
      const [hit] = stopped.hits as [Hit];
      const at = hit.focus.exit ?? hit.focus.ipi ?? (run.vcpus[hit.focus.vcpu] as (typeof run.vcpus)[number]);
      const sentences = stopped.hits.map(
        (h) =>
          `${h.breakpoint.text}: ${hitSentence(h, run)}${h.problem === undefined ? '' : ` (Its condition could not be evaluated: ${h.problem})`}`,
      );
      return { words: 'breakpoint', mood: 'neutral', where: place(rom, at), sentences };
    }
    case 'timeout':
      return { words: 'timeout', mood: 'bad', where: '', sentences: ['The time given by --timeout is over.', ...positions(run)] };
    case 'interrupted':
      return { words: 'interrupted', mood: 'neutral', where: '', sentences: ['Ctrl-C.', ...positions(run)] };
    case 'expected':
      return { words: 'as expected', mood: 'good', where: '', sentences: ['Every text of --expect was printed.'] };
    case 'failText':
      return {
        words: 'failed',
        mood: 'bad',
        where: '',
        sentences: [`The text of --fail-text was printed: ${JSON.stringify(stopped.text)}.`],
      };
  }
}

/** The HLT that a vCPU ended in: the machine itself is past it, at the instruction that follows. */
function haltAt({ ledger }: Finished, end: End): Address | undefined {
  if (end.kind !== 'stuck' && !(end.kind === 'suspended' && end.how === 'halt')) return undefined;
  for (let n = ledger.exitCount; n >= ledger.firstExit; n--) {
    const exit = ledger.exitAt(n);
    if (exit?.vcpu === end.vcpu) return exit.code === ExitCode.HLT ? exit : undefined;
  }
  return undefined;
}

/** Where each vCPU is, and what it does there, one sentence each. */
const positions = ({ rom, vcpus }: Finished): string[] =>
  vcpus.map((v, id) => {
    const who = `vCPU${id}`;
    if (v.state === 'never started' || v.state === 'not created')
      return `${who} was ${v.state === 'not created' ? 'never created' : v.state}`;
    if (v.state === 'waits for SIPI') return `${who} waits for SIPI`;
    const source = rom.placeAt(linear(v));
    const at = `CS:EIP ${hex(v.cs, 4)}:${hex(v.eip, 8)}${source === undefined ? ` (${hex(linear(v), 8)}h)` : `, ${basename(source.file)}:${source.line}`}`;
    return v.state === 'halted'
      ? `${who} halted; next is ${at}`
      : `${who} runs at ${at}${source === undefined ? '' : `: ${source.text.replace(/\s+/g, ' ')}`}`;
  });

/** How a run ended, with its sign: `✕ VM abort`, `✓ halted`, `– stuck`. */
export function endSign(mood: Ending['mood'], words: string, paint: Paint): string {
  const { yes, no, none } = paint.sign;
  return mood === 'bad' ? paint.red(`${no} ${words}`) : mood === 'good' ? paint.green(`${yes} ${words}`) : paint.yellow(`${none} ${words}`);
}

/** A sentence with the source line behind every address that has one: `FFFFF073h (lost-sipi.asm:47)`. */
const located = (sentence: string, rom: Program): string =>
  sentence.replace(/\b([0-9A-F]{8})h\b/g, (address, digits: string) => {
    const source = rom.placeAt(Number.parseInt(digits, 16));
    return source === undefined ? address : `${address} (${basename(source.file)}:${source.line})`;
  });

/** The exit status of a run. `missing`: texts of --expect that the console has not shown. */
export function statusOf(run: Finished, missing: readonly string[]): Status {
  switch (run.stopped.kind) {
    case 'interrupted':
      return Status.interrupted;
    case 'failText':
      return Status.failed;
    case 'timeout':
      return Status.timeout;
    case 'end':
      if (isFatal(run.stopped.end)) return Status.fatal;
  }
  return missing.length > 0 ? Status.failed : Status.ok;
}

const counts = (ledger: LedgerReader): { exits: string; verdicts: string } => {
  const exits = [...ledger.exitsByCode()].filter(([, n]) => n > 0).sort(([a, n], [b, m]) => m - n || a - b);
  const verdicts = VERDICT_WORDS.map(([v, words]) => [words, ledger.targetsByVerdict().get(v) ?? 0] as const).filter(([, n]) => n > 0);
  return {
    exits: exits.map(([code, n]) => `${exitName(code)} ${grouped(n)}`).join(', '),
    verdicts: verdicts.map(([words, n]) => `${grouped(n)} ${words}`).join(', '),
  };
};

/** At most this many lost IPIs are listed. */
const LISTED = 12;

/** Did it address no vCPU at all? */
const toNobody = (ipi: IpiRecord): boolean => ipi.targets.every((t) => t.verdict === Verdict.notAddressed);

/** Records of IPIs that some target refused, that were not sent, or that addressed nobody, newest last. */
export function lostIpis(ledger: LedgerReader): IpiRecord[] {
  const lost: IpiRecord[] = [];
  for (let n = ledger.firstIpi; n <= ledger.ipiCount; n++) {
    const ipi = ledger.ipiAt(n);
    if (ipi === undefined) continue;
    if (toNobody(ipi) || ipi.targets.some((t) => t.verdict === Verdict.refused || t.verdict === Verdict.notSent)) lost.push(ipi);
  }
  return lost;
}

/** First line of a run. */
export function header(
  run: Pick<Finished, 'rom' | 'cpus' | 'model' | 'profile' | 'seed' | 'memory'>,
  version: string,
  paint: Paint,
): string {
  const dot = paint.dim(` ${paint.sign.dot} `);
  const parts = [
    run.rom.file,
    `${run.cpus} vCPU${run.cpus === 1 ? '' : 's'}`,
    `${run.memory >> 20} MiB`,
    run.model,
    run.profile,
    `seed ${run.seed}`,
  ];
  return `${paint.bold('Exitpoint')} ${version}${dot}${parts.join(dot)}`;
}

/** The summary at the end of a run: lines without line feeds. */
export function summary(run: Finished, missing: readonly string[], paint: Paint): string[] {
  const { mood, sentences, where, words } = ending(run);
  const { ledger, rom } = run;
  const lines: string[] = [];
  const width = paint.width - 8;
  const row = (label: string, text: string): void => {
    const [first = '', ...rest] = wrap(text, width);
    lines.push(`${paint.dim(label.padEnd(7))} ${first}`, ...rest.map((l) => `        ${l}`));
  };
  const at = where === '' ? '' : ` at ${paint.blue(where)}`;
  lines.push(
    `${paint.dim('ended  ')} ${endSign(mood, words, paint)}${at} after ${span(run.timeNs)} of virtual time, ${grouped(run.instructions)} instructions`,
  );
  for (const sentence of sentences)
    for (const line of sentence.startsWith(' ') ? [sentence] : wrap(sentence, width)) lines.push(`        ${line}`);
  const { exits, verdicts } = counts(ledger);
  row('exits', `${grouped(ledger.exitCount)}${exits === '' ? '' : `: ${exits}`}`);
  const lost = lostIpis(ledger);
  const nobody = lost.filter(toNobody).length;
  const became = [...(verdicts === '' ? [] : [verdicts]), ...(nobody === 0 ? [] : [`${grouped(nobody)} to nobody`])].join(', ');
  row('IPIs', `${grouped(ledger.ipiCount)}${became === '' ? '' : `: ${became}`}`);
  for (const ipi of lost.slice(0, LISTED)) {
    const [first = '', ...rest] = wrap(`${place(rom, ipi)} ${ipiSentence(ipi)}`, width - 9);
    lines.push(
      `        ${paint.red(paint.sign.no)} i#${padEnd(String(ipi.number), 4)} ${first}`,
      ...rest.map((l) => `                 ${l}`),
    );
  }
  if (lost.length > LISTED) lines.push(`        and ${grouped(lost.length - LISTED)} more; --trace ipis shows all`);
  if (ledger.firstExit > 1) row('note', `Records of exits before e#${ledger.firstExit} were dropped; the counts include them.`);
  if (rom.padding > 0)
    row('note', `${rom.file} is not a multiple of 4 KiB: ${rom.padding} bytes were added in front. Real bhyve refuses such a file.`);
  for (const { breakpoint, count } of run.stopped.kind === 'breakpoint' ? [] : run.unmet)
    row('break', `never met: ${breakpoint.text}${count === 0 ? '' : ` (it came ${grouped(count)} time${count === 1 ? '' : 's'})`}`);
  for (const text of missing)
    lines.push(`${paint.dim('missing')} ${paint.red(paint.sign.no)} the console never showed ${JSON.stringify(text)}`);
  return lines;
}

/** Changes when a field changes its meaning or goes; not when one is added. */
const JSON_SCHEMA = 1;

const END_WORDS: Readonly<Record<End['kind'], string>> = {
  hostPanic: 'host-panic',
  aborted: 'vm-abort',
  runFailed: 'run-failed',
  suspended: 'suspended',
  stuck: 'stuck',
  guestExit: 'guest-exit',
};
const HOW_WORDS = { reset: 'reset', poweroff: 'power-off', halt: 'halt', tripleFault: 'triple-fault' } as const;

/** How a run ended, in the words of a sample's `EXPECT: end`, or of the option that ended it. */
const kindWord = (stopped: Finished['stopped']): string =>
  stopped.kind === 'end' ? END_WORDS[stopped.end.kind] : stopped.kind === 'failText' ? 'fail-text' : stopped.kind;

/** The summary for --json; `exitpoint help json` documents it. */
export function summaryJson(run: Finished, missing: readonly string[], console: string, status: Status): object {
  const { words, where, sentences } = ending(run);
  const { ledger } = run;
  return {
    schema: JSON_SCHEMA,
    file: run.rom.file,
    padding: run.rom.padding,
    profile: run.profile,
    model: run.model,
    cpus: run.cpus,
    memory: run.memory,
    seed: run.seed,
    slice: run.slice ?? null,
    status,
    ended: {
      kind: kindWord(run.stopped),
      how: run.stopped.kind === 'end' && run.stopped.end.kind === 'suspended' ? HOW_WORDS[run.stopped.end.how] : null,
      words,
      where,
      sentence: sentences[0],
      details: sentences.slice(1),
    },
    timeNs: run.timeNs,
    instructions: run.instructions,
    vcpus: run.vcpus.map((v, vcpu) => ({
      vcpu,
      state: v.state,
      runState: runStateName(v.runState),
      cs: v.cs,
      eip: v.eip,
      linear: linear(v),
      where: place(run.rom, v),
    })),
    exits: {
      count: ledger.exitCount,
      dropped: ledger.firstExit - 1,
      byCode: Object.fromEntries([...ledger.exitsByCode()].map(([code, n]) => [exitName(code), n])),
    },
    ipis: {
      count: ledger.ipiCount,
      toNobody: lostIpis(ledger).filter(toNobody).length,
      byVerdict: Object.fromEntries([...ledger.targetsByVerdict()].map(([v, n]) => [verdictName(v), n])),
      lost: lostIpis(ledger).map((ipi) => ({
        ipi: ipi.number,
        exit: ipi.exit,
        where: place(run.rom, ipi),
        timeNs: ipi.timeNs,
        sentence: ipiSentence(ipi),
      })),
    },
    neverMet: run.unmet.map(({ breakpoint }) => breakpoint.text),
    missing,
    console,
  };
}
