import { describe, expect, it } from 'vitest';
import { encodeState } from '../../../src/machine/base/codec.ts';
import { StateError, type StateValue } from '../../../src/machine/base/state.ts';
import { registerNames } from '../../../src/machine/cpu/register-names.ts';
import { PageHashes, stateHash } from '../../../src/machine/timeline/state-hash.ts';
import { Timeline } from '../../../src/machine/timeline/timeline.ts';
import { Random } from '../devices/random.ts';
import { machine, type TestMachine } from './guest.ts';

const SEED = 20261122;
const WARM = 30_000;
const warm = (): TestMachine => {
  const m = machine();
  m.run({ instructions: WARM });
  return m;
};

describe('the state hash', () => {
  it('is the same in twenty runs with the same seed, and so is the ledger', () => {
    const runs = Array.from({ length: 20 }, () => {
      const m = warm();
      return `${stateHash(m)} ${m.ledger.digestText}`;
    });
    expect(new Set(runs).size).toBe(1);
  });
  it('is another for another seed, slice or number of instructions', () => {
    const run = (options: Parameters<typeof machine>[0], instructions = WARM): string => {
      const m = machine(options);
      m.run({ instructions });
      return stateHash(m);
    };
    expect(new Set([run({}), run({ seed: 2 }), run({ slice: 998 }), run({}, WARM + 1), run({ cpus: 2 })]).size).toBe(5);
  });
  it('changes nothing', () => {
    const [a, b] = [machine(), warm()];
    for (let i = 0; i < 60; i++) {
      stateHash(a);
      a.run({ instructions: WARM / 60 });
    }
    expect(stateHash(a)).toBe(stateHash(b));
    expect(stateHash(a)).toBe(stateHash(a));
  });
  it('of a timeline, which reads only what was written, is the same', () => {
    const m = machine();
    const timeline = new Timeline(m);
    for (let i = 0; i < 60; i++) {
      timeline.run({ instructions: 997 });
      expect(timeline.hash()).toBe(stateHash(m));
    }
  });
  it('is that of a fresh machine which has loaded the saved state, now and later', () => {
    const [a, b] = [warm(), machine()];
    b.load(a.save());
    expect(stateHash(b)).toBe(stateHash(a));
    for (const m of [a, b]) m.run({ instructions: WARM });
    expect(stateHash(b)).toBe(stateHash(a));
    expect(b.ledger.digestText).toBe(a.ledger.digestText);
  });
  it('does not depend on what is derived: fast tables, jump tables, decoded code', () => {
    const m = warm();
    const before = stateHash(m);
    m.memory.observer.remapped();
    m.processor.breakpoints = new Set([0x1234]);
    m.processor.breakpoints = new Set();
    expect(stateHash(m)).toBe(before);
  });
});

const same = (a: StateValue, b: StateValue): boolean => Buffer.compare(encodeState(a), encodeState(b)) === 0;

describe('flipping one bit changes the state hash, and flipping it back gives the former one:', () => {
  it(`any bit of RAM (300 of them, seed ${SEED})`, () => {
    const m = warm();
    const random = new Random(SEED);
    const before = stateHash(m);
    const flip = (at: number, bit: number): void => m.memory.write8(at, m.memory.read8(at) ^ (1 << bit));
    for (let i = 0; i < 300; i++) {
      // Half of them where the guest has been.
      const at = i & 1 ? random.below(m.memoryBytes) : random.pick([0x600, 0x7000 - 64, 0x10000, 0x20000, 0x100000]) + random.below(64);
      if (!m.memory.isBacked(at) || (at >= 0xa0000 && at < 0x100000)) continue;
      const bit = random.below(8);
      flip(at, bit);
      expect(stateHash(m), `bit ${bit} of ${at.toString(16)}`).not.toBe(before);
      flip(at, bit);
    }
    expect(stateHash(m)).toBe(before);
  });

  const ALL = [
    'eax',
    'ecx',
    'edx',
    'ebx',
    'esp',
    'ebp',
    'esi',
    'edi',
    'eip',
    'cr2',
    'cr3',
    'dr0',
    'dr1',
    'dr2',
    'dr3',
    'dr6',
    'dr7',
    'gdtr.base',
    'idtr.base',
  ];
  const wholes = new Set([
    ...ALL,
    ...['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'].flatMap((s) => [`${s}.base`, `${s}.limit`, `${s}.access`]),
  ]);
  it('every bit of every register of a vCPU', () => {
    const m = warm();
    const { processor } = m;
    const pages = new PageHashes(m.memory);
    const before = stateHash(m, pages);
    const saved = m.stateful.find(({ name }) => name === 'processor')!.part;
    const state = saved.save();
    for (const v of [0, 2]) // the first was left selected, the other lies in its home block
      for (const name of registerNames)
        for (let bit = 0; bit < 32; bit++) {
          processor.select(v);
          const value = processor.register(name) as number;
          processor.setRegister(name, (value ^ (1 << bit)) >>> 0);
          const changed = processor.register(name) !== value;
          if (wholes.has(name) && !changed) expect.fail(`${name} bit ${bit} cannot be flipped`);
          if (changed && stateHash(m, pages) === before) expect.fail(`${name} bit ${bit} of vCPU${v} is not in the hash`);
          if (name.startsWith('cr'))
            saved.load(state); // they empty the TLB
          else processor.setRegister(name, value);
        }
    expect(stateHash(m)).toBe(before);
  });
  it.each([
    ['CF', 0],
    ['PF', 2],
    ['AF', 4],
    ['ZF', 6],
    ['SF', 7],
    ['TF', 8],
    ['IF', 9],
    ['DF', 10],
    ['OF', 11],
    ['IOPL', 12],
    ['NT', 14],
    ['RF', 16],
    ['AC', 18],
    ['ID', 21],
  ] as const)('%s', (_, bit) => {
    const m = warm();
    const before = stateHash(m);
    m.processor.select(0);
    const flags = m.processor.register('eflags') as number;
    m.processor.setRegister('eflags', flags ^ (1 << bit));
    expect(m.processor.register('eflags')).toBe((flags ^ (1 << bit)) >>> 0);
    expect(stateHash(m)).not.toBe(before);
    m.processor.setRegister('eflags', flags);
    expect(stateHash(m)).toBe(before);
  });

  it(`any bit that a part saves: vCPUs with their translation TLBs, local APICs, chips, clock, schedule (seed ${SEED})`, () => {
    const m = warm();
    const random = new Random(SEED);
    const pages = new PageHashes(m.memory);
    const before = stateHash(m, pages);
    for (const { name, part } of m.stateful) {
      if (name === 'memory' || name === 'ledger') continue;
      const state = part.save();
      let taken = 0;
      for (let i = 0; i < (name.startsWith('vlapic') ? 400 : name === 'processor' ? 300 : 40); i++) {
        const other = structuredClone(state);
        if (!flipSome(other, random)) break;
        try {
          part.load(other);
        } catch (error) {
          if (!(error instanceof StateError)) throw error;
          expect(same(part.save(), state), name).toBe(true);
          continue;
        }
        const different = !same(part.save(), state);
        if (different) taken++;
        if ((stateHash(m, pages) !== before) !== different) expect.fail(`${name} ${JSON.stringify(other)}`);
        part.load(state);
      }
      if (name.startsWith('vlapic.') || name === 'processor') expect(taken, name).toBeGreaterThan(100);
    }
    expect(stateHash(m)).toBe(before);
  });
  it('every bit of every register of a local APIC', () => {
    const m = warm();
    const pages = new PageHashes(m.memory);
    const before = stateHash(m, pages);
    const lapic = m.vlapics[1]!;
    const state = lapic.save();
    let flipped = 0;
    for (const [key, value] of Object.entries(state)) {
      const words =
        ArrayBuffer.isView(value) || Array.isArray(value) ? (value as Uint32Array | number[]).length : typeof value === 'number' ? 1 : 0;
      for (let i = 0; i < words; i++)
        for (let bit = 0; bit < 32; bit += words > 64 ? 31 : 1) {
          const other = structuredClone(state) as { [key: string]: StateValue };
          const list = other[key];
          if (typeof list === 'number') other[key] = (list ^ (1 << bit)) >>> 0;
          else (list as number[])[i] = (((list as number[])[i] as number) ^ (1 << bit)) >>> 0;
          try {
            lapic.load(other as never);
          } catch (error) {
            if (!(error instanceof StateError)) throw error;
            continue;
          }
          if (same(lapic.save(), state)) continue;
          flipped++;
          if (stateHash(m, pages) === before) expect.fail(`${key}[${i}] bit ${bit} is not in the hash`);
        }
    }
    lapic.load(state);
    expect(flipped).toBeGreaterThan(500);
    expect(stateHash(m)).toBe(before);
  });
});

/** Flips one bit of one number somewhere in the state; false when there is none. */
function flipSome(state: StateValue, random: Random): boolean {
  const places: (() => void)[] = [];
  const visit = (holder: { [key: string]: StateValue }, key: string): void => {
    const value = holder[key] as StateValue;
    if (typeof value === 'number')
      places.push(
        () => (holder[key] = Number.isSafeInteger(value) && value >= 0 && value < 2 ** 31 ? value ^ (1 << random.below(31)) : value + 1),
      );
    else if (typeof value === 'boolean') places.push(() => (holder[key] = !value));
    else if (ArrayBuffer.isView(value)) {
      const list = value as Uint32Array;
      if (list.length > 0)
        places.push(() => {
          const at = random.below(list.length);
          list[at] = (list[at] as number) ^ (1 << random.below(8 * list.BYTES_PER_ELEMENT));
        });
    } else if (value !== null && typeof value === 'object')
      for (const inner of Object.keys(value)) visit(value as { [key: string]: StateValue }, inner);
  };
  for (const key of Object.keys(state as object))
    if (key !== 'kind' && key !== 'version') visit(state as { [key: string]: StateValue }, key);
  if (places.length === 0) return false;
  random.pick(places)();
  return true;
}
