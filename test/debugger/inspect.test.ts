import { describe, expect, it } from 'vitest';
import { lastExit, lapicWriter } from '../../src/debugger/inspect/history.ts';
import { scopes } from '../../src/debugger/inspect/scopes.ts';
import type { Variable } from '../../src/debugger/inspect/variable.ts';
import { APIC_REGISTERS, Apic } from '../../src/machine/x86/apic.ts';
import { at, type Bench, bench, scope } from './looking.ts';

const names = (variables: readonly Variable[]): string[] => variables.map(({ name }) => name);
const value = (b: Bench, vcpu: number, name: string, ...path: readonly string[]): string => at(b, vcpu, name, ...path).value;

/** icrlo, with vCPU0 about to store what loses the interrupt: e#41 was the store to ICR_HI. */
function beforeTheLoss(): Bench {
  const b = bench('icrlo.asm');
  b.toExit(41);
  return b;
}

describe('scopes', () => {
  it('come in the order in which they are needed', () => {
    expect(scopes(bench('icrlo.asm').dbg, 0).map((s) => s.name)).toEqual([
      'Last exit',
      'CPU',
      'General',
      'Segments',
      'Control',
      'Local APIC',
      'I/O APIC',
      'Pending interrupts',
      'Time',
    ]);
  });
  it('are refused for a vCPU that there is not', () => {
    expect(() => scopes(bench('icrlo.asm').dbg, 4)).toThrow('There is no vCPU 4; 0 to 3 are.');
  });
});

describe('the last exit', () => {
  it('says that there is none yet', () => {
    expect(value(bench('icrlo.asm'), 0, 'Last exit', 'none')).toBe('vCPU0 has not exited yet');
  });
  it('is decoded, with the ICR as fields and the fate at each target', () => {
    const b = beforeTheLoss();
    b.toExit(42);
    expect(value(b, 0, 'Last exit', 'exit')).toBe('e#42');
    expect(value(b, 0, 'Last exit', 'what')).toBe('vCPU0 stored 00004830h to ICR_LO: FIXED 30 to logical destination 08.');
    expect(value(b, 0, 'Last exit', 'address')).toBe('FEE00300  ICR_LO');
    expect(value(b, 0, 'Last exit', 'stored')).toBe('00004830  FIXED 30 to logical destination 08');
    expect(value(b, 0, 'Last exit', 'stored', 'delivery mode')).toBe('FIXED');
    expect(value(b, 0, 'Last exit', 'stored', 'destination mode')).toBe('logical');
    expect(value(b, 0, 'Last exit', 'answered')).toBe('in the kernel: returns 0, done');
    expect(value(b, 0, 'Last exit', 'IPI')).toBe('i#7 FIXED 30: lost at 1 vCPU');
    expect(value(b, 0, 'Last exit', 'IPI', 'vCPU3')).toBe('refused: LAPIC software-disabled, SVR bit 8 clear (SVR = 000000FF)');
    expect(value(b, 0, 'Last exit', 'IPI', 'vCPU0')).toBe('not addressed: LDR 01 & 08 = 0');
    expect(value(b, 0, 'Last exit', 'bytes')).toBe('C7 05 00 03 E0 FE 30 48 00 00');
    expect(value(b, 0, 'Last exit', 'instruction')).toBe('mov dword [LAPIC+ICR_LO], 0x00004830');
    expect(at(b, 0, 'Last exit', 'instruction').type).toBe('samples/icrlo.asm:63');
  });
  it('is that of the vCPU that is looked at, also when others have exited since', () => {
    const b = beforeTheLoss();
    expect(value(b, 3, 'Last exit', 'what')).toBe('vCPU3 stored 08000000h to LDR.');
    expect(lastExit(b.dbg, 3)?.number).toBe(18);
    expect(lastExit(b.dbg, 0)?.number).toBe(41);
  });
  it('says what the VMM could not do', () => {
    const b = bench('icrlo.asm');
    b.toExit(45);
    expect(value(b, 1, 'Last exit', 'code')).toBe('MMIO_EMUL → INST_EMUL');
    expect(value(b, 1, 'Last exit', 'note')).toBe('opcode 87 is not emulated on MMIO');
    expect(value(b, 1, 'Last exit', 'outcome')).toBe('VM abort');
    expect(value(b, 1, 'Last exit', 'count')).toBe('1');
  });
});

describe('the CPU', () => {
  it('is in real mode after reset, at F000:FFF0, with a base that is not selector × 16', () => {
    const b = bench('icrlo.asm');
    expect(value(b, 0, 'CPU', 'mode')).toBe('real16');
    expect(value(b, 0, 'CPU', 'CS:EIP')).toBe('F000:0000FFF0 = FFFFFFF0');
    expect(value(b, 0, 'Segments', 'CS')).toContain('⚠ base is not selector × 16 (000F0000)');
    expect(value(b, 1, 'CPU', 'run state')).toBe('HALT');
    expect(value(b, 1, 'CPU', 'activity')).toBe('was never started: waits for INIT and SIPI');
  });
  it('shows its flags in a word and bit by bit', () => {
    const b = beforeTheLoss();
    expect(value(b, 0, 'CPU', 'mode')).toBe('prot32');
    expect(value(b, 0, 'CPU', 'EFLAGS')).toBe('00000246  [IF ZF PF]');
    expect(value(b, 0, 'CPU', 'EFLAGS', 'ZF')).toBe('1');
    expect(value(b, 0, 'CPU', 'EFLAGS', 'CF')).toBe('0');
    expect(at(b, 0, 'CPU', 'EFLAGS', 'IF').type).toBe('bit 9 = 1 · interrupts enabled');
    expect(at(b, 0, 'CPU', 'EFLAGS', 'ZF').expression).toBe('zf');
  });
  it('says what a vCPU waits for that has been through INIT', () => {
    const b = bench('icrlo.asm');
    b.toExit(10);
    b.run(40);
    expect(value(b, 1, 'CPU', 'run state')).toBe('INIT');
    expect(value(b, 1, 'CPU', 'activity')).toBe('has been through INIT: waits for SIPI');
  });
  it('says what has come that a vCPU takes when its turn comes', () => {
    const b = bench('icrlo.asm');
    b.toExit(9);
    expect(value(b, 1, 'CPU', 'activity')).toBe('has got an INIT: takes it when its turn comes');
    expect(value(b, 1, 'Last exit', 'what')).toBe('vCPU1 has not been started (run state HALT); vCPU waits.');
    b.toExit(14);
    expect(value(b, 3, 'CPU', 'activity')).toBe('has got a SIPI: starts when its turn comes');
  });
});

describe('registers', () => {
  it('have their halves behind them', () => {
    const b = bench('icrlo.asm');
    b.toExit(41);
    expect(value(b, 2, 'General', 'EDX')).toMatch(/^[0-9A-F]{8}$/);
    const edx = value(b, 2, 'General', 'EDX');
    expect(value(b, 2, 'General', 'EDX', 'DX')).toBe(edx.slice(4));
    expect(value(b, 2, 'General', 'EDX', 'DH')).toBe(edx.slice(4, 6));
    expect(value(b, 2, 'General', 'EDX', 'DL')).toBe(edx.slice(6));
    expect(names(at(b, 2, 'General', 'ESI').children?.() ?? [])).toEqual(['SI']);
  });
  it('tell how they were at the stop before', () => {
    const b = bench('icrlo.asm');
    b.toExit(5);
    expect(at(b, 0, 'Local APIC', 'LDR').changed).toBeUndefined();
    b.toExit(6);
    const ldr = at(b, 0, 'Local APIC', 'LDR');
    expect(ldr.value).toBe('01000000  logical ID 01');
    expect(ldr.changed).toBe(true);
    expect(ldr.type).toContain('was 00000000');
    expect(at(b, 0, 'Local APIC', 'SVR').changed).toBeUndefined();
    expect(at(b, 0, 'CPU', 'EIP').changed).toBe(true);
  });
  it('of segments are decoded, and tell when the table says something else by now', () => {
    const b = beforeTheLoss();
    expect(value(b, 0, 'Segments', 'CS')).toBe('0008  base 00000000, 4 GiB, 32-bit, code, execute/read, DPL 0');
    expect(value(b, 0, 'Segments', 'DS')).toBe('0010  base 00000000, 4 GiB, 32-bit, data, read/write, DPL 0');
    expect(at(b, 0, 'Segments', 'DS').type).toBe('an edit loads the descriptor as well');
    expect(at(bench('icrlo.asm'), 0, 'Segments', 'DS').type).toBe('an edit sets the base as well: selector × 16');
    expect(value(b, 0, 'Segments', 'GDTR')).toMatch(/limit 0017$/);
    expect(value(b, 0, 'Segments', 'GDTR', 'entries', '08')).toBe(
      '00CF9B00_0000FFFF  code, execute/read, base 00000000, 4 GiB, 32-bit, DPL 0',
    );
    expect(value(b, 0, 'Segments', 'IDTR', 'entries', '30')).toMatch(/^0008:[0-9A-F]{8} on_wake {2}32-bit interrupt gate, DPL 0$/);
    b.edit({ kind: 'register', vcpu: 0, name: 'ds.limit', value: 0xffff });
    expect(value(b, 0, 'Segments', 'DS')).toContain('⚠ the table now says limit FFFFFFFF');
    b.edit({ kind: 'register', vcpu: 0, name: 'es', value: 0x20 });
    expect(value(b, 0, 'Segments', 'ES')).toContain("⚠ selector 0020 is beyond the GDT's limit");
  });
  it('of control are shown bit by bit, and APICBASE as what it says', () => {
    const b = beforeTheLoss();
    expect(value(b, 0, 'Control', 'CR0')).toBe('60000011  [CD NW ET PE]');
    expect(value(b, 0, 'Control', 'CR0', 'PE')).toBe('1');
    expect(value(b, 0, 'Control', 'APICBASE')).toBe('FEE00900  enabled, xAPIC, BSP');
    expect(value(b, 1, 'Control', 'APICBASE')).toBe('FEE00800  enabled, xAPIC');
  });
});

describe('the local APIC', () => {
  it('has every register there is', () => {
    const b = beforeTheLoss();
    const flat = scope(b, 0, 'Local APIC').flatMap((v) => (/^(?:ISR|TMR|IRR)$/.test(v.name) ? (v.children?.() ?? []) : [v]));
    expect(names(flat)).toEqual(['state', ...APIC_REGISTERS.map((r) => r.name)]);
  });
  it('says of a register what it means, where it lies and how it was after reset', () => {
    const b = beforeTheLoss();
    const icr = at(b, 0, 'Local APIC', 'ICR_LO');
    expect(icr).toMatchObject({
      value: '00004400  NMI to APIC ID 08',
      expression: 'lapic.icr_lo',
      dataId: 'lapic@0.icr_lo',
      memory: { space: 'physical', address: 0xfee00300 },
      menu: 'apicRegister',
    });
    expect(icr.type).toContain('lapic+300 rw · x2APIC MSR 830 · reset 00000000');
    expect(value(b, 0, 'Local APIC', 'ICR_LO', 'delivery mode')).toBe('NMI');
    expect(value(b, 0, 'Local APIC', 'ICR_LO', 'vector')).toBe('00, unused');
    expect(at(b, 0, 'Local APIC', 'ICR_LO', 'delivery mode')).toMatchObject({
      type: 'bits 10:8 = 100 · FIXED, LOWPRIO, SMI, reserved, NMI, INIT or STARTUP',
      expression: 'lapic.icr_lo.delivery_mode',
      dataId: 'lapic@0.icr_lo.delivery_mode',
    });
    expect(value(b, 0, 'Local APIC', 'SVR')).toBe('000001FF  software-enabled, spurious vector FF');
    expect(value(b, 3, 'Local APIC', 'SVR')).toBe('000000FF  software-disabled, spurious vector FF');
    expect(value(b, 3, 'Local APIC', 'state')).toBe('APIC ID 03, xAPIC, software-disabled');
    expect(value(b, 0, 'Local APIC', 'LVT_TIMER')).toBe('00000020  FIXED 20, one-shot');
    expect(value(b, 0, 'Local APIC', 'TDCR')).toBe('0000000B  ÷1');
    expect(at(b, 0, 'Local APIC', 'DFR').type).toBe('lapic+0E0 rw · reset FFFFFFFF');
    expect(at(b, 0, 'Local APIC', 'PPR').edit).toBeUndefined();
    expect(at(b, 0, 'Local APIC', 'EOI').value).toBe('write only');
  });
  it('shows vector maps as sorted lists, and each word of them', () => {
    const b = bench('icrlo.asm');
    b.toExit(34); // vCPU2 replies while it serves vector 30h; its timer rings meanwhile
    while (b.machine.vlapics[2]!.whyHeld(0x20).state === 'notPending') b.run(100);
    expect(value(b, 2, 'Local APIC', 'ISR')).toBe('30');
    expect(value(b, 2, 'Local APIC', 'IRR')).toBe('20');
    expect(value(b, 2, 'Local APIC', 'IRR', 'IRR1')).toBe('00000001  20');
    expect(value(b, 2, 'Local APIC', 'ISR', 'ISR1')).toBe('00010000  30');
    expect(value(b, 2, 'Local APIC', 'PPR')).toBe('00000030  class 3');
    expect(value(b, 2, 'Pending interrupts', 'requested', 'vector 20')).toContain(
      'waits: class 2 is not above PPR class 3, vector 30 is in service',
    );
    expect(value(b, 2, 'Pending interrupts', 'in service')).toBe('30');
  });
});

describe('the last writer of a register', () => {
  const sourceOf = (b: Bench, vcpu: number, offset: number): string | undefined => {
    const writer = lapicWriter(b.dbg, vcpu, offset);
    return writer && b.dbg.program.placeAt((writer.csBase + writer.eip) >>> 0)?.text.replace(/\s+/g, ' ');
  };
  it('is the store in the source', () => {
    const b = bench('icrlo.asm');
    b.toExit(9);
    expect(sourceOf(b, 0, Apic.ICR_LO)).toBe('mov dword [LAPIC+ICR_LO], 0x000C4500');
    expect(sourceOf(b, 0, Apic.ICR_HI)).toBeUndefined();
    b.toExit(14);
    expect(sourceOf(b, 0, Apic.ICR_LO)).toBe('mov dword [LAPIC+ICR_LO], 0x00004609');
    b.toExit(41);
    expect(sourceOf(b, 0, Apic.LDR)).toBe('mov dword [LAPIC+LDR], 0x01000000');
    expect(sourceOf(b, 0, Apic.ICR_HI)).toBe('mov dword [LAPIC+ICR_HI], 0x08000000');
    expect(sourceOf(b, 0, Apic.ICR_LO)).toBe('mov dword [LAPIC+ICR_LO], 0x00004400');
    expect(sourceOf(b, 0, Apic.TICR)).toBe('mov [LAPIC+TICR], eax');
    expect(sourceOf(b, 2, Apic.ICR_LO)).toBe('mov dword [LAPIC+ICR_LO], 0x00004031');
    expect(sourceOf(b, 3, Apic.LDR)).toBe('mov dword [LAPIC+LDR], 0x08000000');
    expect(sourceOf(b, 3, Apic.SVR)).toBeUndefined();
    expect(at(b, 0, 'Local APIC', 'LDR').writer).toMatchObject({ vcpu: 0, exit: 6 });
    const init = b.machine.ledger.exitAt(9)!.icount;
    b.back(b.machine.clock.instructions - init - 1);
    expect(sourceOf(b, 0, Apic.ICR_LO)).toBe('mov dword [LAPIC+ICR_LO], 0x000C4500');
    expect(sourceOf(b, 0, Apic.ICR_HI)).toBeUndefined();
  });
  it('is remembered when its record is dropped', () => {
    const b = bench('icrlo.asm', { exits: 8 });
    for (const exit of [7, 14, 21]) {
      b.toExit(exit);
      expect(sourceOf(b, 0, Apic.LDR)).toBe('mov dword [LAPIC+LDR], 0x01000000');
    }
    expect(b.machine.ledger.firstExit).toBeGreaterThan(6);
  });
  it('is nobody after an edit, until the guest stores again', () => {
    const b = bench('icrlo.asm');
    b.toExit(9);
    b.edit({ kind: 'lapic', vcpu: 0, offset: Apic.ICR_LO, value: 0xc4500 });
    b.edit({ kind: 'lapic', vcpu: 0, offset: Apic.TPR, value: 0 });
    expect(sourceOf(b, 0, Apic.ICR_LO)).toBeUndefined();
    expect(sourceOf(b, 0, Apic.SVR)).toBe('mov dword [LAPIC+SVR], 0x1FF');
    b.toExit(14);
    expect(sourceOf(b, 0, Apic.ICR_LO)).toBe('mov dword [LAPIC+ICR_LO], 0x00004609');
  });
  it('is nobody after INIT, which gives the registers their values of reset', () => {
    const toItself = (source: string): string =>
      source.replace('[LAPIC+ICR_HI], 0x01000000', '[LAPIC+ICR_HI], 0').replace('0x00004608', '0x00004500');
    const b = bench('lost-sipi.asm', { cpus: 1, change: toItself });
    while (sourceOf(b, 0, Apic.ICR_HI) === undefined) b.toExit(b.machine.ledger.exitCount + 1);
    expect(sourceOf(b, 0, Apic.SVR)).toBe('mov dword [LAPIC+SVR], 0x1FF');
    b.run(100);
    expect(value(b, 0, 'CPU', 'activity')).toBe('has been through INIT: waits for SIPI');
    expect(value(b, 0, 'Local APIC', 'SVR')).toBe('000000FF  software-disabled, spurious vector FF');
    for (const { offset } of APIC_REGISTERS) expect(sourceOf(b, 0, offset)).toBeUndefined();
  });
});

describe('the last writer of an I/O APIC register', () => {
  it('is the store to its window, by what the index register was then', () => {
    const program = (source: string): string =>
      source.replace(
        'mov     dword [LAPIC+ICR_HI]',
        'mov dword [0xFEC00000], 0x14\n mov dword [0xFEC00010], 0x00010021\n mov dword [0xFEC00000], 0x15\n mov     dword [LAPIC+ICR_HI]',
      );
    const b = bench('lost-sipi.asm', { cpus: 1, change: program });
    while (b.machine.platform.ioapic.selected !== 0x15) b.toExit(b.machine.ledger.exitCount + 1);
    const { writer, value } = at(b, 0, 'I/O APIC', 'REDTBL[2]', 'low');
    expect(value).toBe('00010021');
    expect(b.dbg.program.placeAt((writer!.csBase + writer!.eip) >>> 0)?.text).toBe('mov dword [0xFEC00010], 0x00010021');
    expect(at(b, 0, 'I/O APIC', 'REDTBL[2]').writer).toEqual(writer);
    expect(at(b, 0, 'I/O APIC', 'REDTBL[2]', 'high').writer).toBeUndefined();
    expect(at(b, 0, 'I/O APIC', 'REDTBL[3]').writer).toBeUndefined();
  });
});

describe('the I/O APIC', () => {
  it('has its entries decoded, with both halves', () => {
    const b = bench('icrlo.asm');
    expect(value(b, 0, 'I/O APIC', 'VER')).toBe('001F0011  version 11, 32 inputs');
    b.edit({ kind: 'ioapic', register: 0x14, value: 0x0000a931 });
    b.edit({ kind: 'ioapic', register: 0x15, value: 0x02000000 });
    const entry = at(b, 0, 'I/O APIC', 'REDTBL[2]');
    expect(entry.value).toBe('02000000_0000A931  vector 31, LOWPRIO to logical destination 02, level, active low');
    expect(entry.dataId).toBe('ioapic.redtbl[2]');
    expect(value(b, 0, 'I/O APIC', 'REDTBL[2]', 'destination')).toBe('02');
    expect(value(b, 0, 'I/O APIC', 'REDTBL[2]', 'low')).toBe('0000A931');
    expect(value(b, 0, 'I/O APIC', 'REDTBL[2]', 'mask')).toBe('open');
  });
});

describe('pending interrupts', () => {
  it('say why they wait, and who sent them', () => {
    const b = bench('icrlo.asm');
    b.toExit(42);
    b.edit({ kind: 'lapic', vcpu: 0, offset: Apic.IRR + 0x10, value: 0b11 });
    b.edit({ kind: 'register', vcpu: 0, name: 'eflags', value: 2 });
    expect(value(b, 0, 'Pending interrupts', 'takes interrupts')).toBe('no: interrupts are disabled, IF is 0');
    expect(value(b, 0, 'Pending interrupts', 'requested')).toBe('20 21');
    expect(value(b, 0, 'Pending interrupts', 'requested', 'vector 21')).toBe('next to be taken; interrupts are disabled, IF is 0');
    expect(value(b, 0, 'Pending interrupts', 'requested', 'vector 20')).toBe('waits behind vector 21');
    expect(value(b, 3, 'Pending interrupts', 'SIPI')).toBe('pending: 0800:0000; without effect, the vCPU does not wait for one');
    expect(at(b, 3, 'Pending interrupts', 'SIPI').type).toBe('IPI i#3 (SIPI 08) from vCPU0');
  });
});

describe('time', () => {
  it('tells whose turn it is, what comes next and how far back one can go', () => {
    const b = bench('icrlo.asm');
    b.toExit(10);
    expect(value(b, 0, 'Time', 'instructions')).toBe(String(b.machine.clock.instructions));
    expect(value(b, 0, 'Time', 'seed')).toBe('42');
    expect(value(b, 0, 'Time', 'slice')).toBe('10 000');
    expect(value(b, 0, 'Time', 'next alarm')).toMatch(/^APIC timer of vCPU0 in [0-9.]+ ms$/);
    expect(value(b, 0, 'Time', 'earliest')).toBe('instruction 0');
    expect(at(b, 0, 'Time', 'instructions').type).toBe('of all vCPUs, 2.5 ns each');
  });
});
