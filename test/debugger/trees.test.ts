import { describe, expect, it } from 'vitest';
import { exitsTree, ipisTree, type IpiRow } from '../../src/debugger/trees.ts';
import { ExitCode } from '../../src/machine/ledger/exitcode.ts';
import { exitCodeName } from '../../src/machine/ledger/words.ts';
import { type Bench, bench } from './looking.ts';

function ended(profile = 'illumos'): Bench {
  const b = bench('icrlo.asm', { profile });
  b.toExit(1000);
  return b;
}
const counts = (b: Bench): Record<string, number> =>
  Object.fromEntries(
    exitsTree(b.dbg)
      .groups.flatMap((g) => g.codes)
      .filter((c) => c.count > 0)
      .map((c) => [c.code, c.count]),
  );

describe('the tree of exits', () => {
  it('has every exit code once, in six groups', () => {
    const tree = exitsTree(ended().dbg);
    expect(tree.groups.map((g) => g.label)).toEqual(['Device access', 'Port I/O', 'Idle', 'MSR', 'Run state', 'Fatal and emulation']);
    expect(tree.groups.map((g) => g.group)).toEqual(['mmio', 'pio', 'idle', 'msr', 'state', 'fatal']);
    expect(tree.groups.flatMap((g) => g.codes.map((c) => c.code)).sort()).toEqual(Object.keys(ExitCode).sort());
  });
  it('counts each exit once, by the code it came to, and knows the newest with its line', () => {
    const b = ended();
    expect(counts(b)).toEqual({ MMIO_EMUL: 29, INOUT: 6, HLT: 6, RUN_STATE: 3, INST_EMUL: 1 });
    const tree = exitsTree(b.dbg);
    expect(tree.total).toBe(45);
    expect(tree.groups.reduce((sum, g) => sum + g.count, 0)).toBe(45);
    const fatal = tree.groups.at(-1)?.codes.find((c) => c.code === 'INST_EMUL');
    expect(fatal).toMatchObject({ about: 'not emulated', last: 45, place: { file: 'samples/icrlo.asm', line: 165 } });
  });
  it('counts as before after going back, and after going on from there', () => {
    const b = ended();
    const whole = counts(b);
    b.back(1000);
    const earlier = counts(b);
    expect(Object.values(earlier).reduce((a, c) => a + c, 0)).toBe(b.machine.ledger.exitCount);
    expect(earlier).not.toEqual(whole);
    b.toExit(1000);
    expect(counts(b)).toEqual(whole);
  });
  it('counts exits whose records were dropped', () => {
    const b = bench('icrlo.asm', { exits: 8 });
    for (const exit of [12, 24, 36]) {
      b.toExit(exit);
      expect(exitsTree(b.dbg).total).toBe(b.machine.ledger.exitCount);
    }
    b.toExit(1000);
    expect(counts(b)).toEqual({ MMIO_EMUL: 29, INOUT: 6, HLT: 6, RUN_STATE: 3, INST_EMUL: 1 });
  });
  it('counts anew what an edit has made to come otherwise', () => {
    const b = ended();
    const store = b.machine.ledger.exitAt(42)!;
    b.back(b.machine.clock.instructions - store.icount);
    b.edit({ kind: 'lapic', vcpu: 3, offset: 0xf0, value: 0x1ff });
    b.toExit(1000);
    const { ledger } = b.machine;
    const byHand: Record<string, number> = {};
    for (let number = 1; number <= ledger.exitCount; number++) {
      const name = exitCodeName(ledger.exitAt(number)!.finalCode);
      byHand[name] = (byHand[name] ?? 0) + 1;
    }
    expect(counts(b)).toEqual(byHand);
    expect(ipisTree(b.dbg).ipis.find((i) => i.number === 7)).toMatchObject({ reached: 1, refused: 0 });
  });
  it('marks what nothing in this machine exits with', () => {
    const impossible = exitsTree(ended().dbg).groups.flatMap((g) => g.codes.filter((c) => c.impossible).map((c) => c.code));
    expect(impossible).toContain('MWAIT');
    expect(impossible).toContain('SVM');
    for (const code of ['MMIO_EMUL', 'MMIO', 'INOUT', 'HLT', 'RDMSR', 'WRMSR', 'RUN_STATE', 'INST_EMUL', 'SUSPENDED', 'PAGING'])
      expect(impossible).not.toContain(code);
  });
  it('shows what is done about each', () => {
    const b = ended();
    b.actions.set('HLT', 'log');
    const idle = exitsTree(b.dbg).groups.find((g) => g.group === 'idle');
    expect(idle?.codes.map((c) => [c.code, c.action])).toContainEqual(['HLT', 'log']);
    expect(idle?.codes.map((c) => [c.code, c.action])).toContainEqual(['PAUSE', 'off']);
  });
});

describe('the tree of IPIs', () => {
  const tree = ipisTree(ended().dbg);
  const row = (number: number): IpiRow => tree.ipis.find((i) => i.number === number) as IpiRow;

  it('has the newest first, with the totals of the run', () => {
    expect(tree.sent).toBe(7);
    expect(tree.refusedTargets).toBe(2);
    expect(tree.ipis.map((i) => i.number)).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(ipisTree(ended().dbg, 3).ipis.map((i) => i.number)).toEqual([7, 6, 5]);
  });
  it('says what was sent to whom, and from which line', () => {
    expect(tree.ipis.map((i) => `${i.what} ${i.route} :${i.place?.line}`)).toEqual([
      'FIXED 30 vCPU0 → MDA 08 :63',
      'NMI vCPU0 → ID 01 :59',
      'FIXED 31 vCPU2 → ID 00 :150',
      'FIXED 30 vCPU0 → MDA 04 :55',
      'SIPI 08 vCPU0 → all but self :48',
      'SIPI 09 vCPU0 → ID 03 :45',
      'INIT vCPU0 → all but self :41',
    ]);
  });
  it('has a row for each target that it concerns, and one for all those that it does not for the same reason', () => {
    expect(row(7).targets).toEqual([
      { who: 'vCPU3', vcpus: [3], fate: 'refused', word: 'refused', reason: 'LAPIC software-disabled, SVR bit 8 clear (SVR = 000000FF)' },
      { who: 'vCPU0, 1, 2', vcpus: [0, 1, 2], fate: 'notAddressed', word: 'no match', reason: 'LDR 01, 02, 04 & 08 = 0' },
    ]);
    expect(row(6).targets[1]).toMatchObject({ who: 'vCPU0, 2, 3', reason: 'ID 00, 02, 03 is not 01' });
    expect([row(7).reached, row(7).refused]).toEqual([0, 1]);
  });
  it('says where a vCPU started and why another did not', () => {
    expect(row(3).targets).toEqual([
      { who: 'vCPU1', vcpus: [1], fate: 'reached', word: 'started', reason: 'at 0800:0000 · INIT → INIT|RUN' },
      { who: 'vCPU2', vcpus: [2], fate: 'reached', word: 'started', reason: 'at 0800:0000 · INIT → INIT|RUN' },
      {
        who: 'vCPU3',
        vcpus: [3],
        fate: 'refused',
        word: 'refused',
        reason: 'already running since i#2: run state INIT|RUN; PEND_SIPI stays set until the next INIT',
      },
    ]);
    expect([row(3).reached, row(3).refused]).toEqual([2, 1]);
  });
  it('says of an IPI that was never sent why not', () => {
    const [init] = ipisTree(ended('illumos-2020-10').dbg).ipis;
    expect(init).toMatchObject({ what: 'INIT', reached: 0, refused: 3 });
    expect(init?.targets.map((t) => [t.who, t.fate, t.word])).toEqual([
      ['vCPU1', 'notSent', 'not sent'],
      ['vCPU2', 'notSent', 'not sent'],
      ['vCPU3', 'notSent', 'not sent'],
    ]);
    expect(init?.targets[0]?.reason).toContain('shorthand INIT: no rule, returns -1');
  });
});
