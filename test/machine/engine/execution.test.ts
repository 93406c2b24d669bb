/** The engine under programs that change themselves, and the requests by which it asks the VMM. */
import { describe, expect, it } from 'vitest';
import { Request, Stop } from '../../../src/machine/cpu/processor.ts';
import { CODE, DATA, Guest, STACK } from '../cpu/guest.ts';

const flat = (source: string): Guest => new Guest().flat(source);

describe('code that is written to', () => {
  it('a store into the next instruction takes effect at once', () => {
    const g = flat('mov byte [patched+1], 7; patched: mov al, 1');
    expect(g.run()).toBe('hlt');
    expect(g.get('al')).toBe(7);
  });
  it('also when it has been executed before', () => {
    const g = flat('xor ebx, ebx; mov ecx, 5; again: mov [patched+1], cl; patched: mov al, 0; add bl, al; loop again');
    g.run();
    expect(g.get('ebx')).toBe(15);
  });
  it('a store into a later instruction of the same run', () => {
    const g = flat('nop; mov byte [patched+1], 9; inc ecx; inc edx; patched: mov al, 1');
    g.run();
    expect(g.get('al')).toBe(9);
  });
  it('a store into an earlier one is seen when it comes round again', () => {
    const g = flat('mov ecx, 2; again: mov al, 1; add ah, al; mov byte [again+1], 4; loop again');
    g.set({ eax: 0 });
    g.run();
    expect(g.get('ah')).toBe(5);
  });
  it('a store into the code of another page', () => {
    const g = flat('call 0x9000; mov byte [0x9001], 8; call 0x9000');
    g.put('mov al, 2; add bl, al; ret', 0x9000);
    g.set({ ebx: 0 });
    g.run();
    expect(g.get('bl')).toBe(10);
  });
  it('an instruction that writes itself executes as it was, once', () => {
    const g = flat('mov edi, here; mov al, 0x41; here: stosb; nop');
    g.set({ ecx: 0 });
    expect(g.run()).toBe('hlt');
    expect([g.get('edi'), g.get('ecx')]).toEqual([g.label('here') + 1, 0]);
    g.set({ eip: g.label('here') });
    g.run();
    expect(g.get('ecx')).toBe(1); // 41h is INC ECX
  });
  it('REP MOVSB over code, the instructions behind it included', () => {
    const g = flat(
      'cld; mov esi, new; mov edi, old; mov ecx, newend-new; rep movsb; old: mov eax, 1; nop; nop; hlt; new: mov eax, 0x12345678; inc eax; newend:',
    );
    expect(g.run()).toBe('hlt');
    expect(g.get('eax')).toBe(0x12345679);
    expect(g.get('ecx')).toBe(0);
  });
  it('a store that crosses into a page of code', () => {
    const g = flat('call 0x9000; mov dword [0x8fff], 0x0005b000; call 0x9000');
    g.put('mov al, 1; add bl, al; ret', 0x9000);
    g.set({ ebx: 0 });
    g.run();
    expect(g.get('bl')).toBe(1 + 5);
  });
  it('PUSH, CALL and INT write to code as well', () => {
    const g = flat('call 0x9000; mov esp, 0x9004; push dword 0x909003b0; mov esp, 0x7000; call 0x9000');
    g.put('mov al, 1; nop; nop; add bl, al; ret', 0x9000);
    g.set({ ebx: 0 });
    g.run();
    expect(g.get('bl')).toBe(4);
    const h = flat('call 0x9000; mov esp, 0x9010; int 0x41');
    h.put('mov cl, 1; ret; times 13 nop; ', 0x9000);
    h.put('mov esp, 0x7000; mov eax, [0x900c]; hlt', 0x9100);
    h.setGate(0x41, [0x00089100, 0x0000ee00]);
    h.run();
    expect(h.get('eax')).toBe(2);
  });
  it('a store through another linear address of the same page', () => {
    const g = new Guest().flat('mov ecx, 2; again: call 0x9000; mov byte [0x409001], 6; loop again');
    g.put('mov al, 1; add bl, al; ret', 0x9000);
    g.write32(0x20000, 0x21007, 0x21007);
    for (let page = 0; page < 256; page++) g.write32(0x21000 + page * 4, (page << 12) | 7);
    g.set({ ebx: 0, cr3: 0x20000, cr0: 0x80000011 });
    expect(g.run()).toBe('hlt');
    expect(g.get('bl')).toBe(7);
  });
  it('a page that was written to before it was executed', () => {
    const g = flat('mov byte [0x9001], 1; call 0x9000; mov byte [0x9001], 2; call 0x9000; mov byte [0x9001], 4; call 0x9000');
    g.put('mov al, 0; add bl, al; ret', 0x9000);
    g.set({ ebx: 0 });
    g.run();
    expect(g.get('bl')).toBe(7);
  });
  it('writes by devices and by the debugger', () => {
    for (const bytes of [1, 2, 4]) {
      const g = flat('again: mov eax, 1; jmp again');
      g.cpu.run(10);
      if (bytes === 1) g.cpu.physical.write8(CODE + 1, 7);
      else if (bytes === 2) g.cpu.physical.write16(CODE + 1, 7);
      else g.cpu.physical.write32(CODE + 1, 7);
      g.cpu.run(4);
      expect(g.get('eax'), `${bytes} bytes`).toBe(7);
    }
  });
  it('a page of RAM that is mapped elsewhere', () => {
    const g = flat('call 0x9000; hlt; call 0x9000');
    g.put('mov eax, 1; ret', 0x9000);
    g.put('mov eax, 2; ret', 0xa000, 0x9000);
    g.run();
    expect(g.get('eax')).toBe(1);
    g.cpu.physical.mapRam(0x9000, 0x1000, 0xa000);
    g.run();
    expect(g.get('eax')).toBe(2);
  });
  it('data in another 64-byte piece of a page of code costs no decoded instruction', () => {
    const g = flat('mov ecx, 1000; again: inc dword [0x8800]; loop again');
    g.cpu.run(10);
    const { generation } = g.cpu.records;
    expect(g.run()).toBe('hlt');
    expect(g.cpu.records.generation).toBe(generation);
    expect(g.read32(0x8800)).toBe(1000);
  });
  it('data in the same piece is right, if slow', () => {
    const g = flat('mov ecx, 100; again: inc dword [counter]; loop again; hlt; counter: dd 0');
    expect(g.run()).toBe('hlt');
    expect(g.read32(g.label('counter'))).toBe(100);
  });
});

describe('memory that is not RAM', () => {
  const MMIO = 0xfee00000;
  /** Answers every exit: reads give 100 + their number. Tells what was asked. */
  function serve(g: Guest, most = 100): string[] {
    const log: string[] = [];
    const { cpu } = g;
    let stop = cpu.run(1000);
    while (log.length < most && (stop === Stop.mmio || stop === Stop.inout)) {
      const { exit, requests } = cpu;
      const at = (stop === Stop.mmio ? exit.gpa : exit.port).toString(16);
      log.push(
        `${stop === Stop.inout ? (exit.write ? 'out' : 'in') : exit.write ? 'write' : 'read'} ${at} ${exit.size}${exit.write ? ` ${exit.value.toString(16)}` : ''}`,
      );
      if (stop === Stop.inout) Object.assign(requests.inout, { state: Request.DONE, value: 0x100 + log.length });
      else if (exit.write) Object.assign(requests.write, { state: Request.DONE, gpa: exit.gpa, size: exit.size });
      else Object.assign(requests.read, { state: Request.DONE, gpa: exit.gpa, size: exit.size, value: 0x100 + log.length, valueHigh: 0 });
      stop = cpu.complete();
      if (stop !== Stop.budget) continue;
      requests.clear();
      stop = cpu.run(1000);
    }
    log.push(stop === Stop.hlt ? g.outcomeHere(1) : String(stop));
    return log;
  }
  it('an instruction that exits has not happened', () => {
    const g = flat(`stc; mov eax, 5; here: adc eax, [${MMIO + 0x20}]`);
    expect(g.run()).toBe('mmio');
    expect(g.cpu.exit).toMatchObject({ gpa: MMIO + 0x20, gla: MMIO + 0x20, size: 4, write: false });
    expect(g.registers('eax', 'eip')).toEqual({ eax: 5, eip: g.label('here') });
    expect(g.get('eflags') & 1).toBe(1);
    expect(g.cpu.retired).toBe(2);
  });
  it('a read is asked for once and completed with its answer', () => {
    const g = flat(`mov eax, [${MMIO}]; mov ebx, [${MMIO + 4}]`);
    expect(serve(g)).toEqual(['read fee00000 4', 'read fee00004 4', 'hlt']);
    expect(g.registers('eax', 'ebx')).toEqual({ eax: 0x101, ebx: 0x102 });
  });
  it('a write shows its value, cut to its size', () => {
    const g = flat(`mov eax, 0x12345678; mov [${MMIO}], eax; mov [${MMIO + 1}], ax; mov [${MMIO + 2}], ah`);
    expect(serve(g)).toEqual(['write fee00000 4 12345678', 'write fee00001 2 5678', 'write fee00002 1 56', 'hlt']);
  });
  it('an update reads, then writes', () => {
    const g = flat(`mov eax, 7; xchg eax, [${MMIO}]; or dword [${MMIO + 4}], 0x1000; lock inc byte [${MMIO}]`);
    expect(serve(g)).toEqual([
      'read fee00000 4',
      'write fee00000 4 7',
      'read fee00004 4',
      'write fee00004 4 1103',
      'read fee00000 1',
      'write fee00000 1 6',
      'hlt',
    ]);
    expect(g.get('eax')).toBe(0x101);
  });
  it('CMPXCHG writes in either case', () => {
    const g = flat(`mov eax, 0x55; mov ecx, 9; cmpxchg [${MMIO}], ecx`);
    expect(serve(g)).toEqual(['read fee00000 4', 'write fee00000 4 101', 'hlt']);
    expect(g.get('eax')).toBe(0x101);
  });
  it('a copy from device to device is one read and one write', () => {
    const g = flat(`mov esi, ${MMIO}; mov edi, ${MMIO + 0x100}; movsd`);
    expect(serve(g)).toEqual(['read fee00000 4', 'write fee00100 4 101', 'hlt']);
    expect(g.registers('esi', 'edi')).toEqual({ esi: MMIO + 4, edi: MMIO + 0x104 });
  });
  it('a repeated instruction asks once for each element, and each completion is one element', () => {
    const g = flat(`cld; mov esi, ${MMIO}; mov edi, ${DATA}; mov ecx, 3; rep movsd`);
    expect(serve(g)).toEqual(['read fee00000 4', 'read fee00004 4', 'read fee00008 4', 'hlt']);
    expect([g.read32(DATA), g.read32(DATA + 4), g.read32(DATA + 8)]).toEqual([0x101, 0x102, 0x103]);
  });
  it('a fault after the read leaves the instruction undone; the read has been asked for once', () => {
    const g = flat(`mov esi, ${MMIO}; mov edi, 0x1000; movsd`);
    g.cpu.window.setSegment(0, 0x10, 0, 0xfff, 0x4093);
    expect(serve(g)).toEqual(['read fee00000 4', '#GP(0)']);
    const h = new Guest().flat(`push dword [${MMIO}]`, 3);
    h.write32(0x20000, 0x21007);
    for (let page = 0; page < 256; page++) h.write32(0x21000 + page * 4, (page << 12) | 7);
    h.write32(0x20000 + (MMIO >>> 22) * 4, 0x22007);
    h.write32(0x22000 + ((MMIO >>> 12) & 0x3ff) * 4, MMIO | 7);
    h.set({ cr3: 0x20000, cr0: 0x80000011, esp: 0x500000 });
    expect(serve(h)).toEqual(['read fee00000 4', '#PF(6)']);
    expect(h.frame()).toMatchObject({ eip: CODE, esp: 0x500000 });
  });
  it('an access that crosses from RAM to where nobody is reads all ones there', () => {
    const g = flat('mov eax, [0xffffe]');
    g.write16(0xffffe, 0x1234);
    expect(g.run()).toBe('hlt');
    expect(g.get('eax')).toBe(0xffff1234);
  });
  it('code where nobody is stops with its address', () => {
    const g = flat(`jmp ${MMIO + 0x10}`);
    expect(g.run()).toBe('paging');
    expect(g.cpu.exit.gpa).toBe(MMIO + 0x10);
    expect(g.get('eip')).toBe(MMIO + 0x10);
  });
  it('a write to ROM exits, a read does not, and an update reads the ROM and exits for the write', () => {
    const g = flat('mov eax, [0xf0000]; mov byte [0xf0000], 1; inc dword [0xf0000]');
    g.cpu.physical.mapRom(0xf0000, new Uint8Array(4096).fill(0x11));
    expect(serve(g)).toEqual(['write f0000 1 1', 'write f0000 4 11111112', 'hlt']);
    expect(g.get('eax')).toBe(0x11111111);
  });

  describe('ports', () => {
    it('IN and OUT in all sizes, by DX and by immediate', () => {
      const g = flat('mov dx, 0x3f8; in al, dx; in ax, 0x40; in eax, dx; mov eax, 0x11223344; out dx, eax; out 0x80, al; out dx, ax');
      expect(serve(g)).toEqual(['in 3f8 1', 'in 40 2', 'in 3f8 4', 'out 3f8 4 11223344', 'out 80 1 44', 'out 3f8 2 3344', 'hlt']);
    });
    it('IN AL leaves the rest of EAX', () => {
      const g = flat('mov eax, -1; in al, 0x80');
      serve(g);
      expect(g.get('eax')).toBe(0xffffff01);
    });
    it('OUTS reads memory before it asks, INS checks where it will write before it asks', () => {
      const g = flat(`cld; mov dx, 0x70; mov esi, ${DATA}; mov ecx, 2; rep outsw; mov edi, ${DATA + 0x10}; insd`);
      g.write16(DATA, 0x1111, 0x2222);
      expect(serve(g)).toEqual(['out 70 2 1111', 'out 70 2 2222', 'in 70 4', 'hlt']);
      expect(g.read32(DATA + 0x10)).toBe(0x103);
      expect(g.registers('esi', 'ecx', 'edi')).toEqual({ esi: DATA + 4, ecx: 0, edi: DATA + 0x14 });
      const h = flat('mov dx, 0x70; mov edi, 0x1000; insb');
      h.cpu.window.setSegment(0, 0x10, 0, 0xfff, 0x4093);
      expect(serve(h)).toEqual(['#GP(0)']);
    });
    it('string forms are marked, and repeated ones as such', () => {
      const g = flat(`mov edi, ${DATA}; mov dx, 0x70; insb; mov ecx, 2; rep insb`);
      g.run();
      expect(g.cpu.exit).toMatchObject({ string: true, rep: false });
      g.cpu.requests.inout.state = Request.DONE;
      g.cpu.complete();
      g.cpu.requests.clear();
      g.run();
      expect(g.cpu.exit).toMatchObject({ string: true, rep: true });
    });
    it('INS to a device: the port is read once, then the device is written', () => {
      const g = flat(`mov edi, ${MMIO}; mov dx, 0x70; insb`);
      expect(serve(g)).toEqual(['in 70 1', 'write fee00000 1 1', 'hlt']);
    });
  });
});

describe('several processors', () => {
  it('each has its registers, TLB and place', () => {
    const g = new Guest({ vcpus: 2 });
    const { cpu } = g;
    cpu.select(1);
    g.flat('mov ebx, 2; b: inc ebx; jmp b');
    g.set({ eip: CODE });
    const second = g.put('mov ebx, 100; c: inc ebx; jmp c', 0x9000);
    expect(second.length).toBeGreaterThan(0);
    g.set({ eip: 0x9000 });
    cpu.select(0);
    g.flat('mov ebx, 2; b: inc ebx; jmp b');
    for (let i = 0; i < 10; i++) {
      cpu.select(i & 1);
      cpu.run(5);
    }
    cpu.select(0);
    expect(g.get('ebx')).toBe(2 + 12);
    cpu.select(1);
    expect(g.get('ebx')).toBe(100 + 12);
    expect(g.get('esp')).toBe(STACK);
  });
  it('a store by one into code of the other is seen there', () => {
    const g = new Guest({ vcpus: 2 });
    const { cpu } = g;
    cpu.select(1);
    g.flat('');
    g.put('c: mov eax, 1; jmp c', 0x9000);
    g.set({ eip: 0x9000 });
    cpu.run(7);
    cpu.select(0);
    g.flat('mov byte [0x9001], 42');
    g.run();
    cpu.select(1);
    cpu.run(2);
    expect(g.get('eax')).toBe(42);
  });
  it('code in a page that its segment only begins in is right on each, in turn', () => {
    const g = new Guest({ vcpus: 2 });
    const { cpu } = g;
    cpu.select(1);
    g.real('mov cx, 20; d: add bx, 3; loop d', 0x07c8, 0);
    g.set({ ebx: 0 });
    cpu.select(0);
    g.real('mov cx, 20; d: inc ax; add bx, 1; loop d', 0x0900, 0x10);
    g.set({ 'cs.base': 0x9080, cs: 0x908, eip: 0, ebx: 0 });
    g.put('mov cx, 20; d: inc ax; add bx, 1; loop d; hlt', 0x9080, 0, 16);
    for (let i = 0; i < 200; i++) {
      cpu.select(i & 1);
      if (!cpu.halted) cpu.run(1);
    }
    cpu.select(0);
    expect([g.get('bx'), cpu.halted]).toEqual([20, true]);
    cpu.select(1);
    expect([g.get('bx'), cpu.halted]).toEqual([60, true]);
  });
});
