/**
 * What the ledger says of who did what last, gathered once: each look reads the records that have come since the last, and forgets those that going
 * back has taken away. A run repeats itself while its inputs are the same, and so do its records.
 */
import type { ExitCode } from '../../machine/ledger/exitcode.ts';
import { Answer, EventKind, type ExitRecord, Outcome } from '../../machine/ledger/records.ts';
import type { LoggedInput } from '../../machine/timeline/inputs.ts';
import { VRS } from '../../machine/vmm/runstate.ts';
import { IOAPIC_BASE_ADDRESS, Ioapic } from '../../machine/x86/ioapic.ts';
import type { Debugger } from '../debugger.ts';
import { lapicAccess } from '../explain.ts';
import { ioapicKey, lapicKey } from './snapshot.ts';

/** Something that has a number and a moment. Lists of such are in order of their numbers. */
interface Numbered {
  readonly number: number;
}
/** A store that wrote a register of a local APIC or of the I/O APIC. */
export interface Store extends Numbered {
  readonly vcpu: number;
  readonly eip: number;
  readonly csBase: number;
  readonly icount: number;
  readonly timeNs: number;
}
/** A vCPU took an INIT. */
interface Init extends Numbered {
  readonly icount: number;
  readonly timeNs: number;
}
/** An exit that came to another code than the hardware's. */
interface Moved extends Numbered {
  readonly from: ExitCode;
  readonly to: ExitCode;
}

/** Entries that all lists of a kind together may have before those whose records were dropped are dropped as well. */
const CROWDED = 1 << 17;

const newestOf = <T>(list: readonly T[] | undefined): T | undefined => list?.[list.length - 1];

/** Forgets what is numbered above `last`. */
function cut(list: Numbered[], last: number): void {
  let length = list.length;
  while (length > 0 && (list[length - 1] as Numbered).number > last) length--;
  list.length = length;
}

function append<K, T>(map: Map<K, T[]>, key: K, item: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [item]);
  else list.push(item);
}

/** Is it a store that a register of the kernel's chips took? */
const isStore = ({ write, answer, size }: ExitRecord): boolean => write && answer === Answer.kernel && size !== 0;

class LedgerScan {
  /** Numbers up to which all is known for good. */
  private exits: number;
  private events: number;
  private inputs: readonly LoggedInput[] = [];
  private generation = -1;
  private entries = 0;
  private readonly stores = new Map<string, Store[]>();
  private readonly selects: (Numbered & { readonly value: number })[] = [];
  private readonly byCode = new Map<ExitCode, Numbered[]>();
  private readonly byVcpu = new Map<number, Numbered[]>();
  private moved: Moved[] = [];
  /** Those that are no longer in `moved`. */
  private readonly movedBefore = new Map<ExitCode, number>();
  private readonly inits = new Map<number, Init[]>();

  constructor(private readonly dbg: Debugger) {
    const { ledger } = dbg.machine;
    this.exits = Math.max(ledger.firstExit, 1) - 1;
    this.events = Math.max(ledger.firstEvent, 1) - 1;
  }

  store = (key: string): Store | undefined => newestOf(this.stores.get(key));
  init = (vcpu: number): Init | undefined => newestOf(this.inits.get(vcpu));
  newestExit = (code: ExitCode): number => newestOf(this.byCode.get(code))?.number ?? 0;
  exitOf = (vcpu: number): number => newestOf(this.byVcpu.get(vcpu))?.number ?? 0;

  /** What to add to the numbers of exits by hardware code, so that each counts by the code it came to. */
  shifts(): Map<ExitCode, number> {
    const shifts = new Map(this.movedBefore);
    for (const move of this.moved) shift(shifts, move);
    return shifts;
  }

  /** Reads what is new. */
  update(): void {
    const { generation, machine } = this.dbg;
    const { ledger } = machine;
    if (generation === this.generation && this.exits === ledger.exitCount && this.events === ledger.eventCount) return;
    this.generation = generation;
    this.checkInputs();
    this.cutTo(Math.min(this.exits, ledger.exitCount), Math.min(this.events, ledger.eventCount));
    let settled = true;
    const from = Math.max(this.exits + 1, ledger.firstExit);
    for (let number = from; number <= ledger.exitCount; number++) {
      const exit = ledger.exitAt(number);
      if (exit === undefined) continue;
      this.take(exit);
      // One that is still being handled is looked at again.
      settled &&= exit.outcome !== Outcome.open;
      if (settled) this.exits = number;
    }
    for (let number = Math.max(this.events + 1, ledger.firstEvent); number <= ledger.eventCount; number++) {
      const event = ledger.eventAt(number);
      this.events = number;
      if (event?.kind !== EventKind.runState || (event.detail & VRS.PEND_INIT) === 0 || (event.value & VRS.PEND_INIT) !== 0) continue;
      append(this.inits, event.vcpu, { number, icount: event.icount, timeNs: event.timeNs });
    }
    if (this.entries > CROWDED) this.prune(ledger.firstExit);
  }

  private take(exit: ExitRecord): void {
    const { number, code, finalCode, vcpu, eip, csBase, icount, timeNs, address } = exit;
    this.entries += 2;
    append(this.byVcpu, vcpu, { number });
    append(this.byCode, finalCode, { number });
    if (finalCode !== code) this.moved.push({ number, from: code, to: finalCode });
    if (!isStore(exit)) return;
    const store: Store = { number, vcpu, eip, csBase, icount, timeNs };
    const lapic = lapicAccess(exit);
    if (lapic !== undefined) {
      if (exit.size === 4 && (address & 0xf) === 0) append(this.stores, lapicKey(vcpu, lapic.offset), store);
    } else if (address === IOAPIC_BASE_ADDRESS + Ioapic.IOREGSEL) this.selects.push({ number, value: exit.value & 0xff });
    else if (address === IOAPIC_BASE_ADDRESS + Ioapic.IOWIN) {
      const selected = newestOf(this.selects)?.value;
      if (selected !== undefined) append(this.stores, ioapicKey(selected), store);
    }
  }

  /** Other inputs than when it was looked last: what came after the first that differs may have come otherwise. */
  private checkInputs(): void {
    const now = this.dbg.timeline.inputs;
    const { inputs: then } = this;
    const differs = Math.max(now.length, then.length);
    let same = 0;
    while (same < differs && now[same] === then[same]) same++;
    this.inputs = now;
    if (same === differs) return;
    const { ledger } = this.dbg.machine;
    const icount = Math.min(now[same]?.at.icount ?? Number.POSITIVE_INFINITY, then[same]?.at.icount ?? Number.POSITIVE_INFINITY);
    const before = (at: { readonly icount: number } | undefined): boolean => at !== undefined && at.icount < icount;
    let exits = Math.min(this.exits, ledger.exitCount);
    let events = Math.min(this.events, ledger.eventCount);
    while (exits >= ledger.firstExit && exits > 0 && !before(ledger.exitAt(exits))) exits--;
    while (events >= ledger.firstEvent && events > 0 && !before(ledger.eventAt(events))) events--;
    this.cutTo(exits, events);
  }

  private cutTo(exits: number, events: number): void {
    this.exits = exits;
    this.events = events;
    for (const lists of [this.stores, this.byCode, this.byVcpu]) for (const list of lists.values()) cut(list, exits);
    cut(this.selects, exits);
    cut(this.moved, exits);
    for (const list of this.inits.values()) cut(list, events);
  }

  /** Of what is no longer held, only the newest of each list stays. */
  private prune(first: number): void {
    this.entries = 0;
    const keep = <T extends Numbered>(list: T[]): void => {
      const held = list.findIndex(({ number }) => number >= first);
      list.splice(0, Math.max((held < 0 ? list.length : held) - 1, 0));
    };
    for (const lists of [this.stores, this.byCode, this.byVcpu]) for (const list of lists.values()) keep(list);
    keep(this.selects);
    for (const move of this.moved) if (move.number < first) shift(this.movedBefore, move);
    this.moved = this.moved.filter(({ number }) => number >= first);
  }
}

const shift = (counts: Map<ExitCode, number>, { from, to }: Moved): void => {
  counts.set(from, (counts.get(from) ?? 0) - 1);
  counts.set(to, (counts.get(to) ?? 0) + 1);
};

const scans = new WeakMap<Debugger, LedgerScan>();

/** The ledger as of now. */
export function scanned(dbg: Debugger): Readonly<Pick<LedgerScan, 'store' | 'init' | 'newestExit' | 'exitOf' | 'shifts'>> {
  let scan = scans.get(dbg);
  if (scan === undefined) scans.set(dbg, (scan = new LedgerScan(dbg)));
  scan.update();
  return scan;
}
