/** Runs a machine to its end for the command line: console, expectations, trace, progress, Ctrl-C. */
import { BreakpointError, parseBreakpoint } from '../debugger/breakpoint.ts';
import { Session, type Watchers } from '../debugger/session.ts';
import { Subject } from '../debugger/subject.ts';
import type { Machine, MachineOptions as MachineConfig } from '../machine/machine.ts';
import { modelNamed } from '../machine/models/index.ts';
import { profileNamed } from '../machine/profiles/index.ts';
import { VRS } from '../machine/vmm/runstate.ts';
import { type Vcpu, Waiting } from '../machine/vmm/vcpu.ts';
import type { MachineOptions, RunOptions } from './args.ts';
import { UsageError } from './errors.ts';
import type { Finished, Stopped, VcpuNow } from './finished.ts';
import type { Io } from './io.ts';
import { header, statusOf, summary, summaryJson, traceExit, traceIpi } from './report.ts';
import type { Program } from '../debugger/code/program.ts';
import { cut, grouped } from './table.ts';
import { span } from '../debugger/explain.ts';
import { TextWatch } from './textwatch.ts';

/** Builds a machine out of the parts that the main has loaded. */
export type MakeMachine = (config: MachineConfig) => Machine;

export interface Hooks extends Watchers {
  /** A byte of the guest's console. */
  onConsole?(byte: number): void;
  /** Called now and then between two stretches of instructions: by and by a long run. */
  onProgress?(instructions: number, timeNs: number): void;
}

/** Instructions between two looks at the clock and at Ctrl-C: about 50 ms. */
const FIRST_CHUNK = 50_000;
const CHUNK_MS = 50;

export interface Execution {
  readonly rom: Program;
  readonly options: MachineOptions;
  readonly profile: string;
  readonly hooks?: Hooks;
  /** Records the ledger holds, a power of two; absent: the machine's own choice. */
  readonly exitRecords?: number;
  /** The machine stands, its breakpoints are set: gives the means to end the run early, and the ROM with the copies that the guest makes of it. */
  readonly onStart?: (end: (why: Stopped) => void, rom: Program) => void;
}

/** Runs until a breakpoint, the end, the timeout, Ctrl-C, or until somebody ends it. Throws a UsageError for a breakpoint that is none. */
export async function execute(
  { rom, options, profile, hooks = {}, exitRecords, onStart }: Execution,
  make: MakeMachine,
  io: Io,
): Promise<Finished> {
  const machine = make({
    model: modelNamed(options.model)!,
    profile: profileNamed(profile)!,
    cpus: options.cpus,
    memoryBytes: options.memory,
    rom: rom.image,
    seed: options.seed,
    ...(options.slice === undefined ? {} : { slice: options.slice }),
    ...(exitRecords === undefined ? {} : { ledger: { exits: exitRecords } }),
  });
  const subject = new Subject(machine);
  const session = new Session(subject, (name) => rom.symbol(name), hooks);
  for (const text of options.breaks) {
    try {
      const program = { vcpuCount: options.cpus, symbol: (name: string) => rom.labelAddress(name), symbols: () => rom.symbols() };
      const line = (file: string, number: number): number | undefined => rom.lineAddress(file, number)?.linear;
      session.add(parseBreakpoint(text, rom.assembled === undefined ? program : { ...program, line, file: rom.file }));
    } catch (error) {
      if (error instanceof BreakpointError) throw new UsageError(`--break ${text}: ${error.message}`);
      throw error;
    }
  }
  machine.onConsole = (_, byte) => hooks.onConsole?.(byte);

  let ended: Stopped | undefined;
  const located = rom.inMemory((address, length) => machine.memory.readBytes(address, length));
  onStart?.((why) => {
    ended ??= why;
    session.stop();
  }, located);
  const stopped = await untilStopped(session, options.timeoutNs, () => ended, hooks, io);
  const { ledger, nowNs: timeNs, instructions } = subject;
  return {
    rom: located,
    profile,
    model: options.model,
    cpus: options.cpus,
    memory: options.memory,
    seed: options.seed,
    stopped,
    ledger,
    timeNs,
    instructions,
    slice: options.slice,
    unmet: session.unmet(),
    vcpus: machine.vm.vcpus.map((v) => ({ ...subject.position(v.id), cs: subject.register(v.id, 'cs') ?? 0, ...stateOf(v) })),
  };
}

function stateOf({ active, runState, waiting }: Vcpu): Pick<VcpuNow, 'state' | 'runState'> {
  if (!active) return { state: 'not created', runState };
  if (waiting === Waiting.hlt) return { state: 'halted', runState };
  if ((runState & VRS.RUN) !== 0) return { state: 'running', runState };
  return { state: (runState & VRS.INIT) !== 0 ? 'waits for SIPI' : 'never started', runState };
}

async function untilStopped(session: Session, timeoutNs: number, ended: () => Stopped | undefined, hooks: Hooks, io: Io): Promise<Stopped> {
  let chunk = FIRST_CHUNK;
  for (;;) {
    const before = io.nowMs();
    const stop = session.run(chunk, timeoutNs);
    const early = ended();
    // What the console was waited for counts before an end that came with the same instruction.
    if (early !== undefined && stop?.kind !== 'breakpoint') return early;
    if (stop?.kind === 'end' || stop?.kind === 'breakpoint') return stop;
    if (stop?.kind === 'time') return { kind: 'timeout' };
    const took = io.nowMs() - before;
    if (took < CHUNK_MS / 2) chunk = Math.min(chunk * 2, 100_000_000);
    else if (took > CHUNK_MS * 2) chunk = Math.max(Math.floor(chunk / 2), 1_000);
    hooks.onProgress?.(session.machine.instructions, session.machine.nowNs);
    await io.breathe();
    if (io.interrupted()) return { kind: 'interrupted' };
  }
}

/** How often a line of progress is drawn, and after what time the first one. */
const PROGRESS_MS = 250;
const FIRST_PROGRESS_MS = 1_000;

/** A line on the terminal that tells of a long run, and goes away. */
export function progress(io: Io): { draw(instructions: number, timeNs: number): void; clear(): void } {
  const start = io.nowMs();
  let last = start + FIRST_PROGRESS_MS - PROGRESS_MS;
  let shown = false;
  return {
    draw: (instructions, timeNs) => {
      const now = io.nowMs();
      if (!io.stderrIsTTY || now - last < PROGRESS_MS) return;
      last = now;
      shown = true;
      const rate = instructions / Math.max(now - start, 1) / 1_000;
      const { dot, ellipsis } = io.paint.sign;
      const parts = [
        `${grouped(instructions)} instructions`,
        `${span(timeNs)} of virtual time`,
        `${rate.toFixed(1)} million a second`,
        'Ctrl-C ends it',
      ];
      io.stderr(`\r\x1b[K${io.paint.dim(cut(parts.join(` ${dot} `), io.paint.width - 1, ellipsis))}`);
    },
    clear: () => {
      if (shown) io.stderr('\r\x1b[K');
      shown = false;
    },
  };
}

/** The console's last bytes that are kept for --json. */
const KEPT = 1 << 20;

/** `exitpoint run`. Gives the exit status. */
export async function run(options: RunOptions, rom: Program, make: MakeMachine, io: Io, version: string): Promise<number> {
  const { paint } = io;
  const expected = options.expect.map((text) => new TextWatch(text));
  const forbidden = options.failText.map((text) => new TextWatch(text));
  const bar = progress(io);
  const console: number[] = [];
  let pending: number[] = [];
  /** The last byte that was written to stdout. */
  let written = 10;
  let located = rom;
  let end: (why: Stopped) => void = () => {};
  /** Writes what the console has shown, or its first `count` bytes. */
  const flush = (count = pending.length): void => {
    if (count === 0) return;
    bar.clear();
    io.stdout(Uint8Array.from(pending.slice(0, count)));
    written = pending[count - 1] as number;
    pending = pending.slice(count);
  };
  /** A line about what happens, after all whole lines of the console: one that the guest is still writing appears when it is complete. */
  const note = (line: string): void => {
    flush(pending.lastIndexOf(10) + 1);
    bar.clear();
    const begun = io.stdoutIsTTY && io.stderrIsTTY && written !== 10;
    if (begun) written = 10;
    io.stderr(`${begun ? '\n' : ''}${line}\n`);
  };
  const hooks: Hooks = {
    onConsole: (byte) => {
      if (options.json) {
        console.push(byte);
        if (console.length > 2 * KEPT) console.splice(0, KEPT);
      } else {
        pending.push(byte);
        if (pending.length >= 4096) flush();
      }
      for (const watch of forbidden) if (watch.feed(byte)) end({ kind: 'failText', text: watch.text });
      let news = false;
      for (const watch of expected) if (watch.feed(byte)) news = true;
      if (news && expected.every((w) => w.found)) end({ kind: 'expected' });
    },
    onProgress: (instructions, timeNs) => {
      flush();
      bar.draw(instructions, timeNs);
    },
    ...(options.trace.has('exits') ? { onExit: (exit, ipi) => note(traceExit(exit, ipi, located, paint)) } : {}),
    ...(options.trace.has('ipis') ? { onIpi: (ipi) => note(traceIpi(ipi, located, paint)) } : {}),
  };
  const onStart = (stop: typeof end, withCopies: Program): void => {
    end = stop;
    located = withCopies;
    if (!options.json) io.stderr(`${header({ ...options, rom }, version, paint)}\n`);
  };
  const finished = await execute({ rom, options, profile: options.profile, hooks, onStart }, make, io);
  flush();
  if (!options.json && written !== 10) io.stderr('\n');
  bar.clear();
  const missing = expected.filter((w) => !w.found).map((w) => w.text);
  const status = statusOf(finished, missing);
  if (options.json) {
    const text = new TextDecoder().decode(Uint8Array.from(console.slice(-KEPT)));
    io.stdout(new TextEncoder().encode(`${JSON.stringify(summaryJson(finished, missing, text, status), null, 2)}\n`));
  } else {
    for (const line of summary(finished, missing, paint)) io.stderr(`${line}\n`);
  }
  return status;
}
