/** The I/O APIC: its registers and redirection entries, decoded. */
import { hex } from '../../machine/base/bits.ts';
import { type ApicField, decodeFields } from '../../machine/x86/apic.ts';
import {
  IOAPIC_BASE_ADDRESS,
  IoapicIndex,
  type IoapicRegister,
  ioapicRegisterNamed,
  REDIRECTION_HIGH_FIELDS,
  REDIRECTION_LOW_FIELDS,
} from '../../machine/x86/ioapic.ts';
import { fieldWord } from '../registers.ts';
import { ioapicFieldInput, ioapicFieldReadOnly, ioapicInput } from './edits.ts';
import { ioapicWriter } from './history.ts';
import { change, dotted, type Look } from './look.ts';
import { fieldVariables, line, optional, word } from './registers.ts';
import { ioapicKey } from './snapshot.ts';
import type { Variable } from './variable.ts';

/** `vector 22, FIXED to APIC ID 01, level, low, remote IRR, masked`. */
export function redirectionWords(low: number, high: number): string {
  const text = (name: string): string => decodeFields(REDIRECTION_LOW_FIELDS, low).find((row) => row.name === name)?.text ?? '';
  const logical = text('destination mode') === 'logical';
  return [
    text('mask') === 'masked' ? 'masked' : '',
    `vector ${text('vector')}`,
    `${text('delivery mode')} to ${logical ? 'logical destination' : 'APIC ID'} ${hex(high >>> 24, 2)}`,
    text('trigger'),
    text('polarity') === 'low' ? 'active low' : '',
    text('remote IRR') === '1' ? 'remote IRR' : '',
  ]
    .filter((part) => part !== '')
    .join(', ');
}

const peek = ({ debugger: { machine } }: Look, index: number): number => machine.platform.ioapic.peekRegister(index);

/** The fields of one register, or of half an entry. */
const fieldsOf = (look: Look, index: number, fields: readonly ApicField[], expression: string, editable: boolean): Variable[] =>
  fieldVariables({
    fields,
    value: peek(look, index),
    expression: (field) => `${expression}.${fieldWord(field)}`,
    dataId: (field) => `${expression}.${fieldWord(field)}`,
    edit: (field) => (editable && !ioapicFieldReadOnly(index, field) ? (text) => ioapicFieldInput(look, index, field, text) : undefined),
  });

function plain(look: Look, name: 'ID' | 'VER' | 'ARB', index: number, words: (value: number) => string): Variable {
  const register = ioapicRegisterNamed(name) as IoapicRegister;
  const value = peek(look, index);
  const { was, changed } = change(look, ioapicKey(index), value, 8);
  const expression = `ioapic.${name.toLowerCase()}`;
  const editable = register.access === 'rw';
  return {
    name,
    value: `${word(value)}  ${words(value)}`,
    expression,
    dataId: expression,
    children: () => fieldsOf(look, index, register.fields, expression, editable),
    ...optional('type', dotted(`ioapic index ${hex(index, 2)} ${register.access}`, was)),
    ...optional('edit', editable ? (text: string) => ioapicInput(look, index, text) : undefined),
    ...optional('writer', ioapicWriter(look.debugger, index)),
    ...optional('changed', changed),
  };
}

function entry(look: Look, pin: number): Variable {
  const index = IoapicIndex.REDTBL + 2 * pin;
  const low = peek(look, index);
  const high = peek(look, index + 1);
  const expression = `ioapic.redtbl[${pin}]`;
  const half = (name: 'low' | 'high', at: number): Variable => {
    const { was, changed } = change(look, ioapicKey(at), peek(look, at), 8);
    return {
      name,
      value: word(peek(look, at)),
      expression: `${expression}.${name}`,
      edit: (text) => ioapicInput(look, at, text),
      ...optional('type', dotted(`ioapic index ${hex(at, 2)} rw`, was)),
      ...optional('writer', ioapicWriter(look.debugger, at)),
      ...optional('changed', changed),
    };
  };
  const [lowHalf, highHalf] = [half('low', index), half('high', index + 1)];
  const written = [lowHalf.writer, highHalf.writer].sort((a, b) => (b?.exit ?? 0) - (a?.exit ?? 0))[0];
  return {
    name: `REDTBL[${pin}]`,
    value: `${word(high)}_${word(low)}  ${redirectionWords(low, high)}`,
    type: `ioapic index ${hex(index, 2)} and ${hex(index + 1, 2)} rw`,
    dataId: expression,
    children: () => [
      ...fieldsOf(look, index, REDIRECTION_LOW_FIELDS, expression, true),
      ...fieldsOf(look, index + 1, REDIRECTION_HIGH_FIELDS, expression, true),
      lowHalf,
      highHalf,
    ],
    ...optional('writer', written),
    ...optional('changed', lowHalf.changed === true || highHalf.changed === true ? true : undefined),
  };
}

export function ioApic(look: Look): readonly Variable[] {
  const { ioapic } = look.debugger.machine.platform;
  return [
    plain(look, 'ID', IoapicIndex.ID, (value) => `APIC ID ${hex(value >>> 24, 2)}`),
    plain(look, 'VER', IoapicIndex.VER, (value) => `version ${hex(value & 0xff, 2)}, ${((value >>> 16) & 0xff) + 1} inputs`),
    plain(look, 'ARB', IoapicIndex.ARB, () => 'arbitration ID'),
    { ...line('IOREGSEL', hex(ioapic.selected, 2), 'ioapic+00 rw'), memory: { space: 'physical', address: IOAPIC_BASE_ADDRESS } },
    ...Array.from({ length: ioapic.pins }, (_, pin) => entry(look, pin)),
  ];
}
