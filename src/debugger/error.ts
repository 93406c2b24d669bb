import type { Diagnostic } from '../assembly/diagnostic.ts';

/** A request that the debugger cannot fulfil: one sentence that names the value, where it stood, and what would be right. */
export class DebuggerError extends Error {
  override readonly name: string = 'DebuggerError';
}

/** Source that cannot be assembled: all diagnostics, for the editor to show at their places. */
export class AssemblyFailure extends DebuggerError {
  override readonly name = 'AssemblyFailure';
  constructor(
    message: string,
    readonly diagnostics: readonly Diagnostic[],
  ) {
    super(message);
  }
}
