/** Single-stepping, interrupt shadows, NMI and HLT (SDM vol. 3, "Single-Step Exception Condition", "Masking Maskable Hardware Interrupts", "Masking Exceptions and Interrupts When Switching Stacks", "Nonmaskable Interrupt"). */
import { describe, expect, it } from 'vitest';
import { EventType, Stop } from '../../../src/machine/cpu/processor.ts';
import { CODE, CODE0, DATA, DATA0, DATA3, Guest, gate, STACK } from './guest.ts';

const flat = (source: string, level: 0 | 3 = 0): Guest => new Guest().flat(source, level);
const TF = 'pushfd; or dword [esp], 0x100; popfd';

/** The EIPs that single-step traps report, by a #DB handler that logs them at DATA and goes on. */
function traps(source: string, level: 0 | 3 = 0): { guest: Guest; at: string[] } {
  const g = flat(source, level);
  g.put(
    `push eax; push ebx; mov ebx, [ss:${DATA - 4}]; mov eax, [esp+8]; mov [ss:ebx], eax; add dword [ss:${DATA - 4}], 4; pop ebx; pop eax; iretd`,
    0x9000,
  );
  g.setGate(1, gate(CODE0, 0x9000, 0x8e));
  g.write32(DATA - 4, DATA);
  g.run();
  const names = new Map([...g.symbols].map(([name, value]) => [value, name]));
  const at: string[] = [];
  for (let p = DATA; p < g.read32(DATA - 4); p += 4) at.push(names.get(g.read32(p)) ?? g.read32(p).toString(16));
  return { guest: g, at };
}

describe('TF', () => {
  it('traps after each instruction, beginning with the one after POPF', () => {
    const { at } = traps(`${TF}; a: nop; b: inc ecx; c: jmp short d; nop; d: nop; e: hlt`);
    expect(at).toEqual(['b', 'c', 'd', 'e']);
  });
  it('the instruction that clears TF is itself still followed by a trap', () => {
    const { at } = traps(`push dword 2; ${TF}; a: nop; b: popfd; c: nop; d: hlt`);
    expect(at).toEqual(['b', 'c']);
  });
  it('sets BS in DR6 and clears TF in the handler', () => {
    const g = flat(`${TF}; nop; next: hlt`);
    expect(g.run()).toBe('#DB');
    expect(g.get('dr6')).toBe(0xffff4ff0);
    expect(g.get('eflags') & 0x100).toBe(0);
    expect(g.frame()).toMatchObject({ eip: g.label('next') });
    expect(g.frame().eflags & 0x10100).toBe(0x100);
  });
  it('a repeated string instruction traps after each iteration', () => {
    const { at, guest } = traps(`cld; mov ecx, 3; mov edi, ${DATA + 0x100}; ${TF}; a: rep stosb; b: hlt`);
    expect(at).toEqual(['a', 'a', 'b']);
    expect(guest.get('ecx')).toBe(0);
  });
  it('INT n is not followed by a trap: TF is clear in its handler', () => {
    const g = flat(`${TF}; int 0x41; after: nop; hlt`);
    expect(g.run()).toBe('int 41');
    expect(g.frame().eflags & 0x100).toBe(0x100);
  });
  it('an instruction that faults is not followed by a trap', () => {
    const g = flat(`${TF}; ud2`);
    expect(g.run()).toBe('#UD');
  });
  it('MOV SS and POP SS hold the trap off until after the next instruction', () => {
    expect(traps(`mov dx, ss; ${TF}; a: mov ss, dx; b: nop; c: nop; d: hlt`).at).toEqual(['c', 'd']);
    expect(traps(`push ss; ${TF}; a: pop ss; b: nop; c: nop; d: hlt`).at).toEqual(['c', 'd']);
  });
  it('LSS does not', () => {
    expect(traps(`mov dword [0x600], ${STACK}; mov dword [0x604], ${DATA0}; ${TF}; a: lss esp, [0x600]; b: nop; c: hlt`).at).toEqual([
      'b',
      'c',
    ]);
  });
  it('STI does not', () => expect(traps(`${TF}; a: sti; b: nop; c: cli; d: hlt`).at).toEqual(['b', 'c', 'd']));
  it('IRET to level 3 with TF set traps after the first instruction there', () => {
    const g = flat(
      `push dword ${DATA3}; push dword 0x7800; push dword 0x102; push dword 0x1b; push dword user; iretd; user: nop; then: nop; int 0x30`,
    );
    expect(g.run()).toBe('#DB');
    expect(g.frame()).toMatchObject({ eip: g.label('then'), cs: 0x1b });
  });
  it('works in real-address mode', () => {
    const g = new Guest().real('pushf; mov bp, sp; or word [bp], 0x100; popf; nop; next: hlt');
    expect(g.run()).toBe('#DB');
    expect(g.read16(g.get('sp'))).toBe(g.label('next'));
  });
  it('each step counts as one instruction, and its trap as none', () => {
    const g = flat(`${TF}; nop`);
    expect(g.cpu.run(3)).toBe(Stop.budget);
    expect(g.get('eip')).toBe(CODE + g.put(TF, 0xe000).length);
    expect(g.cpu.run(1)).toBe(Stop.budget);
    expect(g.cpu.retired).toBe(1);
    expect(g.outcomeHere()).toBe('#DB');
  });
});

describe('the shadow of STI and MOV SS', () => {
  it('STI with IF clear holds interrupts off for one instruction', () => {
    const g = flat('sti; nop; nop');
    g.cpu.run(1);
    expect([g.get('eflags') & 0x200, g.cpu.interruptible]).toEqual([0x200, false]);
    g.cpu.run(1);
    expect(g.cpu.interruptible).toBe(true);
  });
  it('STI with IF set does not', () => {
    const g = flat('sti; nop; sti');
    g.cpu.run(3);
    expect(g.cpu.interruptible).toBe(true);
  });
  it('STI; CLI never lets an interrupt in', () => {
    const g = flat('sti; cli; nop');
    g.cpu.interruptWindow = true;
    expect(g.cpu.run(3)).toBe(Stop.budget);
    expect(g.cpu.interruptible).toBe(false);
  });
  it('MOV SS holds off interrupts and NMI', () => {
    const g = flat(`sti; nop; mov ax, ${DATA0}; mov ss, ax; nop`);
    g.cpu.run(4);
    expect([g.cpu.interruptible, g.cpu.nmiAllowed]).toEqual([false, false]);
    g.cpu.run(1);
    expect([g.cpu.interruptible, g.cpu.nmiAllowed]).toEqual([true, true]);
  });
  it('an instruction that faults ends the shadow', () => {
    const g = flat('sti; ud2');
    g.setGate(6, gate(CODE0, 0x9000, 0x8f)); // a trap gate: IF stays
    g.put('nop; hlt', 0x9000);
    g.cpu.run(2);
    expect(g.get('eip')).toBe(0x9000);
    expect(g.cpu.interruptible).toBe(true);
  });
  it('an instruction that exits keeps it until it has completed', () => {
    const g = flat('sti; in al, 0x80; nop');
    expect(g.cpu.run(5)).toBe(Stop.inout);
    expect(g.cpu.interruptible).toBe(false);
    g.cpu.requests.inout.state = 2;
    g.cpu.complete();
    g.cpu.requests.clear();
    expect(g.cpu.interruptible).toBe(true);
  });
});

describe('the interrupt window', () => {
  const opens = (source: string, flags = 2): number => {
    const g = flat(source);
    g.set({ eflags: flags });
    g.cpu.interruptWindow = true;
    expect(g.cpu.run(100)).toBe(Stop.interruptWindow);
    expect(g.cpu.interruptible).toBe(true);
    return g.get('eip') - g.label('here');
  };
  it('opens one instruction after STI', () => expect(opens('nop; sti; nop; here: nop; nop')).toBe(0));
  it('opens right after POPF', () => expect(opens('push dword 0x202; popfd; here: nop; nop')).toBe(0));
  it('opens right after IRET', () =>
    expect(opens(`push dword 0x202; push dword ${CODE0}; push dword here; iretd; nop; here: nop`)).toBe(0));
  it('opens after the shadow of MOV SS', () => expect(opens(`mov ax, ${DATA0}; push dword 0x202; popfd; here: nop`)).toBe(0));
  it('without being asked for, nothing stops', () => {
    const g = flat('sti; nop; nop');
    expect(g.cpu.run(3)).toBe(Stop.budget);
  });
});

describe('NMI', () => {
  it('is blocked from its delivery until IRET', () => {
    const g = flat('nop; nop');
    g.put('nop; iretd', 0x9000);
    g.setGate(2, gate(CODE0, 0x9000, 0x8e));
    expect(g.cpu.nmiAllowed).toBe(true);
    g.cpu.inject(2, EventType.nmi);
    expect(g.cpu.nmiAllowed).toBe(false);
    g.cpu.run(1);
    expect(g.cpu.nmiAllowed).toBe(false);
    g.cpu.run(1);
    expect(g.cpu.nmiAllowed).toBe(true);
    expect(g.get('eip')).toBe(CODE);
  });
  it('an IRET that faults ends the blocking as well', () => {
    const g = flat('nop');
    g.put('mov dword [esp+4], 0; iretd', 0x9000);
    g.setGate(2, gate(CODE0, 0x9000, 0x8e));
    g.cpu.inject(2, EventType.nmi);
    expect(g.run()).toBe('#GP(0)');
    expect(g.cpu.nmiAllowed).toBe(true);
  });
  it('is taken with IF clear', () => {
    const g = flat('nop');
    g.cpu.inject(2, EventType.nmi);
    expect(g.run()).toBe('#NMI');
  });
});

describe('HLT', () => {
  it('has retired when the processor halts; an interrupt continues behind it', () => {
    const g = flat('sti; hlt; after: nop');
    expect(g.cpu.run(10)).toBe(Stop.hlt);
    expect([g.cpu.retired, g.get('eip'), g.cpu.halted]).toEqual([2, g.label('after'), true]);
    g.cpu.inject(0x40, EventType.external);
    expect(g.cpu.halted).toBe(false);
    expect(g.run()).toBe('int 40');
    expect(g.frame().eip).toBe(g.label('after'));
  });
  it('STI; HLT leaves no gap: after the HLT interrupts can be taken', () => {
    const g = flat('sti; hlt');
    g.cpu.run(10);
    expect(g.cpu.interruptible).toBe(true);
  });
});

it('PAUSE stops only when that is asked for', () => {
  const g = flat('pause; pause; nop');
  expect(g.cpu.run(1)).toBe(Stop.budget);
  g.cpu.pauseStops = true;
  expect(g.cpu.run(10)).toBe(Stop.pause);
  expect(g.cpu.retired).toBe(1);
});
