import { describe, expect, it } from 'vitest';
import type { Hit } from '../../src/debugger/engine.ts';
import { explainEnd } from '../../src/debugger/explain.ts';
import { FILTERS } from '../../src/debugger/filters.ts';
import { EventKind } from '../../src/machine/ledger/records.ts';
import { Reason } from '../../src/machine/ledger/verdict.ts';
import { eventWords } from '../../src/machine/ledger/words.ts';
import { codeRig, type Rig, sampleRig, startingRig } from './breakpoint-rig.ts';

/** All hits of one filter until the machine ends, those of its end included. */
function hitsOf(rig: Rig, filter: string, condition?: string): Hit[] {
  expect(rig.breakpoints.setFilters([{ filter, condition }])).toMatchObject([{ verified: true }]);
  const all: Hit[] = [];
  for (let i = 0; i < 1_000; i++) {
    const { kind, hits } = rig.run();
    for (const hit of hits) expect(hit).toMatchObject({ kind: 'filter', filter });
    all.push(...hits);
    if (kind !== 'breakpoint') return all;
  }
  throw new Error('it did not come to an end');
}

describe('filters', () => {
  it('are few, each with a text and an example of a condition that it takes', () => {
    expect(FILTERS.length).toBeLessThanOrEqual(10);
    expect(FILTERS.filter((f) => f.default).map((f) => f.filter)).toEqual(['fatal', 'lost-ipi', 'stuck']);
    const { breakpoints } = sampleRig();
    for (const { filter, label, description, conditionDescription } of FILTERS) {
      expect(label.length, filter).toBeLessThan(40);
      expect(description, filter).toMatch(/\.$/);
      expect(breakpoints.setFilters([{ filter, condition: conditionDescription }]), filter).toMatchObject([{ verified: true }]);
    }
  });
  it('that do not exist, or whose condition cannot be, are unverified with the reason', () => {
    const { breakpoints } = sampleRig();
    expect(breakpoints.setFilters([{ filter: 'lost-ipis' }, { filter: 'pio', condition: 'exit.prt == 1' }])).toMatchObject([
      { verified: false, message: 'There is no filter "lost-ipis". Did you mean lost-ipi?' },
      { verified: false, message: 'In the condition, column 1: There is no "exit.prt". Did you mean exit.port?' },
    ]);
    expect(breakpoints.engine.breakpoints).toEqual([]);
  });
  it('are off until they are set, and keep their ids when another one is', () => {
    const { breakpoints } = sampleRig();
    expect(breakpoints.engine.breakpoints).toEqual([]);
    const [fatal] = breakpoints.setFilters([{ filter: 'fatal' }]);
    expect(breakpoints.setFilters([{ filter: 'pio' }, { filter: 'fatal' }])[1]?.id).toBe(fatal?.id);
  });
});

describe('the filter lost-ipi', () => {
  it('stops at what a vCPU refuses, with the vCPU and the reason, but not at a SIPI to one that runs already', () => {
    const rig = sampleRig();
    const hits = hitsOf(rig, 'lost-ipi');
    expect(hits.map(({ focus }) => [focus.ipi?.number, focus.target?.vcpu, focus.target?.reason])).toEqual([
      [7, 3, Reason.softwareDisabled],
    ]);
    expect(rig.machine.ledger.ipiAt(3)?.targets[3]?.reason).toBe(Reason.alreadyRunning);
  });
  it('takes a condition on the target', () => {
    expect(hitsOf(sampleRig(), 'lost-ipi', 'ipi.mode == FIXED && ipi.target == 3').map(({ focus }) => focus.ipi?.number)).toEqual([7]);
    expect(hitsOf(sampleRig(), 'lost-ipi', 'ipi.target == 2')).toEqual([]);
  });
  it('asks its condition of each vCPU that lost the IPI', () => {
    const hits = hitsOf(sampleRig('illumos-2020-10'), 'lost-ipi', 'ipi.target == 2');
    expect(hits.map(({ focus }) => [focus.ipi?.number, focus.target?.vcpu, focus.target?.reason])).toEqual([[1, 2, Reason.notHandled]]);
  });
  it('stops at an IPI to an APIC ID that nobody has, but not at a de-assert nor at a shorthand that names nobody', () => {
    const rig = codeRig(`start32:
        mov ax, 0x10
        mov ds, ax
        mov dword [0xFEE000F0], 0x1FF
        mov dword [0xFEE00300], 0xC4500         ; INIT to all excluding self: there is nobody else
        mov dword [0xFEE00310], 0x05000000
        mov dword [0xFEE00300], 0x8500          ; INIT level de-assert
        mov dword [0xFEE00300], 0x4500          ; INIT for APIC ID 5
        cli
        hlt`);
    const hits = hitsOf(rig, 'lost-ipi');
    expect(hits.map(({ focus }) => focus.ipi?.icrLow)).toEqual([0x4500]);
  });
});

describe('the filter fatal', () => {
  it('stops at the end of the machine that came to grief, with the exit that led to it', () => {
    const [hit, ...more] = hitsOf(sampleRig(), 'fatal');
    expect(more).toEqual([]);
    expect(hit?.focus.exit?.note).toBe('opcode 87 is not emulated on MMIO');
    expect(hitsOf(sampleRig('illumos-2020-10'), 'fatal')[0]?.focus.exit?.note).toBe('bad pending MMIO state');
    const faulty = codeRig('start32: ud2');
    expect(hitsOf(faulty, 'fatal')).toHaveLength(1);
    expect(explainEnd(faulty.machine.end!)).toMatch(/triple fault/i);
  });
  it('takes a condition on that exit', () => {
    expect(hitsOf(sampleRig(), 'fatal', 'exit.final == INST_EMUL')).toHaveLength(1);
    expect(hitsOf(sampleRig(), 'fatal', 'exit.final == PAGING')).toEqual([]);
  });
  it('says nothing of an end in order', () => {
    const rig = codeRig('start32: cli\n hlt');
    expect(hitsOf(rig, 'fatal')).toEqual([]);
    expect(rig.machine.end?.kind).toBe('suspended');
  });
  it('costs a running machine nothing: no record is made for it', () => {
    const rig = sampleRig();
    rig.breakpoints.setFilters([{ filter: 'fatal' }, { filter: 'stuck' }]);
    rig.run(1);
    expect(rig.machine.observers).toMatchObject({ onExit: undefined, onIpi: undefined, onEvent: undefined });
  });
});

describe('the filter stuck', () => {
  it('stops when nothing can happen any more', () => {
    const rig = codeRig('start32: sti\n hlt');
    expect(hitsOf(rig, 'stuck')).toHaveLength(1);
    expect(rig.machine.end?.kind).toBe('stuck');
    expect(hitsOf(codeRig('start32: ud2'), 'stuck')).toEqual([]);
  });
});

describe('the filter guest-exception', () => {
  const code = `start32:
        mov ax, 0x10
        mov ds, ax
        lidt [idtr]
        ud2
resume: mov ax, 0x20                    ; beyond the GDT's limit
        mov es, ax
        hlt
on_ud:  mov dword [esp], resume
        iret
on_gp:  cli
        hlt
idt:    times 6 dq 0
        dw 0xF000+on_ud-$$, 0x08, 0x8E00, 0xFFFF
        times 6 dq 0
        dw 0xF000+on_gp-$$, 0x08, 0x8E00, 0xFFFF
idtr:   dw 14*8-1
        dd idt`.replace('mov ds, ax', 'mov ds, ax\n mov ss, ax\n mov esp, 0x7000');
  it('stops at exceptions of the guest, with vector and error code', () => {
    const hits = hitsOf(codeRig(code), 'guest-exception');
    expect(hits.map(({ focus }) => [focus.vector, focus.value, focus.event?.kind])).toEqual([
      [6, 0, EventKind.exception],
      [13, 0x20, EventKind.exception],
    ]);
  });
  it('takes a condition on the vector', () => {
    expect(hitsOf(codeRig(code), 'guest-exception', 'vector in (13, 14)').map(({ focus }) => focus.vector)).toEqual([13]);
    expect(hitsOf(codeRig(code), 'guest-exception', 'vector == 13 && value == 0')).toEqual([]);
  });
});

describe('the filter apic-error', () => {
  const code = `start32:
        mov ax, 0x10
        mov ds, ax
        mov dword [0xFEE000F0], 0x1FF
        mov dword [0xFEE00300], 0x44005         ; vector 5 to self
        mov dword [0xFEE00300], 0x44006
        mov dword [0xFEE00280], 0
        cli
        hlt`;
  it('stops when a local APIC notes an error, each time', () => {
    const hits = hitsOf(codeRig(code), 'apic-error');
    expect(hits.map(({ focus }) => [focus.value, focus.event?.kind, focus.event?.detail])).toEqual([
      [0x20, EventKind.apicError, 0x20],
      [0x20, EventKind.apicError, 0x20],
    ]);
    expect(eventWords(hits[0]!.focus.event!)).toBe('notes an APIC error: sent illegal vector');
    expect(hitsOf(codeRig(code), 'apic-error', 'value & 0x40')).toEqual([]);
  });
});

describe('the filters for groups of exits', () => {
  it('stop at each exit of their group', () => {
    const codes = (filter: string, condition?: string): string[] =>
      hitsOf(sampleRig(), filter, condition).map(({ focus }) => String(focus.exit?.code));
    expect(codes('pio')).toEqual(['0', '0', '0', '0', '0', '0']);
    expect(codes('pio', 'exit.port == 0x80 && value >= 0x90')).toHaveLength(3);
    expect(codes('msr')).toEqual([]);
    expect(new Set(codes('idle'))).toEqual(new Set(['5']));
    expect(new Set(codes('state'))).toEqual(new Set(['10']));
    expect(new Set(codes('mmio'))).toEqual(new Set(['11']));
    expect(codes('mmio', 'exit.gpa == 0xFEE00300 && exit.write && value == 0xC4500')).toHaveLength(1);
  });
  it('tell of an exit once, although a vCPU waits in it', () => {
    const hits = hitsOf(startingRig('illumos'), 'state', 'vcpu == 1');
    const numbers = hits.map(({ focus }) => focus.exit?.number);
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});
