/** Going back through real firmware, and through firmware of random instructions: modes, paging, faults, interrupts and self-modification of all kinds. */
import { describe, expect, it } from 'vitest';
import { stateHash } from '../../../src/machine/timeline/state-hash.ts';
import { Timeline } from '../../../src/machine/timeline/timeline.ts';
import { index } from '../../assembly/index.ts';
import { firmware, SEABIOS_256K } from '../../guests/firmware.ts';
import { prologue, ROM_RAM_BYTES, validRom } from '../../robustness/rom.ts';
import { Random } from '../devices/random.ts';
import { machine, type TestMachine } from './guest.ts';

const state = (m: TestMachine): string => `${m.clock.instructions} ${stateHash(m)} ${m.ledger.digestText}`;

describe('SeaBIOS with two vCPUs', async () => {
  const rom = await firmware(SEABIOS_256K);
  const make = (options: { slice?: number; seed?: number } = {}): TestMachine =>
    machine({ rom, cpus: 2, memoryBytes: 128 << 20, slice: 10_000, seed: 0, ...options });
  const NS = 4e9;
  /** Runs until its message is whole, or 4 seconds have passed. */
  const booted = (m: TestMachine): string => {
    let text = '';
    m.onConsole = (_, byte) => (text += String.fromCharCode(byte));
    m.run({ untilNs: NS });
    return text;
  };

  it('comes to the same state with the same ledger twenty times', () => {
    const states = Array.from({ length: 20 }, () => {
      const m = make({ seed: 7 });
      booted(m);
      return state(m);
    });
    expect(new Set(states).size).toBe(1);
  });
  it.each([{ slice: 100 }, { slice: 1000 }, { slice: 3333 }, { slice: 50_000 }, { seed: 1 }, { seed: 2, slice: 777 }])(
    'finds both whatever the schedule: %o',
    (options) => {
      expect(booted(make(options))).toContain('Found 2 cpu(s) max supported 2 cpu(s)');
    },
  );
  it('goes back to fifty moments and on to the same end (seed 20261122)', () => {
    const reference = make();
    const random = new Random(20261122);
    booted(reference);
    const end = state(reference);
    const last = reference.clock.instructions;
    const points = Array.from({ length: 50 }, () => random.below(last));
    const expected = new Map<number, string>();
    const straight = make();
    for (const at of [...points].sort((a, b) => a - b)) {
      straight.run({ instructions: at - straight.clock.instructions });
      expected.set(at, state(straight));
    }
    const m = make();
    const timeline = new Timeline(m, { every: 1_000_000 });
    timeline.run({ untilNs: NS });
    expect(state(m)).toBe(end);
    for (const at of points) {
      timeline.goTo(at);
      expect(state(m), `instruction ${at}`).toBe(expected.get(at));
      expect(timeline.hash()).toBe(stateHash(m));
      timeline.run({ untilNs: NS });
      expect(state(m), `after instruction ${at}`).toBe(end);
    }
  });
});

describe('firmware of random instructions', () => {
  const p = prologue(index);
  it.each(Array.from({ length: 5 }, (_, i) => 1 + i * 25))(
    'in pieces, and back and forth, is the same as at once: seeds %i and the next 24',
    (from) => {
      for (let seed = from; seed < from + 25; seed++) {
        const random = new Random(seed);
        const strict = seed % 3 === 0;
        const { bytes: rom, mode } = validRom(p, seed, true, strict);
        const make = (): TestMachine =>
          machine({ rom, cpus: 2, memoryBytes: ROM_RAM_BYTES, model: strict ? 'bhyve' : 'pc', seed: seed & 1, slice: 700 });
        const limit = { untilNs: 1e9 };
        const step = 500 + random.below(1000);
        const reference = make();
        const states = new Map([[0, state(reference)]]);
        for (let at = step; at <= 40_000 && reference.end === undefined && reference.clock.nowNs < 1e9; at += step) {
          reference.run({ ...limit, instructions: at - reference.clock.instructions });
          if (reference.end === undefined && reference.clock.instructions === at) states.set(at, state(reference));
        }
        const last = reference.clock.instructions;
        const what = (at: number): string => `seed ${seed}, ${mode}, instruction ${at}`;

        const pieces = make();
        while (pieces.end === undefined && pieces.clock.instructions < last && pieces.clock.nowNs < 1e9) {
          const most = random.below(4) === 0 ? 1 : 1 + random.below(300);
          pieces.run({ ...limit, instructions: Math.min(most, last - pieces.clock.instructions) });
          const was = states.get(pieces.clock.instructions);
          if (was !== undefined && pieces.end === undefined && pieces.clock.nowNs < 1e9)
            expect(state(pieces), what(pieces.clock.instructions)).toBe(was);
        }
        const m = make();
        const timeline = new Timeline(m, { every: 3000 + random.below(10_000), stepEvery: 700 });
        timeline.run({ ...limit, instructions: last });
        const known = [...states.keys()];
        for (let i = 0; i < 12; i++) {
          const at = random.pick(known);
          timeline.goTo(at);
          expect(state(m), what(at)).toBe(states.get(at));
        }
      }
    },
  );
});
