/** What `run` says on stderr: trace lines, why it ended and where, exits by code, IPIs by verdict. */
import { basename } from 'node:path';
import { explainEnd, explainExit, explainIpi, endWords, exitName, ipiWords, isFatal, span, time } from '../debugger/explain.ts';
import type { Hit } from '../debugger/engine.ts';
import { hex } from '../machine/base/bits.ts';
import type { ExitRecord, IpiRecord, LedgerReader } from '../machine/ledger/records.ts';
import { Verdict } from '../machine/ledger/verdict.ts';
import { verdictName } from '../machine/ledger/words.ts';
import { Status } from './errors.ts';
import { type Finished, linear, place } from './finished.ts';
import type { Paint } from './paint.ts';
import type { Rom } from './rom.ts';
import { grouped, padEnd, wrap } from './table.ts';

/** Verdicts in the order and words of summaries. */
export const VERDICT_WORDS: readonly (readonly [Verdict, string])[] = [
  [Verdict.reached, 'reached'],
  [Verdict.merged, 'merged'],
  [Verdict.refused, 'refused'],
  [Verdict.notSent, 'not sent'],
];

/** One line for --trace exits. */
export const traceExit = (exit: ExitRecord, ipi: IpiRecord | undefined, rom: Rom, paint: Paint): string =>
  `${paint.dim(`${time(exit.timeNs).padStart(15)}  `)}${padEnd(`e#${exit.number}`, 7)} ${padEnd(place(rom, exit), 16)} ${paint.blue(padEnd(exitName(exit.code), 10))} ${explainExit(exit, ipi)}`;

/** One line for --trace ipis. */
export const traceIpi = (ipi: IpiRecord, rom: Rom, paint: Paint): string =>
  `${paint.dim(`${time(ipi.timeNs).padStart(15)}  `)}${padEnd(`i#${ipi.number}`, 7)} ${padEnd(place(rom, ipi), 16)} ${paint.cyan(padEnd(ipiWords(ipi), 10))} ${explainIpi(ipi)}`;

/** What a breakpoint stopped at, in one sentence. */
export function hitSentence(hit: Hit, run: Finished): string {
  const { focus, breakpoint } = hit;
  if (breakpoint.trigger.kind === 'ipi' && focus.ipi) return explainIpi(focus.ipi);
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
        where: place(rom, end),
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
      return { words: 'timeout', mood: 'bad', where: '', sentences: ['The time given by --timeout is over.'] };
    case 'interrupted':
      return { words: 'interrupted', mood: 'neutral', where: '', sentences: ['Ctrl-C.'] };
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

/** How a run ended, with its sign: `✕ VM abort`, `✓ halted`, `– stuck`. */
export function endSign(mood: Ending['mood'], words: string, paint: Paint): string {
  const { yes, no, none } = paint.sign;
  return mood === 'bad' ? paint.red(`${no} ${words}`) : mood === 'good' ? paint.green(`${yes} ${words}`) : paint.yellow(`${none} ${words}`);
}

/** A sentence with the source line behind every address that has one: `FFFFF073h (lost-sipi.asm:47)`. */
const located = (sentence: string, rom: Rom): string =>
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

/** At most this many refused or unsent IPIs are listed. */
const LISTED = 8;

/** Records of IPIs that some target refused or that were not sent, newest last. */
export function lostIpis(ledger: LedgerReader): IpiRecord[] {
  const lost: IpiRecord[] = [];
  for (let n = ledger.firstIpi; n <= ledger.ipiCount; n++) {
    const ipi = ledger.ipiAt(n);
    if (ipi?.targets.some((t) => t.verdict === Verdict.refused || t.verdict === Verdict.notSent)) lost.push(ipi);
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
  row('IPIs', `${grouped(ledger.ipiCount)}${verdicts === '' ? '' : `: ${verdicts}`}`);
  const lost = lostIpis(ledger);
  for (const ipi of lost.slice(0, LISTED)) {
    const [first = '', ...rest] = wrap(`${place(rom, ipi)} ${explainIpi(ipi)}`, width - 9);
    lines.push(
      `        ${paint.red(paint.sign.no)} i#${padEnd(String(ipi.number), 4)} ${first}`,
      ...rest.map((l) => `                 ${l}`),
    );
  }
  if (lost.length > LISTED) lines.push(`        and ${grouped(lost.length - LISTED)} more; --trace ipis shows all`);
  if (ledger.firstExit > 1) row('note', `Records of exits before e#${ledger.firstExit} were dropped; the counts include them.`);
  if (rom.padding > 0)
    row('note', `${rom.file} is not a multiple of 4 KiB: ${rom.padding} bytes were added in front. Real bhyve refuses such a file.`);
  for (const text of missing)
    lines.push(`${paint.dim('missing')} ${paint.red(paint.sign.no)} the console never showed ${JSON.stringify(text)}`);
  return lines;
}

/** The summary for --json. */
export function summaryJson(run: Finished, missing: readonly string[], console: string, status: Status): object {
  const { words, where, sentences } = ending(run);
  const { ledger } = run;
  return {
    file: run.rom.file,
    padding: run.rom.padding,
    profile: run.profile,
    model: run.model,
    cpus: run.cpus,
    memory: run.memory,
    seed: run.seed,
    status,
    ended: {
      kind: run.stopped.kind === 'end' ? run.stopped.end.kind : run.stopped.kind,
      words,
      where,
      sentence: sentences[0],
      details: sentences.slice(1),
    },
    timeNs: run.timeNs,
    instructions: run.instructions,
    exits: {
      count: ledger.exitCount,
      dropped: ledger.firstExit - 1,
      byCode: Object.fromEntries([...ledger.exitsByCode()].map(([code, n]) => [exitName(code), n])),
    },
    ipis: {
      count: ledger.ipiCount,
      byVerdict: Object.fromEntries([...ledger.targetsByVerdict()].map(([v, n]) => [verdictName(v), n])),
      lost: lostIpis(ledger).map((ipi) => ({
        ipi: ipi.number,
        exit: ipi.exit,
        where: place(run.rom, ipi),
        timeNs: ipi.timeNs,
        sentence: explainIpi(ipi),
      })),
    },
    missing,
    console,
  };
}
