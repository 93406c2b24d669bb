/** What the client said of itself: where its lines begin to count, and what it knows of the protocol. */
import type { Arguments } from './arguments.ts';

export class Client {
  private linesFrom = 1;
  private columnsFrom = 1;
  knowsTypes = false;
  knowsMemory = false;
  knowsMemoryEvent = false;
  knowsInvalidatedEvent = false;

  /** Takes the arguments of `initialize`. */
  introduce(args: Arguments): void {
    const from = (name: string): number => (args.has(name) && !args.flag(name) ? 0 : 1);
    this.linesFrom = from('linesStartAt1');
    this.columnsFrom = from('columnsStartAt1');
    this.knowsTypes = args.flag('supportsVariableType');
    this.knowsMemory = args.flag('supportsMemoryReferences');
    this.knowsMemoryEvent = args.flag('supportsMemoryEvent');
    this.knowsInvalidatedEvent = args.flag('supportsInvalidatedEvent');
  }

  /** The first line, as the client counts: what its line numbers may not be below. */
  get firstLine(): number {
    return this.linesFrom;
  }
  get firstColumn(): number {
    return this.columnsFrom;
  }
  /** A line of ours (from 1) as the client counts. */
  line(ours: number): number {
    return ours - 1 + this.linesFrom;
  }
  column(ours: number): number {
    return ours - 1 + this.columnsFrom;
  }
  /** A line of the client's as we count, from 1. */
  ourLine(line: number): number {
    return line - this.linesFrom + 1;
  }
  ourColumn(column: number): number {
    return column - this.columnsFrom + 1;
  }
}
