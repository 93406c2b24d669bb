/** Being asked before code is decoded where none was. */
import { describe, expect, it } from 'vitest';
import { Stop } from '../../../src/machine/cpu/processor.ts';
import { stateHash } from '../../../src/machine/timeline/state-hash.ts';
import { seedBelow } from '../../seed.ts';
import { CODE, Guest } from '../cpu/guest.ts';
import { Random } from '../devices/random.ts';
import { machine } from '../timeline/guest.ts';

const FAR = 0xa000;

/** A guest that jumps into another page, and back. */
function twoPages(there = 'nop; ret'): Guest {
  const g = new Guest().flat(`mov eax, 1; mov ebx, ${FAR}; call ebx; mov eax, 3; nop`);
  g.put(there, FAR);
  return g;
}

describe('the question before new code', () => {
  it('names the page and can stop the run with nothing of it executed', () => {
    const g = twoPages('mov eax, 2; ret');
    const asked: number[] = [];
    g.cpu.onCode = (page) => {
      asked.push(page);
      return page === FAR;
    };
    expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    expect(asked).toEqual([CODE, FAR]);
    expect(g.registers('eax', 'eip')).toEqual({ eax: 1, eip: FAR });
    expect(g.cpu.retired).toBe(3);
  });
  it('is put again by the next run, until the answer is no', () => {
    const g = twoPages();
    let left = 3;
    g.cpu.onCode = (page) => page === FAR && left-- > 0;
    for (let i = 0; i < 3; i++) expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    expect(g.run()).toBe('hlt');
  });
  it('is not put again while the code stays what it is', () => {
    const g = new Guest().flat(`mov ecx, 10; mov ebx, ${FAR}; top: call ebx; dec ecx; jnz top`);
    g.put('ret', FAR);
    let asked = 0;
    g.cpu.onCode = (page) => {
      if (page === FAR) asked++;
      return false;
    };
    expect(g.run()).toBe('hlt');
    expect(asked).toBe(1);
  });
  it('is put again when the guest has written other code there', () => {
    const g = new Guest().flat(`mov ebx, ${FAR}; call ebx; mov byte [${FAR}], 0x90; call ebx`);
    g.put('inc eax; ret', FAR);
    let asked = 0;
    g.cpu.onCode = (page) => {
      if (page === FAR) asked++;
      return false;
    };
    g.set({ eax: 0 });
    expect(g.run()).toBe('hlt');
    expect(asked).toBe(2);
    expect(g.get('eax')).toBe(1);
  });
  it('is put for code beside other code of the same page', () => {
    const g = new Guest().flat(`mov ebx, ${FAR}; call ebx; mov ebx, ${FAR + 0x800}; call ebx`);
    g.put('ret', FAR);
    g.put('ret', FAR + 0x800);
    let asked = 0;
    g.cpu.onCode = (page) => {
      if (page === FAR) asked++;
      return false;
    };
    expect(g.run()).toBe('hlt');
    expect(asked).toBe(2);
  });
  it('comes before a breakpoint at the same place, which then stops the next run', () => {
    const g = twoPages();
    let told = false;
    g.cpu.breakpoints = new Set([FAR]);
    g.cpu.onCode = (page) => {
      const first = page === FAR && !told;
      if (first) told = true;
      return first;
    };
    expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    expect(told).toBe(true);
    expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    expect(g.get('eip')).toBe(FAR);
    expect(g.cpu.retired).toBe(0);
    expect(g.run()).toBe('hlt');
  });
  it('is put for all code from then on when somebody begins to ask', () => {
    const g = new Guest().flat(`mov ecx, 10; mov ebx, ${FAR}; top: call ebx; dec ecx; jnz top`);
    g.put('ret', FAR);
    g.cpu.run(8);
    let asked = 0;
    g.cpu.onCode = () => {
      asked++;
      return false;
    };
    g.run();
    expect(asked).toBe(2);
  });
});

const seed = seedBelow(2 ** 31);
it(`a machine that is asked and stopped at random comes to the same state as one that is not (seed ${seed})`, () => {
  const random = new Random(seed);
  const options = { seed: random.below(1000) };
  const plain = machine(options);
  const asked = machine(options);
  let stops = 0;
  let questions = 0;
  asked.processor.onCode = () => {
    questions++;
    return random.below(3) === 0;
  };
  for (let icount = 20_000; icount <= 200_000; icount += 20_000) {
    plain.run({ instructions: icount - plain.clock.instructions });
    while (asked.clock.instructions < icount && asked.end === undefined)
      if (asked.run({ instructions: icount - asked.clock.instructions }) === 'breakpoint') stops++;
    expect(stateHash(asked), `at instruction ${icount}`).toBe(stateHash(plain));
  }
  expect(questions).toBeGreaterThan(100);
  expect(stops).toBeGreaterThan(20);
});
