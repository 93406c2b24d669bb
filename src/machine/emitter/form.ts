/**
 * Definitions and forms. A form is one definition at one operand size, with one kind for each operand and one way of addressing: the unit that
 * the interpreter has a handler for.
 */
import type { Emitter } from './emitter.ts';
import type { Size } from './value.ts';

/** r: register; i: immediate or branch target; b: memory, base + displacement; m: memory with index. */
export type Kind = 'r' | 'i' | 'b' | 'm';
export type Access = 'r' | 'w' | 'rw';

export interface Definition {
  name: string;
  sizes: Size[];
  kinds: string[];
  access: Access[];
  emit: (e: Emitter) => void;
  /** Uses the stack: comes once for each stack-address size. */
  stack: boolean;
  /** Has implicit memory operands or counts in rCX: comes once for each address size. */
  strings: boolean;
  /** Transfers control: checks the code-segment limit in segmented forms. */
  control: boolean;
}
export interface Traits {
  sizes?: Size[];
  stack?: boolean;
  strings?: boolean;
  control?: boolean;
}

/** What the engines learn about a form by running its definition once without output. */
export interface Summary {
  memory: boolean;
  readsFlags: boolean;
  keepsFlags: boolean;
  writesFlags: boolean;
  control: string;
  /** Calls a TypeScript helper, which sees and changes the window. */
  calls: boolean;
  /** Memory accesses it makes. */
  accesses: number;
}
export interface Form extends Partial<Summary> {
  id: number;
  key: string;
  definition: Definition;
  size: Size;
  kinds: string;
  access: Access[];
  addressSize: 16 | 32;
  stackSize: 16 | 32;
  /** Adds segment bases and checks limits. Otherwise all of CS, DS, ES and SS are flat. */
  segmented: boolean;
}

/** The pseudo-definition that ends a run: it goes on with what follows in memory and is no instruction. */
export const FALL_THROUGH = 'fallthrough';

export const definitions = new Map<string, Definition>();

/**
 * @param kinds  allowed operand kinds, e.g. 'rr rm mr'; 'm' stands for both memory kinds
 * @param access how each operand is used, e.g. 'rw,r'; a memory operand read and written is checked for writing first, as the processor does
 */
export function define(name: string, kinds: string, access: string, emit: (e: Emitter) => void, traits: Traits = {}): void {
  if (definitions.has(name)) throw Error(`${name} is defined twice`);
  const { sizes = [8, 16, 32], stack = false, strings = false, control = false } = traits;
  definitions.set(name, { name, sizes, kinds: kinds.split(' '), access: access.split(',') as Access[], emit, stack, strings, control });
}

/** Are the flags before this instruction needed, given that those after it are? A fault, an exit or a branch shows them to anybody. */
export const flagsNeededBefore = (f: Form, after: boolean): boolean =>
  !!f.readsFlags || !!f.memory || f.control !== 'next' || (after && (!f.writesFlags || !!f.keepsFlags));

/** Everything that tells forms of one definition apart, besides size and kinds. */
export interface Addressing {
  addressSize: 16 | 32;
  stackSize: 16 | 32;
  segmented: boolean;
}

export class Forms {
  readonly list: Form[] = [];
  private readonly byKey = new Map<string, Form>();

  /** The key of a form: only what matters to its definition goes in. */
  static key(d: Definition, size: Size, kinds: string, a: Addressing): string {
    const memory = /[bm]/.test(kinds) || d.strings;
    const address = memory ? `.a${a.addressSize}` : '';
    const stack = d.stack ? `.s${a.stackSize}` : '';
    return `${d.name}.${size}.${kinds}${address}${stack}${a.segmented && (memory || d.stack || d.control) ? '.seg' : ''}`;
  }
  private add(definition: Definition, size: Size, kinds: string, a: Addressing): void {
    const key = Forms.key(definition, size, kinds, a);
    if (this.byKey.has(key)) return;
    const form: Form = { id: this.list.length, key, definition, size, kinds, access: definition.access, ...a };
    this.list.push(form);
    this.byKey.set(key, form);
  }
  find(definition: Definition, size: Size, kinds: string, a: Addressing): Form | undefined {
    return this.byKey.get(Forms.key(definition, size, kinds, a));
  }

  /** Every form of every definition made so far. The 16-bit addressing forms are all indexed and segmented. */
  static all(): Forms {
    const forms = new Forms();
    const flat: Addressing = { addressSize: 32, stackSize: 32, segmented: false };
    for (const d of definitions.values())
      for (const size of d.sizes)
        for (const kinds of d.kinds) {
          const addresses = kinds.includes('m') || d.strings;
          for (const k of kinds.includes('m') ? [kinds.replace('m', 'b'), kinds] : [kinds]) forms.add(d, size, k, flat);
          for (const addressSize of addresses ? ([16, 32] as const) : ([32] as const))
            for (const stackSize of d.stack ? ([16, 32] as const) : ([32] as const))
              forms.add(d, size, kinds, { addressSize, stackSize, segmented: true });
        }
    return forms;
  }
}
