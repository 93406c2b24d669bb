/** What `demo` draws: one store under several profiles side by side, the rest of the last run, and the summary. At most 100 columns. */
import { basename } from 'node:path';
import { explainEnd, exitName, ipiWords, isFatal, lapicAccess, time } from '../debugger/explain.ts';
import { compareLedgers } from '../debugger/compare.ts';
import { hex } from '../machine/base/bits.ts';
import { type ExitRecord, type IpiRecord, Outcome } from '../machine/ledger/records.ts';
import { Verdict } from '../machine/ledger/verdict.ts';
import type { Profile } from '../machine/profiles/profile.ts';
import { INSTRUCTION_NS } from '../machine/time/clock.ts';
import { Apic } from '../machine/x86/apic.ts';
import { type Finished, linear, place } from './finished.ts';
import type { Paint } from './paint.ts';
import { type ChainRow, chain, fate, fates, heading, icrRows } from './showing.ts';
import { ending, endSign } from './report.ts';
import { cut, padEnd, table, visible, wrap } from './table.ts';

/** One column of the comparison. */
export interface Column {
  readonly profile: Profile;
  readonly run: Finished;
}

interface Store {
  readonly exit: ExitRecord;
  readonly ipi: IpiRecord | undefined;
}

/** The first store to ICR_LO of a run. */
export function firstSend({ ledger }: Finished): Store | undefined {
  for (let n = ledger.firstExit; n <= ledger.exitCount; n++) {
    const exit = ledger.exitAt(n);
    if (exit?.write && lapicAccess(exit)?.offset === Apic.ICR_LO) return { exit, ipi: exit.ipi === 0 ? undefined : ledger.ipiAt(exit.ipi) };
  }
  return undefined;
}

/** A path as it is shown: whole, if it leaves room for what stands beside it. */
const shown = (file: string): string => (file.length > 40 ? basename(file) : file);

const LABEL = 10;
const GAP = 2;

/** Cells of several columns under one label each; rows with the same label stand side by side. */
function sideBySide(columns: readonly (readonly ChainRow[])[], paint: Paint): string[] {
  const width = Math.floor((paint.width - 2 - LABEL) / columns.length);
  const line = (label: string, cells: readonly string[]): string =>
    `  ${paint.dim(label.padEnd(LABEL))}${cells.map((c, i) => (i === cells.length - 1 ? cut(c, width, paint.sign.ellipsis) : padEnd(cut(c, width - GAP, paint.sign.ellipsis), width))).join('')}`.trimEnd();
  // Split each column into groups that begin with a label, then make the groups equally high.
  const groups = columns.map((rows) => {
    const made: ChainRow[][] = [];
    for (const row of rows)
      if (row.label === '' && made.length > 0) made.at(-1)?.push(row);
      else made.push([row]);
    return made;
  });
  const lines: string[] = [];
  for (let g = 0; g < Math.max(...groups.map((x) => x.length)); g++) {
    const height = Math.max(...groups.map((x) => x[g]?.length ?? 0));
    for (let r = 0; r < height; r++) {
      const label = r === 0 ? (groups.find((x) => x[g])?.[g]?.[0]?.label ?? '') : '';
      const filler = g === 0 || g === groups[0]!.length - 1 ? '' : paint.dim(paint.sign.bar);
      lines.push(
        line(
          label,
          groups.map((x) => x[g]?.[r]?.text ?? filler),
        ),
      );
    }
  }
  return lines;
}

function theStore(first: Column, store: Store, paint: Paint): string[] {
  const { exit, ipi } = store;
  const source = first.run.rom.placeAt(linear(exit));
  const dot = ` ${paint.sign.dot} `;
  const length = instructionLength(first.run, exit);
  const bytes = [...exit.bytes.subarray(0, length === 0 ? undefined : length)].map((b) => hex(b, 2)).join(' ');
  const value = `0x${hex(exit.value, 8)}`;
  const text = source?.text.replace(/^(\w+)\s+/, (_, m: string) => m.padEnd(8)) ?? `a store of ${value}`;
  const who = `vCPU${exit.vcpu}${exit.vcpu === 0 ? ' (BSP)' : ''}`;
  return [
    heading('THE STORE', paint),
    `  ${paint.underline(paint.blue(source === undefined ? hex(linear(exit), 8) : `${shown(source.file)}:${source.line}`))}   ${text.replace(value, paint.cyan(value))}`,
    `  ${paint.dim([who, `eip ${hex(exit.eip, 8)}`, ...(bytes === '' ? [] : [bytes]), `t ${time(exit.timeNs)}`].join(dot))}`,
    '',
    ...icrRows(exit.value, ipi?.icrHigh ?? 0, paint).map((l) => `  ${l}`),
  ];
}

const instructionLength = (run: Finished, exit: ExitRecord): number => run.rom.lengthAt(linear(exit)) ?? 0;

function whatBecomes(columns: readonly { column: Column; store: Store }[], paint: Paint): string[] {
  const width = Math.floor((paint.width - 2 - LABEL) / columns.length);
  const cells = (texts: readonly string[]): string =>
    `  ${' '.repeat(LABEL)}${texts.map((t, i) => (i === texts.length - 1 ? t : padEnd(t, width))).join('')}`;
  const vcpus = columns[0]?.column.run.cpus ?? 0;
  const targets = columns.map(({ store: { ipi } }) =>
    Array.from({ length: vcpus }, (_, v): string => {
      const target = ipi?.targets.find((t) => t.vcpu === v);
      return ipi === undefined || target === undefined ? paint.dim(`${paint.sign.none} no IPI`) : fate(ipi, target, paint);
    }),
  );
  const line = (label: string, texts: readonly string[]): string =>
    `  ${paint.dim(label.padEnd(LABEL))}${texts.map((t, i) => (i === texts.length - 1 ? t : padEnd(cut(t, width - GAP, paint.sign.ellipsis), width))).join('')}`;
  return [
    heading('WHAT BECOMES OF IT', paint),
    cells(columns.map(({ column }) => paint.bold(column.profile.name))),
    cells(columns.map(({ column }) => paint.dim(cut(column.profile.title, width - GAP, paint.sign.ellipsis)))),
    '',
    ...sideBySide(
      columns.map(({ column, store }) => chain(store.exit, store.ipi, column.profile, instructionLength(column.run, store.exit), paint)),
      paint,
    ),
    '',
    ...Array.from({ length: vcpus }, (_, v) =>
      line(
        `vCPU${v}`,
        targets.map((t) => t[v] as string),
      ),
    ),
  ];
}

/** Everything the last run sent after its first IPI, and what ended it. */
function then({ profile, run }: Column, paint: Paint): string[] {
  const { ledger, rom } = run;
  const rows: { cells: string[]; parts: string[] }[] = [];
  for (let n = Math.max(ledger.firstIpi, 2); n <= ledger.ipiCount; n++) {
    const ipi = ledger.ipiAt(n);
    if (ipi === undefined) continue;
    const from = ipi.vcpu === 0 ? '' : `, sent by vCPU${ipi.vcpu}`;
    const became = fates(ipi, paint);
    rows.push({
      cells: [paint.dim(`e#${ipi.exit}`), paint.underline(paint.blue(place(rom, ipi))), ipiWords(ipi)],
      parts: [...became.slice(0, -1), `${became.at(-1)}${from}`],
    });
  }
  if (run.stopped.kind === 'end' && run.stopped.end.exit !== 0) {
    const exit = ledger.exitAt(run.stopped.end.exit);
    if (exit !== undefined && exit.outcome >= Outcome.suspended) {
      const source = rom.placeAt(linear(exit))?.text.replace(/\s+/g, ' ') ?? '';
      const why = [source, exit.note === '' ? explainEnd(run.stopped.end).replace(/\.$/, '') : exit.note]
        .filter((t) => t !== '')
        .join(': ');
      const cells = [
        paint.dim(`e#${exit.number}`),
        paint.underline(paint.blue(place(rom, exit))),
        paint.red(paint.bold(exitName(exit.finalCode))),
      ];
      rows.push({ cells, parts: [`${paint.red(paint.sign.no)} ${why}`] });
    }
  }
  if (rows.length === 0) return [];
  const widths = [0, 1, 2].map((i) => Math.max(...rows.map(({ cells }) => visible(cells[i] as string))));
  const indent = 2 + widths.reduce((a, b) => a + b + 2, 0);
  const lines = rows.flatMap(({ cells, parts }) => {
    const head = `  ${cells.map((c, i) => padEnd(c, widths[i] as number)).join('  ')}  `;
    const together = parts.join('  ');
    const texts =
      indent + visible(together) <= paint.width
        ? [together]
        : parts.flatMap((part) => wrap(part, paint.width - indent).map((l, i) => (i === 0 ? l : `  ${l}`)));
    return texts.map((text, i) => (i === 0 ? head : ' '.repeat(indent)) + text);
  });
  return [heading(`THEN, UNDER ${profile.name}`, paint), ...lines];
}

function summaryTable(columns: readonly Column[], paint: Paint): string[] {
  const count = (run: Finished, v: Verdict): string => String(run.ledger.targetsByVerdict().get(v) ?? 0);
  const rows = columns.map(({ profile, run }) => {
    const { mood, where, words } = ending(run);
    return [
      profile.name,
      endSign(mood, words, paint),
      where,
      String(run.ledger.exitCount),
      String(run.ledger.ipiCount),
      count(run, Verdict.reached),
      count(run, Verdict.refused),
      count(run, Verdict.notSent),
    ];
  });
  const head = ['profile', 'ended', 'where', 'exits', 'IPIs', 'reached', 'refused', 'not sent'].map((t) => paint.dim(t));
  return [heading('SUMMARY', paint), ...table([head, ...rows], 3, [3, 4, 5, 6, 7]).map((l) => `  ${l}`)];
}

/** Lines of the source that the last run gives reason to look at: refused IPIs and the instruction that ended it. */
function linesToLookAt({ run }: Column): number[] {
  const lines = new Set<number>();
  const add = (at: { eip: number; csBase: number }): void => {
    const source = run.rom.placeAt(linear(at));
    if (source) lines.add(source.line);
  };
  for (let n = run.ledger.firstIpi; n <= run.ledger.ipiCount; n++) {
    const ipi = run.ledger.ipiAt(n);
    if (ipi?.targets.some((t) => t.verdict === Verdict.refused)) add(ipi);
  }
  if (run.stopped.kind === 'end' && isFatal(run.stopped.end)) add(run.ledger.exitAt(run.stopped.end.exit) ?? run.stopped.end);
  return [...lines].sort((a, b) => a - b);
}

const NUMBERS = ['no', 'one', 'two', 'three', 'four', 'five', 'six'];
const listed = (items: readonly (string | number)[]): string =>
  items.length < 2 ? items.join() : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;

/** What the comparison comes to, in a sentence or two. */
function conclusion(columns: readonly Column[], paint: Paint): string[] {
  const [first, last] = [columns[0] as Column, columns.at(-1) as Column];
  const parting = compareLedgers(first.run.ledger, last.run.ledger);
  const at = parting?.a.exit ?? parting?.b.exit;
  const where = at === undefined ? 'the ledgers do not part.' : `the ledgers part at ${place(last.run.rom, at)}.`;
  const store = firstSend(last.run);
  const delivered = store?.ipi?.targets.some((t) => t.verdict === Verdict.reached)
    ? ` Today's VMM delivers the ${ipiWords(store.ipi)}`
    : " Today's VMM goes on";
  const lines = linesToLookAt(last);
  const look =
    lines.length === 0
      ? '.'
      : `, and the run goes on to show ${NUMBERS[lines.length] ?? lines.length} thing${lines.length === 1 ? '' : 's'} to look at in the firmware: line${lines.length === 1 ? '' : 's'} ${listed(lines)}.`;
  return wrap(`Same ROM, same seed: ${where}${delivered}${look}`, paint.width - 4).map((l) => `  ${l}`);
}

/** The whole report: lines without line feeds. */
export function demoReport(columns: readonly Column[], version: string, paint: Paint): string[] {
  const stores = columns.flatMap((column) => {
    const store = firstSend(column.run);
    return store === undefined ? [] : [{ column, store }];
  });
  const [first, last] = [columns[0] as Column, columns.at(-1) as Column];
  const { run } = first;
  const dot = paint.dim(` ${paint.sign.dot} `);
  const lines = [
    '',
    ` ${[`${paint.bold('Exitpoint')} ${version}`, shown(run.rom.file), `${run.cpus} vCPUs`, 'xAPIC', `seed ${run.seed}`, `${INSTRUCTION_NS / run.cpus} ns per instruction`].join(dot)}`,
    '',
  ];
  const drawn = stores.find((s) => s.column === last) ?? stores[0];
  if (drawn) lines.push(...theStore(drawn.column, drawn.store, paint), '', ...whatBecomes(stores, paint), '');
  const rest = then(last, paint);
  if (rest.length > 0) lines.push(...rest, '');
  lines.push(...summaryTable(columns, paint), '', ...conclusion(columns, paint), '');
  const { file } = run.rom;
  const hints = [
    ['Break there', "npm start -- --break 'ipi:*=refused'"],
    ['Trace it', `npm start -- run ${file} --cpus ${run.cpus} --trace ipis`],
    ['Compare', `npm start -- diff ${file} --cpus ${run.cpus} --profile ${columns.at(-2)?.profile.name} --profile ${last.profile.name}`],
    ['Read', `${file}, from its notes at the end`],
    ['Next', 'npm start -- --help'],
  ].map(([label = '', text = '']) => `  ${paint.dim(label.padEnd(13))}${text}`);
  lines.push(...hints.filter((l) => visible(l) <= paint.width), '');
  return lines;
}
