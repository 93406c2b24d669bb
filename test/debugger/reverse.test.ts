import { describe, expect, it } from 'vitest';
import type { Debugger } from '../../src/debugger/debugger.ts';
import { seedBelow } from '../seed.ts';
import { Random } from '../machine/devices/random.ts';
import { BUSY } from '../machine/timeline/guest.ts';
import { flat, hashOf, lineOf, linearOf, rig } from './rig.ts';

const SEED = seedBelow(1e6);
const busy = (): Debugger => rig({ rom: BUSY, cpus: 3, model: 'pc', seed: 1, slice: 97 });

/** A fresh run of so many instructions. */
function fresh(make: () => Debugger, instructions: number): string {
  const dbg = make();
  dbg.timeline.goTo(instructions);
  return hashOf(dbg);
}

async function run(dbg: Debugger, instructions: number): Promise<void> {
  dbg.timeline.goTo(instructions);
  dbg.entry();
}

describe('a step back', () => {
  it.each([0, 1, 2])(
    'undoes a step into, of vCPU%i among three, interrupts included: back through every state, last first',
    async (vcpu) => {
      const dbg = busy();
      await run(dbg, 25_000);
      const seen: string[] = [];
      for (let i = 0; i < 150; i++) {
        seen.push(`${hashOf(dbg)} ${linearOf(dbg, vcpu)}`);
        await dbg.step({ vcpu, kind: 'in', by: 'instruction' });
      }
      // Steps of one vCPU begin where it has just done something, with the exception of the first.
      for (const was of seen.slice(1).reverse()) {
        const stop = await dbg.stepBack({ vcpu, by: 'instruction' });
        expect(stop.reason).toBe('step');
        expect(`${hashOf(dbg)} ${linearOf(dbg, vcpu)}`).toBe(was);
      }
    },
  );

  it(`lands where a fresh run of as many instructions is (seed ${SEED})`, async () => {
    const random = new Random(SEED);
    const dbg = busy();
    await run(dbg, 40_000);
    for (let i = 0; i < 6; i++) {
      const vcpu = random.below(3);
      await dbg.stepBack({ vcpu, by: 'instruction' });
      if (hashOf(dbg) === fresh(busy, dbg.machine.clock.instructions)) continue;
      // After the delivery of an interrupt: one more step back comes to before it.
      await dbg.stepBack({ vcpu, by: 'instruction' });
      expect(hashOf(dbg), `vCPU${vcpu}`).toBe(fresh(busy, dbg.machine.clock.instructions));
    }
  });

  it('by line goes to the beginning of the line before, or of the one that is under way', async () => {
    const source = flat(`
        mov     esi, start32
        mov     edi, 0x2000
        mov     ecx, 600
        rep movsb
        times 3 inc ebx
        mov     ecx, 3
.again: dec     ecx
        jnz     .again
        jmp     $`);
    const dbg = rig({ source });
    dbg.entry();
    const lines: (number | undefined)[] = [lineOf(dbg, 0)];
    const hashes = [hashOf(dbg)];
    for (let i = 0; i < 22; i++) {
      await dbg.step({ vcpu: 0, kind: 'in', by: 'line' });
      lines.push(lineOf(dbg, 0));
      hashes.push(hashOf(dbg));
    }
    expect(new Set(lines).size).toBeGreaterThan(15);
    // In the middle of the line with three instructions.
    const times = source.split('\n').findIndex((text) => text.includes('times 3')) + 1;
    for (let i = lines.length - 2; i >= 0; i--) {
      await dbg.stepBack({ vcpu: 0, by: 'line' });
      expect(lineOf(dbg, 0)).toBe(lines[i]);
      expect(hashOf(dbg)).toBe(hashes[i]);
      if (lineOf(dbg, 0) !== times) continue;
      await dbg.step({ vcpu: 0, kind: 'in', by: 'instruction' });
      expect(lineOf(dbg, 0)).toBe(times);
      expect(hashOf(dbg)).not.toBe(hashes[i]);
      await dbg.stepBack({ vcpu: 0, by: 'line' });
      expect(hashOf(dbg)).toBe(hashes[i]);
    }
    expect(dbg.machine.clock.instructions).toBe(0);
  });

  it('at the beginning of the recording stays there and says so', async () => {
    const dbg = rig();
    dbg.entry();
    await dbg.step({ vcpu: 0, kind: 'in', by: 'instruction' });
    await dbg.stepBack({ vcpu: 0, by: 'instruction' });
    const was = hashOf(dbg);
    for (const by of ['line', 'instruction'] as const) {
      const stop = await dbg.stepBack({ vcpu: 0, by });
      expect(stop).toMatchObject({ reason: 'step', vcpu: 0, headline: 'Nothing before' });
      expect(hashOf(dbg)).toBe(was);
    }
    expect((await dbg.stepBack({ vcpu: 3, by: 'line' })).sentence).toBe(
      'vCPU3 has executed nothing before this since the recording began.',
    );
  });

  it('undoes the end of the machine: first to before the instruction that ended it', async () => {
    const dbg = rig();
    dbg.entry();
    const end = await dbg.continue();
    expect(end).toMatchObject({ reason: 'end', vcpu: 1 });
    const line = lineOf(dbg, 1);
    const records = dbg.machine.ledger.exitCount;
    await dbg.stepBack({ vcpu: 1, by: 'line' });
    expect(dbg.machine.end).toBeUndefined();
    expect(lineOf(dbg, 1)).toBe(line);
    expect(dbg.machine.ledger.exitCount).toBe(records - 1);
    await dbg.stepBack({ vcpu: 1, by: 'line' });
    expect(lineOf(dbg, 1)).toBe((line as number) - 1);
    const again = await dbg.continue();
    expect({ ...again, generation: 0 }).toEqual({ ...end, generation: 0 });
  });
});

describe('running back', () => {
  /** Everything a stop is known by. */
  const known = (dbg: Debugger): string => {
    const { reason, vcpu, headline, sentence, breakpoints } = dbg.stop!;
    return JSON.stringify([reason, vcpu, headline, sentence, breakpoints, dbg.position(vcpu), dbg.timeline.position]);
  };

  it('visits the stops of the run forward, last first, and then the beginning of the recording', async () => {
    const dbg = rig();
    dbg.breakpoints.setFilters(dbg.breakpoints.filters.map(({ filter }) => ({ filter })));
    dbg.breakpoints.setFunctions([{ text: 'on_reply' }, { text: 'on_timer' }, { text: 'vector:30h' }]);
    dbg.breakpoints.setSource('icrlo.asm', [{ line: 42 }, { line: 131 }]);
    dbg.entry();
    const stops: string[] = [];
    do {
      await dbg.continue();
      stops.push(known(dbg));
    } while (dbg.stop?.reason !== 'end');
    expect(stops.length).toBeGreaterThan(40);
    stops.pop();
    for (const stop of stops.reverse()) {
      await dbg.reverseContinue();
      expect(known(dbg)).toBe(stop);
    }
    const start = await dbg.reverseContinue();
    expect(start).toMatchObject({ reason: 'entry', headline: 'Beginning of the recording' });
    expect(dbg.machine.clock.instructions).toBe(0);
    for (const stop of stops.reverse()) {
      await dbg.continue();
      expect(known(dbg)).toBe(stop);
    }
  });

  it('counts hits as the run forward did', async () => {
    const dbg = rig();
    dbg.breakpoints.setFunctions([
      { text: 'exit:*', hitCondition: '%7' },
      { text: 'await_reply', hitCondition: '>4' },
    ]);
    dbg.entry();
    const stops: string[] = [];
    while (stops.length < 12) {
      await dbg.continue();
      stops.push(known(dbg));
    }
    for (const stop of stops.slice(0, -1).reverse()) {
      await dbg.reverseContinue();
      expect(known(dbg)).toBe(stop);
    }
    await dbg.continue();
    expect(known(dbg)).toBe(stops[1]);
    await dbg.stepBack({ vcpu: 0, by: 'instruction' });
    await dbg.continue();
    expect(known(dbg)).toBe(stops[1]);
  });

  it('tells neither log lines nor console bytes a second time', async () => {
    const dbg = rig({
      source: flat(`
        mov     dx, 0x3F8
        mov     al, 'a'
.again: out     dx, al
        inc     al
        cmp     al, 'z'
        jne     .again
        jmp     $`),
    });
    let text = '';
    const logs: string[] = [];
    dbg.listeners = {
      onConsole: (_, bytes) => (text += new TextDecoder().decode(bytes)),
      onLog: (line) => logs.push(line.text),
    };
    dbg.breakpoints.setFunctions([
      { text: 'io:0x3F8:w', logMessage: 'wrote {al}' },
      { text: 'exit:INOUT', hitCondition: '%10' },
    ]);
    dbg.entry();
    for (let i = 0; i < 2; i++) await dbg.continue();
    expect(text).toBe('abcdefghijklmnopqrst');
    expect(logs).toHaveLength(20);
    await dbg.reverseContinue();
    await dbg.reverseContinue();
    expect(dbg.machine.clock.instructions).toBe(0);
    expect(logs).toHaveLength(20);
    for (let i = 0; i < 2; i++) await dbg.continue();
    expect(text).toBe('abcdefghijklmnopqrst');
    dbg.breakpoints.setFunctions([{ text: 'FFFFFFF0' }]);
    setTimeout(() => dbg.pause(0), 30);
    await dbg.continue();
    expect(text).toBe('abcdefghijklmnopqrstuvwxy');
  });

  it('ends where it began when it is cancelled', async () => {
    let dbg: Debugger | undefined;
    let breaths = -1;
    dbg = rig({
      source: flat('.again: inc eax\n jmp .again'),
      host: {
        yield: () => {
          if (breaths >= 0 && --breaths < 0) dbg?.pause(0);
          return Promise.resolve();
        },
      },
    });
    dbg.entry();
    dbg.timeline.goTo(30_000_000);
    const was = hashOf(dbg);
    breaths = 2;
    const stop = await dbg.reverseContinue();
    expect(stop.reason).toBe('pause');
    expect(hashOf(dbg)).toBe(was);
  });
});
