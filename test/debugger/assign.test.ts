import { describe, expect, it } from 'vitest';
import { assign } from '../../src/debugger/assign.ts';
import { DebuggerError } from '../../src/debugger/error.ts';
import { bench } from './looking.ts';

const b = bench('icrlo.asm');
b.toExit(41);
const set = (target: string, value: string, vcpu = 0): unknown => assign(b.dbg, vcpu, target, value);
const refusal = (target: string, value: string): string => {
  try {
    set(target, value);
  } catch (error) {
    if (error instanceof DebuggerError) return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
};

describe('an assignment', () => {
  it('sets registers and flags of the vCPU it is seen from, or of the one it names', () => {
    expect(set('eax', '5')).toEqual({ kind: 'register', vcpu: 0, name: 'eax', value: 5 });
    expect(set(' EAX ', 'ebx + 1', 2)).toEqual({ kind: 'register', vcpu: 2, name: 'eax', value: 3 });
    expect(set('cpu[1].al', '10')).toEqual({ kind: 'register', vcpu: 1, name: 'al', value: 10 });
    expect(set('cs.base', '0x8000')).toMatchObject({ name: 'cs.base', value: 0x8000 });
    expect(set('if', '0')).toEqual({ kind: 'register', vcpu: 0, name: 'eflags', value: 0x46 });
    expect(set('flags', '0x202')).toMatchObject({ name: 'eflags', value: 0x202 });
  });
  it('sets local APIC registers and their fields, by number or word', () => {
    expect(set('lapic.svr.software_enable', '1', 3)).toEqual({ kind: 'lapic', vcpu: 3, offset: 0xf0, value: 0x1ff });
    expect(set('lapic[3].svr.enabled', 'on')).toEqual({ kind: 'lapic', vcpu: 3, offset: 0xf0, value: 0x1ff });
    expect(set('lapic@2.tpr', '0x30')).toEqual({ kind: 'lapic', vcpu: 2, offset: 0x80, value: 0x30 });
    expect(set('lapic.icr_lo.mode', 'INIT')).toMatchObject({ offset: 0x300, value: 0x4500 });
    expect(set('lapic.irr[1]', '1')).toMatchObject({ offset: 0x210, value: 1 });
  });
  it('sets I/O APIC registers and their fields', () => {
    expect(set('ioapic.redtbl[4].mask', 'open')).toEqual({ kind: 'ioapic', register: 0x18, value: 0 });
    expect(set('ioapic.redtbl[2+2].destination', '3')).toMatchObject({ register: 0x19, value: 0x03010000 });
    expect(set('ioapic.redtbl[4].low', '0x10021')).toMatchObject({ register: 0x18, value: 0x10021 });
    expect(set('ioapic.id', '0x02000000')).toEqual({ kind: 'ioapic', register: 0, value: 0x02000000 });
  });
  it('sets memory in the size that is written before it, a dword if none is', () => {
    expect(set('byte [ready]', '2')).toEqual({ kind: 'memory', gpa: 0x500, bytes: Uint8Array.of(2) });
    expect(set('word [0x500]', '0x1234')).toEqual({ kind: 'memory', gpa: 0x500, bytes: Uint8Array.of(0x34, 0x12) });
    expect(set('[esp + 4]', '-2')).toMatchObject({ bytes: Uint8Array.of(0xfe, 0xff, 0xff, 0xff) });
  });
  it('sets the register when memory at a local APIC register is set', () => {
    expect(set('[LAPIC + 0x80]', '0x20', 1)).toEqual({ kind: 'lapic', vcpu: 1, offset: 0x80, value: 0x20 });
    expect(refusal('byte [0xFEE00080]', '1')).toBe('FEE00080h is no local APIC register as a whole: they are dwords at multiples of 16.');
    expect(refusal('[0xFEC00010]', '1')).toContain('ioapic.redtbl[2].mask');
  });
  it('is refused where nothing can be set, with what would be right', () => {
    expect(refusal('eaxx', '1')).toBe('There is no "eaxx". Did you mean eax?');
    expect(refusal('eax + 1', '1')).toContain('"eax + 1" cannot be set');
    expect(refusal('eax', '')).toBe('"eax =" has no value.');
    expect(refusal('icount', '1')).toBe('"icount" tells of something that happened or of a fixed value, and cannot be set.');
    expect(refusal('ready', '1')).toBe('"ready" tells of something that happened or of a fixed value, and cannot be set.');
    expect(refusal('cpl', '3')).toContain('CPL cannot be set');
    expect(refusal('lapic.svrr', '1')).toBe('"lapic.svrr": there is no local APIC register "svrr". Did you mean svr?');
    expect(refusal('lapic.svr.enabld', '1')).toMatch(/^SVR has no field "enabld"\..* It has: .*software_enable/);
    expect(refusal('lapic.ppr', '1')).toBe('PPR follows from TPR and ISR: change one of these.');
    expect(refusal('lapic[7].tpr', '1')).toBe('"lapic[7].tpr": there is no vCPU 7; 0 to 3 are.');
    expect(refusal('lapic.icr_lo.mode', 'FOO')).toContain('FIXED, LOWPRIO, SMI, NMI, INIT or STARTUP would be right');
    expect(refusal('ioapic.redtbl[32].mask', '1')).toBe('"ioapic.redtbl[32].mask": there is no entry 32; 0 to 31 are.');
    expect(refusal('ioapic.redtbl.mask', '1')).toContain('write which entry');
    expect(refusal('ioapic.redtbl[1]', '1')).toContain('has two halves of 32 bits');
    expect(refusal('ioapic.ver', '1')).toBe('IOAPIC VER is read-only.');
    expect(refusal('eax', 'ebx +')).toContain('"ebx +" for EAX: Expected a value');
  });
});
