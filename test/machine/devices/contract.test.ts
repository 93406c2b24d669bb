/** What every device owes (src/machine/devices/device.ts), tried on each row of devices.ts. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { StateError, type StateValue } from '../../../src/machine/base/state.ts';
import { Access } from '../../../src/machine/devices/device.ts';
import { VirtualClock } from '../../../src/machine/time/clock.ts';
import { DEVICES, type DeviceRow, type Rig } from './devices.ts';
import { Random } from './random.ts';

const SEEDS = Array.from({ length: 12 }, (_, i) => 1 + i * 7919);
const STEPS = 250;

/** A device, its clock and what it has driven and answered so far. */
class Bench {
  readonly clock = new VirtualClock(1);
  readonly log: string[] = [];
  readonly rig: Rig;
  constructor(row: DeviceRow) {
    this.rig = row.make(this.clock, (what, ...values) => void this.log.push(`${this.clock.nowNs} ${what} ${values.join(' ')}`));
  }
  save(): { device: StateValue; clock: StateValue } {
    return { device: this.rig.device.save(), clock: this.clock.save() };
  }
  load(state: ReturnType<Bench['save']>): void {
    this.rig.device.load(state.device);
    this.clock.load(state.clock as never);
  }
  /** One thing that happens: a read, a write, an input or time. */
  step(random: Random): void {
    const { facets, inputs = [] } = this.rig;
    const what = random.below(4);
    if (what === 0 && inputs.length > 0) random.pick(inputs)(random);
    else if (what === 1 || facets.length === 0) {
      this.clock.retire(random.below(random.pick([10, 1000, 200_000, 60_000_000])));
      this.clock.ring();
    } else {
      const { facet, length } = random.pick(facets);
      const offset = random.below(length);
      const size = random.pick([1, 1, 1, 2, 4]);
      const value = random.pick([random.word(), random.word() & random.word() & random.word(), 0xffffffff]);
      if (what === 2) this.log.push(`read ${facet.read(offset, size)}`);
      else this.log.push(`wrote ${facet.write(offset, size, size === 4 ? value : value & (2 ** (8 * size) - 1))}`);
    }
  }
  run(random: Random, steps = STEPS): void {
    for (let i = 0; i < steps; i++) this.step(random);
  }
}

const driven = (row: DeviceRow, seed: number): { bench: Bench; random: Random } => {
  const bench = new Bench(row);
  const random = new Random(seed);
  bench.run(random);
  return { bench, random };
};

/** Every path to a leaf of a state, with the leaf. */
function* leaves(value: StateValue, path: readonly string[] = []): Generator<[readonly string[], StateValue]> {
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) yield [path, value];
  else for (const [key, inner] of Object.entries(value)) yield* leaves(inner as StateValue, [...path, key]);
}

function withLeaf(state: StateValue, path: readonly string[], leaf: unknown): StateValue {
  const copy = structuredClone(state);
  let at = copy as Record<string, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  at[path.at(-1) as string] = leaf;
  return copy;
}

describe.each(DEVICES.map((row) => [row.title, row] as const))('%s', (_title, row) => {
  it.each(SEEDS)('saves its whole state: a copy that loads it has the same state and the same future (seed %i)', (seed) => {
    const { bench, random } = driven(row, seed);
    const saved = bench.save();
    const copy = new Bench(row);
    copy.load(structuredClone(saved));
    expect(copy.save()).toEqual(saved);
    const future = random.word();
    bench.log.length = 0;
    bench.run(new Random(future));
    copy.run(new Random(future));
    expect(copy.log).toEqual(bench.log);
    expect(copy.save()).toEqual(bench.save());
  });

  it('goes back to a state that it had itself', () => {
    const { bench } = driven(row, 4242);
    const saved = bench.save();
    bench.log.length = 0;
    bench.run(new Random(7));
    const first = [...bench.log];
    bench.load(saved);
    bench.log.length = 0;
    bench.run(new Random(7));
    expect(bench.log).toEqual(first);
  });

  it('hands out a state that later changes leave alone', () => {
    const { bench, random } = driven(row, 99);
    const saved = bench.save();
    const copy = structuredClone(saved);
    bench.run(random);
    expect(saved).toEqual(copy);
  });

  it('refuses a state with any field of another type, and stays as it was', () => {
    const { bench } = driven(row, 5);
    const before = bench.rig.device.save();
    for (const [path, leaf] of leaves(before)) {
      for (const wrong of leaf === null ? [{ not: 'this' }] : [typeof leaf === 'string' ? 7 : 'x', Number.NaN, undefined]) {
        const broken = withLeaf(before, path, wrong);
        expect(() => bench.rig.device.load(broken), `${path.join('.')} = ${String(wrong)}`).toThrow(StateError);
        expect(bench.rig.device.save()).toEqual(before);
      }
    }
  });

  it('gives every access an answer: a value of 32 bits or an Access code', () => {
    const codes = new Set<number>(Object.values(Access));
    const { bench, random } = driven(row, 11);
    for (let i = 0; i < 500 && bench.rig.facets.length > 0; i++) {
      const { facet, length } = random.pick(bench.rig.facets);
      const [offset, size] = [random.below(length), random.pick([1, 2, 4])];
      const value = facet.read(offset, size);
      expect(
        Number.isInteger(value) && value < 2 ** (8 * size) && (value >= 0 || codes.has(value)),
        `read of ${size} at ${offset} gave ${value}`,
      ).toBe(true);
      expect(codes.has(facet.write(offset, size, 0))).toBe(true);
    }
  });

  it('shows at a peek what a read then gives, and does not notice the peek or the inspection', () => {
    const { bench, random } = driven(row, 13);
    for (let i = 0; i < 300 && bench.rig.facets.length > 0; i++) {
      bench.step(random);
      const { facet, length } = random.pick(bench.rig.facets);
      const [offset, size] = [random.below(length), random.pick([1, 1, 2, 4])];
      const before = bench.save();
      const seen = facet.peek?.(offset, size);
      bench.rig.device.inspect?.();
      expect(bench.save()).toEqual(before);
      // a wider access that is split reads its bytes one after the other, so an earlier one may change a later one
      if (seen !== undefined && size === 1) expect(facet.read(offset, size)).toBe(seen);
    }
  });

  it('has no alarm left after a reset', () => {
    for (const seed of SEEDS) {
      const { bench } = driven(row, seed);
      bench.rig.device.reset();
      expect(bench.clock.pending()).toEqual([]);
    }
  });
});

describe('the table of devices', () => {
  const folder = new URL('../../../src/machine/devices/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  it.each(files)('has a row for every device that %s exports', async (file) => {
    const module = (await import(new URL(file, folder).href)) as Record<string, unknown>;
    const covered = new Set(DEVICES.flatMap((row) => row.classes));
    for (const [name, value] of Object.entries(module)) {
      const methods = typeof value === 'function' ? (value.prototype as Record<string, unknown> | undefined) : undefined;
      const isDevice = methods && ['save', 'load', 'reset', 'inspect'].every((method) => typeof methods[method] === 'function');
      if (isDevice) expect(covered.has(value), `${name}: add a row to test/machine/devices/devices.ts`).toBe(true);
    }
  });
});
