/** What `diff` says: where two ledgers part, both sides of it, and how each run went on. */
import { type Comparison, LEFT_ASIDE, type Side } from '../debugger/compare.ts';
import { explainExit, explainIpi, exitName, time } from '../debugger/explain.ts';
import { Verdict } from '../machine/ledger/verdict.ts';
import { ending, endSign, VERDICT_WORDS } from './report.ts';
import { type Finished, linear, place } from './finished.ts';
import type { Paint } from './paint.ts';
import { heading } from './showing.ts';
import { grouped, table, wrap } from './table.ts';

function side(run: Finished, { exit, ipi }: Side, vcpu: number, paint: Paint): string[] {
  const indent = '    ';
  if (exit === undefined) return [`  ${paint.bold(run.profile)}`, `${indent}vCPU${vcpu} had no further exit: ${ending(run).sentences[0]}`];
  const sentences = [explainExit(exit, ipi), ...(ipi === undefined ? [] : [explainIpi(ipi)])];
  return [
    `  ${paint.bold(run.profile)}   ${paint.dim(`e#${exit.number}${ipi === undefined ? '' : `, i#${ipi.number}`} ${paint.sign.dot} ${exitName(exit.code)} ${paint.sign.dot} t ${time(exit.timeNs)}`)}`,
    ...sentences.flatMap((s) => wrap(s, paint.width - 6)).map((l) => `${indent}${l}`),
  ];
}

function totals(runs: readonly Finished[], paint: Paint): string[] {
  const head = ['profile', 'ended', 'where', 'exits', 'IPIs', ...VERDICT_WORDS.filter(([v]) => v !== Verdict.merged).map(([, w]) => w)].map(
    (t) => paint.dim(t),
  );
  const rows = runs.map((run) => {
    const { mood, where, words } = ending(run);
    const verdicts = VERDICT_WORDS.filter(([v]) => v !== Verdict.merged).map(([v]) => grouped(run.ledger.targetsByVerdict().get(v) ?? 0));
    return [run.profile, endSign(mood, words, paint), where, grouped(run.ledger.exitCount), grouped(run.ledger.ipiCount), ...verdicts];
  });
  return table([head, ...rows], 3, [3, 4, 5, 6, 7]).map((l) => `  ${l}`);
}

/** What is left aside, where there is any of it: ` RUN_STATE (12 against 0) is left aside: …`; else ''. */
function leftAside(a: Finished, b: Finished): string {
  const of = (run: Finished, code: (typeof LEFT_ASIDE)[number]): number => run.ledger.exitsByCode().get(code) ?? 0;
  const there = LEFT_ASIDE.filter((code) => of(a, code) + of(b, code) > 0);
  if (there.length === 0) return '';
  const counts = there.map((code) => `${exitName(code)} (${grouped(of(a, code))} against ${grouped(of(b, code))})`);
  return ` Exits ${counts.join(' and ')} are left aside: they tell of the VMM's own ways, not of the guest.`;
}

/** The heading and the words of two runs that have not parted. */
function unparted(a: Finished, b: Finished, { alike, complete }: Comparison): [heading: string, words: string] {
  const so = `${grouped(alike)} exit${alike === 1 ? ' was' : 's were'} compared and alike`;
  const interrupted = [a, b].filter((run) => run.stopped.kind === 'interrupted');
  if (interrupted.length > 0)
    return ['NO DIFFERENCE SO FAR', `${so} under ${a.profile} and ${b.profile} when Ctrl-C ended the comparison.${leftAside(a, b)}`];
  if (!complete)
    return [
      'NOT COMPARED WHOLE',
      `${so} under ${a.profile} and ${b.profile}; then one run came to so many more exits than the other by the same time that the rest was not kept.${leftAside(a, b)}`,
    ];
  return [
    'NO DIFFERENCE',
    `Under ${a.profile} and ${b.profile} every vCPU has the same exits with the same outcomes, and every IPI the same fate.${leftAside(a, b)}`,
  ];
}

/** The report: lines without line feeds. */
export function diffReport(a: Finished, b: Finished, comparison: Comparison, paint: Paint): string[] {
  const lines: string[] = [''];
  const { parting } = comparison;
  if (parting === undefined) {
    const [title, words] = unparted(a, b, comparison);
    lines.push(heading(title, paint), ...wrap(words, paint.width - 4).map((l) => `  ${l}`));
  } else {
    const at = parting.a.exit ?? parting.b.exit;
    const source = at === undefined ? undefined : a.rom.placeAt(linear(at));
    const where = at === undefined ? `vCPU${parting.vcpu}` : place(a.rom, at);
    lines.push(heading('THE LEDGERS PART', paint));
    lines.push(`  ${paint.underline(paint.blue(where))}${source === undefined ? '' : `   ${source.text.replace(/\s+/g, ' ')}`}`);
    const before =
      parting.alike === 0 ? 'this is its first exit' : `${grouped(parting.alike)} exit${parting.alike === 1 ? '' : 's'} before were alike`;
    lines.push(`  ${paint.dim(`vCPU${parting.vcpu}; ${before}; what differs: ${parting.what.join(', ')}`)}`, '');
    lines.push(...side(a, parting.a, parting.vcpu, paint), '', ...side(b, parting.b, parting.vcpu, paint));
  }
  lines.push('', heading('BOTH RUNS', paint), ...totals([a, b], paint), '');
  for (const run of [a, b]) {
    const [sentence = ''] = ending(run).sentences;
    lines.push(...wrap(`${run.profile}: ${sentence}`, paint.width - 4).map((l) => `  ${l}`));
  }
  if (a.rom.padding > 0)
    lines.push(`  ${a.rom.file} is not a multiple of 4 KiB: ${a.rom.padding} bytes were added in front. Real bhyve refuses such a file.`);
  lines.push('');
  return lines;
}

/** The report for --json. */
export function diffJson(a: Finished, b: Finished, { alike, complete, parting }: Comparison): object {
  const one = (run: Finished): object => {
    const { where, words, sentences } = ending(run);
    return {
      profile: run.profile,
      ended: words,
      where,
      sentence: sentences[0],
      exits: run.ledger.exitCount,
      ipis: run.ledger.ipiCount,
      timeNs: run.timeNs,
      instructions: run.instructions,
    };
  };
  const sideJson = ({ exit, ipi }: Side): object | null =>
    exit === undefined
      ? null
      : {
          exit: exit.number,
          code: exitName(exit.code),
          timeNs: exit.timeNs,
          where: place(a.rom, exit),
          sentence: explainExit(exit, ipi),
          ipi: ipi === undefined ? null : explainIpi(ipi),
        };
  return {
    file: a.rom.file,
    cpus: a.cpus,
    seed: a.seed,
    /** Exits compared and found alike, and whether that was all of them. */
    alike,
    complete: complete && a.stopped.kind !== 'interrupted' && b.stopped.kind !== 'interrupted',
    parting:
      parting === undefined
        ? null
        : { vcpu: parting.vcpu, alike: parting.alike, what: parting.what, a: sideJson(parting.a), b: sideJson(parting.b) },
    a: one(a),
    b: one(b),
  };
}
