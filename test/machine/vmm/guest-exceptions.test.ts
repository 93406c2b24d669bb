import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../../src/assembly/assembler.ts';
import { EventKind, type EventRecord } from '../../../src/machine/ledger/records.ts';
import { Machine } from '../../../src/machine/machine.ts';
import { pc } from '../../../src/machine/models/pc.ts';
import { processorFactory } from '../../../src/machine/processor-kit.ts';
import { DEFAULT_PROFILE } from '../../../src/machine/profiles/index.ts';
import { index } from '../../assembly/index.ts';

const interpreter = readFileSync(new URL('../../../dist/interpreter.wasm', import.meta.url));

/** A real-mode guest; the interrupt table leads to handlers in the ROM's alias below 1 MiB, which skip the instruction at fault. */
const rom = assemble(
  `bits 16
org 0xF000
start:  xor ax, ax
        mov ss, ax
        mov sp, 0x7000
        mov ds, ax
        mov word [0], handler
        mov word [2], 0xF000
        mov word [6*4], handler
        mov word [6*4+2], 0xF000
        mov word [33*4], plain
        mov word [33*4+2], 0xF000
        xor cx, cx
        nop
fault:  div cx
after:  int 33
undef:  ud2
done:   cli
        hlt
handler: add word [0x600], 1
        push bp
        mov bp, sp
        add word [bp+2], 2
        pop bp
plain:  iret
        times 0xFF0-($-$$) db 0
        jmp start
        times 0x1000-($-$$) db 0
`,
  'exceptions.asm',
  { index },
);

const build = (memoryBytes = 1 << 20): Machine =>
  new Machine({ model: pc, profile: DEFAULT_PROFILE, cpus: 1, memoryBytes, rom: rom.bytes }, processorFactory(interpreter));
const exceptionsOf = (m: Machine): EventRecord[] => {
  const events: EventRecord[] = [];
  for (let n = m.ledger.firstEvent; n <= m.ledger.eventCount; n++) {
    const event = m.ledger.eventAt(n);
    if (event?.kind === EventKind.exception) events.push(event);
  }
  return events;
};

describe("the guest's own exceptions", () => {
  it('stand in the ledger with vector, place and instruction count; INT n is none', () => {
    expect(rom.diagnostics).toEqual([]);
    const m = build();
    m.run({ instructions: 1000 });
    const found = exceptionsOf(m).map(({ value, eip, icount }) => ({ value, eip, icount }));
    // JMP, four that set up the stack, six stores, XOR and NOP come before the division.
    expect(found[0]).toEqual({ value: 0, eip: rom.symbols.get('fault'), icount: 13 });
    expect(found[1]?.value).toBe(6);
    expect(found).toHaveLength(2);
  });
  it('stop the machine before their handler runs, if an observer asks', () => {
    const m = build();
    m.observers.onEvent = (number) => {
      if (m.ledger.eventAt(number)?.kind === EventKind.exception) m.requestStop();
    };
    expect(m.run({ instructions: 1000 })).toBe('stopped');
    expect(m.processor.eip).toBe(rom.symbols.get('handler'));
    expect(m.clock.instructions).toBe(14);
  });
  it('are recorded alike however the run is cut', () => {
    const whole = build();
    whole.run({ instructions: 40 });
    const cut = build();
    for (let i = 0; i < 40; i++) cut.run({ instructions: 1 });
    expect(exceptionsOf(cut)).toEqual(exceptionsOf(whole));
    expect(cut.ledger.digestText).toBe(whole.ledger.digestText);
  });
});

describe('memory beyond 2 GiB', () => {
  it('behaves as any other: the same guest runs to the same state with 3 GiB', () => {
    const [small, large] = [build(), build(3072 * 2 ** 20)];
    for (const m of [small, large]) m.run({ instructions: 1000 });
    expect(large.ledger.digestText).toBe(small.ledger.digestText);
    expect(large.memory.readBytes(0x600, 2)).toEqual(small.memory.readBytes(0x600, 2));
    large.memory.writeBytes(0xbfff_fff0, Uint8Array.of(1, 2, 3));
    expect([...large.memory.readBytes(0xbfff_fff0, 3)]).toEqual([1, 2, 3]);
  });
});
