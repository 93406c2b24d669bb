/** What is shown of a vCPU at a stop: scopes, most needed first. Looking changes nothing, and is done when a scope is opened. */
import type { Debugger } from '../debugger.ts';
import { DebuggerError } from '../error.ts';
import { control } from './control.ts';
import { cpuState } from './cpu.ts';
import { generalRegisters } from './general.ts';
import { ioApic } from './ioapic.ts';
import { localApic } from './lapic.ts';
import { lastExitOf } from './last-exit.ts';
import { type Look, lookAt } from './look.ts';
import { pendingInterrupts } from './pending.ts';
import { segments } from './segments.ts';
import { remember } from './snapshot.ts';
import { timeAndOrder } from './time.ts';
import type { Scope, Variable } from './variable.ts';

const SCOPES: readonly (readonly [name: string, kind: Scope['kind'], variables: (look: Look) => readonly Variable[]])[] = [
  ['Last exit', 'other', lastExitOf],
  ['CPU', 'registers', cpuState],
  ['General', 'registers', generalRegisters],
  ['Segments', 'registers', segments],
  ['Control', 'registers', control],
  ['Local APIC', 'device', localApic],
  ['I/O APIC', 'device', ioApic],
  ['Pending interrupts', 'other', pendingInterrupts],
  ['Time', 'other', timeAndOrder],
];

/** The scopes of a vCPU as of now. Throws a DebuggerError for a vCPU that is none. */
export function scopes(dbg: Debugger, vcpu: number): readonly Scope[] {
  const { vcpuCount } = dbg.view;
  if (!Number.isInteger(vcpu) || vcpu < 0 || vcpu >= vcpuCount)
    throw new DebuggerError(`There is no vCPU ${vcpu}; 0 to ${vcpuCount - 1} are.`);
  const look = lookAt(dbg, vcpu, remember(dbg));
  return SCOPES.map(([name, kind, variables]) => ({ name, kind, variables: () => variables(look) }));
}
