/** What the views VM Exits and IPIs show, as plain data: the answers of custom requests. */
import { EXIT_GROUPS } from './constants.ts';
import { hex } from '../machine/base/bits.ts';
import { ExitCode } from '../machine/ledger/exitcode.ts';
import type { IpiRecord, IpiTarget } from '../machine/ledger/records.ts';
import { Reason, Verdict } from '../machine/ledger/verdict.ts';
import { exitCodeName, runStateName } from '../machine/ledger/words.ts';
import { afterSipi, VRS } from '../machine/vmm/runstate.ts';
import { DeliveryMode } from '../machine/x86/apic.ts';
import { decodeIcr, Shorthand } from '../machine/x86/icr.ts';
import type { ExitAction } from './breakpoints.ts';
import type { Debugger } from './debugger.ts';
import { arrivalWords, explainIpi, ipiWords, reasonWords, span, vcpuList } from './explain.ts';
import { exitCounts } from './inspect/history.ts';

export interface ExitRow {
  /** `INST_EMUL`. */
  readonly code: string;
  /** A few words where the name does not say enough: `to userspace`. */
  readonly about: string;
  readonly count: number;
  readonly action: ExitAction;
  /** The number of the newest one, 0 for none. */
  readonly last: number;
  /** Where the instruction of the newest one stands, if it is in the source. */
  readonly place?: PlaceLink;
  /** Nothing in this machine exits so: not worth a row unless it has. */
  readonly impossible?: true;
}
export interface ExitGroup {
  /** `mmio`, `pio`, `msr`, `idle`, `state`, `fatal`: as in the breakpoint grammar. */
  readonly group: string;
  /** `Device access`. */
  readonly label: string;
  readonly count: number;
  readonly codes: readonly ExitRow[];
}
export interface ExitsTree {
  readonly total: number;
  readonly groups: readonly ExitGroup[];
}

/** A place that a click opens. */
export interface PlaceLink {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
}

export interface IpiTargetRow {
  /** `vCPU3`, or several that share a verdict: `vCPU0, 1, 2`. */
  readonly who: string;
  readonly vcpus: readonly number[];
  readonly fate: 'reached' | 'refused' | 'notAddressed' | 'notSent';
  /** `started`, `refused`, `no match`. */
  readonly word: string;
  /** Why, with the register value behind it. */
  readonly reason: string;
}
export interface IpiRow {
  /** i#. */
  readonly number: number;
  /** e# of its store. */
  readonly exit: number;
  /** `FIXED 30`. */
  readonly what: string;
  /** `vCPU0 → MDA 08`. */
  readonly route: string;
  readonly reached: number;
  readonly refused: number;
  readonly targets: readonly IpiTargetRow[];
  readonly place?: PlaceLink;
  /** One sentence. */
  readonly sentence: string;
  readonly timeNs: number;
}
export interface IpisTree {
  /** Of the whole run. */
  readonly sent: number;
  readonly refusedTargets: number;
  /** Newest first. */
  readonly ipis: readonly IpiRow[];
}

const GROUP_LABELS: Readonly<Record<string, string>> = {
  mmio: 'Device access',
  pio: 'Port I/O',
  idle: 'Idle',
  msr: 'MSR',
  state: 'Run state',
  fatal: 'Fatal and emulation',
};
/** A few words on codes whose name does not say enough. */
const ABOUT: ReadonlyMap<ExitCode, string> = new Map([
  [ExitCode.MMIO, 'to userspace'],
  [ExitCode.IOAPIC_EOI, 'end of a level interrupt'],
  [ExitCode.RUN_STATE, 'INIT, SIPI'],
  [ExitCode.SUSPENDED, 'triple fault, reset, power-off'],
  [ExitCode.MTRAP, 'single step'],
  [ExitCode.BOGUS, 'nothing to do'],
  [ExitCode.INST_EMUL, 'not emulated'],
  [ExitCode.PAGING, 'no memory there'],
]);
/** Every code that something in this machine can exit with; PAUSE where the profile has it. */
const POSSIBLE: ReadonlySet<ExitCode> = new Set([
  ExitCode.MMIO_EMUL,
  ExitCode.MMIO,
  ExitCode.INOUT,
  ExitCode.HLT,
  ExitCode.RDMSR,
  ExitCode.WRMSR,
  ExitCode.RUN_STATE,
  ExitCode.SUSPENDED,
  ExitCode.INST_EMUL,
  ExitCode.PAGING,
]);

/** The source line of an instruction, if there is one. */
function placeOf({ program }: Debugger, { csBase, eip }: { readonly csBase: number; readonly eip: number }): PlaceLink | undefined {
  const place = program.placeAt((csBase + eip) >>> 0);
  return place && { file: place.file, line: place.line };
}

/** All exit codes by group. */
export function exitsTree(dbg: Debugger): ExitsTree {
  const { machine, breakpoints } = dbg;
  const counts = exitCounts(dbg);
  const row = (code: ExitCode): ExitRow => {
    const name = exitCodeName(code);
    const { count = 0, last = 0 } = counts.get(code) ?? {};
    const newest = last === 0 ? undefined : machine.ledger.exitAt(last);
    const place = newest && placeOf(dbg, newest);
    const possible = code === ExitCode.PAUSE ? machine.vm.pauseExits : POSSIBLE.has(code);
    return {
      code: name,
      about: ABOUT.get(code) ?? '',
      count,
      last,
      action: breakpoints.exitAction(name),
      ...(place === undefined ? {} : { place }),
      ...(possible ? {} : { impossible: true }),
    };
  };
  const groups = Object.entries(GROUP_LABELS).map(([group, label]): ExitGroup => {
    const codes = (EXIT_GROUPS.get(group) ?? []).map(row);
    return { group, label, count: codes.reduce((sum, { count }) => sum + count, 0), codes };
  });
  return { total: machine.ledger.exitCount, groups };
}

/** `MDA 08`, `ID 01`, `all but self`. */
function whom({ icrLow, icrHigh }: IpiRecord): string {
  const { shorthand, logical, destination } = decodeIcr(icrLow, icrHigh);
  if (shorthand === Shorthand.SELF) return 'self';
  if (shorthand === Shorthand.ALL_INCLUDING_SELF) return 'all';
  if (shorthand === Shorthand.ALL_EXCLUDING_SELF) return 'all but self';
  return destination === 0xff ? 'every APIC' : `${logical ? 'MDA' : 'ID'} ${hex(destination, 2)}`;
}

/** The word and the reason of a target that was reached. */
function reachedRow(ipi: IpiRecord, target: IpiTarget): Pick<IpiTargetRow, 'word' | 'reason'> {
  const { mode, vector } = decodeIcr(ipi.icrLow, ipi.icrHigh);
  const taken = target.takenNs >= 0;
  const when = taken ? `taken ${span(target.takenNs - ipi.timeNs)} later` : 'not taken yet';
  if (target.verdict === Verdict.merged) return { word: 'merged', reason: 'with one already pending' };
  if (mode === DeliveryMode.STARTUP) {
    const before = runStateName(target.detail & ~VRS.PEND_SIPI);
    const became = taken ? `${before} → ${runStateName(afterSipi(target.detail & ~VRS.PEND_INIT) | VRS.INIT)}` : `${before}, ${when}`;
    return { word: taken ? 'started' : 'reached', reason: `at ${hex(vector, 2)}00:0000 · ${became}` };
  }
  if (mode === DeliveryMode.INIT) return { word: 'INIT', reason: `run state was ${runStateName(target.detail)}, ${when}` };
  return { word: arrivalWords(ipi, target), reason: when };
}

/** Why several targets are not addressed, in one line: `LDR 01, 02, 04 & 08 = 0`. */
function mismatch(ipi: IpiRecord, targets: readonly IpiTarget[]): string {
  const first = targets[0] as IpiTarget;
  const { destination, shorthand } = decodeIcr(ipi.icrLow, ipi.icrHigh);
  const values = targets.map(({ detail }) => hex(detail >>> 24, 2)).join(', ');
  if (targets.length === 1) return reasonWords(ipi, first);
  if (first.reason === Reason.idMismatch && shorthand === Shorthand.NONE) return `ID ${values} is not ${hex(destination, 2)}`;
  if (first.reason === Reason.ldrMismatch)
    return targets.every(({ detail }) => ((detail >>> 24) & destination) === 0)
      ? `LDR ${values} & ${hex(destination, 2)} = 0`
      : `LDR ${values}: none is in the cluster of ${hex(destination, 2)}`;
  return reasonWords(ipi, first);
}

/** Why a target refused, with what makes it do so; `starters` are the IPIs that started the vCPUs. */
function refusal(ipi: IpiRecord, target: IpiTarget, starters: readonly number[], lingers: boolean): string {
  const why = reasonWords(ipi, target);
  if (target.reason !== Reason.alreadyRunning) return why;
  const since = starters[target.vcpu];
  const state = `run state ${runStateName(target.detail)}`;
  return `${why}${since === undefined ? '' : ` since i#${since}`}: ${state}${lingers ? '; PEND_SIPI stays set until the next INIT' : ''}`;
}

function targetRows(ipi: IpiRecord, starters: readonly number[], lingers: boolean): IpiTargetRow[] {
  const one = (target: IpiTarget, rest: Pick<IpiTargetRow, 'fate' | 'word' | 'reason'>): IpiTargetRow => ({
    who: vcpuList([target.vcpu]),
    vcpus: [target.vcpu],
    ...rest,
  });
  const rows: IpiTargetRow[] = [];
  const unaddressed = new Map<Reason, IpiTarget[]>();
  for (const target of ipi.targets) {
    switch (target.verdict) {
      case Verdict.reached:
      case Verdict.merged:
        rows.push(one(target, { fate: 'reached', ...reachedRow(ipi, target) }));
        break;
      case Verdict.refused:
        rows.push(one(target, { fate: 'refused', word: 'refused', reason: refusal(ipi, target, starters, lingers) }));
        break;
      case Verdict.notSent:
        rows.push(one(target, { fate: 'notSent', word: 'not sent', reason: reasonWords(ipi, target) }));
        break;
      default:
        // That a sender excludes itself is said by "all but self".
        if (target.reason !== Reason.senderExcluded) unaddressed.set(target.reason, [...(unaddressed.get(target.reason) ?? []), target]);
    }
  }
  for (const targets of unaddressed.values()) {
    const vcpus = targets.map(({ vcpu }) => vcpu);
    const word = (targets[0] as IpiTarget).reason === Reason.notActive ? 'not addressed' : 'no match';
    rows.push({ who: vcpuList(vcpus), vcpus, fate: 'notAddressed', word, reason: mismatch(ipi, targets) });
  }
  return rows;
}

/** The newest `limit` IPIs, newest first. */
export function ipisTree(dbg: Debugger, limit = 200): IpisTree {
  const { ledger, profile } = dbg.machine;
  const lingers = profile.rules['sipi.running'] === 'lingers';
  const starters: number[] = [];
  const ipis: IpiRow[] = [];
  for (let number = Math.max(ledger.firstIpi, ledger.ipiCount - limit + 1, 1); number <= ledger.ipiCount; number++) {
    const ipi = ledger.ipiAt(number);
    if (ipi === undefined) continue;
    const targets = targetRows(ipi, starters, lingers);
    const count = (...fates: readonly IpiTargetRow['fate'][]): number => targets.filter(({ fate }) => fates.includes(fate)).length;
    const place = placeOf(dbg, ipi);
    ipis.push({
      number,
      exit: ipi.exit,
      what: ipiWords(ipi),
      route: `vCPU${ipi.vcpu} → ${whom(ipi)}`,
      reached: count('reached'),
      refused: count('refused', 'notSent'),
      targets,
      ...(place === undefined ? {} : { place }),
      sentence: explainIpi(ipi),
      timeNs: ipi.timeNs,
    });
    const { mode } = decodeIcr(ipi.icrLow, ipi.icrHigh);
    for (const { vcpu, verdict } of ipi.targets) {
      if (verdict !== Verdict.reached) continue;
      if (mode === DeliveryMode.STARTUP) starters[vcpu] = number;
      else if (mode === DeliveryMode.INIT) delete starters[vcpu];
    }
  }
  return { sent: ledger.ipiCount, refusedTargets: ledger.targetsByVerdict().get(Verdict.refused) ?? 0, ipis: ipis.reverse() };
}
