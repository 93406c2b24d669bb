/** Exit statuses, and errors that are the user's to mend: one line each, never a stack trace. */

export const Status = {
  /** Ended as asked. */
  ok: 0,
  /** An expectation was not met. */
  failed: 1,
  /** Bad usage or bad input. */
  usage: 2,
  /** The guest, or the host it ran on, came to grief: triple fault, VM abort, host panic. */
  fatal: 3,
  /** --timeout passed (virtual time). */
  timeout: 42,
  /** Ctrl-C. */
  interrupted: 130,
  /** Whoever read our output has gone: 128 + SIGPIPE, as every program that ignores it ends. */
  closedPipe: 141,
} as const;
export type Status = (typeof Status)[keyof typeof Status];

/** Bad usage or bad input: each line says what value was wrong and what would be right. Status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Errors of the assembler: one line for each, `file:line:column: error: what`. */
export class AssemblyError extends UsageError {}
