import { describe, expect, it } from 'vitest';
import { parseBreakpoint } from '../../src/debugger/breakpoint.ts';
import { BreakpointEngine } from '../../src/debugger/engine.ts';
import { ExitCode } from '../../src/machine/ledger/exitcode.ts';
import { Ledger } from '../../src/machine/ledger/ledger.ts';
import { type ExitRecord, type IpiRecord, Outcome, RequestState } from '../../src/machine/ledger/records.ts';
import { Reason, Verdict } from '../../src/machine/ledger/verdict.ts';

const view = { vcpuCount: 4, nowNs: 0, instructions: 0, register: () => 0, peek: () => 0, lapic: () => 0 };
const program = { vcpuCount: 4, symbol: (name: string) => (name === 'here' ? 0x1000 : undefined) };
const engineOf = (...texts: string[]): BreakpointEngine => {
  const engine = new BreakpointEngine(view);
  for (const text of texts) engine.add(parseBreakpoint(text, program));
  return engine;
};
const codesOf = (engine: BreakpointEngine): string[] =>
  Object.entries(ExitCode)
    .filter(([, code]) => engine.waitsForExit(code))
    .map(([name]) => name);
const moment = { vcpu: 1, timeNs: 0, icount: 0, eip: 0, csBase: 0 };

describe('the engine', () => {
  it('waits for nothing that nobody asked for', () => {
    const engine = engineOf();
    expect([engine.waitsForExits, engine.waitsForIpis, engine.waitsForEvents]).toEqual([false, false, false]);
    expect(codesOf(engine)).toEqual([]);
    expect(engine.instructionAddresses().size).toBe(0);
  });
  it('waits for exactly the exits that can fulfil a breakpoint', () => {
    expect(codesOf(engineOf('io:0x80'))).toEqual(['INOUT']);
    expect(codesOf(engineOf('msr:0x1b'))).toEqual(['RDMSR', 'WRMSR']);
    expect(codesOf(engineOf('lapic.svr'))).toEqual(['RDMSR', 'WRMSR', 'MMIO_EMUL', 'MMIO']);
    expect(codesOf(engineOf('ioapic.id'))).toEqual(['MMIO_EMUL', 'MMIO']);
    expect(codesOf(engineOf('exit:HLT'))).toEqual(['HLT']);
    expect(codesOf(engineOf('exit:MMIO'))).toEqual(['MMIO_EMUL', 'MMIO']);
    expect(codesOf(engineOf('exit:INST_EMUL'))).toEqual(['INOUT', 'INST_EMUL', 'MMIO_EMUL']);
    expect(codesOf(engineOf('exit:fatal'))).toHaveLength(Object.keys(ExitCode).length);
    for (const text of ['ipi:SIPI', 'vector:30h', 'here']) expect(codesOf(engineOf(text)), text).toEqual([]);
  });
  it('waits for IPIs and events only where a breakpoint does', () => {
    expect([engineOf('ipi:SIPI').waitsForIpis, engineOf('vector:30h').waitsForIpis]).toEqual([true, false]);
    expect([engineOf('ipi:SIPI').waitsForEvents, engineOf('vector:30h').waitsForEvents]).toEqual([false, true]);
  });
  it('gives the same set of addresses until they change, and counts its changes', () => {
    const engine = engineOf('here', '00002000');
    const addresses = engine.instructionAddresses();
    expect([...addresses].sort()).toEqual([0x1000, 0x2000]);
    const { revision } = engine;
    engine.add(parseBreakpoint('exit:HLT', program));
    expect(engine.revision).not.toBe(revision);
    expect(engine.instructionAddresses()).toBe(addresses);
    engine.add(parseBreakpoint('00003000', program));
    expect(engine.instructionAddresses()).not.toBe(addresses);
  });
  it('finds an exit by its code in the end as well', () => {
    const ledger = new Ledger({ vcpus: 4 });
    const number = ledger.exit(moment, ExitCode.MMIO_EMUL, 0xd0000000, 4, true);
    ledger.exitOutcome(number, ExitCode.INST_EMUL, RequestState.NONE, Outcome.aborted, '');
    const exit = ledger.exitAt(number) as ExitRecord;
    for (const text of ['exit:INST_EMUL', 'exit:MMIO_EMUL', 'exit:fatal']) {
      expect(engineOf(text).exit(exit), text).toMatchObject([{ id: 1, kind: 'cli', count: 1, stops: true, focus: { vcpu: 1 } }]);
    }
    expect(engineOf('exit:HLT', 'lapic.svr:rw', 'io:0x80').exit(exit)).toEqual([]);
  });
  it('looks among all targets of an IPI for one that meets the condition', () => {
    const ledger = new Ledger({ vcpus: 4 });
    const number = ledger.ipi(moment, 0, 0xc4608, 0);
    ledger.ipiTarget(number, 0, Verdict.refused, Reason.alreadyRunning, 2);
    ledger.ipiTarget(number, 3, Verdict.refused, Reason.notWaitingForSipi, 0);
    const ipi = ledger.ipiAt(number) as IpiRecord;
    const [hit] = engineOf('ipi:SIPI=refused if ipi.reason == notWaitingForSipi hits 1').ipi(ipi);
    expect(hit).toMatchObject({ count: 1, focus: { target: { vcpu: 3 } } });
    expect(engineOf('ipi:SIPI=refused if ipi.reason == vectorBelow16').ipi(ipi)).toEqual([]);
    expect(engineOf('ipi:SIPI=refused').ipi(ipi)).toHaveLength(1);
  });
});
