import { describe, expect, it } from 'vitest';
import { ExitCode } from '../../../src/machine/ledger/exitcode.ts';
import { MachineError } from '../../../src/machine/machine.ts';
import { type Op, rig, type Scripts } from './fake-processor.ts';

const ICR_LO = 0xfee00300;
/** Starts all APs; then everyone loops. */
const smp = (): Scripts => {
  const busy: Op[] = [
    { op: 'nop', count: 3 },
    { op: 'jump', to: 0 },
  ];
  return {
    boot: [
      [
        { op: 'store', gpa: ICR_LO, value: 0xc4500 },
        { op: 'store', gpa: ICR_LO, value: 0xc4608 },
        { op: 'nop', count: 3 },
        { op: 'jump', to: 2 },
      ],
      [],
      [],
    ],
    startup: { 8: busy },
  };
};
/** Which vCPU runs, for each of the next `n` instructions. */
const order = (options: { slice: number; seed?: number }, n: number): string => {
  const { machine, processor } = rig(smp(), options);
  let line = '';
  for (let i = 0; i < n; i++) {
    machine.run({ instructions: 1 });
    line += processor.selected;
  }
  return line;
};

describe('the schedule', () => {
  it('gives the vCPUs that run a slice each, in turn', () => {
    expect(order({ slice: 5 }, 40)).toBe('0000011111222220000011111222220000011111');
  });
  it('a seed varies the slices between half and one and a half, always in the same order', () => {
    const a = order({ slice: 6, seed: 42 }, 200);
    expect(order({ slice: 6, seed: 42 }, 200)).toBe(a);
    expect(order({ slice: 6, seed: 43 }, 200)).not.toBe(a);
    const lengths = [...a.slice(0, -10).matchAll(/(\d)\1*/g)].map((m) => m[0].length);
    expect(new Set(lengths).size).toBeGreaterThan(3);
    for (const length of lengths) expect(length).toBeGreaterThanOrEqual(3);
    for (const length of lengths) expect(length).toBeLessThanOrEqual(9);
  });
  it('time is the count of instructions, divided among the vCPUs', () => {
    const { machine } = rig(smp());
    machine.run({ instructions: 300 });
    expect(machine.clock.nowNs).toBe(1000);
  });
  it('a limit in time is kept to the instruction', () => {
    const { machine } = rig(smp());
    expect(machine.run({ untilNs: 500 })).toBe('limit');
    expect(machine.clock.instructions).toBe(150);
  });
  it('while all wait, time goes on to the limit and not beyond', () => {
    const boot: Op[] = [
      { op: 'store', gpa: 0xfee000f0, value: 0x1ff },
      { op: 'store', gpa: 0xfee00320, value: 0x40 },
      { op: 'store', gpa: 0xfee00380, value: 67_108_864 },
      { op: 'sti' },
      { op: 'hlt' },
    ];
    const { machine } = rig({ boot: [boot] });
    expect(machine.run({ untilNs: 1000 })).toBe('limit');
    expect(machine.clock.nowNs).toBe(1000);
    machine.run({ untilNs: 2e9, instructions: 10 });
    expect(machine.ledger.exitsByCode().get(ExitCode.HLT)).toBe(1);
    expect(machine.clock.nowNs, 'loaded at 20 ns, it fires a second later; then ten instructions').toBe(1e9 + 20 + 100);
  });
  it('an observer’s request stops the machine after the instruction', () => {
    const { machine } = rig({ boot: [[{ op: 'nop' }, { op: 'in', port: 0x64 }, { op: 'nop', count: 50 }]] });
    const seen: number[] = [];
    machine.observers.onExit = (exit) => {
      seen.push(exit);
      machine.requestStop();
    };
    expect(machine.run({ instructions: 20 })).toBe('stopped');
    expect([machine.clock.instructions, seen]).toEqual([2, [1]]);
    expect(machine.run({ instructions: 20 })).toBe('limit');
    expect(machine.clock.instructions).toBe(22);
  });
  it('an IPI is reported once all its targets have their verdicts', () => {
    const { machine } = rig(smp());
    const verdicts: (number | undefined)[][] = [];
    machine.observers.onIpi = (ipi) => verdicts.push((machine.ledger.ipiAt(ipi)?.targets ?? []).map((t) => t.verdict));
    machine.run({ instructions: 20 });
    expect(verdicts).toEqual([
      [3, 0, 0],
      [3, 0, 0],
    ]);
  });
  it('a machine that is saved, run, loaded and run again comes to the same state', () => {
    const { machine } = rig({ boot: [[{ op: 'hlt' }]] });
    const before = machine.save();
    machine.run();
    const after = machine.save();
    expect(after).not.toEqual(before);
    machine.load(before);
    expect(machine.save()).toEqual(before);
    expect(machine.end).toBeUndefined();
    machine.load(after);
    expect(machine.end).toMatchObject({ kind: 'suspended' });
  });
});

describe('what a machine can be', () => {
  it.each([
    [{ cpus: 0 }, '0 CPUs: profile illumos allows 1 to 32'],
    [{ cpus: 33 }, '33 CPUs: profile illumos allows 1 to 32'],
    [{ cpus: 1.5 }, '1.5 CPUs'],
    [{ memoryBytes: 4096 }, '4096 bytes of memory: a machine has 1 MiB'],
    [{ memoryBytes: 0x100000001 }, 'in multiples of 4096'],
    [{ slice: 0 }, 'a slice of 0 instructions'],
    [{ seed: -1 }, 'seed -1'],
  ])('%o is refused with its value and what would be right', (options, message) => {
    const build = (): unknown => rig({ boot: [[]] }, options);
    expect(build).toThrow(MachineError);
    expect(build).toThrow(message);
  });
});
