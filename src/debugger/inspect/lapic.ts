/** The local APIC: every register with what its value means, its fields, where it lies, who wrote it last, and what may be edited. */
import { hex } from '../../machine/base/bits.ts';
import { registerWords, resetValue } from '../../machine/devices/vlapic-inspect.ts';
import { vectorsOf } from '../../machine/devices/vlapic-vectors.ts';
import type { Vlapic } from '../../machine/devices/vlapic.ts';
import { APIC_BASE_ADDRESS, APIC_REGISTERS, Apic, type ApicField, type ApicRegister, x2apicMsr } from '../../machine/x86/apic.ts';
import { icrFieldRows } from '../../machine/x86/icr.ts';
import { fieldWord } from '../registers.ts';
import { lapicFieldInput, lapicFieldReadOnly, lapicInput, lapicReadOnly } from './edits.ts';
import { lapicWriter } from './history.ts';
import { change, dotted, type Look } from './look.ts';
import { fieldVariables, group, optional, word } from './registers.ts';
import { lapicKey } from './snapshot.ts';
import type { Variable } from './variable.ts';

/** Registers that x2APIC mode does not have by themselves. */
const XAPIC_ONLY: readonly number[] = [Apic.DFR, Apic.ICR_HI, Apic.APR, Apic.RRD];

/** What an edit does besides, or does not. */
const EFFECTS: Readonly<Record<number, string>> = {
  [Apic.ICR_LO]: 'an edit sends nothing',
  [Apic.TICR]: 'an edit starts the timer',
};

/** `20 31`, sorted; `–` for none. */
export const vectorList = (vectors: readonly number[]): string => (vectors.length === 0 ? '–' : vectors.map((v) => hex(v, 2)).join(' '));

function fieldsOf(look: Look, register: ApicRegister, value: number): readonly Variable[] {
  const name = register.name.toLowerCase();
  const readable = register.access !== 'wo';
  return fieldVariables({
    fields: register.fields,
    value,
    expression: (field) => (readable ? `lapic.${name}.${fieldWord(field)}` : undefined),
    dataId: (field) => `lapic@${look.vcpu}.${name}.${fieldWord(field)}`,
    edit: (field) =>
      lapicFieldReadOnly(look, register, field) === undefined ? (text) => lapicFieldInput(look, register, field, text) : undefined,
    words: (field) => (register.offset === Apic.ICR_LO ? icrText(field, value) : undefined),
  });
}

const icrText = (field: ApicField, value: number): string | undefined => icrFieldRows(value).find((row) => row.name === field.name)?.text;

function registerOf(look: Look, lapic: Vlapic, register: ApicRegister): Variable {
  const { offset, name, access } = register;
  const { debugger: dbg, vcpu } = look;
  const readable = access !== 'wo';
  const value = readable ? (dbg.view.lapic(vcpu, offset) ?? 0) : 0;
  const { was, changed } = change(look, lapicKey(vcpu, offset), value, 8);
  const said = readable ? registerWords(lapic, register) : '';
  const msr = XAPIC_ONLY.includes(offset) ? '' : `x2APIC MSR ${hex(x2apicMsr(offset))}`;
  const where = `lapic+${hex(offset, 3)} ${access}`;
  return {
    name,
    value: readable ? `${word(value)}${said === '' ? '' : `  ${said}`}` : 'write only',
    memory: { space: 'physical', address: APIC_BASE_ADDRESS + offset },
    dataId: `lapic@${vcpu}.${name.toLowerCase()}`,
    menu: 'apicRegister',
    ...optional('type', dotted(where, msr, readable && `reset ${word(resetValue(lapic, register))}`, EFFECTS[offset], was)),
    ...optional('expression', readable ? `lapic.${name.toLowerCase()}` : undefined),
    ...optional('children', readable ? () => fieldsOf(look, register, value) : undefined),
    ...optional('edit', lapicReadOnly(look, register) === undefined ? (text: string) => lapicInput(look, register, text) : undefined),
    ...optional('writer', lapicWriter(dbg, vcpu, offset)),
    ...optional('changed', changed),
  };
}

/** A map of 256 vectors: the list, and behind it the eight registers. */
function mapOf(look: Look, lapic: Vlapic, name: 'ISR' | 'TMR' | 'IRR', title: string, map: Uint32Array): Variable {
  const registers = APIC_REGISTERS.filter((r) => r.offset >= Apic[name] && r.offset < Apic[name] + 0x80);
  const changed = registers.some(({ offset }, i) => (look.before?.get(lapicKey(look.vcpu, offset)) ?? map[i]) !== map[i]);
  return {
    ...group(
      name,
      vectorList(vectorsOf(map)),
      () => registers.map((r) => registerOf(look, lapic, r)),
      `${title} · lapic+${hex(Apic[name], 3)} to ${hex(Apic[name] + 0x70, 3)} ro`,
    ),
    memory: { space: 'physical', address: APIC_BASE_ADDRESS + Apic[name] },
    ...optional('changed', changed ? true : undefined),
  };
}

export function localApic(look: Look): readonly Variable[] {
  const lapic = look.debugger.machine.vlapics[look.vcpu] as Vlapic;
  const state = [
    `APIC ID ${hex(lapic.id, 2)}`,
    'xAPIC',
    lapic.isBsp ? 'BSP' : '',
    lapic.hardwareEnabled ? '' : 'hardware-disabled',
    lapic.softwareEnabled ? 'software-enabled' : 'software-disabled',
  ];
  const variables: Variable[] = [{ name: 'state', value: state.filter((part) => part !== '').join(', ') }];
  for (const register of APIC_REGISTERS) {
    const { offset } = register;
    if (offset === Apic.ISR) variables.push(mapOf(look, lapic, 'ISR', 'in service', lapic.isr));
    else if (offset === Apic.TMR) variables.push(mapOf(look, lapic, 'TMR', 'level-triggered', lapic.tmr));
    else if (offset === Apic.IRR) variables.push(mapOf(look, lapic, 'IRR', 'requested', lapic.irr));
    else if (offset < Apic.ISR || offset >= Apic.ESR) variables.push(registerOf(look, lapic, register));
  }
  return variables;
}
