/** Going forward and back at random, against runs that nobody has disturbed. See random-control.long.test.ts for more of it. */
import { describe, expect, it } from 'vitest';
import type { Debugger } from '../../src/debugger/debugger.ts';
import { seedBelow } from '../seed.ts';
import { GUESTS } from './random-guests.ts';
import { session } from './random-control.ts';
import { flat, hashOf, rig } from './rig.ts';

const SEED = seedBelow(1e6);

describe(`a session of random commands is the undisturbed run, forward and back (seed ${SEED})`, () => {
  it.each(GUESTS)('with $name', (guest) => session(guest, { seed: SEED, actions: 30, slice: SEED % 2 === 0 ? 10_000 : 137 }));
});

describe('what such sessions have found', () => {
  it('from the beginning of the recording hits are counted from the first, however often it was gone back to', async () => {
    const dbg = rig({ source: flat('mov ecx, 50\n.again: call put\n dec ecx\n jnz .again\n hlt\nput: ret') });
    dbg.breakpoints.setFunctions([{ text: 'put', hitCondition: '3' }]);
    dbg.entry();
    await dbg.continue();
    const was = hashOf(dbg);
    for (let i = 0; i < 2; i++) await dbg.reverseContinue();
    await dbg.continue();
    expect(hashOf(dbg)).toBe(was);
  });

  it('a breakpoint on HLT, set while a vCPU is halted, does not stop at that HLT when the vCPU goes on', async () => {
    const dbg = rig();
    dbg.timeline.goTo(1000);
    dbg.entry();
    const { exitCount } = dbg.machine.ledger;
    expect(dbg.view.machine.vm.vcpu(0).waiting).not.toBe(0);
    dbg.breakpoints.setFunctions([{ text: 'exit:HLT' }]);
    const stop = await dbg.continue();
    expect(stop.exit?.number).toBeGreaterThan(exitCount);
  });

  it('running back that is cancelled at any of its breaths ends where it began', async () => {
    let dbg: Debugger | undefined;
    let breaths = -1;
    let ms = 0;
    dbg = rig({
      source: flat('mov ecx, 2200000\n.first: loop .first\n out 0x80, al\n jmp $'),
      host: {
        now: () => (ms += 20),
        yield: () => {
          if (breaths >= 0 && breaths-- === 0) dbg?.pause(0);
          return Promise.resolve();
        },
      },
    });
    dbg.breakpoints.setFunctions([{ text: 'io:0x80:w' }]);
    dbg.entry();
    const reasons: string[] = [];
    while (reasons.at(-1) !== 'function breakpoint') {
      breaths = -1;
      dbg.timeline.goTo(3_000_000);
      dbg.entry();
      const was = hashOf(dbg);
      breaths = reasons.length;
      reasons.push((await dbg.reverseContinue()).reason);
      if (reasons.at(-1) !== 'function breakpoint') expect(`${reasons.at(-1)} ${hashOf(dbg)}`).toBe(`pause ${was}`);
    }
    expect(reasons.length).toBeGreaterThan(2);
  });
});
