/** The one expression language, wherever a client has it evaluated: watches, hovers, the debug console; and values that are set by it. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Debugger } from '../debugger/debugger.ts';
import { DebuggerError } from '../debugger/error.ts';
import { evaluate as valueIn, type Value } from '../debugger/evaluate.ts';
import { type Expression, parseExpression } from '../debugger/expression.ts';
import { formatValue } from '../debugger/format.ts';
import { assign } from '../debugger/assign.ts';
import { scopeOf } from '../debugger/inspect/number.ts';
import { scopes } from '../debugger/inspect/scopes.ts';
import type { Variable } from '../debugger/inspect/variable.ts';
import { ExpressionError } from '../debugger/lexer.ts';
import { fieldWord, lapicField, lapicRegister } from '../debugger/registers.ts';
import type { Arguments } from './arguments.ts';
import { completions } from './completions.ts';
import { runCommand } from './console-commands.ts';
import { edit } from './edit.ts';
import type { Answer, Handlers } from './handler.ts';
import type { Container, Session } from './session.ts';
import { referenceTo } from './references.ts';
import { referenceOf } from './sources.ts';
import { details, scopeNamed } from './variables.ts';

type Format = 'x' | 'h' | 'd' | 'b' | 'o';

interface Asked {
  readonly text: string;
  readonly tree: Expression;
  readonly format: Format | undefined;
}

/** How deep a variable is looked for: scope, register, field, and the vector maps have one more. */
const DEPTH = 3;

/** What the names of a device's registers begin with, by the scope that shows them. */
const DEVICES: Readonly<Record<string, string>> = { 'Local APIC': 'lapic', 'I/O APIC': 'ioapic' };

/** Takes `expression,x` apart. Throws a DebuggerError. */
function parse(expression: string): Asked {
  const [, text = '', format] = /^(.*?)(?:,\s*([xhdbo]))?$/s.exec(expression.trim()) ?? [];
  return { text: text.trim(), tree: sentence(() => parseExpression(text)), format: format as Format | undefined };
}

/** What is wrong with an expression is one sentence for a client. */
function sentence<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ExpressionError) throw new DebuggerError(error.message);
    throw error;
  }
}

/** A variable, and what it was found in. */
interface Found {
  readonly variable: Variable;
  readonly container: Container;
}

/** Names from a scope's variables down to the one of that expression. */
function pathTo(variables: readonly Variable[], wanted: string, depth: number): readonly string[] | undefined {
  const here = variables.find(({ expression }) => expression === wanted);
  if (here !== undefined) return [here.name];
  if (depth === 0) return undefined;
  for (const { name, children } of variables) {
    const below = children === undefined ? undefined : pathTo(children(), wanted, depth - 1);
    if (below !== undefined) return [name, ...below];
  }
  return undefined;
}

/** The variables behind some names. */
const follow = (variables: readonly Variable[], names: readonly string[]): readonly Variable[] =>
  names.reduce((at, wanted) => at.find(({ name }) => name === wanted)?.children?.() ?? [], variables);

/** What the scopes of a vCPU show under an expression. */
function shownAs(it: Debugger, vcpu: number, wanted: string): Found | undefined {
  const device = /^(?:lapic|ioapic)(?=\.)/.exec(wanted)?.[0];
  for (const { name, variables } of scopes(it, vcpu)) {
    // A device has hundreds of fields: they are looked through for its own names alone.
    if (DEVICES[name] !== device) continue;
    const path = pathTo(variables(), wanted, DEPTH);
    if (path === undefined) continue;
    const container = { vcpu, variables: () => follow(scopeNamed(it, vcpu, name), path.slice(0, -1)) };
    const variable = container.variables().find((v) => v.name === path.at(-1));
    if (variable !== undefined) return { variable, container };
  }
  return undefined;
}

/** A local APIC register and its field may be called by other names than their own. */
function ownNames([name = '', part, ...more]: readonly string[]): string[] {
  const register = lapicRegister(name);
  if (register === undefined || more.length > 0) return [name];
  const field = part === undefined ? undefined : lapicField(register, part);
  return [register.name.toLowerCase(), ...(part === undefined ? [] : [field === undefined ? part : fieldWord(field)])];
}

/** The variable that a name stands for, with everything that a scope shows of it; undefined: it is a value like another. */
function variableNamed(it: Debugger, vcpu: number, { tree }: Asked): Found | undefined {
  if (tree.kind !== 'name') return undefined;
  let [first = '', ...rest] = tree.path.map((part) => part.toLowerCase());
  let of = vcpu;
  if (tree.index !== undefined) {
    // Another vCPU's own: `lapic[2].svr`, `cpu[1].eax`. Other indexes are parts of the name.
    if (tree.part !== undefined || tree.index.kind !== 'constant' || typeof tree.index.value !== 'number') return undefined;
    of = tree.index.value;
    if (!/^(?:lapic|v?cpu)$/.test(first) || !(of < it.view.vcpuCount)) return undefined;
    if (first !== 'lapic') [first = '', ...rest] = rest;
  }
  if (first === 'lapic') rest = ownNames(rest);
  return shownAs(it, of, [first, ...rest].join('.'));
}

/** The register of the local APIC that `dword [0xFEE00300]` is, as this vCPU sees it. */
function registerAt(it: Debugger, vcpu: number, { tree }: Asked): Found | undefined {
  if (tree.kind !== 'memory' || tree.size !== 4) return undefined;
  const address = addressOf(it, vcpu, tree);
  const gpa = address === undefined || address % 16 !== 0 ? undefined : it.view.translate(vcpu, address);
  if (gpa === undefined || it.machine.memory.isBacked(gpa)) return undefined;
  try {
    return shownAs(it, vcpu, it.breakpoints.watchableAt(gpa, tree.size).dataId);
  } catch (error) {
    if (error instanceof DebuggerError) return undefined;
    throw error;
  }
}

function formatted(value: Value, format: Format, text: string): string {
  if (typeof value === 'string') return value;
  if (!Number.isInteger(value)) throw new DebuggerError(`${text} is no whole number: it has no digits in another base.`);
  const sign = value < 0 ? '-' : '';
  const positive = Math.abs(value);
  switch (format) {
    case 'x':
      return `${sign}0x${positive.toString(16).toUpperCase()}`;
    case 'h':
      return `${sign}${positive.toString(16).toUpperCase()}h`;
    case 'b':
      return `${sign}${positive.toString(2)}b`;
    case 'o':
      return `${sign}${positive.toString(8)}o`;
    case 'd':
      return String(value);
  }
}

type Result = DebugProtocol.EvaluateResponse['body'];

function result(session: Session, vcpu: number, expression: string, hex: boolean): Result {
  const it = session.debugger;
  const asked = parse(expression);
  const value = sentence(() => valueIn(asked.tree, scopeOf({ debugger: it, vcpu })));
  const found = asked.format === undefined && !it.running ? (variableNamed(it, vcpu, asked) ?? registerAt(it, vcpu, asked)) : undefined;
  if (found !== undefined) {
    const { variable, container } = found;
    return {
      result: variable.value,
      ...details(session, variable, container),
      ...(variable.edit === undefined ? { presentationHint: { attributes: ['readOnly'] } } : {}),
    };
  }
  const address = addressOf(it, vcpu, asked.tree);
  const format = asked.format ?? (hex && typeof value === 'number' && Number.isInteger(value) ? 'x' : undefined);
  return {
    result: format === undefined ? formatValue(value, asked.tree) : formatted(value, format, asked.text),
    variablesReference: 0,
    ...(address === undefined || !session.client.knowsMemory ? {} : { memoryReference: referenceTo({ space: 'linear', vcpu, address }) }),
  };
}

/** Where something lies that has an address itself: memory, and labels. */
function addressOf(it: Debugger, vcpu: number, tree: Expression): number | undefined {
  if (tree.kind === 'name') return tree.path.length === 1 ? it.program.labelAddress(tree.path[0] ?? '') : undefined;
  const address = tree.kind === 'memory' ? valueIn(tree.address, scopeOf({ debugger: it, vcpu })) : undefined;
  return typeof address === 'number' ? address >>> 0 : undefined;
}

/** `left = right`, where the `=` is no part of a comparison. */
const ASSIGNMENT = /^([^=<>!]+?)=(?!=)(.*)$/s;

/** What a scope shows is set as it is there, an expression else. */
function set(session: Session, vcpu: number, expression: string, value: string, hex: boolean): { body: Result; after: () => void } {
  const it = session.standing;
  const shown = shownAs(it, vcpu, expression)?.variable.edit;
  const after = edit(session, [shown === undefined || value.trim() === '' ? assign(it, vcpu, expression, value) : shown(value)]);
  return { body: result(session, vcpu, expression, hex), after };
}

const wantsHex = (args: Arguments): boolean => args.optionalRecord('format')?.flag('hex') ?? false;

function evaluate(session: Session, args: Arguments): Answer<Result> {
  const expression = args.text('expression');
  const context = args.optionalText('context');
  const it = session.debugger;
  const vcpu = session.vcpuOfFrame(args);
  const text = expression.trim();
  const hex = wantsHex(args);
  if (context === 'repl') {
    if (text.startsWith('.')) return { body: { result: runCommand(it, text), variablesReference: 0 } };
    const [, left, right] = ASSIGNMENT.exec(text) ?? [];
    if (left !== undefined && right !== undefined) return set(session, vcpu, left.trim(), right.trim(), hex);
  }
  return { body: context === 'hover' ? hovered(session, vcpu, labelIn(session, args, text), hex) : result(session, vcpu, text, hex) };
}

/** What is under the mouse, if it is a label: where it is defined it has a colon, and a local one belongs to the label above that line. */
function labelIn(session: Session, args: Arguments, text: string): string {
  const word = text.replace(/:$/, '');
  const line = args.optionalInteger('line', { min: session.client.firstLine });
  const source = args.optionalRecord('source');
  if (!word.startsWith('.') || line === undefined || source === undefined || referenceOf(source) > 0) return word;
  const { program } = session.debugger;
  const code = program.lineAddress(source.text('path'), session.client.ourLine(line));
  return `${(code && program.labelAt(code.linear)?.name) ?? ''}${word}`;
}

/** The local APIC register whose offset a symbol of the program is: `ICR_LO equ 0x300`. */
function registerMeant(session: Session, vcpu: number, name: string): Result | undefined {
  const register = lapicRegister(name);
  const { program, running } = session.debugger;
  if (running || register === undefined || program.symbol(name) !== register.offset || register.access === 'wo') return undefined;
  return result(session, vcpu, `lapic.${register.name.toLowerCase()}`, false);
}

function hovered(session: Session, vcpu: number, text: string, hex: boolean): Result {
  const shown = result(session, vcpu, text, hex);
  const { tree } = parse(text);
  const register = tree.kind === 'name' && tree.path.length === 1 ? registerMeant(session, vcpu, tree.path[0] ?? '') : undefined;
  if (register !== undefined) return { ...register, result: `${shown.result}: ${register.result}` };
  // Of a number that stands there already, the other base is worth a look.
  if (tree.kind !== 'constant' || typeof tree.value !== 'number' || tree.value < 10) return shown;
  return { ...shown, result: `${formatValue(tree.value)} = ${tree.value}` };
}

export const evaluateHandlers: Handlers = {
  evaluate,
  setExpression: (session, args) => {
    const vcpu = session.vcpuOfFrame(args);
    const expression = args.text('expression').trim();
    const { body, after } = set(session, vcpu, expression, args.text('value'), wantsHex(args));
    const { result: value, ...rest } = body;
    return { body: { value, ...rest } satisfies DebugProtocol.SetExpressionResponse['body'], after };
  },
  completions,
};
