/**
 * What a hypervisor is to this machine: a record of rules that the vLAPIC, the VMM, the I/O APIC and the instruction emulator consult.
 * Data only: a profile has no functions, so that two of them can be laid side by side and compared.
 */
import type { Rules } from './rules.ts';

/**
 * What becomes of an ICR value.
 * - `deliver`: to every target; - `arm`: the old INIT/STARTUP path by raw vCPU index; where its guard fails, `toUserspace`;
 * - `toUserspace`: the handler finds no rule and returns -1;
 * - `unsupported`: accepted, but this VMM does nothing for the mode; - `invalid`: the combination is rejected;
 * - `deassert`: level-triggered with bit 14 clear, no effect; - `levelClear`: INIT with bit 14 clear, no effect.
 */
export type IcrAction = 'deliver' | 'arm' | 'toUserspace' | 'unsupported' | 'invalid' | 'deassert' | 'levelClear';

/** By trigger and level bit: edge with bit 14 = 0, edge with 1, level with 0, level with 1. */
export type IcrRow = readonly [e0: IcrAction, e1: IcrAction, l0: IcrAction, l1: IcrAction];

export interface IcrRules {
  readonly none: IcrRow;
  readonly self: IcrRow;
  readonly allIncluding: IcrRow;
  readonly allExcluding: IcrRow;
}

/** By delivery mode, 0 to 7. */
export type IcrTable = readonly [IcrRules, IcrRules, IcrRules, IcrRules, IcrRules, IcrRules, IcrRules, IcrRules];

/** What an opcode's entry in the instruction emulator does. */
export type VieOperation =
  | 'mov'
  | 'movImm'
  | 'movMoffs'
  | 'movs'
  | 'stos'
  | 'movzx'
  | 'movsx'
  | 'add'
  | 'or'
  | 'and'
  | 'sub'
  | 'cmp'
  | 'group1'
  | 'pop'
  | 'push'
  | 'test'
  | 'clflush'
  | 'imul'
  | 'bt'
  | 'bextr'
  | 'clts'
  | 'movCr';

/** One opcode that the VMM can emulate on memory that is not RAM. */
export interface VieOpcode {
  /** `one`: a one-byte opcode; `0F`: after 0F; `VEX.0F38`: in VEX map 2 (three-byte form, 64-bit and compatibility mode only). */
  readonly map: 'one' | '0F' | 'VEX.0F38';
  readonly opcode: number;
  readonly operation: VieOperation;
  /** In the manual's notation: `mov r32, m32` is given as `mov r, m`. */
  readonly mnemonic: string;
  /** The /digits (ModRM reg) that are accepted; absent: ModRM reg is a register, or is not looked at. Any other digit: VM_RUN fails with EINVAL. */
  readonly digits?: readonly number[];
}

export type ProfileName = 'illumos-2020-10' | 'illumos-13253' | 'illumos';

export interface Profile {
  /** As given on the command line. */
  readonly name: ProfileName;
  /** A few words: what a column is headed with. */
  readonly title: string;
  /** One sentence for a reader who does not know the history. */
  readonly about: string;
  /** The most vCPUs a VM may have. */
  readonly maxVcpus: number;
  /** Does the host virtualise accesses to the APIC page in hardware? (Then a store would be another exit.) */
  readonly hostApicAccessVirtualisation: boolean;
  /** Where an emulation ends whose device handler returned "to userspace": the host panics, VM_RUN exits with INST_EMUL, or no handler can. */
  readonly fallback: 'panic' | 'INST_EMUL' | 'void';
  /** The same for a WRMSR handler that returned "to userspace": an exit that bhyve takes for a hardware error, or no handler can. */
  readonly msrFallback: 'VMX' | 'void';
  /** Run states VRS_* in the kernel, or a spin-up exit to userspace for each started AP. */
  readonly startup: 'runState' | 'spinupAp';
  /** Are APs in the set of active vCPUs before they are started? */
  readonly unstartedApsActive: boolean;
  /** The registers that RESET and INIT give: the kernel's vcpu_arch_reset or the library's vcpu_reset. */
  readonly reset: 'vcpu_arch_reset' | 'vcpu_reset';
  /** The local APIC's version register. */
  readonly apicVersion: number;
  readonly icr: IcrTable;
  readonly rules: Rules;
  readonly vie: readonly VieOpcode[];
}
