/** A value as it is shown where nobody asked for a format: a register with 8 hexadecimal digits, a count as it is counted, a code by its name. */
import { hex } from '../machine/base/bits.ts';
import { exitCodeName, reasonName, verdictName } from '../machine/ledger/words.ts';
import { modeName } from '../machine/x86/icr.ts';
import { time } from './explain.ts';
import type { Value } from './evaluate.ts';
import type { Expression } from './expression.ts';
import { FLAGS, ioapicField, ioapicRegister, lapicField, lapicRegister } from './registers.ts';
import type { ApicField } from '../machine/x86/apic.ts';
import type { DeliveryMode } from '../machine/x86/apic.ts';

type Shown = (value: number) => string;
const decimal: Shown = String;
const byte: Shown = (value) => `${hex(value, 2)}h`;
const word32: Shown = (value) => `${hex(value, 8)}h`;

/** Names whose values are not plain numbers, without their index. */
const NAMED: Readonly<Record<string, Shown>> = {
  'exit.code': exitCodeName,
  'exit.final': exitCodeName,
  exit: exitCodeName,
  'exit.time': time,
  'exit.address': word32,
  'exit.gpa': word32,
  'exit.eip': word32,
  'exit.value': word32,
  'exit.value_high': word32,
  'exit.port': byte,
  'exit.msr': (value) => `${hex(value)}h`,
  'ipi.mode': (value) => modeName(value as DeliveryMode),
  'ipi.vector': byte,
  'ipi.dest': byte,
  'ipi.icr_lo': word32,
  'ipi.icr_hi': word32,
  'ipi.detail': word32,
  'ipi.time': time,
  'ipi.verdict': (value) => verdictName(value as never),
  'ipi.reason': (value) => reasonName(value as never),
  vector: byte,
  time,
  value: word32,
};

const DECIMAL =
  /^(?:v?cpu|cpl|vcpus|icount|exit\.(?:number|vcpu|size|write|ipi|outcome|request)|ipi(?:\.(?:number|exit|vcpu|target|shorthand|logical|assert|level))?)$/;

/** Processor registers of other than 32 bits. */
const BYTES = /^[abcd][lh]$/;
const WORDS = /^(?:[abcd]x|[sb]p|[sd]i|[c-gs]s|ldtr|tr)$/;

const fieldOf = (field: ApicField | undefined): Shown | undefined =>
  field &&
  ((value) =>
    field.words?.[value] ?? (field.high === field.low ? String(value) : `${hex(value, Math.ceil((field.high - field.low + 1) / 4))}h`));

/** How the value of a name is shown; undefined for a name that says nothing about it. */
function shownAs(path: readonly string[]): Shown | undefined {
  const name = path.join('.').toLowerCase();
  const known = NAMED[name];
  if (known) return known;
  if (DECIMAL.test(name) || FLAGS.has(name)) return decimal;
  const register = name.replace(/^v?cpu\./, '');
  if (BYTES.test(register)) return byte;
  if (WORDS.test(register)) return (value) => `${hex(value, 4)}h`;
  const [first, second, third] = path as [string, string?, string?];
  if (second !== undefined && /^lapic$/i.test(first)) {
    const found = lapicRegister(second);
    return found === undefined || third === undefined ? word32 : fieldOf(lapicField(found, third));
  }
  if (second !== undefined && /^ioapic$/i.test(first)) {
    const found = ioapicRegister(second);
    return found === undefined || third === undefined ? word32 : fieldOf(ioapicField(found, third)?.field);
  }
  return undefined;
}

/** A value in words. `tree`: the expression that gave it. */
export function formatValue(value: Value, tree?: Expression): string {
  if (typeof value === 'string') return value;
  if (tree?.kind === 'name') {
    const shown = shownAs(tree.path);
    if (shown) return shown(value);
    return value < 0 ? String(value) : word32(value);
  }
  if (tree?.kind === 'memory') return `${hex(value, 2 * tree.size)}h`;
  if (tree?.kind === 'unary' && tree.operator === '!') return decimal(value);
  if (tree?.kind === 'in' || (tree?.kind === 'binary' && /^(?:&&|\|\||[<>]=?|[!=]=)$/.test(tree.operator))) return decimal(value);
  return value < 0 || value < 10 ? String(value) : `${hex(value)}h`;
}
