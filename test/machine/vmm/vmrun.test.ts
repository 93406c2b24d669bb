import { describe, expect, it } from 'vitest';
import { ExitCode } from '../../../src/machine/ledger/exitcode.ts';
import { Answer, EventKind, Outcome, RequestState } from '../../../src/machine/ledger/records.ts';
import type { Machine } from '../../../src/machine/machine.ts';
import { illumos13253 } from '../../../src/machine/profiles/illumos-13253.ts';
import { illumos202010 } from '../../../src/machine/profiles/illumos-2020-10.ts';
import { illumos } from '../../../src/machine/profiles/illumos.ts';
import { SuspendHow, VRS } from '../../../src/machine/vmm/runstate.ts';
import { VieTable } from '../../../src/machine/vmm/vie-decode.ts';
import { Errno, VEC } from '../../../src/machine/vmm/vmexit.ts';
import { RunResult, VmRun } from '../../../src/machine/vmm/vmrun.ts';
import { type Op, rig } from './fake-processor.ts';

const SVR = 0xfee000f0;
const exitsOf = (machine: Machine) => Array.from({ length: machine.ledger.exitCount }, (_, i) => machine.ledger.exitAt(i + 1));
const eventsOf = (machine: Machine) => Array.from({ length: machine.ledger.eventCount }, (_, i) => machine.ledger.eventAt(i + 1));

describe('the order of checks in VM_RUN', () => {
  const kernelOf = (machine: Machine): VmRun => new VmRun(machine.vm, new VieTable(machine.profile.vie));
  const setup = (boot: Op[] = [{ op: 'nop', count: 100 }]) => {
    const { machine, processor } = rig({ boot: [boot, []] });
    return { machine, processor, kernel: kernelOf(machine), v: machine.vm.vcpu(0) };
  };

  it('an inactive vCPU is EINVAL before a paused VM is EBUSY, before any entry command', () => {
    const { machine, kernel, v } = setup();
    machine.vm.paused = true;
    v.active = false;
    v.entry.command = VEC.FULFILL_MMIO;
    expect(kernel.run(v, 10)).toBe(RunResult.failed);
    expect(kernel.errno).toBe(Errno.EINVAL);
    v.active = true;
    expect(kernel.run(v, 10)).toBe(RunResult.failed);
    expect(kernel.errno).toBe(Errno.EBUSY);
    machine.vm.paused = false;
    v.entry.command = VEC.FULFILL_MMIO;
    expect(kernel.run(v, 10)).toBe(RunResult.failed);
    expect(kernel.errno, 'no request waits').toBe(Errno.EINVAL);
    expect(kernel.run(v, 10)).toBe(RunResult.yielded);
  });

  it('a request that waits is handed out again at every entry, until it is answered', () => {
    let read = 0;
    const { machine, kernel, v } = setup([
      {
        op: 'load',
        gpa: 0xd0000000,
        to: (value) => {
          read = value;
        },
      },
      { op: 'nop' },
    ]);
    for (let i = 0; i < 3; i++) {
      expect(kernel.run(v, 10)).toBe(RunResult.exit);
      expect(v.vmexit).toMatchObject({ code: ExitCode.MMIO, gpa: 0xd0000000, bytes: 4, read: true });
    }
    expect(machine.ledger.exitCount, 'one hardware exit, one record').toBe(1);
    Object.assign(v.entry, { command: VEC.FULFILL_MMIO, gpa: 0xd0000000, bytes: 4, read: true, data: 0xcafe, dataHigh: 0 });
    expect(kernel.run(v, 10)).toBe(RunResult.yielded);
    expect(read).toBe(0xcafe);
    expect(machine.ledger.exitAt(1)).toMatchObject({
      code: ExitCode.MMIO_EMUL,
      finalCode: ExitCode.MMIO,
      value: 0xcafe,
      outcome: Outcome.resumed,
    });
  });

  it('an answer that fits no request makes VM_RUN fail with EINVAL', () => {
    const { machine, kernel, v } = setup([{ op: 'load', gpa: 0xd0000000 }]);
    kernel.run(v, 10);
    Object.assign(v.entry, { command: VEC.FULFILL_MMIO, gpa: 0xd0000004, bytes: 4, read: true });
    expect(kernel.run(v, 10)).toBe(RunResult.failed);
    expect(kernel.errno).toBe(Errno.EINVAL);
    expect(machine.ledger.exitAt(1)).toMatchObject({ outcome: Outcome.runFailed, note: expect.stringContaining('EINVAL') });
  });

  it('VEC_DISCARD_INSTR throws the request away, and the instruction exits anew', () => {
    const { machine, kernel, v } = setup([{ op: 'load', gpa: 0xd0000000 }]);
    kernel.run(v, 10);
    v.entry.command = VEC.DISCARD_INSTR;
    expect(kernel.run(v, 10)).toBe(RunResult.exit);
    expect(machine.ledger.exitCount).toBe(2);
  });

  it('VEC_FLAG_EXIT_CONSISTENT comes back with BOGUS once no instruction is under way', () => {
    const { kernel, machine, v } = setup();
    v.entry.command = VEC.DEFAULT | VEC.FLAG_EXIT_CONSISTENT;
    expect(kernel.run(v, 10)).toBe(RunResult.exit);
    expect(v.vmexit.code).toBe(ExitCode.BOGUS);
    expect(machine.clock.instructions).toBe(0);
  });

  it('the run state is handled before a suspension, and both before the guest', () => {
    const { machine, kernel, processor } = setup();
    const ap = machine.vm.vcpu(1);
    expect(kernel.run(ap, 10)).toBe(RunResult.waits);
    expect(machine.ledger.exitAt(1)).toMatchObject({ code: ExitCode.RUN_STATE, address: VRS.HALT, outcome: Outcome.waits });
    machine.vm.suspend(SuspendHow.RESET, -1);
    expect(kernel.run(ap, 10)).toBe(RunResult.exit);
    expect(ap.vmexit).toMatchObject({ code: ExitCode.SUSPENDED, how: SuspendHow.RESET });
    expect(machine.clock.instructions).toBe(0);
    expect(processor.log.filter((l) => l.startsWith('inject'))).toEqual([]);
  });

  it('events are injected in the order NMI, ExtINT, local APIC', () => {
    const boot: Op[] = [
      { op: 'store', gpa: SVR, value: 0x1ff },
      { op: 'store', gpa: 0xfee00300, value: 0x44030 }, // fixed 30h to itself
      {
        op: 'call',
        call: () => {
          machine.vm.injectNmi(0, 0);
          machine.vm.injectExtInt(0);
        },
      },
      { op: 'sti' },
      { op: 'nop', count: 10 },
    ];
    const { machine, processor } = rig({ boot: [boot] });
    machine.run({ instructions: 5 });
    machine.run({ instructions: 10 });
    expect(processor.log.filter((l) => l.startsWith('inject'))).toEqual(['inject 0 2', 'inject 0 7', 'inject 0 30']);
    expect(eventsOf(machine).map((e) => e?.kind)).toEqual([EventKind.nmi, EventKind.extInt, EventKind.interrupt]);
    expect(machine.ledger.ipiAt(1)?.targets[0]?.takenIcount, 'after the shadow of STI and the acknowledge cycles of ExtINT').toBe(6);
  });
});

describe('memory that is no RAM', () => {
  it('a read-modify-write of a local APIC register reads it once and writes it once', () => {
    const { machine } = rig({ boot: [[{ op: 'or', gpa: SVR, value: 0x100 }]] });
    machine.run({ instructions: 3 });
    expect(machine.vlapics[0]?.peek(0xf0, 4)).toBe(0x1ff);
    expect(exitsOf(machine)).toMatchObject([
      { code: ExitCode.MMIO_EMUL, outcome: Outcome.resumed, request: RequestState.DONE, device: 'vlapic' },
    ]);
  });
  it('where nobody is, reads give all ones through userspace, and writes are dropped', () => {
    let value = 0;
    const { machine } = rig({
      boot: [
        [
          {
            op: 'load',
            gpa: 0xfed00000,
            to: (v) => {
              value = v;
            },
          },
          { op: 'store', gpa: 0xfed00000, value: 1 },
        ],
      ],
    });
    expect(machine.run({ instructions: 5 })).toBe('limit');
    expect(value).toBe(0xffffffff);
    expect(exitsOf(machine)).toMatchObject([
      { finalCode: ExitCode.MMIO, answer: Answer.nobody, outcome: Outcome.resumed, value: 0xffffffff },
      { finalCode: ExitCode.MMIO, answer: Answer.nobody, outcome: Outcome.resumed, write: true },
    ]);
  });
  it('XCHG on it aborts the VM, and the ledger names the opcode', () => {
    const { machine } = rig({ boot: [[{ op: 'store', gpa: 0xfee00080, value: 1, bytes: [0x87, 0x05, 0x80, 0, 0xe0, 0xfe] }]] });
    expect(machine.run({ instructions: 5 })).toMatchObject({
      kind: 'aborted',
      sentence: 'bhyve aborted the VM: opcode 87 is not emulated on MMIO',
      printed: 'Failed to emulate instruction sequence [ 0x87 0x05 0x80 0x00 0xe0 0xfe ] at 0x1000',
    });
    expect(machine.ledger.exitAt(1)).toMatchObject({
      finalCode: ExitCode.INST_EMUL,
      outcome: Outcome.aborted,
      request: RequestState.NONE,
      note: 'opcode 87 is not emulated on MMIO',
    });
  });
  it('ADD m, imm makes VM_RUN fail with EINVAL instead', () => {
    const { machine } = rig({ boot: [[{ op: 'store', gpa: 0xfee00080, value: 1, bytes: [0x83, 0x05, 0x80, 0, 0xe0, 0xfe, 1] }]] });
    expect(machine.run({ instructions: 5 })).toMatchObject({ kind: 'runFailed', errno: 22, printed: 'vm_run error -1, errno 22', exit: 1 });
  });
  it('a linear address other than the operand’s is INST_EMUL', () => {
    const { machine } = rig({ boot: [[{ op: 'store', gpa: 0xfee00080, value: 1, gla: 0x1234 }]] });
    expect(machine.run({ instructions: 5 })).toMatchObject({ kind: 'aborted', sentence: expect.stringContaining('linear address') });
  });
  it.each([
    ['illumos-2020-10', illumos202010, 'runFailed'],
    ['illumos-13253', illumos13253, 'runFailed'],
    ['illumos', illumos, 'limit'],
  ] as const)('a byte store to the local APIC is answered as in the era of %s', (_name, profile, expected) => {
    const { machine } = rig(
      { boot: [[{ op: 'store', gpa: 0xfee00080, value: 0x50, size: 1, bytes: [0xc6, 0x05, 0x80, 0, 0xe0, 0xfe, 0x50] }]] },
      { profile },
    );
    const end = machine.run({ instructions: 5 });
    expect(typeof end === 'string' ? end : end.kind).toBe(expected);
  });
  it.each([
    ['illumos', illumos, 'aborted'],
    ['illumos-2020-10', illumos202010, 'runFailed'],
  ] as const)('a fetch where no memory is ends the VM under %s', (_name, profile, kind) => {
    const { machine } = rig({ boot: [[{ op: 'fetchFault', gpa: 0x12345000 }]] }, { profile });
    expect(machine.run({ instructions: 5 })).toMatchObject({ kind });
    expect(machine.ledger.exitAt(1)).toMatchObject({ code: ExitCode.PAGING, address: 0x12345000 });
  });
  it('REP STOS to a device is one exit with one write for each iteration', () => {
    const { machine } = rig({ boot: [[{ op: 'store', gpa: 0xfed00000, value: 7, rep: 4, bytes: [0xf3, 0xab] }]] });
    machine.run({ instructions: 6 });
    expect(machine.ledger.exitCount).toBe(1);
    expect(machine.clock.instructions).toBe(6);
  });
});

describe('ports', () => {
  it('IN from a kernel chip is answered in the kernel; from one of the process, in userspace; from none, all ones', () => {
    const values: number[] = [];
    const to = (v: number): void => {
      values.push(v);
    };
    const { machine } = rig({
      boot: [
        [
          { op: 'out', port: 0x21, value: 0xa5 },
          { op: 'in', port: 0x21, to },
          { op: 'in', port: 0x64, to },
          { op: 'in', port: 0x80, size: 2, to },
        ],
      ],
    });
    machine.run({ instructions: 6 });
    expect(values[0]).toBe(0xa5);
    expect(values[2]).toBe(0xffff);
    expect(exitsOf(machine).map((e) => [e?.device, e?.answer, e?.outcome])).toEqual([
      ['vatpic', Answer.kernel, Outcome.resumed],
      ['vatpic', Answer.kernel, Outcome.resumed],
      ['i8042', Answer.userspace, Outcome.resumed],
      ['', Answer.nobody, Outcome.resumed],
    ]);
  });
  it.each<[string, Op]>([
    ['OUT to port 84h', { op: 'out', port: 0x84, value: 1 }],
    ['IN from the SMI command port', { op: 'in', port: 0xb2 }],
    ['IN of 4 bytes from the keyboard controller', { op: 'in', port: 0x60, size: 4 }],
  ])('%s is what bhyve’s process dies of', (_what, op) => {
    const { machine } = rig({ boot: [[op]] });
    expect(machine.run({ instructions: 3 })).toMatchObject({
      kind: 'aborted',
      printed: expect.stringMatching(/^Unhandled (in|out)[bl] 0x00[0-9a-f]{2} at 0x1000$/),
    });
  });
  it.each([
    ['illumos-2020-10', illumos202010, { kind: 'runFailed', errno: 22 }],
    ['illumos-13253', illumos13253, { kind: 'aborted', printed: 'Failed to emulate instruction sequence [ ] at 0x1000' }],
    ['illumos', illumos, { kind: 'aborted' }],
  ])('a word OUT to the 8259, whose handler returns -1, ends the VM under %s', (_name, profile, expected) => {
    const { machine } = rig({ boot: [[{ op: 'out', port: 0x20, value: 0x1111, size: 2 }]] }, { profile });
    expect(machine.run({ instructions: 3 })).toMatchObject(expected);
    if (profile !== illumos202010)
      expect(machine.ledger.exitAt(1)).toMatchObject({ request: RequestState.USER_FALLBACK, bytes: new Uint8Array(0) });
  });
  it('a REP prefix on a plain OUT is INST_EMUL without bytes', () => {
    const { machine } = rig({ boot: [[{ op: 'out', port: 0x80, value: 1, plainRep: true }]] });
    expect(machine.run({ instructions: 3 })).toMatchObject({
      kind: 'aborted',
      printed: 'Failed to emulate instruction sequence [ ] at 0x1000',
    });
  });
  it('REP OUTS is one exit while the vCPU keeps its turn, and another after it', () => {
    const sent: number[] = [];
    const { machine } = rig({ boot: [[{ op: 'out', port: 0x3f8, value: 0x41, rep: 25 }]] }, { slice: 10 });
    machine.onConsole = (_stream, byte) => sent.push(byte);
    machine.run({ instructions: 30 });
    expect(sent).toHaveLength(25);
    expect(exitsOf(machine).map((e) => [e?.icount, e?.outcome])).toEqual([
      [0, Outcome.resumed],
      [10, Outcome.resumed],
      [20, Outcome.resumed],
    ]);
  });
  it('where a run is cut by a limit leaves no trace in the ledger', () => {
    const program: Op[] = [
      { op: 'out', port: 0x3f8, value: 0x41, rep: 25 },
      { op: 'load', gpa: 0xfee00030 },
      { op: 'store', gpa: 0xfed00000, value: 7, rep: 9, bytes: [0xf3, 0xab] },
    ];
    const whole = rig({ boot: [program] }, { slice: 10 }).machine;
    const cut = rig({ boot: [program] }, { slice: 10 }).machine;
    whole.run({ instructions: 40 });
    for (let i = 0; i < 40; i++) cut.run({ instructions: 1 });
    expect(exitsOf(cut)).toEqual(exitsOf(whole));
    expect(cut.save().map((p) => p.state)).toEqual(whole.save().map((p) => p.state));
  });
});

describe('MSRs', () => {
  it('of the local APIC, the MTRRs and the TSC are answered in the kernel', () => {
    const seen: [number, number][] = [];
    const to = (low: number, high: number): void => {
      seen.push([low, high]);
    };
    const { machine } = rig({
      boot: [
        [
          { op: 'rdmsr', msr: 0x1b, to },
          { op: 'rdmsr', msr: 0xfe, to },
          { op: 'wrmsr', msr: 0x200, low: 0x80000006, high: 0 },
          { op: 'rdmsr', msr: 0x200, to },
          { op: 'nop', count: 6 },
          { op: 'rdmsr', msr: 0x10, to },
          { op: 'wrmsr', msr: 0x10, low: 5, high: 1 },
          { op: 'rdmsr', msr: 0x10, to },
        ],
      ],
    });
    machine.run({ instructions: 20 });
    expect(seen).toEqual([
      [0xfee00900, 0],
      [0x50a, 0],
      [0x80000006, 0],
      [100, 0],
      [15, 1],
    ]);
    expect(machine.ledger.exitsByCode().get(ExitCode.RDMSR)).toBe(5);
  });
  it.each<[string, Op]>([
    ['reading an unknown one', { op: 'rdmsr', msr: 0xc0011234 }],
    ['writing an unknown one', { op: 'wrmsr', msr: 0xc0011234, low: 0 }],
    ['writing MTRRcap', { op: 'wrmsr', msr: 0xfe, low: 0 }],
    ['reserved bits of MTRRdefType', { op: 'wrmsr', msr: 0x2ff, low: 0x1000 }],
    ['entering x2APIC mode', { op: 'wrmsr', msr: 0x1b, low: 0xfee00d00 }],
  ])('%s is #GP', (_what, op) => {
    const { machine, processor } = rig({ boot: [[op]] });
    machine.run({ instructions: 3 });
    expect(processor.log.at(-1)).toBe('inject 0 d (0)');
    expect(machine.ledger.exitAt(1)).toMatchObject({ outcome: Outcome.injected });
  });
  it('clearing APICBASE.EN in 2020 leaves as a hardware error, which bhyve aborts on', () => {
    const { machine } = rig({ boot: [[{ op: 'wrmsr', msr: 0x1b, low: 0xfee00100 }]] }, { profile: illumos202010 });
    expect(machine.run({ instructions: 3 })).toMatchObject({ kind: 'aborted' });
    expect(machine.ledger.exitAt(1)).toMatchObject({ code: ExitCode.WRMSR, finalCode: ExitCode.VMX });
  });
});

describe('HLT', () => {
  it('with IF=0 on all active vCPUs ends the VM: exit status 2', () => {
    const { machine } = rig({ boot: [[{ op: 'cli' }, { op: 'hlt' }]] });
    expect(machine.run()).toMatchObject({ kind: 'suspended', how: 'halt', status: 2, exit: 1, icount: 2 });
    expect(machine.ledger.exitAt(1)).toMatchObject({
      code: ExitCode.HLT,
      finalCode: ExitCode.SUSPENDED,
      outcome: Outcome.suspended,
      eip: 0x101f,
      icount: 1,
    }); // one byte back
  });
  it('of the BSP alone ends the VM in 2020, when unstarted APs are not active; today they are, and the machine is stuck', () => {
    const scripts = { boot: [[{ op: 'hlt' } as Op], []] };
    expect(rig(scripts, { profile: illumos202010 }).machine.run()).toMatchObject({ kind: 'suspended', how: 'halt' });
    const end = rig(scripts).machine.run();
    expect(end).toMatchObject({ kind: 'stuck' });
    expect(end).toHaveProperty('vcpus', [
      'vCPU0 halted before FFFF1010h with interrupts disabled (IF=0), and nothing that is armed can send it NMI or INIT',
      'vCPU1 was never started: it waits for INIT and SIPI, and no vCPU runs that could send them',
    ]);
  });
  it('with IF=1 ends when the local APIC’s timer fires, and time jumps there', () => {
    const boot: Op[] = [
      { op: 'store', gpa: SVR, value: 0x1ff },
      { op: 'store', gpa: 0xfee003e0, value: 0xb },
      { op: 'store', gpa: 0xfee00320, value: 0x40 },
      { op: 'store', gpa: 0xfee00380, value: 134_217_728 },
      { op: 'sti' },
      { op: 'hlt' },
      { op: 'nop' },
    ];
    const { machine, processor } = rig({ boot: [boot] });
    expect(machine.run({ instructions: 7 })).toBe('limit');
    expect(processor.log).toContain('inject 0 40');
    expect(machine.clock.nowNs).toBeGreaterThanOrEqual(1e9);
    expect(machine.clock.nowNs).toBeLessThan(1e9 + 1000);
    expect(machine.ledger.exitAt(5)).toMatchObject({ code: ExitCode.HLT, outcome: Outcome.resumed });
  });
  it('with IF=1 and only a masked timer armed, however often it fires, the machine is stuck', () => {
    const boot: Op[] = [
      { op: 'store', gpa: SVR, value: 0x1ff },
      { op: 'store', gpa: 0xfee00320, value: 0x30040 },
      { op: 'store', gpa: 0xfee00380, value: 1000 },
      { op: 'sti' },
      { op: 'hlt' },
    ];
    expect(rig({ boot: [boot] }).machine.run()).toMatchObject({
      kind: 'stuck',
      vcpus: [expect.stringContaining('with interrupts enabled, and nothing that is armed can interrupt it')],
    });
  });
  it('is ended by an NMI even with IF=0', () => {
    const { machine, processor } = rig(
      {
        boot: [
          [
            { op: 'nop', count: 40 },
            { op: 'store', gpa: 0xfee00310, value: 0x1000000 },
            { op: 'store', gpa: 0xfee00300, value: 0x4500 },
            { op: 'store', gpa: 0xfee00300, value: 0x4608 },
            { op: 'nop', count: 20 },
            { op: 'store', gpa: 0xfee00300, value: 0x4400 },
            { op: 'nop', count: 20 },
          ],
          [],
        ],
        startup: { 8: [{ op: 'hlt' }, { op: 'nop' }] },
      },
      { slice: 5 },
    );
    machine.run({ instructions: 120 });
    expect(processor.log).toContain('inject 1 2');
    expect(machine.ledger.ipiAt(3)?.targets[1]?.takenNs).toBeGreaterThan(0);
  });
});

describe('a VM that ends', () => {
  it('by a triple fault says on which vCPU: exit status 3', () => {
    const { machine } = rig({ boot: [[{ op: 'nop' }, { op: 'triple' }]] });
    expect(machine.run()).toMatchObject({ kind: 'suspended', how: 'tripleFault', status: 3, sentence: 'triple fault on vCPU0', icount: 1 });
    expect(machine.ledger.exitAt(1)).toMatchObject({
      code: ExitCode.SUSPENDED,
      address: SuspendHow.TRIPLEFAULT,
      outcome: Outcome.suspended,
    });
  });
  it('by port CF9h resets: exit status 0, and the OUT has completed', () => {
    const { machine } = rig({ boot: [[{ op: 'out', port: 0xcf9, value: 6 }, { op: 'nop' }]] });
    expect(machine.run()).toMatchObject({ kind: 'suspended', how: 'reset', status: 0, icount: 1 });
    expect(exitsOf(machine).map((e) => [e?.code, e?.outcome])).toEqual([
      [ExitCode.INOUT, Outcome.resumed],
      [ExitCode.SUSPENDED, Outcome.suspended],
    ]);
  });
  it('by SLP_EN with SLP_TYP 5 powers off: exit status 1', () => {
    const { machine } = rig({ boot: [[{ op: 'out', port: 0x404, value: 0x3400, size: 2 }]] });
    expect(machine.run()).toMatchObject({ kind: 'suspended', how: 'poweroff', status: 1 });
  });
});
