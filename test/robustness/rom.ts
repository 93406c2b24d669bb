/**
 * Boot ROMs full of random instructions behind a prologue that works: it sets up descriptor tables, handlers that count and go on elsewhere, page
 * tables, timers and the other processors, and enters the mode the instructions are for. All tables lie in ROM, where nothing can spoil them.
 */
import { assemble, hasErrors } from '../../src/assembly/assembler.ts';
import type { EncodingIndex } from '../../src/machine/isa/encoding-index.ts';
import { Random } from '../silicon/random.ts';
import { instruction, SLOT, value } from './instructions.ts';

export const MODES = ['real', 'flat', 'paged', 'user', 'segmented'] as const;
export type Mode = (typeof MODES)[number];
/** How they are mixed. Without paging or limits, a flat segment soon leads to addresses that nobody answers, which ends the machine. */
const MIX: readonly Mode[] = [
  'real',
  'real',
  'real',
  'flat',
  'paged',
  'paged',
  'paged',
  'user',
  'user',
  'user',
  'user',
  'segmented',
  'segmented',
  'segmented',
];

/** RAM the ROMs count on. */
export const ROM_RAM_BYTES = 0x200000;
const ROM_BASE = 0xffff7000;
const SLOTS = 256;
const DATA = 0x10000;
const PAGING_PAGE = 0x1000;

const PROLOGUE = `
bits 32
org 0xFFFF7000
SLOTS   equ 256
COUNTER equ 0x500
LAPIC   equ 0xFEE00000
rm_enter_at equ rm_enter-rm_code+0x600
rm_begin_at equ rm_begin-rm_code+0x600

; parameters, filled in afterwards
align_0:
p_body:  dd 0                   ; where the instructions go
p_mode:  dd 0                   ; 0 real, 1 flat, 2 paged, 3 user, 4 segmented
p_flags: dd 0x202               ; EFLAGS that handlers go on with
p_pit:   dd 0                   ; PIT mode << 16 | count, 0: not used
p_masks: dd 0xFFFF              ; PIC masks
p_timer: dd 0                   ; local APIC timer's count, 0: not used
p_lvt:   dd 0x10030
p_wake:  dd 0                   ; wake the other processors?
p_cr3:   dd 0
p_cr4:   dd 0x10
p_ds:    dd 0x10
p_ss:    dd 0x33                ; of user mode
p_esp:   dd 0x17000
gdtr:    dw 255
         dd gdt
idtr:    dw 2047
         dd idt
rmidtr:  dw 1023
         dd ivt

start32:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     fs, eax
        mov     gs, eax
        mov     esp, 0x7000
        mov     esi, body
        mov     edi, [p_body]
        mov     ecx, SLOTS*16
        rep movsb
        mov     esi, rm_code
        mov     edi, 0x600
        mov     ecx, rm_end-rm_code
        rep movsb
        mov     esi, ap_code
        mov     edi, 0x3000
        mov     ecx, ap_end-ap_code
        rep movsb
        mov     edi, 0x700              ; INT3 wherever nothing else is
        mov     eax, 0xCCCCCCCC
        mov     ecx, (0x3000-0x700)/4
        rep stosd
        mov     edi, 0x3100
        mov     ecx, (0x9000-0x3100)/4
        rep stosd
        mov     edi, 0xB100
        mov     ecx, (0x10000-0xB100)/4
        rep stosd
        mov     al, 0x11
        out     0x20, al
        out     0xA0, al
        mov     al, 0x20
        out     0x21, al
        mov     al, 0x28
        out     0xA1, al
        mov     al, 4
        out     0x21, al
        mov     al, 2
        out     0xA1, al
        mov     al, 1
        out     0x21, al
        out     0xA1, al
        mov     eax, [p_masks]
        out     0x21, al
        shr     eax, 8
        out     0xA1, al
        mov     eax, [p_pit]
        test    eax, eax
        jz      .timer
        shr     eax, 16
        out     0x43, al
        mov     eax, [p_pit]
        out     0x40, al
        shr     eax, 8
        out     0x40, al
.timer: mov     dword [LAPIC+0xF0], 0x1FF
        mov     dword [LAPIC+0x350], 0x700
        mov     eax, [p_timer]
        test    eax, eax
        jz      .wake
        mov     ecx, [p_lvt]
        mov     [LAPIC+0x320], ecx
        mov     dword [LAPIC+0x3E0], 0xB
        mov     [LAPIC+0x380], eax
.wake:  cmp     dword [p_wake], 0
        je      mode
        mov     dword [LAPIC+0x300], 0x000C4500
        mov     dword [LAPIC+0x300], 0x000C4603
mode:
        lidt    [idtr]
        mov     eax, 0x38
        mov     ebx, [p_mode]
        test    ebx, ebx
        jz      real
        ltr     ax
        cmp     ebx, 4
        je      begin
        cmp     ebx, 2
        jb      begin
        mov     eax, [p_cr3]
        mov     cr3, eax
        mov     eax, [p_cr4]
        mov     cr4, eax
        mov     eax, cr0
        or      eax, 0x80010000
        mov     cr0, eax
        jmp     begin
real:   lidt    [rmidtr]
        jmp     0x18:rm_enter_at

; goes on at the slot that the counter gives
exception:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, 0x7000
begin:
        cld
        mov     eax, 1
        lock xadd [COUNTER], eax
        and     eax, SLOTS-1
        shl     eax, 4
        add     eax, [p_body]
        cmp     dword [p_mode], 3
        jae     .user
        mov     ecx, [p_ds]
        mov     ds, ecx
        push    dword [ss:p_flags]
        push    0x08
        push    eax
        iret
.user:  push    dword [p_ss]
        push    dword [p_esp]
        push    dword [p_flags]
        push    0x2B
        push    eax
        mov     ecx, [p_ds]
        mov     ds, ecx
        mov     es, ecx
        mov     fs, ecx
        mov     gs, ecx
        iret
from_pic:
        push    eax
        mov     al, 0x20
        out     0xA0, al
        out     0x20, al
        pop     eax
        iret
from_apic:
        mov     dword [ss:LAPIC+0xB0], 0
        iret

bits 16
; copied to 0000:0600
rm_code:
rm_enter:
        mov     ax, 0x20
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     eax, cr0
        and     al, 0xFE
        mov     cr0, eax
        jmp     0:rm_begin_at
rm_begin:
        cli
        xor     ax, ax
        mov     ss, ax
        mov     sp, 0x7000
        mov     ds, ax
        mov     al, 0x20
        out     0x20, al
        lock inc word [COUNTER]
        mov     bx, [COUNTER]
        and     bx, SLOTS-1
        shl     bx, 4
        add     bx, [rm_body-rm_code+0x600]
        push    word [rm_flags-rm_code+0x600]
        push    ax
        push    bx
        mov     ax, 0x1000
        mov     ds, ax
        mov     es, ax
        cld
        iret
rm_body:  dw 0
rm_flags: dw 0x202
rm_end:

; copied to 0300:0000
ap_code:
        o32 lgdt [cs:ap_gdtr-ap_code]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 0x08:ap_main
ap_gdtr: dw 255
         dd gdt
ap_end:

bits 32
ap_main:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, 0x6000
        mov     dword [LAPIC+0xF0], 0x1FF
        jmp     mode

        times 0x600-($-align_0) db 0
tss:    times 128 db 0
gdt:    times 256 db 0
        times 0x800-($-align_0) db 0
idt:    times 2048 db 0
        times 0x1000-($-align_0) db 0
pages:  times 0x1000 db 0
directory: times 0x1000 db 0
ivt:    times 1024 db 0
        times 0x4000-($-align_0) db 0
body:   times SLOTS*16 db 0x90

        times 0x6000-($-align_0) db 0
apics:  times 0x1000 db 0
top:    times 0x1000 db 0
bits 16
start16:
        o32 lgdt [cs:0x7000+gdtr-$$]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 0x08:start32
        times 0x8FF0-($-align_0) db 0
        jmp     start16
        times 0x9000-($-align_0) db 0
`;

export interface Prologue {
  readonly bytes: Uint8Array;
  readonly symbols: ReadonlyMap<string, number>;
}

/** Assembles the prologue, once for all ROMs. */
export function prologue(index: EncodingIndex): Prologue {
  const assembly = assemble(PROLOGUE, 'prologue', { index });
  if (hasErrors(assembly)) throw new Error(assembly.diagnostics.map((d) => `${d.line}: ${d.message}`).join('; '));
  return assembly;
}

/** Neighbouring seeds give unlike numbers from the first on (the finalizer of MurmurHash3). */
export function scrambled(seed: number): number {
  let x = seed | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A ROM of random bytes, 16 bytes to 16 KiB. */
export function randomBytes(seed: number): Uint8Array {
  const random = new Random(scrambled(seed));
  const bytes = new Uint8Array(16 * (1 + random.below(random.chance(0.5) ? 16 : 1024)));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.u32();
  return bytes;
}

export interface ValidRom {
  readonly bytes: Uint8Array;
  readonly mode: Mode;
  /** Does it start the other processors? */
  readonly wakes: boolean;
  readonly wild: number;
}

/**
 * A ROM of random valid instructions.
 * @param mayWake may it send INIT to all others? It ends a machine whose profile does not know that.
 * @param strict for a machine with bhyve's own chips?
 */
export function validRom(p: Prologue, seed: number, mayWake: boolean, strict: boolean): ValidRom {
  const random = new Random(scrambled(seed));
  const bytes = p.bytes.slice();
  const view = new DataView(bytes.buffer);
  const at = (name: string): number => {
    const address = p.symbols.get(name);
    if (address === undefined) throw new Error(`the prologue has no ${name}`);
    return address - ROM_BASE;
  };
  const mode = random.pick(MIX);
  const real = mode === 'real';
  const wild = random.pick([0, 0, 0.001, 0.001, 0.03]);
  const wakes = mayWake && random.chance(0.8);
  // Often across the end of a page, and not aligned to it.
  const body = 0x9000 + random.pick([0, 0, 8, 0x800, 0xff8]);
  const user = mode === 'user' || mode === 'segmented';
  const iopl = user && random.chance(0.3) ? 0x3000 : 0;
  const flags = random.pick([2, 0x202, 0x202, 0x202, 0x302]) | iopl;
  view.setUint32(at('p_body'), body, true);
  view.setUint32(at('p_mode'), ['real', 'flat', 'paged', 'user', 'segmented'].indexOf(mode), true);
  view.setUint32(at('p_flags'), flags, true);
  view.setUint32(
    at('p_pit'),
    random.chance(0.5)
      ? (random.pick(strict ? [0x30, 0x34, 0x36] : [0x30, 0x34, 0x36, 0x3a]) << 16) | random.pick([1, 2, 3, 100, 1000, 0xffff])
      : 0,
    true,
  );
  view.setUint32(at('p_masks'), random.pick([0xffff, 0xfffe, 0xfffe, random.below(0x10000)]), true);
  view.setUint32(at('p_timer'), random.chance(0.5) ? random.pick([1, 2, 10, 1000, 100_000, 0xffffffff]) : 0, true);
  view.setUint32(at('p_lvt'), random.pick([0x20030, 0x20030, 0x30030, 0x30, 0x20000 | random.below(256)]), true);
  view.setUint32(at('p_wake'), wakes ? 1 : 0, true);
  view.setUint32(at('p_cr3'), ROM_BASE + at('directory'), true);
  view.setUint32(at('p_cr4'), random.pick([0x10, 0x90, 0x94]), true);
  view.setUint32(at('p_ds'), mode === 'segmented' ? 0x7b : mode === 'user' ? 0x33 : 0x10, true);
  view.setUint32(at('p_ss'), mode === 'segmented' ? 0x7b : 0x33, true);
  view.setUint32(at('p_esp'), mode === 'segmented' ? 0x7000 : 0x17000, true);
  view.setUint16(at('rm_body'), body, true);
  view.setUint16(at('rm_flags'), flags, true);
  putTables(view, random, at, wild);
  const flat = mode === 'flat' || mode === 'paged' || mode === 'user';
  const setting = {
    random,
    bits: (real ? 16 : 32) as 16 | 32,
    flat,
    data: flat ? { at: DATA, bytes: 0x10000 } : { at: 0x100, bytes: random.pick([0x800, 0xfe00]) },
    slots: { at: body, count: SLOTS },
    tables: { gdt: ROM_BASE + at('gdtr'), idt: ROM_BASE + at(real ? 'rmidtr' : 'idtr') },
    wild,
    devices: !user || iopl !== 0,
    strict,
  };
  const code = at('body');
  for (let i = 0; i < SLOTS; i++) bytes.set(instruction(setting, body + i * SLOT), code + i * SLOT);
  // Round again from the end: a near jump to the first slot.
  bytes.set([0xe9], code + (SLOTS - 1) * SLOT);
  const back = -((SLOTS - 1) * SLOT + (real ? 3 : 5));
  if (real) view.setInt16(code + (SLOTS - 1) * SLOT + 1, back, true);
  else view.setInt32(code + (SLOTS - 1) * SLOT + 1, back, true);
  return { bytes, mode, wakes, wild };
}

/** Descriptors, gates and page tables. All accessed and dirty already: they lie in ROM. */
function putTables(view: DataView, random: Random, at: (name: string) => number, wild: number): void {
  const descriptor = (selector: number, base: number, limit: number, rights: number): void => {
    const to = at('gdt') + (selector & ~7);
    view.setUint32(to, ((base & 0xffff) << 16) | (limit & 0xffff), true);
    view.setUint32(to + 4, (base & 0xff000000) | ((rights & 0xf0ff) << 8) | (limit & 0xf0000) | ((base >>> 16) & 0xff), true);
  };
  const tss = ROM_BASE + at('tss');
  descriptor(0x08, 0, 0xfffff, 0xc09b);
  descriptor(0x10, 0, 0xfffff, 0xc093);
  descriptor(0x18, 0, 0xffff, 0x009b);
  descriptor(0x20, 0, 0xffff, 0x0093);
  descriptor(0x28, 0, 0xfffff, 0xc0fb);
  descriptor(0x30, 0, 0xfffff, 0xc0f3);
  descriptor(0x38, tss, 0x7f, 0x0089);
  descriptor(0x40, DATA, 0xfff, 0x00f7); // expands down
  descriptor(0x48, 0, 0xc000, 0x40fb); // code with a limit
  descriptor(0x50, 0, 0xfffff, 0xc09f); // conforming
  descriptor(0x58, 0, 0xfffff, 0x4013); // not present
  descriptor(0x60, 0, 0x1ff, 0xc0f1); // read-only
  descriptor(0x70, DATA, 0xff, 0x0082); // LDT
  descriptor(0x78, DATA, 0xffff, 0x40f3);
  gate(view, at('gdt') + 0x68, 0x08, ROM_BASE + at('exception'), 0x8ce0 | random.below(2)); // call gate
  view.setUint32(at('tss') + 4, 0x7000, true);
  view.setUint32(at('tss') + 8, 0x10, true);
  view.setUint16(at('tss') + 0x66, 0x68, true);
  for (let v = 0; v < 256; v++) {
    const name = v >= 0x20 && v < 0x30 ? 'from_pic' : v >= 0x30 && v < 0x40 ? 'from_apic' : 'exception';
    const kind = v < 0x20 ? 0x8e00 : random.pick([0x8e00, 0x8e00, 0x8f00, 0xee00, 0xef00, 0x8700, 0x0e00, 0x8500]);
    gate(view, at('idt') + v * 8, random.chance(v < 0x20 ? 0 : 0.02) ? random.below(0x80) : 0x08, ROM_BASE + at(name), kind);
    view.setUint16(at('ivt') + v * 4, 0x600 + at('rm_begin') - at('rm_code'), true);
  }
  const P = 1;
  const W = 2;
  const U = 4;
  const AD = 0x60;
  for (let i = 0; i < 1024; i++) {
    let entry = (i << 12) | P | W | U | AD;
    if (i >= 0x10 && random.chance(0.3))
      entry = random.pick([
        0,
        entry & ~W,
        entry & ~U,
        ((i ^ 1) << 12) | P | W | U | AD,
        ((0x10 + random.below(32)) << 12) | P | W | U | AD,
        ((random.chance(wild * 10) ? random.u32() : 0x100000 + random.below(0x100000)) & ~0xfff) | P | W | U | AD,
      ]);
    if (i === 1 || i >= 0x200) entry = i >= 0x200 && random.chance(1 - wild) ? 0 : entry;
    view.setUint32(at('pages') + i * 4, entry, true);
    view.setUint32(at('directory') + i * 4, random.chance(wild) ? value(random) | AD : 0, true);
  }
  const directory = at('directory');
  view.setUint32(directory, (ROM_BASE + at('pages')) | P | W | U | AD, true);
  view.setUint32(directory + 4, PAGING_PAGE | P | W | U | AD, true); // a table in RAM, of whatever is there
  view.setUint32(directory + 8, (ROM_BASE + at('pages')) | P | U | AD, true); // the same memory again, not writable
  // The APICs, and the ROM: nothing may write to it, else its emulation would be called for.
  view.setUint32(directory + (0xfec00000 >>> 22) * 4, (ROM_BASE + at('apics')) | P | W | U | AD, true);
  for (const page of [0xfec00, 0xfee00]) view.setUint32(at('apics') + (page & 0x3ff) * 4, (page << 12) | P | W | U | AD, true);
  view.setUint32(directory + 0xffc, (ROM_BASE + at('top')) | P | W | U | AD, true);
  for (let page = ROM_BASE >>> 12; page <= 0xfffff; page++) view.setUint32(at('top') + (page & 0x3ff) * 4, (page << 12) | P | U | AD, true);
}

const gate = (view: DataView, at: number, selector: number, offset: number, kind: number): void => {
  view.setUint32(at, (selector << 16) | (offset & 0xffff), true);
  view.setUint32(at + 4, (offset & 0xffff0000) | kind, true);
};
