/** What the command line asks of the process that it runs in. */
import type { Paint } from './paint.ts';

export interface Io {
  /** The guest's console, and reports that were asked for. */
  stdout(bytes: Uint8Array): void;
  /** What happened. */
  stderr(text: string): void;
  readonly stderrIsTTY: boolean;
  readonly stdoutIsTTY: boolean;
  /** For what goes to stderr; and for what goes to stdout. */
  readonly paint: Paint;
  readonly stdoutPaint: Paint;
  /** Wall clock, in ms from anywhere. */
  nowMs(): number;
  /** Lets the process see signals and write what is waiting. */
  breathe(): Promise<void>;
  /** Has Ctrl-C been pressed? */
  interrupted(): boolean;
}
