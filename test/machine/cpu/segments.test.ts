/** Segment registers in protected mode (SDM vol. 3, "Protected-Mode Memory Management", "Protection"; vol. 2, MOV, POP, LDS/LES/LFS/LGS/LSS). */
import { describe, expect, it } from 'vitest';
import { CODE, CODE0, CODE3, DATA, DATA0, DATA3, descriptor, FREE, GDT, Guest, LDT, STACK, TASK } from './guest.ts';

const hex = (n: number): string => `0x${n.toString(16)}`;
/** A guest whose free descriptor is the one given, with a program that may use `FREE` for its selector. */
function withDescriptor(source: string, [low, high]: [number, number], level: 0 | 3 = 0): Guest {
  const g = new Guest().flat(source.replaceAll('FREE', hex(FREE)), level);
  g.setDescriptor(FREE, [low, high]);
  return g;
}
const outcome = (source: string, d: [number, number], level: 0 | 3 = 0): string => withDescriptor(source, d, level).run();

const DATA_RW = 0x93;
const DATA_RO = 0x91;
const DOWN = 0x97;
const EXECUTE_ONLY = 0x99;
const CODE_READ = 0x9b;
const CONFORMING = 0x9f;
const dpl = (access: number, level: number): number => access | (level << 5);

describe('loading a data segment', () => {
  it('takes base, limit and rights from the descriptor', () => {
    const g = withDescriptor('mov ax, FREE; mov fs, ax', descriptor(0x12345678, 0xabcde, dpl(DATA_RW, 0), 0x4));
    expect(g.run()).toBe('hlt');
    expect(g.registers('fs', 'fs.base', 'fs.limit', 'fs.access')).toEqual({
      fs: FREE,
      'fs.base': 0x12345678,
      'fs.limit': 0xabcde,
      'fs.access': 0x4093,
    });
  });
  it('with G set the limit counts 4 KiB units: FFFFFh is 4 GiB', () => {
    const g = withDescriptor('mov ax, FREE; mov fs, ax', descriptor(0, 0x12, DATA_RW, 0xc));
    g.run();
    expect(g.get('fs.limit')).toBe(0x12fff);
  });
  it('sets the accessed bit in the table', () => {
    const g = withDescriptor('mov ax, FREE; mov fs, ax', descriptor(0, 0xffff, 0x92));
    g.run();
    expect(g.read8(GDT + FREE + 5)).toBe(0x93);
    expect(g.get('fs.access') & 0xff).toBe(0x93);
  });
  it('does not touch the table when the accessed bit is set', () => {
    const g = withDescriptor('mov ax, FREE; mov fs, ax', descriptor(0, 0xffff, 0x93));
    const { generation } = g.cpu.records;
    g.run();
    expect(g.cpu.records.generation).toBe(generation);
  });
  it('a null selector loads, and its use raises #GP(0)', () => {
    expect(outcome('xor eax, eax; mov ds, ax', [0, 0])).toBe('hlt');
    expect(outcome('mov ax, 3; mov ds, ax', [0, 0])).toBe('hlt');
    expect(outcome('xor eax, eax; mov ds, ax; mov al, [0]', [0, 0])).toBe('#GP(0)');
    expect(outcome('xor eax, eax; mov es, ax; mov edi, 0xffffffff; stosb', [0, 0])).toBe('#GP(0)');
  });
  it('a selector beyond the limit of its table raises #GP(selector)', () => {
    expect(outcome('mov ax, 0xf9; mov ds, ax', [0, 0])).toBe('#GP(f8)'); // the entry is there, and no data segment
    expect(outcome('mov ax, 0x100; mov ds, ax', [0, 0])).toBe('#GP(100)');
    expect(outcome('mov ax, 0x44; mov ds, ax', [0, 0])).toBe('#GP(44)');
  });
  it('a descriptor that ends beyond the limit is beyond it', () => {
    const g = withDescriptor('mov ax, FREE; mov ds, ax', descriptor(0, 0xffff, DATA_RW));
    g.set({ 'gdtr.limit': FREE + 6 });
    expect(g.run()).toBe('#GP(40)');
    g.flat(`mov ax, ${FREE}; mov ds, ax`).set({ 'gdtr.limit': FREE + 7 });
    g.setDescriptor(FREE, descriptor(0, 0xffff, DATA_RW));
    expect(g.run()).toBe('hlt');
  });
  it('execute-only code and system descriptors raise #GP(selector)', () => {
    expect(outcome('mov ax, FREE; mov ds, ax', descriptor(0, 0xffff, EXECUTE_ONLY))).toBe('#GP(40)');
    expect(outcome(`mov ax, ${TASK}; mov ds, ax`, [0, 0])).toBe('#GP(28)');
  });
  it('readable code loads', () => expect(outcome('mov ax, FREE; mov ds, ax; mov al, [0]', descriptor(0, 0xffff, CODE_READ))).toBe('hlt'));
  it('a segment that is not present raises #NP(selector), after the checks of type and privilege', () => {
    expect(outcome('mov ax, FREE; mov es, ax', descriptor(0, 0xffff, DATA_RW & 0x7f))).toBe('#NP(40)');
    expect(outcome('mov ax, FREE; mov es, ax', descriptor(0, 0xffff, EXECUTE_ONLY & 0x7f))).toBe('#GP(40)');
  });
  it('the higher of CPL and RPL must not exceed the DPL', () => {
    expect(outcome('mov ax, FREE+3; mov ds, ax', descriptor(0, 0xffff, dpl(DATA_RW, 2)))).toBe('#GP(40)');
    expect(outcome('mov ax, FREE+3; mov ds, ax', descriptor(0, 0xffff, dpl(DATA_RW, 3)))).toBe('hlt');
    expect(outcome('mov ax, FREE; mov ds, ax', descriptor(0, 0xffff, dpl(DATA_RW, 2)), 3)).toBe('#GP(40)');
    expect(outcome('mov ax, FREE; mov ds, ax', descriptor(0, 0xffff, dpl(DATA_RW, 3)), 3)).toBe('int 30');
  });
  it('conforming code may be loaded from any level', () =>
    expect(outcome('mov ax, FREE+3; mov ds, ax', descriptor(0, 0xffff, CONFORMING), 3)).toBe('int 30'));
  it('a load that faults leaves the register as it was', () => {
    const g = withDescriptor('mov ax, FREE; mov ds, ax', descriptor(0, 0xffff, EXECUTE_ONLY));
    g.run();
    expect(g.registers('ds', 'ds.base', 'ds.limit')).toEqual({ ds: DATA0, 'ds.base': 0, 'ds.limit': 0xffffffff });
  });
  it('the hidden part stays when the table changes, until the next load', () => {
    const g = withDescriptor(
      `mov ax, FREE; mov fs, ax; mov dword [${GDT + FREE + 4}], 0; mov al, [fs:0x10]`,
      descriptor(DATA, 0xffff, DATA_RW),
    );
    g.write8(DATA + 0x10, 0x66);
    expect(g.run()).toBe('hlt');
    expect(g.get('al')).toBe(0x66);
  });
  it('MOV to CS raises #UD', () => {
    const g = new Guest().flat('');
    g.write8(CODE, 0x8e, 0xc8);
    expect(g.run()).toBe('#UD');
  });
  it('MOV from a segment register zero-extends into 32 bits', () => {
    const g = new Guest().flat('mov eax, -1; mov eax, ds');
    g.run();
    expect(g.get('eax')).toBe(DATA0);
  });
});

describe('loading SS', () => {
  it('a null selector raises #GP(0)', () => expect(outcome('xor eax, eax; mov ss, ax', [0, 0])).toBe('#GP(0)'));
  it('RPL and DPL must be the CPL', () => {
    expect(outcome('mov ax, FREE+1; mov ss, ax', descriptor(0, 0xffff, DATA_RW))).toBe('#GP(40)');
    expect(outcome('mov ax, FREE; mov ss, ax', descriptor(0, 0xffff, dpl(DATA_RW, 1)))).toBe('#GP(40)');
    expect(outcome('mov ax, FREE+3; mov ss, ax', descriptor(0, 0xffffffff, dpl(DATA_RW, 3), 0xc), 3)).toBe('int 30');
    expect(outcome('mov ax, FREE; mov ss, ax', descriptor(0, 0xffff, dpl(DATA_RW, 3)), 3)).toBe('#GP(40)');
  });
  it('it must be a writable data segment', () => {
    expect(outcome('mov ax, FREE; mov ss, ax', descriptor(0, 0xffff, DATA_RO))).toBe('#GP(40)');
    expect(outcome('mov ax, FREE; mov ss, ax', descriptor(0, 0xffff, CODE_READ))).toBe('#GP(40)');
  });
  it('not present raises #SS(selector)', () =>
    expect(outcome('mov ax, FREE; mov ss, ax', descriptor(0, 0xffff, DATA_RW & 0x7f))).toBe('#SS(40)'));
  it('B decides whether SP or ESP is the stack pointer', () => {
    const small = withDescriptor('mov ax, FREE; mov ss, ax; mov esp, 0x12346000; push dword 7; hlt', descriptor(DATA, 0xffff, DATA_RW));
    small.run();
    expect([small.get('esp'), small.read32(DATA + 0x5ffc)]).toEqual([0x12345ffc, 7]);
    const big = withDescriptor('mov ax, FREE; mov ss, ax; mov esp, 0x16000; push dword 7; hlt', descriptor(DATA, 0xffff, DATA_RW, 0xc));
    big.run();
    expect([big.get('esp'), big.read32(DATA + 0x15ffc)]).toEqual([0x15ffc, 7]);
  });
  it('SP wraps from 0 to FFFEh within a 16-bit stack segment', () => {
    const g = withDescriptor('mov ax, FREE; mov ss, ax; xor esp, esp; push word 0x5a5a', descriptor(DATA, 0xffff, DATA_RW));
    g.run();
    expect([g.get('esp'), g.read16(DATA + 0xfffe)]).toEqual([0xfffe, 0x5a5a]);
  });
  it('LSS loads SS and ESP together', () => {
    const g = withDescriptor(
      `mov dword [${DATA}], 0x5000; mov word [${DATA + 4}], FREE; lss esp, [${DATA}]; push dword 9`,
      descriptor(DATA, 0xffff, DATA_RW),
    );
    g.run();
    expect(g.registers('ss', 'esp')).toEqual({ ss: FREE, esp: 0x4ffc });
    expect(g.read32(DATA + 0x4ffc)).toBe(9);
  });
  it('POP SS takes the selector from the old stack', () => {
    const g = withDescriptor('push dword FREE; pop ss', descriptor(0, 0xffff, DATA_RW, 0x4));
    expect(g.run()).toBe('hlt');
    expect(g.registers('ss', 'esp')).toEqual({ ss: FREE, esp: STACK });
  });
});

describe('what a segment permits', () => {
  const use = (access: number, source: string, limit = 0xfff, flags = 0x4): string =>
    outcome(`mov ax, FREE; mov fs, ax; ${source}`, descriptor(DATA, limit, access, flags));
  it('a write to read-only data or to code raises #GP(0), a read does not', () => {
    for (const access of [DATA_RO, CODE_READ]) {
      expect(use(access, 'mov byte [fs:0], 1')).toBe('#GP(0)');
      expect(use(access, 'inc dword [fs:0]')).toBe('#GP(0)');
      expect(use(access, 'mov eax, [fs:0]')).toBe('hlt');
    }
  });
  it('CS: code may be read and not written; execute-only code may not even be read', () => {
    expect(new Guest().flat('mov eax, [cs:0]').run()).toBe('hlt');
    expect(new Guest().flat('mov [cs:0], eax').run()).toBe('#GP(0)');
    expect(outcome('jmp FREE:next; next: mov eax, [cs:0]', descriptor(0, 0xfffff, EXECUTE_ONLY, 0xc))).toBe('#GP(0)');
  });
  it('the limit is the last byte that may be accessed', () => {
    expect(use(DATA_RW, 'mov al, [fs:0xfff]')).toBe('hlt');
    expect(use(DATA_RW, 'mov al, [fs:0x1000]')).toBe('#GP(0)');
    expect(use(DATA_RW, 'mov eax, [fs:0xffc]')).toBe('hlt');
    expect(use(DATA_RW, 'mov eax, [fs:0xffd]')).toBe('#GP(0)');
    expect(use(DATA_RW, 'mov ax, [fs:0xffe]')).toBe('hlt');
    expect(use(DATA_RW, 'mov ax, [fs:0xfff]')).toBe('#GP(0)');
    expect(use(DATA_RW, 'mov ebx, -1; mov eax, [fs:ebx]')).toBe('#GP(0)');
  });
  it('an expand-down segment holds what is above its limit, up to FFFFh or, with B set, FFFFFFFFh', () => {
    expect(use(DOWN, 'mov al, [fs:0xfff]')).toBe('#GP(0)');
    expect(use(DOWN, 'mov al, [fs:0x1000]')).toBe('hlt');
    expect(use(DOWN, 'mov eax, [fs:0xffd]')).toBe('#GP(0)');
    expect(use(DOWN, 'mov al, [fs:0x10000]', 0xfff, 0)).toBe('#GP(0)');
    expect(use(DOWN, 'mov ax, [fs:0xffff]', 0xfff, 0)).toBe('#GP(0)');
    expect(use(DOWN, 'mov ax, [fs:0xfffe]', 0xfff, 0)).toBe('hlt');
    expect(use(DOWN, 'mov al, [fs:0x20000]')).toBe('hlt');
  });
  it('an expand-down segment with limit FFFFFFFFh holds nothing', () => {
    expect(use(DOWN, 'mov al, [fs:0]', 0xfffff, 0xc)).toBe('#GP(0)');
    expect(use(DOWN, 'mov ebx, -1; mov al, [fs:ebx]', 0xfffff, 0xc)).toBe('#GP(0)');
  });
  it('an operand beyond the stack segment raises #SS(0)', () => {
    const g = new Guest().flat('mov eax, [ebp+0x7ffd]');
    g.cpu.window.setSegment(2, DATA0, 0, 0x7fff, 0x4093);
    g.set({ ebp: 0 });
    expect(g.run()).toBe('#SS(0)');
  });
  it('a push beyond the stack segment raises #SS(0); at level 0 its frame has no place either, and the processor shuts down', () => {
    const g = new Guest().flat('push eax', 3);
    g.cpu.window.setSegment(2, DATA3, 0, 0x7fff, 0x40f3);
    g.set({ esp: 0x8002 });
    expect(g.run()).toBe('#SS(0)');
    g.flat('push eax').cpu.window.setSegment(2, DATA0, 0, 0x7fff, 0x4093);
    g.set({ esp: 0x8002 });
    expect(g.run()).toBe('tripleFault');
  });
  it('PUSHA, ENTER and CALL check the stack segment too', () => {
    for (const source of ['pusha', 'enter 8, 0', 'call CODE']) {
      const g = new Guest().flat(source.replace('CODE', hex(CODE)), 3);
      g.cpu.window.setSegment(2, DATA3, 0, 0x7fff, 0xc0f3 & ~0x8000);
      g.set({ esp: source === 'pusha' ? 0x8010 : 0x8004 });
      expect(g.run(), source).toBe('#SS(0)');
      expect(g.frame().esp).toBe(source === 'pusha' ? 0x8010 : 0x8004);
    }
  });
  it('string instructions check DS (or its override) and ES', () => {
    expect(use(DATA_RO, 'mov ax, fs; mov es, ax; xor edi, edi; stosd')).toBe('#GP(0)');
    expect(use(DATA_RW, 'mov esi, 0x1000; fs lodsb')).toBe('#GP(0)');
    expect(use(DATA_RW, 'mov esi, 0xfff; fs lodsb')).toBe('hlt');
    expect(use(DATA_RW, 'mov ax, fs; mov es, ax; mov edi, 0xffd; scasd')).toBe('#GP(0)');
  });
  it('data and code are found through their bases', () => {
    const g = withDescriptor('mov ax, FREE; mov ds, ax; mov eax, [4]', descriptor(DATA, 0xffff, DATA_RW, 0x4));
    g.write32(DATA + 4, 0xfeedface);
    g.run();
    expect(g.get('eax')).toBe(0xfeedface);
  });
});

describe('16-bit segments', () => {
  it('with D clear, operands and addresses are 16 bits by default', () => {
    const g = new Guest().flat16('mov ax, 0x1234; mov bx, 0xfff0; mov [bx+0x20], ax; mov ecx, 0x89abcdef');
    expect(g.run()).toBe('hlt');
    expect(g.read16(0x10)).toBe(0x1234);
    expect(g.get('ecx')).toBe(0x89abcdef);
  });
  it('a near CALL pushes 16 bits and a near RET takes 16', () => {
    const g = new Guest().flat16('call f; hlt; f: mov bp, sp; mov ax, [bp]; ret');
    expect(g.run()).toBe('hlt');
    expect(g.registers('ax', 'sp')).toEqual({ ax: g.label('f') - 1, sp: STACK });
  });
  it('the limit of a code segment holds for jumps: #GP(0) with the jump as return address', () => {
    const g = new Guest().flat(`jmp ${FREE}:next; next: jmp 0x8100`);
    g.setDescriptor(FREE, descriptor(0, 0x80ff, CODE_READ, 0x4));
    expect(g.run()).toBe('#GP(0)');
    expect(g.frame().eip).toBe(g.label('next'));
  });
  it('execution that runs to the limit raises #GP(0) behind it', () => {
    const g = new Guest().flat(`jmp ${FREE}:next; next: nop; nop; nop; nop`);
    g.setDescriptor(FREE, descriptor(0, g.label('next') + 2, CODE_READ, 0x4));
    expect(g.run()).toBe('#GP(0)');
    expect(g.frame().eip).toBe(g.label('next') + 3);
  });
});

describe('branches with a 16-bit operand', () => {
  it('in 32-bit code cut EIP to 16 bits, even to an instruction of the same page', () => {
    const g = new Guest().flat('jmp 0x18000');
    g.put(
      'mov ecx, 2; here: inc eax; o16 jz there; inc ebx; there: dec ecx; jnz here; cmp al, al; o16 jz there2; nop; there2: hlt',
      0x18000,
    );
    g.set({ eax: 0, ebx: 0 });
    const beyond = g.label('there2') & 0xffff;
    g.write8(beyond, 0xf4);
    expect(g.run()).toBe('hlt');
    expect(g.registers('eip', 'ebx')).toEqual({ eip: beyond + 1, ebx: 2 });
  });
  it('in 16-bit code beyond 64 KiB likewise', () => {
    const g = new Guest().flat16('jmp dword 0x18000');
    g.cpu.window.setSegment(1, FREE, 0, 0xfffff, 0x809b);
    g.put('inc ax; cmp al, al; jz there; nop; there: hlt', 0x18000, 0x18000, 16);
    g.write8(g.label('there') & 0xffff, 0xf4);
    expect(g.run()).toBe('hlt');
    expect(g.get('eip')).toBe((g.label('there') & 0xffff) + 1);
  });
});

describe('the local table', () => {
  it('a selector with TI set is looked up in the LDT', () => {
    const g = new Guest().flat('mov ax, 0x0c; mov fs, ax');
    g.setDescriptor(0x0c, descriptor(DATA, 0xff, DATA_RW));
    expect(g.run()).toBe('hlt');
    expect(g.registers('fs', 'fs.base', 'fs.limit')).toEqual({ fs: 0x0c, 'fs.base': DATA, 'fs.limit': 0xff });
  });
  it('beyond its limit: #GP(selector)', () => expect(new Guest().flat('mov ax, 0x44; mov fs, ax').run()).toBe('#GP(44)'));
  it('LLDT takes a descriptor of type LDT from the GDT, or a null selector', () => {
    const ldt = descriptor(LDT + 0x100, 0xf, 0x82);
    const g = withDescriptor('mov ax, FREE; lldt ax; mov bx, 0x0c; mov fs, bx', ldt);
    g.write32(LDT + 0x108, ...descriptor(0x777, 0xff, DATA_RW));
    expect(g.run()).toBe('hlt');
    expect(g.get('fs.base')).toBe(0x777);
    expect(outcome('xor eax, eax; lldt ax; mov bx, 0x0c; mov fs, bx', [0, 0])).toBe('#GP(c)');
    expect(outcome('mov ax, FREE; lldt ax', descriptor(0, 0xffff, DATA_RW))).toBe('#GP(40)');
    expect(outcome('mov ax, FREE+4; lldt ax', ldt)).toBe('#GP(44)');
    expect(outcome('mov ax, FREE; lldt ax', descriptor(LDT, 0xf, 0x02))).toBe('#NP(40)');
  });
  it('LTR marks the task busy and refuses a busy one', () => {
    const g = withDescriptor('mov ax, FREE; ltr ax; str ebx', descriptor(0x4000, 0x67, 0x89));
    expect(g.run()).toBe('hlt');
    expect(g.read8(GDT + FREE + 5)).toBe(0x8b);
    expect(g.get('ebx')).toBe(FREE);
    expect(outcome('mov ax, FREE; ltr ax', descriptor(0x4000, 0x67, 0x8b))).toBe('#GP(40)');
    expect(outcome('xor eax, eax; ltr ax', [0, 0])).toBe('#GP(0)');
    expect(outcome('mov ax, FREE; ltr ax', descriptor(0x4000, 0x67, 0x09))).toBe('#NP(40)');
  });
});

describe('flat or not, the same program gives the same', () => {
  it('programs give the same memory through flat segments as through based ones', () => {
    const source = `mov ecx, 50; mov edi, 0x100; next: mov [edi], ecx; add edi, 4; push ecx; pop edx; add eax, edx; loop next; mov [0x80], eax`;
    const run = (based: boolean): Buffer => {
      const g = new Guest().flat(`xor eax, eax; ${source}`);
      if (based) for (const k of [0, 3]) g.cpu.window.setSegment(k, FREE, DATA, 0xffff, 0x4093);
      expect(g.run()).toBe('hlt');
      return Buffer.from(g.cpu.physical.readBytes(based ? DATA : 0, 0x300));
    };
    expect(run(true)).toEqual(run(false));
  });
});

it('selectors of level 3 are not for level 0 code: SS and CS differ in their rules', () => {
  expect(outcome(`mov ax, ${DATA3}; mov ds, ax`, [0, 0])).toBe('hlt');
  expect(outcome(`mov ax, ${DATA3}; mov ss, ax`, [0, 0])).toBe('#GP(20)');
  expect(outcome(`jmp ${CODE3}:0`, [0, 0])).toBe('#GP(18)');
  expect(outcome(`jmp ${CODE0}:next; next:`, [0, 0])).toBe('hlt');
});
