/** What all requests of one debug session share: the debugger once it stands, the client's ways, and the handles that were given out. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Breakpoints, Wanted } from '../debugger/breakpoints.ts';
import type { Listings } from '../debugger/code/listing.ts';
import type { Configuration, Launch } from '../debugger/configuration.ts';
import type { Debugger } from '../debugger/debugger.ts';
import { DebuggerError } from '../debugger/error.ts';
import type { Host } from '../debugger/host.ts';
import type { CodePosition } from '../debugger/stop.ts';
import type { Frame } from '../debugger/code/frame.ts';
import type { Variable } from '../debugger/inspect/variable.ts';
import type { Arguments } from './arguments.ts';
import { Client } from './client.ts';
import { Handles } from './handles.ts';
import { Documents } from './documents.ts';
import { SeenMemory } from './seen-memory.ts';

/** What the adapter is made of. */
export interface Services {
  readonly host: Host;
  readonly launch: Launch;
  /** The attributes of a launch, understood. Throws a DebuggerError. */
  readonly parseConfiguration: (raw: Readonly<Record<string, unknown>>) => Configuration;
}

/** What a `variablesReference` stands for. */
export interface Container {
  readonly vcpu: number;
  /** Looked up whenever somebody asks. */
  readonly variables: () => readonly Variable[];
}

/** What a `locationReference` stands for. */
export type Location = CodePosition & { readonly vcpu: number };

/** A machine under a debugger, and what it was launched with. */
export interface Run {
  readonly debugger: Debugger;
  readonly configuration: Configuration;
  readonly listings: Listings;
  /** It has come to its first stop, or runs. */
  begun: boolean;
}

export class Session {
  readonly client = new Client();
  readonly documents = new Documents((source) =>
    this.send('loadedSource', { reason: 'new', source } satisfies DebugProtocol.LoadedSourceEvent['body']),
  );
  readonly seenMemory = new SeenMemory();
  readonly frames = new Handles<Frame>('frame');
  readonly containers = new Handles<Container>('variables reference');
  readonly locations = new Handles<Location>('location');
  /** Linear addresses that a vCPU may be set to. */
  readonly targets = new Handles<number>('target');
  /** The debugger's generation that the handles are of. */
  private generation = -1;

  /** The client has said who it is. */
  initialized = false;
  /** `configurationDone` has come: the machine may run. */
  configured = false;
  /** Nothing is to come any more. */
  over = false;
  /** The attributes of the last launch, as they came: for a restart. */
  attributes: Readonly<Record<string, unknown>> = {};
  /** A launch under way, or done. Settles when the machine stands, or when it is clear that it will not. Never rejects. */
  launching: Promise<void> | undefined;
  restarting = false;
  run: Run | undefined;
  /** The vCPU that was looked at last: plain addresses and expressions without a frame are its. */
  focus = 0;
  /** Breakpoints that the client knows, by id: those that a configuration or a view has set are not its own. */
  readonly known = new Set<number>();
  /** Breakpoints on instructions as they are wished for: by the listing that they were set in, and under 0 those of the disassembly. */
  readonly instructions = new Map<number, readonly (Wanted & { readonly linear: number })[]>();
  /** Of those that the client knows, the ones in listings: to a reader they are lines. */
  readonly inListings = new Set<number>();
  /** What data breakpoints watch, by data id. */
  watched: ReadonlySet<string> = new Set();
  /** Breakpoints that came before any launch, to be set when the machine stands: by kind and source. */
  readonly early = new Map<string, (breakpoints: Breakpoints) => DebugProtocol.Breakpoint[]>();

  /**
   * @param emit sends an event
   * @param leave the client goes, or has gone: ends the session and whatever carries it
   */
  constructor(
    readonly services: Services,
    private readonly emit: (event: string, body: object | undefined) => void,
    readonly leave: () => void,
  ) {}

  /** Sends an event. After the end nothing is sent any more. */
  send(event: string, body?: object): void {
    if (!this.over) this.emit(event, body);
  }

  /** A line for the debug console. */
  say(text: string, more: Partial<DebugProtocol.OutputEvent['body']> = {}): void {
    this.send('output', { category: 'console', output: `${text}\n`, ...more } satisfies DebugProtocol.OutputEvent['body']);
  }

  /** The machine and its debugger. Throws a DebuggerError while there is none. */
  private get present(): Run {
    if (this.run !== undefined) return this.run;
    throw new DebuggerError(this.over ? 'The session has ended.' : 'Nothing has been launched yet.');
  }

  /** Throws a DebuggerError while there is none. Handles of an earlier stop stand for nothing from then on. */
  get debugger(): Debugger {
    const { debugger: it } = this.present;
    if (it.generation !== this.generation) this.forget(it.generation);
    return it;
  }

  get listings(): Listings {
    return this.present.listings;
  }

  /** The debugger, with its machine standing still. Throws a DebuggerError. */
  get standing(): Debugger {
    const { debugger: it } = this;
    if (!this.present.begun) throw new DebuggerError('The machine has not been started yet: configurationDone is to come first.');
    if (it.running) throw new DebuggerError('The machine is running; pause it first.');
    return it;
  }

  /** Throws a DebuggerError unless there is a machine that stands still. */
  mustStand(): void {
    void this.standing;
  }

  /** All handles stand for nothing from now on. */
  private forget(generation: number): void {
    this.generation = generation;
    this.frames.reset();
    this.containers.reset();
    this.locations.reset();
    this.targets.reset();
  }

  /** Does something that leaves the handles as good as they were: an edit shows in what they stand for. */
  keepingHandles<T>(edit: (it: Debugger) => T): T {
    const it = this.standing;
    const result = edit(it);
    this.generation = it.generation;
    return result;
  }

  /** The vCPU of a `threadId`. */
  vcpuOf(args: Arguments): number {
    const { machine } = this.debugger;
    return args.integer('threadId', { min: 1, max: machine.cpus }) - 1;
  }

  /** The vCPU of a `frameId`, or the one that was looked at last. */
  vcpuOfFrame(args: Arguments): number {
    const id = args.optionalInteger('frameId');
    return id === undefined ? this.focus : this.frameOf(id).vcpu;
  }
  frameOf(id: number): Frame {
    void this.debugger;
    return this.frames.get(id);
  }

  /** Another machine is what the session is about from now on; gives the one before. */
  change(run: Run): Run | undefined {
    const before = this.run;
    this.run = run;
    this.focus = 0;
    this.forget(-1);
    return before;
  }

  /** Ends everything: nothing is left running, and nothing is sent any more. */
  end(): void {
    this.over = true;
    this.run?.debugger.dispose();
    this.run = undefined;
  }
}
