/**
 * The grammar of breakpoints, the same for `--break` and for function breakpoints of an editor.
 *
 *     exit:<CODE|group>                     exit:INST_EMUL, exit:fatal (groups: mmio pio msr idle state fatal *); MMIO in capitals is the code
 *     ipi:<mode|*>[->vcpu][=verdict]        ipi:SIPI->1=refused, ipi:*=notSent, ipi:FIXED=softwareDisabled (a reason does as well), ipi:*=nobody
 *     lapic[@vcpu].<register>[.<field>][:r|w|rw]   lapic.icr_lo:w, lapic@2.svr; with a field, `value` in the condition is that field
 *     ioapic.<register>[.<field>][:r|w|rw]  ioapic.redtbl[2]:w (either half), ioapic.redtbl:w (any entry), ioapic.ioregsel
 *     msr:<number|name>[:r|w|rw]            msr:0x1B:w, msr:efer
 *     io:<port>[+length][:r|w|rw]           io:0x80, io:0x3F8+8:w
 *     vector:<number|exception>             an interrupt or exception is delivered through this vector: vector:30h, vector:GP
 *     <seg>:<off> | <linear> | file.asm:line | symbol     an instruction; FFFFF073 (5 to 8 digits), FFFFF073h and 0xFFFFF073 are the same
 *
 * Each may be followed by ` if <expression>` and by ` hits <n>`, ` hits >5`, ` hits %10` (every tenth).
 *
 * What an editor sets in other ways (filters, the exits view) becomes triggers that have no text of their own here.
 */
import { baseName } from './code/file-names.ts';
import type { EventKind } from '../machine/ledger/records.ts';
import type { Verdict } from '../machine/ledger/verdict.ts';
import { Reason, Verdict as VERDICTS } from '../machine/ledger/verdict.ts';
import { ExitCode } from '../machine/ledger/exitcode.ts';
import { exitCodeNamed } from '../machine/ledger/words.ts';
import { hex } from '../machine/base/bits.ts';
import { type ApicField, type ApicRegister, apicRegisterAt } from '../machine/x86/apic.ts';
import { EXCEPTION_MNEMONICS, exceptionNamed } from '../machine/x86/exceptions.ts';
import { IOAPIC_MAX_ENTRIES, type IoapicRegister } from '../machine/x86/ioapic.ts';
import { EXIT_GROUPS, MODES } from './constants.ts';
import { type Expression, parseExpression } from './expression.ts';
import { ExpressionError, parseNumber } from './lexer.ts';
import { didYouMean, suggest } from './nearest.ts';
import {
  fieldWord,
  IOAPIC_NAMES,
  type IoapicField,
  ioapicField,
  ioapicFieldWords,
  ioapicRegister,
  LAPIC_NAMES,
  lapicField,
  lapicRegister,
  MSR_NAMES,
} from './registers.ts';

/** What is wrong with a breakpoint: one sentence that names the part. */
export class BreakpointError extends Error {
  override readonly name = 'BreakpointError';
}

export interface Access {
  readonly read: boolean;
  readonly write: boolean;
}

/** What a breakpoint waits for. */
export type Trigger =
  | { readonly kind: 'exit'; readonly codes: ReadonlySet<number>; readonly fatal: boolean }
  | {
      readonly kind: 'ipi';
      readonly mode: number | undefined;
      readonly target: number | undefined;
      readonly verdict: Verdict | undefined;
      readonly reason: number | undefined;
      /** Only an IPI that addresses no vCPU at all. */
      readonly nobody?: true;
    }
  | {
      readonly kind: 'lapic';
      readonly vcpu: number | undefined;
      readonly register: ApicRegister;
      readonly field: ApicField | undefined;
      readonly access: Access;
    }
  | {
      readonly kind: 'ioapic';
      readonly register: IoapicRegister;
      /** REDTBL: of one entry only. */
      readonly entry: number | undefined;
      readonly field: IoapicField | undefined;
      readonly access: Access;
    }
  | { readonly kind: 'msr'; readonly msr: number; readonly access: Access }
  | { readonly kind: 'io'; readonly port: number; readonly length: number; readonly access: Access }
  | { readonly kind: 'vector'; readonly vector: number }
  /** Linear addresses of an instruction: more than one where the segment's base is not known beforehand. */
  | {
      readonly kind: 'instruction';
      readonly linear: readonly number[];
      /** It was named by a line or a symbol: meant wherever the guest has that code, copies of its ROM included. */
      readonly named?: true;
    }
  /** An IPI that somebody whom it addresses does not get, or that addresses nobody although it names a destination. */
  | { readonly kind: 'lostIpi' }
  /** Events of these kinds. */
  | { readonly kind: 'event'; readonly kinds: readonly EventKind[] }
  /** An application processor was started, and is at its first instruction. */
  | { readonly kind: 'apEntry' }
  /** The machine has ended: in grief, or because nothing can happen any more. */
  | { readonly kind: 'end'; readonly which: 'fatal' | 'stuck' };

export interface Hits {
  readonly operator: '==' | '>' | '>=' | '<' | '<=' | '%';
  readonly count: number;
}

export interface Breakpoint {
  /** As it was written. */
  readonly text: string;
  readonly trigger: Trigger;
  readonly condition: Expression | undefined;
  readonly hits: Hits | undefined;
}

/** What of the program a breakpoint may name. */
export interface Program {
  readonly vcpuCount: number;
  /** Value of a symbol, or undefined. */
  symbol(name: string): number | undefined;
  /** Linear address of the first instruction at or after a line of a source file; undefined: no such file or no code from there on. */
  line?(file: string, line: number): number | undefined;
  symbols?(): Iterable<string>;
  /** The source file that `line` knows. */
  readonly file?: string | undefined;
}

const ACCESS: Readonly<Record<string, Access>> = {
  r: { read: true, write: false },
  w: { read: false, write: true },
  rw: { read: true, write: true },
};

const fail = (message: string): never => {
  throw new BreakpointError(message);
};

/** Splits a trailing `:r`, `:w`, `:rw` off; `usual` when there is none. */
function splitAccess(text: string, usual: keyof typeof ACCESS): [string, Access] {
  const colon = text.lastIndexOf(':');
  if (colon < 0) return [text, ACCESS[usual] as Access];
  const word = text.slice(colon + 1).toLowerCase();
  return [text.slice(0, colon), ACCESS[word] ?? fail(`"${text.slice(colon + 1)}" is no kind of access; write r, w or rw.`)];
}

/** @param example what would be right, for one who wrote a word instead of a number */
function numberIn(text: string, what: string, low: number, high: number, example: string): number {
  const value = parseNumber(text);
  if (value === undefined) {
    const hint = /^[0-9a-f]+$/i.test(text) ? ` Write 0x${text.toUpperCase()} for hexadecimal.` : ` Write for example ${example}.`;
    return fail(`"${text}" is not a number for ${what}.${hint}`);
  }
  if (value < low || value > high) fail(`${what} ${text} is out of range; ${low} to 0x${hex(high)} is possible.`);
  return value;
}

function vcpuIn(text: string, program: Program): number {
  const vcpu = /^[0-9]+$/.test(text) ? Number(text) : fail(`"${text}" is not a vCPU; write a number from 0 to ${program.vcpuCount - 1}.`);
  if (vcpu >= program.vcpuCount) fail(`There is no vCPU ${text}; 0 to ${program.vcpuCount - 1} are.`);
  return vcpu;
}

function exitTrigger(rest: string): Trigger {
  // MMIO in capitals is the code, as the ledger shows it.
  const group = Object.hasOwn(ExitCode, rest) ? undefined : EXIT_GROUPS.get(rest.toLowerCase());
  if (group) return { kind: 'exit', codes: new Set(group), fatal: rest.toLowerCase() === 'fatal' };
  const code =
    exitCodeNamed(rest) ??
    fail(
      `"${rest}" is no exit code or group.${suggest(rest, [...Object.keys(ExitCode), ...EXIT_GROUPS.keys()], { Groups: EXIT_GROUPS.keys(), Codes: Object.keys(ExitCode) })}`,
    );
  return { kind: 'exit', codes: new Set([code]), fatal: false };
}

const OLD_WORDS = new Set(['ignored', 'rejected', 'dropped', 'lost']);

function ipiTrigger(rest: string, program: Program): Trigger {
  const match = /^([^\s=>-]+(?:-(?!>)[^\s=>-]+)*)(?:->([^=]*))?(?:=(.*))?$/.exec(rest);
  if (!match) return fail(`"ipi:${rest}" should be ipi:MODE, ipi:MODE->vCPU, ipi:MODE=verdict or ipi:MODE->vCPU=verdict.`);
  const [, modeText, to, result] = match as unknown as [string, string, string | undefined, string | undefined];
  const mode = modeText === '*' ? undefined : MODES.get(modeText.toUpperCase());
  if (modeText !== '*' && mode === undefined)
    fail(`"${modeText}" is no delivery mode.${didYouMean(modeText, MODES.keys())} All are: ${[...MODES.keys()].join(', ')}, *.`);
  const target = to === undefined || to === '*' ? undefined : vcpuIn(to.replace(/^vcpu/i, ''), program);
  let verdict: Verdict | undefined;
  let reason: number | undefined;
  if (result !== undefined) {
    const word = result.toLowerCase().replace(/[\s_-]/g, '');
    if (word === 'nobody') {
      if (target !== undefined) fail(`"${to}" cannot be the target of an IPI to nobody; write ipi:${modeText}=nobody.`);
      return { kind: 'ipi', mode, target, verdict, reason, nobody: true };
    }
    const find = (table: Readonly<Record<string, number>>): number | undefined =>
      Object.entries(table).find(([name]) => name.toLowerCase() === word)?.[1];
    verdict = find(VERDICTS) as Verdict | undefined;
    if (verdict === undefined && word !== 'none') reason = find(Reason);
    if (OLD_WORDS.has(word)) fail(`"${result}" is no verdict. Did you mean refused?`);
    const verdicts = [...Object.keys(VERDICTS), 'nobody'];
    if (verdict === undefined && reason === undefined)
      fail(
        `"${result}" is no verdict or reason.${suggest(result, [...verdicts, ...Object.keys(Reason)], { Verdicts: verdicts, Reasons: Object.keys(Reason) })}`,
      );
  }
  return { kind: 'ipi', mode, target, verdict, reason };
}

function lapicTrigger(text: string, program: Program): Trigger {
  const match = /^lapic(?:@([^.[]*)|\[([^\]]*)\])?\.([^.:]*)(?:\.([^:]*))?(?::(.*))?$/i.exec(text);
  if (!match) return fail(`"${text}" should be lapic.register, lapic@vCPU.register.field or the like, with :r, :w or :rw.`);
  const [, at = match[2], , name = '', fieldName, access] = match;
  const register =
    lapicRegister(name.replace(/^(isr|tmr|irr)\[([0-7])\]$/i, '$1$2')) ??
    apicRegisterAt(parseNumber(name) ?? -1) ??
    fail(`There is no local APIC register "${name}".${suggest(name, LAPIC_NAMES, { Registers: LAPIC_NAMES })}`);
  const part = fieldName === undefined ? undefined : lapicField(register, fieldName);
  if (fieldName !== undefined && part === undefined) {
    const words = register.fields.filter((f) => f.name !== '').map(fieldWord);
    fail(`${register.name} has no field "${fieldName}".${didYouMean(fieldName, words)} It has: ${words.join(', ')}.`);
  }
  const usual = register.access === 'ro' ? 'r' : 'w';
  const how = ACCESS[(access ?? usual).toLowerCase()] ?? fail(`"${access}" is no kind of access; write r, w or rw.`);
  return { kind: 'lapic', vcpu: at === undefined ? undefined : vcpuIn(at, program), register, field: part, access: how };
}

function ioapicTrigger(text: string): Trigger {
  const match = /^ioapic\.([^.:[]*)(?:\[([^\]]*)\])?(?:\.([^:]*))?(?::(.*))?$/i.exec(text);
  if (!match) return fail(`"${text}" should be ioapic.register, ioapic.redtbl[2].field or the like, with :r, :w or :rw.`);
  const [, name, at, fieldName, access] = match as unknown as [string, string, string | undefined, string | undefined, string | undefined];
  const register =
    ioapicRegister(name) ?? fail(`There is no I/O APIC register "${name}".${suggest(name, IOAPIC_NAMES, { Registers: IOAPIC_NAMES })}`);
  if (at !== undefined && register.name !== 'REDTBL')
    fail(`${register.name} is one register; write ioapic.${register.name.toLowerCase()}.`);
  const entry = at === undefined ? undefined : numberIn(at, 'Redirection entry', 0, IOAPIC_MAX_ENTRIES - 1, 'ioapic.redtbl[2]');
  const part = fieldName === undefined ? undefined : ioapicField(register, fieldName);
  if (fieldName !== undefined && part === undefined) {
    const words = ioapicFieldWords(register);
    fail(`${register.name} has no field "${fieldName}".${didYouMean(fieldName, words)} It has: ${words.join(', ')}.`);
  }
  const usual = register.access === 'ro' ? 'r' : 'w';
  const how = ACCESS[(access ?? usual).toLowerCase()] ?? fail(`"${access}" is no kind of access; write r, w or rw.`);
  return { kind: 'ioapic', register, entry, field: part, access: how };
}

function ioTrigger(rest: string): Trigger {
  const [range, access] = splitAccess(rest, 'rw');
  const [port, length] = range.split('+') as [string, string?];
  const first = numberIn(port, 'Port', 0, 0xffff, 'io:0x3F8+8 (COM1) or io:0x80');
  const count = length === undefined ? 1 : numberIn(length, 'Length', 1, 0x10000 - first, 'io:0x3F8+8');
  return { kind: 'io', port: first, length: count, access };
}

function msrTrigger(rest: string): Trigger {
  const [name, access] = splitAccess(rest, 'rw');
  const known = MSR_NAMES.get(name.toLowerCase().replace(/^(ia32|msr)_/, ''));
  if (known === undefined && !/^[0-9]/.test(name))
    fail(`There is no MSR "${name}".${suggest(name, MSR_NAMES.keys(), { Names: MSR_NAMES.keys() })} A number does as well: msr:0x1B.`);
  return { kind: 'msr', msr: known ?? numberIn(name, 'MSR', 0, 0xffffffff, 'msr:0x1B'), access };
}

function vectorTrigger(rest: string): Trigger {
  const example = `vector:0x30, or an exception: ${EXCEPTION_MNEMONICS.join(', ')}`;
  return { kind: 'vector', vector: exceptionNamed(rest) ?? numberIn(rest, 'Vector', 0, 255, example) };
}

function instructionTrigger(text: string, program: Program): Trigger {
  const segmented = /^([0-9a-f]{1,4}):([0-9a-f]{1,8})$/i.exec(text);
  if (segmented) {
    const [segment, offset] = [Number.parseInt(segmented[1] as string, 16), Number.parseInt(segmented[2] as string, 16)];
    // Until the first far jump after reset, selector F000h has base FFFF0000h.
    const bases = segment === 0xf000 ? [0xf0000, 0xffff0000] : [segment * 16];
    return { kind: 'instruction', linear: bases.map((base) => (base + offset) >>> 0) };
  }
  const line = /^(.+):([0-9]+)$/.exec(text);
  if (line) {
    const [, file, number] = line as unknown as [string, string, string];
    if (program.line === undefined) return fail(`"${text}": lines are known only when the input is a .asm file.`);
    const linear =
      program.line(file, Number(number)) ??
      fail(
        program.file === undefined || baseName(program.file) === baseName(file)
          ? `"${text}": there is no code at or after line ${number} of ${file}.`
          : `"${text}": there is no source file ${file}; ${baseName(program.file)} is the source.`,
      );
    return { kind: 'instruction', linear: [linear], named: true };
  }
  const symbol = program.symbol(text);
  if (symbol !== undefined) return { kind: 'instruction', linear: [symbol >>> 0], named: true };
  // As addresses are shown everywhere: hexadecimal, with or without the h.
  const address = /^(?:([0-9a-f]{5,8})|([0-9a-f]{1,8})h)$/i.exec(text);
  if (address) return { kind: 'instruction', linear: [Number.parseInt(address[1] ?? (address[2] as string), 16)] };
  if (/^[0-9]/.test(text))
    return { kind: 'instruction', linear: [numberIn(text, 'Address', 0, 0xffffffff, 'FFFFFFF0, FFFFFFF0h or 0xFFFFFFF0')] };
  const kinds = ['exit:', 'ipi:', 'lapic.', 'ioapic.', 'msr:', 'io:', 'vector:'];
  const near = didYouMean(text, [...(program.symbols?.() ?? []), ...kinds]);
  return fail(`"${text}" is no breakpoint: neither ${kinds.join(', ')} nor an address, a line or a symbol.${near}`);
}

function trigger(text: string, program: Program): Trigger {
  if (/^lapic(?:$|[.@:[])/i.test(text)) return lapicTrigger(text, program);
  if (/^ioapic(?:$|[.@:[])/i.test(text)) return ioapicTrigger(text);
  const match = /^([a-z]+):(.*)$/i.exec(text);
  const rest = match?.[2]?.trim() ?? '';
  switch (match?.[1]?.toLowerCase()) {
    case 'exit':
      return exitTrigger(rest);
    case 'ipi':
      return ipiTrigger(rest, program);
    case 'io':
      return ioTrigger(rest);
    case 'msr':
      return msrTrigger(rest);
    case 'vector':
      return vectorTrigger(rest);
    case 'mem':
      return fail(
        'mem: is not possible: this machine does not watch RAM. Watch a device with lapic., io: or exit:MMIO_EMUL, or an instruction by its address.',
      );
    default:
      return instructionTrigger(text, program);
  }
}

/** `3` (only the third time), `>5`, `>=2`, `%10`. Throws a BreakpointError. `alone`: it stands in a field of its own, not after `hits`. */
export function parseHits(text: string, alone = false): Hits {
  const match = /^(==|>=|<=|>|<|=|%)?\s*([0-9]+)$/.exec(text.trim());
  const count = Number(match?.[2] ?? 0);
  if (!match || count < 1 || !Number.isSafeInteger(count))
    return fail(
      alone ? `Hit count "${text.trim()}" should be 3, >5 or %10.` : `"hits ${text.trim()}" should be hits 3, hits >5 or hits %10.`,
    );
  const operator = match[1] === undefined || match[1] === '=' ? '==' : (match[1] as Hits['operator']);
  return { operator, count };
}

/** Parses a breakpoint. Throws a BreakpointError with one sentence that names what is wrong and what would be right. */
export function parseBreakpoint(text: string, program: Program): Breakpoint {
  let spec = text.trim();
  if (spec === '') fail('A breakpoint is empty; write for example exit:HLT or ipi:*=refused.');
  let hits: Hits | undefined;
  const counted = /\s+hits\s+((?:==|>=|<=|>|<|=|%)?\s*\S+)\s*$/i.exec(spec);
  if (counted) {
    hits = parseHits(counted[1] as string);
    spec = spec.slice(0, counted.index);
  }
  let condition: Expression | undefined;
  const conditional = /\s+if\s+/i.exec(spec);
  if (conditional) {
    const start = conditional.index + conditional[0].length;
    try {
      condition = parseExpression(spec.slice(start));
    } catch (error) {
      if (error instanceof ExpressionError) fail(`In the condition of "${text.trim()}", column ${start + error.column}: ${error.message}`);
      throw error;
    }
    spec = spec.slice(0, conditional.index);
  } else if (/\s+if$/i.test(spec)) fail(`"${text.trim()}": the condition after "if" is missing.`);
  return { text: text.trim(), trigger: trigger(spec.trim(), program), condition, hits };
}
