import { describe, expect, it } from 'vitest';
import type { Debugger, StepKind } from '../../src/debugger/debugger.ts';
import type { Stop } from '../../src/debugger/stop.ts';
import { Waiting } from '../../src/machine/vmm/vcpu.ts';
import { BUSY } from '../machine/timeline/guest.ts';
import { at, flat, hashOf, lineOf, linearOf, rig, sampleSource } from './rig.ts';

const step = (dbg: Debugger, kind: StepKind, by: 'line' | 'instruction' = 'instruction', vcpu = 0, alone = false): Promise<Stop> =>
  dbg.step({ vcpu, kind, by, alone });

/** A debugger that stands before a label. */
async function standing(label: string, source: string, wanted: Parameters<typeof rig>[0] = {}): Promise<Debugger> {
  const dbg = rig({ source, ...wanted });
  dbg.breakpoints.setFunctions([{ text: label }]);
  dbg.entry();
  const stop = await dbg.continue();
  expect(linearOf(dbg, stop.vcpu)).toBe(at(dbg, label));
  dbg.breakpoints.setFunctions([]);
  return dbg;
}
/** Number of the source line that has this text. */
const lineWith = (source: string, text: string): number => source.split('\n').findIndex((line) => line.includes(text)) + 1;

/** Steps run through handlers of a timer that fires all the time. */
const TIMER = flat(`
        lidt    [idtr]
        mov     dword [LAPIC+0x0F0], 0x1FF
        mov     dword [LAPIC+0x320], 0x20020    ; periodic, vector 20h
        mov     dword [LAPIC+0x3E0], 0xB
        mov     dword [LAPIC+0x380], 40         ; 300 ns: about 30 instructions
        sti
main:   inc     ebx
        inc     ebx
        inc     ebx
        jmp     main
on_timer:
        inc     dword [0x600]
        call    acknowledge
        iret
acknowledge:
        mov     dword [LAPIC+0x0B0], 0
        ret
idt:    times 0x20 dq 0
        dw      0xF000+on_timer-$$, 0x08, 0x8E00, 0xFFFF
idtr:   dw      0x21*8-1
        dd      idt`);

describe('a step into', () => {
  it('executes one instruction of its vCPU and lands exactly', async () => {
    const dbg = rig({ rom: BUSY, cpus: 3, model: 'pc', seed: 1, slice: 97 });
    dbg.timeline.goTo(20_000);
    dbg.entry();
    for (const vcpu of [0, 1, 2])
      for (let i = 0; i < 40; i++) {
        const { eventCount } = dbg.machine.ledger;
        const was = dbg.view.ranAt(vcpu);
        const stop = await step(dbg, 'in', 'instruction', vcpu);
        expect(stop).toMatchObject({ reason: 'step', vcpu });
        // Either it has executed one, and nothing ran since; or something was delivered to it.
        if (dbg.view.ranAt(vcpu) > was) expect(dbg.machine.clock.instructions).toBe(dbg.view.ranAt(vcpu));
        else expect(dbg.machine.ledger.eventCount).toBeGreaterThan(eventCount);
      }
  });

  it('leaves the run what it would have been: the ledger and every state are the same afterwards', async () => {
    const make = (): Debugger => rig({ rom: BUSY, cpus: 3, model: 'pc', seed: 1, slice: 97 });
    const undisturbed = make();
    undisturbed.timeline.goTo(60_000);
    const dbg = make();
    dbg.timeline.goTo(20_000);
    dbg.entry();
    for (let i = 0; i < 60; i++) await step(dbg, i % 3 === 0 ? 'over' : 'in', 'instruction', i % 3);
    for (let i = 0; i < 10; i++) await dbg.stepBack({ vcpu: i % 3, by: 'instruction' });
    dbg.timeline.goTo(60_000);
    expect(hashOf(dbg)).toBe(hashOf(undisturbed));
    expect(dbg.machine.ledger.digestText).toBe(undisturbed.machine.ledger.digestText);
  });

  it('goes into a call, and into the handler of an interrupt, before its first instruction', async () => {
    const dbg = await standing('main', TIMER);
    for (let i = 0; linearOf(dbg, 0) !== at(dbg, 'on_timer'); i++) {
      expect(i).toBeLessThan(60);
      await step(dbg, 'in');
    }
    await step(dbg, 'in', 'line');
    await step(dbg, 'in', 'line');
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'acknowledge'));
  });

  it('by line executes all of a line: of times, and of a repetition', async () => {
    const source = flat(`
main:   times 5 inc ebx
        mov     ecx, 500
        mov     esi, start32
        mov     edi, 0x2000
copy:   rep movsb
spin:   jmp     $
        nop`);
    const dbg = await standing('main', source);
    await step(dbg, 'in', 'line');
    expect(dbg.view.register(0, 'ebx')).toBe(5);
    expect(lineOf(dbg, 0)).toBe(lineWith(source, 'mov     ecx, 500'));
    for (let i = 0; i < 3; i++) await step(dbg, 'in', 'line');
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'copy'));
    await step(dbg, 'in', 'instruction');
    expect(dbg.view.register(0, 'ecx')).toBe(499);
    await step(dbg, 'in', 'line');
    expect(dbg.view.register(0, 'ecx')).toBe(0);
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'spin'));
    // A line that jumps to itself begins anew each time.
    const { instructions } = dbg.machine.clock;
    await step(dbg, 'over', 'line');
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'spin'));
    expect(dbg.machine.clock.instructions).toBe(instructions + 1);
  });
});

describe('a step over', () => {
  it('runs through a call, with its stack back where it was, and through what it calls in turn', async () => {
    const source = flat(`
main:   mov     ebx, 3
        call    down
after:  jmp     $
down:   dec     ebx
        jz      .out
        call    down
.out:   mov     ecx, 2000
.loop:  loop    .loop
        ret`);
    const dbg = await standing('main', source);
    await step(dbg, 'over');
    const stop = await step(dbg, 'over');
    expect(stop).toMatchObject({ reason: 'step', vcpu: 0, sentence: 'vCPU0 is about to execute after: jmp $.' });
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'after'));
    expect(dbg.view.register(0, 'ebx')).toBe(0);
    expect(dbg.view.register(0, 'esp')).toBe(0x7000);
    expect(dbg.machine.clock.instructions).toBeGreaterThan(6000);
  });

  it('runs through handlers of interrupts that come in between', async () => {
    const dbg = await standing('main', TIMER);
    for (let i = 1; i <= 120; i++) {
      await step(dbg, 'over');
      expect(linearOf(dbg, 0) - at(dbg, 'main')).toBe([0, 1, 2, 3][i % 4]);
    }
    expect(dbg.view.peek(0, 0x600, 4)).toBeGreaterThan(2);
  });

  it('runs through the handler of a fault, and lands where that returns to', async () => {
    const source = flat(`
        lidt    [idtr]
main:   ud2
        inc     ebx
        jmp     $
on_undefined:
        add     dword [esp], 2
        iret
idt:    times 6 dq 0
        dw      0xF000+on_undefined-$$, 0x08, 0x8E00, 0xFFFF
idtr:   dw      7*8-1
        dd      idt`);
    const dbg = await standing('main', source);
    await step(dbg, 'over');
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'main') + 2);
    await dbg.stepBack({ vcpu: 0, by: 'instruction' });
    await dbg.stepBack({ vcpu: 0, by: 'instruction' });
    await dbg.stepBack({ vcpu: 0, by: 'instruction' });
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'main'));
    await step(dbg, 'in');
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'on_undefined'));
  });

  it('of a call that takes its return address off the stack ends there', async () => {
    const source = flat(`
main:   call    .here
.here:  pop     eax
behind: jmp     $`);
    const dbg = await standing('main', source);
    await step(dbg, 'over');
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'behind'));
  });

  it('stops at a breakpoint on the way', async () => {
    const dbg = await standing('main', TIMER);
    dbg.breakpoints.setFunctions([{ text: 'acknowledge' }]);
    let stop = await step(dbg, 'over');
    for (let i = 0; stop.reason === 'step' && i < 60; i++) stop = await step(dbg, 'over');
    expect(stop.reason).toBe('function breakpoint');
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'acknowledge'));
  });
});

describe('a step out', () => {
  it('runs until the function has returned, however long it takes', async () => {
    const source = flat(`
main:   call    outer
after:  jmp     $
outer:  call    inner
behind: ret
inner:  mov     ecx, 5000
.loop:  loop    .loop
        push    eax
        pop     eax
        ret`);
    const dbg = await standing('inner', source);
    expect((await step(dbg, 'out', 'line')).reason).toBe('step');
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'behind'));
    await step(dbg, 'out');
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'after'));
  });
  it('leaves the handler of an interrupt', async () => {
    const dbg = await standing('acknowledge', TIMER);
    await step(dbg, 'out');
    expect(dbg.program.labelAt(linearOf(dbg, 0))?.name).toBe('on_timer');
    await step(dbg, 'out');
    expect(dbg.program.labelAt(linearOf(dbg, 0))?.name).toBe('main');
  });
  it('where nothing called says so, and stays', async () => {
    const dbg = await standing('main', flat('main: nop\n jmp $'));
    const was = hashOf(dbg);
    expect(await step(dbg, 'out')).toMatchObject({ reason: 'step', headline: 'No caller' });
    expect(hashOf(dbg)).toBe(was);
  });
});

describe('stepping from a stop at an exit', () => {
  it('first shows the exit as what has just been executed; the first step executes nothing', async () => {
    const dbg = rig();
    dbg.breakpoints.setFunctions([{ text: 'lapic.icr_lo:w' }]);
    dbg.entry();
    const stop = await dbg.continue();
    const line = lineWith(sampleSource('icrlo'), '0x000C4500');
    expect(stop).toMatchObject({ reason: 'function breakpoint', vcpu: 0, ipi: { number: 1 } });
    expect(lineOf(dbg, 0)).toBe(line);
    expect(dbg.view.position(0)).not.toEqual(dbg.position(0));
    for (const kind of ['in', 'over', 'out'] as const) {
      const was = hashOf(dbg);
      const dropped = await step(dbg, kind, 'line');
      expect(dropped.reason).toBe('step');
      expect(hashOf(dbg)).toBe(was);
      expect(lineOf(dbg, 0)).toBe(line + 1);
      await dbg.reverseContinue();
      expect(lineOf(dbg, 0)).toBe(line);
    }
    await step(dbg, 'over', 'line');
    await step(dbg, 'over', 'line');
    expect(lineOf(dbg, 0)).toBe(line + 2);
  });
});

describe('stepping a vCPU that waits', () => {
  it('in HLT lets the others go on until something wakes it', async () => {
    const dbg = rig();
    dbg.breakpoints.setFunctions([{ text: 'sleep' }]);
    dbg.entry();
    await dbg.continue();
    dbg.breakpoints.setFunctions([]);
    for (let i = 0; i < 4; i++) await step(dbg, 'in', 'line');
    expect(dbg.machine.vm.vcpu(0).waiting).toBe(Waiting.hlt);
    expect(dbg.stop).toMatchObject({ reason: 'step', headline: 'Halted: waits for an interrupt' });
    await step(dbg, 'in', 'line');
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'on_timer'));
    await dbg.stepBack({ vcpu: 0, by: 'line' });
    expect(dbg.machine.vm.vcpu(0).waiting).toBe(Waiting.hlt);
    const behind = linearOf(dbg, 0);
    await step(dbg, 'over', 'line');
    expect(linearOf(dbg, 0)).toBe(behind);
    expect(dbg.machine.vm.vcpu(0).waiting).toBe(Waiting.none);
  });
  it('in HLT, with nothing to wake it while others run, stops after half a second and says what it waits for', async () => {
    const dbg = rig({
      cpus: 2,
      source: flat(`
        mov     dword [LAPIC+0x300], 0x000C4500
        mov     edi, 0x8000
        mov     word [edi], 0xFEEB              ; jmp $
        mov     dword [LAPIC+0x300], 0x000C4608
        mov     ecx, 100000
.wait:  loop    .wait
main:   hlt
        jmp     $`),
    });
    dbg.breakpoints.setFunctions([{ text: 'main' }]);
    dbg.entry();
    await dbg.continue();
    await step(dbg, 'over');
    const start = performance.now();
    const stop = await step(dbg, 'over');
    expect(performance.now() - start).toBeLessThan(2000);
    expect(stop).toMatchObject({ reason: 'step', vcpu: 0, headline: 'Halted: waits for NMI or INIT (IF=0)' });
  });
  it('for SIPI stops at once and says why', async () => {
    const dbg = rig();
    dbg.entry();
    for (const kind of ['in', 'over', 'out'] as const) {
      const stop = await step(dbg, kind, 'line', 2);
      expect(stop).toMatchObject({ reason: 'step', vcpu: 2, headline: 'Never started' });
    }
    expect(dbg.machine.clock.instructions).toBe(0);
  });
  it('for ever ends with the machine, which says that nothing can happen any more', async () => {
    const dbg = await standing('main', flat('main: sti\n hlt\n jmp main'));
    for (let i = 0; i < 2; i++) await step(dbg, 'over');
    expect(await step(dbg, 'over')).toMatchObject({ reason: 'end', end: { kind: 'stuck' } });
  });
});

describe('a vCPU alone', () => {
  it('steps while the others stand still, and the run goes on as logged when it is repeated', async () => {
    const dbg = rig({ rom: BUSY, cpus: 3, model: 'pc', seed: 1, slice: 97 });
    dbg.timeline.goTo(30_000);
    dbg.entry();
    const others = (): string =>
      [0, 2].map((v) => JSON.stringify([dbg.view.ranAt(v), dbg.view.position(v), dbg.view.register(v, 'esp')])).join();
    const was = others();
    for (let i = 0; i < 300; i++) await step(dbg, 'in', 'instruction', 1, true);
    expect(others()).toBe(was);
    expect(dbg.view.ranAt(1)).toBeGreaterThan(30_000);
    dbg.timeline.goTo(60_000);
    const there = hashOf(dbg);
    dbg.timeline.goTo(10_000);
    dbg.timeline.goTo(60_000);
    expect(hashOf(dbg)).toBe(there);
    expect(dbg.machine.schedule.alone).toBe(-1);
  });
  it('runs alone until it waits for the others, and says so', async () => {
    const dbg = rig();
    dbg.breakpoints.setFunctions([{ text: 'ap_main', condition: 'cpu == 1' }]);
    dbg.entry();
    await dbg.continue();
    dbg.breakpoints.setFunctions([]);
    const was = dbg.view.ranAt(0);
    const stop = await dbg.continue({ alone: 1 });
    expect(stop).toMatchObject({
      vcpu: 1,
      headline: 'Waits for vCPUs that stand still',
      sentence: 'vCPU1 is halted: it waits for an interrupt. Nothing that is armed can wake it: only the vCPUs that stand still could.',
    });
    expect(dbg.view.ranAt(0)).toBe(was);
    // All of them again.
    expect(await dbg.continue()).toMatchObject({ reason: 'end', end: { kind: 'aborted' } });
  });
});
