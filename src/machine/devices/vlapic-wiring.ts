/** What a vLAPIC is wired to: the other vLAPICs, the VMM that owns the run states, the ledger, the clock. The VMM implements it. */
import type { LedgerWriter, Moment } from '../ledger/records.ts';
import type { Reason, Verdict } from '../ledger/verdict.ts';
import type { Clock } from '../time/clock.ts';

/** The answer of an injection, written so that it allocates nothing: read after the call that set it. */
export interface InjectResult {
  verdict: Verdict;
  reason: Reason;
  /** The run-state bits (VRS_*) of the target before the injection. */
  detail: number;
}

export interface VlapicWiring {
  readonly clock: Clock;
  readonly ledger: LedgerWriter;
  readonly vcpuCount: number;
  /** The moment and the exit of the store that is being handled (the vLAPIC calls ledger.ipi with them). */
  readonly moment: Readonly<Moment>;
  readonly currentExit: number;
  /** Tells the VMM which IPI that store sent, so that the exit record can name it. */
  sentIpi(ipi: number): void;
  /** Is the vCPU in the VM's set of active vCPUs? */
  isActive(vcpu: number): boolean;
  /** Is it marked as in-kernel BSP (vCPU 0)? */
  readonly inject: InjectResult;
  /** Each leaves its verdict in `inject`. `ipi`: the IPI's number, or 0 (LVT): told back through ledger.ipiTaken when the vCPU takes it. */
  injectNmi(vcpu: number, ipi: number): void;
  injectInit(vcpu: number, ipi: number): void;
  injectSipi(vcpu: number, vector: number, ipi: number): void;
  /** LINT0 as ExtINT: the 8259 has something for this vCPU. */
  injectExtInt(vcpu: number): void;
  /** Pre-13275 profiles: ask the VM for a SPINUP_AP exit of vCPU `vcpu` at `rip`. */
  requestSpinup(vcpu: number, rip: number, ipi: number): void;
  /** A fixed interrupt became pending at this vCPU: it may have to leave HLT. */
  notify(vcpu: number): void;
  /** An error was latched for ESR: the bits of this one, and all that wait for the next write to ESR. */
  apicError(vcpu: number, bits: number, latched: number): void;
  /** A level-triggered vector was EOIed: to every I/O APIC. */
  eoi(vector: number): void;
}
