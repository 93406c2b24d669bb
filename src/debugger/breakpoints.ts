/**
 * All breakpoints of a debugger, as its surfaces set them: each `set…` replaces what was set before by the same one. Whatever its kind, a breakpoint
 * becomes a trigger of the one engine.
 *
 * A wish that is set again keeps its id; when nothing about it has changed, its hit count too. What cannot be is kept as well, unverified, with the
 * reason: another program may have it (`adopt`).
 */
import { baseName } from './code/file-names.ts';
import { hex } from '../machine/base/bits.ts';
import { ExitCode } from '../machine/ledger/exitcode.ts';
import { exitCodeName, exitCodeNamed } from '../machine/ledger/words.ts';
import { type Breakpoint, BreakpointError, parseBreakpoint, parseHits, type Program as Names, type Trigger } from './breakpoint.ts';
import type { Program } from './code/program.ts';
import { EXIT_GROUPS } from './constants.ts';
import { type Arming, BreakpointEngine, type HitKind, type Mode } from './engine.ts';
import { DebuggerError } from './error.ts';
import { checkNames } from './evaluate.ts';
import { type Expression, parseExpression } from './expression.ts';
import { FILTERS, type Filter, filterTrigger } from './filters.ts';
import { ExpressionError } from './lexer.ts';
import { checkLogMessage, type LogMessage, parseLogMessage } from './logmessage.ts';
import { didYouMean, suggest } from './nearest.ts';
import { MachineScope, type MachineView } from './scope.ts';
import type { CodePosition } from './stop.ts';
import { type DataAccess, type Watchable, watchable, watchableAt, watchableOf } from './watch.ts';

export type { Filter, Mode, Watchable };

/** What any breakpoint may have besides. */
export interface Wanted {
  readonly condition?: string | undefined;
  /** `3`, `>5`, `>=2`, `%10`. */
  readonly hitCondition?: string | undefined;
  /** Text with {expressions}: it is logged instead of stopping. */
  readonly logMessage?: string | undefined;
  readonly mode?: Mode | undefined;
}

/** What became of a wish. `verified` false: it will never stop, and `message` says why. */
export interface BreakpointStatus {
  readonly id: number;
  readonly verified: boolean;
  readonly message?: string;
  /** Source breakpoints: the line it went to (that of the next instruction). */
  readonly line?: number;
  /** Linear address, u32, of the instruction. */
  readonly linear?: number;
}

const EXIT_ACTIONS = ['off', 'break', 'log', 'both'] as const;
/** What the VM Exits view has chosen for an exit code. */
export type ExitAction = (typeof EXIT_ACTIONS)[number];

/** What is wished for, apart from what any breakpoint may have. */
type Wish =
  | { readonly kind: 'source'; readonly path: string; readonly line: number }
  | { readonly kind: 'instruction'; readonly linear: number }
  | { readonly kind: 'function'; readonly text: string }
  | { readonly kind: 'data'; readonly dataId: string; readonly access: DataAccess }
  | { readonly kind: 'filter'; readonly filter: string }
  | { readonly kind: 'exits'; readonly code: string; readonly action: ExitAction }
  /** Without a text: every IPI is logged. */
  | { readonly kind: 'ipis'; readonly text?: string }
  | { readonly kind: 'apEntry' };

/** What makes it the same wish when it is set again. */
function keyOf(wish: Wish): string {
  switch (wish.kind) {
    case 'source':
      return `${wish.line} ${wish.path}`;
    case 'instruction':
      return String(wish.linear);
    case 'function':
      return wish.text.trim();
    case 'data':
      return `${wish.access} ${wish.dataId}`;
    case 'filter':
      return wish.filter;
    case 'exits':
      return wish.code;
    case 'ipis':
      return wish.text ?? '';
    case 'apEntry':
      return '';
  }
}

interface Definition {
  readonly id: number;
  readonly wish: Wish;
  readonly wanted: Wanted;
  readonly status: BreakpointStatus;
  /** Absent: unverified. */
  readonly armed?: { readonly breakpoint: Breakpoint; readonly how: Arming } | undefined;
  /** Its addresses without those in copies; absent: copies do not matter to it. */
  readonly named?: readonly number[] | undefined;
}

/** What a wish comes to in the present program. */
interface Resolved {
  readonly text: string;
  readonly trigger: Trigger;
  readonly condition?: Expression | undefined;
  readonly hits?: Breakpoint['hits'];
  readonly line?: number;
  readonly message?: string;
}

const DATA_ACCESS: Readonly<Record<DataAccess, string>> = { read: 'r', write: 'w', readWrite: 'rw' };

const filled = (text: string | undefined): string | undefined => (text === undefined || text.trim() === '' ? undefined : text);

const fail = (message: string): never => {
  throw new BreakpointError(message);
};

export interface BreakpointsOptions {
  readonly machine: MachineView;
  readonly program: Program;
}

export class Breakpoints {
  readonly engine: BreakpointEngine;
  readonly filters: readonly Filter[] = FILTERS;
  /** A breakpoint has become verified, or has got another place, other than by being set: by id. */
  onChange: ((id: number) => void) | undefined;

  private readonly machine: MachineView;
  private readonly program: Program;
  private definitions: readonly Definition[] = [];
  private nextId = 1;

  /** Nothing is set at first, no filter either. */
  constructor({ machine, program }: BreakpointsOptions) {
    this.machine = machine;
    this.program = program;
    this.engine = new BreakpointEngine(machine, (name) => program.symbol(name));
  }

  setSource(path: string, wanted: readonly (Wanted & { readonly line: number })[]): BreakpointStatus[] {
    return this.replace(
      (wish) => wish.kind === 'source' && wish.path === path,
      wanted.map(({ line, ...rest }) => [{ kind: 'source', path, line }, rest]),
    );
  }
  setInstructions(wanted: readonly (Wanted & { readonly linear: number })[]): BreakpointStatus[] {
    return this.replaceKind(
      'instruction',
      wanted.map(({ linear, ...rest }) => [{ kind: 'instruction', linear: linear >>> 0 }, rest]),
    );
  }
  /** `text` in the grammar of breakpoint.ts. */
  setFunctions(wanted: readonly (Wanted & { readonly text: string })[]): BreakpointStatus[] {
    return this.replaceKind(
      'function',
      wanted.map(({ text, ...rest }) => [{ kind: 'function', text }, rest]),
    );
  }
  setData(wanted: readonly (Wanted & { readonly dataId: string; readonly access: DataAccess })[]): BreakpointStatus[] {
    return this.replaceKind(
      'data',
      wanted.map(({ dataId, access, ...rest }) => [{ kind: 'data', dataId, access }, rest]),
    );
  }
  setFilters(wanted: readonly (Wanted & { readonly filter: string })[]): BreakpointStatus[] {
    return this.replaceKind(
      'filter',
      wanted.map(({ filter, ...rest }) => [{ kind: 'filter', filter }, rest]),
    );
  }

  /**
   * By exit code name (`INST_EMUL`) or group (`mmio`); codes that are not named stay as they are. Throws a DebuggerError for a name that is none, and
   * changes nothing then.
   */
  setExits(actions: Readonly<Record<string, ExitAction>>): void {
    const chosen = new Map<string, ExitAction>();
    for (const { wish } of this.definitions) if (wish.kind === 'exits') chosen.set(wish.code, wish.action);
    for (const [name, action] of Object.entries(actions)) {
      if (!EXIT_ACTIONS.includes(action)) throw new DebuggerError(`"${action}" for ${name} is not off, break, log or both.`);
      for (const code of exitCodes(name)) chosen.set(exitCodeName(code), action);
    }
    const wishes = [...chosen].filter(([, action]) => action !== 'off');
    this.replaceKind(
      'exits',
      wishes.map(([code, action]) => [{ kind: 'exits', code, action }, {}]),
    );
  }
  /** Throws a DebuggerError for a name that is no exit code. */
  exitAction(code: string): ExitAction {
    const [number] = exitCodes(code, false);
    const name = exitCodeName(number as number);
    for (const { wish } of this.definitions) if (wish.kind === 'exits' && wish.code === name) return wish.action;
    return 'off';
  }

  /**
   * Log every IPI; break on those named in the grammar without `ipi:` (`SIPI->1=refused`). What is absent stays as it is. Throws a DebuggerError, and
   * changes nothing then.
   */
  setIpis({ break: on, log }: { readonly break?: readonly string[]; readonly log?: boolean }): void {
    const texts = on?.map((text) => text.trim().replace(/^ipi:/i, ''));
    for (const text of texts ?? []) {
      try {
        this.parse(`ipi:${text}`);
      } catch (error) {
        throw new DebuggerError(this.reason(error));
      }
    }
    const before = this.definitions.flatMap(({ wish }) => (wish.kind === 'ipis' ? [wish] : []));
    const wishes: Wish[] = [
      ...(log === undefined ? before.filter(({ text }) => text === undefined) : log ? [{ kind: 'ipis' } as const] : []),
      ...(texts === undefined ? before.filter(({ text }) => text !== undefined) : texts.map((text) => ({ kind: 'ipis', text }) as const)),
    ];
    this.replaceKind(
      'ipis',
      wishes.map((wish) => [wish, {}]),
    );
  }

  /** Stop before the first instruction of an application processor, each time it is started. */
  get stopOnApEntry(): boolean {
    return this.definitions.some(({ wish }) => wish.kind === 'apEntry');
  }
  set stopOnApEntry(stop: boolean) {
    this.replaceKind('apEntry', stop ? [[{ kind: 'apEntry' }, {}]] : []);
  }

  /** What an expression or variable names that can be watched; a DebuggerError says why it cannot be. */
  watchable(expression: string): Watchable {
    return watchable(expression, this.names);
  }
  /** The same for a guest-physical address, `bytes` long: device registers only. `0xFEE00304` is part of ICR_LO. */
  watchableAt(address: number, bytes: number): Watchable {
    return watchableAt(address, bytes);
  }

  /** Takes over everything that another debugger (of an earlier run) had, with the same ids: resolved anew in this program, counted from 0. */
  adopt(other: Breakpoints): void {
    this.nextId = Math.max(this.nextId, other.nextId);
    this.definitions = other.definitions.map(({ id, wish, wanted }) => this.define(id, wish, wanted));
    this.rearm(new Set());
    for (const { id, status } of this.definitions) if (!sameStatus(status, other.status(id))) this.onChange?.(id);
  }

  /**
   * The guest may have copied code of its ROM elsewhere, or overwritten a copy: breakpoints on lines and symbols follow. Tells whether
   * `engine.instructionAddresses()` changed.
   */
  refresh(): boolean {
    const before = this.engine.instructionAddresses();
    let changed = false;
    const definitions = this.definitions.map((definition) => {
      const { named, armed } = definition;
      const trigger = armed?.breakpoint.trigger;
      if (named === undefined || armed === undefined || trigger?.kind !== 'instruction') return definition;
      const linear = this.withCopies(named);
      if (linear.length === trigger.linear.length && linear.every((address) => trigger.linear.includes(address))) return definition;
      changed = true;
      return { ...definition, armed: { ...armed, breakpoint: { ...armed.breakpoint, trigger: { ...trigger, linear } } } };
    });
    if (!changed) return false;
    this.definitions = definitions;
    this.rearm(new Set(definitions.map(({ id }) => id)));
    return this.engine.instructionAddresses() !== before;
  }

  /** Is anything on a line or symbol, so that copies of the code have to be looked for while the machine runs? */
  get followsCopies(): boolean {
    return this.definitions.some(({ named }) => named !== undefined);
  }

  status(id: number): BreakpointStatus | undefined {
    return this.definitions.find((d) => d.id === id)?.status;
  }
  /** Where a breakpoint is, for log lines and lists. */
  place(id: number): CodePosition | undefined {
    const linear = this.status(id)?.linear;
    return linear === undefined ? undefined : { eip: linear, csBase: 0 };
  }

  private replaceKind(kind: HitKind, wishes: readonly (readonly [Wish, Wanted])[]): BreakpointStatus[] {
    return this.replace((wish) => wish.kind === kind, wishes);
  }

  /** Replaces all wishes that `mine` picks. */
  private replace(mine: (wish: Wish) => boolean, wishes: readonly (readonly [Wish, Wanted])[]): BreakpointStatus[] {
    const before = new Map<string, Definition[]>();
    for (const definition of this.definitions) {
      if (!mine(definition.wish)) continue;
      const key = keyOf(definition.wish);
      before.set(key, [...(before.get(key) ?? []), definition]);
    }
    const others = this.definitions.filter(({ wish }) => !mine(wish));
    const counted = new Set(others.map(({ id }) => id));
    const set = wishes.map(([wish, wanted]) => {
      const old = before.get(keyOf(wish))?.shift();
      const id = old?.id ?? this.nextId++;
      if (old !== undefined && sameWanted(old.wanted, wanted)) counted.add(id);
      return this.define(id, wish, wanted);
    });
    this.definitions = [...others, ...set];
    this.rearm(counted);
    return set.map(({ status }) => status);
  }

  private rearm(counted: ReadonlySet<number>): void {
    this.engine.replaceAll(
      this.definitions.flatMap(({ armed }) => (armed === undefined ? [] : [armed])),
      counted,
    );
  }

  private define(id: number, wish: Wish, wanted: Wanted): Definition {
    try {
      const { text, trigger: found, line, message, ...own } = this.resolve(wish);
      const condition = both(own.condition, this.condition(wanted.condition));
      if (condition !== undefined) this.checked('condition', () => checkNames(condition, this.scope));
      const hitCondition = filled(wanted.hitCondition);
      const hits = hitCondition === undefined ? own.hits : parseHits(hitCondition, true);
      const log = this.log(wish, wanted);
      const named = found.kind === 'instruction' && found.named ? found.linear : undefined;
      const trigger = named === undefined ? found : { ...found, linear: this.withCopies(named) };
      const how: Arming = {
        id,
        kind: wish.kind,
        ...(wish.kind === 'filter' ? { filter: wish.filter } : {}),
        ...(wanted.mode === undefined ? {} : { mode: wanted.mode }),
        ...(log === undefined ? {} : { log }),
        ...(wish.kind === 'exits' && wish.action === 'both' ? { stops: true } : {}),
      };
      const linear = found.kind === 'instruction' ? found.linear[0] : undefined;
      const status: BreakpointStatus = {
        id,
        verified: true,
        ...(message === undefined ? {} : { message }),
        ...(line === undefined ? {} : { line }),
        ...(linear === undefined ? {} : { linear }),
      };
      return { id, wish, wanted, status, armed: { breakpoint: { text, trigger, condition, hits }, how }, named };
    } catch (error) {
      return { id, wish, wanted, status: { id, verified: false, message: this.reason(error) } };
    }
  }

  /** Throws a BreakpointError when there is no such thing. */
  private resolve(wish: Wish): Resolved {
    const { program } = this;
    switch (wish.kind) {
      case 'source': {
        const { path, line } = wish;
        const found = program.lineAddress(path, line);
        const text = `${baseName(path)}:${line}`;
        if (found) return { text, trigger: { kind: 'instruction', linear: [found.linear], named: true }, line: found.line };
        if (program.assembled === undefined)
          return fail(`${text}: ${baseName(program.file)} was not assembled from source, so no lines are known.`);
        return fail(
          baseName(path) === baseName(program.file)
            ? `There is no code at or after line ${line} of ${baseName(path)}.`
            : `${baseName(path)} is not what is debugged; ${baseName(program.file)} is.`,
        );
      }
      case 'instruction':
        return { text: hex(wish.linear, 8), trigger: { kind: 'instruction', linear: [wish.linear] } };
      case 'function':
        return this.parse(wish.text);
      case 'data': {
        const parsed = this.parse(`${wish.dataId}:${DATA_ACCESS[wish.access]}`);
        const watched = watchableOf(parsed.trigger) ?? fail(`"${wish.dataId}" is no device register.`);
        return { ...parsed, text: watched.description, message: watched.description };
      }
      case 'filter': {
        const trigger =
          filterTrigger(wish.filter) ??
          fail(
            `There is no filter "${wish.filter}".${suggest(
              wish.filter,
              FILTERS.map((f) => f.filter),
              { Filters: FILTERS.map((f) => f.filter) },
            )}`,
          );
        return { text: FILTERS.find((f) => f.filter === wish.filter)!.label, trigger };
      }
      case 'exits':
        return this.parse(`exit:${wish.code}`);
      case 'ipis':
        return this.parse(`ipi:${wish.text ?? '*'}`);
      case 'apEntry':
        return { text: 'AP entry', trigger: { kind: 'apEntry' } };
    }
  }

  private log({ kind, ...wish }: Wish, { logMessage }: Wanted): Arming['log'] {
    if (kind === 'exits' && (wish as { action: ExitAction }).action !== 'break') return 'sentence';
    if (kind === 'ipis' && (wish as { text?: string }).text === undefined) return 'sentence';
    const text = filled(logMessage);
    if (text === undefined) return undefined;
    return this.checked('log message', () => {
      const message: LogMessage = parseLogMessage(text);
      checkLogMessage(message, this.scope);
      return message;
    });
  }

  private condition(text: string | undefined): Expression | undefined {
    const condition = filled(text);
    return condition === undefined ? undefined : this.checked('condition', () => parseExpression(condition));
  }

  private checked<T>(what: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (error instanceof ExpressionError) return fail(`In the ${what}, column ${error.column}: ${error.message}`);
      throw error;
    }
  }

  private parse(text: string): Breakpoint {
    const parsed = parseBreakpoint(text, this.names);
    const { condition } = parsed;
    if (condition !== undefined) this.checked('condition', () => checkNames(condition, this.scope));
    return parsed;
  }

  private withCopies(linear: readonly number[]): readonly number[] {
    return [...new Set(linear.flatMap((address) => [address, ...this.program.copiesOf(address)]))];
  }

  private get scope(): MachineScope {
    return new MachineScope(this.machine, { vcpu: 0 }, (name) => this.program.symbol(name));
  }

  /** The program, as the grammar sees it. */
  private get names(): Names {
    const { program, machine } = this;
    return {
      vcpuCount: machine.vcpuCount,
      symbol: (name) => program.labelAddress(name),
      symbols: () => program.symbols(),
      file: program.file,
      ...(program.assembled === undefined ? {} : { line: (file, line) => program.lineAddress(file, line)?.linear }),
    };
  }

  /** Why something cannot be; what is no such reason is thrown on. */
  private reason(error: unknown): string {
    if (error instanceof BreakpointError || error instanceof DebuggerError) return error.message;
    throw error;
  }
}

const both = (a: Expression | undefined, b: Expression | undefined): Expression | undefined =>
  a === undefined || b === undefined ? (a ?? b) : { kind: 'binary', operator: '&&', left: a, right: b, column: 1 };

const sameWanted = (a: Wanted, b: Wanted): boolean =>
  (['condition', 'hitCondition', 'logMessage'] as const).every((key) => filled(a[key]) === filled(b[key])) &&
  (a.mode ?? 'any') === (b.mode ?? 'any');

const sameStatus = (a: BreakpointStatus, b: BreakpointStatus | undefined): boolean =>
  b !== undefined && a.verified === b.verified && a.message === b.message && a.line === b.line && a.linear === b.linear;

/** The exit codes of a name: one, or those of a group (MMIO in capitals is the code). Throws a DebuggerError for a name that is none. */
function exitCodes(name: string, groups = true): readonly number[] {
  const group = groups && !Object.hasOwn(ExitCode, name) ? EXIT_GROUPS.get(name.toLowerCase()) : undefined;
  if (group !== undefined) return group;
  const code = exitCodeNamed(name);
  if (code !== undefined) return [code];
  const candidates = [...Object.keys(ExitCode), ...(groups ? EXIT_GROUPS.keys() : [])];
  const near = didYouMean(name, candidates);
  throw new DebuggerError(`"${name}" is no exit code${groups ? ' or group' : ''}.${near || ` All are: ${candidates.join(', ')}.`}`);
}
