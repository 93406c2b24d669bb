/** What a scope shows: a tree of names with decoded values, made when somebody looks. */
import type { Input } from '../../machine/timeline/inputs.ts';
import type { CodePosition } from '../stop.ts';

/** An address in guest-physical memory, or as one vCPU sees it. */
export type MemoryPlace =
  | { readonly space: 'physical'; readonly address: number }
  | { readonly space: 'linear'; readonly vcpu: number; readonly address: number };

export interface Variable {
  readonly name: string;
  /** As shown, decoded: `000C4500  INIT to all excluding self`. */
  readonly value: string;
  /** Where and how: `lapic+300 rw · x2APIC MSR 830`. */
  readonly type?: string;
  /** The expression that gives it. */
  readonly expression?: string;
  readonly children?: () => readonly Variable[];
  /** Where it lies, so that memory can be opened there. */
  readonly memory?: MemoryPlace;
  /** Can be watched: in the grammar of breakpoint.ts, without access. */
  readonly dataId?: string;
  /** What editing it to `text` (a number, an expression, or an enumeration's word) would be. Throws a DebuggerError. Absent: it cannot be edited. */
  readonly edit?: (text: string) => Input;
  /** The instruction that wrote it last, if that is known, and the exit's number. */
  readonly writer?: CodePosition & { readonly vcpu: number; readonly exit: number };
  /** What kind of thing it is, for menus. */
  readonly menu?: 'apicRegister';
  /** For numbers: how it was before the last stop is told in `type`; true when it differs. */
  readonly changed?: boolean;
}

export interface Scope {
  readonly name: string;
  readonly kind: 'registers' | 'device' | 'other';
  readonly variables: () => readonly Variable[];
}
