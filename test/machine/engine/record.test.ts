/** Packed records: what lies in memory for decoded code, and when it dies. */
import { describe, expect, it } from 'vitest';
import { Stop } from '../../../src/machine/cpu/processor.ts';
import { FALL_THROUGH } from '../../../src/machine/emitter/form.ts';
import { liveness } from '../../../src/machine/engine/record.ts';
import { Context, Rec, Segment, State } from '../../../src/machine/state/layout.ts';
import { CODE, Guest } from '../cpu/guest.ts';

const FLAT32 = Context.code32 | Context.stack32 | Context.flat;

/** The run at an address, decoded for flat 32-bit code, field by field. */
function runAt(g: Guest, address: number, context: number = FLAT32) {
  const view = new DataView(g.cpu.memory.buffer);
  const at = g.cpu.records.at(g.cpu.physical.hostForRead(address), context, address, 4096, false, () => 0);
  if (at <= 0) return { at, run: [] };
  const run = [];
  for (let p = at; ; p += Rec.size) {
    const form = g.cpu.forms.list[view.getUint16(p + Rec.form, true)];
    if (!form) throw new Error('no form');
    run.push({
      key: form.key,
      handler: view.getUint16(p + Rec.handler, true) === form.id,
      operands: [0, 1, 2].map((k) => view.getUint8(p + Rec.operand + k)),
      length: view.getUint8(p + Rec.length),
      base: view.getUint8(p + Rec.base),
      index: view.getUint8(p + Rec.index),
      scale: view.getUint8(p + Rec.scale),
      segment: view.getUint8(p + Rec.segment),
      disp: view.getInt32(p + Rec.disp, true),
      immediate: view.getBigInt64(p + Rec.immediate, true),
      link: view.getInt32(p + Rec.link, true),
      offset: view.getUint16(p + Rec.offset, true),
      count: view.getUint8(p + Rec.count),
    });
    const last = run[run.length - 1] as (typeof run)[number];
    if (last.count <= 1 || form.definition.name === FALL_THROUGH) {
      if (last.count === 0 || form.control !== 'next') return { at, run };
    }
  }
}

describe('a record', () => {
  it('holds operand slots, displacement and immediate', () => {
    const g = new Guest().flat('add dword [ebx+ecx*4+0x12345678], -2; mov ah, dl; push dword [ebp-4]; hlt');
    const { run } = runAt(g, CODE);
    expect(run[0]).toMatchObject({
      key: 'add.32.mi.a32',
      handler: true,
      length: 8,
      base: 3 * 8,
      index: 8,
      scale: 2,
      segment: State.baseSlot + Segment.DS * 8,
      disp: 0x12345678,
      immediate: -2n,
      offset: CODE & 0xfff,
    });
    expect(run[1]).toMatchObject({ key: 'mov.8.rr', operands: [1, 2 * 8, 0], length: 2 });
    expect(run[2]).toMatchObject({
      key: 'push.32.b.a32.s32',
      base: 5 * 8,
      index: State.zeroSlot,
      disp: -4,
      segment: State.baseSlot + Segment.SS * 8,
    });
  });
  it('counts the instructions to the end of its run', () => {
    const { run } = runAt(new Guest().flat('nop; nop; nop; jmp $'), CODE);
    expect(run.map((r) => r.count)).toEqual([4, 3, 2, 1]);
  });
  it('has the target of a branch in its page linked as soon as both are decoded', () => {
    const g = new Guest().flat('jmp on; nop; on: inc eax; jmp back; back: hlt');
    const jump = runAt(g, CODE);
    expect(jump.run[0]?.link).toBe(0);
    const on = runAt(g, g.label('on'));
    expect(runAt(g, CODE).run[0]?.link).toBe(on.at);
    const back = runAt(g, g.label('back'));
    expect(runAt(g, g.label('on')).run[1]?.link).toBe(back.at);
  });
  it('of a branch out of its page is not linked', () => {
    const g = new Guest().flat('jmp 0x9000');
    g.put('hlt', 0x9000);
    runAt(g, 0x9000);
    expect(runAt(g, CODE).run[0]).toMatchObject({ link: 0, immediate: BigInt(0x9000 - (CODE & ~0xfff)) });
  });
  it('differs by context: the same bytes as 16-bit code, and through segments', () => {
    const g = new Guest().flat('mov eax, [ebx]; hlt');
    expect(runAt(g, CODE).run[0]?.key).toBe('mov.32.rb.a32');
    expect(runAt(g, CODE, Context.code32 | Context.stack32).run[0]?.key).toBe('mov.32.rm.a32.seg');
    expect(runAt(g, CODE, 0).run[0]?.key).toBe('mov.16.rm.a16.seg');
  });
  it('with an override to a segment that is not flat is segmented in a flat context as well', () => {
    const g = new Guest().flat('mov eax, [fs:ebx]; mov eax, [cs:ebx]; mov eax, [es:ebx]; hlt');
    expect(
      runAt(g, CODE)
        .run.map((r) => r.key)
        .slice(0, 3),
    ).toEqual(['mov.32.rm.a32.seg', 'mov.32.rm.a32.seg', 'mov.32.rb.a32']);
  });
  it('stays until something about its bytes changes', () => {
    const g = new Guest().flat('nop; hlt');
    const { at } = runAt(g, CODE);
    expect(runAt(g, CODE).at).toBe(at);
    const { generation } = g.cpu.records;
    g.write8(CODE + 0x200, 1);
    expect(g.cpu.records.generation).toBe(generation);
    g.write8(CODE, 0x40);
    expect(g.cpu.records.generation).toBeGreaterThan(generation);
    expect(runAt(g, CODE).run[0]?.key).toBe('inc.32.r');
  });
});

describe('a run', () => {
  it('of 64 instructions goes on in another', () => {
    const g = new Guest().flat('times 100 inc eax; hlt');
    const { run } = runAt(g, CODE);
    expect(run[0]?.count).toBe(64);
    g.set({ eax: 0 });
    expect(g.run()).toBe('hlt');
    expect(g.get('eax')).toBe(100);
  });
  it('ends before an instruction that crosses into the next page', () => {
    const g = new Guest().flat('nop');
    g.put('inc eax; inc eax; mov eax, 1; hlt', 0x8ffb);
    g.put('inc eax; inc eax; mov eax, 1; hlt', 0x8ffb);
    expect(runAt(g, 0x8ffb).run[0]?.count).toBe(2);
  });
  it('with bytes of a page that cannot be fetched from is none', () => {
    const g = new Guest().flat('nop');
    g.put('mov eax, 1; hlt', 0x8ffe);
    expect(runAt(g, 0x8ffe).at).toBe(0);
  });
});

describe('the cache', () => {
  it('starts anew when it is full, and counts stay exact', () => {
    const jumps = 140_000;
    const g = new Guest().flat('jmp 0x20000');
    const bytes = new Uint8Array(g.cpu.memory.buffer);
    const ram = g.cpu.physical.hostForRead(0x20000);
    for (let i = 0; i < jumps; i++) bytes.set([0xeb, 0x00], ram + 2 * i);
    bytes[ram + 2 * jumps] = 0xf4;
    const { generation } = g.cpu.records;
    expect(g.cpu.run(1 + jumps)).toBe(Stop.budget);
    expect(g.cpu.retired).toBe(1 + jumps);
    expect(g.get('eip')).toBe(0x20000 + 2 * jumps);
    expect(g.cpu.records.generation).toBeGreaterThan(generation);
    expect(g.cpu.run(10)).toBe(Stop.hlt);
  });
});

describe('liveness', () => {
  it('flags that the next instruction overwrites are seen by nobody', () => {
    const g = new Guest().flat('add eax, 1; add ebx, 1; adc ecx, 0; mov edx, eax; sub edx, 5; jz $');
    const view = new DataView(g.cpu.memory.buffer);
    const { at } = runAt(g, CODE);
    const run = Array.from({ length: 6 }, (_, k) => g.cpu.forms.list[view.getUint16(at + k * Rec.size + Rec.form, true)]).filter(
      (f) => f !== undefined,
    );
    expect(liveness(run)).toEqual([false, true, false, false, true, true]);
  });
  it('an access to memory shows them, because it may fault', () => {
    const g = new Guest().flat('add eax, 1; mov edx, [ebx]; sub edx, 5; jmp $');
    const view = new DataView(g.cpu.memory.buffer);
    const { at } = runAt(g, CODE);
    const run = Array.from({ length: 4 }, (_, k) => g.cpu.forms.list[view.getUint16(at + k * Rec.size + Rec.form, true)]).filter(
      (f) => f !== undefined,
    );
    expect(liveness(run)).toEqual([true, false, true, true]);
  });
});
