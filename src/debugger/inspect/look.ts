/** What every scope is made from: the debugger, the vCPU it is about, and how things were at the stop before. */
import { hex } from '../../machine/base/bits.ts';
import type { ApicField } from '../../machine/x86/apic.ts';
import type { Debugger } from '../debugger.ts';
import { registerBits, registerFieldInput, registerInput } from './edits.ts';
import { type Editor, highestOf } from './number.ts';
import { fieldVariables, optional } from './registers.ts';
import { registerKey, type Snapshot } from './snapshot.ts';
import type { Variable } from './variable.ts';

export interface Look extends Editor {
  /** Undefined at the first stop that is looked at. */
  readonly before: Snapshot | undefined;
}

export const lookAt = (dbg: Debugger, vcpu: number, before: Snapshot | undefined): Look => ({ debugger: dbg, vcpu, inPlace: true, before });

/** A register of the vCPU by its name; 0 for a name that is none. */
export const read = ({ debugger: { view }, vcpu }: Look, name: string): number => view.register(vcpu, name) ?? 0;

/** How a value was at the stop before, for `type`, and whether it differs. */
export function change({ before }: Look, key: string, now: number, digits: number): { readonly was?: string; readonly changed?: true } {
  const then = before?.get(key);
  return then === undefined || then === now ? {} : { was: `was ${hex(then, digits)}`, changed: true };
}

/** Texts that are there, with dots between; undefined when none is. */
export const dotted = (...parts: readonly (string | undefined | false)[]): string | undefined => {
  const there = parts.filter((part) => part !== undefined && part !== false && part !== '');
  return there.length === 0 ? undefined : there.join(' · ');
};

export interface Shown {
  /** Shown instead of the register's name in capitals. */
  readonly name?: string;
  /** What follows the number. */
  readonly said?: string;
  readonly type?: string;
  readonly fields?: readonly ApicField[];
  readonly children?: () => readonly Variable[];
}

/** A processor register by its name, which is also its expression, editable. */
export function registerVariable(look: Look, name: string, { name: shown, said, type, fields, children }: Shown = {}): Variable {
  const value = read(look, name);
  const digits = registerBits(name) / 4;
  const { was, changed } = change(look, registerKey(look.vcpu, name), value, digits);
  const made =
    children ??
    (fields === undefined
      ? undefined
      : () =>
          fieldVariables({
            fields,
            value,
            expression: (field) => bitsOf(name, field),
            edit: (field) => (text) => registerFieldInput(look, name, field, text),
          }));
  return {
    name: shown ?? name.toUpperCase(),
    value: `${hex(value, digits)}${said === undefined || said === '' ? '' : `  ${said}`}`,
    expression: name,
    edit: (text) => registerInput(look, name, text),
    ...optional('type', dotted(type, was)),
    ...optional('children', made),
    ...optional('changed', changed),
  };
}

/** The expression that gives a field of what another expression gives. */
const bitsOf = (whole: string, { high, low }: ApicField): string =>
  `${low === 0 ? whole : `(${whole} >> ${low})`} & ${high - low === 0 ? 1 : `0x${hex(highestOf(high - low + 1))}`}`;
