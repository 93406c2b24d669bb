import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../../src/assembly/assembler.ts';
import { TimelineError, Timeline } from '../../../src/machine/timeline/timeline.ts';
import { stateHash } from '../../../src/machine/timeline/state-hash.ts';
import { index } from '../../assembly/index.ts';
import { Random } from '../devices/random.ts';
import { machine, type TestMachine } from './guest.ts';

const SEED = 20261122;
const N = 60_000;
const STEP = 500;

/** What a machine is, in a word. */
const state = (m: TestMachine): string => `${m.clock.instructions} ${stateHash(m)} ${m.ledger.digestText}`;

/** Where the run without any going back is after every STEP instructions. */
const straight: readonly string[] = (() => {
  const m = machine();
  const states = [state(m)];
  for (let at = 0; at < N; at += STEP) {
    m.run({ instructions: STEP });
    states.push(state(m));
  }
  return states;
})();
const END = straight.at(-1) as string;
const sample = (name: string): Uint8Array =>
  assemble(readFileSync(new URL(`../../../samples/${name}`, import.meta.url), 'utf8'), name, { index }).bytes;

describe('a run', () => {
  it('instruction by instruction is the same as at once', () => {
    const m = machine();
    for (let i = 0; i < 20_000; i++) m.run({ instructions: 1 });
    expect(state(m)).toBe(straight[20_000 / STEP]);
  });
  it.each([1, 2, 3, 4])('in pieces of any length is the same as at once (seed %i)', (seed) => {
    const m = machine();
    const random = new Random(seed);
    while (m.clock.instructions < N) m.run({ instructions: Math.min(1 + random.below(2000), N - m.clock.instructions) });
    expect(state(m)).toBe(END);
  });
  it('through a timeline is the same as without', () => {
    const m = machine();
    new Timeline(m, { every: 7000 }).run({ instructions: N });
    expect(state(m)).toBe(END);
  });
  it.each([0, 5])('cut while every vCPU waits leaves no trace (machine seed %i)', (seed) => {
    const make = (): TestMachine => machine({ rom: sample('timer.asm'), model: 'bhyve', cpus: 3, memoryBytes: 1 << 20, seed, slice: 100 });
    const whole = make();
    whole.run({ untilNs: 2e6 });
    const random = new Random(SEED);
    const cut = make();
    while (cut.clock.nowNs < 2e6) cut.run({ untilNs: Math.min(cut.clock.nowNs + 1 + random.below(4000), 2e6) });
    expect(state(cut)).toBe(state(whole));
    for (const m of [whole, cut]) expect(m.run()).toMatchObject({ kind: 'stuck' });
    expect(state(cut)).toBe(state(whole));
  });
});

describe('going back', () => {
  it(`to fifty moments (seed ${SEED}) finds what was there, and the same run follows`, () => {
    const m = machine();
    const timeline = new Timeline(m, { every: 9000, stepEvery: 1000 });
    timeline.run({ instructions: N });
    const random = new Random(SEED);
    for (let i = 0; i < 50; i++) {
      const at = random.below(N / STEP);
      timeline.goTo(at * STEP);
      expect(state(m), `instruction ${at * STEP}`).toBe(straight[at]);
      expect(timeline.hash()).toBe(stateHash(m));
      if (i % 5 !== 0) continue;
      timeline.run({ instructions: N - m.clock.instructions });
      expect(state(m), `after instruction ${at * STEP}`).toBe(END);
    }
  });
  it('step by step meets every state again, last first', () => {
    const m = machine();
    const timeline = new Timeline(m, { every: 1000, stepEvery: 100 });
    timeline.run({ instructions: 30_000 });
    const seen: string[] = [];
    for (let i = 0; i < 200; i++) {
      seen.push(state(m));
      timeline.run({ instructions: 1 });
    }
    for (const was of seen.reverse()) {
      timeline.back();
      expect(state(m)).toBe(was);
    }
    timeline.back(1_000_000);
    expect(state(m)).toBe(straight[0]);
  });
  it('to remembered moments in every order', () => {
    const m = machine();
    const timeline = new Timeline(m, { every: Number.POSITIVE_INFINITY });
    const marks = Array.from({ length: 5 }, () => {
      timeline.run({ instructions: 3777 });
      return { checkpoint: timeline.checkpoint(), was: state(m) };
    });
    for (const from of marks)
      for (const to of marks) {
        for (const { checkpoint, was } of [from, to, from]) {
          timeline.restore(checkpoint);
          expect(state(m)).toBe(was);
        }
        timeline.run({ instructions: 100 });
      }
    timeline.goTo(N);
    expect(state(m)).toBe(END);
  });
  it('to moments between two instructions: after an event, before what follows it', () => {
    const m = machine();
    const timeline = new Timeline(m, { every: 6000 });
    timeline.run({ instructions: 20_000 });
    const marks: { checkpoint: ReturnType<Timeline['checkpoint']>; was: string }[] = [];
    const halt = (): void => m.requestStop();
    Object.assign(m.observers, { onEvent: halt, onExit: halt });
    while (marks.length < 40) if (timeline.run() === 'stopped') marks.push({ checkpoint: timeline.checkpoint(), was: state(m) });
    Object.assign(m.observers, { onEvent: undefined, onExit: undefined });
    timeline.run({ instructions: 20_000 });
    const random = new Random(SEED);
    for (let i = 0; i < 60; i++) {
      const { checkpoint, was } = random.pick(marks);
      timeline.restore(checkpoint);
      expect(state(m)).toBe(was);
      if (i % 3 === 0) timeline.run({ instructions: random.below(15_000) });
    }
    timeline.goTo(N);
    expect(state(m)).toBe(END);
  });
  it('tells nobody a second time what they were told, and leaves the machine observed as it was', () => {
    const m = machine();
    let told = 0;
    m.onConsole = () => told++;
    m.observers.onExit = () => told++;
    m.observers.onEvent = () => told++;
    const timeline = new Timeline(m, { every: 5000 });
    timeline.run({ instructions: 20_000 });
    const before = told;
    timeline.goTo(12_345);
    timeline.goTo(20_000);
    expect(told).toBe(before);
    timeline.run({ instructions: 5000 });
    expect(told).toBeGreaterThan(before);
  });
  it('takes the console back, by the count of its bytes', () => {
    const m = machine();
    let text = '';
    m.onConsole = (_, byte) => (text += String.fromCharCode(byte));
    const timeline = new Timeline(m, { every: 5000 });
    timeline.run({ instructions: 40_000 });
    const whole = text;
    expect(m.consoleCount.of('serial')).toBe(whole.length);
    timeline.goTo(20_000);
    const shown = m.consoleCount.of('serial');
    expect(shown).toBeLessThan(whole.length);
    text = whole.slice(0, shown);
    timeline.run({ instructions: 20_000 });
    expect(text).toBe(whole);
  });
  it('takes back the end of the machine, a panic of its host included', () => {
    const m = machine({ rom: sample('icrlo.asm'), model: 'bhyve', profile: 'illumos-2020-10', cpus: 4, memoryBytes: 1 << 20, seed: 0 });
    const timeline = new Timeline(m, { every: 300 });
    const end = timeline.run();
    expect(end).toMatchObject({ kind: 'hostPanic' });
    const was = state(m);
    for (let i = 0; i < 3; i++) {
      timeline.back(1 + i * 200);
      expect(m.end).toBeUndefined();
      expect(timeline.run()).toEqual(end);
      expect(state(m)).toBe(was);
    }
  });
  it('is not held up by instruction breakpoints', () => {
    const m = machine();
    m.processor.breakpoints = new Set([0x20000 + 0x60, 0xfffff000]);
    const timeline = new Timeline(m, { every: 5000 });
    timeline.goTo(30_000);
    timeline.goTo(10_500);
    expect(state(m)).toBe(straight[10_500 / STEP]);
    expect([...m.processor.breakpoints]).toHaveLength(2);
  });
  it('leaves the ledger with what was written by then', () => {
    const m = machine();
    const timeline = new Timeline(m, { every: 5000 });
    timeline.run({ instructions: 20_000 });
    const { exitCount, ipiCount, eventCount } = m.ledger;
    const exits = Array.from({ length: exitCount }, (_, i) => m.ledger.exitAt(i + 1));
    timeline.run({ instructions: 20_000 });
    timeline.goTo(20_000);
    expect([m.ledger.exitCount, m.ledger.ipiCount, m.ledger.eventCount]).toEqual([exitCount, ipiCount, eventCount]);
    expect(Array.from({ length: exitCount }, (_, i) => m.ledger.exitAt(i + 1))).toEqual(exits);
  });
  it('works as well when the ledger has dropped the records of then', () => {
    const make = (): TestMachine => machine({ ledger: { exits: 16, ipis: 8, events: 16 } });
    const [m, reference] = [make(), make()];
    const timeline = new Timeline(m, { every: 3000 });
    timeline.run({ instructions: N });
    for (const at of [9000, 33_000, 100]) timeline.goTo(at);
    timeline.run({ instructions: N - 100 });
    reference.run({ instructions: N });
    expect(state(m)).toBe(state(reference));
  });
  it('also works when somebody else has run the machine meanwhile', () => {
    const m = machine();
    const timeline = new Timeline(m, { every: 4000 });
    timeline.run({ instructions: 20_000 });
    timeline.goTo(6000);
    m.run({ instructions: 30_000 });
    expect(state(m)).toBe(straight[36_000 / STEP]);
    timeline.goTo(10_000);
    expect(state(m)).toBe(straight[10_000 / STEP]);
    timeline.goTo(5500);
    expect(state(m)).toBe(straight[5500 / STEP]);
    timeline.run({ instructions: N - 5500 });
    expect(state(m)).toBe(END);
  });
});

describe('checkpoints', () => {
  it('thin out with age: close together lately, further apart long ago, and always the first', () => {
    const m = machine();
    const timeline = new Timeline(m, { every: 100, dense: 10 });
    timeline.run({ instructions: N });
    const at = timeline.checkpoints.map(({ icount }) => icount);
    expect(at[0]).toBe(0);
    expect(at.at(-1)).toBe(N);
    expect(at.length).toBeLessThan(120);
    for (let i = 1; i < at.length; i++) {
      const [a, b] = [at[i - 1] as number, at[i] as number];
      expect(b - a).toBeLessThanOrEqual(Math.max(100, (N - a) / 8));
    }
    expect(at.slice(-10)).toEqual(Array.from({ length: 10 }, (_, i) => N - 900 + i * 100));
    for (const to of [45_000, 1000, 30_500]) {
      timeline.goTo(to);
      expect(state(m)).toBe(straight[to / STEP]);
    }
  });
  it('keep to a budget, giving up the earliest moments at last, and say so', () => {
    const budgetBytes = 400_000;
    const m = machine();
    m.run({ instructions: 30_000 }); // by now the pages that it writes are no zeros any more
    const timeline = new Timeline(m, { every: 500, budgetBytes });
    timeline.run({ instructions: N - 30_000 });
    expect(timeline.checkpoints.length).toBeGreaterThan(0);
    const { earliest } = timeline;
    expect(earliest).toBeGreaterThan(30_000);
    expect(() => timeline.goTo(earliest - 1)).toThrow(
      new RegExp(`instruction ${earliest - 1}: the earliest moment that is kept is instruction ${earliest}`),
    );
    timeline.back(1_000_000);
    expect(m.clock.instructions).toBe(earliest);
    timeline.run({ instructions: N - earliest });
    expect(state(m)).toBe(END);
  });
  it('copy a page once, before its first write, and a page of zeros not at all', () => {
    const m = machine({ memoryBytes: 64 << 20 });
    const timeline = new Timeline(m, { every: Number.POSITIVE_INFINITY });
    const { bytes } = timeline;
    timeline.run({ instructions: N });
    expect(timeline.bytes - bytes).toBeLessThan(64 * 1024); // all was zeros at power-on
    timeline.checkpoint();
    const before = timeline.bytes;
    m.memory.write8(0x5000, m.memory.read8(0x5000));
    const one = timeline.bytes - before;
    expect(one).toBeGreaterThanOrEqual(4096);
    expect(one).toBeLessThan(4200);
    m.memory.write8(0x5001, 1);
    expect(timeline.bytes - before).toBe(one);
  });
  it('see every way to write to memory: TypeScript on behalf of the guest, devices, the processor', () => {
    // The whole content of RAM after going back, word by word, not by its hash.
    const content = (m: TestMachine): Uint8Array =>
      m.memory.bytes.slice(m.memory.ramWords.byteOffset, m.memory.ramWords.byteOffset + m.memory.ramBytes);
    const m = machine();
    const timeline = new Timeline(m, { every: Number.POSITIVE_INFINITY });
    timeline.run({ instructions: 30_000 });
    const checkpoint = timeline.checkpoint();
    const before = content(m);
    timeline.run({ instructions: 20_000 });
    m.memory.writeBytes(0x3ffe, Uint8Array.of(1, 2, 3, 4));
    m.memory.write16(0x2fff, 0x1234);
    m.memory.write32(0x1ffe, 0x12345678);
    expect(Buffer.compare(content(m), before)).not.toBe(0);
    timeline.restore(checkpoint);
    expect(Buffer.compare(content(m), before)).toBe(0);
  });
});

describe('inputs', () => {
  const type = (text: string) => ({ kind: 'bytes', device: 'uart16550.com1', bytes: Buffer.from(text) }) as const;
  const echoed = (m: TestMachine): number => m.memory.read32(0x614);
  /** A run with three inputs of different kinds at different moments. */
  const typed = (m: TestMachine, timeline: Timeline): void => {
    timeline.run({ instructions: 20_000 });
    timeline.input(type('ab'));
    timeline.run({ instructions: 10_000 });
    timeline.input({ kind: 'memory', gpa: 0x604, bytes: Uint8Array.of(0, 0, 1, 0) });
    timeline.input({ kind: 'register', vcpu: 2, name: 'esi', value: 0xdeadbeef });
    timeline.run({ instructions: N - m.clock.instructions });
  };

  it('reach the guest, and come again when the run is repeated', () => {
    const m = machine();
    const timeline = new Timeline(m, { every: 7000 });
    typed(m, timeline);
    expect(echoed(m)).toBe(2);
    const end = state(m);
    expect(end).not.toBe(END);
    for (const at of [15_000, 25_000, 35_000, 0]) {
      timeline.goTo(at);
      if (at <= 20_000) expect(state(m)).toBe(straight[at / STEP]);
      timeline.run({ instructions: N - at });
      expect(state(m)).toBe(end);
    }
  });
  it('repeat a whole run on another machine', () => {
    const [m, other] = [machine(), machine()];
    const timeline = new Timeline(m);
    typed(m, timeline);
    const again = new Timeline(other, { inputs: timeline.inputs });
    again.run({ instructions: N });
    expect(state(other)).toBe(state(m));
  });
  it('come again between two instructions as well, where they were made after an event', () => {
    const m = machine();
    const timeline = new Timeline(m, { every: 3000 });
    timeline.run({ instructions: 20_000 });
    m.observers.onEvent = () => m.requestStop();
    for (let i = 0; i < 5; i++) {
      while (timeline.run() !== 'stopped');
      timeline.input(type(String(i)));
    }
    m.observers.onEvent = undefined;
    timeline.run({ instructions: N - m.clock.instructions });
    const end = state(m);
    for (const at of [19_000, 20_500, 100]) {
      timeline.goTo(at);
      timeline.run({ instructions: N - at });
      expect(state(m)).toBe(end);
    }
  });
  it('come again while every vCPU waits, at the very nanosecond', () => {
    const make = (): TestMachine =>
      machine({ rom: sample('timer.asm'), model: 'bhyve', cpus: 1, memoryBytes: 1 << 20, seed: 3, slice: 100 });
    const m = make();
    const timeline = new Timeline(m, { every: 200 });
    const random = new Random(SEED);
    for (let i = 0; i < 20; i++) {
      timeline.run({ untilNs: m.clock.nowNs + 1 + random.below(60_000) });
      timeline.input({ kind: 'memory', gpa: 0x900, bytes: Uint8Array.of(i) });
    }
    timeline.run();
    const end = state(m);
    for (let i = 0; i < 5; i++) {
      timeline.goTo(random.below(timeline.latest));
      timeline.run();
      expect(state(m)).toBe(end);
    }
  });
  it('in the past make another future: moments of the former one are no more', () => {
    const m = machine();
    const timeline = new Timeline(m, { every: 7000 });
    timeline.run({ instructions: 30_000 });
    const earlier = timeline.checkpoint();
    const was = state(m);
    timeline.run({ instructions: 10_000 });
    const later = timeline.checkpoint();
    timeline.goTo(35_000);
    timeline.input(type('x'));
    expect(() => timeline.restore(later)).toThrow(TimelineError);
    timeline.run({ instructions: 20_000 });
    expect(() => timeline.restore(later)).toThrow(/another course/);
    timeline.restore(earlier);
    expect(state(m)).toBe(was);
    timeline.goTo(N);
    expect(echoed(m)).toBe(1);
  });
  it('that the machine cannot take are refused with the value and what would be right', () => {
    const m = machine();
    const timeline = new Timeline(m);
    const bytes = Uint8Array.of(1);
    expect(() => timeline.input({ kind: 'bytes', device: 'com9', bytes })).toThrow(
      'no device "com9" takes bytes; there are i8042, uart16550.com1',
    );
    expect(() => timeline.input({ kind: 'memory', gpa: 2 ** 32, bytes })).toThrow('addresses are 0 to 4294967295');
    expect(() => timeline.input({ kind: 'register', vcpu: 3, name: 'eax', value: 0 })).toThrow('vCPU 3: there are 0 to 2');
    expect(() => timeline.input({ kind: 'register', vcpu: 0, name: 'exa', value: 0 })).toThrow('"exa" is no register');
    expect(() => timeline.input({ kind: 'register', vcpu: 0, name: 'eax', value: -1 })).toThrow('a register holds 0 to 4294967295');
    expect(timeline.inputs).toHaveLength(0);
    expect(() => timeline.goTo(-1)).toThrow('instruction -1: it must be a whole number from 0');
    expect(() => timeline.back(0.5)).toThrow('0.5 instructions back: it must be a whole number from 0');
  });
});
