import { describe, expect, it } from 'vitest';
import { instructionWords } from '../../src/debugger/code/instruction-words.ts';
import { explainEnded, explainHits, type StopContext } from '../../src/debugger/explain-stop.ts';
import type { Stop } from '../../src/debugger/stop.ts';
import { type Rig, codeRig, sampleRig } from './breakpoint-rig.ts';

const contextOf = ({ machine, program, view }: Rig): StopContext => ({
  ledger: machine.ledger,
  program,
  profile: machine.profile,
  instruction: (vcpu) => instructionWords(view, program, vcpu),
  register: (vcpu, name) => view.register(vcpu, name),
});

/** The next stop, explained. */
function next(rig: Rig): Stop {
  const ran = rig.run();
  if (ran.kind === 'breakpoint') return explainHits(ran.hits, contextOf(rig));
  return explainEnded(rig.machine.end!, contextOf(rig));
}

/** All stops of the sample under filters, up to its end. */
function stops(filters: readonly string[], profile?: string): Stop[] {
  const rig = sampleRig(profile);
  rig.breakpoints.setFilters(filters.map((filter) => ({ filter })));
  const found: Stop[] = [];
  do found.push(next(rig));
  while (rig.machine.end === undefined);
  return found;
}

describe('a stop by an exit', () => {
  const stop = stops(['mmio']).find(({ exit }) => exit?.value === 0xc4500) as Stop;

  it('says in one sentence what the guest asked for', () => {
    expect(stop.sentence).toBe('vCPU0 stored 000C4500h to ICR_LO: INIT to all excluding self.');
    expect(stop.headline).toBe('INIT reached vCPU1, 2, 3 · e#9');
  });
  it('shows the store, the value bit by bit, what became of it at each target, and the way of the exit', () => {
    expect(stop.exception?.details.split('\n')).toEqual([
      'Record   e#9, i#1 · t 0.000 267 ms · vCPU0 (BSP)',
      'Store    icrlo.asm:41   mov dword [LAPIC+ICR_LO], 0x000C4500',
      'ICR_LO   000C4500   19:18=11 all excluding self · 15=0 edge · 14=1 assert',
      '                    12=0 idle · 11=0 physical · 10:8=101 INIT · 7:0=00, unused',
      'ICR_HI   00000000   31:24=00, unused: the shorthand says to whom',
      '',
      'Targets  ✓ vCPU1, 2, 3  reached   INIT',
      '         – vCPU0        no match  self, excluded',
      '',
      'Exit     MMIO_EMUL gpa FEE00300 → vie: mov m32, imm32 (C7, digit 0) → vlapic returns 0, done → guest goes on',
    ]);
  });
  it('is shown at the instruction that exited, though that has completed', () => {
    expect((stop.at!.csBase + stop.at!.eip) >>> 0).toBe(0xfffff04f);
  });
});

describe('a lost IPI', () => {
  const [lost] = stops(['lost-ipi']) as [Stop];

  it('is told with who refused it and why', () => {
    expect(lost.sentence).toBe('FIXED 30 reached nobody: refused by vCPU3: LAPIC software-disabled, SVR bit 8 clear (SVR = 000000FF).');
    expect(lost.exception?.id).toBe('lost-ipi');
  });
  it('comes with its cause: the store that was never made, and what started that processor', () => {
    expect(lost.exception?.details).toContain('Cause    SVR of vCPU3 was never written. It started at 0900:0000 (i#2).');
  });
});

describe('a SIPI without INIT', () => {
  it('is told with what it needed', () => {
    const rig = codeRig(
      `start32:
        mov ax, 0x10
        mov ds, ax
        mov dword [0xFEE00310], 0x01000000
        mov dword [0xFEE00300], 0x00004608
        jmp $`,
      2,
    );
    rig.breakpoints.setFilters([{ filter: 'lost-ipi' }]);
    expect(next(rig).exception?.details).toContain('Cause    vCPU1 has got no INIT: it waits for a SIPI only after one.');
  });
});

describe('an IPI to nobody', () => {
  it('is said to address nobody', () => {
    const rig = codeRig(`start32:
        mov ax, 0x10
        mov ds, ax
        mov dword [0xFEE00310], 0x09000000
        mov dword [0xFEE00300], 0x00004040
        jmp $`);
    rig.breakpoints.setFilters([{ filter: 'lost-ipi' }]);
    expect(next(rig).sentence).toBe('FIXED 40 to APIC ID 09 reached nobody: no vCPU is addressed.');
  });
});

describe('an interrupt for a local APIC that INIT has disabled', () => {
  it('is told with that INIT, though SVR was written before it', () => {
    const rig = codeRig(
      `start32:
        mov ax, 0x10
        mov ds, ax
        mov esi, entry
        mov edi, 0x8000
        mov es, ax
        mov ecx, entry_end-entry
        rep movsb
        mov dword [0xFEE00310], 0x01000000
        mov dword [0xFEE00300], 0x00004500
        mov dword [0xFEE00300], 0x00004608
.wait:  cmp byte [0x500], 1
        jne .wait
        mov dword [0xFEE00300], 0x00004500  ; again
        mov ecx, 10000
        loop $
        mov dword [0xFEE00300], 0x00004040
        jmp $
bits 16
entry:  o32 lgdt [cs:pointer-entry]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 8:flat
pointer: dw 23
        dd gdt
entry_end:
bits 32
flat:   mov ax, 0x10
        mov ds, ax
        mov dword [0xFEE000F0], 0x1FF
        mov byte [0x500], 1
        jmp $`,
      2,
    );
    rig.breakpoints.setFilters([{ filter: 'lost-ipi' }]);
    expect(next(rig).exception?.details).toMatch(
      /^Cause {4}INIT reset SVR of vCPU1 \(i#3, test\.asm:[0-9]+ {3}mov dword .*\), and it was not written since\.$/m,
    );
  });
});

describe('an IPI that is not sent', () => {
  it('is said not to be sent, and not to have reached nobody', () => {
    const [stop] = stops(['lost-ipi'], 'illumos-2020-10') as [Stop];
    expect(stop.sentence).toMatch(/^INIT was not sent: /);
  });
});

describe('an end', () => {
  it('of the host shows the panic and its call chain, then the exit', () => {
    const end = stops(['stuck'], 'illumos-2020-10').at(-1) as Stop;
    expect(end.reason).toBe('end');
    expect(end.exception?.details).toMatch(/^Panic {4}bad pending MMIO state\n {11}\w+/);
    expect(end.exception?.details).toContain('Request  NONE, yet an exit is due');
  });
  it('by an instruction that is not emulated shows no value for what was never read', () => {
    const end = stops(['stuck']).at(-1) as Stop;
    expect(end.sentence).toBe('bhyve aborted the VM: opcode 87 is not emulated on MMIO.');
    expect(end.exception?.details).not.toContain('TPR      ');
    expect(end.exception?.details).toContain('At       icrlo.asm:165   xchg [LAPIC+TPR], eax');
  });
});

describe('an end by the guest', () => {
  const ended = (code: string): Stop => {
    const rig = codeRig(`start32:\n${code}\n  jmp $`);
    let stop: Stop;
    do stop = next(rig);
    while (stop.reason !== 'end');
    return stop;
  };

  it('by a triple fault shows the exception that could not be delivered', () => {
    const { exception } = ended('  lidt [cs:none]\n  ud2\nnone: dw 0\n  dd 0');
    expect(exception?.id).toBe('triple fault');
    expect(exception?.sentence).toBe('Triple fault on vCPU0: #UD could not be delivered.');
    expect(exception?.details).toMatch(/^At {7}test\.asm:[0-9]+ {3}ud2$/m);
    expect(exception?.details).toMatch(/^Cause {4}#UD, invalid opcode \(event 1\)$/m);
  });
  it('by a reset shows the write that did it', () => {
    const { exception } = ended('  mov al, 6\n  mov dx, 0xCF9\n  out dx, al');
    expect(exception?.id).toBe('reset');
    expect(exception?.details).toMatch(/^Cause {4}vCPU0 wrote 06h to port CF9h \(e#[0-9]+\)\n {9}at test\.asm:[0-9]+ {3}out dx, al$/m);
  });
});

describe("the guest's own exception", () => {
  it('is named, with its error code decoded', () => {
    const rig = codeRig(`start32:
        mov ax, 0x18
        mov ds, ax
        jmp $`);
    rig.breakpoints.setFilters([{ filter: 'guest-exception' }]);
    const stop = next(rig);
    expect(stop.sentence).toBe('vCPU0 raised #GP, general protection; error code 0018h: selector 0018 in the GDT.');
    expect(stop.exception?.details).toContain('Vector   0D   #GP general protection');
  });
  it('says of a page fault which address, which access and what was wrong with the page', () => {
    const rig = codeRig(`start32:
        mov ax, 0x10
        mov ds, ax
        mov dword [0x9000], 0x83            ; the first 4 MiB
        mov dword [0x9000+0x3FF*4], 0xFFC00083  ; and the last
        mov eax, 0x9000
        mov cr3, eax
        mov eax, 0x10
        mov cr4, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov ebx, [0x12345678]
        jmp $`);
    rig.breakpoints.setFilters([{ filter: 'guest-exception' }]);
    const stop = next(rig);
    expect(stop.sentence).toBe(
      'vCPU0 raised #PF, page fault at 12345678h; error code 0000h: a read of a page that is not present, by the supervisor.',
    );
    expect(stop.exception?.details).toContain('CR2      12345678');
  });
});
