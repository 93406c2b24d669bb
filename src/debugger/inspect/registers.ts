/** Registers as variables: the value, its fields with what they mean, and what may be edited. */
import { hex } from '../../machine/base/bits.ts';
import type { Input } from '../../machine/timeline/inputs.ts';
import { type ApicField, decodeFields } from '../../machine/x86/apic.ts';
import { SYSTEM_BIT_TITLES } from '../../machine/x86/system-registers.ts';
import { either } from './number.ts';
import type { Variable } from './variable.ts';

/** What a register's fields are shown from. */
export interface FieldSource {
  readonly fields: readonly ApicField[];
  /** u32. */
  readonly value: number;
  /** The expression of a field, where there is one. */
  readonly expression?: (field: ApicField) => string | undefined;
  /** How a field is edited, where it can be. */
  readonly edit?: (field: ApicField) => ((text: string) => Input) | undefined;
  readonly dataId?: (field: ApicField) => string | undefined;
  /** What to show of a field instead of its value in words. */
  readonly words?: (field: ApicField, value: number) => string | undefined;
}

/** One variable for each field that has a name, and for each reserved one that is not 0. */
export function fieldVariables({ fields, value, expression, edit, dataId, words }: FieldSource): Variable[] {
  return decodeFields(fields, value).flatMap((row, i): Variable[] => {
    const field = fields[i] as ApicField;
    if (row.name === '' && row.value === 0) return [];
    const title = SYSTEM_BIT_TITLES[row.name];
    const possible = field.words === undefined || field.words.length > 8 ? undefined : either([...new Set(field.words)]);
    return [
      {
        name: row.name === '' ? `reserved ${row.bits}` : row.name,
        value: words?.(field, row.value) ?? row.text,
        type: [`bit${field.high === field.low ? '' : 's'} ${row.bits} = ${row.binary}`, title, possible].filter(Boolean).join(' · '),
        ...optional('expression', row.name === '' ? undefined : expression?.(field)),
        ...optional('edit', row.name === '' ? undefined : edit?.(field)),
        ...optional('dataId', row.name === '' ? undefined : dataId?.(field)),
      },
    ];
  });
}

/** An optional member, only where it has a value. */
export const optional = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { [P in K]: V });

/** Names of the one-bit fields that are set, from the highest down, as in `[IF ZF PF]`; a wider one as `IOPL=3`. */
export function setBits(fields: readonly ApicField[], value: number): string {
  const names = decodeFields(fields, value)
    .filter((row) => row.name !== '' && row.value !== 0)
    .map((row) => (row.binary.length === 1 ? row.name : `${row.name}=${row.text}`));
  return `[${names.join(' ')}]`;
}

export const word = (value: number): string => hex(value, 8);

/** A line without anything behind it. */
export const line = (name: string, value: string, type?: string): Variable => ({ name, value, ...optional('type', type) });

/** A line with more behind it. */
export const group = (name: string, value: string, children: () => readonly Variable[], type?: string): Variable => ({
  name,
  value,
  children,
  ...optional('type', type),
});
