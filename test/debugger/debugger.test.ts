import { describe, expect, it } from 'vitest';
import type { Debugger } from '../../src/debugger/debugger.ts';
import { DebuggerError } from '../../src/debugger/error.ts';
import { at, flat, hashOf, lineOf, linearOf, rig, sampleSource } from './rig.ts';

const SPIN = flat(`
main:   inc     ebx
        jmp     main`);
const lineWith = (source: string, text: string): number => source.split('\n').findIndex((line) => line.includes(text)) + 1;
/** Calls back when the run takes its n-th breath. */
const breathing = (what: Map<number, () => void>): { yield: () => Promise<void> } => {
  let breath = 0;
  return {
    yield: () => {
      what.get(++breath)?.();
      return Promise.resolve();
    },
  };
};

describe('the beginning', () => {
  it('is a stop before the first instruction of vCPU 0', () => {
    const dbg = rig();
    expect(dbg.stop).toBeUndefined();
    const { generation } = dbg;
    expect(dbg.entry()).toMatchObject({ reason: 'entry', vcpu: 0, sentence: 'vCPU0 is about to execute jmp start16.' });
    expect(linearOf(dbg, 0)).toBe(0xfffffff0);
    expect(dbg.machine.clock.instructions).toBe(0);
    expect(dbg.generation).toBe(generation + 1);
  });
});

describe('running', () => {
  it('stops at a source line, at a store, and at the end, and tells each', async () => {
    const dbg = rig();
    const source = sampleSource('icrlo');
    const [status] = dbg.breakpoints.setSource('icrlo.asm', [{ line: lineWith(source, 'call    wake_aps') }]);
    const [data] = dbg.breakpoints.setData([{ dataId: 'lapic.icr_hi', access: 'write' }]);
    dbg.entry();
    expect(await dbg.continue()).toMatchObject({ reason: 'breakpoint', vcpu: 0, breakpoints: [status!.id] });
    expect(lineOf(dbg, 0)).toBe(status!.line);
    expect(await dbg.continue()).toMatchObject({ reason: 'data breakpoint', vcpu: 0, breakpoints: [data!.id], exit: { number: 13 } });
    dbg.breakpoints.setData([]);
    expect(await dbg.continue()).toMatchObject({ reason: 'end', vcpu: 1, end: { kind: 'aborted' } });
    await expect(dbg.continue()).rejects.toThrow(new DebuggerError('The machine has ended: it can only go back.'));
    await expect(dbg.step({ vcpu: 0, kind: 'in', by: 'line' })).rejects.toThrow(DebuggerError);
  });

  it('through stops is the same run as without any', async () => {
    const undisturbed = rig();
    undisturbed.entry();
    await undisturbed.continue();
    const dbg = rig();
    dbg.breakpoints.setFilters(dbg.breakpoints.filters.map(({ filter }) => ({ filter })));
    dbg.breakpoints.setFunctions([{ text: 'on_wake' }, { text: 'ap_page08' }]);
    dbg.entry();
    do await dbg.continue();
    while (dbg.stop?.reason !== 'end');
    expect(hashOf(dbg)).toBe(hashOf(undisturbed));
    expect(dbg.machine.ledger.digestText).toBe(undisturbed.machine.ledger.digestText);
  });

  it('stops in the copy of code that the guest makes below 1 MiB, before its first instruction', async () => {
    const dbg = rig();
    const line = lineWith(sampleSource('icrlo'), 'cpuid') - 1;
    dbg.breakpoints.setSource('icrlo.asm', [{ line }]);
    dbg.entry();
    const stop = await dbg.continue();
    expect(stop).toMatchObject({ reason: 'breakpoint', vcpu: 1 });
    expect(linearOf(dbg, 1)).toBe(0x8000);
    expect(lineOf(dbg, 1)).toBe(line);
    expect(await dbg.continue()).toMatchObject({ reason: 'breakpoint', vcpu: 2 });
  });

  it('a breakpoint at the instruction that is shown does not stop a run that leaves it, but the next that comes there', async () => {
    const dbg = rig({ source: SPIN });
    dbg.breakpoints.setFunctions([{ text: 'main' }]);
    dbg.entry();
    await dbg.continue();
    for (let i = 1; i <= 3; i++) {
      expect(dbg.view.register(0, 'ebx')).toBe(i - 1);
      if (i === 2) {
        await dbg.step({ vcpu: 0, kind: 'in', by: 'instruction' });
        await dbg.step({ vcpu: 0, kind: 'in', by: 'instruction' });
      } else await dbg.continue();
      expect(linearOf(dbg, 0)).toBe(at(dbg, 'main'));
    }
  });

  it('logs without stopping, and counts what it is told to count', async () => {
    const dbg = rig();
    const lines: string[] = [];
    dbg.listeners = { onLog: ({ text, vcpu }) => lines.push(`${vcpu}: ${text}`) };
    dbg.breakpoints.setFunctions([
      { text: 'io:0x80:w', logMessage: 'POST {al}' },
      { text: 'exit:HLT', hitCondition: '3' },
    ]);
    dbg.entry();
    expect(await dbg.continue()).toMatchObject({ reason: 'function breakpoint', exit: { number: 24 } });
    expect(lines).toEqual(['0: POST 10h', '3: POST 93h', '1: POST 91h']);
  });

  it('lets breakpoints be set on the way, and heeds them at once', async () => {
    const what = new Map<number, () => void>();
    const dbg = rig({ source: SPIN, host: breathing(what) });
    what.set(2, () => dbg.breakpoints.setFunctions([{ text: 'main' }]));
    dbg.entry();
    expect(await dbg.continue()).toMatchObject({ reason: 'function breakpoint' });
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'main'));
  });

  it('pauses within a tenth of a second at full speed, for the vCPU that was asked for', async () => {
    const dbg = rig({ source: SPIN, cpus: 2 });
    dbg.entry();
    let asked = 0;
    setTimeout(() => {
      asked = performance.now();
      dbg.pause(1);
    }, 200);
    const stop = await dbg.continue();
    expect(performance.now() - asked).toBeLessThan(100);
    expect(stop).toMatchObject({ reason: 'pause', vcpu: 1 });
    expect(dbg.machine.clock.instructions).toBeGreaterThan(100_000);
    // A pause of nothing leaves nothing behind.
    dbg.pause(0);
    expect(await dbg.step({ vcpu: 0, kind: 'in', by: 'line' })).toMatchObject({ reason: 'step', vcpu: 0 });
  });

  it('pauses a machine that rests, waiting for a timer', async () => {
    const dbg = rig({
      source: flat(`
        lidt    [idtr]
        mov     dword [LAPIC+0x0F0], 0x1FF
        mov     dword [LAPIC+0x320], 0x20020
        mov     dword [LAPIC+0x380], 0x00100000
        sti
.rest:  hlt
        jmp     .rest
on_timer:
        mov     dword [LAPIC+0x0B0], 0
        iret
idt:    times 0x20 dq 0
        dw      0xF000+on_timer-$$, 0x08, 0x8E00, 0xFFFF
idtr:   dw      0x21*8-1
        dd      idt`),
    });
    dbg.entry();
    setTimeout(() => dbg.pause(), 100);
    expect(await dbg.continue()).toMatchObject({ reason: 'pause', vcpu: 0 });
    expect(dbg.machine.clock.nowNs).toBeGreaterThan(1e8);
  });

  it('tells the console in stretches, and of progress now and then', async () => {
    const dbg = rig({
      source: flat(`
        mov     dx, 0x3F8
        mov     al, 'x'
        mov     ecx, 50
.again: out     dx, al
        loop    .again
main:   inc     ebx
        jmp     main`),
    });
    const pieces: number[] = [];
    let progress = 0;
    dbg.listeners = { onConsole: (_, bytes) => pieces.push(bytes.length), onProgress: () => progress++ };
    dbg.entry();
    setTimeout(() => dbg.pause(0), 700);
    const start = performance.now();
    await dbg.continue();
    expect(pieces).toEqual([50]);
    expect(progress).toBeGreaterThan(0);
    expect(progress).toBeLessThanOrEqual((performance.now() - start) / 200);
  });

  it('without debugging heeds no breakpoint', async () => {
    const dbg = rig({ options: { noDebug: true } });
    dbg.breakpoints.setFunctions([{ text: 'wake_aps' }, { text: 'exit:*' }]);
    dbg.entry();
    expect((await dbg.continue()).reason).toBe('end');
  });
});

describe('a debugger', () => {
  it('does one thing at a time', async () => {
    const dbg = rig({ source: SPIN });
    dbg.entry();
    const run = dbg.continue();
    expect(dbg.running).toBe(true);
    for (const other of [
      dbg.continue(),
      dbg.step({ vcpu: 0, kind: 'in', by: 'line' }),
      dbg.stepBack({ vcpu: 0, by: 'line' }),
      dbg.reverseContinue(),
    ])
      await expect(other).rejects.toThrow(new DebuggerError('The machine runs already.'));
    expect(() => dbg.edit({ kind: 'register', vcpu: 0, name: 'eax', value: 1 })).toThrow(DebuggerError);
    dbg.pause(0);
    await run;
    expect(dbg.running).toBe(false);
  });

  it('that is let go of ends its run, and does nothing any more', async () => {
    const dbg: Debugger = rig({ source: SPIN });
    let told = 0;
    dbg.listeners = { onProgress: () => told++ };
    dbg.entry();
    const run = dbg.continue();
    setTimeout(() => dbg.dispose(), 20);
    expect((await run).reason).toBe('pause');
    expect(told).toBe(0);
    await expect(dbg.continue()).rejects.toThrow(DebuggerError);
    dbg.dispose();
  });

  it('takes over the breakpoints of an earlier run, ids included', async () => {
    const first = rig();
    const [status] = first.breakpoints.setFunctions([{ text: 'wake_aps' }]);
    const dbg = rig({ options: { breakpoints: first.breakpoints } });
    first.dispose();
    dbg.entry();
    expect((await dbg.continue()).breakpoints).toEqual([status!.id]);
  });
});
