/**
 * The grammar of breakpoints, the same for `--break` and for function breakpoints of an editor.
 *
 *     exit:<CODE|group>                     exit:INST_EMUL, exit:fatal (groups: mmio pio msr idle state fatal *)
 *     ipi:<mode|*>[->vcpu][=verdict]        ipi:SIPI->1=refused, ipi:*=notSent, ipi:FIXED=softwareDisabled (a reason does as well), ipi:*=nobody
 *     lapic[@vcpu].<register>[.<field>][:r|w|rw]   lapic.icr_lo:w, lapic@2.svr; with a field, `value` in the condition is that field
 *     msr:<number|name>[:r|w|rw]            msr:0x1B:w, msr:efer
 *     io:<port>[+length][:r|w|rw]           io:0x80, io:0x3F8+8:w
 *     vector:<number|exception>             an interrupt or exception is delivered through this vector: vector:30h, vector:GP
 *     <seg>:<off> | <linear> | file.asm:line | symbol     an instruction; FFFFF073 (5 to 8 digits), FFFFF073h and 0xFFFFF073 are the same
 *
 * Each may be followed by ` if <expression>` and by ` hits <n>`, ` hits >5`, ` hits %10` (every tenth).
 */
import type { Verdict } from '../machine/ledger/verdict.ts';
import { Reason, Verdict as VERDICTS } from '../machine/ledger/verdict.ts';
import { ExitCode } from '../machine/ledger/exitcode.ts';
import { exitCodeNamed } from '../machine/ledger/words.ts';
import { hex } from '../machine/base/bits.ts';
import { type ApicField, type ApicRegister, apicRegisterAt } from '../machine/x86/apic.ts';
import { EXIT_GROUPS, MODES } from './constants.ts';
import { type Expression, parseExpression } from './expression.ts';
import { ExpressionError, parseNumber } from './lexer.ts';
import { didYouMean, suggest } from './nearest.ts';
import { fieldWord, LAPIC_NAMES, lapicField, lapicRegister, MSR_NAMES } from './registers.ts';

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
  | { readonly kind: 'msr'; readonly msr: number; readonly access: Access }
  | { readonly kind: 'io'; readonly port: number; readonly length: number; readonly access: Access }
  | { readonly kind: 'vector'; readonly vector: number }
  /** Linear addresses of an instruction: more than one where the segment's base is not known beforehand. */
  | { readonly kind: 'instruction'; readonly linear: readonly number[] };

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

/** A path's last part. */
const baseName = (path: string): string => path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);

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
  const group = EXIT_GROUPS.get(rest.toLowerCase());
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
  const match = /^lapic(?:@([^.]*))?\.([^.:]*)(?:\.([^:]*))?(?::(.*))?$/i.exec(text);
  if (!match) return fail(`"${text}" should be lapic.register, lapic@vCPU.register.field or the like, with :r, :w or :rw.`);
  const [, at, name, fieldName, access] = match as unknown as [string, string | undefined, string, string | undefined, string | undefined];
  const register =
    lapicRegister(name) ??
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

/** Exceptions by the SDM's mnemonics ("Protected-Mode Exceptions and Interrupts"). */
const EXCEPTIONS: ReadonlyMap<string, number> = new Map(
  ['DE', 'DB', 'NMI', 'BP', 'OF', 'BR', 'UD', 'NM', 'DF', '', 'TS', 'NP', 'SS', 'GP', 'PF', '', 'MF', 'AC', 'MC', 'XM'].flatMap(
    (name, vector) => (name === '' ? [] : [[name, vector] as const]),
  ),
);

function vectorTrigger(rest: string): Trigger {
  const exception = EXCEPTIONS.get(rest.toUpperCase().replace(/^#/, ''));
  const example = `vector:0x30, or an exception: ${[...EXCEPTIONS.keys()].join(', ')}`;
  return { kind: 'vector', vector: exception ?? numberIn(rest, 'Vector', 0, 255, example) };
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
    return { kind: 'instruction', linear: [linear] };
  }
  const symbol = program.symbol(text);
  if (symbol !== undefined) return { kind: 'instruction', linear: [symbol >>> 0] };
  // As addresses are shown everywhere: hexadecimal, with or without the h.
  const address = /^(?:([0-9a-f]{5,8})|([0-9a-f]{1,8})h)$/i.exec(text);
  if (address) return { kind: 'instruction', linear: [Number.parseInt(address[1] ?? (address[2] as string), 16)] };
  if (/^[0-9]/.test(text))
    return { kind: 'instruction', linear: [numberIn(text, 'Address', 0, 0xffffffff, 'FFFFFFF0, FFFFFFF0h or 0xFFFFFFF0')] };
  const kinds = ['exit:', 'ipi:', 'lapic.', 'msr:', 'io:', 'vector:'];
  const near = didYouMean(text, [...(program.symbols?.() ?? []), ...kinds]);
  return fail(`"${text}" is no breakpoint: neither ${kinds.join(', ')} nor an address, a line or a symbol.${near}`);
}

function trigger(text: string, program: Program): Trigger {
  if (/^lapic(?:$|[.@:[])/i.test(text)) return lapicTrigger(text, program);
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

function hitsOf(text: string): Hits {
  const match = /^(==|>=|<=|>|<|=|%)?\s*([0-9]+)$/.exec(text.trim());
  const count = Number(match?.[2] ?? 0);
  if (!match || count < 1) return fail(`"hits ${text.trim()}" should be hits 3, hits >5 or hits %10.`);
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
    hits = hitsOf(counted[1] as string);
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
