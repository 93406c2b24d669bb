/** The ledger in words. */
import { describe, expect, it } from 'vitest';
import { ExitCode } from '../../../src/machine/ledger/exitcode.ts';
import { Answer, EventKind, Outcome, RequestState } from '../../../src/machine/ledger/records.ts';
import { Reason, Verdict } from '../../../src/machine/ledger/verdict.ts';
import {
  answerWords,
  evidenceWords,
  esrName,
  eventWords,
  exitCodeName,
  exitCodeNamed,
  outcomeWords,
  reachedWords,
  requestName,
  runStateName,
  suspendHowName,
  verdictMark,
  verdictName,
  verdictWords,
  whyWords,
} from '../../../src/machine/ledger/words.ts';

describe('words', () => {
  it('every exit code has its name, and is found by it', () => {
    for (const [name, code] of Object.entries(ExitCode)) {
      expect(exitCodeName(code)).toBe(name);
      expect(exitCodeNamed(`vm_exitcode_${name.toLowerCase()}`)).toBe(code);
    }
    expect([exitCodeName(99), exitCodeNamed('constructor')]).toEqual(['exit 99', undefined]);
  });
  it.each([
    [Reason.softwareDisabled, 0xff, 'LAPIC software-disabled, SVR bit 8 clear', 'SVR = 000000FF'],
    [Reason.hardwareDisabled, 0xfee00000, 'LAPIC hardware-disabled, APICBASE bit 11 (EN) clear', 'APICBASE = FEE00000'],
    [Reason.alreadyRunning, 3, 'already running', 'run state = 0003 (INIT|RUN)'],
    [Reason.notWaitingForSipi, 0, 'not waiting for SIPI: run state HALT', 'run state = 0000 (HALT)'],
    [Reason.vectorBelow16, 10, 'vector 0A is below 10', ''],
    [Reason.senderExcluded, 0, 'self, excluded', ''],
    [Reason.notActive, 1, 'not created yet', ''],
    [Reason.ldrZero, 0, 'LDR is 0: matches no logical destination', 'LDR = 00000000'],
    [Reason.dfrInvalid, 0x7fffffff, 'DFR = 7FFFFFFF: model 7 is neither flat (F) nor cluster (0)', 'DFR = 7FFFFFFF'],
    [Reason.notHandled, 0xc4500, 'shorthand INIT: no rule, returns -1', 'ICR_LO = 000C4500'],
    [Reason.notHandled, 0x4131, 'LOWPRIO: no rule for 00004131, returns -1', 'ICR_LO = 00004131'],
    [Reason.modeUnsupported, 0x4200, 'SMI is accepted, but this VMM does not send it', 'ICR_LO = 00004200'],
    [Reason.invalidCombination, 0x44500, 'INIT cannot be sent to self', 'ICR_LO = 00044500'],
    [Reason.invalidCombination, 0x84400, 'NMI cannot be sent to all including self', 'ICR_LO = 00084400'],
    [Reason.invalidCombination, 0x47f1, 'delivery mode 7 is reserved', 'ICR_LO = 000047F1'],
    [Reason.levelDeassert, 0x8500, 'level-triggered with bit 14 clear: a de-assert has no effect', 'ICR_LO = 00008500'],
    [Reason.initLevelBitClear, 0x500, 'INIT with the level bit 14 clear has no effect', 'ICR_LO = 00000500'],
    [Reason.illegalVector, 0x4400f, 'vector 0F is below 10: ESR bit 5, not sent', 'ICR_LO = 0004400F'],
    [Reason.none, 0, '', ''],
  ] as const)('reason %i, detail %i', (reason, detail, why, evidence) => {
    expect([whyWords({ reason, detail }), evidenceWords({ reason, detail })]).toEqual([why, evidence]);
  });
  it('with the IPI known, a mismatch names both sides', () => {
    const icrHigh = 0x08000000;
    expect(whyWords({ reason: Reason.ldrMismatch, detail: 0x01000000 }, { icrLow: 0x4830, icrHigh })).toBe('LDR 01 & 08 = 0');
    expect(whyWords({ reason: Reason.ldrMismatch, detail: 0x18000000 }, { icrLow: 0x4830, icrHigh })).toBe(
      'LDR 18 is not in the cluster of 08',
    );
    expect(whyWords({ reason: Reason.idMismatch, detail: 0x02000000 }, { icrLow: 0x4030, icrHigh })).toBe('APIC ID 02 is not 08');
    expect(whyWords({ reason: Reason.idMismatch, detail: 0x02000000 }, { icrLow: 0x44030, icrHigh })).toBe('not the sender');
    expect(whyWords({ reason: Reason.idMismatch, detail: 0x02000000 })).toBe('no match with APIC ID 02');
  });
  it('every verdict, reason, outcome, answer, request state and event kind has words of its own', () => {
    const all = (values: Record<string, number>, words: (n: never) => string): void => {
      const texts = Object.values(values).map((v) => words(v as never));
      expect(new Set(texts).size).toBe(texts.length);
      for (const text of texts) expect(text).not.toMatch(/\d|undefined/);
    };
    all(Verdict, verdictName);
    all(Verdict, verdictWords);
    all(Outcome, outcomeWords);
    all(Answer, answerWords);
    all(RequestState, requestName);
    const events = Object.values(EventKind).map((kind) => eventWords({ kind, value: 3, detail: 0 }));
    expect(new Set(events).size).toBe(events.length);
  });
  it('says what an arrival did', () => {
    expect([0x4030, 0x4400, 0x4500, 0x4608].map(reachedWords)).toEqual(['accepted', 'NMI pended', 'INIT', 'started at 0800:0000']);
  });
  it('names run states by their bits', () => {
    expect([0, 1, 3, 0x8001, 0x4002, 0x8000].map(runStateName)).toEqual([
      'HALT',
      'INIT',
      'INIT|RUN',
      'INIT|PEND_SIPI',
      'RUN|PEND_INIT',
      'HALT|PEND_SIPI',
    ]);
    expect(eventWords({ kind: EventKind.runState, value: 1, detail: 0 })).toBe('run state HALT → INIT');
    expect(suspendHowName(4)).toBe('triple fault');
  });
  it('names the errors that a local APIC notes', () => {
    expect(eventWords({ kind: EventKind.apicError, value: 0x20, detail: 0x60 })).toBe('notes an APIC error: sent illegal vector');
    expect(esrName(0xa0)).toBe('illegal register, sent illegal vector');
    expect(esrName(0x100)).toBe('ESR 100');
  });
  it('marks verdicts with and without Unicode', () => {
    expect([Verdict.reached, Verdict.refused, Verdict.notAddressed, Verdict.notSent].map((v) => verdictMark(v))).toEqual([
      '✓',
      '✕',
      '–',
      '✕',
    ]);
    expect([Verdict.merged, Verdict.refused, Verdict.notAddressed].map((v) => verdictMark(v, false))).toEqual(['ok', 'x', '-']);
  });
});
