/** What a vCPU was interrupted or started by, as its call stack names it: looked up in the ledger. */
import { hex } from '../../machine/base/bits.ts';
import { LvtIndex } from '../../machine/devices/vlapic-lvt.ts';
import { EventKind, type EventRecord, type IpiRecord, type LedgerReader } from '../../machine/ledger/records.ts';
import { Verdict } from '../../machine/ledger/verdict.ts';
import { DeliveryMode, Lvt } from '../../machine/x86/apic.ts';
import { exceptionMnemonic, pushesErrorCode } from '../../machine/x86/exceptions.ts';
import { icrMode, icrVector } from '../../machine/x86/icr.ts';
import type { Subject } from '../subject.ts';

/** So many of the newest records are looked at. */
const EVENTS = 2048;
const IPIS = 512;
/** So many interruptions of one vCPU are of interest: more cannot be nested on a call stack that is shown. */
const KEPT = 64;

const INTERRUPTIONS: readonly EventKind[] = [EventKind.interrupt, EventKind.nmi, EventKind.extInt, EventKind.exception];

/** Interruptions of a vCPU, the newest first. */
export function interruptions(ledger: LedgerReader, vcpu: number): EventRecord[] {
  const found: EventRecord[] = [];
  const oldest = Math.max(ledger.firstEvent, ledger.eventCount - EVENTS + 1);
  for (let number = ledger.eventCount; number >= oldest && found.length < KEPT; number--) {
    const event = ledger.eventAt(number);
    if (event?.vcpu === vcpu && INTERRUPTIONS.includes(event.kind)) found.push(event);
  }
  return found;
}

/** The newest IPI for which `wanted` is true. */
export function newestIpi(ledger: LedgerReader, wanted: (ipi: IpiRecord) => boolean): IpiRecord | undefined {
  const oldest = Math.max(ledger.firstIpi, ledger.ipiCount - IPIS + 1);
  for (let number = ledger.ipiCount; number >= oldest; number--) {
    const ipi = ledger.ipiAt(number);
    if (ipi !== undefined && wanted(ipi)) return ipi;
  }
  return undefined;
}

const reached = (ipi: IpiRecord, vcpu: number): boolean => {
  const verdict = ipi.targets[vcpu]?.verdict;
  return verdict === Verdict.reached || verdict === Verdict.merged;
};

/** The IPI that brought an interruption. */
const bringing = (ledger: LedgerReader, { kind, value, vcpu, icount }: EventRecord): IpiRecord | undefined =>
  newestIpi(ledger, (ipi) => {
    const nmi = icrMode(ipi.icrLow) === DeliveryMode.NMI;
    const same = kind === EventKind.nmi ? nmi : !nmi && icrVector(ipi.icrLow) === value;
    return same && reached(ipi, vcpu) && ipi.targets[vcpu]?.takenIcount === icount;
  });

/** `vector 30, IPI i#4 from vCPU0`, `vector 20, APIC timer`, `NMI, IPI i#6 from vCPU0`, `#GP, error code 0018`, `vector 08, 8259`. */
export function arrival(view: Subject, event: EventRecord): string {
  const { kind, value, detail, vcpu } = event;
  if (kind === EventKind.exception) {
    const name = exceptionMnemonic(value);
    return pushesErrorCode(value) ? `${name}, error code ${hex(detail, 4)}` : name;
  }
  const name = kind === EventKind.nmi ? 'NMI' : `vector ${hex(value, 2)}`;
  if (kind === EventKind.extInt) return `${name}, 8259`;
  const ipi = bringing(view.ledger, event);
  if (ipi !== undefined) return `${name}, IPI i#${ipi.number} from vCPU${ipi.vcpu}`;
  const timer = view.machine.vlapics[vcpu]?.lvt[LvtIndex.TIMER] ?? Lvt.MASKED;
  return kind === EventKind.interrupt && (timer & Lvt.MASKED) === 0 && (timer & 0xff) === value ? `${name}, APIC timer` : name;
}

/** The SIPI that started a vCPU last. */
export const startedBy = (ledger: LedgerReader, vcpu: number): IpiRecord | undefined =>
  newestIpi(
    ledger,
    (ipi) => icrMode(ipi.icrLow) === DeliveryMode.STARTUP && reached(ipi, vcpu) && (ipi.targets[vcpu]?.takenIcount ?? -1) >= 0,
  );
