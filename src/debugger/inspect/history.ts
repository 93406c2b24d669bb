/** Who did what last: the newest exit of a vCPU, the store that wrote a register last, and how many exits there were of each code. */
import type { ExitCode } from '../../machine/ledger/exitcode.ts';
import type { ExitRecord } from '../../machine/ledger/records.ts';
import { notAfter } from '../../machine/timeline/checkpoint.ts';
import type { Input } from '../../machine/timeline/inputs.ts';
import type { Debugger } from '../debugger.ts';
import { type Store, scanned } from './ledger-scan.ts';
import { ioapicKey, lapicKey } from './snapshot.ts';
import type { Variable } from './variable.ts';

export type Writer = NonNullable<Variable['writer']>;

/** The newest exit of a vCPU, if it is still held. */
export function lastExit(dbg: Debugger, vcpu: number): ExitRecord | undefined {
  return dbg.machine.ledger.exitAt(scanned(dbg).exitOf(vcpu));
}

/** The store that wrote a local APIC register last; undefined when none is known, or when INIT or an edit has come after it. */
export function lapicWriter(dbg: Debugger, vcpu: number, offset: number): Writer | undefined {
  const scan = scanned(dbg);
  const store = scan.store(lapicKey(vcpu, offset));
  const init = dbg.machine.profile.rules['init.lapic.scope'] === 'none' ? undefined : scan.init(vcpu);
  // INIT gave the registers their values of reset: who wrote them before is no matter.
  if (store !== undefined && init !== undefined && store.icount <= init.icount && store.timeNs <= init.timeNs) return undefined;
  return writer(dbg, store, (input) => input.kind === 'lapic' && input.vcpu === vcpu && input.offset === offset);
}

/** The store that wrote a register of the I/O APIC last, by its index; undefined when none is known, or when an edit has come after it. */
export const ioapicWriter = (dbg: Debugger, index: number): Writer | undefined =>
  writer(dbg, scanned(dbg).store(ioapicKey(index)), (input) => input.kind === 'ioapic' && input.register === index);

function writer({ timeline }: Debugger, store: Store | undefined, isEdit: (input: Input) => boolean): Writer | undefined {
  if (store === undefined) return undefined;
  const here = timeline.position;
  if (timeline.inputs.some(({ at, input }) => isEdit(input) && at.icount > store.icount && notAfter(at, here))) return undefined;
  return { vcpu: store.vcpu, eip: store.eip, csBase: store.csBase, exit: store.number };
}

export interface ExitCount {
  readonly count: number;
  /** Number of the newest. */
  readonly last: number;
}

/**
 * How many exits there were of each code, by the code that an exit came to: an access that the VMM could not emulate counts as INST_EMUL, one that
 * went to userspace as MMIO, so that every exit counts once. Codes without exits are absent.
 */
export function exitCounts(dbg: Debugger): ReadonlyMap<ExitCode, ExitCount> {
  const scan = scanned(dbg);
  const counts = new Map(dbg.machine.ledger.exitsByCode());
  for (const [code, n] of scan.shifts()) counts.set(code, (counts.get(code) ?? 0) + n);
  return new Map([...counts].filter(([, count]) => count > 0).map(([code, count]) => [code, { count, last: scan.newestExit(code) }]));
}
