/** How many bytes the guest has written to each of its consoles: goes back with the machine, so that a surface knows how much of the text to show. */
import { checkState, type Stateful } from '../base/state.ts';

export type ConsoleCountState = { kind: 'console'; version: 1; bytes: { [stream: string]: number } };

export class ConsoleCount implements Stateful<ConsoleCountState> {
  private bytes: { [stream: string]: number } = {};

  add(stream: string): void {
    this.bytes[stream] = this.of(stream) + 1;
  }
  of(stream: string): number {
    return this.bytes[stream] ?? 0;
  }
  get total(): number {
    let sum = 0;
    for (const stream of Object.keys(this.bytes)) sum += this.of(stream);
    return sum;
  }

  save(): ConsoleCountState {
    return { kind: 'console', version: 1, bytes: { ...this.bytes } };
  }
  load(state: ConsoleCountState): void {
    checkState(state.kind === 'console' && state.version === 1, 'console', `${state.kind} ${state.version}`, 'console 1');
    for (const [stream, count] of Object.entries(state.bytes))
      checkState(Number.isSafeInteger(count) && count >= 0, `console.bytes.${stream}`, count, 'a whole number from 0');
    this.bytes = { ...state.bytes };
  }
}
