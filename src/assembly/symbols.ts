/** Labels and equates: names to values that settle over the passes of the layout. */
import type { Span } from './diagnostic.ts';
import type { Value } from './expression.ts';

export interface SymbolEntry {
  readonly name: string;
  readonly span: Span;
  readonly kind: 'label' | 'equ';
  /** Its value in the latest pass. */
  value: Value;
}

/** The full name of a label: a local one belongs to the last label that is not local. */
export const qualified = (name: string, scope: string): string => (name.startsWith('.') && !name.startsWith('..') ? scope + name : name);

/** Does this label begin a new scope for local labels? */
export const opensScope = (name: string): boolean => !name.startsWith('.');

export class SymbolTable {
  readonly #entries = new Map<string, SymbolEntry>();

  get(name: string): SymbolEntry | undefined {
    return this.#entries.get(name);
  }

  /** Enters a name; gives the earlier entry instead if there is one. */
  define(name: string, kind: SymbolEntry['kind'], span: Span): { entry: SymbolEntry; earlier: boolean } {
    const found = this.#entries.get(name);
    if (found !== undefined) return { entry: found, earlier: true };
    const entry: SymbolEntry = { name, span, kind, value: { value: 0n, address: 0, unknown: true } };
    this.#entries.set(name, entry);
    return { entry, earlier: false };
  }

  /** Every symbol with its value; numbers beyond 53 bits lose their low bits. */
  values(): Map<string, number> {
    const out = new Map<string, number>();
    for (const [name, entry] of this.#entries) if (!entry.value.unknown) out.set(name, Number(entry.value.value));
    return out;
  }

  /** Names of all labels: of the symbols, those that are no equates. */
  labels(): Set<string> {
    const out = new Set<string>();
    for (const [name, { kind }] of this.#entries) if (kind === 'label') out.add(name);
    return out;
  }
}
