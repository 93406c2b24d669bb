/** Instruction counts: a run of n retires exactly n, whatever the program does, and how a run is cut into pieces cannot be seen. */
import { describe, expect, it } from 'vitest';
import { Request, Stop } from '../../../src/machine/cpu/processor.ts';
import { CODE0, DATA, DATA3, Guest, gate, STACK } from '../cpu/guest.ts';

const IDENTITY = 0x20000;
/** Programs that go on for ever, of all kinds of control flow. */
const programs: Record<string, (g: Guest) => void> = {
  'a loop of one run': (g) => g.flat('mov ecx, 7; xor eax, eax; top: add eax, ecx; dec ecx; and ecx, 15; xor edx, eax; jmp top'),
  'a loop of one instruction': (g) => g.flat('inc eax; top: jmp top'),
  'LOOP on itself': (g) => g.flat('top: mov ecx, 9; self: loop self; jmp top'),
  'branches within a run, forwards and backwards': (g) =>
    g.flat(
      'xor eax, eax; xor ecx, ecx; a: inc eax; test al, 1; jz b; inc ecx; nop; b: add ecx, 2; test al, 4; jnz c; dec ecx; c: cmp cl, 50; jb a; xor ecx, ecx; jmp b',
    ),
  'calls and returns': (g) => g.flat('top: call f; inc ebx; call g; jmp top; f: push eax; pop edx; ret; g: call f; ret 0'),
  'indirect jumps': (g) => g.flat('mov esi, a; mov edi, b; a: inc eax; jmp edi; b: inc ecx; jmp esi'),
  'string instructions': (g) =>
    g.flat(
      `cld; top: mov edi, ${DATA}; mov esi, ${DATA + 64}; mov ecx, 5; rep movsd; mov ecx, 3; rep stosb; xor ecx, ecx; rep stosb; mov ecx, 4; mov al, 9; repne scasb; jmp top`,
    ),
  faults: (g) => {
    g.flat('xor ecx, ecx; top: inc eax; ud2; inc ebx; xor edx, edx; div ecx; jmp top');
    for (const v of [0, 6]) g.setGate(v, gate(CODE0, 0x9000, 0x8e));
    g.put('add dword [esp], 2; iretd', 0x9000);
  },
  'interrupts by INT n and IRET': (g) => {
    g.flat('top: inc eax; int 0x41; jmp top');
    g.setGate(0x41, gate(CODE0, 0x9000, 0x8e));
    g.put('inc ebx; iretd', 0x9000);
  },
  'system instructions': (g) =>
    g.flat(
      `top: mov ax, ds; mov fs, ax; cli; mov cr2, eax; mov eax, cr0; mov cr0, eax; sti; nop; pushfd; popfd; cpuid; mov ax, ss; mov ss, ax; inc ecx; jmp top`,
    ),
  'segmented code': (g) => {
    g.flat('top: inc dword [fs:0]; mov eax, [fs:0]; push eax; pop ecx; loop next; next: jmp top');
    g.cpu.window.setSegment(4, 0x40, DATA, 0xffff, 0x4093);
    g.cpu.window.setSegment(3, 0x40, DATA, 0xffff, 0x4093);
  },
  'real-address mode': (g) => g.real('top: inc ax; push ax; pop bx; mov [0x600], bx; mov cx, 3; lp: loop lp; call f; jmp top; f: ret'),
  'a segment that begins within a page': (g) => g.real('top: inc ax; mov cx, 3; lp: loop lp; call f; jmp top; f: ret', 0x07c3, 4),
  'code that changes itself': (g) => g.flat('top: inc byte [v+1]; v: mov al, 0; add ebx, eax; jmp top'),
  'code in two pages': (g) => {
    g.flat('jmp 0x8ff0');
    g.put('top: inc eax; mov ebx, 0x12345678; add ecx, ebx; mov edx, 0x11111111; imul ebx, edx; inc ecx; jmp top', 0x8ff0);
  },
  'single-stepping': (g) => {
    g.flat('pushfd; or dword [esp], 0x100; popfd; top: inc eax; mov ecx, 2; mov edi, 0x600; rep stosb; jmp top');
    g.setGate(1, gate(CODE0, 0x9000, 0x8e));
    g.put('inc ebx; iretd', 0x9000);
  },
  'paging with faults': (g) => {
    g.flat('top: mov edi, 0x400000; xor byte [0x22000], 1; mov edx, cr3; mov cr3, edx; mov eax, [edi]; inc ecx; jmp top');
    g.write32(IDENTITY, 0x21007, 0x22007);
    for (let page = 0; page < 256; page++) g.write32(0x21000 + page * 4, (page << 12) | 7);
    g.write32(0x22000, 0x30006);
    g.setGate(14, gate(CODE0, 0x9000, 0x8e));
    g.put('xor byte [0x22000], 1; invlpg [0x400000]; add esp, 4; iretd', 0x9000);
    g.set({ cr3: IDENTITY, cr0: 0x80000011 });
  },
  'level 3 and back': (g) => {
    g.flat(
      `mov eax, 1; push dword ${DATA3}; push dword 0x7800; push dword 2; push dword 0x1b; push dword user; iretd; user: inc ecx; int 0x41; jmp user`,
    );
    g.setGate(0x41, gate(CODE0, 0x9000, 0xee));
    g.put('inc ebx; iretd', 0x9000);
  },
};

const state = (g: Guest): string => g.snapshot(0, 0x11000);

describe.each(Object.keys(programs))('%s', (name) => {
  const start = programs[name] as (g: Guest) => void;
  const single = new Guest();
  it('run(n) retires n for n from 1 to 200, and is n times run(1)', () => {
    const steps: string[] = [];
    start(single);
    for (let n = 1; n <= 200; n++) {
      expect(single.cpu.run(1), `step ${n}`).toBe(Stop.budget);
      expect(single.cpu.retired).toBe(1);
      steps.push(single.snapshot());
    }
    const g = new Guest();
    for (let n = 1; n <= 200; n++) {
      for (const at of [0x600, DATA, STACK - 64]) g.write32(at, ...new Array<number>(32).fill(0));
      start(g);
      expect(g.cpu.run(n), `run(${n})`).toBe(Stop.budget);
      expect(g.cpu.retired, `run(${n})`).toBe(n);
      expect(g.snapshot(), `after ${n}`).toBe(steps[n - 1]);
    }
    expect(state(g)).toBe(state(single));
  });
  it('pieces of any length give the same after 2,000 instructions', () => {
    const whole = new Guest();
    start(whole);
    whole.cpu.run(2000);
    const pieces = new Guest();
    start(pieces);
    let left = 2000;
    for (let k = 0; left > 0; k++) {
      const n = Math.min(left, 1 + ((k * 7 + (k >> 2)) % 23));
      pieces.cpu.run(n);
      expect(pieces.cpu.retired).toBe(n);
      left -= n;
      if (k % 5 === 0) pieces.cpu.forget();
      if (k % 7 === 0) pieces.cpu.records.clear();
    }
    expect(state(pieces)).toBe(state(whole));
  });
});

describe('what counts', () => {
  const count = (source: string, stop: Stop = Stop.hlt): number => {
    const g = new Guest().flat(source);
    expect(g.cpu.run(10_000)).toBe(stop);
    return g.cpu.retired;
  };
  it('a repeated string instruction counts once for each iteration, and once when there is none', () => {
    expect(count(`cld; mov edi, ${DATA}; mov ecx, 10; rep stosb`)).toBe(3 + 10 + 1);
    expect(count(`cld; mov edi, ${DATA}; xor ecx, ecx; rep stosb`)).toBe(3 + 1 + 1);
  });
  it('an exception counts as one', () => {
    const g = new Guest().flat('nop; ud2');
    g.run();
    expect(g.cpu.retired).toBe(1 + 1 + 1);
  });
  it('an instruction that exits does not count before it has completed', () => {
    const g = new Guest().flat('nop; in al, 0x80; nop');
    expect(g.cpu.run(100)).toBe(Stop.inout);
    expect(g.cpu.retired).toBe(1);
    expect(g.cpu.run(100)).toBe(Stop.inout);
    expect(g.cpu.retired).toBe(0);
    g.cpu.requests.inout.state = Request.DONE;
    expect(g.cpu.complete()).toBe(Stop.budget);
    expect(g.cpu.retired).toBe(1);
  });
  it('RDTSC reads the count of instructions before it', () => {
    const g = new Guest().flat('nop; nop; rdtsc; mov ebx, eax; rdtsc');
    g.run();
    expect(g.registers('ebx', 'eax')).toEqual({ ebx: 2, eax: 4 });
  });
  it('INT n counts once, whatever its gate does', () => expect(count('int 0x40')).toBe(2));
});
