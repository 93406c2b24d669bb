/** Names under which expressions and breakpoints know processor and local APIC registers. */
import { registerNames } from '../machine/cpu/register-names.ts';
import { APIC_REGISTERS, type ApicField, type ApicRegister, apicRegisterNamed } from '../machine/x86/apic.ts';
import { IOAPIC_REGISTERS, type IoapicRegister, ioapicRegisterNamed } from '../machine/x86/ioapic.ts';

/** Processor registers, as `Processor.register` names them. */
export const PROCESSOR_REGISTERS: readonly string[] = registerNames;

/** Bits of EFLAGS by name: [lowest bit, number of bits]. */
export const FLAGS: ReadonlyMap<string, readonly [number, number]> = new Map([
  ['cf', [0, 1]],
  ['pf', [2, 1]],
  ['af', [4, 1]],
  ['zf', [6, 1]],
  ['sf', [7, 1]],
  ['tf', [8, 1]],
  ['if', [9, 1]],
  ['df', [10, 1]],
  ['of', [11, 1]],
  ['iopl', [12, 2]],
  ['nt', [14, 1]],
  ['rf', [16, 1]],
  ['vm', [17, 1]],
  ['ac', [18, 1]],
]);

/** Shorter names that firmware authors use. */
const REGISTER_ALIASES: Readonly<Record<string, string>> = {
  ver: 'version',
  icr: 'icr_lo',
  icr_low: 'icr_lo',
  icr_high: 'icr_hi',
  lvt_lint0: 'lint0',
  lvt_lint1: 'lint1',
  timer: 'lvt_timer',
  error: 'lvt_error',
  icr_timer: 'ticr',
  ccr: 'tccr',
  dcr: 'tdcr',
  dcr_timer: 'tdcr',
  ccr_timer: 'tccr',
};
const FIELD_ALIASES: Readonly<Record<string, string>> = {
  mode: 'delivery_mode',
  shorthand: 'destination_shorthand',
  logical: 'destination_mode',
  dest_mode: 'destination_mode',
  enable: 'software_enable',
  enabled: 'software_enable',
  id: 'apic_id',
  dest: 'destination',
  status: 'delivery_status',
  masked: 'mask',
};

/** The local APIC register of that name (any case, aliases allowed), or undefined. */
export const lapicRegister = (name: string): ApicRegister | undefined => apicRegisterNamed(REGISTER_ALIASES[name.toLowerCase()] ?? name);

/** A field's name as one word: `delivery mode` is delivery_mode. */
export const fieldWord = (field: ApicField): string => field.name.toLowerCase().replace(/[^a-z0-9]+/g, '_');

/** The field of that name in a register, or undefined. `mode` of a register without a delivery mode is its own mode. */
export function lapicField(register: ApicRegister, name: string): ApicField | undefined {
  const word = name.toLowerCase();
  const named = (w: string | undefined): ApicField | undefined => register.fields.find((f) => f.name !== '' && fieldWord(f) === w);
  return (
    named(word) ??
    named(FIELD_ALIASES[word]) ??
    (word === 'id' ? named('logical_id') : word === 'vector' ? named('spurious_vector') : undefined)
  );
}

/** Names of all local APIC registers, lower case. */
export const LAPIC_NAMES: readonly string[] = APIC_REGISTERS.map((r) => r.name.toLowerCase());

/** Shorter and longer names of the I/O APIC's registers. */
const IOAPIC_ALIASES: Readonly<Record<string, string>> = {
  version: 'ver',
  redir: 'redtbl',
  rte: 'redtbl',
  select: 'ioregsel',
  index: 'ioregsel',
  regsel: 'ioregsel',
  data: 'iowin',
  window: 'iowin',
  win: 'iowin',
};

/** The I/O APIC register of that name (any case, aliases allowed), or undefined. */
export const ioapicRegister = (name: string): IoapicRegister | undefined => ioapicRegisterNamed(IOAPIC_ALIASES[name.toLowerCase()] ?? name);

/** A field of an I/O APIC register, and in which half of a redirection entry it lies. */
export interface IoapicField {
  readonly field: ApicField;
  readonly half: 'low' | 'high';
}

/** The field of that name. `low` and `high` are the halves of a redirection entry. */
export function ioapicField(register: IoapicRegister, name: string): IoapicField | undefined {
  const word = name.toLowerCase();
  for (const half of ['low', 'high'] as const) {
    const fields = half === 'low' ? register.fields : (register.highFields ?? []);
    if (register.highFields !== undefined && (word === half || word === half.slice(0, 2)))
      return { field: { high: 31, low: 0, name: half }, half };
    for (const wanted of [word, FIELD_ALIASES[word]]) {
      const found = fields.find((f) => f.name !== '' && fieldWord(f) === wanted);
      if (found) return { field: found, half };
    }
  }
  return undefined;
}

/** Names of the fields of an I/O APIC register, as they are written. */
export const ioapicFieldWords = ({ fields, highFields }: IoapicRegister): readonly string[] => [
  ...(highFields === undefined ? [] : ['low', 'high']),
  ...[...fields, ...(highFields ?? [])].filter((f) => f.name !== '').map(fieldWord),
];

/** Names of all I/O APIC registers, lower case. */
export const IOAPIC_NAMES: readonly string[] = IOAPIC_REGISTERS.map((r) => r.name.toLowerCase());

/** MSRs by name, for `msr:`. */
export const MSR_NAMES: ReadonlyMap<string, number> = new Map([
  ['tsc', 0x10],
  ['apicbase', 0x1b],
  ['apic_base', 0x1b],
  ['misc_enable', 0x1a0],
  ['mtrrcap', 0xfe],
  ['sysenter_cs', 0x174],
  ['sysenter_esp', 0x175],
  ['sysenter_eip', 0x176],
  ['mcg_cap', 0x179],
  ['mcg_status', 0x17a],
  ['pat', 0x277],
  ['mtrr_def_type', 0x2ff],
  ['tsc_deadline', 0x6e0],
  ['x2apic_icr', 0x830],
  ['efer', 0xc0000080],
  ['star', 0xc0000081],
  ['lstar', 0xc0000082],
]);
