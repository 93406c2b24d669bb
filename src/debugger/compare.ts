/** Where two runs of one bootrom part: the first thing that a vCPU did, or that was done to it, otherwise than in the other run. */
import { ExitCode } from '../machine/ledger/exitcode.ts';
import type { ExitRecord, IpiRecord, LedgerReader } from '../machine/ledger/records.ts';

/** One side of a parting; no exit: that run had ended, or the vCPU did nothing more. */
export interface Side {
  readonly exit: ExitRecord | undefined;
  readonly ipi: IpiRecord | undefined;
}

export interface Parting {
  readonly vcpu: number;
  /** Exits of that vCPU which both runs had alike before. */
  readonly alike: number;
  readonly a: Side;
  readonly b: Side;
  /** What differs: `outcome`, `value`, `targets`… */
  readonly what: readonly string[];
}

/** Exits that tell of the VMM's own ways rather than of the guest: run states, which the older profiles do not have. */
const OWN: readonly ExitCode[] = [ExitCode.RUN_STATE, ExitCode.BOGUS];

/** Numbers of the exits of each vCPU that count, oldest first. */
function byVcpu(ledger: LedgerReader): Map<number, number[]> {
  const lists = new Map<number, number[]>();
  for (let n = ledger.firstExit; n <= ledger.exitCount; n++) {
    const exit = ledger.exitAt(n);
    if (exit === undefined || OWN.includes(exit.code)) continue;
    const list = lists.get(exit.vcpu);
    if (list) list.push(n);
    else lists.set(exit.vcpu, [n]);
  }
  return lists;
}

const FIELDS = ['code', 'finalCode', 'address', 'size', 'write', 'value', 'valueHigh', 'eip', 'csBase', 'returned', 'outcome'] as const;

const sideOf = (ledger: LedgerReader, number: number | undefined): Side => {
  const exit = number === undefined ? undefined : ledger.exitAt(number);
  return { exit, ipi: exit === undefined || exit.ipi === 0 ? undefined : ledger.ipiAt(exit.ipi) };
};

function differences(a: Side, b: Side): string[] {
  if (a.exit === undefined || b.exit === undefined) return ['end'];
  const what: string[] = FIELDS.filter((f) => (a.exit as ExitRecord)[f] !== (b.exit as ExitRecord)[f]);
  const targets = ({ ipi }: Side): string => (ipi?.targets ?? []).map((t) => `${t.vcpu}:${t.verdict}:${t.reason}`).join();
  if (targets(a) !== targets(b)) what.push('targets');
  return what;
}

/** The earliest parting of two ledgers, or undefined when none of their exits differ. Exits whose records were dropped are not looked at. */
export function compareLedgers(a: LedgerReader, b: LedgerReader): Parting | undefined {
  const [left, right] = [byVcpu(a), byVcpu(b)];
  let first: Parting | undefined;
  let firstTime = Number.POSITIVE_INFINITY;
  for (const vcpu of new Set([...left.keys(), ...right.keys()])) {
    const [la, lb] = [left.get(vcpu) ?? [], right.get(vcpu) ?? []];
    for (let i = 0; i < Math.max(la.length, lb.length); i++) {
      const [sa, sb] = [sideOf(a, la[i]), sideOf(b, lb[i])];
      const what = differences(sa, sb);
      if (what.length === 0) continue;
      const time = Math.min(sa.exit?.timeNs ?? Number.POSITIVE_INFINITY, sb.exit?.timeNs ?? Number.POSITIVE_INFINITY);
      if (time < firstTime) {
        firstTime = time;
        first = { vcpu, alike: i, a: sa, b: sb, what };
      }
      break;
    }
  }
  return first;
}
