/**
 * What the views ask the debug adapter for, and what it tells them, beyond DAP: custom requests and events of the same pipe. The adapter has these
 * names too, in `dap/`; a test holds them together.
 */
import type { ExitAction } from '../debugger/breakpoints.ts';
import type { AssemblyFailure } from '../debugger/error.ts';
import type { ExitsTree, IpisTree } from '../debugger/trees.ts';

/** The `type` of a launch configuration. */
export const DEBUG_TYPE = 'exitpoint';

/** Custom requests by what they ask for. */
export const ViewRequest = {
  exits: 'exitpoint/exits',
  ipis: 'exitpoint/ipis',
  setExit: 'exitpoint/setExit',
  step: 'exitpoint/step',
  continueAlone: 'exitpoint/continueAlone',
} as const;

/** Custom events by what they tell. */
export const ViewEvent = {
  /** What the trees show has changed: at every stop and edit, and while the machine runs at most five times a second. */
  changed: 'exitpoint/changed',
  console: 'exitpoint/console',
  diagnostics: 'exitpoint/diagnostics',
} as const;

/** Arguments and result of each custom request. */
export interface ViewRequests {
  [ViewRequest.exits]: { readonly arguments: undefined; readonly result: ExitsTree };
  [ViewRequest.ipis]: { readonly arguments: undefined; readonly result: IpisTree };
  [ViewRequest.setExit]: { readonly arguments: { readonly code: string; readonly action: ExitAction }; readonly result: unknown };
  [ViewRequest.step]: {
    readonly arguments: {
      readonly threadId: number;
      readonly kind: 'in' | 'over' | 'out';
      readonly granularity: 'line' | 'instruction';
      readonly alone: boolean;
    };
    readonly result: unknown;
  };
  [ViewRequest.continueAlone]: { readonly arguments: { readonly threadId: number }; readonly result: unknown };
}

type Diagnostic = AssemblyFailure['diagnostics'][number];

/** Bytes that the guest sent to one of its consoles. */
export interface ConsoleBody {
  /** `serial`, `debugcon`. */
  readonly stream: string;
  readonly base64: string;
}

/** What the assembler says of one file: replaces what it said before. */
export interface DiagnosticsBody {
  /** Path or URI. */
  readonly file: string;
  readonly diagnostics: readonly Omit<Diagnostic, 'file'>[];
}
