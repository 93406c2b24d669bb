/** The tree of a source text. Every node carries the span it was read from; what a %define gave bears the span of its use. */
import type { Span } from './diagnostic.ts';
import type { Register } from './registers.ts';

export type Expression =
  | { readonly kind: 'number'; readonly span: Span; readonly value: bigint }
  | { readonly kind: 'string'; readonly span: Span; readonly bytes: Uint8Array }
  | { readonly kind: 'symbol'; readonly span: Span; readonly name: string }
  | { readonly kind: 'register'; readonly span: Span; readonly register: Register }
  /** `$`: where the line begins. */
  | { readonly kind: 'here'; readonly span: Span }
  /** `$$`: where the section begins. */
  | { readonly kind: 'origin'; readonly span: Span }
  | { readonly kind: 'unary'; readonly span: Span; readonly operator: string; readonly operand: Expression }
  | { readonly kind: 'binary'; readonly span: Span; readonly operator: string; readonly left: Expression; readonly right: Expression };

/** What may stand in front of an operand. */
export interface OperandModifiers {
  /** Bits of `byte`, `word`, `dword`, `qword`, `tword`, `oword`; 0 if none is written. */
  readonly size: number;
  readonly strict: boolean;
  readonly distance: 'short' | 'near' | 'far' | '';
}

export type Operand =
  | ({ readonly kind: 'register'; readonly span: Span; readonly register: Register } & OperandModifiers)
  | ({ readonly kind: 'immediate'; readonly span: Span; readonly expression: Expression } & OperandModifiers)
  | ({ readonly kind: 'far'; readonly span: Span; readonly selector: Expression; readonly offset: Expression } & OperandModifiers)
  | ({
      readonly kind: 'memory';
      readonly span: Span;
      readonly address: Expression;
      /** Segment register number 0..5, or -1. */
      readonly segment: number;
      /** Bits of a displacement width written inside the brackets, or 0. */
      readonly displacement: number;
      readonly noSplit: boolean;
    } & OperandModifiers);

/** Prefixes as written; the encoder's own record says how they are numbered. */
export interface WrittenPrefixes {
  readonly repeat: number;
  readonly lock: boolean;
  readonly segment: number;
  readonly operandSize: number;
  readonly addressSize: number;
}

export type DataItem =
  | { readonly kind: 'string'; readonly span: Span; readonly bytes: Uint8Array }
  | { readonly kind: 'value'; readonly span: Span; readonly expression: Expression };

export type Body =
  | {
      readonly kind: 'instruction';
      readonly span: Span;
      readonly mnemonic: string;
      readonly operands: readonly Operand[];
      readonly prefixes: WrittenPrefixes;
    }
  /** db, dw, dd, dq: `unit` bytes each. */
  | { readonly kind: 'data'; readonly span: Span; readonly unit: number; readonly items: readonly DataItem[] }
  /** resb and its kin: zeros, for there is no uninitialised section in a flat image. */
  | { readonly kind: 'reserve'; readonly span: Span; readonly unit: number; readonly count: Expression }
  | { readonly kind: 'equ'; readonly span: Span; readonly value: Expression }
  | { readonly kind: 'org'; readonly span: Span; readonly value: Expression }
  | { readonly kind: 'bits'; readonly span: Span; readonly bits: 16 | 32 }
  /** Fills up to a multiple of `boundary`: with `filler` repeated, or with zeros. */
  | { readonly kind: 'align'; readonly span: Span; readonly boundary: Expression; readonly filler: Body | null };

export interface Label {
  readonly span: Span;
  /** As written; a local label begins with a dot. */
  readonly name: string;
}

export interface Statement {
  readonly span: Span;
  readonly label: Label | null;
  /** Repeat counts, outermost first. */
  readonly times: readonly Expression[];
  readonly body: Body | null;
}
