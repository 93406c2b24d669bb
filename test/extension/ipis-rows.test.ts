/** The rows of IPIs. */
import { describe, expect, test } from 'vitest';
import { parseBreakpoint } from '../../src/debugger/breakpoint.ts';
import type { IpiRow, IpiTargetRow } from '../../src/debugger/trees.ts';
import { ipisModel, timeWords } from '../../src/extension/ipis-rows.ts';

const target = (vcpu: number, fate: IpiTargetRow['fate'], word: string, reason = ''): IpiTargetRow => ({
  who: `vCPU${vcpu}`, vcpus: [vcpu], fate, word, reason,
}); // biome-ignore format: one line is enough
const ipi = (number: number, more: Partial<IpiRow>): IpiRow => ({
  number,
  exit: number * 5,
  what: 'FIXED 30',
  route: 'vCPU0 → MDA 08',
  reached: 0,
  refused: 0,
  targets: [],
  sentence: 'FIXED 30 reached nobody.',
  timeNs: 10_206_230,
  ...more,
});

const lost = ipi(7, {
  refused: 1,
  targets: [
    target(3, 'refused', 'refused', 'LAPIC software-disabled: SVR = 000000FF, bit 8 clear'),
    { who: 'vCPU0, 1, 2', vcpus: [0, 1, 2], fate: 'notAddressed', word: 'no match', reason: 'LDR 01, 02, 04 & 08 = 0' },
  ],
  place: { file: '/ws/samples/icrlo.asm', line: 63 },
});
const started = ipi(3, {
  what: 'SIPI 08',
  route: 'vCPU0 → all but self',
  reached: 2,
  refused: 1,
  targets: [target(1, 'reached', 'started'), target(2, 'reached', 'started'), target(3, 'refused', 'ignored', 'already running')],
});
const nobody = ipi(2, { targets: [target(1, 'notAddressed', 'no match')] });
const notSent = ipi(1, { what: 'INIT', targets: [target(1, 'notSent', 'not sent', 'no rule for it')] });
const model = ipisModel({ sent: 4, refusedTargets: 2, ipis: [lost, started, nobody, notSent] });
const [first, second, third, fourth] = model.items;

describe('IPIs', () => {
  test('shows how many were sent and how many targets refused', () => {
    expect(model.description).toBe('4 sent · 2 refused');
    expect(ipisModel({ sent: 0, refusedTargets: 0, ipis: [] }).description).toBe('0 sent');
  });

  test('describes an IPI by its route and what became of its targets', () => {
    expect(model.items.map(({ label, description }) => `${label}  ${description}`)).toEqual([
      'i#7  FIXED 30  ✕ 1 · vCPU0 → MDA 08',
      'i#3  SIPI 08  ✓ 2 ✕ 1 · vCPU0 → all but self',
      'i#2  FIXED 30  – nobody · vCPU0 → MDA 08',
      'i#1  INIT  ✕ not sent · vCPU0 → MDA 08',
    ]);
  });

  test('marks an IPI by the worst of its fates', () => {
    expect(model.items.map(({ mark }) => mark)).toEqual(['refused', 'refused', 'none', 'refused']);
    expect(
      ipisModel({ sent: 1, refusedTargets: 0, ipis: [ipi(1, { reached: 1, targets: [target(1, 'reached', 'started')] })] }).items[0]?.mark,
    ).toBe('reached');
  });

  test('gives every target its verdict and its reason', () => {
    expect(first?.children.map(({ label, description, mark }) => [label, description, mark])).toEqual([
      ['vCPU3 refused', 'LAPIC software-disabled: SVR = 000000FF, bit 8 clear', 'refused'],
      ['vCPU0, 1, 2 no match', 'LDR 01, 02, 04 & 08 = 0', 'none'],
    ]);
    expect(first?.children[0]?.tooltip).toBe('✕ vCPU3 refused: LAPIC software-disabled: SVR = 000000FF, bit 8 clear');
  });

  test('has the whole sentence, the records, the time and the line in the tooltip', () => {
    expect(first?.tooltip).toBe('FIXED 30 reached nobody.\n\ni#7 · e#35 · t 10.206 230 ms · icrlo.asm:63');
  });

  test('breaks on an IPI as it went: on its mode, its target and its verdict', () => {
    expect(model.items.map(({ breakpoint }) => breakpoint)).toEqual([
      'ipi:FIXED=refused',
      'ipi:SIPI=refused',
      'ipi:FIXED=nobody',
      'ipi:INIT=notSent',
    ]);
    expect(first?.children.map(({ breakpoint }) => breakpoint)).toEqual(['ipi:FIXED->3=refused', 'ipi:FIXED=notAddressed']);
    expect(second?.children[0]?.breakpoint).toBe('ipi:SIPI->1=reached');
    expect(fourth?.children[0]?.breakpoint).toBe('ipi:INIT->1=notSent');
  });

  test('every breakpoint that it offers is one', () => {
    const program = { vcpuCount: 4, symbol: () => undefined };
    for (const { breakpoint, children } of model.items)
      for (const text of [breakpoint, ...children.map((child) => child.breakpoint)])
        expect(parseBreakpoint(text, program).trigger.kind).toBe('ipi');
  });

  test('has an id of its own for every row', () => {
    const ids = model.items.flatMap(({ id, children }) => [id, ...children.map((child) => child.id)]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('only an IPI whose store has a line leads there', () => {
    expect(first?.place).toEqual({ file: '/ws/samples/icrlo.asm', line: 63 });
    expect(first?.children[0]?.place).toEqual(first?.place);
    expect(third).not.toHaveProperty('place');
  });
});

test('times are milliseconds with the nanoseconds in two threes', () => {
  expect([0, 267, 10_206_230].map(timeWords)).toEqual(['t 0.000 000 ms', 't 0.000 267 ms', 't 10.206 230 ms']);
});
