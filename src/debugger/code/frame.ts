/** A frame of a vCPU's call stack. */
import type { CodePosition } from '../stop.ts';
import type { SourcePlace } from './program.ts';

/** `eip` of a caller is where it will go on: its return address. */
export interface Frame extends CodePosition {
  readonly vcpu: number;
  /** 0: the innermost. */
  readonly depth: number;
  /** The label it lies in, or an address: `wake_aps`, `F000:FFF0`, `reset vector`. */
  readonly name: string;
  /** code: an instruction. label: a line between frames (`── vector 30, IPI i#4 from vCPU0 ──`). waiting: no code runs there (waits for SIPI). */
  readonly kind: 'code' | 'label' | 'waiting';
  /** A caller that was guessed from what lies on the stack. */
  readonly guessed: boolean;
  /** Linear address, u32. */
  readonly linear: number;
  readonly bits: 16 | 32;
  /** Of a caller: the line of its CALL. */
  readonly place?: SourcePlace;
  /** Value of ESP (or SP) in this frame, after a return to it; undefined where unknown. For step out. */
  readonly esp?: number;
  /** waiting: a text that explains why no code runs, several lines. */
  readonly text?: string;
}
