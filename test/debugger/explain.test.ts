import { describe, expect, it } from 'vitest';
import { parseBreakpoint } from '../../src/debugger/breakpoint.ts';
import { compareLedgers, Comparison } from '../../src/debugger/compare.ts';
import { BreakpointEngine } from '../../src/debugger/engine.ts';
import { explainEnd, explainExit, explainIpi, isFatal, span, time, whatExit } from '../../src/debugger/explain.ts';
import { nearest } from '../../src/debugger/nearest.ts';
import { opcodeWords } from '../../src/debugger/opcode.ts';
import { Access } from '../../src/machine/devices/device.ts';
import { ExitCode } from '../../src/machine/ledger/exitcode.ts';
import { Ledger } from '../../src/machine/ledger/ledger.ts';
import { Answer, type ExitRecord, type IpiRecord, Outcome, RequestState } from '../../src/machine/ledger/records.ts';
import { Reason, Verdict } from '../../src/machine/ledger/verdict.ts';
import { SuspendHow } from '../../src/machine/vmm/runstate.ts';
import { illumos } from '../../src/machine/profiles/illumos.ts';
import { illumos202010 } from '../../src/machine/profiles/illumos-2020-10.ts';

const moment = { vcpu: 0, timeNs: 2_110, icount: 844, eip: 0xfffff0a2, csBase: 0 };

/** One store to a device, as the VMM records it. */
function store(
  ledger: Ledger,
  address: number,
  value: number,
  {
    device = 'vlapic',
    returned = Access.ok as number,
    outcome = Outcome.resumed as Outcome,
    final = ExitCode.MMIO_EMUL as ExitCode,
    note = '',
  } = {},
): number {
  const exit = ledger.exit(moment, ExitCode.MMIO_EMUL, address, 4, true);
  ledger.exitValue(exit, value, 0);
  ledger.exitAnswer(exit, Answer.kernel, device, returned);
  ledger.exitOutcome(exit, final, returned === Access.ok ? RequestState.DONE : RequestState.NONE, outcome, note);
  return exit;
}
const exitAt = (ledger: Ledger, n: number): ExitRecord => ledger.exitAt(n) as ExitRecord;
const ipiAt = (ledger: Ledger, n: number): IpiRecord => ledger.ipiAt(n) as IpiRecord;

describe('an exit in words', () => {
  it('decodes a store to the ICR', () => {
    const ledger = new Ledger({ vcpus: 4 });
    store(ledger, 0xfee00300, 0xc4500);
    expect(explainExit(exitAt(ledger, 1))).toBe('vCPU0 stored 000C4500h to ICR_LO: INIT to all excluding self.');
  });
  it('says that a store of another size or beside a register is ignored, and sends nothing', () => {
    const ledger = new Ledger({ vcpus: 4 });
    const rule = 'ignored: a local APIC register takes 32-bit stores at multiples of 16.';
    store(ledger, 0xfee00304, 0x4500);
    expect(explainExit(exitAt(ledger, 1))).toBe(`vCPU0 stored 00004500h to ICR_LO+4; ${rule}`);
    const word = ledger.exit(moment, ExitCode.MMIO_EMUL, 0xfee00300, 2, true);
    ledger.exitValue(word, 0x4500, 0);
    ledger.exitAnswer(word, Answer.kernel, 'vlapic', Access.ok);
    ledger.exitOutcome(word, ExitCode.MMIO_EMUL, RequestState.DONE, Outcome.resumed, '');
    expect(explainExit(exitAt(ledger, word))).toBe(`vCPU0 stored 4500h to ICR_LO; ${rule}`);
  });
  it('does not say that an MSR was read which was not', () => {
    const ledger = new Ledger({ vcpus: 1 });
    const read = ledger.exit(moment, ExitCode.RDMSR, 0x802, 8, false);
    ledger.exitOutcome(read, ExitCode.RDMSR, RequestState.NONE, Outcome.injected, '');
    const write = ledger.exit(moment, ExitCode.WRMSR, 0x1234, 8, true);
    ledger.exitValue(write, 5, 0);
    ledger.exitOutcome(write, ExitCode.WRMSR, RequestState.NONE, Outcome.injected, 'MSR 1234h is unknown: #GP');
    expect(explainExit(exitAt(ledger, read))).toBe('vCPU0 tried to read MSR 802h; #GP.');
    expect(explainExit(exitAt(ledger, write))).toBe('vCPU0 tried to write 00000005h to MSR 1234h; #GP: MSR 1234h is unknown.');
  });
  it('calls a triple fault by its name, and exit:fatal and a breakpoint on nobody find theirs', () => {
    const ledger = new Ledger({ vcpus: 2 });
    const shut = ledger.exit(moment, ExitCode.SUSPENDED, SuspendHow.TRIPLEFAULT, 0, false);
    ledger.exitOutcome(shut, ExitCode.SUSPENDED, RequestState.NONE, Outcome.suspended, 'triple fault');
    const halt = ledger.exit(moment, ExitCode.SUSPENDED, SuspendHow.HALT, 0, false);
    ledger.exitOutcome(halt, ExitCode.SUSPENDED, RequestState.NONE, Outcome.suspended, 'every active vCPU halted');
    expect(explainExit(exitAt(ledger, shut))).toBe('vCPU0 shut down; a triple fault ended the VM.');
    const view = { vcpuCount: 2, nowNs: 0, instructions: 0, register: () => 0, peek: () => 0, lapic: () => 0 };
    const engine = new BreakpointEngine(view);
    const program = { vcpuCount: 2, symbol: () => undefined };
    for (const text of ['exit:fatal', 'ipi:*=nobody', 'exit:HLT', 'exit:SUSPENDED hits 3']) engine.add(parseBreakpoint(text, program));
    const names = (hits: readonly { breakpoint: { text: string } }[]): string[] => hits.map((h) => h.breakpoint.text);
    expect(names(engine.exit(exitAt(ledger, shut)))).toEqual(['exit:fatal']);
    expect(names(engine.exit(exitAt(ledger, halt)))).toEqual([]);
    const lost = ledger.ipi(moment, 1, 0x4500, 0x05000000);
    expect(names(engine.ipi(ipiAt(ledger, lost)))).toEqual(['ipi:*=nobody']);
    const sent = ledger.ipi(moment, 1, 0x4500, 0x01000000);
    ledger.ipiTarget(sent, 1, Verdict.reached, Reason.none, 0);
    expect(names(engine.ipi(ipiAt(ledger, sent)))).toEqual([]);
    expect(engine.unmet().map(({ breakpoint, count }) => [breakpoint.text, count])).toEqual([
      ['exit:HLT', 0],
      ['exit:SUSPENDED hits 3', 2],
    ]);
  });
  it('says what the handler returned and how the host took it', () => {
    const ledger = new Ledger({ vcpus: 4 });
    store(ledger, 0xfee00300, 0xc4500, { returned: Access.toUserspace, outcome: Outcome.hostPanic, note: 'bad pending MMIO state' });
    expect(explainExit(exitAt(ledger, 1))).toBe(
      'vCPU0 stored 000C4500h to ICR_LO: INIT to all excluding self; vlapic returns -1, to userspace; host panic: bad pending MMIO state.',
    );
  });
  it('tells ports, MSRs, halts and unknown addresses apart', () => {
    const ledger = new Ledger({ vcpus: 1 });
    const io = ledger.exit(moment, ExitCode.INOUT, 0x80, 1, true);
    ledger.exitValue(io, 0x10, 0);
    ledger.exitOutcome(io, ExitCode.INOUT, RequestState.DONE, Outcome.resumed, '');
    const msr = ledger.exit(moment, ExitCode.RDMSR, 0x1b, 8, false);
    ledger.exitValue(msr, 0xfee00900, 0);
    const hlt = ledger.exit(moment, ExitCode.HLT, 0, 0, false);
    ledger.exitOutcome(hlt, ExitCode.HLT, RequestState.NONE, Outcome.waits, '');
    const nothing = ledger.exit(moment, ExitCode.MMIO_EMUL, 0xd0000000, 4, false);
    ledger.exitOutcome(nothing, ExitCode.MMIO_EMUL, RequestState.NONE, Outcome.aborted, 'opcode 87 is not emulated on MMIO');
    expect([io, msr, hlt].map((n) => whatExit(exitAt(ledger, n)))).toEqual([
      'vCPU0 wrote 10h to port 80h',
      'vCPU0 read FEE00900h from MSR APICBASE (1Bh)',
      'vCPU0 halted',
    ]);
    expect(explainExit(exitAt(ledger, hlt))).toBe('vCPU0 halted.');
    expect(explainExit(exitAt(ledger, nothing))).toBe('vCPU0 tried to access D0000000h; VM abort: opcode 87 is not emulated on MMIO.');
  });
});

describe('an IPI in words', () => {
  it('names each target that it concerned, with the reason of a refusal and the register behind it', () => {
    const ledger = new Ledger({ vcpus: 3 });
    const ipi = ledger.ipi(moment, 1, 0x4830, 0x06000000);
    ledger.ipiTarget(ipi, 0, Verdict.notAddressed, Reason.ldrMismatch, 0x01000000);
    ledger.ipiTarget(ipi, 1, Verdict.reached, Reason.none, 0);
    ledger.ipiTaken(ipi, 1, 2_130, 850);
    ledger.ipiTarget(ipi, 2, Verdict.refused, Reason.softwareDisabled, 0xff);
    expect(explainIpi(ipiAt(ledger, ipi))).toBe(
      'vCPU0 sent FIXED 30 to logical destination 06, edge, assert; reached vCPU1: accepted, taken 20 ns later; refused by vCPU2: LAPIC software-disabled, SVR bit 8 clear (SVR = 000000FF).',
    );
  });
  it('that was not sent says why once', () => {
    const ledger = new Ledger({ vcpus: 3 });
    const ipi = ledger.ipi(moment, 1, 0x44400, 0);
    for (const vcpu of [0, 1, 2]) ledger.ipiTarget(ipi, vcpu, Verdict.notSent, Reason.invalidCombination, 0x44400);
    expect(explainIpi(ipiAt(ledger, ipi))).toBe('vCPU0 sent NMI to self, edge, assert; not sent: NMI cannot be sent to self.');
  });
  it('that names nobody says so', () => {
    const ledger = new Ledger({ vcpus: 1 });
    const ipi = ledger.ipi(moment, 1, 0x4040, 0x09000000);
    ledger.ipiTarget(ipi, 0, Verdict.notAddressed, Reason.idMismatch, 0);
    expect(explainIpi(ipiAt(ledger, ipi))).toBe('vCPU0 sent FIXED 40 to APIC ID 09, edge, assert; nobody is addressed.');
  });
});

describe('an end in words', () => {
  it('is a sentence, and fatal when the guest or its host came to grief', () => {
    const place = { vcpu: 0, eip: 0, csBase: 0, icount: 0, timeNs: 0, exit: 0 };
    expect(explainEnd({ kind: 'suspended', how: 'tripleFault', status: 3, sentence: 'triple fault', ...place })).toBe('Triple fault.');
    expect(isFatal({ kind: 'suspended', how: 'tripleFault', status: 3, sentence: '', ...place })).toBe(true);
    expect(isFatal({ kind: 'suspended', how: 'halt', status: 2, sentence: '', ...place })).toBe(false);
    expect(isFatal({ kind: 'stuck', vcpus: [], sentence: '', ...place })).toBe(false);
    expect(isFatal({ kind: 'aborted', printed: '', sentence: '', ...place })).toBe(true);
  });
});

describe('times', () => {
  it('are shown in ms with groups, spans in the largest fitting unit', () => {
    expect(time(2_110)).toBe('0.002 110 ms');
    expect(time(10_206_230)).toBe('10.206 230 ms');
    expect([span(20), span(7_500), span(10e6), span(1.25e9)]).toEqual(['20 ns', '7.5 us', '10 ms', '1.25 s']);
  });
});

describe('an opcode', () => {
  it('is named as the instruction emulator of the profile knows it', () => {
    expect(opcodeWords(Uint8Array.of(0xc7, 0x05, 0, 3, 0xe0, 0xfe), illumos, 4)).toBe('C7 /0  mov m32, imm32');
    expect(opcodeWords(Uint8Array.of(0x66, 0x89, 0x05), illumos, 2)).toBe('89  mov m16, r16');
    expect(opcodeWords(Uint8Array.of(0x87, 0x05), illumos, 4)).toBe('87  not emulated');
    expect(opcodeWords(Uint8Array.of(0x83, 0x05), illumos, 4)).toBe('83 /0  not emulated');
    expect(opcodeWords(Uint8Array.of(0x0f, 0xaf, 0x05), illumos, 4)).toBe('0F AF  imul r32, m32');
    expect(opcodeWords(Uint8Array.of(0x0f, 0xaf, 0x05), illumos202010, 4)).toBe('0F AF  not emulated');
    expect(opcodeWords(new Uint8Array(), illumos)).toBe('');
  });
});

describe('two ledgers', () => {
  it('part at the first exit that differs, run-state exits left aside', () => {
    const [a, b] = [new Ledger({ vcpus: 1 }), new Ledger({ vcpus: 1 })];
    a.exit(moment, ExitCode.RUN_STATE, 0, 0, false);
    for (const ledger of [a, b]) store(ledger, 0xfee000f0, 0x1ff);
    expect(compareLedgers(a, b)).toBeUndefined();
    store(a, 0xfee00300, 0x4500);
    store(b, 0xfee00300, 0x4500, { returned: Access.toUserspace, outcome: Outcome.aborted, final: ExitCode.INST_EMUL });
    expect(compareLedgers(a, b)).toMatchObject({
      vcpu: 0,
      alike: 1,
      what: ['finalCode', 'returned', 'outcome'],
      a: { exit: { number: 3 } },
      b: { exit: { number: 2 } },
    });
  });
  it('of which one is too far ahead are not called alike', () => {
    const ledger = new Ledger({ vcpus: 1 });
    for (const value of [1, 2, 3]) store(ledger, 0xfee000f0, value);
    const comparison = new Comparison(2);
    for (const n of [1, 2, 3]) comparison.add(0, exitAt(ledger, n), undefined);
    for (const n of [1, 2]) comparison.add(1, exitAt(ledger, n), undefined);
    comparison.finish();
    expect(comparison).toMatchObject({ parting: undefined, complete: false, alike: 2 });
  });
  it('compare an exit that a vCPU waited in by what became of it, also when that was dropped', () => {
    const [a, b] = [new Ledger({ vcpus: 1 }), new Ledger({ vcpus: 1 })];
    for (const ledger of [a, b]) {
      ledger.exit(moment, ExitCode.HLT, 0, 0, false);
      ledger.exitOutcome(1, ExitCode.HLT, RequestState.NONE, Outcome.waits, '');
    }
    const comparison = new Comparison();
    comparison.add(0, exitAt(a, 1), undefined);
    comparison.add(1, exitAt(b, 1), undefined);
    a.exitOutcome(1, ExitCode.HLT, RequestState.NONE, Outcome.resumed, '');
    comparison.add(0, exitAt(a, 1), undefined);
    for (const ledger of [a, b]) store(ledger, 0xfee000f0, 1);
    comparison.add(0, exitAt(a, 2), undefined);
    comparison.add(1, exitAt(b, 2), undefined);
    comparison.finish();
    expect(comparison).toMatchObject({ parting: undefined, complete: true, alike: 2 });
  });
  it('part where one of them ends', () => {
    const [a, b] = [new Ledger({ vcpus: 1 }), new Ledger({ vcpus: 1 })];
    store(a, 0xfee000f0, 0x1ff);
    expect(compareLedgers(a, b)).toMatchObject({ what: ['end'], a: { exit: { number: 1 } }, b: { exit: undefined } });
  });
});

describe('a mistyped word', () => {
  it('is matched with the nearest, and with none when none is near', () => {
    expect(nearest('illumo', ['illumos-2020-10', 'illumos'])).toBe('illumos');
    expect(nearest('--cpu', ['--cpus', '--json'])).toBe('--cpus');
    expect(nearest('isnt_there', ['run', 'diff'])).toBeUndefined();
    expect(nearest('fixde', ['FIXED', 'NMI'])).toBe('FIXED');
  });
});
