/** What can be watched (data breakpoints): device registers, by name and by address. */
import { hex } from '../machine/base/bits.ts';
import { APIC_BASE_ADDRESS, APIC_PAGE_SIZE, apicRegisterAt } from '../machine/x86/apic.ts';
import { IOAPIC_BASE_ADDRESS, IOAPIC_PAGE_SIZE, IOAPIC_REGISTERS, type IoapicRegister } from '../machine/x86/ioapic.ts';
import { BreakpointError, parseBreakpoint, type Program, type Trigger } from './breakpoint.ts';
import { CONSTANTS } from './constants.ts';
import { DebuggerError } from './error.ts';
import { evaluate, type Scope } from './evaluate.ts';
import { msrName } from './explain.ts';
import { type Expression, parseExpression } from './expression.ts';
import { ExpressionError } from './lexer.ts';
import { didYouMean } from './nearest.ts';
import { FLAGS, fieldWord, IOAPIC_NAMES, LAPIC_NAMES, PROCESSOR_REGISTERS } from './registers.ts';

export type DataAccess = 'read' | 'write' | 'readWrite';

/** What can be watched, for dataBreakpointInfo. */
export interface Watchable {
  /** In the grammar of breakpoint.ts, without access: `lapic@1.icr_lo`, `ioapic.redtbl[2]`. */
  readonly dataId: string;
  /** `vCPU1 ICR_LO`, `FEE00304h: part of ICR_LO, of every vCPU`. */
  readonly description: string;
  readonly access: readonly DataAccess[];
}

const ACCESSES: Readonly<Record<'rw' | 'ro' | 'wo', readonly DataAccess[]>> = {
  rw: ['write', 'read', 'readWrite'],
  ro: ['read'],
  wo: ['write'],
};

const ONLY_DEVICES = 'only device registers can be watched: of the local APIC and the I/O APIC, MSRs (msr:0x1B) and ports (io:0x80)';

const fail = (message: string): never => {
  throw new DebuggerError(message);
};

const ioapicName = (register: IoapicRegister, entry: number | undefined): string =>
  `${register.name}${register.name === 'REDTBL' && entry !== undefined ? `[${entry}]` : ''}`;

/** What a trigger on a device register watches; undefined for another kind. */
export function watchableOf(t: Trigger): Watchable | undefined {
  switch (t.kind) {
    case 'lapic': {
      const { register, vcpu, field } = t;
      const at = vcpu === undefined ? '' : `@${vcpu}`;
      const name = `${register.name}${field === undefined ? '' : ` ${field.name}`}`;
      return {
        dataId: `lapic${at}.${register.name.toLowerCase()}${field === undefined ? '' : `.${fieldWord(field)}`}`,
        description: vcpu === undefined ? `${name} of every vCPU` : `vCPU${vcpu} ${name}`,
        access: ACCESSES[register.access],
      };
    }
    case 'ioapic': {
      const { register, entry, field } = t;
      const name = ioapicName(register, entry);
      return {
        dataId: `ioapic.${name.toLowerCase()}${field === undefined ? '' : `.${fieldWord(field.field)}`}`,
        description: `I/O APIC ${register.name === 'REDTBL' && entry === undefined ? 'redirection table' : name}${field === undefined ? '' : ` ${field.field.name}`}`,
        access: ACCESSES[register.access],
      };
    }
    case 'msr':
      return { dataId: `msr:0x${hex(t.msr)}`, description: `MSR ${msrName(t.msr)}`, access: ACCESSES.rw };
    case 'io': {
      const { port, length } = t;
      return {
        dataId: `io:0x${hex(port)}${length === 1 ? '' : `+${length}`}`,
        description: length === 1 ? `port ${hex(port, 2)}h` : `ports ${hex(port, 2)}h to ${hex(port + length - 1, 2)}h`,
        access: ACCESSES.rw,
      };
    }
    default:
      return undefined;
  }
}

/** Only numbers and operators on them. */
const CONSTANT_SCOPE: Scope = {
  lookup: () => undefined,
  memory: () => undefined,
  symbol: () => undefined,
  names: () => [],
};

function constant(tree: Expression): number | undefined {
  try {
    const value = evaluate(tree, CONSTANT_SCOPE);
    return typeof value === 'number' ? value : undefined;
  } catch (error) {
    if (error instanceof ExpressionError) return undefined;
    throw error;
  }
}

/** What is named by an expression that can be watched. Throws a DebuggerError that says why it cannot be. */
export function watchable(expression: string, program: Program): Watchable {
  const text = expression.trim();
  if (/^(?:(?:l|io)apic[.@[]|io:|msr:)/i.test(text)) {
    try {
      const found = watchableOf(parseBreakpoint(text, program).trigger);
      if (found) return found;
    } catch (error) {
      if (error instanceof BreakpointError) throw new DebuggerError(error.message);
      throw error;
    }
  }
  let tree: Expression;
  try {
    tree = parseExpression(text);
  } catch (error) {
    if (error instanceof ExpressionError) return fail(`"${text}" cannot be watched: ${error.message}`);
    throw error;
  }
  if (tree.kind === 'memory') {
    const address = constant(tree.address);
    return address === undefined ? fail(`${text} is memory; ${ONLY_DEVICES}.`) : watchableAt(address, tree.size);
  }
  if (tree.kind === 'name') {
    const word = tree.path.join('.').toLowerCase();
    if (tree.path.length === 1 && (FLAGS.has(word) || word === 'flags')) return fail(`${text} is a processor flag; ${ONLY_DEVICES}.`);
    if (PROCESSOR_REGISTERS.includes(word.replace(/^v?cpu\./, ''))) return fail(`${text} is a processor register; ${ONLY_DEVICES}.`);
    if (program.symbol(text) !== undefined) return fail(`${text} is memory; ${ONLY_DEVICES}.`);
    const names = [...LAPIC_NAMES.map((name) => `lapic.${name}`), ...IOAPIC_NAMES.map((name) => `ioapic.${name}`)];
    const bare = LAPIC_NAMES.includes(word) ? ` Did you mean lapic.${word}?` : didYouMean(text, names);
    if (!CONSTANTS.has(word)) return fail(`${text} cannot be watched; ${ONLY_DEVICES}.${bare}`);
  }
  const address = constant(tree);
  return address === undefined || (tree.kind === 'name' && CONSTANTS.has(tree.path.join().toLowerCase()))
    ? fail(`${text} is a value, and not a place; ${ONLY_DEVICES}.`)
    : watchableAt(address, 4);
}

const range = (address: number, bytes: number): string =>
  bytes === 1 ? `${hex(address, 8)}h` : `${hex(address, 8)}h to ${hex(address + bytes - 1, 8)}h`;

/** The same for a guest-physical address. Throws a DebuggerError that says why it cannot be watched. */
export function watchableAt(address: number, bytes: number): Watchable {
  if (!Number.isSafeInteger(address) || address < 0 || address > 0xffffffff)
    fail(`${address} is no guest-physical address; 0 to FFFFFFFFh are.`);
  if (!Number.isSafeInteger(bytes) || bytes < 1 || bytes > 0x1000) fail(`${bytes} bytes cannot be watched; 1 to 4096 can.`);
  const inPage = (base: number, size: number): boolean => address >= base && address < base + size;
  const part = address & 0xf ? 'part of ' : '';
  if (inPage(APIC_BASE_ADDRESS, APIC_PAGE_SIZE)) {
    const offset = address - APIC_BASE_ADDRESS;
    const register = apicRegisterAt(offset & ~0xf);
    if (register === undefined)
      return fail(`${hex(address, 8)}h lies in the local APIC's page, but offset ${hex(offset, 3)}h is no register.`);
    const others = oneRegister(address, bytes, (at) => apicRegisterAt(at - APIC_BASE_ADDRESS)?.name);
    if (others !== '') fail(`${range(address, bytes)} covers several registers: ${others}; watch one at a time.`);
    return {
      dataId: `lapic.${register.name.toLowerCase()}`,
      description: `${hex(address, 8)}h: ${part}${register.name}, of every vCPU`,
      access: ACCESSES[register.access],
    };
  }
  if (inPage(IOAPIC_BASE_ADDRESS, IOAPIC_PAGE_SIZE)) {
    const direct = (at: number): IoapicRegister | undefined =>
      IOAPIC_REGISTERS.find(({ index, offset }) => index === undefined && offset === at - IOAPIC_BASE_ADDRESS);
    const register = direct(address & ~0xf ? (address & ~0xf) >>> 0 : address);
    if (register === undefined)
      return fail(`${hex(address, 8)}h lies in the I/O APIC's page, but offset ${hex(address - IOAPIC_BASE_ADDRESS, 3)}h is no register.`);
    const others = oneRegister(address, bytes, (at) => direct(at)?.name);
    if (others !== '') fail(`${range(address, bytes)} covers several registers: ${others}; watch one at a time.`);
    const whole =
      register.name === 'IOWIN' ? 'IOWIN of the I/O APIC, whichever register IOREGSEL names' : `${register.name} of the I/O APIC`;
    return {
      dataId: `ioapic.${register.name.toLowerCase()}`,
      description: `${hex(address, 8)}h: ${part}${whole}`,
      access: ACCESSES[register.access],
    };
  }
  return fail(`${range(address, bytes)} is no device's register; ${ONLY_DEVICES}.`);
}

/** '' when all bytes lie in one register's 16; else the names of the registers there. */
function oneRegister(address: number, bytes: number, nameAt: (address: number) => string | undefined): string {
  const names = new Set<string>();
  for (let at = (address & ~0xf) >>> 0; at < address + bytes; at += 16) {
    const name = nameAt(at);
    if (name !== undefined) names.add(name);
  }
  return names.size > 1 ? [...names].join(', ') : '';
}
