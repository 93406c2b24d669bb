import { expect, it } from 'vitest';
import * as tables from '../../../src/machine/x86/system-registers.ts';

it.each(Object.entries(tables).filter(([name]) => name.endsWith('_FIELDS')))('%s has a field for every bit, from 31 down', (_, table) => {
  const fields = table as typeof tables.EFLAGS_FIELDS;
  let next = 31;
  for (const { high, low } of fields) {
    expect(high).toBe(next);
    expect(low).toBeLessThanOrEqual(high);
    next = low - 1;
  }
  expect(next).toBe(-1);
});

it('names of one register are different from each other', () => {
  for (const [name, table] of Object.entries(tables)) {
    if (!name.endsWith('_FIELDS')) continue;
    const names = (table as typeof tables.EFLAGS_FIELDS).map((f) => f.name).filter((n) => n !== '');
    expect(new Set(names).size).toBe(names.length);
  }
});
