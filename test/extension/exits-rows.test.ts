/** The rows of VM Exits. */
import { describe, expect, test } from 'vitest';
import type { ExitsTree } from '../../src/debugger/trees.ts';
import { exitsModel, withAction } from '../../src/extension/exits-rows.ts';

const tree: ExitsTree = {
  total: 32,
  groups: [
    {
      group: 'mmio',
      label: 'Device access',
      count: 27,
      codes: [
        { code: 'MMIO_EMUL', about: '', count: 27, action: 'off', last: 39, place: { file: '/ws/icrlo.asm', line: 63 } },
        { code: 'MMIO', about: 'to userspace', count: 0, action: 'both', last: 0 },
        { code: 'PAGING', about: 'no memory there', count: 0, action: 'off', last: 0 },
      ],
    },
    { group: 'pio', label: 'Port I/O', count: 5, codes: [{ code: 'INOUT', about: '', count: 5, action: 'log', last: 31 }] },
    { group: 'msr', label: 'MSR', count: 0, codes: [{ code: 'RDMSR', about: '', count: 0, action: 'off', last: 0 }] },
  ],
};
const [mmio, pio, msr] = exitsModel(tree, false).items;

describe('VM Exits', () => {
  test('shows how many exits there were, and how many codes are hidden because nothing happened and nothing is asked for', () => {
    expect(exitsModel(tree, false).description).toBe('32 exits · 2 idle codes hidden');
    expect(exitsModel(tree, true).description).toBe('32 exits');
    expect(exitsModel({ total: 1, groups: [] }, false).description).toBe('1 exit');
  });

  test('hides idle codes, and shows all when asked to', () => {
    expect(mmio?.children.map(({ label }) => label)).toEqual(['MMIO_EMUL', 'MMIO']);
    expect(exitsModel(tree, true).items[0]?.children.map(({ label }) => label)).toEqual(['MMIO_EMUL', 'MMIO', 'PAGING']);
    expect(msr?.children).toEqual([]);
  });

  test('has no row for what cannot happen in this machine, unless it has happened or is waited for', () => {
    const idle = (count: number, action: 'off' | 'break') => [
      { code: 'PAUSE', about: '', count, action, last: 0, impossible: true as const },
    ];
    const group = (count: number, action: 'off' | 'break') => ({ group: 'idle', label: 'Idle', count, codes: idle(count, action) });
    const shown = (count: number, action: 'off' | 'break') => exitsModel({ total: count, groups: [group(count, action)] }, true);
    expect(shown(0, 'off')).toEqual({ items: [], description: '0 exits' });
    expect(shown(1, 'off').items[0]?.children.map(({ label }) => label)).toEqual(['PAUSE']);
    expect(shown(0, 'break').items[0]?.children.map(({ label }) => label)).toEqual(['PAUSE']);
  });

  test('describes a row by count, a few words, and whether it is logged', () => {
    expect(mmio?.children.map(({ description }) => description)).toEqual(['27', '0 · to userspace · ◆ logged']);
    expect([mmio, pio, msr].map((item) => item?.description)).toEqual(['27 · ◆ 1 of 3 logged', '5 · ◆ logged', '0']);
  });

  test('checks the box of a group only when all of its codes break', () => {
    expect(mmio?.breaks).toBe(false);
    expect(mmio?.children.map(({ breaks }) => breaks)).toEqual([false, true]);
    const all = exitsModel(
      { ...tree, groups: [{ ...tree.groups[1]!, codes: [{ ...tree.groups[1]!.codes[0]!, action: 'break' }] }] },
      false,
    );
    expect(all.items[0]?.breaks).toBe(true);
  });

  test('speaks every row', () => {
    expect(mmio?.spoken).toBe('Device access, 27 exits, 1 of 3 break, 1 of 3 logged');
    expect(mmio?.children[1]?.spoken).toBe('MMIO, to userspace, 0 exits, breaks, logged');
  });

  test('a box and a diamond of a group are for all of its codes, hidden ones too', () => {
    expect(mmio?.codes.map(({ code }) => code)).toEqual(['MMIO_EMUL', 'MMIO', 'PAGING']);
    expect(mmio?.context).toBe('exitGroup quiet');
    expect(pio?.context).toBe('exitGroup log');
  });

  test('only a code whose newest exit has a line offers to show it', () => {
    expect(mmio?.children.map(({ context }) => context)).toEqual(['exitCode quiet seen', 'exitCode log']);
  });

  test('copies as a breakpoint of the grammar', () => {
    expect(mmio?.breakpoint).toBe('exit:mmio');
    expect(mmio?.children[0]?.breakpoint).toBe('exit:MMIO_EMUL');
  });

  test('a group that gets its first code is a row of its own to the editor, which opens it; from then on its id stays', () => {
    expect([mmio?.id, msr?.id]).toEqual(['group:mmio', 'group:msr/empty']);
    expect(exitsModel(tree, true).items.map(({ id, open }) => [id, open])).toEqual([
      ['group:mmio', true],
      ['group:pio', true],
      ['group:msr/idle', false],
    ]);
  });
});

test.each([
  ['off', { break: true }, 'break'],
  ['log', { break: true }, 'both'],
  ['both', { break: false }, 'log'],
  ['break', { break: false }, 'off'],
  ['break', { log: true }, 'both'],
  ['both', { log: false }, 'break'],
  ['log', { log: false }, 'off'],
  ['both', { break: false, log: false }, 'off'],
] as const)('%s with %o is %s', (action, change, wanted) => {
  expect(withAction(action, change)).toBe(wanted);
});
