/** Far transfers and events between privilege levels (SDM vol. 3, "Privilege Level Checking When Transferring Program Control", "Exception- or Interrupt-Handler Procedures"). */
import { describe, expect, it } from 'vitest';
import { EventType, Stop } from '../../../src/machine/cpu/processor.ts';
import {
  CODE,
  CODE0,
  CODE3,
  DATA0,
  DATA3,
  descriptor,
  FREE,
  GDT,
  gate,
  Guest,
  INNER_STACK,
  STACK,
  STUBS,
  TASK,
  TSS,
  USER_STACK,
} from './guest.ts';

const hex = (n: number): string => `0x${n.toString(16)}`;
const fill = (source: string): string =>
  source
    .replaceAll('FREE', hex(FREE))
    .replaceAll('CODE0', hex(CODE0))
    .replaceAll('CODE3', hex(CODE3))
    .replaceAll('DATA0', hex(DATA0))
    .replaceAll('DATA3', hex(DATA3))
    .replaceAll('USTACK', hex(USER_STACK));
const flat = (source: string, level: 0 | 3 = 0): Guest => new Guest().flat(fill(source), level);
function withCode(source: string, access: number, level: 0 | 3 = 0, limit = 0xfffff, flags = 0xc): Guest {
  const g = flat(source, level);
  g.setDescriptor(FREE, descriptor(0, limit, access, flags));
  return g;
}
/** To level 3 by IRET: user code after the label. */
const TO_USER = 'push dword DATA3; push dword USTACK; push dword 2; push dword CODE3; push dword user; iretd; user: ';

describe('far jumps and calls', () => {
  it('JMP FAR to code of the same level loads CS with RPL = CPL', () => {
    const g = withCode('jmp FREE:next; hlt; next: mov bl, 1', 0x9b);
    g.run();
    expect(g.registers('bl', 'cs')).toEqual({ bl: 1, cs: FREE });
  });
  it('a null selector raises #GP(0), data and TSS descriptors #GP(selector)', () => {
    expect(flat('jmp 0:0').run()).toBe('#GP(0)');
    expect(flat('jmp 3:0').run()).toBe('#GP(0)');
    expect(flat('jmp DATA0:0').run()).toBe('#GP(10)');
    expect(flat('call DATA0:0').run()).toBe('#GP(10)');
    expect(flat('jmp 0x200:0').run()).toBe('#GP(200)');
  });
  it('nonconforming code must have DPL = CPL and RPL at most CPL', () => {
    expect(withCode('jmp FREE+3:next; next:', 0x9b).run()).toBe('#GP(40)');
    expect(withCode('jmp FREE:next; next:', 0xfb).run()).toBe('#GP(40)');
    expect(withCode('jmp FREE:next; next:', 0x9b, 3).run()).toBe('#GP(40)');
    expect(withCode('jmp FREE:next; next:', 0xfb, 3).run()).toBe('int 30');
  });
  it('conforming code of a more privileged level runs at the CPL there was', () => {
    const g = withCode('jmp FREE:next; next: mov ax, cs; cli', 0x9f, 3);
    expect(g.run()).toBe('#GP(0)');
    expect(g.get('ax')).toBe(FREE | 3);
    expect(withCode('jmp FREE:next; next:', 0xff).run()).toBe('#GP(40)');
  });
  it('not present raises #NP(selector), an offset beyond the limit #GP(0)', () => {
    expect(withCode('jmp FREE:0', 0x1b).run()).toBe('#NP(40)');
    expect(withCode('jmp FREE:0x8000', 0x9b, 0, 0x7fff, 0x4).run()).toBe('#GP(0)');
  });
  it('CALL FAR pushes CS and EIP, RETF takes them', () => {
    const g = withCode('push dword 5; call FREE:f; after: hlt; f: mov eax, [esp]; mov ebx, [esp+4]; mov si, cs; retf 4', 0x9b);
    expect(g.run()).toBe('hlt');
    expect(g.registers('eax', 'ebx', 'si', 'cs', 'esp')).toEqual({ eax: g.label('after'), ebx: CODE0, si: FREE, cs: CODE0, esp: STACK });
  });
  it('a 16-bit operand pushes and takes 16 bits, and cuts the offset', () => {
    const g = flat('o16 push word 8; o16 push word target; o16 retf; hlt; target: mov cl, 3');
    expect(g.run()).toBe('hlt');
    expect(g.registers('cl', 'esp')).toEqual({ cl: 3, esp: STACK });
  });
  it('the jump sets the accessed bit of the descriptor', () => {
    const g = withCode('jmp FREE:next; next:', 0x9a);
    g.run();
    expect(g.read8(GDT + FREE + 5)).toBe(0x9b);
  });
  it('a transfer that cannot set the accessed bit leaves everything as it was', () => {
    const g = withCode('call FREE:next; next: hlt', 0x9a);
    const before = g.registers('cs', 'esp', 'ss');
    identityMap(g);
    g.write32(0x21000 + (GDT >>> 12) * 4, GDT | 1); // the GDT's page: read-only
    g.set({ cr3: 0x20000, cr0: 0x80010011 });
    g.cpu.run(1);
    expect(g.outcomeHere()).toBe('#PF(3)');
    expect(g.frame()).toMatchObject({ eip: CODE, cs: before.cs });
    expect(g.get('esp')).toBe(before.esp - 16);
  });
});

/** Pages 0 to 255 mapped to themselves, for all and writable; tables at 20000h. */
function identityMap(g: Guest): void {
  g.write32(0x20000, 0x21007);
  for (let page = 0; page < 256; page++) g.write32(0x21000 + page * 4, (page << 12) | 7);
}

describe('returns to an outer level', () => {
  it('IRET to level 3 takes ESP and SS, too', () => {
    const g = flat(`${TO_USER} mov ax, cs; mov bx, ss; mov ecx, esp; int 0x30`);
    expect(g.run()).toBe('int 30');
    expect(g.registers('ax', 'bx', 'ecx')).toEqual({ ax: CODE3, bx: DATA3, ecx: USER_STACK });
  });
  it('RETF n to level 3 drops n bytes on both stacks', () => {
    const g = flat(
      'push dword DATA3; push dword USTACK; push dword 1; push dword 2; push dword CODE3; push dword user; retf 8; user: mov ecx, esp; int 0x30',
    );
    expect(g.run()).toBe('int 30');
    expect(g.get('ecx')).toBe(USER_STACK + 8);
  });
  it('data segments of more privileged levels become null, others stay', () => {
    const g = flat(`mov ax, DATA0; mov ds, ax; mov es, ax; mov ax, DATA3; mov fs, ax; mov ax, FREE; mov gs, ax; ${TO_USER} int 0x30`);
    g.setDescriptor(FREE, descriptor(0, 0xfffff, 0x9f, 0xc)); // conforming code stays
    g.run();
    expect(g.registers('ds', 'es', 'fs', 'gs')).toEqual({ ds: 0, es: 0, fs: DATA3, gs: FREE });
    const h = flat(`mov ax, DATA0; mov ds, ax; ${TO_USER} mov eax, [0]`);
    expect(h.run()).toBe('#GP(0)');
  });
  it('the selector must be of the level itself: its RPL is the new CPL', () => {
    const returning = (cs: string, ss = 'DATA3'): string =>
      flat(`push dword ${ss}; push dword USTACK; push dword 2; push dword ${cs}; push dword user; iretd; user: int 0x30`).run();
    expect(returning('0')).toBe('#GP(0)');
    expect(returning('0x18')).toBe('#GP(18)'); // RPL 0, DPL 3
    expect(returning('CODE0+3')).toBe('#GP(8)'); // RPL 3, DPL 0
    expect(returning('DATA3')).toBe('#GP(20)');
    expect(returning('CODE3', '0')).toBe('#GP(0)');
    expect(returning('CODE3', 'DATA0')).toBe('#GP(10)');
    expect(returning('CODE3', 'CODE3')).toBe('#GP(18)');
    expect(returning('CODE3', '0x20')).toBe('#GP(20)');
  });
  it('a return to an inner level raises #GP(selector)', () => {
    expect(flat('push dword CODE0; push dword 0; retf', 3).run()).toBe('#GP(8)');
    expect(flat('push dword 2; push dword CODE0; push dword 0; iretd', 3).run()).toBe('#GP(8)');
  });
  it('a stack that is not present raises #SS(selector)', () => {
    const g = flat('push dword FREE+3; push dword 0; push dword 2; push dword CODE3; push dword 0; iretd');
    g.setDescriptor(FREE, descriptor(0, 0xfffff, 0x73, 0xc));
    expect(g.run()).toBe('#SS(40)');
  });
  it('a fault leaves ESP, CS and SS alone', () => {
    const g = flat('push dword DATA0; push dword 0; push dword 2; push dword CODE3; push dword 0; ret1: iretd');
    expect(g.run()).toBe('#GP(10)');
    expect(g.frame()).toMatchObject({ eip: g.label('ret1'), cs: CODE0 });
    expect(g.get('esp')).toBe(STACK - 20 - 16);
  });
  it('IRET changes IOPL only at level 0 and IF only up to IOPL', () => {
    const g = flat(
      'push dword DATA3; push dword USTACK; push dword 0x3202; push dword CODE3; push dword user; iretd; user: pushfd; pop eax; int 0x30',
    );
    g.run();
    expect(g.get('eax') & 0x3200).toBe(0x3200);
    const h = flat(`${TO_USER} push dword 0x3203; push dword CODE3; push dword on; iretd; on: pushfd; pop eax; int 0x30`);
    h.run();
    expect(h.get('eax')).toBe(3);
  });
  it('IRET at level 0 with NT set does not return to a task that is not there', () =>
    expect(flat('push dword 0x4002; popfd; iretd').run()).toBe('#GP(0)'));
});

describe('interrupts through gates', () => {
  it('an interrupt gate at the same level pushes EFLAGS, CS, EIP and clears IF, TF, NT', () => {
    const g = flat('push dword 0x4202; popfd; stc; int 0x40; after:');
    expect(g.run()).toBe('int 40');
    expect(g.frame()).toMatchObject({ eip: g.label('after'), cs: CODE0, eflags: 0x4203 });
    expect(g.get('esp')).toBe(STACK - 12);
    expect(g.get('eflags')).toBe(3);
  });
  it('a trap gate leaves IF', () => {
    const g = flat('push dword 0x202; popfd; int 0x40');
    g.setGate(0x40, gate(CODE0, STUBS + 0x40 * 4, 0xef));
    g.run();
    expect(g.get('eflags') & 0x200).toBe(0x200);
  });
  it('an interrupt of level 3 switches to the stack of the TSS and pushes SS and ESP first', () => {
    const g = flat('push eax; int 0x40; after:', 3);
    expect(g.run()).toBe('int 40');
    expect(g.registers('cs', 'ss', 'esp', 'cpl')).toEqual({ cs: CODE0, ss: DATA0, esp: INNER_STACK - 20, cpl: 0 });
    expect(g.frame()).toMatchObject({ eip: g.label('after'), cs: CODE3, eflags: 2, esp: USER_STACK - 4, ss: DATA3 });
  });
  it('an exception with an error code pushes it last', () => {
    const g = flat('mov ax, FREE; mov ds, ax', 3);
    expect(g.run()).toBe('#GP(40)');
    expect(g.get('esp')).toBe(INNER_STACK - 24);
  });
  it('IRET goes back to level 3 with everything as it was', () => {
    const g = flat('stc; mov ebx, 1; int 0x41; adc ebx, 1', 3);
    g.put('mov ecx, 5; iretd', 0x9000);
    g.setGate(0x41, gate(CODE0, 0x9000, 0xee));
    expect(g.run()).toBe('int 30');
    expect(g.registers('ebx', 'ecx')).toEqual({ ebx: 3, ecx: 5 });
    expect(g.frame()).toMatchObject({ esp: USER_STACK, ss: DATA3, cs: CODE3 });
  });
  it('INT n from level 3 needs a gate of DPL 3: #GP(n * 8 + 2)', () => {
    expect(flat('int 0x21', 3).run()).toBe(`#GP(${(0x21 * 8 + 2).toString(16)})`);
    expect(flat('int 0x21').run()).toBe('int 21');
    const g = flat('int3', 3);
    g.setGate(3, gate(CODE0, STUBS + 12, 0x8e));
    expect(g.run()).toBe('#GP(1a)');
  });
  it('an exception or an external interrupt does not ask for the DPL of the gate', () => {
    expect(flat('ud2', 3).run()).toBe('#UD');
    const g = flat('nop', 3);
    expect(g.cpu.inject(0x21, EventType.external)).toBe(Stop.budget);
    expect(g.run()).toBe('int 21');
  });
  it('beyond the limit of the IDT: #GP(n * 8 + 2); EXT is set unless INT n was the cause', () => {
    const g = flat('int 0x90');
    g.set({ 'idtr.limit': 0x47f });
    expect(g.run()).toBe('#GP(482)');
    const h = flat('nop');
    h.set({ 'idtr.limit': 0x47f });
    h.cpu.inject(0x90, EventType.external);
    expect(h.run()).toBe('#GP(483)');
  });
  it('a gate of another type raises #GP, one not present #NP, with the IDT bit', () => {
    const with41 = (access: number, source = 'int 0x41'): string => {
      const g = flat(source);
      g.setGate(0x41, gate(CODE0, STUBS, access));
      return g.run();
    };
    expect(with41(0x8c)).toBe('#GP(20a)');
    expect(with41(0x0e)).toBe('#NP(20a)');
    expect(with41(0x00)).toBe('#GP(20a)');
  });
  it("the gate's selector: null #GP(0), data #GP(selector), outer level #GP(selector), not present #NP(selector)", () => {
    const through = (selector: number, access = 0x9b): string => {
      const g = flat('int 0x41');
      g.setDescriptor(FREE, descriptor(0, 0xfffff, access, 0xc));
      g.setGate(0x41, gate(selector, STUBS, 0xee));
      return g.run();
    };
    expect(through(0)).toBe('#GP(0)');
    expect(through(DATA0)).toBe('#GP(10)');
    expect(through(CODE3)).toBe('#GP(18)');
    expect(through(FREE, 0x1b)).toBe('#NP(40)');
    expect(through(0x200)).toBe('#GP(200)');
  });
  it('the same faults of an external interrupt have EXT set', () => {
    const g = flat('nop');
    g.setGate(0x41, gate(DATA0, STUBS, 0x8e));
    g.cpu.inject(0x41, EventType.external);
    expect(g.run()).toBe('#GP(11)');
  });
  it('a handler in conforming code runs at the level that was interrupted, on its stack', () => {
    const g = flat('int 0x41', 3);
    g.setDescriptor(FREE, descriptor(0, 0xfffff, 0x9f, 0xc));
    g.put('mov ax, cs; mov ecx, esp; int 0x30', 0x9000);
    g.setGate(0x41, gate(FREE, 0x9000, 0xee));
    expect(g.run()).toBe('int 30');
    expect(g.registers('ax', 'ecx')).toEqual({ ax: FREE | 3, ecx: USER_STACK - 12 });
  });
  it('a 16-bit gate pushes 16-bit values and takes a 16-bit offset', () => {
    const g = flat('stc; int 0x41; after:');
    g.setGate(0x41, gate(CODE0, 0xdead0000 | (STUBS + 0x40 * 4), 0xe6));
    expect(g.run()).toBe('int 40');
    expect(g.get('esp')).toBe(STACK - 6);
    expect([g.read16(STACK - 6), g.read16(STACK - 4), g.read16(STACK - 2)]).toEqual([g.label('after'), CODE0, 3]);
  });
  it('the inner stack comes from the TSS: beyond its limit #TS(TSS), null #TS(0), of the wrong level #TS(selector), not present #SS(selector)', () => {
    const withStack = (ss: number, limit = 0x67, access = 0x93): string => {
      const g = flat('int 0x40', 3);
      g.cpu.window.setSegment(7, TASK, TSS, limit, 0x8b);
      g.write32(TSS + 8, ss);
      g.setDescriptor(FREE, descriptor(0, 0xfffff, access, 0xc));
      // #TS is handled at level 3 here, since level 0 has no stack.
      g.setDescriptor(FREE + 8, descriptor(0, 0xfffff, 0x9f, 0xc));
      for (const v of [10, 12]) g.setGate(v, gate(FREE + 8, 0x9000 + v * 16, 0x8e));
      for (const v of [10, 12]) g.put(`pop eax; mov bl, ${v}; here${v}: jmp here${v}`, 0x9000 + v * 16);
      g.run(20);
      return `${g.get('bl') === 10 ? '#TS' : '#SS'}(${g.get('eax').toString(16)})`;
    };
    expect(withStack(0)).toBe('#TS(0)');
    expect(withStack(DATA3)).toBe('#TS(20)');
    expect(withStack(FREE | 1)).toBe('#TS(40)');
    expect(withStack(FREE, 0x67, 0x91)).toBe('#TS(40)');
    expect(withStack(FREE, 0x67, 0x13)).toBe('#SS(40)');
    expect(withStack(DATA0, 8)).toBe('#TS(28)');
  });
  it('no room on the inner stack raises #SS with the selector of that stack', () => {
    const g = flat('int 0x40', 3);
    g.write32(TSS + 4, 8, FREE);
    g.setDescriptor(FREE, descriptor(0, 0xfff, 0x93, 0x4));
    g.write32(TSS + 4, 0x1008);
    g.setDescriptor(FREE + 8, descriptor(0, 0xfffff, 0x9f, 0xc));
    g.setGate(12, gate(FREE + 8, 0x9000, 0x8e));
    g.put('pop eax; here: jmp here', 0x9000);
    g.run(20);
    expect(g.get('eax')).toBe(FREE);
  });
});

describe('faults while an event is delivered', () => {
  it('a contributory exception while another is delivered becomes #DF(0)', () => {
    const g = flat('here: ud2');
    g.setGate(6, gate(CODE0, STUBS, 0x0e)); // #UD is benign: #NP is delivered by itself
    expect(g.run()).toBe('#NP(33)');
    const h = flat('xor ecx, ecx; here: div ecx');
    h.setGate(0, gate(CODE0, STUBS, 0x0e));
    expect(h.run()).toBe('#DF(0)');
    expect(h.frame()).toMatchObject({ eip: h.label('here'), cs: CODE0 });
  });
  it('a fault while a double fault is delivered shuts the processor down', () => {
    const g = flat('xor ecx, ecx; div ecx');
    g.setGate(0, gate(CODE0, STUBS, 0x0e));
    g.setGate(8, gate(CODE0, STUBS, 0x0e));
    expect(g.run()).toBe('tripleFault');
  });
  it('an IDT with limit 0 shuts the processor down at the first exception', () => {
    const g = flat('ud2');
    g.set({ 'idtr.limit': 0 });
    expect(g.run()).toBe('tripleFault');
  });
  it('a fault while INT n is delivered restarts the INT n', () => {
    const g = flat('nop; here: int 0x41');
    g.setGate(0x41, gate(CODE0, STUBS, 0x6e));
    expect(g.run()).toBe('#NP(20a)');
    expect(g.frame().eip).toBe(g.label('here'));
  });
  it.each([
    ['#DE then #DE', 0, 0, true],
    ['#GP then #NP', 13, 11, true],
    ['#DB then #GP', 1, 13, false],
    ['#BP then #NP', 3, 11, false],
  ] as const)('%s', (_, first, second, doubled) => {
    const g = flat('nop');
    g.setGate(first, second === 13 ? [0, 0] : gate(CODE0, STUBS, 0x0e));
    g.cpu.inject(first, EventType.exception, first === 13 ? 0 : undefined);
    expect(g.run()).toBe(
      doubled ? '#DF(0)' : second === 13 ? `#GP(${(first * 8 + 3).toString(16)})` : `#NP(${(first * 8 + 3).toString(16)})`,
    );
  });
});

describe('RF in the image that is pushed', () => {
  it('is set for faults and clear for traps, INT n and interrupts', () => {
    const pushed = (source: string): number => {
      const g = flat(source);
      g.run();
      return g.frame().eflags & 0x10000;
    };
    expect(pushed('ud2')).toBe(0x10000);
    expect(pushed('mov ax, 0xfff8; mov ds, ax')).toBe(0x10000);
    expect(pushed('int3')).toBe(0);
    expect(pushed('int 0x40')).toBe(0);
    const g = flat('nop');
    g.cpu.inject(0x40, EventType.external);
    g.run();
    expect(g.frame().eflags & 0x10000).toBe(0);
  });
  it('taken back by IRETD it does not outlive the next instruction', () => {
    const g = flat('push dword 0x10002; push dword CODE0; push dword next; iretd; next: nop; int 0x40');
    g.run();
    expect(g.frame().eflags & 0x10000).toBe(0);
  });
});
