import { describe, expect, it } from 'vitest';
import { ExpressionError } from '../../src/debugger/lexer.ts';
import { checkLogMessage, parseLogMessage, renderLogMessage } from '../../src/debugger/logmessage.ts';
import { type Focus, type MachineView, MachineScope } from '../../src/debugger/scope.ts';
import type { IpiRecord } from '../../src/machine/ledger/records.ts';

const view: MachineView = {
  vcpuCount: 4,
  nowNs: 2_110,
  instructions: 844,
  register: (vcpu, name) => ({ eax: 0x1234, ax: 0x1234, al: 0x34, cs: 8, cpl: 3, ebx: vcpu, eflags: 0x246 })[name],
  peek: (_, address, size) => (address === 0x500 ? 0x44 % 2 ** (8 * size) : undefined),
  lapic: (vcpu, offset) => ({ 768: 0x4608, 784: 0x03000000, 240: 0x1ff })[offset] ?? vcpu,
};
const ipi = { number: 4, vcpu: 1, icrLow: 0x4500, icrHigh: 0x02000000, targets: [] } as unknown as IpiRecord;
const render = (text: string, focus: Focus = { vcpu: 1 }): string => renderLogMessage(parseLogMessage(text), new MachineScope(view, focus));
const problem = (make: () => unknown): string => {
  try {
    make();
  } catch (error) {
    if (error instanceof ExpressionError) return `${error.column}: ${error.message}`;
    throw error;
  }
  throw new Error('it was taken');
};

describe('a log message', () => {
  it('is its text, with expressions filled in as what they are', () => {
    expect(render('plain')).toBe('plain');
    expect(render('')).toBe('');
    expect(render('vCPU{vcpu} of {vcpus}: eax={eax}, IF={if}, {dword [0x500]}, {byte [0x500]}')).toBe(
      'vCPU1 of 4: eax=00001234h, IF=1, 00000044h, 44h',
    );
    expect(render('{ax} {al} {cs} {cpl} {vcpu[2].ebx} {cpu[2].ax}')).toBe('1234h 34h 0008h 3 00000002h 1234h');
    expect(render('{lapic.svr} {lapic.icr_lo.mode} {lapic.icr_lo.vector} {lapic.svr.enable}')).toBe('000001FFh STARTUP 08h on');
    expect(render('{time} after {icount}, {1 + 2} {eax + 1} {eax > 1}')).toBe('0.002 110 ms after 844, 3 1235h 1');
    expect(render('{ipi.mode} i#{ipi}', { vcpu: 1, ipi })).toBe('INIT i#4');
  });
  it('shows a value in the format that is asked for', () => {
    expect(render('{eax,x} {eax:d} {if,b} { eax , X }')).toBe('1234h 4660 1b 1234h');
    expect(render('{eax ? vcpu : icount}')).toBe('1');
    expect(render('{lapic.icr_lo:icr}')).toBe('SIPI 08 to APIC ID 03');
    expect(render('{ipi.icr_lo,icr}', { vcpu: 1, ipi })).toBe('INIT to APIC ID 02');
  });
  it('takes braces, doubled or behind a backslash', () => {
    expect(render('{{vcpu}} \\{vcpu\\} } {vcpu}')).toBe('{vcpu} {vcpu} } 1');
    expect(render("{exit.device == '}'}", { vcpu: 0, exit: { device: '}' } as never })).toBe('1');
  });
  it('says in its place why something has no value', () => {
    expect(render('at {exit.gpa}!')).toBe('at {exit.gpa: exit.gpa has no value here: nothing has exited}!');
    expect(render('{[0x600],d}')).toBe('{[0x600]: Nothing can be read at 600h}');
  });
  it('is refused with the column of what is wrong', () => {
    expect(problem(() => parseLogMessage('ab {vcpu'))).toBe('4: The expression after "{" has no closing "}".');
    expect(problem(() => parseLogMessage('ab {}'))).toBe('5: The expression is empty.');
    expect(problem(() => parseLogMessage('ab { eax ==}'))).toBe('12: Expected a value, found the end.');
    expect(problem(() => parseLogMessage('{eax,y}'))).toBe('6: "y" is no format. Did you mean x?');
    expect(problem(() => parseLogMessage('{eax:hexa}'))).toBe('6: "hexa" is no format. Formats are: x, d, b, icr.');
    const scope = new MachineScope(view, { vcpu: 0 });
    expect(problem(() => checkLogMessage(parseLogMessage('{vcpu} { eaz }'), scope))).toBe('10: There is no "eaz". Did you mean eax?');
  });
});
