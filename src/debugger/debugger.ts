/**
 * The debugger of one machine: running, stepping, going back, breakpoints, edits. What `dap/` translates, and tests drive directly.
 *
 * All vCPUs stop together. Every run goes through the timeline, so that it can be gone back from; every edit is an input of the timeline, so that a
 * repeated run repeats it. Looking (inspect/, code/) is peeking: no device notices.
 */
import { ExitCode } from '../machine/ledger/exitcode.ts';
import type { Machine } from '../machine/machine.ts';
import type { PhysicalMemory } from '../machine/memory/physical.ts';
import type { ConsoleStream } from '../machine/models/model.ts';
import type { Input } from '../machine/timeline/inputs.ts';
import { Timeline } from '../machine/timeline/timeline.ts';
import { Waiting } from '../machine/vmm/vcpu.ts';
import { Breakpoints } from './breakpoints.ts';
import type { Program } from './code/program.ts';
import { stackOf } from './code/stack.ts';
import { CodeWatch } from './code/watch.ts';
import { ConsoleFeed } from './control/console-feed.ts';
import { type BackEnd, Reverse } from './control/reverse.ts';
import { Runner } from './control/runner.ts';
import { isSegment, loadSegment } from './control/segment.ts';
import { type Caller, type StepEnd, Stepper } from './control/stepper.ts';
import { noCaller, plainStop, toldStop, waits } from './control/stops.ts';
import { BreakpointEngine, type Hit } from './engine.ts';
import { DebuggerError } from './error.ts';
import { instructionWords } from './code/instruction-words.ts';
import { explainEnded, explainHits, type StopContext } from './explain-stop.ts';
import type { Host } from './host.ts';
import { Session, type SessionStop } from './session.ts';
import type { CodePosition, Stop } from './stop.ts';
import { Subject } from './subject.ts';

export type StepKind = 'in' | 'over' | 'out';
export interface StepRequest {
  readonly vcpu: number;
  readonly kind: StepKind;
  /** By source line, where the code has one; by instruction else. */
  readonly by: 'line' | 'instruction';
  /** Only this vCPU runs, the others stand still. */
  readonly alone?: boolean;
}

/** A line of a log point or of an exit or IPI that is logged. */
export interface LogLine {
  readonly text: string;
  readonly vcpu: number;
  readonly at: CodePosition;
}

/** Who is told of what happens while the machine runs. All optional. */
export interface Listeners {
  onLog?(line: LogLine): void;
  /** Bytes of a console, gathered over a stretch of the run. Going back does not tell of them again. */
  onConsole?(stream: ConsoleStream, bytes: Uint8Array): void;
  /** A breakpoint has become verified, or has got another place: by id. */
  onBreakpoint?(id: number): void;
  /** Registers, memory or devices were edited. */
  onEdit?(): void;
  /** Now and then while running: at most five times a second. */
  onProgress?(): void;
}

export interface DebuggerOptions {
  readonly machine: Machine<PhysicalMemory>;
  readonly program: Program;
  readonly host: Host;
  /** Whose breakpoints to take over, ids included: those of an earlier run of the same. */
  readonly breakpoints?: Breakpoints;
  /** Run at full speed: nothing that is set in `breakpoints` stops it. */
  readonly noDebug?: boolean;
}

export class Debugger {
  readonly machine: Machine<PhysicalMemory>;
  readonly program: Program;
  readonly timeline: Timeline;
  readonly host: Host;
  /** The machine to look at. */
  readonly view: Subject;
  readonly breakpoints: Breakpoints;
  listeners: Listeners = {};

  /** The breakpoints that count. */
  private readonly engine: BreakpointEngine;
  private readonly session: Session;
  private readonly runner: Runner;
  private readonly reverse: Reverse;
  private readonly console: ConsoleFeed;
  private readonly watch: CodeWatch;
  private isRunning = false;
  private isDisposed = false;
  private lastStop: Stop | undefined;
  private moves = 0;
  /** The last stop by a breakpoint at an instruction, which was counted then. */
  private counted: Stop | undefined;
  /** The last stop by a breakpoint at something that had just happened. */
  private atExit: Stop | undefined;
  private pausedFor: number | undefined;
  /** Revision of the breakpoints for which was decided whether to watch for new code. */
  private watchedFor = -1;

  /** The machine stands at its first instruction: before that there is no going back. */
  constructor({ machine, program, host, breakpoints, noDebug = false }: DebuggerOptions) {
    this.machine = machine;
    this.program = program.inMemory((address, length) => machine.memory.readBytes(address, length));
    this.host = host;
    this.timeline = new Timeline(machine, { every: Number.POSITIVE_INFINITY });
    this.view = new Subject(machine, this.timeline);
    this.breakpoints = new Breakpoints({ machine: this.view, program: this.program });
    if (breakpoints !== undefined) this.breakpoints.adopt(breakpoints);
    this.breakpoints.onChange = (id) => this.listeners.onBreakpoint?.(id);
    const symbols = (name: string): number | undefined => this.program.symbol(name);
    const engine = noDebug ? new BreakpointEngine(this.view, symbols) : this.breakpoints.engine;
    this.engine = engine;
    this.session = new Session(this.view, symbols, { onLog: (hit) => this.log(hit) }, engine);
    this.console = new ConsoleFeed(machine, (stream, bytes) => this.listeners.onConsole?.(stream, bytes));
    this.watch = new CodeWatch(machine.processor, this.program);
    this.runner = new Runner({
      machine,
      timeline: this.timeline,
      view: this.view,
      session: this.session,
      engine,
      console: this.console,
      watch: this.watch,
      host,
      onProgress: () => this.listeners.onProgress?.(),
      onStretch: () => this.followCopies(),
    });
    this.session.onNewCode = () => this.foundCopies();
    this.reverse = new Reverse(this.runner, this.program);
  }

  get running(): boolean {
    return this.isRunning;
  }
  /** The last stop; undefined before the first. */
  get stop(): Stop | undefined {
    return this.lastStop;
  }
  /** Counts stops and edits: what was looked up under another number is stale. */
  get generation(): number {
    return this.moves;
  }

  // ── Running ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The stop at the beginning, before the first instruction. */
  entry(): Stop {
    return this.arrived(plainStop('entry', 'Entry', this.view, this.program, 0));
  }

  /** Runs until something stops it. `alone`: only that vCPU runs. Rejects with a DebuggerError when it runs already or has ended. */
  continue({ alone }: { readonly alone?: number } = {}): Promise<Stop> {
    const vcpu = alone ?? this.lastStop?.vcpu ?? 0;
    return this.exclusively(async () => {
      const ended = this.endedSince();
      if (ended !== undefined) return ended;
      this.leave(vcpu);
      return this.alone(alone, async () => this.explain((await this.runner.on()) as SessionStop, vcpu));
    });
  }

  /** Rejects with a DebuggerError as `continue` does. */
  step(request: StepRequest): Promise<Stop> {
    const { vcpu, alone = false } = request;
    return this.exclusively(async () => {
      const { lastStop } = this;
      const ended = this.endedSince();
      if (ended !== undefined) return ended;
      // What is shown has completed: there is nothing to execute.
      if (lastStop?.at !== undefined && lastStop.vcpu === vcpu) return plainStop('step', 'Step', this.view, this.program, vcpu);
      const never = this.neverRuns(vcpu);
      if (never !== undefined) return never;
      const caller = request.kind === 'out' ? this.callerOf(vcpu) : undefined;
      if (request.kind === 'out' && caller === undefined) return noCaller(vcpu);
      this.leave(vcpu);
      return this.alone(alone ? vcpu : undefined, async () => this.explainStep(await this.stepping(request, caller), vcpu));
    });
  }

  private stepping({ vcpu, kind, by }: StepRequest, caller: Caller | undefined): Promise<StepEnd> {
    const stepper = new Stepper(this.runner, this.program, vcpu);
    const { eip, csBase } = this.view.position(vcpu);
    const hasLines = by === 'line' && this.program.placeAt((csBase + eip) >>> 0) !== undefined;
    if (caller !== undefined) return stepper.out(caller);
    if (hasLines) return stepper.line(kind === 'over');
    return kind === 'over' ? stepper.over() : stepper.into();
  }

  /** To before the last instruction (or line) of that vCPU; at the beginning of the recording: stays there and says so. */
  stepBack({ vcpu, by }: { readonly vcpu: number; readonly by: 'line' | 'instruction' }): Promise<Stop> {
    return this.exclusively(async () => {
      const { eip, csBase } = this.view.position(vcpu);
      const hasLines = by === 'line' && this.program.placeAt((csBase + eip) >>> 0) !== undefined;
      const end = await (hasLines ? this.reverse.line(vcpu) : this.reverse.instruction(vcpu));
      return this.explainBack(end, vcpu, 'step');
    });
  }

  /** To the latest earlier stop of any enabled breakpoint or filter, else to the beginning of the recording. */
  reverseContinue(): Promise<Stop> {
    return this.exclusively(async () => {
      const { lastStop } = this;
      const vcpu = lastStop?.vcpu ?? 0;
      this.session.left = undefined;
      return this.explainBack(await this.reverse.toEarlierStop(lastStop !== this.atExit), vcpu, 'entry');
    });
  }

  /** Asks a run or a search under way to end soon, with a stop for `vcpu`. Does nothing when nothing runs. */
  pause(vcpu?: number): void {
    if (!this.isRunning) return;
    this.pausedFor = vcpu;
    this.runner.pause();
  }

  // ── Looking and editing ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What a vCPU is shown at: `stop.at` where it applies, else its next instruction. */
  position(vcpu: number): CodePosition {
    const { lastStop } = this;
    return !this.isRunning && lastStop?.at !== undefined && lastStop.vcpu === vcpu ? lastStop.at : this.view.position(vcpu);
  }

  /**
   * Edits the machine's state, logged. A segment register's base, limit and access follow from its selector, as when the guest loads it.
   * Throws an InputError when the machine cannot take it; a DebuggerError while it runs, or for a selector that cannot be loaded.
   */
  edit(input: Input): void {
    if (this.isDisposed) throw new DebuggerError('The machine is gone: the session has ended.');
    if (this.isRunning) throw new DebuggerError('The machine runs: pause it first.');
    const segment = input.kind === 'register' && isSegment(input.name);
    for (const one of segment ? loadSegment(this.view, input.vcpu, input.name, input.value) : [input]) this.input(one);
    if (
      this.lastStop?.at !== undefined &&
      input.kind === 'register' &&
      /^(?:cs|[er]?ip)/i.test(input.name) &&
      input.vcpu === this.lastStop.vcpu
    ) {
      const { at: _, ...rest } = this.lastStop;
      this.lastStop = rest;
    }
    this.moves++;
    this.listeners.onEdit?.();
  }
  private input(input: Input): void {
    this.timeline.input(input);
    this.console.anotherCourse();
  }

  /** Lets go of the machine. A run under way ends. */
  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.runner.pause();
    this.listeners = {};
    if (!this.isRunning) this.release();
  }
  private release(): void {
    this.watch.enabled = false;
    this.machine.onConsole = undefined;
    Object.assign(this.machine.observers, { onExit: undefined, onIpi: undefined, onEvent: undefined });
    this.timeline.dispose();
  }

  // ── What running is made of ────────────────────────────────────────────────────────────────────────────────────────────────────

  private async exclusively(work: () => Promise<Stop>): Promise<Stop> {
    if (this.isDisposed) throw new DebuggerError('The machine is gone: the session has ended.');
    if (this.isRunning) throw new DebuggerError('The machine runs already.');
    this.isRunning = true;
    this.pausedFor = undefined;
    this.runner.begin();
    this.followCopies();
    try {
      const stop = await work();
      this.isRunning = false;
      return this.arrived(stop);
    } finally {
      this.isRunning = false;
      if (this.isDisposed) this.release();
    }
  }
  private arrived(stop: Stop): Stop {
    this.console.flush();
    this.lastStop = stop;
    this.moves++;
    return stop;
  }

  /** The machine has ended: a stop that says so, if the last one did not; else there is nowhere to go. */
  private endedSince(): Stop | undefined {
    const { end } = this.machine;
    if (end === undefined) return undefined;
    if (this.lastStop?.reason === 'end') throw new DebuggerError('The machine has ended: it can only go back.');
    return explainEnded(end, this.context);
  }

  /** A breakpoint at the instruction that a vCPU is shown at has stopped it there already. */
  private leave(vcpu: number): void {
    const { eip, csBase } = this.view.position(vcpu);
    const linear = (csBase + eip) >>> 0;
    const shown = this.lastStop?.vcpu === vcpu && this.lastStop.at === undefined;
    const set = this.engine.instructionAddresses().has(linear);
    this.session.left = shown && set ? { vcpu, linear, ran: this.view.ranAt(vcpu), counted: this.lastStop === this.counted } : undefined;
  }

  /** Does something while only one vCPU runs. */
  private async alone<T>(vcpu: number | undefined, work: () => Promise<T>): Promise<T> {
    if (vcpu === undefined) return work();
    this.input({ kind: 'only', vcpu });
    try {
      return await work();
    } finally {
      this.input({ kind: 'only', vcpu: -1 });
    }
  }

  /** A stop for a vCPU that runs no code, and cannot be waited for. */
  private neverRuns(vcpu: number): Stop | undefined {
    const v = this.machine.vm.vcpu(vcpu);
    const waiting = waits(this.view, this.program, vcpu);
    const starts = this.machine.vm.mayWake(v);
    if (waiting === undefined || starts || (v.active && v.waiting === Waiting.hlt)) return undefined;
    return toldStop('step', vcpu, waiting.words, waiting.sentence);
  }

  /** Where a step out goes to. Undefined where nothing on the stack looks like a return address. */
  private callerOf(vcpu: number): Caller | undefined {
    for (const { kind, depth, linear, esp } of stackOf(this, vcpu))
      if (kind === 'code' && depth > 0 && esp !== undefined) return { linear, esp };
    return undefined;
  }

  /** New code is watched for while breakpoints on lines or symbols are set, which are meant in copies of the ROM as well. */
  private followCopies(): void {
    const { engine, watch } = this;
    if (engine.revision !== this.watchedFor) {
      this.watchedFor = engine.revision;
      watch.enabled = engine.breakpoints.some(({ trigger }) => trigger.kind === 'instruction' && trigger.named === true);
    }
    this.foundCopies();
  }
  /** Has the guest copied code, or has a copy gone? Then breakpoints have gone there as well. */
  private foundCopies(): boolean {
    if (!this.watch.take()) return false;
    this.breakpoints.refresh();
    return true;
  }

  private log({ log = '', focus }: Hit): void {
    const { exit, ipi, event } = focus;
    const at = exit ?? ipi ?? event ?? this.view.position(focus.vcpu);
    this.listeners.onLog?.({ text: log, vcpu: focus.vcpu, at: { eip: at.eip, csBase: at.csBase } });
  }

  // ── Explaining ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  private get context(): StopContext {
    const { machine, program, view } = this;
    return {
      ledger: machine.ledger,
      program,
      profile: machine.profile,
      instruction: (vcpu) => instructionWords(view, program, vcpu),
      register: (vcpu, name) => view.register(vcpu, name),
    };
  }

  private explainStep(end: StepEnd, vcpu: number): Stop {
    switch (end.kind) {
      case 'stepped':
      case 'waits':
        return plainStop('step', 'Step', this.view, this.program, vcpu);
      default:
        return this.explain(end, vcpu);
    }
  }

  private explainBack(end: BackEnd, vcpu: number, atStart: 'step' | 'entry'): Stop {
    switch (end.kind) {
      case 'back':
        return plainStop('step', 'Step back', this.view, this.program, vcpu);
      case 'start':
        return atStart === 'step'
          ? toldStop('step', vcpu, 'Nothing before', `vCPU${vcpu} has executed nothing before this since the recording began.`)
          : toldStop(
              'entry',
              vcpu,
              'Beginning of the recording',
              'Nothing stopped the machine before: this is the beginning of the recording.',
            );
      default:
        return this.explain(end, vcpu);
    }
  }

  private explain(stop: SessionStop, vcpu: number): Stop {
    switch (stop.kind) {
      case 'end': {
        const ended = explainEnded(stop.end, this.context);
        return { ...ended, breakpoints: stop.hits.map(({ id }) => id) };
      }
      case 'breakpoint': {
        const explained = this.withPlace(explainHits(stop.hits, this.context));
        if (stop.hits.some(({ breakpoint }) => breakpoint.trigger.kind === 'instruction')) this.counted = explained;
        else this.atExit = explained;
        return explained;
      }
      case 'alone': {
        const words = waits(this.view, this.program, vcpu)?.sentence ?? '';
        return toldStop(
          'step',
          vcpu,
          'Waits for vCPUs that stand still',
          `${words} Nothing that is armed can wake it: only the vCPUs that stand still could.`,
        );
      }
      default:
        return plainStop('pause', 'Paused', this.view, this.program, this.pausedFor ?? vcpu);
    }
  }

  /** What is shown is the instruction that exited, unless the vCPU was started meanwhile or is still there. */
  private withPlace(stop: Stop): Stop {
    const { at, ...rest } = stop;
    if (at === undefined) return stop;
    const now = this.view.position(stop.vcpu);
    const elsewhere = stop.exit?.code === ExitCode.RUN_STATE || (now.eip === at.eip && now.csBase === at.csBase);
    return elsewhere ? rest : stop;
  }
}
