/**
 * The MSRs that the VMM keeps for a vCPU besides the local APIC's: MTRRs, PAT, machine check, TSC (illumos `vmm.c` vm_rdmtrr, vm_wrmtrr, vm_handle_rdmsr;
 * `vmx_msr.c`), and those that bhyve's userspace answers (`xmsr.c`). Any other MSR is unknown, which `x86.strictmsr` (on by default) makes a #GP.
 */
import { checkState, type Stateful } from '../base/state.ts';
import { MsrResult } from '../devices/vlapic.ts';

export const Msr = {
  TSC: 0x10,
  PLATFORM_ID: 0x17,
  APIC_BASE: 0x1b,
  FEATURE_CONTROL: 0x3a,
  BIOS_UPDT_TRIG: 0x79,
  BIOS_SIGN: 0x8b,
  MTRR_CAP: 0xfe,
  MCG_CAP: 0x179,
  MCG_STATUS: 0x17a,
  MISC_ENABLE: 0x1a0,
  MTRR_PHYS_BASE0: 0x200,
  PAT: 0x277,
  MTRR_DEF_TYPE: 0x2ff,
  X2APIC_FIRST: 0x800,
  X2APIC_LAST: 0xbff,
} as const;

/** Variable-range MTRR pairs (VMM_MTRR_VAR_MAX). */
const VARIABLE_PAIRS = 10;
/** WC supported, fixed ranges supported, ten variable ranges. */
const MTRR_CAP_VALUE = 0x500 | VARIABLE_PAIRS;
/** Enable, fixed enable, type. */
const DEF_TYPE_BITS = 0xcff;
const FIXED = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f] as const;
/** Physical addresses have 36 bits here: bits 3:0 of the upper half. */
const PHYSICAL_HIGH = 0xf;
/** Fast strings; no branch trace store, no precise event based sampling. */
const MISC_ENABLE_VALUE = 0x1801;
const PAT_LOW = 0x00070406;
const PAT_HIGH = 0x00070406;

export type MsrFileState = { kind: 'msrs'; version: 1; defType: number; fixed: Uint32Array; variable: Uint32Array; pat: Uint32Array };

/** One vCPU's MSRs. Answers go to `low` and `high`. */
export class MsrFile implements Stateful<MsrFileState> {
  low = 0;
  high = 0;
  private defType = 0;
  /** Low and high halves in turn. */
  private readonly fixed = new Uint32Array(2 * FIXED.length);
  /** Base low, base high, mask low, mask high of each pair. */
  private readonly variable = new Uint32Array(4 * VARIABLE_PAIRS);
  private readonly pat = new Uint32Array([PAT_LOW, PAT_HIGH]);

  /** RESET: INIT leaves all of these as they are. */
  reset(): void {
    this.defType = 0;
    this.fixed.fill(0);
    this.variable.fill(0);
    this.pat[0] = PAT_LOW;
    this.pat[1] = PAT_HIGH;
  }

  /** RDMSR in the kernel. */
  read(msr: number): MsrResult {
    this.high = 0;
    switch (msr) {
      case Msr.MTRR_CAP:
        this.low = MTRR_CAP_VALUE;
        return MsrResult.ok;
      case Msr.MTRR_DEF_TYPE:
        this.low = this.defType;
        return MsrResult.ok;
      case Msr.MCG_CAP:
      case Msr.MCG_STATUS:
        this.low = 0;
        return MsrResult.ok;
      case Msr.MISC_ENABLE:
        this.low = MISC_ENABLE_VALUE;
        return MsrResult.ok;
      case Msr.PAT:
        return this.give(this.pat, 0);
    }
    const variable = msr - Msr.MTRR_PHYS_BASE0;
    if (variable >= 0 && variable < 2 * VARIABLE_PAIRS) return this.give(this.variable, 2 * variable);
    const fixed = (FIXED as readonly number[]).indexOf(msr);
    return fixed >= 0 ? this.give(this.fixed, 2 * fixed) : MsrResult.unhandled;
  }

  /** WRMSR in the kernel. */
  write(msr: number, low: number, high: number): MsrResult {
    switch (msr) {
      case Msr.MTRR_CAP:
        return MsrResult.gp;
      case Msr.MTRR_DEF_TYPE:
        if (low & ~DEF_TYPE_BITS || high !== 0) return MsrResult.gp;
        this.defType = low;
        return MsrResult.ok;
      case Msr.MCG_CAP:
      case Msr.MCG_STATUS:
        return MsrResult.ok;
      case Msr.MISC_ENABLE:
        // Only the bits that are there may be switched, and switching them has no effect.
        return (low ^ MISC_ENABLE_VALUE) & ~1 || high !== 0 ? MsrResult.gp : MsrResult.ok;
      case Msr.PAT:
        if (!validPat(low) || !validPat(high)) return MsrResult.gp;
        return this.take(this.pat, 0, low, high);
    }
    const variable = msr - Msr.MTRR_PHYS_BASE0;
    if (variable >= 0 && variable < 2 * VARIABLE_PAIRS) {
      const reserved = variable & 1 ? 0x7ff : 0xf00; // PHYSMASK: 10:0; PHYSBASE: 11:8
      if (low & reserved || high > PHYSICAL_HIGH) return MsrResult.gp;
      return this.take(this.variable, 2 * variable, low, high);
    }
    const fixed = (FIXED as readonly number[]).indexOf(msr);
    return fixed >= 0 ? this.take(this.fixed, 2 * fixed, low, high) : MsrResult.unhandled;
  }

  save(): MsrFileState {
    const { defType, fixed, variable, pat } = this;
    return { kind: 'msrs', version: 1, defType, fixed: fixed.slice(), variable: variable.slice(), pat: pat.slice() };
  }
  load(state: MsrFileState): void {
    checkState(state.kind === 'msrs' && state.version === 1, 'msrs', `${state.kind} ${state.version}`, 'msrs 1');
    checkState((state.defType & ~DEF_TYPE_BITS) === 0, 'msrs.defType', state.defType, 'only bits 11, 10 and 7:0');
    for (const key of ['fixed', 'variable', 'pat'] as const)
      checkState(state[key]?.length === this[key].length, `msrs.${key}.length`, state[key]?.length, String(this[key].length));
    this.defType = state.defType;
    this.fixed.set(state.fixed);
    this.variable.set(state.variable);
    this.pat.set(state.pat);
  }

  private give(from: Uint32Array, at: number): MsrResult {
    this.low = from[at] as number;
    this.high = from[at + 1] as number;
    return MsrResult.ok;
  }
  private take(into: Uint32Array, at: number, low: number, high: number): MsrResult {
    into[at] = low;
    into[at + 1] = high;
    return MsrResult.ok;
  }
}

/** Every byte a memory type: 0, 1, 4, 5, 6 or 7. */
const validPat = (half: number): boolean => {
  for (let shift = 0; shift < 32; shift += 8) {
    const type = (half >>> shift) & 0xff;
    if (type > 7 || type === 2 || type === 3) return false;
  }
  return true;
};

/** RDMSR as bhyve's userspace answers it on an Intel host: the low half, or undefined for an unknown MSR. All its values have an upper half of 0. */
export const userspaceRead = (msr: number): number | undefined => {
  switch (msr) {
    case Msr.PLATFORM_ID:
    case Msr.BIOS_SIGN:
      return 0;
    case Msr.FEATURE_CONTROL:
      return 1; // locked
    default:
      return undefined;
  }
};

/** WRMSR as bhyve's userspace takes it: dropped, or unknown. */
export const userspaceWrite = (msr: number): boolean => msr === Msr.BIOS_UPDT_TRIG || msr === Msr.BIOS_SIGN;
