import { describe, expect, it } from 'vitest';
import { Program } from '../../src/debugger/code/program.ts';
import type { Debugger } from '../../src/debugger/debugger.ts';
import { scopes } from '../../src/debugger/inspect/scopes.ts';
import type { Variable } from '../../src/debugger/inspect/variable.ts';
import { Subject } from '../../src/debugger/subject.ts';
import { exitsTree, ipisTree } from '../../src/debugger/trees.ts';
import { stateHash } from '../../src/machine/timeline/state-hash.ts';
import { Timeline } from '../../src/machine/timeline/timeline.ts';
import { Random } from '../machine/devices/random.ts';
import { BUSY, machine, type TestMachine } from '../machine/timeline/guest.ts';
import { seedBelow } from '../seed.ts';

/** Opens everything; gives how many variables that were. */
function walk(variables: readonly Variable[]): number {
  return variables.reduce((sum, v) => sum + 1 + walk(v.children?.() ?? []), 0);
}

/** A debugger of a machine, without its run control. */
function debuggerOf(m: TestMachine): Debugger {
  const view = new Subject(m);
  let generation = 0;
  const parts = { file: 'busy.rom', image: BUSY, padding: 0, assembled: undefined, expectedCpus: undefined, texts: [] };
  return {
    machine: m,
    program: new Program(parts),
    timeline: new Timeline(m),
    view,
    breakpoints: { exitAction: () => 'off' },
    get generation() {
      return generation++;
    },
    position: (vcpu: number) => view.position(vcpu),
  } as unknown as Debugger;
}

describe('looking', () => {
  const seed = seedBelow(2 ** 31);
  for (const profile of ['illumos', 'illumos-2020-10']) {
    it(`at everything changes nothing, under ${profile} (seed ${seed})`, () => {
      const random = new Random(seed);
      const looked = machine({ profile, seed: 7 });
      const alone = machine({ profile, seed: 7 });
      const dbg = debuggerOf(looked);
      let variables = 0;
      for (let i = 0; i < 12; i++) {
        const instructions = 1 + random.below(20_000);
        looked.run({ instructions });
        alone.run({ instructions });
        const before = stateHash(looked);
        for (let vcpu = 0; vcpu < looked.cpus; vcpu++) for (const scope of scopes(dbg, vcpu)) variables += walk(scope.variables());
        exitsTree(dbg);
        ipisTree(dbg);
        expect(stateHash(looked)).toBe(before);
        expect(before).toBe(stateHash(alone));
      }
      expect(variables).toBeGreaterThan(12 * looked.cpus * 500);
    });
  }
});
