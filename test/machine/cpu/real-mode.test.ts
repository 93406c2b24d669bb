/** Real-address mode (SDM vol. 3, "8086 Emulation"; vol. 1, "Memory Organization"). */
import { describe, expect, it } from 'vitest';
import { Stop } from '../../../src/machine/cpu/processor.ts';
import { CODE, Guest, STACK } from './guest.ts';

const real = (source: string, cs = 0, ip = CODE): Guest => new Guest().real(source, cs, ip);

describe('addresses in real-address mode', () => {
  it('a segment base is the selector times 16', () => {
    const g = real('mov ax, 0x1234; mov ds, ax; mov byte [0x56], 7');
    expect(g.run()).toBe('hlt');
    expect(g.registers('ds', 'ds.base')).toEqual({ ds: 0x1234, 'ds.base': 0x12340 });
    expect(g.read8(0x12396)).toBe(7);
  });
  it('a 16-bit effective address wraps at 64 KiB', () => {
    const g = real('mov bx, 0xfff0; mov si, 0x20; mov byte [bx+si], 0x5a');
    g.run();
    expect(g.read8(0x10)).toBe(0x5a);
  });
  it('BP addresses the stack segment unless a prefix says otherwise', () => {
    const g = real('mov ax, 0x1000; mov ss, ax; mov bp, 4; mov byte [bp], 1; mov byte [ds:bp], 2');
    g.run();
    expect([g.read8(0x10004), g.read8(4)]).toEqual([1, 2]);
  });
  it('prefix 66 makes operands, prefix 67 addresses 32 bits wide', () => {
    const g = real('mov eax, 0x12345678; mov ebx, 0x1000; mov [ebx+ebx*2+4], eax');
    expect(g.run()).toBe('hlt');
    expect(g.read32(0x3004)).toBe(0x12345678);
  });
  it('a 32-bit offset beyond the limit of FFFFh raises #GP, through SS #SS', () => {
    expect(real('mov ebx, 0x10000; mov al, [ebx]').run()).toBe('#GP');
    expect(real('mov ebp, 0x10000; mov al, [ebp]').run()).toBe('#SS');
  });
  it('a word at offset FFFFh raises #GP and does not wrap', () => {
    expect(real('mov ax, [0xffff]').run()).toBe('#GP');
    expect(real('mov eax, [0xfffd]').run()).toBe('#GP');
    expect(real('mov al, [0xffff]').run()).toBe('hlt');
    expect(real('mov eax, [0xfffc]').run()).toBe('hlt');
  });
  it('a word at SS:FFFFh raises #SS', () => {
    expect(real('mov bp, 0xffff; mov ax, [bp]').run()).toBe('#SS');
  });
  it('a fault leaves the instruction undone and its own address as the return address', () => {
    const g = real('mov cx, 5; bad: mov ax, [0xffff]');
    g.run();
    expect(g.read16(g.get('esp'))).toBe(g.label('bad'));
  });
  it('the linear address may exceed 1 MiB: FFFF:0010 is 100000h with A20 open and 0 with it closed', () => {
    const g = new Guest({ ramBytes: 0x110000 });
    g.real('mov ax, 0xffff; mov ds, ax; mov al, [0x10]');
    g.write8(0x100000, 0x77);
    g.run();
    expect(g.get('al')).toBe(0x77);
    g.real('mov ax, 0xffff; mov ds, ax; mov al, [0x10]');
    g.write8(0, 0x99);
    g.cpu.physical.setA20(false);
    g.run();
    expect(g.get('al')).toBe(0x99);
  });
});

describe('the limits kept from protected mode ("big real")', () => {
  const enter = `
    lgdt [cs:table]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 8
    mov ds, bx
    and al, 0xfe
    mov cr0, eax
    xor bx, bx
    mov ds, bx
  `;
  const table = 'align 8; gdt: dq 0; dq 0x00cf93000000ffff; table: dw 15; dd gdt';
  it('a data segment loaded in protected mode keeps its 4 GiB limit when its selector is loaded in real-address mode', () => {
    const g = real(`${enter}; mov ebx, 0x12345; mov dword [ebx], 0xcafe; hlt; ${table}`);
    expect(g.run()).toBe('hlt');
    expect(g.read32(0x12345)).toBe(0xcafe);
    expect(g.registers('ds', 'ds.base', 'ds.limit')).toEqual({ ds: 0, 'ds.base': 0, 'ds.limit': 0xffffffff });
  });
  it('the other segments keep theirs', () => {
    expect(real(`${enter}; mov ebx, 0x12345; mov dword [es:ebx], 1; hlt; ${table}`).run()).toBe('#GP');
  });
  it('16-bit addresses still wrap at 64 KiB', () => {
    const g = real(`${enter}; mov bx, 0xffff; mov byte [bx+0x9011], 0x42; hlt; ${table}`);
    g.run();
    expect(g.read8(0x9010)).toBe(0x42);
  });
});

describe('the stack in real-address mode', () => {
  it('PUSH with SP = 0 goes to FFFEh', () => {
    const g = real('mov sp, 0; push word 0x1234');
    g.run();
    expect([g.read16(0xfffe), g.get('sp')]).toEqual([0x1234, 0xfffe]);
  });
  it('PUSH with SP = 1 shuts the processor down: neither the word nor the frame of #SS can stand at FFFFh', () => {
    const g = real('mov sp, 1; push ax');
    expect(g.run()).toBe('tripleFault');
  });
  it('the upper half of ESP is neither used nor changed', () => {
    const g = real('mov esp, 0xabcd7000; push ax; pop bx; push eax');
    g.run();
    expect(g.get('esp')).toBe(0xabcd6ffc);
  });
  it('PUSH SP pushes the value before the push', () => {
    const g = real('push sp; pop ax');
    g.run();
    expect(g.get('ax')).toBe(STACK);
  });
  it('POP SP keeps the word that was popped', () => {
    const g = real('push word 0x1234; pop sp');
    g.run();
    expect(g.get('sp')).toBe(0x1234);
  });
});

describe('interrupts in real-address mode', () => {
  it('INT n pushes FLAGS, CS and the next IP, clears IF and TF, and goes where vector n points', () => {
    const g = real('sti; nop; stc; int 0x21; after: hlt', 0x100, 0x20);
    g.write16(0x21 * 4, 0x30, 0x900);
    g.write8(0x9030, 0xf4);
    expect(g.run()).toBe('hlt');
    expect(g.registers('cs', 'cs.base', 'eip', 'sp')).toEqual({ cs: 0x900, 'cs.base': 0x9000, eip: 0x31, sp: STACK - 6 });
    expect(g.read16(STACK - 6)).toBe(g.label('after'));
    expect(g.read16(STACK - 4)).toBe(0x100);
    expect(g.read16(STACK - 2) & 0x301).toBe(0x201);
    expect(g.get('eflags') & 0x301).toBe(1);
  });
  it('IRET takes IP, CS and FLAGS back', () => {
    const g = real('stc; int 0x21; mov bl, 1; hlt');
    g.put('clc; iret', 0x9000, 0, 16);
    g.write16(0x21 * 4, 0, 0x900);
    expect(g.run()).toBe('hlt');
    expect(g.get('bl')).toBe(1);
    expect(g.get('eflags') & 1).toBe(1);
    expect(g.get('sp')).toBe(STACK);
  });
  it('IRETD takes 32-bit images', () => {
    const g = real('push dword 0x40001; push dword 0; push dword target; iretd; hlt; target: mov cl, 9');
    expect(g.run()).toBe('hlt');
    expect(g.get('cl')).toBe(9);
    expect(g.get('eflags') & 0x40001).toBe(0x40001);
  });
  it('a vector beyond the limit of the IDTR raises #GP', () => {
    const g = real('int 0x40');
    g.set({ 'idtr.limit': 0x40 * 4 + 2 });
    expect(g.run()).toBe('#GP');
    g.real('int 0x40').set({ 'idtr.limit': 0x40 * 4 + 3 });
    expect(g.run()).toBe('int 40');
  });
  it('LIDT moves the table', () => {
    const g = real('lidt [cs:p]; int 0x21; p: dw 0x3ff; dd 0x9000');
    g.write16(0x9000 + 0x21 * 4, 0x100, 0xa00);
    g.write8(0xa100, 0xf4);
    g.run();
    expect(g.registers('cs', 'eip')).toEqual({ cs: 0xa00, eip: 0x101 });
  });
  it('exceptions push no error code', () => {
    const g = real('mov ax, [0xffff]');
    g.run();
    expect(g.get('sp')).toBe(STACK - 6);
  });
  it('#DE pushes the address of the division', () => {
    const g = real('xor cx, cx; d: div cx');
    expect(g.run()).toBe('#DE');
    expect(g.read16(g.get('sp'))).toBe(g.label('d'));
  });
  it('INT3 is one byte and calls vector 3', () => {
    const g = real('int3');
    expect(g.run()).toBe('int 3');
    expect(g.read16(g.get('sp'))).toBe(CODE + 1);
  });
});

describe('far transfers in real-address mode', () => {
  it('JMP FAR loads CS and IP', () => {
    const g = real('jmp 0x900:0x30');
    g.write8(0x9030, 0xf4);
    g.run();
    expect(g.registers('cs', 'cs.base', 'eip')).toEqual({ cs: 0x900, 'cs.base': 0x9000, eip: 0x31 });
  });
  it('CALL FAR pushes CS and IP, RETF n drops n bytes more', () => {
    const g = real('push word 1; push word 2; call 0x900:0; hlt');
    g.put('mov bp, sp; mov ax, [bp+2]; mov bx, [bp]; retf 4', 0x9000, 0, 16);
    expect(g.run()).toBe('hlt');
    expect(g.registers('ax', 'bx', 'sp')).toEqual({ ax: 0, bx: g.get('eip') - 1, sp: STACK });
  });
  it('JMP FAR and CALL FAR through memory take offset, then selector', () => {
    const g = real('call far [0x1000]; jmp far [0x1000]');
    g.write16(0x1000, 0x30, 0x900);
    g.put('inc dx; cmp dx, 2; je done; retf; done: hlt', 0x9030, 0x30, 16);
    g.set({ edx: 0 });
    expect(g.run()).toBe('hlt');
    expect(g.registers('cs', 'dx', 'sp')).toEqual({ cs: 0x900, dx: 2, sp: STACK });
  });
  it('a far jump with a 32-bit offset beyond the limit raises #GP', () => {
    expect(real('jmp dword 0x900:0x10000').run()).toBe('#GP');
  });
});

describe('IP in real-address mode', () => {
  it('running past offset FFFFh raises #GP: IP does not wrap', () => {
    const g = real('', 0x1000, 0xfff0);
    for (let i = 0xfff0; i < 0x10000; i++) g.write8(0x10000 + i, 0x90);
    g.write8(0x20000, 0xf4);
    expect(g.run()).toBe('#GP');
    expect(g.read16(g.get('sp') + 2)).toBe(0x1000);
  });
  it('it raises #GP also where the same linear address has been executed through another segment', () => {
    const g = real('', 0x1000, 0xfff0);
    for (let i = 0xfff0; i < 0x10000; i++) g.write8(0x10000 + i, 0x90);
    g.put('jmp 0x1000:0xfff0', 0x20000, 0, 16);
    g.set({ 'cs.base': 0x20000, cs: 0x2000, eip: 0 });
    expect(g.run()).toBe('#GP');
    expect(g.read16(g.get('sp') + 2)).toBe(0x1000);
  });
  it('an instruction that would reach past the limit raises #GP', () => {
    const g = real('', 0x1000, 0xfffe);
    g.write8(0x1fffe, 0xb8, 1, 2);
    expect(g.run()).toBe('#GP');
    expect(g.read16(g.get('sp'))).toBe(0xfffe);
  });
  it('a near jump with a 16-bit operand wraps at 64 KiB', () => {
    const g = real('', 0x1000, 0xff00);
    g.write8(0x1ff00, 0xe9, 0x00, 0x02);
    g.write8(0x10103, 0xb1, 0x07, 0xf4);
    expect(g.run()).toBe('hlt');
    expect(g.registers('cs', 'cl', 'eip')).toEqual({ cs: 0x1000, cl: 7, eip: 0x106 });
  });
  it('a jump back over offset 0 wraps to the end of the segment, also where the page has been executed through another one', () => {
    const g = real('', 0x1080, 0);
    // 1080:0000 jumps to 1080:FFF0 = 207F0h; through 1000:0800 the same bytes jump to 1000:07F0 = 107F0h.
    g.write8(0x10800, 0xeb, 0xee);
    g.write8(0x207f0, 0xb1, 1, 0xf4);
    g.write8(0x107f0, 0xb1, 2, 0xeb, 0x0b);
    g.write8(0x107ff, 0xf4);
    g.set({ 'cs.base': 0x10000, cs: 0x1000, eip: 0x800 });
    expect(g.run()).toBe('hlt');
    expect(g.get('cl')).toBe(2);
    g.put('jmp 0x1080:0', 0x30000, 0, 16);
    g.set({ 'cs.base': 0x30000, cs: 0x3000, eip: 0 });
    expect(g.run()).toBe('hlt');
    expect(g.get('cl')).toBe(1);
  });
  it('code in a segment that begins in the middle of a page runs, counted exactly', () => {
    const source = 'mov cx, 100; again: inc ax; jmp near on; on: dec cx; jnz again';
    const g = real(source, 0x07c0, 0);
    g.set({ eax: 0 });
    expect(g.run()).toBe('hlt');
    expect(g.registers('ax', 'cx')).toEqual({ ax: 100, cx: 0 });
    expect(g.cpu.retired).toBe(1 + 400 + 1);
    for (let n = 1; n < 60; n++) {
      const h = g.real(source, 0x07c0, 0);
      expect(h.cpu.run(n), `run(${n})`).toBe(Stop.budget);
      expect(h.cpu.retired).toBe(n);
    }
  });
});

describe('instructions that real-address mode does not know', () => {
  for (const source of ['lldt ax', 'ltr ax', 'sldt ax', 'str ax', 'arpl ax, bx', 'verr ax', 'lar ax, bx', 'lsl ax, bx'])
    it(`${source} raises #UD`, () => expect(real(source).run()).toBe('#UD'));
});
