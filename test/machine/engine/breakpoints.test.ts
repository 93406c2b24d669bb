/** Instruction breakpoints: before which instructions a run stops. */
import { describe, expect, it } from 'vitest';
import { EventType, Request, Stop } from '../../../src/machine/cpu/processor.ts';
import { CODE, DATA, Guest } from '../cpu/guest.ts';

const flat = (source: string): Guest => new Guest().flat(source);
const breakAt = (g: Guest, ...labels: string[]): void => {
  g.cpu.breakpoints = new Set(labels.map((l) => g.label(l)));
};

describe('breakpoints', () => {
  it('a run stops before the instruction, with nothing of it executed', () => {
    const g = flat('mov eax, 1; here: mov eax, 2; nop');
    breakAt(g, 'here');
    expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    expect(g.registers('eax', 'eip')).toEqual({ eax: 1, eip: g.label('here') });
    expect(g.cpu.retired).toBe(1);
  });
  it('the next run goes on with that instruction', () => {
    const g = flat('here: mov eax, 2; there: nop');
    breakAt(g, 'here', 'there');
    expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    expect(g.get('eip')).toBe(g.label('there'));
    expect(g.cpu.retired).toBe(1);
    expect(g.run()).toBe('hlt');
  });
  it('also before the first instruction of all', () => {
    const g = flat('here: nop');
    breakAt(g, 'here');
    expect(g.cpu.run(1)).toBe(Stop.breakpoint);
    expect(g.cpu.retired).toBe(0);
  });
  it('each time round a loop', () => {
    const g = flat('mov ecx, 5; top: inc eax; here: dec ecx; jnz top');
    breakAt(g, 'here');
    let stops = 0;
    while (g.cpu.run(1000) === Stop.breakpoint) stops++;
    expect(stops).toBe(5);
  });
  it('a jump to itself stops each time', () => {
    const g = flat('here: jmp here');
    breakAt(g, 'here');
    g.cpu.run(100);
    for (let i = 0; i < 5; i++) {
      expect(g.cpu.run(100)).toBe(Stop.breakpoint);
      expect(g.cpu.retired).toBe(1);
    }
  });
  it('once at a repeated string instruction, not once for each iteration', () => {
    const g = flat(`cld; mov edi, ${DATA}; mov ecx, 10; here: rep stosb; nop`);
    breakAt(g, 'here');
    expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    expect(g.run()).toBe('hlt');
    expect(g.get('ecx')).toBe(0);
    const h = flat(`cld; mov edi, ${DATA}; mov ecx, 10; here: rep stosb; nop`);
    breakAt(h, 'here');
    h.cpu.run(100);
    for (let i = 0; i < 10; i++) expect(h.cpu.run(1), `iteration ${i}`).toBe(Stop.budget);
    expect(h.get('ecx')).toBe(0);
    expect(h.run()).toBe('hlt');
  });
  it('not again when an instruction that exited there is completed', () => {
    const g = flat('here: in al, 0x80; nop');
    breakAt(g, 'here');
    expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    expect(g.cpu.run(100)).toBe(Stop.inout);
    Object.assign(g.cpu.requests.inout, { state: Request.DONE, value: 7 });
    expect(g.cpu.complete()).toBe(Stop.budget);
    g.cpu.requests.clear();
    expect(g.get('al')).toBe(7);
    expect(g.run()).toBe('hlt');
  });
  it('again when an interrupt came before the instruction and its handler returns to it', () => {
    const g = flat('sti; here: nop; nop');
    g.setGate(0x41, [0x00089000, 0x00008e00]);
    g.put('iretd', 0x9000);
    breakAt(g, 'here');
    expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    g.cpu.inject(0x41, EventType.external);
    expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    expect([g.get('eip'), g.cpu.retired]).toEqual([g.label('here'), 1]);
  });
  it('in the middle of a run that was decoded before', () => {
    const g = flat('top: inc eax; inc ecx; here: inc edx; jmp top');
    g.cpu.run(10);
    breakAt(g, 'here');
    expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    expect(g.get('eip')).toBe(g.label('here'));
    g.cpu.breakpoints = new Set();
    expect(g.cpu.run(100)).toBe(Stop.budget);
  });
  it('where a slice ends as well, the breakpoint is met by the next run', () => {
    const g = flat('nop; nop; here: nop');
    breakAt(g, 'here');
    expect(g.cpu.run(2)).toBe(Stop.budget);
    expect(g.cpu.run(1)).toBe(Stop.breakpoint);
    expect(g.cpu.run(1)).toBe(Stop.budget);
  });
  it('at an instruction that faults', () => {
    const g = flat('here: ud2');
    breakAt(g, 'here');
    expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    expect(g.run()).toBe('#UD');
  });
  it('in code that is written to', () => {
    const g = flat('mov byte [here+1], 9; here: mov al, 1; nop');
    breakAt(g, 'here');
    expect(g.cpu.run(100)).toBe(Stop.breakpoint);
    expect(g.run()).toBe('hlt');
    expect(g.get('al')).toBe(9);
  });
  it('at an address in the middle of an instruction nothing stops', () => {
    const g = flat('here: mov eax, 0x90909090; nop');
    g.cpu.breakpoints = new Set([g.label('here') + 2]);
    expect(g.run()).toBe('hlt');
  });
});

describe('breakpoints are at linear addresses', () => {
  const paged = (source: string): Guest => {
    const g = new Guest().flat(source);
    g.write32(0x20000, 0x21007, 0x21007);
    for (let page = 0; page < 256; page++) g.write32(0x21000 + page * 4, (page << 12) | 7);
    g.set({ cr3: 0x20000, cr0: 0x80000011 });
    g.put('inc eax; inc eax; ret', 0x9000);
    return g;
  };
  it('the segment base counts', () => {
    const g = new Guest().real('here: nop; nop', 0x1000, 0x20);
    g.cpu.breakpoints = new Set([0x10021]);
    expect(g.cpu.run(10)).toBe(Stop.breakpoint);
    expect(g.get('eip')).toBe(0x21);
  });
  it('the same page at another address does not stop', () => {
    const g = paged('call 0x409000; nop');
    g.cpu.breakpoints = new Set([0x9001]);
    expect(g.run()).toBe('hlt');
  });
  it('nor does it hide the breakpoint, whichever was decoded first', () => {
    for (const [first, second] of [
      [0x9000, 0x409000],
      [0x409000, 0x9000],
    ] as const) {
      const g = paged(`call ${first}; call ${second}; call ${first}; call ${second}`);
      g.cpu.breakpoints = new Set([0x9001]);
      const stops: number[] = [];
      while (g.cpu.run(1000) === Stop.breakpoint) stops.push(g.get('eip'));
      expect(stops, `${first.toString(16)} first`).toEqual([0x9001, 0x9001]);
      g.cpu.breakpoints = new Set();
    }
  });
  it('a page mapped to another frame keeps the breakpoint', () => {
    const g = paged('call 0x409000; mov dword [0x22024], 0xa007; mov eax, cr3; mov cr3, eax; call 0x409000');
    g.write32(0x20004, 0x22007);
    g.write32(0x22024, 0x9007);
    g.put('nop; nop; nop; ret', 0xa000);
    g.cpu.breakpoints = new Set([0x409001]);
    const stops: number[] = [];
    while (g.cpu.run(1000) === Stop.breakpoint) stops.push(g.read8(0xa000));
    expect(stops.length).toBe(2);
  });
});

it('breakpoints change neither counts nor results', () => {
  const source = `mov ecx, 20; top: add eax, ecx; push eax; call f; pop edx; loop top; hlt; f: inc ebx; ret`;
  const plain = flat(source);
  plain.set({ eax: 0, ebx: 0 });
  plain.run();
  const g = flat(source);
  g.set({ eax: 0, ebx: 0 });
  breakAt(g, 'top', 'f');
  let retired = 0;
  let stop: Stop;
  do {
    stop = g.cpu.run(3);
    retired += g.cpu.retired;
  } while (stop !== Stop.hlt);
  expect(retired).toBe(plain.cpu.retired);
  expect(g.snapshot(CODE, 0x100)).toBe(plain.snapshot(CODE, 0x100));
});
