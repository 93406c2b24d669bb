import { describe, expect, it } from 'vitest';
import { ExitCode } from '../../../src/machine/ledger/exitcode.ts';
import { Answer, Outcome, RequestState } from '../../../src/machine/ledger/records.ts';
import { Reason, Verdict } from '../../../src/machine/ledger/verdict.ts';
import { illumos13253 } from '../../../src/machine/profiles/illumos-13253.ts';
import { illumos202010 } from '../../../src/machine/profiles/illumos-2020-10.ts';
import { VRS } from '../../../src/machine/vmm/runstate.ts';
import { movBytes, type Op, rig } from './fake-processor.ts';

const ICR_LO = 0xfee00300;
const INIT_ALL_BUT_SELF = 0x000c4500;
const SIPI_ALL_BUT_SELF = 0x000c4608;
const program: Op[] = [{ op: 'nop' }, { op: 'store', gpa: ICR_LO, value: INIT_ALL_BUT_SELF }, { op: 'nop' }];
const fourCpus = { boot: [program, [], [], []] };

describe('the store of 000C4500h to the ICR', () => {
  it('panics the host of an illumos of October 2020, with the call chain of the report', () => {
    const { machine } = rig(fourCpus, { profile: illumos202010 });
    const end = machine.run({ instructions: 1000 });
    expect(end).toMatchObject({
      kind: 'hostPanic',
      message: 'bad pending MMIO state',
      vcpu: 0,
      eip: 0x1010,
      exit: 1,
      icount: 1,
      chain: [
        'vm_handle_mmio_emul+0x150',
        'vm_run+0x43a',
        'vmmdev_do_ioctl',
        'vmm_ioctl',
        'cdev_ioctl',
        'spec_ioctl',
        'fop_ioctl',
        'ioctl',
      ],
    });
    expect(machine.ledger.exitAt(1)).toMatchObject({
      code: ExitCode.MMIO_EMUL,
      address: ICR_LO,
      write: true,
      value: INIT_ALL_BUT_SELF,
      answer: Answer.kernel,
      device: 'vlapic',
      request: RequestState.NONE,
      outcome: Outcome.hostPanic,
      note: 'bad pending MMIO state',
      ipi: 1,
    });
    expect(machine.ledger.exitAt(1)?.bytes).toEqual(Uint8Array.from(movBytes(ICR_LO, INIT_ALL_BUT_SELF)));
    expect(machine.run({ instructions: 1000 }), 'an ended machine stays ended').toBe(end);
    expect(machine.clock.instructions).toBe(1);
  });

  it('has stored the value in the register before the host panics', () => {
    const { machine } = rig(fourCpus, { profile: illumos202010 });
    machine.run({ instructions: 1000 });
    expect(machine.vlapics[0]?.peek(0x300, 4)).toBe(INIT_ALL_BUT_SELF);
  });

  it('leaves as INST_EMUL with the bytes after 13253, and bhyve aborts the VM', () => {
    const { machine } = rig(fourCpus, { profile: illumos13253 });
    const end = machine.run({ instructions: 1000 });
    expect(end).toMatchObject({ kind: 'aborted', exit: 1, eip: 0x1010 });
    expect(end).toHaveProperty(
      'printed',
      expect.stringContaining('Failed to emulate instruction sequence [ 0xc7 0x05 0x00 0x03 0xe0 0xfe'),
    );
    expect(machine.ledger.exitAt(1)).toMatchObject({
      code: ExitCode.MMIO_EMUL,
      finalCode: ExitCode.INST_EMUL,
      request: RequestState.USER_FALLBACK,
      outcome: Outcome.aborted,
      ipi: 1,
    });
  });

  it.each([illumos202010, illumos13253])('reaches no target under $name', (profile) => {
    const { machine } = rig(fourCpus, { profile });
    machine.run({ instructions: 1000 });
    const [sender, ...others] = machine.ledger.ipiAt(1)?.targets ?? [];
    expect(sender).toMatchObject({ verdict: Verdict.notAddressed, reason: Reason.senderExcluded });
    expect(others.map((t) => [t.verdict, t.reason])).toEqual([1, 2, 3].map(() => [Verdict.notSent, Reason.notHandled]));
  });

  it('is delivered in the kernel today: three vCPUs wait for SIPI, and the guest goes on', () => {
    const { machine, processor } = rig(fourCpus, { slice: 10 });
    expect(machine.run({ instructions: 100 })).toBe('limit');
    const exit = [1, 2, 3, 4].map((n) => machine.ledger.exitAt(n));
    expect(exit.slice(0, 3).map((e) => [e?.code, e?.vcpu, e?.outcome])).toEqual(
      [1, 2, 3].map((v) => [ExitCode.RUN_STATE, v, Outcome.waits]),
    );
    expect(exit[3]).toMatchObject({
      code: ExitCode.MMIO_EMUL,
      finalCode: ExitCode.MMIO_EMUL,
      request: RequestState.DONE,
      outcome: Outcome.resumed,
      ipi: 1,
    });
    expect([0, 1, 2, 3].map((v) => machine.runState(v))).toEqual([VRS.RUN, VRS.INIT, VRS.INIT, VRS.INIT]);
    expect(processor.log.filter((l) => l.includes('INIT'))).toEqual(['reset 1 INIT 0', 'reset 2 INIT 0', 'reset 3 INIT 0']);
    const targets = machine.ledger.ipiAt(1)?.targets ?? [];
    expect(targets.map((t) => t.verdict)).toEqual([Verdict.notAddressed, Verdict.reached, Verdict.reached, Verdict.reached]);
    expect(targets[1]?.takenIcount).toBeGreaterThan(0);
  });

  it('followed by SIPI 08 starts every AP at 0800:0000, and a second SIPI is refused', () => {
    const boot: Op[] = [
      { op: 'store', gpa: ICR_LO, value: INIT_ALL_BUT_SELF },
      { op: 'store', gpa: ICR_LO, value: SIPI_ALL_BUT_SELF },
      { op: 'nop', count: 50 },
      { op: 'store', gpa: ICR_LO, value: SIPI_ALL_BUT_SELF },
    ];
    const { machine, processor } = rig({ boot: [boot, []], startup: { 8: [{ op: 'nop', count: 5 }] } }, { slice: 10 });
    machine.run({ instructions: 200 });
    expect(processor.log).toContain('start 1 08');
    expect(machine.ledger.ipiAt(2)?.targets[1]).toMatchObject({ verdict: Verdict.reached });
    expect(machine.ledger.ipiAt(3)?.targets[1]).toMatchObject({ verdict: Verdict.refused, reason: Reason.alreadyRunning });
    expect(machine.runState(1), 'the refused SIPI lingers').toBe(VRS.INIT | VRS.RUN | VRS.PEND_SIPI);
  });
});

describe('INIT and SIPI by destination before run states', () => {
  const startOne = (id: number): Op[] => [
    { op: 'store', gpa: 0xfee00310, value: id * 0x1000000 },
    { op: 'store', gpa: ICR_LO, value: 0x4500 },
    { op: 'store', gpa: ICR_LO, value: 0x4608 },
    { op: 'nop', count: 20 },
  ];

  it('end in a SPINUP_AP exit, and userspace creates the AP with the library’s register values', () => {
    const { machine, processor } = rig({ boot: [startOne(1), []] }, { profile: illumos202010, slice: 10 });
    expect(machine.vm.isActive(1)).toBe(false);
    expect(machine.run({ instructions: 60 })).toBe('limit');
    expect(processor.log).toContain('start 1 08');
    expect(processor.log.at(-2)).toBe('reset 1 RESET 1');
    expect(machine.vm.isActive(1)).toBe(true);
    expect(machine.ledger.exitAt(4)).toMatchObject({
      code: ExitCode.RUN_STATE,
      note: 'SPINUP_AP vCPU1 at 0800:0000',
      outcome: Outcome.resumed,
    });
    expect(machine.ledger.ipiAt(2)?.targets[1]?.takenIcount).toBe(3);
  });

  it('to an id without a vCPU fail an assertion of the process', () => {
    const { machine } = rig({ boot: [startOne(5), []] }, { profile: illumos202010 });
    expect(machine.run({ instructions: 60 })).toMatchObject({ kind: 'aborted', printed: expect.stringContaining('newcpu < guest_ncpus') });
  });
});
