import { describe, expect, it } from 'vitest';
import { checkNames, evaluate } from '../../src/debugger/evaluate.ts';
import { parseExpression } from '../../src/debugger/expression.ts';
import { ExpressionError } from '../../src/debugger/lexer.ts';
import { MachineScope } from '../../src/debugger/scope.ts';
import { codeRig, sampleRig } from './breakpoint-rig.ts';

const rig = codeRig(
  `start32:
        mov ax, 0x10
        mov ds, ax
        mov dword [0xFEC00000], 0x15
        mov dword [0xFEC00010], 0x03000000
        mov dword [0xFEC00000], 0x14
        mov dword [0xFEC00010], 0x0000A830
        mov dword [0xFEE000F0], 0x1FF
        mov dword [0xFEE00300], 0x44045         ; vector 45h to self
        cli
        hlt`,
  2,
);
rig.run();
const scope = new MachineScope(rig.view, { vcpu: 0 }, (name) => rig.program.symbol(name));
const value = (text: string): unknown => evaluate(parseExpression(text), scope);
const problem = (text: string): string => {
  try {
    value(text);
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
  throw new Error(`${text} has a value`);
};

describe('the names of a machine', () => {
  it('are those of the I/O APIC, whatever its index register says', () => {
    expect(value('ioapic.redtbl[2]')).toBe(0xa830);
    expect(value('ioapic.redtbl[2].low')).toBe(0xa830);
    expect(value('ioapic.redtbl[2].high')).toBe(0x03000000);
    expect(value('ioapic.redtbl[2].vector')).toBe(0x30);
    expect(value('ioapic.redtbl[2].dest')).toBe(3);
    expect(value('ioapic.redtbl[2].logical')).toBe(1);
    expect(value('ioapic.redtbl[2].mask')).toBe(0);
    expect(value('IOAPIC.RTE[3].masked')).toBe(1);
    expect(value('ioapic.ioregsel')).toBe(0x14);
    expect(value('ioapic.iowin')).toBe(0xa830);
    expect(value('ioapic.ver & 0xFF')).toBe(0x11);
    expect(value('ioapic.id')).toBe(0);
  });
  it('that do not exist are told apart from those that have no value', () => {
    expect(problem('ioapic.redtbl[200]')).toMatch(/^ioapic\.redtbl has no value here: there is no entry 200; 0 to \d+ are\.$/);
    expect(problem('ioapic.eoi')).toBe('ioapic.eoi has no value here: EOI cannot be read.');
    expect(problem('ioapic.redtbl')).toMatch(/^There is no "ioapic\.redtbl"\. Did you mean ioapic\.redtbl\[\d\]\?/);
    expect(problem('ioapic.id[0]')).toMatch(/^There is no "ioapic\.id"/);
    expect(problem('ioapic[0].id')).toMatch(/^There is no "ioapic\.id"/);
    expect(problem('ioapic.redtbl[2].vectr')).toMatch(/Did you mean ioapic\.redtbl/);
    expect(problem('lapic.svr[1]')).toMatch(/^There is no "lapic\.svr"/);
    expect(problem('lapic[7].svr')).toMatch(/there is no vCPU 7; 0 to 1 are/);
  });
  it('are those of every local APIC, its vector maps by number included', () => {
    expect(value('lapic.svr')).toBe(0x1ff);
    expect(value('lapic[0].svr')).toBe(0x1ff);
    expect(value('lapic@1.svr')).toBe(0xff);
    expect(value('lapic.irr[2]')).toBe(1 << 5);
    expect(value('lapic.irr2')).toBe(1 << 5);
  });
  it('all exist, each one that is offered for completion', () => {
    const names = [...scope.names()];
    expect(names).toEqual(
      expect.arrayContaining(['eax', 'lapic.icr_lo.vector', 'ioapic.id', 'ioapic.redtbl[2].mask', 'exit.gpa', 'ipi.mode', 'zf']),
    );
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(() => checkNames(parseExpression(name), scope), name).not.toThrow();
  });
  it('are looked up without any device or the guest noticing', () => {
    const { machine, view, program } = sampleRig();
    const look = new MachineScope(view, { vcpu: 2 }, (name) => program.symbol(name));
    const before = JSON.stringify(machine.save());
    let values = 0;
    for (const name of look.names()) {
      try {
        evaluate(parseExpression(name), look);
        values++;
      } catch (error) {
        expect((error as Error).message, name).toMatch(/has no value here/);
      }
    }
    expect(values).toBeGreaterThan(300);
    expect(JSON.stringify(machine.save())).toBe(before);
  });
});
