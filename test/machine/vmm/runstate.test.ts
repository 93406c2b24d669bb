import { describe, expect, it } from 'vitest';
import {
  afterInit,
  afterInjectedInit,
  afterInjectedSipi,
  afterSipi,
  nextStep,
  RunStep,
  runStateName,
  runStatePending,
  sipiStarts,
  VRS,
} from '../../../src/machine/vmm/runstate.ts';

const { HALT, INIT, RUN, PEND_INIT, PEND_SIPI } = VRS;

describe('run states', () => {
  it.each([
    // state, INIT injected, SIPI injected, does a SIPI start it, must it leave the guest, what is done next
    [HALT, PEND_INIT, PEND_SIPI, false, true, RunStep.sleep],
    [INIT, INIT | PEND_INIT, INIT | PEND_SIPI, true, true, RunStep.sleep],
    [RUN, RUN | PEND_INIT, RUN | PEND_SIPI, false, false, RunStep.enter],
    [INIT | RUN, INIT | RUN | PEND_INIT, INIT | RUN | PEND_SIPI, false, false, RunStep.enter],
    [PEND_INIT, PEND_INIT, PEND_INIT | PEND_SIPI, true, true, RunStep.takeInit],
    [RUN | PEND_INIT, RUN | PEND_INIT, RUN | PEND_INIT | PEND_SIPI, true, true, RunStep.takeInit],
    [PEND_SIPI, PEND_INIT, PEND_SIPI, false, true, RunStep.sleep],
    [INIT | PEND_SIPI, INIT | PEND_INIT, INIT | PEND_SIPI, true, true, RunStep.takeSipi],
    [RUN | PEND_SIPI, RUN | PEND_INIT, RUN | PEND_SIPI, false, false, RunStep.enter],
    [INIT | RUN | PEND_SIPI, INIT | RUN | PEND_INIT, INIT | RUN | PEND_SIPI, false, false, RunStep.enter],
    [PEND_INIT | PEND_SIPI, PEND_INIT, PEND_INIT | PEND_SIPI, true, true, RunStep.takeInit],
  ])('%i goes to %i on INIT and to %i on SIPI', (state, init, sipi, starts, pending, step) => {
    expect(afterInjectedInit(state)).toBe(init);
    expect(afterInjectedSipi(state)).toBe(sipi);
    expect(sipiStarts(state)).toBe(starts);
    expect(runStatePending(state)).toBe(pending);
    expect(nextStep(state)).toBe(step);
  });

  const settle = (state: number): number => {
    let s = state;
    for (;;) {
      const step = nextStep(s);
      if (step === RunStep.takeInit) s = afterInit(s);
      else if (step === RunStep.takeSipi) s = afterSipi(s);
      else return s;
    }
  };
  it('INIT and SIPI sent back to back are both latched, and INIT is taken first', () => {
    expect(settle(afterInjectedSipi(afterInjectedInit(HALT)))).toBe(INIT | RUN);
  });
  it('a SIPI before the INIT is forgotten', () => {
    expect(settle(afterInjectedInit(afterInjectedSipi(INIT)))).toBe(INIT);
  });
  it('a SIPI to a vCPU that was never through INIT lingers and starts nothing', () => {
    expect(settle(afterInjectedSipi(HALT))).toBe(PEND_SIPI);
  });
  it('an INIT to the running BSP leaves it waiting for SIPI', () => {
    expect(settle(afterInjectedInit(RUN))).toBe(INIT);
  });
  it('are named by their bits', () => {
    expect([HALT, INIT, INIT | RUN, RUN | PEND_SIPI, PEND_INIT].map(runStateName)).toEqual([
      'HALT',
      'INIT',
      'INIT|RUN',
      'RUN|PEND_SIPI',
      'PEND_INIT',
    ]);
  });
});
