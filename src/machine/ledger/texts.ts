/** The ledger's table of device names and notes: each text once, records hold its index. Bounded. */
import { checkState } from '../base/state.ts';

/** How many different texts are kept, and how long one may be. */
export const MAX_TEXTS = 4096;
export const MAX_TEXT_LENGTH = 200;

const OVERFLOW = '(not kept: too many different texts)';

export class Texts {
  private list: string[] = ['', OVERFLOW];
  private index = new Map<string, number>([
    ['', 0],
    [OVERFLOW, 1],
  ]);
  private lastText = '';
  private lastIndex = 0;

  get count(): number {
    return this.list.length;
  }

  /** The text's index; allocates only when the text is new. The empty text is 0. */
  intern(text: string): number {
    if (text === this.lastText) return this.lastIndex;
    let at = this.index.get(text);
    if (at === undefined) {
      const kept = text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH - 1)}…` : text;
      at = this.index.get(kept);
      if (at === undefined) {
        if (this.list.length >= MAX_TEXTS) return 1;
        at = this.list.push(kept) - 1;
        this.index.set(kept, at);
      }
      if (kept !== text) return at;
    }
    this.lastText = text;
    this.lastIndex = at;
    return at;
  }

  at(index: number): string {
    return this.list[index] ?? '';
  }

  /** Forgets all but the first `count` texts. */
  truncate(count: number): void {
    if (count >= this.list.length) return;
    for (const text of this.list.slice(count)) this.index.delete(text);
    this.list.length = Math.max(count, 2);
    this.lastText = '';
    this.lastIndex = 0;
  }

  save(): string[] {
    return [...this.list];
  }

  static check(state: readonly string[]): void {
    checkState(state.length >= 2 && state.length <= MAX_TEXTS, 'ledger.texts.length', state.length, `2 to ${MAX_TEXTS}`);
    checkState(
      new Set(state).size === state.length && state[0] === '' && state[1] === OVERFLOW,
      'ledger.texts',
      [...state],
      'different texts, the empty one first',
    );
  }

  load(state: readonly string[]): void {
    this.list = [...state];
    this.index = new Map(this.list.map((text, i) => [text, i]));
    this.lastText = '';
    this.lastIndex = 0;
  }
}
