/** What the guest writes to its consoles, gathered, and told once: not again when the machine has gone back and does the same as before. */
import type { Machine } from '../../machine/machine.ts';
import type { ConsoleStream } from '../../machine/models/model.ts';

export class ConsoleFeed {
  /** Nobody is told meanwhile, and what is written does not count as told. */
  muted = false;
  private readonly waiting = new Map<ConsoleStream, number[]>();
  /** Bytes of each console that were told, or are about to be. */
  private readonly told = new Map<ConsoleStream, number>();

  constructor(
    private readonly machine: Machine,
    private readonly tell: (stream: ConsoleStream, bytes: Uint8Array) => void,
  ) {
    machine.onConsole = (stream, byte) => this.take(stream, byte);
  }

  private take(stream: ConsoleStream, byte: number): void {
    const count = this.machine.consoleCount.of(stream);
    if (this.muted || count <= (this.told.get(stream) ?? 0)) return;
    this.told.set(stream, count);
    const waiting = this.waiting.get(stream);
    if (waiting === undefined) this.waiting.set(stream, [byte]);
    else waiting.push(byte);
  }

  /** Tells what has come. */
  flush(): void {
    for (const [stream, bytes] of this.waiting) this.tell(stream, Uint8Array.from(bytes));
    this.waiting.clear();
  }

  /** The run takes another course from here: what follows is new, whatever was told of the former one. */
  anotherCourse(): void {
    for (const stream of this.told.keys()) this.told.set(stream, this.machine.consoleCount.of(stream));
  }
}
