/** Privileged instructions, I/O permission, control registers and EFLAGS (SDM vol. 3, "Privileged Instructions"; vol. 1, "I/O Privilege Level"; vol. 2). */
import { describe, expect, it } from 'vitest';
import { Request, Stop } from '../../../src/machine/cpu/processor.ts';
import { CODE, DATA, Guest, TSS } from './guest.ts';

const flat = (source: string, level: 0 | 3 = 0): Guest => new Guest().flat(source, level);
const at3 = (source: string): string => flat(source, 3).run();

describe('privileged instructions', () => {
  const privileged = [
    'hlt',
    'clts',
    'invd',
    'wbinvd',
    'rdmsr',
    'wrmsr',
    'mov eax, cr0',
    'mov eax, cr2',
    'mov eax, cr3',
    'mov eax, cr4',
    'mov cr0, eax',
    'mov cr3, eax',
    'mov cr4, eax',
    'mov eax, dr7',
    'mov dr7, eax',
    'lmsw ax',
    'lgdt [0x10000]',
    'lidt [0x10000]',
    'lldt ax',
    'ltr ax',
    'invlpg [0]',
  ];
  it.each(privileged)('%s at level 3 raises #GP(0)', (source) => {
    const g = flat(`here: ${source}`, 3);
    expect(g.run()).toBe('#GP(0)');
    expect(g.frame().eip).toBe(g.label('here'));
  });
  it.each(['lgdt [eax]', 'lidt [eax]', 'lldt [eax]', 'ltr [eax]', 'lmsw [eax]'])(
    '%s at level 3 raises #GP(0) before it looks at memory',
    (source) => {
      const g = flat(source, 3);
      g.write32(0x20000, 0x21007);
      for (let page = 0; page < 0x20; page++) g.write32(0x21000 + page * 4, (page << 12) | 7);
      g.set({ eax: 0x800000, cr3: 0x20000, cr0: 0x80000011 });
      expect(g.run()).toBe('#GP(0)');
    },
  );
  it.each(['sgdt [0x10000]', 'sidt [0x10000]', 'sldt ax', 'str ax', 'smsw ax', 'cpuid', 'rdtsc', 'lahf', 'pushfd'])(
    '%s is for everybody',
    (source) => expect(at3(source)).toBe('int 30'),
  );
  it('RDTSC at level 3 raises #GP(0) while CR4.TSD is set', () => {
    const g = flat('rdtsc', 3);
    g.set({ cr4: 4 });
    expect(g.run()).toBe('#GP(0)');
    g.flat('rdtsc').set({ cr4: 4 });
    expect(g.run()).toBe('hlt');
  });
});

describe('IOPL', () => {
  const withIopl = (source: string, iopl: number, level: 0 | 3 = 3): Guest => {
    const g = flat(source, level);
    g.set({ eflags: 2 | (iopl << 12) });
    return g;
  };
  it('CLI and STI need CPL <= IOPL', () => {
    expect(withIopl('cli', 2).run()).toBe('#GP(0)');
    expect(withIopl('sti', 0).run()).toBe('#GP(0)');
    expect(withIopl('cli', 3).run()).toBe('int 30');
    const g = withIopl('sti; nop', 3);
    expect(g.run()).toBe('int 30');
    expect(g.frame().eflags & 0x200).toBe(0x200);
  });
  it('POPF above IOPL leaves IF silently, and IOPL at any level but 0', () => {
    const popped = (iopl: number, level: 0 | 3): number => {
      const g = withIopl('push dword 0x3200; popfd; pushfd; pop eax', iopl, level);
      g.run();
      return g.get('eax') & 0x3200;
    };
    expect(popped(0, 3)).toBe(0);
    expect(popped(3, 3)).toBe(0x3200);
    expect(popped(2, 3)).toBe(0x2000);
    expect(popped(0, 0)).toBe(0x3200);
  });
  it('POPF with a 16-bit operand leaves AC and ID; POPFD takes them and never VM, RF, VIF, VIP', () => {
    const g = flat('push dword 0xfffffeff; popfd; pushfd; pop eax; push word 0; o16 popf; pushfd; pop ebx'); // without TF
    expect(g.run()).toBe('hlt');
    expect(g.registers('eax', 'ebx')).toEqual({ eax: 0x247ed7, ebx: 0x240002 });
  });
  it('PUSHF pushes bit 1 set and VM, RF clear', () => {
    const g = flat('pushfd');
    g.set({ eflags: 0x10000 });
    g.run();
    expect(g.read32(g.get('esp'))).toBe(2);
  });
});

describe('the I/O permission bitmap', () => {
  /** At level 3 with IOPL 0, with a bitmap at 68h in the TSS that permits ports 80h and 81h only. */
  const ports = (source: string, limit = 0x68 + 0x2000): string => {
    const g = flat(source, 3);
    g.write32(TSS + 100, 0x68 << 16);
    for (let i = 0; i < 0x40; i++) g.write8(TSS + 0x68 + i, 0xff);
    g.write8(TSS + 0x68 + 0x10, 0xfc);
    g.cpu.window.setSegment(7, 0x28, TSS, limit, 0x8b);
    return g.run();
  };
  it('a clear bit permits the port', () => {
    expect(ports('in al, 0x80')).toBe('inout');
    expect(ports('out 0x81, al')).toBe('inout');
    expect(ports('in al, 0x82')).toBe('#GP(0)');
    expect(ports('mov dx, 0x7f; out dx, al')).toBe('#GP(0)');
  });
  it('a wider access needs the bits of all its ports', () => {
    expect(ports('in ax, 0x80')).toBe('inout');
    expect(ports('in ax, 0x81')).toBe('#GP(0)');
    expect(ports('in eax, 0x80')).toBe('#GP(0)');
  });
  it('two bytes of the bitmap are read: both must lie within the limit', () => {
    expect(ports('in al, 0x80', 0x68 + 0x11)).toBe('inout');
    expect(ports('in al, 0x80', 0x68 + 0x10)).toBe('#GP(0)');
  });
  it('INS and OUTS obey it', () => {
    expect(ports(`mov dx, 0x82; mov edi, ${DATA}; insb`)).toBe('#GP(0)');
    expect(ports(`mov dx, 0x80; mov edi, ${DATA}; insb`)).toBe('inout');
    expect(ports(`mov dx, 0x82; mov esi, ${DATA}; outsb`)).toBe('#GP(0)');
  });
  it('with CPL <= IOPL the bitmap is not looked at', () => {
    const g = flat('in al, 0x82', 3);
    g.set({ eflags: 0x3002 });
    expect(g.run()).toBe('inout');
    expect(flat('in al, 0x82').run()).toBe('inout');
  });
});

describe('control registers', () => {
  it('paging without protection, and NW without CD, raise #GP(0)', () => {
    expect(flat('mov eax, 0x80000010; mov cr0, eax').run()).toBe('#GP(0)');
    expect(flat('mov eax, 0x20000011; mov cr0, eax').run()).toBe('#GP(0)');
  });
  it('reserved bits of CR0 are ignored, ET stays 1', () => {
    const g = flat('mov eax, 0x0000ffc1; mov cr0, eax; mov ebx, cr0');
    g.run();
    expect(g.get('ebx')).toBe(0x11);
  });
  it('a bit of CR4 that is not there raises #GP(0)', () => {
    for (const bit of [1, 2, 0x20, 0x200, 0x400, 0x800, 0x10000, 0x80000000])
      expect(flat(`mov eax, ${bit}; mov cr4, eax`).run(), bit.toString(16)).toBe('#GP(0)');
    expect(flat('mov eax, 0x90; mov cr4, eax').run()).toBe('hlt');
  });
  it('CR1 and CR5 to CR7 raise #UD', () => {
    for (const n of [1, 5, 6, 7]) {
      const g = flat('nop');
      g.write8(g.get('eip'), 0x0f, 0x20, 0xc0 | (n << 3));
      expect(g.run(), `cr${n}`).toBe('#UD');
    }
  });
  it('LMSW sets PE, MP, EM, TS; it does not clear PE', () => {
    const g = flat('mov ax, 0xfffe; lmsw ax; mov ebx, cr0; xor ax, ax; lmsw ax; mov ecx, cr0');
    g.run();
    expect(g.registers('ebx', 'ecx')).toEqual({ ebx: 0x1f, ecx: 0x11 });
  });
  it('LMSW enters protected mode from real-address mode', () => {
    const g = new Guest().real('mov ax, 1; lmsw ax; mov ebx, cr0');
    g.run();
    expect(g.get('ebx') & 1).toBe(1);
  });
  it('CLTS clears TS; SMSW reads the low word', () => {
    const g = flat('mov eax, 0x1b; mov cr0, eax; smsw bx; clts; smsw cx');
    g.run();
    expect(g.registers('bx', 'cx')).toEqual({ bx: 0x1b, cx: 0x13 });
  });
  it('the mod field of MOV CR is ignored: it is always a register', () => {
    const g = flat('nop');
    g.write8(g.get('eip'), 0x0f, 0x20, 0x03); // MOV EBX, CR0 with mod 0
    g.run();
    expect(g.get('ebx')).toBe(0x11);
  });
  it('leaving protected mode goes on with the segments as they are', () => {
    const g = new Guest().flat16(
      'mov eax, cr0; and al, 0xfe; mov cr0, eax; jmp 0:next; next: mov ax, 0x1000; mov ds, ax; mov byte [0], 0x42',
    );
    expect(g.run()).toBe('hlt');
    expect(g.read8(0x10000)).toBe(0x42);
    expect(g.registers('cs', 'cr0')).toEqual({ cs: 0, cr0: 0x10 });
  });
});

describe('debug registers', () => {
  it('DR4 and DR5 are DR6 and DR7, or raise #UD while CR4.DE is set', () => {
    const g = flat('mov eax, 0x12345678; mov dr0, eax; mov ebx, dr0; mov ecx, dr4; mov edx, dr5');
    g.run();
    expect(g.registers('ebx', 'ecx', 'edx')).toEqual({ ebx: 0x12345678, ecx: 0xffff0ff0, edx: 0x400 });
    const h = flat('mov eax, dr4');
    h.set({ cr4: 8 });
    expect(h.run()).toBe('#UD');
  });
});

describe('descriptor-table registers', () => {
  it('LGDT with a 16-bit operand takes 24 bits of base; SGDT stores 6 bytes', () => {
    const g = flat(`o16 lgdt [${DATA}]; sgdt [${DATA + 16}]`);
    g.write16(DATA, 0x1234);
    g.write32(DATA + 2, 0xab002000);
    expect(g.run()).toBe('hlt');
    expect([g.read16(DATA + 16), g.read32(DATA + 18)]).toEqual([0x1234, 0x2000]);
    g.flat(`lidt [${DATA}]; sidt [${DATA + 16}]`);
    g.run();
    expect([g.read16(DATA + 16), g.read32(DATA + 18)]).toEqual([0x1234, 0xab002000]);
  });
});

describe('MSRs and CPUID', () => {
  it('RDMSR and WRMSR ask the VMM, once', () => {
    const g = flat('mov ecx, 0x1b; rdmsr; inc eax; wrmsr');
    expect(g.run()).toBe('rdmsr');
    expect(g.cpu.exit.msr).toBe(0x1b);
    Object.assign(g.cpu.requests.msr, { state: Request.DONE, value: 0xfee00900, valueHigh: 7 });
    expect(g.cpu.complete()).toBe(Stop.budget);
    g.cpu.requests.clear();
    expect(g.registers('eax', 'edx')).toEqual({ eax: 0xfee00900, edx: 7 });
    expect(g.run()).toBe('wrmsr');
    expect(g.cpu.exit).toMatchObject({ msr: 0x1b, value: 0xfee00901, valueHigh: 7, write: true });
  });
  it('CPUID promises CX8, CMOV, PSE, PGE, TSC and MSR, and neither PAE nor x87', () => {
    const g = flat('mov eax, 1; cpuid');
    g.run();
    const has = (bit: number): boolean => ((g.get('edx') >>> bit) & 1) === 1;
    expect([8, 15, 3, 13, 4, 5].map(has)).toEqual([true, true, true, true, true, true]);
    expect([0, 6, 23, 25, 26].map(has)).toEqual([false, false, false, false, false]);
  });
});

describe('instructions that are not there raise #UD', () => {
  it.each([
    ['ARPL', [0x63, 0xd8]],
    ['LAR', [0x0f, 0x02, 0xc3]],
    ['LSL', [0x0f, 0x03, 0xc3]],
    ['VERR', [0x0f, 0x00, 0xe0]],
    ['VERW', [0x0f, 0x00, 0xe8]],
    ['UD2', [0x0f, 0x0b]],
    ['FNOP', [0xd9, 0xd0]],
    ['EMMS', [0x0f, 0x77]],
    ['RSM', [0x0f, 0xaa]],
    ['SYSENTER', [0x0f, 0x34]],
    ['RDPMC', [0x0f, 0x33]],
    ['MOV from TR6', [0x0f, 0x24, 0xf0]],
    ['VMCALL', [0x0f, 0x01, 0xc1]],
    ['BOUND with a register', [0x62, 0xc0]],
    ['LDS with a register', [0xc5, 0xc0]],
    ['LGDT with a register', [0x0f, 0x01, 0xd0]],
    ['JMP FAR with a register', [0xff, 0xe8]],
    ['FF /7', [0xff, 0xf8]],
    ['C7 /1', [0xc7, 0xc8]],
  ] as const)('%s', (_, bytes) => {
    const g = flat('nop');
    g.write8(g.get('eip'), ...bytes);
    expect(g.run()).toBe('#UD');
    expect(g.frame().eip).toBe(CODE);
  });
  it('LOCK before an instruction that cannot be locked', () => {
    for (const bytes of [
      [0xf0, 0x90],
      [0xf0, 0x89, 0xc0],
      [0xf0, 0x8b, 0x00],
      [0xf0, 0x01, 0xc0],
      [0xf0, 0x3b, 0x00],
    ]) {
      const g = flat('nop');
      g.write8(g.get('eip'), ...bytes);
      expect(g.run(), String(bytes)).toBe('#UD');
    }
    const g = flat(`lock inc dword [${DATA}]; lock xadd [${DATA}], eax; lock cmpxchg8b [${DATA}]`);
    expect(g.run()).toBe('hlt');
  });
  it('an instruction of more than 15 bytes raises #GP(0), one of 15 does not', () => {
    const g = flat('nop');
    g.write8(g.get('eip'), ...new Array<number>(14).fill(0x66), 0x90, 0xf4);
    expect(g.run()).toBe('hlt');
    g.flat('nop').write8(g.get('eip'), ...new Array<number>(15).fill(0x66), 0x90, 0xf4);
    expect(g.run()).toBe('#GP(0)');
  });
});
