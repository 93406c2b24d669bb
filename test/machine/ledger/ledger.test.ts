/** The ledger: numbers, rings, totals, digest, going back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StateError } from '../../../src/machine/base/state.ts';
import { ExitCode } from '../../../src/machine/ledger/exitcode.ts';
import { Ledger } from '../../../src/machine/ledger/ledger.ts';
import { Answer, EventKind, type Moment, Outcome, RequestState } from '../../../src/machine/ledger/records.ts';
import { MAX_TEXTS } from '../../../src/machine/ledger/texts.ts';
import { Reason, Verdict } from '../../../src/machine/ledger/verdict.ts';

const at = (icount: number, vcpu = 0): Moment => ({ vcpu, timeNs: icount * 10, icount, eip: 0xfff0 + icount, csBase: 0xffff0000 });
const small = (): Ledger => new Ledger({ vcpus: 3, exits: 8, ipis: 4, events: 8 });
const BYTES = Uint8Array.from([0x90, 0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe]);

/** Everything a reader can see. */
const seen = (l: Ledger): unknown => ({
  counts: [l.exitCount, l.ipiCount, l.eventCount],
  exits: range(l.firstExit, l.exitCount).map((n) => l.exitAt(n)),
  ipis: range(l.firstIpi, l.ipiCount).map((n) => l.ipiAt(n)),
  events: range(l.firstEvent, l.eventCount).map((n) => l.eventAt(n)),
  totals: [[...l.exitsByCode()], [...l.targetsByVerdict()]],
  digest: l.digestText,
});
const range = (from: number, to: number): number[] => Array.from({ length: Math.max(to - from + 1, 0) }, (_, i) => from + i);

describe('records', () => {
  it('an exit reads back as it was written', () => {
    const l = small();
    const n = l.exit(at(7, 2), ExitCode.MMIO_EMUL, 0xfee00300, 4, true);
    l.exitBytes(n, BYTES, 1, 6);
    l.exitValue(n, 0xc4500, 0x80000000);
    l.exitAnswer(n, Answer.kernel, 'vlapic.2', -2);
    l.exitOutcome(n, ExitCode.INST_EMUL, RequestState.USER_FALLBACK, Outcome.aborted, 'opcode 87');
    expect(n).toBe(1);
    expect(l.exitAt(1)).toEqual({
      ...at(7, 2),
      number: 1,
      code: ExitCode.MMIO_EMUL,
      finalCode: ExitCode.INST_EMUL,
      bytes: BYTES.slice(1, 7),
      address: 0xfee00300,
      size: 4,
      write: true,
      value: 0xc4500,
      valueHigh: 0x80000000,
      device: 'vlapic.2',
      answer: Answer.kernel,
      returned: -2,
      request: RequestState.USER_FALLBACK,
      outcome: Outcome.aborted,
      ipi: 0,
      note: 'opcode 87',
    });
  });
  it('an exit that is still open has nothing of the record that lay in its slot before', () => {
    const l = new Ledger({ vcpus: 1, exits: 1, ipis: 1, events: 1 });
    const n = l.exit(at(1), ExitCode.MMIO_EMUL, 1, 4, true);
    l.exitBytes(n, BYTES, 0, 7);
    l.exitValue(n, 1, 2);
    l.exitAnswer(n, Answer.kernel, 'x', -1);
    l.exitOutcome(n, ExitCode.MMIO, RequestState.DONE, Outcome.resumed, 'y');
    l.ipi(at(1), n, 0, 0);
    l.exit(at(2), ExitCode.HLT, 0, 0, false);
    expect(l.exitAt(2)).toMatchObject({
      finalCode: ExitCode.HLT,
      bytes: new Uint8Array(0),
      value: 0,
      valueHigh: 0,
      device: '',
      answer: 0,
      returned: 0,
      request: 0,
      outcome: Outcome.open,
      ipi: 0,
      note: '',
    });
  });
  it('an IPI has one target for each vCPU, not addressed until said otherwise, and its exit names it', () => {
    const l = small();
    const e = l.exit(at(1), ExitCode.MMIO_EMUL, 0xfee00300, 4, true);
    const i = l.ipi(at(1), e, 0xc4500, 0);
    l.ipiTarget(i, 1, Verdict.reached, Reason.none, 0);
    l.ipiTarget(i, 2, Verdict.refused, Reason.softwareDisabled, 0xff);
    l.ipiTaken(i, 1, 123, 12);
    const record = l.ipiAt(i);
    expect(record).toMatchObject({ number: 1, exit: e, icrLow: 0xc4500, icrHigh: 0 });
    expect(record?.targets).toEqual([
      { vcpu: 0, verdict: Verdict.notAddressed, reason: Reason.idMismatch, detail: 0, takenNs: -1, takenIcount: -1 },
      { vcpu: 1, verdict: Verdict.reached, reason: Reason.none, detail: 0, takenNs: 123, takenIcount: 12 },
      { vcpu: 2, verdict: Verdict.refused, reason: Reason.softwareDisabled, detail: 0xff, takenNs: -1, takenIcount: -1 },
    ]);
    expect(l.exitAt(e)?.ipi).toBe(i);
    expect([...l.targetsByVerdict()]).toEqual([
      [Verdict.reached, 1],
      [Verdict.refused, 1],
      [Verdict.notAddressed, 1],
    ]);
  });
  it('an event reads back as it was written', () => {
    const l = small();
    expect(l.event(at(3, 1), EventKind.runState, 3, 0x8001)).toBe(1);
    expect(l.eventAt(1)).toEqual({ ...at(3, 1), number: 1, kind: EventKind.runState, value: 3, detail: 0x8001 });
  });
  it('the oldest give way; their numbers are gone, their totals stay', () => {
    const l = small();
    for (let i = 1; i <= 20; i++) l.exit(at(i), i % 2 ? ExitCode.HLT : ExitCode.INOUT, i, 1, false);
    expect([l.exitCount, l.firstExit]).toEqual([20, 13]);
    expect(l.exitAt(12)).toBeUndefined();
    expect(l.exitAt(13)?.address).toBe(13);
    expect(l.exitAt(20)?.address).toBe(20);
    expect(l.exitAt(21)).toBeUndefined();
    expect(l.exitsByCode().get(ExitCode.HLT)).toBe(10);
  });
  it('amending a record that is gone, or none, changes nothing that is held', () => {
    const l = small();
    for (let i = 1; i <= 20; i++) l.exit(at(i), ExitCode.HLT, i, 1, false);
    const before = (seen(l) as { exits: unknown }).exits;
    for (const n of [0, -1, 3, 21, 1e15, Number.NaN]) {
      l.exitValue(n, 1, 1);
      l.exitOutcome(n, ExitCode.HLT, 2, 3, 'x');
      l.ipiTarget(n, 0, Verdict.reached, 0, 0);
      l.ipiTaken(n, 0, 1, 1);
    }
    expect((seen(l) as { exits: unknown }).exits).toEqual(before);
  });
  it('more different notes than the table holds are not kept, and it says so', () => {
    const l = small();
    for (let i = 0; i < MAX_TEXTS + 10; i++) l.exitOutcome(l.exit(at(i), ExitCode.HLT, 0, 0, false), ExitCode.HLT, 0, 0, `note ${i}`);
    expect(l.exitAt(l.exitCount)?.note).toContain('not kept');
    const n = l.exit(at(1), ExitCode.HLT, 0, 0, false);
    l.exitOutcome(n, ExitCode.HLT, 0, 0, 'note 5');
    expect(l.exitAt(n)?.note).toBe('note 5');
  });
  it('capacities are powers of two', () => expect(() => new Ledger({ vcpus: 1, exits: 100 })).toThrow('power of two'));
});

describe('digest', () => {
  it('tells apart any two runs that wrote something different', () => {
    const writes: ((l: Ledger) => void)[] = [
      (l) => l.exit(at(1), 0, 0, 0, false),
      (l) => l.exit(at(2), 0, 0, 0, false),
      (l) => l.exit(at(1, 1), 0, 0, 0, false),
      (l) => l.exit(at(1), 1, 0, 0, false),
      (l) => l.exit(at(1), 0, 2 ** 40, 0, false),
      (l) => l.exit(at(1), 0, 0, 0, true),
      (l) => l.event(at(1), 0, 0, 0),
      (l) => l.event(at(1), 0, 1, 0),
      (l) => l.event(at(1), 0, 0, 1),
      (l) => l.ipi(at(1), 0, 0, 0),
      (l) => l.ipi(at(1), 0, 1, 0),
      (l) => l.ipi(at(1), 0, 0, 1),
      (l) => l.ipiTaken(1, 0, 1, 1),
      (l) => l.ipiTaken(1, 0, -1, 1),
      () => {},
    ];
    const digests = writes.map((write) => {
      const l = small();
      write(l);
      return l.digestText;
    });
    expect(new Set(digests).size).toBe(writes.length);
    expect(digests[0]).toMatch(/^[0-9A-F]{16}$/);
  });
  it('counts what was dropped too', () => {
    const [a, b] = [small(), small()];
    a.exit(at(1), 0, 1, 0, false);
    b.exit(at(1), 0, 2, 0, false);
    for (let i = 0; i < 50; i++) for (const l of [a, b]) l.exit(at(2), 0, 0, 0, false);
    expect(a.digestText).not.toBe(b.digestText);
  });
});

type Step = readonly [kind: number, a: number, b: number];
const step = fc.tuple(fc.nat(7), fc.nat(40), fc.nat(2));
const play = (l: Ledger, steps: readonly Step[], from: number): void =>
  steps.forEach(([kind, a, b], i) => {
    const m = at(from + i, b);
    const exit = Math.max(l.exitCount - (a % 4), 0);
    const ipi = Math.max(l.ipiCount - (a % 3), 0);
    if (kind === 0) l.exit(m, (a % 25) as ExitCode, a, 4, b === 1);
    else if (kind === 1) l.exitValue(exit, a, b);
    else if (kind === 2) l.exitAnswer(exit, Answer.kernel, `device ${a % 5}`, -b);
    else if (kind === 3) l.exitOutcome(exit, ExitCode.MMIO, RequestState.DONE, Outcome.resumed, `note ${a}`);
    else if (kind === 4) l.ipi(m, exit, a, b);
    else if (kind === 5) l.ipiTaken(ipi, b, from + i, a);
    else if (kind === 6) l.exitBytes(exit, BYTES, b, 5);
    else l.event(m, EventKind.nmi, a, b);
  });

/** An exit that is opened and completed. */
const ended = (l: Ledger, i: number): void =>
  l.exitOutcome(l.exit(at(i), ExitCode.HLT, i, 1, false), ExitCode.HLT, RequestState.NONE, Outcome.resumed, '');

describe('going back', () => {
  it('to a mark undoes every later record and amendment, and the same future follows', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.array(step, { maxLength: 60 }),
        fc.array(step, { maxLength: 60 }),
        (past, middle, future) => {
          const l = new Ledger({ vcpus: 3, exits: 256, ipis: 128, events: 128 });
          play(l, past, 0);
          const first = l.mark();
          const before = seen(l);
          play(l, middle, 100);
          const second = l.mark();
          const between = seen(l);
          play(l, future, 200);
          const end = seen(l);
          l.rewind(second);
          expect(seen(l)).toEqual(between);
          play(l, future, 200);
          expect(seen(l)).toEqual(end);
          l.rewind(first);
          expect(seen(l)).toEqual(before);
          play(l, middle, 100);
          play(l, future, 200);
          expect(seen(l)).toEqual(end);
        },
      ),
      { seed: 20261122, numRuns: 300 },
    );
  });
  it('to a mark from before records were dropped leaves what is still held, with the totals and digest of then', () => {
    const l = small();
    for (let i = 1; i <= 6; i++) ended(l, i);
    const mark = l.mark();
    const digest = l.digestText;
    for (let i = 7; i <= 10; i++) ended(l, i);
    l.rewind(mark);
    expect([l.exitCount, l.firstExit, l.exitsByCode().get(ExitCode.HLT), l.digestText]).toEqual([6, 3, 6, digest]);
    expect(range(1, 7).map((n) => l.exitAt(n)?.address)).toEqual([undefined, undefined, 3, 4, 5, 6, undefined]);
    for (let i = 7; i <= 30; i++) ended(l, i);
    expect([l.firstExit, l.exitAt(23)?.address]).toEqual([23, 23]);
    l.rewind(mark);
    expect([l.exitCount, l.firstExit, l.exitAt(6)]).toEqual([6, 7, undefined]);
  });
  it('an exit that had not ended at the mark is there again even when its record was dropped since, and ends as it did', () => {
    const [l, straight] = [small(), small()];
    const waits = (m: Ledger): number => {
      const number = m.exit(at(1, 1), ExitCode.HLT, 0, 0, false);
      m.exitOutcome(number, ExitCode.HLT, RequestState.NONE, Outcome.waits, '');
      return number;
    };
    const number = waits(l);
    const mark = l.mark();
    for (let i = 2; i <= 40; i++) ended(l, i);
    expect(l.exitAt(number)).toBeUndefined();
    l.rewind(mark);
    expect(l.exitAt(number)?.outcome).toBe(Outcome.waits);
    expect(l.mark()).toEqual(mark);
    waits(straight);
    for (const m of [l, straight]) {
      ended(m, 2);
      m.exitOutcome(number, ExitCode.HLT, RequestState.NONE, Outcome.resumed, '');
    }
    expect(l.exitAt(number)).toEqual(straight.exitAt(number));
    expect(l.mark()).toEqual(straight.mark());
    // Where the ring would have dropped it all the same, it ends unseen, as it did.
    l.rewind(mark);
    const other = small();
    waits(other);
    for (const m of [l, other]) {
      for (let i = 2; i <= 40; i++) ended(m, i);
      m.exitOutcome(number, ExitCode.HLT, RequestState.NONE, Outcome.resumed, '');
    }
    expect(l.mark()).toEqual(other.mark());
  });
  it('save, load, save is the identity, and the loaded one goes on alike', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.array(step, { maxLength: 40 }), (past, future) => {
        const a = small();
        play(a, past, 0);
        const state = a.save();
        const b = small();
        b.load(state);
        expect(b.save()).toEqual(state);
        expect(seen(b)).toEqual(seen(a));
        play(a, future, 100);
        play(b, future, 100);
        expect(seen(b)).toEqual(seen(a));
        b.load(state);
        expect(b.save()).toEqual(state);
      }),
      { seed: 20261122, numRuns: 200 },
    );
  });
  it('a state that cannot be is refused by name, and changes nothing', () => {
    const l = small();
    play(
      l,
      [
        [0, 1, 1],
        [4, 1, 1],
        [7, 1, 1],
      ],
      0,
    );
    const state = l.save();
    const before = seen(l);
    for (const bad of [
      { vcpus: 4 },
      { exits: { ...state.exits, count: 99 } },
      { exits: { ...state.exits, columns: [] } },
      { texts: ['x'] },
      { mark: { ...state.mark, byCode: [] } },
      { mark: { ...state.mark, writes: -1 } },
    ]) {
      expect(() => l.load({ ...state, ...bad })).toThrow(StateError);
      expect(seen(l)).toEqual(before);
    }
  });
  it('a mark of the future is refused', () => {
    const [a, b] = [small(), small()];
    a.exit(at(1), 0, 0, 0, false);
    expect(() => b.rewind(a.mark())).toThrow(StateError);
  });
});
