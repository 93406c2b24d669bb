/**
 * A whole machine: processor, memory, chips and the VMM beneath them, under one roof.
 *
 * Deterministic: the same options give the same run. Everything outside talks to it through `run`, the observers, `save` and `load`; nothing in it
 * throws because of what a guest does.
 */
import { checkState, type Stateful, type StateValue } from './base/state.ts';
import type { Processor } from './cpu/processor.ts';
import type { Device } from './devices/device.ts';
import type { Vlapic } from './devices/vlapic.ts';
import { Ledger, type LedgerSize } from './ledger/ledger.ts';
import type { ConsoleStream, GuestMemory, MachineModel, Platform, StatefulPart } from './models/model.ts';
import type { Profile } from './profiles/profile.ts';
import { VirtualClock } from './time/clock.ts';
import { ConsoleCount } from './timeline/console-count.ts';
import type { End } from './vmm/end.ts';
import { VRS } from './vmm/runstate.ts';
import { DEFAULT_SLICE, RunStop, Schedule } from './vmm/schedule.ts';
import { TimeStamp } from './vmm/tsc.ts';
import { Userspace } from './vmm/userspace.ts';
import { VieTable } from './vmm/vie-decode.ts';
import { Vm } from './vmm/vm.ts';
import { VmRun } from './vmm/vmrun.ts';

const MEBIBYTE = 0x100000;
/** 2020-01-01 00:00:00. */
const START_SECONDS = 1_577_836_800;

/** RAM a machine may have, in bytes. */
export const MEMORY_MIN = MEBIBYTE;
export const MEMORY_MAX = 3072 * MEBIBYTE;

export interface MachineOptions {
  readonly model: MachineModel;
  readonly profile: Profile;
  /** vCPUs: 1 to the profile's maxVcpus. */
  readonly cpus: number;
  /** RAM: 1 MiB to 3 GiB, a multiple of 4096. */
  readonly memoryBytes: number;
  /** The boot ROM's image; see boot/bootrom.ts for what it may be. */
  readonly rom: Uint8Array;
  /** u32. 0 (default): all slices are equal. */
  readonly seed?: number;
  /** Instructions in a vCPU's turn, 1 to 10^9; default 10,000. */
  readonly slice?: number;
  /** Time of day at power-on, seconds since 1970. */
  readonly startSeconds?: number;
  /** How many records the ledger holds. */
  readonly ledger?: Omit<LedgerSize, 'vcpus'>;
}

/** What the processor is built for. */
export interface ProcessorConfig {
  readonly vcpus: number;
  readonly memoryBytes: number;
  /** Bytes of ROM that will be mapped, whole pages. */
  readonly romBytes: number;
  readonly clock: VirtualClock;
  /** What RDTSC reads. */
  readonly tsc: TimeStamp;
}

/** A processor with the memory it runs on. */
export interface ProcessorKit<M extends GuestMemory = GuestMemory> {
  readonly processor: Processor;
  readonly memory: M;
  /** What of it is saved: registers, translation TLBs, RAM… */
  readonly stateful: readonly StatefulPart[];
}
export type ProcessorFactory<M extends GuestMemory = GuestMemory> = (config: ProcessorConfig) => ProcessorKit<M>;

/** The state of one part. */
export interface PartState {
  readonly name: string;
  readonly state: StateValue;
}

/** An option that no machine can have: one sentence with the value and what would be right. */
export class MachineError extends Error {
  override readonly name = 'MachineError';
}

/**
 * Why `run` came back: the machine ended; the limit was reached; somebody asked it to stop; a breakpoint is at the next instruction; it is the turn of
 * the vCPU that was asked for; the only vCPU that may run waits, and nothing that is armed can wake it.
 */
export type RunEnd = End | 'limit' | 'stopped' | 'breakpoint' | 'turn' | 'alone';

export interface RunLimit {
  /** At most so many instructions more, of all vCPUs together. */
  readonly instructions?: number;
  /** Until virtual time is so many ns. */
  readonly untilNs?: number;
  /** Until this vCPU is about to run. */
  readonly turnOf?: number;
}

export class Machine<M extends GuestMemory = GuestMemory> {
  // static configuration
  readonly model: MachineModel;
  readonly profile: Profile;
  readonly cpus: number;
  readonly memoryBytes: number;

  // parts
  readonly clock: VirtualClock;
  readonly ledger: Ledger;
  readonly processor: Processor;
  readonly memory: M;
  readonly vm: Vm;
  readonly platform: Platform;
  readonly schedule: Schedule;
  /** Bytes written to each console so far; going back takes them back. */
  readonly consoleCount = new ConsoleCount();
  /** The whole state, part by part, in the order in which it is loaded. */
  readonly stateful: readonly StatefulPart[];

  /** A byte of the guest's consoles. */
  onConsole: ((stream: ConsoleStream, byte: number) => void) | undefined;

  /**
   * Builds the machine and switches it on.
   * @throws MachineError for an option out of range; BootromError for an image that is no boot ROM
   */
  constructor(options: MachineOptions, factory: ProcessorFactory<M>) {
    checkOptions(options);
    const { model, profile, cpus, memoryBytes, rom, seed = 0, slice = DEFAULT_SLICE } = options;
    this.model = model;
    this.profile = profile;
    this.cpus = cpus;
    this.memoryBytes = memoryBytes;
    this.clock = new VirtualClock(cpus);
    this.ledger = new Ledger({ ...options.ledger, vcpus: cpus });
    const tsc = new TimeStamp(this.clock, model.tscHz, cpus);
    const romBytes = Math.ceil(rom.length / 4096) * 4096;
    const kit = factory({ vcpus: cpus, memoryBytes, romBytes, clock: this.clock, tsc });
    this.processor = kit.processor;
    this.memory = kit.memory;
    this.vm = new Vm(profile, cpus, tsc, kit.processor, this.clock, this.ledger);
    this.platform = model.build({
      vm: this.vm,
      clock: this.clock,
      memory: kit.memory,
      cpus,
      memoryBytes,
      rom,
      startSeconds: options.startSeconds ?? START_SECONDS,
      console: (stream, byte) => {
        this.consoleCount.add(stream);
        this.onConsole?.(stream, byte);
      },
    });
    for (const range of this.platform.ports) this.vm.ports.add(range);
    for (const range of this.platform.mmio) this.vm.mmio.add(range);
    const kernel = new VmRun(this.vm, new VieTable(profile.vie));
    this.schedule = new Schedule(this.vm, kernel, new Userspace(kernel), this.platform.lines, { slice, seed });
    this.stateful = [
      { name: 'clock', part: this.clock as Stateful },
      ...kit.stateful,
      { name: 'vm', part: this.vm as Stateful },
      { name: 'tsc', part: tsc as Stateful },
      { name: 'schedule', part: this.schedule as Stateful },
      { name: 'irq', part: this.platform.lines as Stateful },
      ...(this.platform.wires ?? []),
      ...this.platform.devices.map((part) => ({ name: part.name, part: part as Stateful })),
      ...this.platform.vlapics.map((part) => ({ name: part.name, part: part as Stateful })),
      { name: 'console', part: this.consoleCount as Stateful },
      { name: 'ledger', part: this.ledger as Stateful },
    ];
    this.powerOn();
  }

  /** Every chip, the local APICs included. */
  get devices(): readonly Device[] {
    return [...this.platform.devices, ...this.platform.vlapics];
  }
  get vlapics(): readonly Vlapic[] {
    return this.platform.vlapics;
  }
  /** VRS_* bits of a vCPU. */
  runState(vcpu: number): number {
    return this.vm.vcpu(vcpu).runState;
  }
  /** How the machine ended, or undefined while it can go on. */
  get end(): End | undefined {
    return this.vm.end;
  }
  /** Who is told of exits, IPIs and events, as they get their numbers' last word. */
  get observers(): Vm['observers'] {
    return this.vm.observers;
  }

  /** For an observer: the machine stops after the instruction that is being executed. */
  requestStop(): void {
    this.vm.stopRequested = true;
  }

  /** Runs on. A machine that has ended stays as it is, and gives the same End again. */
  run(limit: RunLimit = {}): RunEnd {
    const { instructions = Number.POSITIVE_INFINITY, untilNs = Number.POSITIVE_INFINITY, turnOf = -1 } = limit;
    switch (this.schedule.run(instructions, untilNs, turnOf)) {
      case RunStop.ended:
        return this.vm.end as End;
      case RunStop.limit:
        return 'limit';
      case RunStop.stopped:
        return 'stopped';
      case RunStop.breakpoint:
        return 'breakpoint';
      case RunStop.turn:
        return 'turn';
      case RunStop.alone:
        return 'alone';
    }
  }

  /** The state of every part, in order. Between two runs only; taking it changes nothing. */
  save(): PartState[] {
    return this.stateful.map(({ name, part }) => ({ name, state: part.save() }));
  }

  /**
   * Puts a saved state of a machine with the same options back.
   * @throws StateError when a part is missing or does not fit; parts before it have been loaded then
   */
  load(states: readonly PartState[]): void {
    checkState(states.length === this.stateful.length, 'machine.parts.length', states.length, String(this.stateful.length));
    this.stateful.forEach(({ name, part }, i) => {
      const saved = states[i] as PartState;
      checkState(saved.name === name, `machine.parts[${i}].name`, saved.name, name);
      part.load(saved.state);
    });
  }

  /** RESET on all vCPUs and chips. bhyve starts vCPU 0, and creates the others when the profile says so. */
  private powerOn(): void {
    const { vm, processor } = this;
    const variant = this.profile.reset === 'vcpu_reset' ? 1 : 0;
    for (const device of this.platform.devices) device.reset();
    for (const v of vm.vcpus) {
      processor.select(v.id);
      processor.reset('RESET', variant);
      v.active = v.id === 0 || this.profile.unstartedApsActive;
      v.runState = v.id === 0 ? VRS.RUN : VRS.HALT;
    }
    processor.select(0);
  }
}

const checkOptions = ({ cpus, memoryBytes, slice = DEFAULT_SLICE, seed = 0, profile }: MachineOptions): void => {
  const { maxVcpus, name } = profile;
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > maxVcpus)
    throw new MachineError(`${cpus} CPUs: profile ${name} allows 1 to ${maxVcpus}`);
  if (!Number.isInteger(memoryBytes) || memoryBytes < MEMORY_MIN || memoryBytes > MEMORY_MAX || memoryBytes % 4096 !== 0)
    throw new MachineError(
      `${memoryBytes} bytes of memory: a machine has 1 MiB (${MEMORY_MIN}) to 3 GiB (${MEMORY_MAX}), in multiples of 4096`,
    );
  if (!Number.isInteger(slice) || slice < 1 || slice > 1e9)
    throw new MachineError(`a slice of ${slice} instructions: it must be 1 to 1000000000`);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    throw new MachineError(`seed ${seed}: it must be a whole number from 0 to 4294967295`);
};
