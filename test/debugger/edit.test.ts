import { describe, expect, it } from 'vitest';
import type { Debugger } from '../../src/debugger/debugger.ts';
import { DebuggerError } from '../../src/debugger/error.ts';
import { InputError } from '../../src/machine/timeline/inputs.ts';
import { Apic } from '../../src/machine/x86/apic.ts';
import { at, flat, hashOf, linearOf, rig } from './rig.ts';

const set = (dbg: Debugger, name: string, value: number, vcpu = 0): void => dbg.edit({ kind: 'register', vcpu, name, value });
const poke = (dbg: Debugger, offset: number, value: number, vcpu = 0): void => dbg.edit({ kind: 'lapic', vcpu, offset, value });
const lapic = (dbg: Debugger, offset: number, vcpu = 0): number | undefined => dbg.view.lapic(vcpu, offset);

async function standing(label: string, source: string): Promise<Debugger> {
  const dbg = rig({ source });
  dbg.breakpoints.setFunctions([{ text: label }]);
  dbg.entry();
  await dbg.continue();
  dbg.breakpoints.setFunctions([]);
  return dbg;
}

const INTERRUPTS = flat(`
        lidt    [idtr]
        mov     dword [LAPIC+0x0F0], 0x1FF
        sti
main:   inc     ebx
        jmp     main
on_vector:
        mov     dword [LAPIC+0x0B0], 0
        iret
idt:    times 0x40 dq 0
        dw      0xF000+on_vector-$$, 0x08, 0x8E00, 0xFFFF
idtr:   dw      0x41*8-1
        dd      idt`);

describe('an edit', () => {
  it('counts as a stop of its own for what was looked up, and is told', async () => {
    const dbg = await standing('main', INTERRUPTS);
    let told = 0;
    dbg.listeners = { onEdit: () => told++ };
    const { generation } = dbg;
    set(dbg, 'ebx', 7);
    expect(dbg.generation).toBe(generation + 1);
    expect(told).toBe(1);
    await dbg.step({ vcpu: 0, kind: 'in', by: 'instruction' });
    expect(dbg.view.register(0, 'ebx')).toBe(8);
  });

  it('happens again when the run is repeated, and going back beyond it undoes it', async () => {
    const dbg = await standing('main', INTERRUPTS);
    const was = dbg.machine.clock.instructions;
    set(dbg, 'ebx', 1000);
    dbg.edit({ kind: 'memory', gpa: 0x3000, bytes: Uint8Array.of(1, 2, 3) });
    poke(dbg, Apic.TPR, 0x30);
    dbg.edit({ kind: 'ioapic', register: 0x14, value: 0x12345 });
    dbg.timeline.goTo(was + 500);
    const then = hashOf(dbg);
    dbg.timeline.goTo(was);
    expect(dbg.view.register(0, 'ebx')).toBe(0);
    expect(dbg.view.peek(0, 0x3000, 1)).toBe(0);
    expect(lapic(dbg, Apic.TPR)).toBe(0);
    expect(dbg.machine.platform.ioapic.peekRegister(0x14)).toBe(0x10000);
    dbg.timeline.goTo(was + 500);
    expect(hashOf(dbg)).toBe(then);
  });

  it('in the past makes another future', async () => {
    const dbg = await standing('main', INTERRUPTS);
    const from = dbg.machine.clock.instructions;
    dbg.timeline.goTo(from + 1000);
    for (let i = 0; i < 5; i++) await dbg.stepBack({ vcpu: 0, by: 'instruction' });
    set(dbg, 'ebx', 0x10000);
    dbg.timeline.goTo(from + 1000);
    expect(dbg.view.register(0, 'ebx')).toBeGreaterThan(0x10000);
  });
});

describe('where a vCPU goes on', () => {
  it('is set by EIP, and the next step starts there', async () => {
    const dbg = await standing('main', INTERRUPTS);
    set(dbg, 'eip', at(dbg, 'on_vector'));
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'on_vector'));
    await dbg.step({ vcpu: 0, kind: 'in', by: 'instruction' });
    expect(dbg.machine.ledger.exitAt(dbg.machine.ledger.exitCount)).toMatchObject({ address: 0xfee000b0, write: true });
  });
  it('set at a stop at an exit is shown, and is where the first step starts', async () => {
    const dbg = rig();
    dbg.breakpoints.setFunctions([{ text: 'lapic.svr:w' }]);
    dbg.entry();
    await dbg.continue();
    expect(dbg.stop?.at).toBeDefined();
    set(dbg, 'eip', at(dbg, 'start32'));
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'start32'));
    await dbg.step({ vcpu: 0, kind: 'in', by: 'line' });
    expect(dbg.view.register(0, 'eax')! & 0xff).toBe(0x10);
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'start32') + 2);
  });
  it('is set by CS in real-address mode, whose base is 16 times the selector', () => {
    const dbg = rig();
    dbg.entry();
    set(dbg, 'cs', 0x1234);
    expect(dbg.view.register(0, 'cs')).toBe(0x1234);
    expect(linearOf(dbg, 0)).toBe(0x12340 + 0xfff0);
    set(dbg, 'ss', 0x100);
    expect(dbg.view.register(0, 'ss.base')).toBe(0x1000);
  });
  it('in protected mode takes base, limit and size from the descriptor, and refuses what could not be loaded', async () => {
    const source = flat(`
main:   nop
        jmp     $
align 8
more:   dq      0
        dq      0x00CF9B000000FFFF
        dq      0x00CF93000000FFFF
        dq      0x00009B00F000FFFF      ; 18: code of 16 bits, base F000h
        dq      0x00CF13000000FFFF      ; 20: not present
        dq      0x0000820000000000      ; 28: LDT
        dq      0x00CFFB000000FFFF      ; 30: code for level 3`);
    const dbg = await standing('main', source);
    set(dbg, 'gdtr.base', at(dbg, 'more'));
    set(dbg, 'gdtr.limit', 0x37);
    const was = hashOf(dbg);
    for (const [name, selector, why] of [
      ['cs', 0, 'it is null'],
      ['ss', 0, 'it is null'],
      ['ds', 0x38, 'it lies beyond the end of the GDT'],
      ['ds', 0x20, 'is not present'],
      ['es', 0x28, 'is a system descriptor'],
      ['cs', 0x10, 'is a data segment'],
      ['ss', 0x08, 'is no writable data segment'],
      ['cs', 0x33, 'the vCPU runs at privilege level 0'],
      ['fs', 0x12345, 'a selector has 16 bits'],
    ] as const) {
      expect(() => set(dbg, name, selector), name).toThrow(DebuggerError);
      expect(() => set(dbg, name, selector)).toThrow(why);
    }
    expect(hashOf(dbg)).toBe(was);
    set(dbg, 'cs', 0x18);
    expect(dbg.view.register(0, 'cs.base')).toBe(0xf000);
    expect(dbg.view.register(0, 'cs.limit')).toBe(0xffff);
    expect(dbg.view.code(0).bits).toBe(16);
    set(dbg, 'cs', 8);
    expect(dbg.view.code(0).bits).toBe(32);
    set(dbg, 'ds', 0);
    expect(dbg.view.register(0, 'ds.access')! & 0x10000).not.toBe(0);
    await dbg.step({ vcpu: 0, kind: 'in', by: 'instruction' });
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'main') + 1);
  });
});

describe('memory', () => {
  it('that is code takes effect at once', async () => {
    const dbg = await standing(
      'main',
      flat(`
        mov     dword [0x5000], 0x90909090
        mov     word [0x5004], 0xFAEB           ; four NOP and a jump back to them
main:   nop`),
    );
    set(dbg, 'eip', 0x5000);
    await dbg.step({ vcpu: 0, kind: 'in', by: 'instruction' });
    dbg.edit({ kind: 'memory', gpa: 0x5001, bytes: Uint8Array.of(0x43) }); // inc ebx
    await dbg.step({ vcpu: 0, kind: 'in', by: 'instruction' });
    expect(dbg.view.register(0, 'ebx')).toBe(1);
  });
  it('that cannot be written is refused: ROM, and where there is none', () => {
    const dbg = rig();
    dbg.entry();
    const memory = (gpa: number): void => dbg.edit({ kind: 'memory', gpa, bytes: Uint8Array.of(1, 2) });
    expect(() => memory(0xfffffff0)).toThrow(new InputError('guest-physical address FFFFFFF0h is ROM: it cannot be written'));
    expect(() => memory(0x80000000)).toThrow(new InputError('there is no memory at guest-physical address 80000000h'));
    expect(() => memory(0x3fffff)).toThrow(new InputError('there is no memory at guest-physical address 00400000h'));
    expect(dbg.view.peek(0, 0x3fffff, 1)).toBe(0);
  });
});

describe('a local APIC register', () => {
  it('holds what it was set to, and ICR_LO sends nothing', async () => {
    const dbg = await standing('main', INTERRUPTS);
    const { ipiCount } = dbg.machine.ledger;
    for (const [offset, value] of [
      [Apic.TPR, 0x42],
      [Apic.LDR, 0x01000000],
      [Apic.DFR, 0x0fffffff],
      [Apic.ESR, 0x20],
      [Apic.ICR_LO, 0x000c4500],
      [Apic.ICR_HI, 0x02000000],
      [Apic.LVT_TIMER, 0x20030],
      [Apic.TDCR, 0xb],
      [Apic.TICR, 12345],
      [Apic.SVR, 0x1aa],
      [Apic.TMR + 0x20, 0x00010000],
    ] as const) {
      poke(dbg, offset, value);
      expect(lapic(dbg, offset), offset.toString(16)).toBe(value);
    }
    expect(dbg.machine.ledger.ipiCount).toBe(ipiCount);
    await dbg.step({ vcpu: 0, kind: 'in', by: 'instruction' });
    expect(dbg.machine.ledger.ipiCount).toBe(ipiCount);
    expect(lapic(dbg, Apic.TCCR)).toBeGreaterThan(0);
  });
  it('IRR set has the interrupt taken, when the priority allows it', async () => {
    const dbg = await standing('main', INTERRUPTS);
    poke(dbg, Apic.TPR, 0x40);
    poke(dbg, Apic.IRR + 0x20, 1); // vector 40h
    await dbg.step({ vcpu: 0, kind: 'in', by: 'instruction' });
    expect(dbg.program.labelAt(linearOf(dbg, 0))?.name).toBe('main');
    poke(dbg, Apic.TPR, 0);
    await dbg.step({ vcpu: 0, kind: 'in', by: 'instruction' });
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'on_vector'));
    expect(lapic(dbg, Apic.ISR + 0x20)).toBe(1);
    expect(lapic(dbg, Apic.PPR)).toBe(0x40);
    poke(dbg, Apic.ISR + 0x20, 0);
    expect(lapic(dbg, Apic.PPR)).toBe(0);
  });
  it('IRR set wakes a vCPU that sleeps', async () => {
    const dbg = await standing('main', INTERRUPTS.replace('main:   inc     ebx', 'main:   hlt'));
    await dbg.step({ vcpu: 0, kind: 'over', by: 'instruction' });
    poke(dbg, Apic.IRR + 0x20, 1);
    await dbg.step({ vcpu: 0, kind: 'in', by: 'instruction' });
    expect(linearOf(dbg, 0)).toBe(at(dbg, 'on_vector'));
  });
  it('that cannot change is refused, in a sentence', () => {
    const dbg = rig();
    dbg.entry();
    for (const [offset, why] of [
      [Apic.ID, 'ID is the number of the vCPU, which cannot change'],
      [Apic.VERSION, 'VERSION is read-only'],
      [Apic.PPR, 'PPR follows from TPR and ISR: change one of these'],
      [Apic.TCCR, 'TCCR counts down from TICR: change that'],
      [Apic.EOI, 'EOI holds nothing: it is only written to'],
      [0x40, 'the local APIC has no register at offset 040h: there are 020h to 3E0h, in steps of 10h'],
    ] as const)
      expect(() => poke(dbg, offset, 1)).toThrow(new InputError(why));
    expect(() => poke(dbg, Apic.TPR, 0, 9)).toThrow(new InputError('vCPU 9: there are 0 to 3'));
    expect(() => poke(dbg, Apic.TPR, -1)).toThrow(InputError);
  });
});

describe('an I/O APIC register', () => {
  it('holds what it was set to, whatever IOREGSEL says', () => {
    const dbg = rig();
    dbg.entry();
    const { ioapic } = dbg.machine.platform;
    dbg.edit({ kind: 'ioapic', register: 0x14, value: 0x0000c930 });
    dbg.edit({ kind: 'ioapic', register: 0x15, value: 0x02000000 });
    expect(ioapic.peekRegister(0x14)).toBe(0x0000c930);
    expect(ioapic.peekRegister(0x15)).toBe(0x02000000);
    expect(ioapic.selected).toBe(0);
  });
  it('that cannot change is refused, in a sentence', () => {
    const dbg = rig();
    dbg.entry();
    const edit = (register: number): void => dbg.edit({ kind: 'ioapic', register, value: 1 });
    expect(() => edit(1)).toThrow(new InputError('I/O APIC register 01h is read-only'));
    expect(() => edit(0x99)).toThrow(InputError);
  });
});
