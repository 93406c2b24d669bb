import { describe, expect, it } from 'vitest';
import { type Breakpoint, BreakpointError, parseBreakpoint, type Program } from '../../src/debugger/breakpoint.ts';

const program: Program = {
  vcpuCount: 4,
  symbol: (name) => (name === 'wake_aps' ? 0xfffff09c : undefined),
  line: (file, line) => (file === 'icrlo.asm' && line <= 100 ? 0xfffff000 + line : undefined),
  symbols: () => ['wake_aps'],
  file: 'samples/icrlo.asm',
};
const parse = (text: string): Breakpoint => parseBreakpoint(text, program);
const trigger = (text: string): unknown => parse(text).trigger;
const problem = (text: string): string => {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof BreakpointError) return error.message;
    throw error;
  }
  throw new Error(`${text} was taken`);
};

describe('the grammar of breakpoints', () => {
  it('takes exit codes with and without their prefix, and groups', () => {
    expect(trigger('exit:INST_EMUL')).toEqual({ kind: 'exit', codes: new Set([9]), fatal: false });
    expect(trigger('exit:VM_EXITCODE_hlt')).toEqual({ kind: 'exit', codes: new Set([5]), fatal: false });
    expect(trigger('exit:fatal')).toMatchObject({ fatal: true });
    expect(trigger('exit:MMIO')).toEqual({ kind: 'exit', codes: new Set([15]), fatal: false });
    expect(trigger('exit:mmio')).toEqual({ kind: 'exit', codes: new Set([11, 15, 13]), fatal: false });
    expect(trigger('exit:*')).toMatchObject({ codes: expect.objectContaining({ size: 25 }) });
  });
  it('takes IPIs by mode, target, verdict and reason', () => {
    expect(trigger('ipi:SIPI->1=refused')).toEqual({ kind: 'ipi', mode: 6, target: 1, verdict: 2, reason: undefined });
    expect(trigger('ipi:STARTUP')).toMatchObject({ mode: 6, target: undefined });
    expect(trigger('ipi:*=notSent')).toMatchObject({ mode: undefined, verdict: 4 });
    expect(trigger('ipi:*=not-addressed')).toMatchObject({ verdict: 3 });
    expect(trigger('ipi:fixed->vCPU3')).toMatchObject({ mode: 0, target: 3 });
    expect(trigger('ipi:FIXED=softwareDisabled')).toMatchObject({ verdict: undefined, reason: 12 });
  });
  it('takes local APIC registers with vCPU, field and access', () => {
    expect(trigger('lapic.icr_lo')).toMatchObject({
      kind: 'lapic',
      vcpu: undefined,
      register: { offset: 0x300 },
      field: undefined,
      access: { read: false, write: true },
    });
    expect(trigger('lapic@2.svr.enable:rw')).toMatchObject({
      vcpu: 2,
      register: { offset: 0xf0 },
      field: { high: 8, low: 8 },
      access: { read: true, write: true },
    });
    expect(trigger('lapic.ppr')).toMatchObject({ access: { read: true, write: false } });
    expect(trigger('lapic.icr_lo.mode:w')).toMatchObject({ field: { high: 10, low: 8 } });
  });
  it('takes I/O APIC registers with entry, field and access, in any case and by their other names', () => {
    const low = { read: false, write: true };
    expect(trigger('ioapic.redtbl[2]:w')).toMatchObject({
      kind: 'ioapic',
      register: { name: 'REDTBL' },
      entry: 2,
      field: undefined,
      access: low,
    });
    expect(trigger('IOAPIC.IOREDTBL[0x17].Mask')).toMatchObject({ entry: 23, field: { half: 'low', field: { high: 16 } }, access: low });
    expect(trigger('ioapic.redir[0].dest:rw')).toMatchObject({ entry: 0, field: { half: 'high', field: { high: 31, low: 24 } } });
    expect(trigger('ioapic.redtbl')).toMatchObject({ entry: undefined });
    expect(trigger('ioapic.redtbl[1].high')).toMatchObject({ field: { half: 'high', field: { high: 31, low: 0 } } });
    for (const [text, name] of [
      ['ioapic.id', 'ID'],
      ['ioapic.ioapicid', 'ID'],
      ['ioapic.arb', 'ARB'],
      ['ioapic.version', 'VER'],
      ['ioapic.ioregsel', 'IOREGSEL'],
      ['ioapic.select', 'IOREGSEL'],
      ['ioapic.iowin', 'IOWIN'],
      ['ioapic.eoi', 'EOI'],
    ])
      expect(trigger(text as string), text).toMatchObject({ register: { name } });
    expect(trigger('ioapic.ver')).toMatchObject({ access: { read: true, write: false } });
    expect(problem('ioapic.redtb[2]')).toBe('There is no I/O APIC register "redtb". Did you mean redtbl?');
    expect(problem('ioapic.redtbl[2].maks')).toMatch(/REDTBL has no field "maks"\. Did you mean mask\? It has: low, high, mask, /);
    expect(problem('ioapic.redtbl[x]')).toMatch(/"x" is not a number for Redirection entry/);
    expect(problem('ioapic.redtbl[120]')).toMatch(/120 is out of range/);
    expect(problem('ioapic.id[2]')).toBe('ID is one register; write ioapic.id.');
    expect(problem('ioapic.id:x')).toBe('"x" is no kind of access; write r, w or rw.');
    expect(problem('ioapic')).toMatch(/should be ioapic\.register/);
  });
  it('takes the vCPU of a local APIC in brackets as well, and the words of a vector map by number', () => {
    expect(trigger('lapic[2].svr')).toMatchObject({ vcpu: 2, register: { offset: 0xf0 } });
    expect(trigger('lapic@1.irr[3]:rw')).toMatchObject({ vcpu: 1, register: { name: 'IRR3' } });
    expect(problem('lapic[9].svr')).toBe('There is no vCPU 9; 0 to 3 are.');
    expect(problem('lapic.irr[8]')).toMatch(/There is no local APIC register "irr\[8\]"/);
  });
  it('takes MSRs by number and name, ports with a length, vectors', () => {
    expect(trigger('msr:0x1b:w')).toEqual({ kind: 'msr', msr: 0x1b, access: { read: false, write: true } });
    expect(trigger('msr:IA32_APIC_BASE')).toEqual({ kind: 'msr', msr: 0x1b, access: { read: true, write: true } });
    expect(trigger('io:0x3F8+8:r')).toEqual({ kind: 'io', port: 0x3f8, length: 8, access: { read: true, write: false } });
    expect(trigger('io:80h')).toEqual({ kind: 'io', port: 0x80, length: 1, access: { read: true, write: true } });
    expect(trigger('vector:30h')).toEqual({ kind: 'vector', vector: 0x30 });
    expect(trigger('vector:nmi')).toEqual({ kind: 'vector', vector: 2 });
    expect(trigger('vector:#PF')).toEqual({ kind: 'vector', vector: 14 });
    expect(trigger('lapic.0x300')).toMatchObject({ register: { offset: 0x300 } });
    expect(trigger('ipi:INIT=nobody')).toMatchObject({ kind: 'ipi', mode: 5, nobody: true });
  });
  it('takes instructions by segment and offset, linear address, line and symbol', () => {
    expect(trigger('F000:FFF0')).toEqual({ kind: 'instruction', linear: [0xffff0, 0xfffffff0] });
    expect(trigger('0800:0010')).toEqual({ kind: 'instruction', linear: [0x8010] });
    expect(trigger('0xFFFFFFF0')).toEqual({ kind: 'instruction', linear: [0xfffffff0] });
    for (const same of ['FFFFF073', 'FFFFF073h', 'fffff073', '0xFFFFF073', '0FFFFF073h', '4294963315'])
      expect(trigger(same), same).toEqual({ kind: 'instruction', linear: [0xfffff073] });
    expect(trigger('00008010')).toEqual({ kind: 'instruction', linear: [0x8010] });
    expect(trigger('icrlo.asm:41')).toEqual({ kind: 'instruction', linear: [0xfffff029], named: true });
    expect(trigger('wake_aps')).toEqual({ kind: 'instruction', linear: [0xfffff09c], named: true });
  });
  it('takes a condition and a hit count', () => {
    expect(parse('exit:HLT if vcpu == 1')).toMatchObject({ condition: { kind: 'binary' }, hits: undefined });
    expect(parse('exit:HLT if if == 0 hits >5')).toMatchObject({ condition: { kind: 'binary' }, hits: { operator: '>', count: 5 } });
    expect(parse('exit:HLT hits %10')).toMatchObject({ condition: undefined, hits: { operator: '%', count: 10 } });
    expect(parse('exit:HLT hits 3')).toMatchObject({ hits: { operator: '==', count: 3 } });
  });
});

describe('a wrong breakpoint', () => {
  it('is told in one sentence that names the value and what would be right', () => {
    expect(problem('exit:INST_EMU')).toBe('"INST_EMU" is no exit code or group. Did you mean INST_EMUL?');
    expect(problem('exit:FOO')).toMatch(/"FOO" is no exit code or group\. Groups are: mmio, .* Codes are: INOUT, .*HT\./);
    expect(problem('ipi:*=foo')).toMatch(/Verdicts are: reached, .*nobody\. Reasons are: none, /);
    expect(problem('ipi:*->1=nobody')).toBe('"1" cannot be the target of an IPI to nobody; write ipi:*=nobody.');
    expect(problem('lapic.zzz')).toMatch(/Registers are: id, .*icr_lo/);
    expect(problem('io:com1')).toBe('"com1" is not a number for Port. Write for example io:0x3F8+8 (COM1) or io:0x80.');
    expect(problem('vector:XX')).toMatch(/Write for example vector:0x30, or an exception: DE, DB, NMI/);
    expect(problem('other.asm:3')).toBe('"other.asm:3": there is no source file other.asm; icrlo.asm is the source.');
    expect(problem('ipi:SIP')).toMatch(/"SIP" is no delivery mode. Did you mean SIPI\?/);
    expect(problem('ipi:SIPI=ignored')).toBe('"ignored" is no verdict. Did you mean refused?');
    expect(problem('ipi:SIPI->9')).toBe('There is no vCPU 9; 0 to 3 are.');
    expect(problem('ipi:SIPI->x')).toBe('"x" is not a vCPU; write a number from 0 to 3.');
    expect(problem('lapic.icr_l')).toBe('There is no local APIC register "icr_l". Did you mean icr_lo?');
    expect(problem('lapic.icr_lo.mod')).toMatch(/ICR_LO has no field "mod"/);
    expect(problem('lapic.icr_lo:x')).toBe('"x" is no kind of access; write r, w or rw.');
    expect(problem('io:3F8')).toBe('"3F8" is not a number for Port. Write 0x3F8 for hexadecimal.');
    expect(problem('io:0x10000')).toMatch(/Port 0x10000 is out of range/);
    expect(problem('msr:foo')).toMatch(/There is no MSR "foo"/);
    expect(problem('vector:256')).toMatch(/Vector 256 is out of range/);
    expect(problem('mem:0x500+4:w')).toMatch(/does not watch RAM/);
    expect(problem('exit:HLT if vcpu ==')).toBe('In the condition of "exit:HLT if vcpu ==", column 20: Expected a value, found the end.');
    expect(problem('exit:HLT if')).toMatch(/condition after "if" is missing/);
    expect(problem('exit:HLT hits many')).toMatch(/should be hits 3, hits >5 or hits %10/);
    expect(problem('wake_ap')).toMatch(/Did you mean wake_aps\?/);
    expect(problem('icrlo.asm:999')).toMatch(/no code at or after line 999/);
    expect(problem('')).toMatch(/empty/);
  });
  it('in a line needs source to be known', () => {
    expect(() => parseBreakpoint('a.asm:1', { vcpuCount: 1, symbol: () => undefined })).toThrow(
      'lines are known only when the input is a .asm file',
    );
  });
});
