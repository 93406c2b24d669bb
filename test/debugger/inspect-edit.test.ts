import { describe, expect, it } from 'vitest';
import { DebuggerError } from '../../src/debugger/error.ts';
import type { Input } from '../../src/machine/timeline/inputs.ts';
import { checkInput } from '../../src/machine/timeline/inputs.ts';
import { APIC_REGISTERS } from '../../src/machine/x86/apic.ts';
import { at, type Bench, bench } from './looking.ts';

function stopped(): Bench {
  const b = bench('icrlo.asm');
  b.toExit(41);
  return b;
}

/** What editing a variable to a text comes to. */
const edit = (b: Bench, vcpu: number, text: string, name: string, ...path: readonly string[]): Input => {
  const variable = at(b, vcpu, name, ...path);
  if (variable.edit === undefined) throw new Error(`${variable.name} cannot be edited`);
  return variable.edit(text);
};
const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof DebuggerError) return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
};

describe('editing a register', () => {
  const b = stopped();
  it('takes numbers in the one expression language', () => {
    expect(edit(b, 0, '5', 'General', 'EAX')).toEqual({ kind: 'register', vcpu: 0, name: 'eax', value: 5 });
    expect(edit(b, 1, '0x10 + ready', 'General', 'EBX')).toEqual({ kind: 'register', vcpu: 1, name: 'ebx', value: 0x510 });
    expect(edit(b, 0, 'esp - 4', 'General', 'ESP')).toMatchObject({ value: b.dbg.view.register(0, 'esp')! - 4 });
    expect(edit(b, 0, '-1', 'General', 'EAX', 'AX')).toEqual({ kind: 'register', vcpu: 0, name: 'ax', value: 0xffff });
    expect(edit(b, 0, 'FFFFF073h', 'CPU', 'EIP')).toMatchObject({ name: 'eip', value: 0xfffff073 });
  });
  it('reads as many digits as are shown there as hexadecimal', () => {
    expect(edit(b, 0, '00000010', 'General', 'EAX')).toMatchObject({ value: 0x10 });
    expect(edit(b, 0, '000C4500  INIT to all excluding self', 'Local APIC', 'ICR_LO')).toMatchObject({ value: 0xc4500 });
    expect(edit(b, 0, '10', 'General', 'EAX', 'AL')).toMatchObject({ name: 'al', value: 0x10 });
    expect(edit(b, 0, '10', 'General', 'EAX')).toMatchObject({ value: 10 });
  });
  it('sets single bits and keeps the others', () => {
    expect(edit(b, 0, '0', 'CPU', 'EFLAGS', 'ZF')).toEqual({ kind: 'register', vcpu: 0, name: 'eflags', value: 0x206 });
    expect(edit(b, 0, '3', 'CPU', 'EFLAGS', 'IOPL')).toMatchObject({ value: 0x3246 });
    expect(edit(b, 0, '1', 'Control', 'CR0', 'WP')).toEqual({ kind: 'register', vcpu: 0, name: 'cr0', value: 0x60010011 });
    expect(edit(b, 0, '0x18', 'Segments', 'DS')).toEqual({ kind: 'register', vcpu: 0, name: 'ds', value: 0x18 });
  });
  it('is refused with the value, its place and what would be right', () => {
    expect(refusal(() => edit(b, 0, '0x100', 'General', 'EAX', 'AL'))).toBe('"0x100" is out of range for AL; 0 to FFh is possible.');
    expect(refusal(() => edit(b, 0, '0x1_0000_0000', 'General', 'EAX'))).toBe(
      '"0x1_0000_0000" is out of range for EAX; 0 to FFFFFFFFh is possible.',
    );
    expect(refusal(() => edit(b, 0, '2', 'CPU', 'EFLAGS', 'IF'))).toBe('"2" is out of range for IF of EFLAGS; 0 to 1h is possible.');
    expect(refusal(() => edit(b, 0, 'eaxx', 'General', 'EAX'))).toBe('"eaxx" for EAX: There is no "eaxx". Did you mean eax?');
    expect(refusal(() => edit(b, 0, '"five"', 'General', 'EAX'))).toBe(
      '""five"" for EAX is a text; a number from 0 to FFFFFFFFh is needed.',
    );
    expect(refusal(() => edit(b, 0, '', 'General', 'EAX'))).toContain('The expression is empty.');
  });
});

describe('editing a local APIC register', () => {
  const b = stopped();
  it('takes the words of a field, in any case', () => {
    expect(edit(b, 0, 'INIT', 'Local APIC', 'ICR_LO', 'delivery mode')).toEqual({ kind: 'lapic', vcpu: 0, offset: 0x300, value: 0x4500 });
    expect(edit(b, 0, 'sipi', 'Local APIC', 'ICR_LO', 'delivery mode')).toMatchObject({ value: 0x4600 });
    expect(edit(b, 0, 'all excluding self', 'Local APIC', 'ICR_LO', 'destination shorthand')).toMatchObject({ value: 0xc4400 });
    expect(edit(b, 3, 'on', 'Local APIC', 'SVR', 'software enable')).toEqual({ kind: 'lapic', vcpu: 3, offset: 0xf0, value: 0x1ff });
    expect(edit(b, 0, 'masked', 'Local APIC', 'LVT_TIMER', 'mask')).toMatchObject({ offset: 0x320, value: 0x10020 });
    expect(edit(b, 0, '1', 'Local APIC', 'LVT_TIMER', 'mode')).toMatchObject({ value: 0x20020 });
    expect(edit(b, 0, '0x31', 'Local APIC', 'LVT_TIMER', 'vector')).toMatchObject({ value: 0x31 });
    expect(edit(b, 0, 'cluster', 'Local APIC', 'DFR', 'model')).toMatchObject({ offset: 0xe0, value: 0x0fffffff });
  });
  it('lists the words when it is given another', () => {
    expect(refusal(() => edit(b, 0, 'FOO', 'Local APIC', 'ICR_LO', 'delivery mode'))).toBe(
      '"FOO" is no delivery mode of ICR_LO. FIXED, LOWPRIO, SMI, NMI, INIT or STARTUP would be right, or 0 to 7h.',
    );
    expect(refusal(() => edit(b, 0, 'INT', 'Local APIC', 'ICR_LO', 'delivery mode'))).toContain('Did you mean INIT?');
    expect(refusal(() => edit(b, 0, '8', 'Local APIC', 'ICR_LO', 'delivery mode'))).toMatch(/^"8" is no delivery mode of ICR_LO\. FIXED/);
    expect(refusal(() => edit(b, 0, '-1', 'Local APIC', 'LVT_TIMER', 'vector'))).toBe(
      '"-1" is out of range for vector of LVT_TIMER; 0 to FFh is possible.',
    );
  });
  it('is there for all that the machine can take, and for nothing else', () => {
    const maps = new Set(['ISR', 'TMR', 'IRR']);
    for (const { name } of APIC_REGISTERS) {
      const map = /^(ISR|TMR|IRR)\d$/.exec(name)?.[1];
      const variable = map !== undefined && maps.has(map) ? at(b, 0, 'Local APIC', map, name) : at(b, 0, 'Local APIC', name);
      const editable = !['ID', 'VERSION', 'APR', 'PPR', 'EOI', 'RRD', 'TCCR', 'SELF_IPI'].includes(name);
      expect({ name, editable: variable.edit !== undefined }).toEqual({ name, editable });
      if (editable) expect(() => checkInput(b.machine as never, variable.edit!('0'))).not.toThrow();
    }
    expect(at(b, 0, 'Local APIC', 'ICR_LO', 'delivery status').edit).toBeUndefined();
  });
  it('shows what it was set to, as an input that a repeated run repeats', () => {
    const c = stopped();
    c.edit(edit(c, 3, 'on', 'Local APIC', 'SVR', 'software enable'));
    expect(at(c, 3, 'Local APIC', 'SVR').value).toBe('000001FF  software-enabled, spurious vector FF');
    expect(c.dbg.timeline.inputs).toHaveLength(1);
    c.toExit(42);
    expect(c.machine.ledger.ipiAt(7)?.targets[3]?.verdict).toBe(0);
  });
});

describe('editing a redirection entry', () => {
  const b = stopped();
  it('changes the half in which the field lies', () => {
    expect(edit(b, 0, 'open', 'I/O APIC', 'REDTBL[4]', 'mask')).toEqual({ kind: 'ioapic', register: 0x18, value: 0 });
    expect(edit(b, 0, '0x21', 'I/O APIC', 'REDTBL[4]', 'vector')).toMatchObject({ register: 0x18, value: 0x10021 });
    expect(edit(b, 0, '2', 'I/O APIC', 'REDTBL[4]', 'destination')).toMatchObject({ register: 0x19, value: 0x02010000 });
    expect(edit(b, 0, '0000A931', 'I/O APIC', 'REDTBL[31]', 'low')).toEqual({ kind: 'ioapic', register: 0x4e, value: 0xa931 });
    expect(edit(b, 0, '0x01000000', 'I/O APIC', 'ID')).toEqual({ kind: 'ioapic', register: 0, value: 0x01000000 });
    expect(at(b, 0, 'I/O APIC', 'VER').edit).toBeUndefined();
    expect(refusal(() => edit(b, 0, 'sometimes', 'I/O APIC', 'REDTBL[4]', 'mask'))).toBe(
      '"sometimes" is no mask of REDTBL[4]. open or masked would be right, or 0 to 1h.',
    );
  });
});
