/** 32-bit paging (SDM vol. 3, "32-Bit Paging", "Access Rights", "Page-Fault Exceptions", "Accessed and Dirty Flags", "Caching Translation Information"). */
import { describe, expect, it } from 'vitest';
import { Stop } from '../../../src/machine/cpu/processor.ts';
import { CODE, CODE0, DATA, FREE, GDT, gate, Guest, IDT, STACK, STUBS } from '../cpu/guest.ts';

const P = 1;
const W = 2;
const U = 4;
const A = 0x20;
const D = 0x40;
const PS = 0x80;
const G = 0x100;

const DIRECTORY = 0x20000;
const TABLE = 0x21000;
/** Linear addresses from here on, by pages, are the tests' own: table at 22000h, nothing present. */
const WINDOW = 0x400000;
const WINDOW_TABLE = 0x22000;
const pte = (page: number): number => WINDOW_TABLE + page * 4;
/** Physical pages for them. */
const FRAME = 0x30000;
const BIG = { ramBytes: 8 << 20 };

/** A guest with the first MiB mapped to itself (writable, for all, accessed and dirty) and paging on. */
function paged(source: string, level: 0 | 3 = 0, { wp = false, pse = false, pge = false, ramBytes = 1 << 20 } = {}): Guest {
  const g = new Guest({ ramBytes }).flat(source, level);
  g.write32(DIRECTORY, TABLE | 0x67, WINDOW_TABLE | 0x67);
  for (let page = 0; page < 256; page++) g.write32(TABLE + page * 4, (page << 12) | 0x67);
  g.set({ cr3: DIRECTORY, cr4: (pse ? 0x10 : 0) | (pge ? 0x80 : 0), cr0: (wp ? 0x80010011 : 0x80000011) | 0 });
  return g;
}
/** Maps a page of the window, before or between runs. */
const map = (g: Guest, page: number, flags: number, frame = FRAME + page * 0x1000): void => g.write32(pte(page), frame | flags);

describe('translation', () => {
  it('directory and table entries select the frame', () => {
    const g = paged(`mov eax, [${WINDOW + 0x2004}]; mov byte [${WINDOW + 0x2008}], 0x5a`);
    map(g, 2, P | W, 0x45000);
    g.write32(0x45004, 0x11223344);
    expect(g.run()).toBe('hlt');
    expect(g.get('eax')).toBe(0x11223344);
    expect(g.read8(0x45008)).toBe(0x5a);
  });
  it('a 4 MiB page is 10 bits of directory entry and 22 bits of offset', () => {
    const g = paged('mov eax, [0xc0512345]', 0, { pse: true, ...BIG });
    g.write32(DIRECTORY + 0x301 * 4, 0x00400000 | P | PS);
    g.write32(0x400000 + 0x112345, 0xabcdef01);
    expect(g.run()).toBe('hlt');
    expect(g.get('eax')).toBe(0xabcdef01);
  });
  it('without CR4.PSE the PS bit is ignored', () => {
    const g = paged('mov eax, [0xc0400000]');
    g.write32(DIRECTORY + 0x301 * 4, WINDOW_TABLE | P | PS);
    map(g, 0, P);
    g.write32(FRAME, 0x777);
    expect(g.run()).toBe('hlt');
    expect(g.get('eax')).toBe(0x777);
  });
  it('reserved bits of a 4 MiB entry raise #PF with RSVD', () => {
    const g = paged('mov eax, [0xc0400000]', 0, { pse: true });
    g.write32(DIRECTORY + 0x301 * 4, 0x00400000 | P | PS | 0x2000);
    expect(g.run()).toBe('#PF(9)');
  });
});

describe('page faults', () => {
  const fault = (source: string, flags: number | undefined, level: 0 | 3 = 0, wp = false): string => {
    const g = paged(source.replaceAll('P', String(WINDOW)), level, { wp });
    if (flags !== undefined) map(g, 0, flags);
    return g.run();
  };
  const read = 'mov al, [P]';
  const write = 'mov [P], al';
  it('not present: error code bit 0 clear; W/R and U/S tell the access', () => {
    expect(fault(read, 0)).toBe('#PF(0)');
    expect(fault(write, 0)).toBe('#PF(2)');
    expect(fault(read, 0, 3)).toBe('#PF(4)');
    expect(fault(write, 0, 3)).toBe('#PF(6)');
  });
  it('an update is a write', () => {
    expect(fault('inc byte [P]', 0)).toBe('#PF(2)');
    expect(fault('xchg [P], al', 0, 3)).toBe('#PF(6)');
    expect(fault('cmp [P], al', 0)).toBe('#PF(0)');
    expect(fault('push dword [P]', 0)).toBe('#PF(0)');
    expect(fault('cmpxchg [P], ecx', P | U, 3)).toBe('#PF(7)');
    expect(fault('bt dword [P], 3', 0)).toBe('#PF(0)');
    expect(fault('bts dword [P], 3', 0)).toBe('#PF(2)');
  });
  it('a supervisor page is closed to level 3', () => {
    expect(fault(read, P | W, 3)).toBe('#PF(5)');
    expect(fault(write, P | W, 3)).toBe('#PF(7)');
    expect(fault(read, P | W | U, 3)).toBe('int 30');
  });
  it('a read-only page: level 3 may not write; level 0 may unless CR0.WP is set', () => {
    expect(fault(write, P | U, 3)).toBe('#PF(7)');
    expect(fault(write, P | U)).toBe('hlt');
    expect(fault(write, P | U, 0, true)).toBe('#PF(3)');
    expect(fault(read, P | U, 0, true)).toBe('hlt');
  });
  it('the rights of directory and table entry are combined by AND', () => {
    for (const [pde, expected] of [
      [P | W | U, 'int 30'],
      [P | W, '#PF(7)'],
      [P | U, '#PF(7)'],
      [0, '#PF(6)'],
    ] as const) {
      const g = paged(`mov byte [${WINDOW}], 1`, 3);
      g.write32(DIRECTORY + 4, WINDOW_TABLE | pde);
      map(g, 0, P | W | U);
      expect(g.run(), pde.toString(16)).toBe(expected);
    }
  });
  it('CR2 is the linear address of the access', () => {
    const g = paged(`mov eax, [${WINDOW + 0x3123}]`);
    g.run();
    expect(g.get('cr2')).toBe(WINDOW + 0x3123);
  });
  it('an access that crosses into a page that is missing has the beginning of that page in CR2', () => {
    const g = paged(`mov eax, [${WINDOW + 0xffe}]`);
    map(g, 0, P | W);
    expect(g.run()).toBe('#PF(0)');
    expect(g.get('cr2')).toBe(WINDOW + 0x1000);
  });
  it('the instruction is undone and restarts: EIP, registers and flags are those before it', () => {
    const g = paged(`stc; mov ecx, 7; here: adc [${WINDOW}], ecx`);
    expect(g.run()).toBe('#PF(2)');
    expect(g.frame()).toMatchObject({ eip: g.label('here'), cs: CODE0 });
    expect(g.frame().eflags & 0x8d5).toBe(1);
    map(g, 0, P | W);
    g.write32(FRAME, 100);
    g.set({ eip: g.label('here'), eflags: 3, esp: STACK });
    expect(g.run()).toBe('hlt');
    expect(g.read32(FRAME)).toBe(108);
  });
  it('system structures are read as supervisor, whatever the level', () => {
    const g = paged('mov ax, 0x23; mov fs, ax; int 0x30', 3);
    for (const page of [GDT, IDT, 0x4000, 0x6000, 0x5000]) g.write32(TABLE + (page >>> 12) * 4, page | P | W | A | D);
    expect(g.run()).toBe('int 30');
  });
  it('#PF while #PF is delivered is a double fault', () => {
    const g = paged(`mov eax, [${WINDOW}]`);
    g.setGate(14, gate(CODE0, STUBS, 0x8e));
    g.set({ 'idtr.base': WINDOW });
    expect(g.run()).toBe('tripleFault');
    const h = paged(`mov esp, ${WINDOW + 0x1000}; mov eax, [${WINDOW + 0x5000}]`);
    expect(h.run()).toBe('tripleFault');
  });
});

describe('accessed and dirty', () => {
  it('a read sets A in both entries and D in neither', () => {
    const g = paged(`mov al, [${WINDOW}]`);
    g.write32(DIRECTORY + 4, WINDOW_TABLE | P | W);
    map(g, 0, P | W);
    g.run();
    expect([g.read32(DIRECTORY + 4), g.read32(pte(0))]).toEqual([WINDOW_TABLE | P | W | A, FRAME | P | W | A]);
  });
  it('a write sets D in the table entry only, also after a read has filled the TLB', () => {
    const g = paged(`mov al, [${WINDOW}]; mov [${WINDOW}], al`);
    g.write32(DIRECTORY + 4, WINDOW_TABLE | P | W);
    map(g, 0, P | W);
    g.run();
    expect([g.read32(DIRECTORY + 4), g.read32(pte(0))]).toEqual([WINDOW_TABLE | P | W | A, FRAME | P | W | A | D]);
  });
  it('a 4 MiB page has them in the directory entry', () => {
    const g = paged('mov al, [0xc0400000]; hlt; mov [0xc0400000], al', 0, { pse: true });
    g.write32(DIRECTORY + 0x301 * 4, P | W | PS);
    g.run();
    expect(g.read32(DIRECTORY + 0x301 * 4)).toBe(P | W | PS | A);
    g.run();
    expect(g.read32(DIRECTORY + 0x301 * 4)).toBe(P | W | PS | A | D);
  });
  it('an access that faults sets neither', () => {
    const g = paged(`mov [${WINDOW}], al`, 3);
    map(g, 0, P | U);
    g.run();
    expect(g.read32(pte(0)) & (A | D)).toBe(0);
  });
  it('a prefetched page is not marked: only pages that are executed', () => {
    const g = paged(`jmp ${WINDOW + 0xff0}`);
    map(g, 0, P);
    map(g, 1, P);
    g.write8(FRAME + 0xff0, 0x90, 0xf4);
    g.run();
    expect([g.read32(pte(0)) & A, g.read32(pte(1)) & A]).toEqual([A, 0]);
  });
});

describe('accesses that cross pages', () => {
  it('the parts come from two frames', () => {
    const g = paged(`mov eax, [${WINDOW + 0xffe}]; mov dword [${WINDOW + 0xffd}], 0x11223344; add word [${WINDOW + 0xfff}], 0x101`);
    map(g, 0, P | W, 0x50000);
    map(g, 1, P | W, 0x40000);
    g.write16(0x50ffe, 0xbbaa);
    g.write16(0x40000, 0xddcc);
    expect(g.run()).toBe('hlt');
    expect(g.get('eax')).toBe(0xddccbbaa);
    expect([g.read8(0x50ffd), g.read8(0x50ffe), g.read8(0x50fff), g.read8(0x40000)]).toEqual([0x44, 0x33, 0x23, 0x12]);
  });
  it('both pages are checked before anything is written', () => {
    const g = paged(`mov dword [${WINDOW + 0xffe}], -1`);
    map(g, 0, P | W);
    expect(g.run()).toBe('#PF(2)');
    expect(g.read16(FRAME + 0xffe)).toBe(0);
    const h = paged(`mov dword [${WINDOW + 0xffe}], -1`, 3);
    map(h, 0, P | W | U);
    map(h, 1, P | U);
    expect(h.run()).toBe('#PF(7)');
    expect(h.read16(FRAME + 0xffe)).toBe(0);
  });
  it('an access at FFFFFFFEh wraps to linear address 0', () => {
    const g = paged('mov eax, [0xfffffffe]');
    g.write32(DIRECTORY + 0x3ff * 4, WINDOW_TABLE | P);
    map(g, 0x3ff, P, 0x40000);
    g.write16(0x40ffe, 0x1234);
    g.write16(0, 0x5678);
    expect(g.run()).toBe('hlt');
    expect(g.get('eax')).toBe(0x56781234);
  });
  it('an instruction across two pages is fetched from both frames', () => {
    const g = paged(`jmp ${WINDOW + 0xffe}`);
    map(g, 0, P, 0x50000);
    map(g, 1, P, 0x40000);
    g.write8(0x50ffe, 0xb8, 0x11); // MOV EAX, 44332211h
    g.write8(0x40000, 0x22, 0x33, 0x44, 0xf4);
    expect(g.run()).toBe('hlt');
    expect(g.registers('eax', 'eip')).toEqual({ eax: 0x44332211, eip: WINDOW + 0x1004 });
  });
  it('the second page missing: #PF at its beginning, with the instruction to restart', () => {
    const g = paged(`jmp ${WINDOW + 0xffe}`);
    map(g, 0, P, 0x50000);
    g.write8(0x50ffe, 0xb8, 0x11);
    expect(g.run()).toBe('#PF(0)');
    expect(g.get('cr2')).toBe(WINDOW + 0x1000);
    expect(g.frame().eip).toBe(WINDOW + 0xffe);
  });
  it('the second page remapped: the instruction is fetched from its new frame', () => {
    const g = paged(
      `mov esi, 2; again: call ${WINDOW + 0xffe}; mov [${DATA} + esi*4], eax; mov dword [${pte(1)}], 0x41001; mov eax, cr3; mov cr3, eax; dec esi; jnz again`,
    );
    map(g, 0, P, 0x50000);
    map(g, 1, P, 0x40000);
    g.write8(0x50ffe, 0xb8, 0x11);
    g.write8(0x40000, 0x22, 0x33, 0x44, 0xc3);
    g.write8(0x41000, 0x55, 0x66, 0x77, 0xc3);
    expect(g.run()).toBe('hlt');
    expect([g.read32(DATA + 8), g.read32(DATA + 4)]).toEqual([0x44332211, 0x77665511]);
  });
});

describe('fetches', () => {
  it('level 3 may not fetch from a supervisor page, level 0 may from a user page', () => {
    const g = paged(`jmp ${WINDOW}`, 3);
    map(g, 0, P | W);
    expect(g.run()).toBe('#PF(5)');
    expect(g.frame().eip).toBe(WINDOW);
    const h = paged(`jmp ${WINDOW}`);
    map(h, 0, P | U);
    h.write8(FRAME, 0xf4);
    expect(h.run()).toBe('hlt');
  });
  it('a jump to a page that is not present has retired: the fault is that of the target', () => {
    const g = paged(`jmp ${WINDOW + 0x10}`);
    expect(g.run()).toBe('#PF(0)');
    expect(g.frame().eip).toBe(WINDOW + 0x10);
    expect(g.get('cr2')).toBe(WINDOW + 0x10);
    expect(g.cpu.retired).toBe(3); // the jump, the exception, the HLT of the handler
  });
  it('code that level 0 has executed is still closed to level 3', () => {
    const g = paged(`call ${WINDOW}; push dword 0x23; push dword 0x7800; push dword 2; push dword 0x1b; push dword ${WINDOW}; iretd`);
    map(g, 0, P);
    g.write8(FRAME, 0xc3);
    expect(g.run()).toBe('#PF(5)');
  });
});

describe('the TLB', () => {
  it('a translation stays after its entry has been edited, until INVLPG', () => {
    const g = paged(`mov eax, [${WINDOW}]; mov dword [${pte(0)}], 0x41001; mov ebx, [${WINDOW}]; invlpg [${WINDOW}]; mov ecx, [${WINDOW}]`);
    map(g, 0, P, 0x40000);
    g.write32(0x40000, 1);
    g.write32(0x41000, 2);
    g.run();
    expect(g.registers('eax', 'ebx', 'ecx')).toEqual({ eax: 1, ebx: 1, ecx: 2 });
  });
  it('or until CR3 is loaded', () => {
    const g = paged(`mov eax, [${WINDOW}]; mov dword [${pte(0)}], 0x41001; mov edx, cr3; mov cr3, edx; mov ecx, [${WINDOW}]`);
    map(g, 0, P, 0x40000);
    g.write32(0x41000, 2);
    g.run();
    expect(g.get('ecx')).toBe(2);
  });
  it('a global translation outlives a load of CR3, not INVLPG and not a change of CR4.PGE', () => {
    const source = (flush: string): string => `mov eax, [${WINDOW}]; mov dword [${pte(0)}], 0x41101; ${flush}; mov ecx, [${WINDOW}]`;
    const seen = (flush: string): number => {
      const g = paged(source(flush), 0, { pge: true });
      map(g, 0, P | G, 0x40000);
      g.write32(0x40000, 1);
      g.write32(0x41000, 2);
      g.run();
      return g.get('ecx');
    };
    expect(seen('mov edx, cr3; mov cr3, edx')).toBe(1);
    expect(seen(`invlpg [${WINDOW}]`)).toBe(2);
    expect(seen('xor edx, edx; mov cr4, edx')).toBe(2);
  });
  it('entries that are not present are never cached', () => {
    const g = paged(`mov eax, [${WINDOW}]`);
    g.setGate(14, gate(CODE0, 0x9000, 0x8e));
    g.put(`mov dword [${pte(0)}], 0x40001; add esp, 4; iretd`, 0x9000);
    g.write32(0x40000, 5);
    expect(g.run()).toBe('hlt');
    expect(g.get('eax')).toBe(5);
  });
  it('a page fault drops the translation it came from: rights that were raised need no INVLPG', () => {
    const g = paged(`mov al, [${WINDOW}]; mov byte [${WINDOW}], 9`, 0, { wp: true });
    map(g, 0, P, 0x40000);
    g.setGate(14, gate(CODE0, 0x9000, 0x8e));
    g.put(`inc edx; mov dword [${pte(0)}], 0x40003; add esp, 4; iretd`, 0x9000);
    g.set({ edx: 0 });
    expect(g.run()).toBe('hlt');
    expect(g.get('edx')).toBe(1);
    expect(g.read8(0x40000)).toBe(9);
  });
  it('INVLPG of any address in a 4 MiB page drops all of it', () => {
    const at = 0xc0400000;
    const g = paged(
      `mov eax, [${at}]; mov eax, [${at + 0x5000}]; mov dword [${DIRECTORY + 0x301 * 4}], 0x400081; invlpg [${at + 0x3000}]; mov ebx, [${at}]; mov ecx, [${at + 0x5000}]`,
      0,
      { pse: true, ...BIG },
    );
    g.write32(DIRECTORY + 0x301 * 4, P | PS);
    g.write32(0x400000, 7);
    g.write32(0x405000, 8);
    g.run();
    expect(g.registers('ebx', 'ecx')).toEqual({ ebx: 7, ecx: 8 });
  });
  it('INVLPG of the page that is being executed takes effect at the next instruction', () => {
    const g = paged(`jmp ${WINDOW}`);
    map(g, 0, P, 0x40000);
    const code = (value: number): void =>
      void g.put(`mov dword [${pte(0)}], 0x41001; invlpg [${WINDOW}]; mov eax, ${value}; hlt`, value === 1 ? 0x40000 : 0x41000, WINDOW);
    code(1);
    code(2);
    expect(g.run()).toBe('hlt');
    expect(g.get('eax')).toBe(2);
  });
  it('a first write to a page whose entry has been edited moves reads along with it', () => {
    const g = paged(`mov eax, [${WINDOW}]; mov dword [${pte(0)}], 0x41003; mov dword [${WINDOW + 4}], 5; mov ebx, [${WINDOW}]`);
    map(g, 0, P | W, 0x40000);
    g.write32(0x40000, 1);
    g.write32(0x41000, 2);
    g.run();
    // The walk for D found another frame: the whole translation is the new one.
    expect(g.get('ebx')).toBe(2);
    expect(g.read32(0x41004)).toBe(5);
  });
  it('1,000 pages in turn are all found, and their marks are right', () => {
    const g = paged(
      `mov ecx, 3; pass: mov edi, ${WINDOW}; next: mov eax, [edi]; inc dword [edi+4]; add edi, 0x1000; cmp edi, ${WINDOW + 1000 * 0x1000}; jne next; add ebx, eax; loop pass`,
      0,
      BIG,
    );
    for (let page = 0; page < 1000; page++) {
      map(g, page, P | W, 0x100000 + page * 0x1000);
      g.write32(0x100000 + page * 0x1000, page);
    }
    g.set({ ebx: 0 });
    expect(g.run(100_000)).toBe('hlt');
    expect(g.get('ebx')).toBe(3 * 999);
    for (let page = 0; page < 1000; page++) {
      expect(g.read32(0x100004 + page * 0x1000)).toBe(3);
      expect(g.read32(pte(page)) & 0xfff).toBe(P | W | A | D);
    }
  });
  it('is the same whether fast tables and records are kept or dropped at every step', () => {
    const source = `mov ecx, 40; next: mov eax, ecx; shl eax, 19; and eax, 0x3ff000; inc dword [eax + ${WINDOW}]; mov edx, [eax + ${WINDOW} + 0x1000]; cmp ecx, 20; jne on; mov dword [${pte(3)}], 0x41003; on: call ${WINDOW + 0x7000}; loop next`;
    const run = (dropping: boolean): string => {
      const g = paged(source);
      for (let page = 0; page < 1024; page++) map(g, page, P | W, FRAME + (page & 15) * 0x1000);
      g.write8(FRAME + 0x7000, 0xc3);
      for (let i = 0; i < 400 && g.cpu.run(1) === Stop.budget; i++) {
        if (!dropping) continue;
        g.cpu.forget();
        g.cpu.records.clear();
      }
      return g.snapshot(0, 1 << 20);
    };
    expect(run(true)).toBe(run(false));
  });
  it('the debugger looks at translations without filling the TLB or marking pages', () => {
    const g = paged('nop');
    map(g, 0, P | W, 0x40000);
    g.run();
    expect(g.cpu.paging.peek(WINDOW + 0x123)).toBe(0x40123);
    expect(g.cpu.paging.peek(WINDOW + 0x1000)).toBe(-1);
    expect(g.read32(pte(0))).toBe(0x40000 | P | W);
  });
  it('with the A20 gate closed, bit 20 of every physical address is 0, those of page tables included', () => {
    const g = paged(`mov eax, [${WINDOW}]`, 0, BIG);
    map(g, 0, P, 0x150000);
    g.write32(0x50000, 0x1357);
    g.write32(0x150000, 0x2468);
    g.set({ cr3: DIRECTORY | 0x100000 });
    g.cpu.physical.setA20(false);
    expect(g.cpu.paging.peek(WINDOW)).toBe(0x50000);
    expect(g.run()).toBe('hlt');
    expect(g.get('eax')).toBe(0x1357);
  });
});

describe('instructions that fault in the middle', () => {
  it('PUSHA across a page that is missing leaves every register', () => {
    const g = paged('mov eax, 1; mov ecx, 2; mov edx, 3; mov ebx, 4; here: pusha', 3);
    map(g, 1, P | W | U);
    g.set({ esp: WINDOW + 0x1010 });
    expect(g.run()).toBe('#PF(6)');
    expect(g.frame()).toMatchObject({ eip: g.label('here'), esp: WINDOW + 0x1010 });
    expect(g.get('cr2')).toBe(WINDOW + 0xffc);
    expect(g.registers('eax', 'ecx', 'edx', 'ebx')).toEqual({ eax: 1, ecx: 2, edx: 3, ebx: 4 });
  });
  it('POPA likewise', () => {
    const g = paged('mov eax, 1; mov edi, 2; popa', 3);
    map(g, 0, P | W | U);
    g.set({ esp: WINDOW + 0xff0 });
    expect(g.run()).toBe('#PF(4)');
    expect(g.registers('eax', 'edi')).toEqual({ eax: 1, edi: 2 });
  });
  it('REP MOVSB stops at the element that faults, with exact ESI, EDI and ECX, and goes on from there', () => {
    const g = paged(`cld; mov esi, ${DATA}; mov edi, ${WINDOW + 0xff0}; mov ecx, 0x40; here: rep movsb`);
    map(g, 0, P | W);
    for (let i = 0; i < 0x40; i++) g.write8(DATA + i, i + 1);
    expect(g.run()).toBe('#PF(2)');
    expect(g.registers('esi', 'edi', 'ecx')).toEqual({ esi: DATA + 0x10, edi: WINDOW + 0x1000, ecx: 0x30 });
    expect(g.frame().eip).toBe(g.label('here'));
    map(g, 1, P | W);
    g.set({ eip: g.label('here'), esp: STACK });
    expect(g.run()).toBe('hlt');
    expect([...g.cpu.physical.readBytes(FRAME + 0xff0, 0x40)]).toEqual(Array.from({ length: 0x40 }, (_, i) => i + 1));
  });
  it('a load of a far pointer that faults in the selector loads nothing', () => {
    const g = paged(`mov ebx, 5; les ebx, [${WINDOW + 0xffc}]`);
    map(g, 0, P);
    expect(g.run()).toBe('#PF(0)');
    expect(g.registers('ebx', 'es')).toEqual({ ebx: 5, es: 0x10 });
  });
  it('POP to memory that faults leaves ESP; POP with ESP as base uses the incremented one', () => {
    const g = paged(`here: pop dword [${WINDOW}]`, 3);
    expect(g.run()).toBe('#PF(6)');
    expect(g.frame().esp).toBe(0x7800);
    const h = paged('push dword 7; pop dword [esp+4]');
    h.run();
    expect(h.read32(STACK + 4)).toBe(7);
  });
  it('CALL that cannot push does not jump', () => {
    const g = paged('here: call CODE'.replace('CODE', String(CODE)), 3);
    g.set({ esp: WINDOW });
    expect(g.run()).toBe('#PF(6)');
    expect(g.frame()).toMatchObject({ eip: g.label('here'), esp: WINDOW });
  });
  it('a segment load that cannot read its descriptor faults as supervisor', () => {
    const g = paged(`mov ax, ${FREE}; mov ds, ax`, 3);
    g.set({ 'gdtr.base': WINDOW });
    g.set({ 'idtr.base': IDT });
    expect(g.run(3)).toBe('tripleFault'); // nor can the gate's code segment be read
  });
});
