/** A run that is over, as the reports see it, and where things lie in it. */
import { basename } from 'node:path';
import type { End } from '../machine/vmm/end.ts';
import type { Hit, Unmet } from '../debugger/engine.ts';
import type { LedgerReader, Moment } from '../machine/ledger/records.ts';
import { hex } from '../machine/base/bits.ts';
import type { Program } from '../debugger/code/program.ts';

/** Why a run came to its end. */
export type Stopped =
  | { readonly kind: 'end'; readonly end: End }
  | { readonly kind: 'breakpoint'; readonly hits: readonly Hit[] }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'interrupted' }
  /** Every --expect was found. */
  | { readonly kind: 'expected' }
  /** A --fail-text was found. */
  | { readonly kind: 'failText'; readonly text: string };

/** Where a vCPU is, and what it does there. */
export interface VcpuNow {
  readonly eip: number;
  readonly csBase: number;
  /** Selector of CS. */
  readonly cs: number;
  readonly state: 'running' | 'halted' | 'waits for SIPI' | 'never started' | 'not created';
  /** VRS_* bits. */
  readonly runState: number;
}

export interface Finished {
  readonly rom: Program;
  readonly profile: string;
  readonly model: string;
  readonly cpus: number;
  readonly memory: number;
  readonly seed: number;
  readonly stopped: Stopped;
  readonly ledger: LedgerReader;
  readonly timeNs: number;
  readonly instructions: number;
  /** Instructions in a turn, as --slice had it. */
  readonly slice: number | undefined;
  /** Breakpoints that never stopped the run. */
  readonly unmet: readonly Unmet[];
  /** Where each vCPU is now. */
  readonly vcpus: readonly VcpuNow[];
}

export type Address = Pick<Moment, 'eip' | 'csBase'>;

export const linear = ({ eip, csBase }: Address): number => (csBase + eip) >>> 0;

/** A place as `icrlo.asm:41`, or as a linear address where no source line is known. */
export function place(rom: Program, at: Address): string {
  const source = rom.placeAt(linear(at));
  return source === undefined ? hex(linear(at), 8) : `${basename(source.file)}:${source.line}`;
}
