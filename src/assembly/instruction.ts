/**
 * Instructions: which of the forms of a mnemonic suit the operands, and which of those to write.
 *
 * The rule is the dialect's: sizes come from registers and size keywords; what the mode alone decides is decided by the mode; among what remains the
 * shortest form is written, and of equally short ones the first of the index.
 */
import { encode, encodedLength, type EncoderOperand, type EffectiveAddress, type Prefixes } from '../machine/isa/encoder.ts';
import {
  type EncodingForm,
  type EncodingIndex,
  IMMEDIATE_BITS,
  type ImmediateKind,
  type OperandRule,
} from '../machine/isa/encoding-index.ts';
import { type AddressContext, hasRegister, isVariable, resolveAddress } from './address.ts';
import type { Span } from './diagnostic.ts';
import { evaluate, type Value } from './expression.ts';
import type { Body, Operand } from './syntax.ts';

export type InstructionBody = Extract<Body, { kind: 'instruction' }>;

/** An instruction whose forms are narrowed down to those that only values decide between. */
export interface PreparedInstruction {
  readonly body: InstructionBody;
  readonly bits: 16 | 32;
  readonly forms: readonly EncodingForm[];
  readonly prefixes: Prefixes;
  /** Can the bytes change with symbols or with the place of the instruction? */
  readonly variable: boolean;
  /** Has a pass found the short branch too short? */
  outgrown: boolean;
}

/** A form chosen for the values of this pass. */
export interface Choice {
  readonly form: EncodingForm;
  readonly operands: readonly EncoderOperand[];
  readonly values: readonly (Value | null)[];
  readonly length: number;
}

const LONGEST_INSTRUCTION = 15;

const isBranch = (kind: ImmediateKind | ''): boolean => kind === 'rel8' || kind === 'rel16' || kind === 'rel32';
const isSignedByte = (kind: ImmediateKind | ''): boolean => kind === 's8w' || kind === 's8d';

/** A form that stands for prefixes alone on their line. */
const PREFIX_ONLY: EncodingForm = {
  operands: [],
  opcode: new Uint8Array(),
  modrm: -1,
  operandSize: 0,
  addressSize: 0,
  prefix: 0,
  memoryBits: 0,
  wait: false,
  defaultSized: false,
  far: false,
  tail: new Uint8Array(),
};

/** Narrows the forms of an instruction down, or reports why none suits and gives null. */
export function prepare(
  body: InstructionBody,
  bits: 16 | 32,
  index: EncodingIndex,
  problem: (span: Span, message: string) => void,
): PreparedInstruction | null {
  const memory = body.operands.find((o) => o.kind === 'memory');
  const segment = memory?.kind === 'memory' && memory.segment >= 0 ? memory.segment : body.prefixes.segment;
  const prefixes: Prefixes = { ...body.prefixes, segment };
  const all = body.mnemonic === '' ? [PREFIX_ONLY] : (index.mnemonics.get(body.mnemonic) ?? []);
  let forms = all.filter((form) => suits(form, body.operands, true));
  if (forms.length === 0) {
    problem(operandsSpan(body), refusal(body, all));
    return null;
  }
  if (memory !== undefined && memory.size === 0) {
    // A size in front of an immediate speaks for the memory operand too.
    const said = body.operands.find((o) => o.kind === 'immediate' && o.size !== 0)?.size ?? 0;
    if (said !== 0 && body.operands.every((o) => o.kind !== 'register'))
      forms = forms.filter((form) => form.memoryBits === 0 || form.memoryBits === said);
    const sizes = new Set(forms.filter((form) => !form.defaultSized && form.memoryBits !== 0).map((form) => form.memoryBits));
    if (sizes.size > 1 || forms.length === 0) {
      problem(memory.span, 'the size of the operand is not known: write byte, word or dword in front of the bracket');
      return null;
    }
  }
  forms = preferring(forms, (form) => (form.defaultSized ? form.operandSize : 0), prefixes.operandSize === 0 ? bits : prefixes.operandSize);
  forms = preferring(forms, (form) => form.addressSize, prefixes.addressSize === 0 ? bits : prefixes.addressSize);
  const variable =
    body.operands.some((o) => operandIsVariable(o)) || forms.some((form) => form.operands.some((rule) => isBranch(rule.immediate)));
  return { body, bits, forms, prefixes, variable, outgrown: false };
}

const operandIsVariable = (o: Operand): boolean =>
  (o.kind === 'immediate' && isVariable(o.expression)) ||
  (o.kind === 'memory' && isVariable(o.address)) ||
  (o.kind === 'far' && (isVariable(o.selector) || isVariable(o.offset)));

/** Keeps the forms of the wanted size (and those of none) if there are any of that size. */
function preferring(forms: readonly EncodingForm[], sizeOf: (form: EncodingForm) => number, wanted: number): EncodingForm[] {
  const some = forms.some((form) => sizeOf(form) === wanted);
  return forms.filter((form) => !some || sizeOf(form) === 0 || sizeOf(form) === wanted);
}

const operandsSpan = (body: InstructionBody): Span => {
  const [first, last] = [body.operands[0], body.operands.at(-1)];
  return first === undefined || last === undefined ? body.span : { start: first.span.start, end: last.span.end };
};

function refusal(body: InstructionBody, all: readonly EncodingForm[]): string {
  const counts = [...new Set(all.map((form) => form.operands.length))].sort();
  const found = body.operands.length;
  if (!counts.includes(found)) {
    const last = counts.at(-1);
    const takes = counts.length === 1 && last === 0 ? 'no operand' : `${counts.join(' or ')} operand${last === 1 ? '' : 's'}`;
    return `${body.mnemonic} takes ${takes}, found ${found}`;
  }
  if (all.some((form) => suits(form, body.operands, false))) return `the sizes of the operands do not suit ${body.mnemonic}`;
  return `${body.mnemonic} does not take these operands`;
}

function suits(form: EncodingForm, operands: readonly Operand[], sized: boolean): boolean {
  if (form.operands.length !== operands.length) return false;
  return operands.every((operand, i) => {
    const rule = form.operands[i];
    return rule !== undefined && operandSuits(rule, operand, form, sized);
  });
}

function operandSuits(rule: OperandRule, operand: Operand, form: EncodingForm, sized: boolean): boolean {
  switch (operand.kind) {
    case 'register': {
      const { register } = operand;
      if (operand.distance === 'far' || rule.register === '') return false;
      if (!sized && /^r\d/.test(rule.register) && /^r\d/.test(register.class)) return true;
      return (
        rule.register === register.class &&
        (rule.fixed < 0 || rule.fixed === register.number) &&
        (operand.size === 0 || register.bits === 0 || operand.size === register.bits || !sized)
      );
    }
    case 'memory':
      if (!rule.memory || form.far !== (operand.distance === 'far')) return false;
      if (rule.place === 'moffs' && hasRegister(operand.address)) return false;
      return !sized || operand.size === 0 || form.memoryBits === 0 || form.memoryBits === operand.size;
    case 'far':
      return (
        (rule.immediate === 'far16' || rule.immediate === 'far32') &&
        (operand.size === 0 || operand.size === IMMEDIATE_BITS[rule.immediate])
      );
    case 'immediate':
      return immediateSuits(rule.immediate, operand, sized);
  }
}

function immediateSuits(kind: ImmediateKind | '', operand: Extract<Operand, { kind: 'immediate' }>, sized: boolean): boolean {
  const { size, strict, distance } = operand;
  if (kind === '' || kind === 'far16' || kind === 'far32') return false;
  if (isBranch(kind)) {
    if (distance === 'far') return false;
    if (kind === 'rel8') return distance !== 'near' && size === 0;
    return distance !== 'short' && (size === 0 || size === IMMEDIATE_BITS[kind]);
  }
  if (distance !== '') return false;
  if (kind === 'one') return size === 0 && !strict;
  if (isSignedByte(kind) && strict && size !== 8) return false;
  return !sized || size === 0 || size === IMMEDIATE_BITS[kind] || (isSignedByte(kind) && size === 8);
}

/** What choosing and writing need from the layout. */
export interface InstructionContext extends AddressContext {
  /** Offset of the instruction from the section's beginning, as a value. */
  place(): Value;
  /** May forms still shrink again? */
  readonly settling: boolean;
}

const NO_OPERAND: EncoderOperand = { register: 0, memory: null, value: 0, selector: 0 };
const low32 = (v: bigint): number => Number(BigInt.asIntN(32, v));

/** The form for this pass's values; null if an operand has none (which has been reported). */
export function choose(prepared: PreparedInstruction, context: InstructionContext): Choice | null {
  const { body, bits, prefixes, forms } = prepared;
  const operands: EncoderOperand[] = [];
  const values: (Value | null)[] = [];
  for (const operand of body.operands) {
    let value: Value | null = null;
    if (operand.kind === 'register') operands.push({ ...NO_OPERAND, register: operand.register.number });
    else if (operand.kind === 'memory') {
      const address: EffectiveAddress | null = resolveAddress(operand, bits, prefixes.addressSize, context);
      if (address === null) return null;
      operands.push({ ...NO_OPERAND, memory: address });
    } else {
      value = evaluate(operand.kind === 'far' ? operand.offset : operand.expression, context);
      if (value.address !== 0 && value.address !== 1) {
        context.problem(operand.span, 'an operand cannot be the sum or the negative of addresses');
        return null;
      }
      const selector = operand.kind === 'far' ? low32(evaluate(operand.selector, context).value) : 0;
      operands.push({ ...NO_OPERAND, value: low32(value.value), selector });
    }
    values.push(value);
  }
  let best: EncodingForm | null = null;
  let length = Number.POSITIVE_INFINITY;
  for (const form of forms) {
    const size = encodedLength(form, operands, bits, prefixes);
    if (size < length && valuesSuit(prepared, form, values, size, context)) {
      best = form;
      length = size;
    }
  }
  if (best === null) {
    context.problem(operandsSpan(body), `${body.mnemonic} does not take these operands`);
    return null;
  }
  return { form: best, operands, values, length };
}

function valuesSuit(
  prepared: PreparedInstruction,
  form: EncodingForm,
  values: readonly (Value | null)[],
  length: number,
  context: InstructionContext,
): boolean {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? null;
    const kind = form.operands[i]?.immediate ?? '';
    const operand = prepared.body.operands[i];
    if (value === null || operand?.kind !== 'immediate') continue;
    // What is not known yet is taken to fit: sizes begin small and grow.
    if (value.unknown) continue;
    if (kind === 'one' && (value.address !== 0 || value.value !== 1n)) return false;
    if (isSignedByte(kind) && operand.size !== 8) {
      if (value.address !== 0) return false;
      const cut = BigInt.asIntN(kind === 's8w' ? 16 : 32, value.value);
      if (cut < -128n || cut > 127n) return false;
    }
    if (kind === 'rel8' && operand.distance !== 'short' && prepared.forms.some((f) => f.operands[i]?.immediate !== 'rel8')) {
      if (prepared.outgrown && context.settling) return false;
      const distance = value.value - context.place().value - BigInt(length);
      if (value.address === 0 || distance < -128n || distance > 127n) {
        prepared.outgrown = true;
        return false;
      }
    }
  }
  return true;
}

/** Appends the bytes of the chosen form, and reports what does not fit. */
export function write(prepared: PreparedInstruction, choice: Choice, context: InstructionContext, out: number[]): void {
  const { body, bits, prefixes } = prepared;
  const operands = [...choice.operands];
  for (let i = 0; i < choice.values.length; i++) {
    const value = choice.values[i] ?? null;
    const operand = body.operands[i];
    const plain = choice.operands[i];
    const kind = choice.form.operands[i]?.immediate ?? '';
    if (value === null || operand === undefined || plain === undefined || value.unknown || kind === '') continue;
    if (isBranch(kind)) {
      const distance = value.value - context.place().value - BigInt(choice.length);
      if (kind === 'rel8' && (distance < -128n || distance > 127n)) {
        const over = distance > 0n ? distance - 127n : -128n - distance;
        context.problem(operand.span, `the target is out of range of a short jump by ${over} byte${over === 1n ? '' : 's'}`);
      }
      operands[i] = { ...plain, value: low32(distance) };
    } else checkImmediate(operand, kind, value, context);
  }
  const { operandSize } = choice.form;
  if (prefixes.operandSize !== 0 && operandSize !== 0 && prefixes.operandSize !== operandSize)
    context.warn(
      body.span,
      `o${prefixes.operandSize} contradicts the ${operandSize}-bit operands of ${body.mnemonic}; the processor goes by the prefix`,
    );
  const start = out.length;
  encode(choice.form, operands, bits, prefixes, out);
  if (out.length - start > LONGEST_INSTRUCTION)
    context.warn(body.span, `the instruction has ${out.length - start} bytes; the processor takes at most ${LONGEST_INSTRUCTION}`);
}

function checkImmediate(operand: Operand, kind: ImmediateKind, value: Value, context: InstructionContext): void {
  const v = value.value;
  if (isSignedByte(kind)) {
    const width = kind === 's8w' ? 16 : 32;
    const cut = BigInt.asIntN(width, v);
    if (cut < -128n || cut > 127n) context.warn(operand.span, `${v} does not fit in a signed byte and is cut`);
    else if (v < -(1n << BigInt(width - 1)) || v >= 1n << BigInt(width))
      context.warn(operand.span, `${v} does not fit in ${width} bits and is cut`);
    return;
  }
  // Where an address ends up is the author's business: firmware is linked high and runs low.
  const width = IMMEDIATE_BITS[kind];
  if (value.address !== 0 && width > 8) return;
  if (kind !== 'one' && (v < -(1n << BigInt(width - 1)) || v >= 1n << BigInt(width)))
    context.warn(operand.span, `${v} does not fit in ${width} bits and is cut`);
}
