import { describe, expect, it } from 'vitest';
import { explainEnded, explainHits, type StopContext } from '../../src/debugger/explain-stop.ts';
import type { Stop } from '../../src/debugger/stop.ts';
import { type Rig, codeRig, sampleRig } from './breakpoint-rig.ts';

const contextOf = ({ machine, program, view }: Rig): StopContext => ({
  ledger: machine.ledger,
  program,
  profile: machine.profile,
  nowNs: view.nowNs,
  position: (vcpu) => view.position(vcpu),
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
});
