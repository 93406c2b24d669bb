/** How the registers were at the stop before: what tells a surface which values the last run or step has changed. */
import type { Debugger } from '../debugger.ts';
import { PROCESSOR_REGISTERS } from '../registers.ts';
import { APIC_REGISTERS } from '../../machine/x86/apic.ts';
import { IOAPIC_MAX_ENTRIES, IoapicIndex } from '../../machine/x86/ioapic.ts';
import type { Stop } from '../stop.ts';

/** Values by key: `1:eax`, `1:lapic:300`, `ioapic:10`. */
export type Snapshot = ReadonlyMap<string, number>;

interface Kept {
  readonly generation: number;
  readonly stop: Stop | undefined;
  readonly now: Snapshot;
  readonly before: Snapshot | undefined;
}

const kept = new WeakMap<Debugger, Kept>();

export const registerKey = (vcpu: number, name: string): string => `${vcpu}:${name}`;
export const lapicKey = (vcpu: number, offset: number): string => `${vcpu}:lapic:${offset.toString(16)}`;
export const ioapicKey = (index: number): string => `ioapic:${index.toString(16)}`;

function take({ view, machine }: Debugger): Snapshot {
  const values = new Map<string, number>();
  const { ioapic } = machine.platform;
  for (let vcpu = 0; vcpu < view.vcpuCount; vcpu++) {
    view.as(vcpu, (processor) => {
      for (const name of PROCESSOR_REGISTERS) values.set(registerKey(vcpu, name), processor.register(name) ?? 0);
    });
    for (const { offset } of APIC_REGISTERS) values.set(lapicKey(vcpu, offset), view.lapic(vcpu, offset) ?? 0);
  }
  for (let index = 0; index < IoapicIndex.REDTBL + 2 * Math.min(ioapic.pins, IOAPIC_MAX_ENTRIES); index++)
    values.set(ioapicKey(index), ioapic.peekRegister(index));
  return values;
}

/**
 * Remembers the present, if it is another stop than that remembered last; gives how things were at the stop before, or undefined when this is the
 * first. Whoever wants each stop to count calls it at each stop; otherwise only those count at which somebody looked.
 */
export function remember(dbg: Debugger): Snapshot | undefined {
  const last = kept.get(dbg);
  if (last?.generation === dbg.generation) return last.before;
  // An edit makes another generation of the same stop: it is told from the stop before like everything else.
  const sameStop = last !== undefined && last.stop === dbg.stop && dbg.stop !== undefined;
  const before = sameStop ? last.before : last?.now;
  kept.set(dbg, { generation: dbg.generation, stop: dbg.stop, now: take(dbg), before });
  return before;
}
