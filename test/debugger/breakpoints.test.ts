import { describe, expect, it } from 'vitest';
import type { BreakpointStatus } from '../../src/debugger/breakpoints.ts';
import { DebuggerError } from '../../src/debugger/error.ts';
import { codeRig, type Ran, type Rig, SAMPLE, sampleRig, startingRig } from './breakpoint-rig.ts';

const message = (make: () => unknown): string => {
  try {
    make();
  } catch (error) {
    if (error instanceof DebuggerError) return error.message;
    throw error;
  }
  throw new Error('it was taken');
};
const only = (status: readonly BreakpointStatus[]): BreakpointStatus => {
  expect(status).toHaveLength(1);
  return status[0] as BreakpointStatus;
};
/** Runs to the end; which breakpoints stopped it on the way, by id and vCPU. */
function stops(rig: Rig): string[] {
  const all: string[] = [];
  for (let i = 0; i < 1_000; i++) {
    const { kind, hits } = rig.run();
    for (const hit of hits) all.push(`${hit.id} vCPU${hit.focus.vcpu}`);
    if (kind !== 'breakpoint') return all;
  }
  throw new Error('it did not come to an end');
}
const one = ({ hits }: Ran): Ran['hits'][number] => {
  expect(hits).toHaveLength(1);
  return hits[0] as Ran['hits'][number];
};

describe('a source breakpoint', () => {
  it('stops before its line, and says which line it went to', () => {
    const rig = sampleRig();
    const [at, moved] = rig.breakpoints.setSource(SAMPLE, [{ line: 41 }, { line: 40 }]) as [BreakpointStatus, BreakpointStatus];
    expect(at).toMatchObject({ verified: true, line: 41 });
    expect(moved).toMatchObject({ verified: true, line: 41, linear: at.linear });
    const ran = rig.run();
    expect(ran.hits.map(({ id, kind }) => [id, kind])).toEqual([
      [at.id, 'source'],
      [moved.id, 'source'],
    ]);
    expect(rig.line(0)).toBe(41);
    expect(rig.breakpoints.place(at.id)).toEqual({ eip: at.linear, csBase: 0 });
  });
  it('follows its code to where the guest has copied it', () => {
    const rig = sampleRig();
    const { id, linear } = only(rig.breakpoints.setSource(SAMPLE, [{ line: 111 }]));
    const out = rig.program.labelAddress('ap_page08') as number;
    expect(linear).toBeGreaterThanOrEqual(out);
    expect(rig.breakpoints.engine.instructionAddresses().size).toBe(1);
    const where: number[] = [];
    for (let ran = rig.run(); ran.kind === 'breakpoint'; ran = rig.run()) {
      expect(one(ran).id).toBe(id);
      const { eip, csBase } = rig.view.position(one(ran).focus.vcpu);
      where.push((csBase + eip) >>> 0);
    }
    expect(where).toEqual([(linear as number) - out + 0x8000, (linear as number) - out + 0x8000]);
    expect(rig.breakpoints.engine.instructionAddresses().size).toBe(2);
    expect(rig.breakpoints.refresh()).toBe(false);
  });
  it('in another file, or behind the last code, is unverified and says why', () => {
    const { breakpoints } = sampleRig();
    expect(only(breakpoints.setSource('elsewhere/other.asm', [{ line: 3 }]))).toMatchObject({
      verified: false,
      message: 'other.asm is not what is debugged; icrlo.asm is.',
    });
    expect(only(breakpoints.setSource(SAMPLE, [{ line: 9_999 }]))).toMatchObject({
      verified: false,
      message: 'There is no code at or after line 9999 of icrlo.asm.',
    });
  });
  it('is replaced by the next list of its own file alone', () => {
    const { breakpoints } = sampleRig();
    const here = only(breakpoints.setSource(SAMPLE, [{ line: 41 }]));
    const other = only(breakpoints.setSource('other.asm', [{ line: 1 }]));
    breakpoints.setSource(SAMPLE, []);
    expect(breakpoints.status(here.id)).toBeUndefined();
    expect(breakpoints.status(other.id)).toEqual(other);
    expect(breakpoints.engine.breakpoints).toEqual([]);
  });
});

describe('modes', () => {
  // ap_main is executed by vCPU1 and vCPU2; await_reply by vCPU0.
  it('let a breakpoint stop the BSP only, or APs only', () => {
    const stopped = (mode: 'any' | 'bsp' | 'aps'): string[] => {
      const rig = sampleRig();
      const ids = rig.breakpoints.setFunctions([
        { text: 'ap_main', mode },
        { text: 'exit:HLT', mode },
      ]);
      return stops(rig).map((stop) => stop.replace(/^[0-9]+/, (id) => String(ids.findIndex((s) => s.id === Number(id)))));
    };
    const any = stopped('any');
    expect(any.filter((s) => s.startsWith('0')).sort()).toEqual(['0 vCPU1', '0 vCPU2']);
    expect(stopped('bsp')).toEqual(any.filter((s) => s.endsWith('vCPU0')));
    expect(stopped('aps')).toEqual(any.filter((s) => !s.endsWith('vCPU0')));
    expect(stopped('bsp')).toContain('1 vCPU0');
    expect(stopped('aps')).toContain('1 vCPU1');
  });
});

describe('conditions, hit counts and log messages', () => {
  it('choose among the hits', () => {
    const rig = sampleRig();
    rig.breakpoints.setFunctions([{ text: 'lapic.icr_lo:w', condition: 'lapic.icr_lo.mode == SIPI', hitCondition: '2' }]);
    const hit = one(rig.run());
    expect(hit).toMatchObject({ kind: 'function', count: 2, stops: true });
    expect(hit.focus.exit?.value).toBe(0xc4608);
    expect(rig.run().kind).toBe('end');
  });
  it('add to those that the text of a function breakpoint has', () => {
    const rig = sampleRig();
    rig.breakpoints.setFunctions([{ text: 'lapic.icr_lo:w if vcpu == 0 hits 1', condition: 'value & 0xFF', hitCondition: '>=2' }]);
    const values: (number | undefined)[] = [];
    for (let ran = rig.run(); ran.kind === 'breakpoint'; ran = rig.run()) values.push(one(ran).focus.exit?.value);
    expect(values).toEqual([0xc4608, 0x4830, 0x4830]);
  });
  it('log without stopping, with expressions and formats filled in', () => {
    const rig = sampleRig();
    rig.breakpoints.setFunctions([
      { text: 'lapic.icr_lo.vector:w', logMessage: 'vCPU{vcpu} {exit.code}: {lapic.icr_lo} {lapic.icr_lo:icr}, field {value,d} {{x}}' },
    ]);
    expect(rig.run().kind).toBe('end');
    expect(rig.logged.map(({ log }) => log).slice(0, 3)).toEqual([
      'vCPU0 MMIO_EMUL: 000C4500h INIT to all excluding self, field 0 {x}',
      'vCPU0 MMIO_EMUL: 00004609h SIPI 09 to APIC ID 03, field 9 {x}',
      'vCPU0 MMIO_EMUL: 000C4608h SIPI 08 to all excluding self, field 8 {x}',
    ]);
    expect(rig.logged.every(({ stops }) => !stops)).toBe(true);
  });
  it('that cannot be are told, with the column and the nearest name, and never stop', () => {
    const { breakpoints } = sampleRig();
    const problem = (wanted: object): string | undefined => {
      const status = only(breakpoints.setSource(SAMPLE, [{ line: 41, ...wanted }]));
      expect(status.verified).toBe(false);
      expect(breakpoints.engine.breakpoints).toEqual([]);
      return status.message;
    };
    expect(problem({ condition: 'eax == ' })).toBe('In the condition, column 8: Expected a value, found the end.');
    expect(problem({ condition: 'eaz == 1' })).toBe('In the condition, column 1: There is no "eaz". Did you mean eax?');
    expect(problem({ condition: 'ioapic.redtb[2] == 1' })).toMatch(/Did you mean ioapic\.redtbl\[\d\]\?/);
    expect(problem({ hitCondition: 'often' })).toBe('Hit count "often" should be 3, >5 or %10.');
    expect(problem({ logMessage: 'a {eaz}' })).toBe('In the log message, column 4: There is no "eaz". Did you mean eax?');
    expect(problem({ logMessage: 'a {eax' })).toBe('In the log message, column 3: The expression after "{" has no closing "}".');
  });
  it('that are empty count as none', () => {
    const { breakpoints } = sampleRig();
    const status = only(breakpoints.setSource(SAMPLE, [{ line: 41, condition: ' ', hitCondition: '', logMessage: '' }]));
    expect(status).toMatchObject({ verified: true });
    expect(breakpoints.engine.breakpoints[0]).toMatchObject({ condition: undefined, hits: undefined });
  });
  it('that fail while running stop, and say why', () => {
    const rig = sampleRig();
    rig.breakpoints.setFunctions([{ text: 'wake_aps', condition: 'exit.gpa == 1' }]);
    expect(one(rig.run())).toMatchObject({ problem: 'exit.gpa has no value here: nothing has exited.' });
    rig.breakpoints.setFunctions([{ text: 'await_reply', condition: 'exit.gpa == 1', logMessage: 'here', hitCondition: '1' }]);
    rig.run();
    expect(rig.logged[0]?.log).toBe('here (The condition could not be evaluated: exit.gpa has no value here: nothing has exited.)');
  });
});

describe('ids and hit counts', () => {
  it('stay for what is set again, whatever its place in the list', () => {
    const { breakpoints } = sampleRig();
    const [a, b] = breakpoints.setFunctions([{ text: 'exit:HLT' }, { text: 'ipi:SIPI' }]) as [BreakpointStatus, BreakpointStatus];
    const again = breakpoints.setFunctions([{ text: 'exit:INOUT' }, { text: 'ipi:SIPI' }, { text: 'exit:HLT', condition: 'vcpu == 1' }]);
    expect(again.map(({ id }) => id)).toEqual([Math.max(a.id, b.id) + 1, b.id, a.id]);
    const twice = breakpoints.setFunctions([{ text: 'exit:HLT' }, { text: 'exit:HLT' }]);
    expect(new Set(twice.map(({ id }) => id)).size).toBe(2);
  });
  it('count on when another breakpoint is set meanwhile, and from 0 when they are changed themselves', () => {
    const rig = sampleRig();
    const { breakpoints } = rig;
    const { id } = only(breakpoints.setFunctions([{ text: 'lapic.icr_lo:w', hitCondition: '>1' }]));
    expect(one(rig.run())).toMatchObject({ id, count: 2 });
    breakpoints.setSource(SAMPLE, [{ line: 1, condition: '0' }]);
    breakpoints.setFunctions([{ text: 'lapic.icr_lo:w', hitCondition: '>1' }]);
    expect(one(rig.run())).toMatchObject({ id, count: 3 });
    breakpoints.setFunctions([{ text: 'lapic.icr_lo:w', hitCondition: '>=1' }]);
    expect(one(rig.run())).toMatchObject({ id, count: 1 });
  });
  it('are given back and set again, for going back', () => {
    const rig = sampleRig();
    const { engine } = rig.breakpoints;
    const { id } = only(rig.breakpoints.setFunctions([{ text: 'lapic.icr_lo:w', hitCondition: '%2' }]));
    expect(one(rig.run()).count).toBe(2);
    const then = engine.counts();
    expect([...then]).toEqual([[id, 2]]);
    expect(one(rig.run()).count).toBe(4);
    engine.setCounts(then);
    expect([...engine.counts()]).toEqual([[id, 2]]);
    engine.setCounts(new Map());
    expect([...engine.counts()]).toEqual([[id, 0]]);
  });
  it('are taken over for another run, which may have another program', () => {
    const before = sampleRig();
    const [line, name, filter] = [
      ...before.breakpoints.setSource(SAMPLE, [{ line: 41 }]),
      ...before.breakpoints.setFunctions([{ text: 'wake_aps' }]),
      ...before.breakpoints.setFilters([{ filter: 'lost-ipi' }]),
    ] as [BreakpointStatus, BreakpointStatus, BreakpointStatus];
    before.breakpoints.setExits({ HLT: 'log' });
    before.breakpoints.stopOnApEntry = true;
    before.run();

    const same = sampleRig();
    const changed: number[] = [];
    same.breakpoints.onChange = (id) => changed.push(id);
    same.breakpoints.adopt(before.breakpoints);
    expect(changed).toEqual([]);
    expect(same.breakpoints.status(line.id)).toEqual(line);
    expect(same.breakpoints.exitAction('HLT')).toBe('log');
    expect(same.breakpoints.stopOnApEntry).toBe(true);
    expect(same.run().hits.map(({ id, count }) => [id, count])).toEqual([
      [line.id, 1],
      [name.id, 1],
    ]);
    expect(only(same.breakpoints.setInstructions([{ linear: 0xfffffff0 }])).id).toBeGreaterThan(filter.id);

    const other = codeRig('start32: hlt');
    other.breakpoints.onChange = (id) => changed.push(id);
    other.breakpoints.adopt(before.breakpoints);
    expect(changed.sort()).toEqual([line.id, name.id].sort());
    expect(other.breakpoints.status(name.id)).toMatchObject({ verified: false });
    other.breakpoints.onChange = undefined;
    expect(other.breakpoints.status(filter.id)).toEqual(filter);
  });
});

describe('a function breakpoint', () => {
  it('that is meant for another debugger is unverified, with the nearest name', () => {
    const { breakpoints } = sampleRig();
    const texts = ['main', 'wake_apss', 'exit:HALT', 'lapic.icr', 'ioapic.redtable[2]'];
    const [main, ...rest] = breakpoints.setFunctions(texts.map((text) => ({ text })));
    expect(main).toMatchObject({ verified: false });
    expect(main?.message).toMatch(/^"main" is no breakpoint: neither exit:, /);
    expect(rest.map(({ verified }) => verified)).toEqual([false, false, true, false]);
    expect(rest.map(({ message }) => message?.match(/Did you mean (.*)\?/)?.[1])).toEqual(['wake_aps', 'HLT', undefined, 'redtbl']);
  });
  it('stops at instructions, exits, IPIs, ports and vectors', () => {
    for (const [text, line] of [
      ['wake_aps', 41],
      ['icrlo.asm:48', 48],
      ['ipi:NMI', 59],
      ['io:0x80 if value == 0x92', 109],
      ['vector:31h', undefined],
      ['exit:INST_EMUL', undefined],
    ] as const) {
      const rig = sampleRig();
      const { id } = only(rig.breakpoints.setFunctions([{ text }]));
      const hit = one(rig.run());
      expect(hit, text).toMatchObject({ id, kind: 'function' });
      if (line === undefined) continue;
      const at = hit.focus.exit ?? hit.focus.ipi ?? rig.view.position(hit.focus.vcpu);
      expect(rig.program.placeAt((at.csBase + at.eip) >>> 0)?.line, text).toBe(line);
    }
  });
});

describe('an instruction breakpoint', () => {
  it('stops at exactly its address', () => {
    const rig = sampleRig();
    const linear = rig.program.labelAddress('wake_aps') as number;
    const status = only(rig.breakpoints.setInstructions([{ linear }]));
    expect(status).toMatchObject({ verified: true, linear });
    expect(one(rig.run())).toMatchObject({ id: status.id, kind: 'instruction' });
    expect(rig.view.position(0).eip).toBe(linear);
    const inRom = only(rig.breakpoints.setInstructions([{ linear: rig.program.labelAddress('ap_page08') as number }]));
    expect(rig.breakpoints.followsCopies).toBe(false);
    expect(stops(rig)).not.toContain(`${inRom.id} vCPU1`);
  });
});

describe('a data breakpoint', () => {
  it('stops at writes, reads or both of a device register of one vCPU or of all', () => {
    const count = (dataId: string, access: 'read' | 'write' | 'readWrite'): number => {
      const rig = sampleRig();
      expect(only(rig.breakpoints.setData([{ dataId, access }]))).toMatchObject({ verified: true });
      return stops(rig).length;
    };
    expect(count('lapic@0.svr', 'write')).toBe(1);
    expect(count('lapic.svr', 'write')).toBe(3);
    expect(count('lapic.svr', 'read')).toBe(0);
    expect(count('lapic.icr_lo', 'readWrite')).toBe(7);
    expect(count('io:0x80', 'write')).toBe(6);
  });
  it('that names no register is unverified', () => {
    const { breakpoints } = sampleRig();
    expect(only(breakpoints.setData([{ dataId: 'eax', access: 'write' }]))).toMatchObject({ verified: false });
    expect(only(breakpoints.setData([{ dataId: 'lapic@7.svr', access: 'write' }])).message).toBe('There is no vCPU 7; 0 to 3 are.');
  });
  it('on the I/O APIC stops at the register that its index register names', () => {
    const code = `start32:
        mov ax, 0x10
        mov ds, ax
        mov ebx, 0xFEC00000
        mov dword [ebx], 0x14           ; entry 2, low
        mov dword [ebx+0x10], 0x10030
        mov dword [ebx], 0x15           ; entry 2, high
        mov dword [ebx+0x10], 0x03000000
        mov dword [ebx], 0x16           ; entry 3
        mov dword [ebx+0x10], 0x10031
        mov dword [ebx], 1
        mov eax, [ebx+0x10]             ; version
.end:   cli
        hlt`;
    const found = (dataId: string, access: 'read' | 'write' | 'readWrite' = 'write'): number[] => {
      const rig = codeRig(code);
      expect(only(rig.breakpoints.setData([{ dataId, access }])), dataId).toMatchObject({ verified: true });
      const values: number[] = [];
      for (let ran = rig.run(); ran.kind === 'breakpoint'; ran = rig.run()) values.push(one(ran).focus.value ?? -1);
      return values;
    };
    expect(found('ioapic.redtbl[2]')).toEqual([0x10030, 0x03000000]);
    expect(found('ioapic.redtbl')).toEqual([0x10030, 0x03000000, 0x10031]);
    expect(found('ioapic.redtbl[2].vector')).toEqual([0x30]);
    expect(found('ioapic.redtbl[2].destination')).toEqual([3]);
    expect(found('IOAPIC.REDIR[3].low')).toEqual([0x10031]);
    expect(found('ioapic.ioregsel')).toEqual([0x14, 0x15, 0x16, 1]);
    expect(found('ioapic.iowin')).toEqual([0x10030, 0x03000000, 0x10031]);
    expect(found('ioapic.ver', 'read')).toHaveLength(1);
    expect(found('ioapic.id', 'readWrite')).toEqual([]);

    const rig = codeRig(code);
    rig.breakpoints.setFunctions([
      { text: 'ioapic.redtbl[3]:w', logMessage: '{ioapic.redtbl[2]} {ioapic.redtbl[2].dest} {ioapic.redtbl[3].mask}' },
    ]);
    expect(rig.run().kind).toBe('end');
    expect(rig.logged.map(({ log }) => log)).toEqual(['00010030h 03h masked']);
  });
});

describe('what can be watched', () => {
  const { breakpoints } = sampleRig();
  it('is told by its name', () => {
    expect(breakpoints.watchable('lapic.icr_lo')).toEqual({
      dataId: 'lapic.icr_lo',
      description: 'ICR_LO of every vCPU',
      access: ['write', 'read', 'readWrite'],
    });
    expect(breakpoints.watchable('LAPIC[1].ICR_LO.mode')).toMatchObject({
      dataId: 'lapic@1.icr_lo.delivery_mode',
      description: 'vCPU1 ICR_LO delivery mode',
    });
    expect(breakpoints.watchable('lapic@2.eoi')).toMatchObject({ dataId: 'lapic@2.eoi', access: ['write'] });
    expect(breakpoints.watchable('lapic.ppr')).toMatchObject({ access: ['read'] });
    expect(breakpoints.watchable('lapic.irr[2]')).toMatchObject({ dataId: 'lapic.irr2' });
    expect(breakpoints.watchable('ioapic.redtbl[2].mask')).toMatchObject({
      dataId: 'ioapic.redtbl[2].mask',
      description: 'I/O APIC REDTBL[2] mask',
    });
    expect(breakpoints.watchable('msr:apicbase')).toMatchObject({ dataId: 'msr:0x1B', description: 'MSR APICBASE (1Bh)' });
    expect(breakpoints.watchable('io:0x3F8+8')).toMatchObject({ dataId: 'io:0x3F8+8', description: 'ports 3F8h to 3FFh' });
  });
  it('has an id that a data breakpoint takes', () => {
    for (const text of [
      'lapic[3].svr.enable',
      'ioapic.redtbl[5].destination',
      'ioapic.redtbl',
      'ioapic.arb',
      'msr:efer',
      'io:0x80',
      '0xFEE00300 + 4',
    ]) {
      const { dataId, access } = breakpoints.watchable(text);
      expect(only(breakpoints.setData([{ dataId, access: access[0]! }])), text).toMatchObject({ verified: true });
    }
  });
  it('is told by its address', () => {
    expect(breakpoints.watchableAt(0xfee00300, 4)).toMatchObject({
      dataId: 'lapic.icr_lo',
      description: 'FEE00300h: ICR_LO, of every vCPU',
    });
    expect(breakpoints.watchableAt(0xfee00304, 4)).toMatchObject({
      dataId: 'lapic.icr_lo',
      description: 'FEE00304h: part of ICR_LO, of every vCPU',
    });
    expect(breakpoints.watchable('0xFEE00300 + 4')).toEqual(breakpoints.watchableAt(0xfee00304, 4));
    expect(breakpoints.watchable('[0xFEE000F0]')).toMatchObject({ dataId: 'lapic.svr' });
    expect(breakpoints.watchableAt(0xfec00000, 4)).toMatchObject({ dataId: 'ioapic.ioregsel' });
    expect(breakpoints.watchableAt(0xfec00010, 1)).toMatchObject({
      dataId: 'ioapic.iowin',
      description: 'FEC00010h: IOWIN of the I/O APIC, whichever register IOREGSEL names',
    });
  });
  it('is no memory, no processor register, no value and no hole', () => {
    const devices = 'only device registers can be watched: of the local APIC and the I/O APIC, MSRs (msr:0x1B) and ports (io:0x80)';
    expect(message(() => breakpoints.watchableAt(0x500, 1))).toBe(`00000500h is no device's register; ${devices}.`);
    expect(message(() => breakpoints.watchableAt(0xfffff000, 4))).toMatch(/^FFFFF000h to FFFFF003h is no device's register/);
    expect(message(() => breakpoints.watchable('eax'))).toBe(`eax is a processor register; ${devices}.`);
    expect(message(() => breakpoints.watchable('cs.base'))).toMatch(/cs\.base is a processor register/);
    expect(message(() => breakpoints.watchable('zf'))).toMatch(/zf is a processor flag/);
    expect(message(() => breakpoints.watchable('ready'))).toMatch(/ready is memory/);
    expect(message(() => breakpoints.watchable('byte [esp]'))).toMatch(/is memory/);
    expect(message(() => breakpoints.watchable('eax + 4'))).toMatch(/a value, and not a place/);
    expect(message(() => breakpoints.watchable('SIPI'))).toMatch(/a value, and not a place/);
    expect(message(() => breakpoints.watchable('svr'))).toMatch(/Did you mean lapic\.svr\?/);
    expect(message(() => breakpoints.watchable('lapic.svrr'))).toMatch(/Did you mean svr\?/);
    expect(message(() => breakpoints.watchable('eax =='))).toMatch(/cannot be watched: Expected a value/);
    expect(message(() => breakpoints.watchableAt(0xfee00010, 4))).toMatch(/offset 010h is no register/);
    expect(message(() => breakpoints.watchableAt(0xfec00020, 4))).toMatch(/offset 020h is no register/);
    expect(message(() => breakpoints.watchableAt(0xfee00300, 32))).toMatch(/covers several registers: ICR_LO, ICR_HI/);
    expect(message(() => breakpoints.watchableAt(-1, 4))).toMatch(/no guest-physical address/);
    expect(message(() => breakpoints.watchableAt(0xfee00300, 0))).toMatch(/0 bytes cannot be watched/);
  });
});

describe('the exits view', () => {
  it('stops at, logs, or does both for the codes that it names', () => {
    const rig = sampleRig();
    const { breakpoints } = rig;
    breakpoints.setExits({ INOUT: 'both', vm_exitcode_hlt: 'log', RUN_STATE: 'break' });
    breakpoints.setExits({ RUN_STATE: 'off' });
    expect(['INOUT', 'HLT', 'RUN_STATE', 'MMIO'].map((code) => breakpoints.exitAction(code))).toEqual(['both', 'log', 'off', 'off']);
    const hit = one(rig.run());
    expect(hit).toMatchObject({ kind: 'exits', stops: true, log: 'vCPU0 wrote 10h to port 80h.' });
    expect(one(rig.run())).toMatchObject({ log: 'vCPU3 wrote 93h to port 80h.' });
    expect(rig.logged.map(({ log }) => log)).toContain('vCPU0 halted.');
    breakpoints.setExits({ '*': 'off' });
    expect(breakpoints.engine.breakpoints).toEqual([]);
  });
  it('takes groups, and refuses what is no code or action without changing anything', () => {
    const { breakpoints } = sampleRig();
    breakpoints.setExits({ MMIO: 'log' });
    expect(['MMIO', 'MMIO_EMUL'].map((code) => breakpoints.exitAction(code))).toEqual(['log', 'off']);
    breakpoints.setExits({ mmio: 'log' });
    expect(['MMIO', 'MMIO_EMUL', 'PAGING'].map((code) => breakpoints.exitAction(code))).toEqual(['log', 'log', 'off']);
    breakpoints.setExits({ msr: 'break' });
    expect(['RDMSR', 'WRMSR'].map((code) => breakpoints.exitAction(code))).toEqual(['break', 'break']);
    expect(message(() => breakpoints.setExits({ HLT: 'log', HALT: 'log' }))).toMatch(
      /"HALT" is no exit code or group\. Did you mean HLT\?/,
    );
    expect(message(() => breakpoints.setExits({ HLT: 'stop' as 'log' }))).toMatch(/"stop" for HLT is not off, break, log or both/);
    expect(message(() => breakpoints.exitAction('msr'))).toMatch(/"msr" is no exit code/);
    expect(breakpoints.exitAction('HLT')).toBe('off');
  });
});

describe('the IPIs view', () => {
  it('logs every IPI, and stops at those that it names', () => {
    const rig = sampleRig();
    const { breakpoints } = rig;
    breakpoints.setIpis({ log: true });
    breakpoints.setIpis({ break: ['SIPI->3=refused', 'ipi:NMI'] });
    const first = one(rig.run());
    expect(first).toMatchObject({ kind: 'ipis', focus: { ipi: { number: 3 }, target: { vcpu: 3 } } });
    expect(rig.logged.map(({ log }) => log)).toHaveLength(3);
    expect(rig.logged[0]?.log).toMatch(/^vCPU0 sent INIT to all excluding self, .*reached vCPU1, 2, 3: INIT/);
    expect(one(rig.run()).focus.ipi?.number).toBe(6);
    breakpoints.setIpis({ log: false });
    expect(breakpoints.engine.breakpoints.map(({ text }) => text)).toEqual(['ipi:SIPI->3=refused', 'ipi:NMI']);
    expect(message(() => breakpoints.setIpis({ break: ['SIP'] }))).toMatch(/Did you mean SIPI\?/);
    expect(breakpoints.engine.breakpoints).toHaveLength(2);
  });
});

describe('AP entry', () => {
  for (const profile of ['illumos', 'illumos-2020-10']) {
    it(`stops before the first instruction of each application processor (${profile})`, () => {
      const rig = startingRig(profile);
      rig.breakpoints.stopOnApEntry = true;
      for (const vcpu of [1, 2]) {
        const hit = one(rig.run());
        expect(hit).toMatchObject({ kind: 'apEntry', focus: { vcpu } });
        expect(rig.view.position(vcpu)).toEqual({ eip: 0, csBase: 0x8000 });
      }
      rig.breakpoints.stopOnApEntry = false;
      expect(rig.breakpoints.engine.waitsForEvents).toBe(false);
    });
  }
});
