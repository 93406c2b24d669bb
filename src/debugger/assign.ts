/**
 * Assignments, of the debug console and of watches: `eax = 5`, `zf = 1`, `lapic.svr.software_enable = on`, `lapic[2].tpr = 0x30`,
 * `ioapic.redtbl[4].mask = open`, `byte [0x500] = 2`. They come to the same inputs as editing a variable.
 */
import type { Input } from '../machine/timeline/inputs.ts';
import { IOAPIC_MAX_ENTRIES } from '../machine/x86/ioapic.ts';
import type { Debugger } from './debugger.ts';
import { DebuggerError } from './error.ts';
import { checkNames } from './evaluate.ts';
import { type Expression, parseExpression } from './expression.ts';
import {
  flagNamed,
  ioapicFieldInput,
  ioapicInput,
  ioapicName,
  lapicFieldInput,
  lapicInput,
  memoryInput,
  registerFieldInput,
  registerInput,
} from './inspect/edits.ts';
import { type Editor, scopeOf, evaluated } from './inspect/number.ts';
import { ExpressionError } from './lexer.ts';
import { didYouMean } from './nearest.ts';
import {
  fieldWord,
  ioapicField,
  ioapicFieldWords,
  ioapicRegister,
  LAPIC_NAMES,
  lapicField,
  lapicRegister,
  PROCESSOR_REGISTERS,
} from './registers.ts';

type Name = Extract<Expression, { kind: 'name' }>;

const fail = (sentence: string): never => {
  throw new DebuggerError(sentence);
};

/**
 * What setting an expression to a value comes to, as seen from `vcpu`. The value is a number, an expression, or a word of the field.
 * Throws a DebuggerError that names what is wrong and what would be right; changes nothing.
 */
export function assign(dbg: Debugger, vcpu: number, expressionText: string, valueText: string): Input {
  const editor: Editor = { debugger: dbg, vcpu, inPlace: false };
  const text = expressionText.trim();
  if (valueText.trim() === '') fail(`"${text} =" has no value.`);
  const target = parsed(text);
  if (target.kind === 'memory') {
    const address = numberOf(editor, target.address, `The address in "${text}"`);
    return memoryInput(editor, address >>> 0, target.size, valueText);
  }
  if (target.kind !== 'name')
    return fail(`"${text}" cannot be set; a register, a flag, a field of an APIC's register or memory can, for example dword [0x500].`);
  return setName(editor, target, text, valueText);
}

function parsed(text: string): Expression {
  try {
    return parseExpression(text);
  } catch (error) {
    if (error instanceof ExpressionError) return fail(`"${text}", column ${error.column}: ${error.message}`);
    throw error;
  }
}

function numberOf(editor: Editor, tree: Expression, what: string): number {
  const value = evaluated(editor, tree, what);
  return typeof value === 'number' ? value : fail(`${what} is the text "${value}", where a number is needed.`);
}

/** The editor of the vCPU that an index names. */
function editorAt(editor: Editor, index: Expression | undefined, text: string): Editor {
  if (index === undefined) return editor;
  const vcpu = numberOf(editor, index, `The vCPU in "${text}"`);
  const { vcpuCount } = editor.debugger.view;
  return vcpu >= 0 && vcpu < vcpuCount ? { ...editor, vcpu } : fail(`"${text}": there is no vCPU ${vcpu}; 0 to ${vcpuCount - 1} are.`);
}

function setName(editor: Editor, { path, index, part = 0 }: Name, text: string, value: string): Input {
  const names = path.map((word) => word.toLowerCase());
  const first = names[0] as string;
  if (first === 'ioapic') return setIoapic(editor, names, part === 1 ? index : undefined, text, value);
  if (first === 'lapic') {
    if (part === 0) return setLapic(editorAt(editor, index, text), names, text, value);
    const word = index === undefined ? 0 : numberOf(editor, index, `The index in "${text}"`);
    return setLapic(editor, [first, `${names[1]}${word}`, ...names.slice(2)], text, value);
  }
  const ofVcpu = (first === 'cpu' || first === 'vcpu') && index !== undefined && names.length > 1;
  const name = (ofVcpu ? names.slice(1) : names).join('.');
  if (index === undefined || ofVcpu) {
    const at = editorAt(editor, index, text);
    const flag = flagNamed(name);
    if (flag !== undefined) return registerFieldInput(at, 'eflags', flag, value);
    if (name === 'flags' || PROCESSOR_REGISTERS.includes(name)) return registerInput(at, name, value);
  }
  return refuse(editor, text);
}

/** Says why something that is neither register nor field cannot be set: because it only tells of something, or because there is no such name. */
function refuse(editor: Editor, text: string): never {
  try {
    checkNames(parsed(text), scopeOf(editor));
  } catch (error) {
    if (error instanceof ExpressionError) throw new DebuggerError(error.message);
    throw error;
  }
  throw new DebuggerError(`"${text}" tells of something that happened or of a fixed value, and cannot be set.`);
}

function setLapic(editor: Editor, [, name, fieldName, ...rest]: readonly string[], text: string, value: string): Input {
  const register = name === undefined ? undefined : lapicRegister(name);
  if (register === undefined)
    return fail(
      `"${text}": there is no local APIC register "${name ?? ''}".${didYouMean(name ?? '', LAPIC_NAMES) || ` Registers are: ${LAPIC_NAMES.join(', ')}.`}`,
    );
  if (fieldName === undefined) return lapicInput(editor, register, value);
  const field = rest.length > 0 ? undefined : lapicField(register, fieldName);
  const words = register.fields.filter((f) => f.name !== '').map(fieldWord);
  if (field === undefined)
    return fail(
      `${register.name} has no field "${[fieldName, ...rest].join('.')}".${didYouMean(fieldName, words)} It has: ${words.join(', ')}.`,
    );
  return lapicFieldInput(editor, register, field, value);
}

function setIoapic(
  editor: Editor,
  [, name, fieldName, ...rest]: readonly string[],
  index: Expression | undefined,
  text: string,
  value: string,
): Input {
  const register = name === undefined ? undefined : ioapicRegister(name);
  if (register === undefined)
    return fail(`"${text}": the I/O APIC has no register "${name ?? ''}". Those that can be set are: id, redtbl[n].`);
  if (register.index === undefined)
    return fail(`${register.name} cannot be set; name the register itself, for example ioapic.redtbl[2].mask.`);
  const table = register.highFields !== undefined;
  if (table !== (index !== undefined))
    return fail(table ? `"${text}": write which entry, for example ioapic.redtbl[2].` : `"${text}": ${register.name} has no index.`);
  const entry = index === undefined ? 0 : numberOf(editor, index, `The index in "${text}"`);
  const pins = Math.min(editor.debugger.machine.platform.ioapic.pins, IOAPIC_MAX_ENTRIES);
  if (table && !(entry >= 0 && entry < pins)) return fail(`"${text}": there is no entry ${entry}; 0 to ${pins - 1} are.`);
  const at = register.index + 2 * entry;
  if (fieldName === undefined) {
    if (table)
      return fail(
        `"${text}" has two halves of 32 bits: set ${text}.low, ${text}.high or a field: ${ioapicFieldWords(register).slice(2).join(', ')}.`,
      );
    return ioapicInput(editor, at, value);
  }
  const found = rest.length > 0 ? undefined : ioapicField(register, fieldName);
  if (found === undefined) {
    const words = ioapicFieldWords(register);
    return fail(
      `${table ? `REDTBL[${entry}]` : ioapicName(at)} has no field "${[fieldName, ...rest].join('.')}".${didYouMean(fieldName, words)} It has: ${words.join(', ')}.`,
    );
  }
  const half = at + (found.half === 'high' ? 1 : 0);
  const whole = found.field.high - found.field.low === 31;
  return whole ? ioapicInput(editor, half, value) : ioapicFieldInput(editor, half, found.field, value);
}
