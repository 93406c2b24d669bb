/** A processor that follows a script: one operation is one instruction, and exits where a real one would. */
import { EventType, type ExitInfo, type Processor, Request, type Requests, Stop } from '../../../src/machine/cpu/processor.ts';
import type { GuestMemory } from '../../../src/machine/models/model.ts';
import { Machine, type MachineOptions, type ProcessorFactory } from '../../../src/machine/machine.ts';
import { bhyve } from '../../../src/machine/models/bhyve.ts';
import { illumos } from '../../../src/machine/profiles/illumos.ts';

export type Op =
  | { op: 'nop'; count?: number }
  | { op: 'store'; gpa: number; value: number; size?: number; bytes?: number[]; gla?: number; rep?: number }
  | { op: 'load'; gpa: number; size?: number; bytes?: number[]; to?: (value: number) => void }
  | { op: 'or'; gpa: number; value: number; bytes?: number[] }
  | { op: 'out'; port: number; value: number; size?: number; rep?: number; plainRep?: boolean }
  | { op: 'in'; port: number; size?: number; to?: (value: number) => void; rep?: number }
  | { op: 'fetchFault'; gpa: number }
  | { op: 'hlt' | 'sti' | 'cli' | 'triple' | 'pause' | 'iret' }
  | { op: 'rdmsr'; msr: number; to?: (low: number, high: number) => void }
  | { op: 'wrmsr'; msr: number; low: number; high?: number }
  | { op: 'jump'; to: number }
  | { op: 'call'; call: () => void };

/** mov dword [disp32], imm32: what compilers make of a store to the local APIC. */
export const movBytes = (gpa: number, value: number): number[] => [
  0xc7,
  0x05,
  gpa & 0xff,
  (gpa >>> 8) & 0xff,
  (gpa >>> 16) & 0xff,
  gpa >>> 24,
  value & 0xff,
  (value >>> 8) & 0xff,
  (value >>> 16) & 0xff,
  value >>> 24,
];
/** mov eax, [disp32] as 8B 05. */
const loadBytes = (gpa: number): number[] => [0x8b, 0x05, gpa & 0xff, (gpa >>> 8) & 0xff, (gpa >>> 16) & 0xff, gpa >>> 24];
/** or dword [disp32], imm32 as 81 /1. */
const orBytes = (gpa: number): number[] => [0x81, 0x0d, gpa & 0xff, (gpa >>> 8) & 0xff, (gpa >>> 16) & 0xff, gpa >>> 24, 1, 0, 0, 0];

interface Cpu {
  program: readonly Op[];
  pc: number;
  left: number;
  interruptFlag: boolean;
  shadow: boolean;
  inNmi: boolean;
  csBase: number;
}

export interface Scripts {
  /** By vCPU: what it executes after RESET. */
  boot: readonly (readonly Op[])[];
  /** By SIPI vector. */
  startup?: Record<number, readonly Op[]>;
}

export class FakeProcessor implements Processor {
  selected = 0;
  retired = 0;
  interruptWindow = false;
  pauseStops = false;
  readonly exit: ExitInfo = { port: 0, gpa: 0, gla: 0, msr: 0, size: 0, write: false, value: 0, valueHigh: 0, string: false, rep: false };
  readonly requests: Requests = {
    read: { state: 0, gpa: 0, size: 0, value: 0, valueHigh: 0 },
    write: { state: 0, gpa: 0, size: 0 },
    inout: { state: 0, value: 0 },
    msr: { state: 0, value: 0, valueHigh: 0 },
    clear() {
      this.read.state = this.write.state = this.inout.state = this.msr.state = Request.NONE;
    },
  };
  /** Everything that was done to it: `reset 1 INIT 0`, `start 1 08`, `inject 0 30`. */
  readonly log: string[] = [];
  private readonly cpus: Cpu[];

  constructor(
    readonly vcpuCount: number,
    private readonly scripts: Scripts,
  ) {
    this.cpus = Array.from({ length: vcpuCount }, () => ({
      program: [],
      pc: 0,
      left: 0,
      interruptFlag: false,
      shadow: false,
      inNmi: false,
      csBase: 0xffff0000,
    }));
  }
  private get cpu(): Cpu {
    return this.cpus[this.selected] as Cpu;
  }
  select(vcpu: number): void {
    this.selected = vcpu;
  }
  get eip(): number {
    return 0x1000 + 16 * this.cpu.pc;
  }
  get csBase(): number {
    return this.cpu.csBase;
  }
  get interruptible(): boolean {
    return this.cpu.interruptFlag && !this.cpu.shadow;
  }
  get nmiAllowed(): boolean {
    return !this.cpu.inNmi && !this.cpu.shadow;
  }

  run(instructions: number): Stop {
    this.retired = 0;
    while (this.retired < instructions) {
      const stop = this.step();
      if (stop !== Stop.budget) return stop;
      if (this.interruptWindow && this.interruptible) return Stop.interruptWindow;
    }
    return Stop.budget;
  }
  complete(): Stop {
    this.retired = 0;
    return this.step();
  }

  private advance(): Stop {
    this.cpu.pc++;
    this.cpu.left = 0;
    this.retired++;
    return Stop.budget;
  }
  /** One iteration of an instruction that is repeated `times` times. */
  private iterate(times: number | undefined): Stop {
    if (times === undefined) return this.advance();
    const { cpu } = this;
    if (cpu.left === 0) cpu.left = times;
    if (--cpu.left === 0) return this.advance();
    this.retired++;
    return Stop.budget;
  }
  private wants(fields: Partial<ExitInfo>): void {
    Object.assign(
      this.exit,
      { port: 0, gpa: 0, gla: 0, msr: 0, size: 0, write: false, value: 0, valueHigh: 0, string: false, rep: false },
      fields,
    );
  }
  private step(): Stop {
    const { cpu, requests } = this;
    const op = cpu.program[cpu.pc];
    const shadow = cpu.shadow;
    cpu.shadow = false;
    if (op === undefined) {
      this.retired++; // the end of the script is a loop to itself
      return Stop.budget;
    }
    switch (op.op) {
      case 'nop':
        return this.iterate(op.count);
      case 'store':
        if (requests.write.state === Request.DONE) return this.iterate(op.rep);
        this.wants({
          gpa: op.gpa,
          gla: op.gla ?? op.gpa,
          size: op.size ?? 4,
          write: true,
          value: op.value,
          string: op.rep !== undefined,
          rep: op.rep !== undefined,
        });
        cpu.shadow = shadow;
        return Stop.mmio;
      case 'load':
        if (requests.read.state === Request.DONE) {
          op.to?.(requests.read.value);
          return this.advance();
        }
        this.wants({ gpa: op.gpa, gla: op.gpa, size: op.size ?? 4 });
        return Stop.mmio;
      case 'or':
        if (requests.read.state !== Request.DONE) {
          this.wants({ gpa: op.gpa, gla: op.gpa, size: 4 });
          return Stop.mmio;
        }
        if (requests.write.state !== Request.DONE) {
          this.wants({ gpa: op.gpa, gla: op.gpa, size: 4, write: true, value: (requests.read.value | op.value) >>> 0 });
          return Stop.mmio;
        }
        return this.advance();
      case 'fetchFault':
        this.wants({ gpa: op.gpa, gla: op.gpa, size: 1 });
        return Stop.paging;
      case 'out':
        if (requests.inout.state === Request.DONE) return this.iterate(op.rep);
        this.wants({
          port: op.port,
          size: op.size ?? 1,
          write: true,
          value: op.value,
          string: op.rep !== undefined,
          rep: op.rep !== undefined || op.plainRep === true,
        });
        return Stop.inout;
      case 'in':
        if (requests.inout.state === Request.DONE) {
          op.to?.(requests.inout.value);
          return this.iterate(op.rep);
        }
        this.wants({ port: op.port, size: op.size ?? 1, string: op.rep !== undefined, rep: op.rep !== undefined });
        return Stop.inout;
      case 'rdmsr':
        if (requests.msr.state === Request.DONE) {
          op.to?.(requests.msr.value, requests.msr.valueHigh);
          return this.advance();
        }
        this.wants({ msr: op.msr });
        return Stop.rdmsr;
      case 'wrmsr':
        if (requests.msr.state === Request.DONE) return this.advance();
        this.wants({ msr: op.msr, write: true, value: op.low, valueHigh: op.high ?? 0 });
        return Stop.wrmsr;
      case 'hlt':
        this.advance();
        return Stop.hlt;
      case 'sti':
        cpu.shadow = !cpu.interruptFlag;
        cpu.interruptFlag = true;
        return this.advance();
      case 'cli':
        cpu.interruptFlag = false;
        return this.advance();
      case 'iret':
        cpu.inNmi = false;
        return this.advance();
      case 'triple':
        return Stop.tripleFault;
      case 'pause':
        return this.advance();
      case 'jump':
        this.retired++;
        cpu.pc = op.to;
        return Stop.budget;
      case 'call':
        op.call();
        return this.advance();
    }
  }

  inject(vector: number, type: number, errorCode?: number): Stop {
    this.log.push(`inject ${this.selected} ${vector.toString(16)}${errorCode === undefined ? '' : ` (${errorCode})`}`);
    if (type === EventType.nmi) this.cpu.inNmi = true;
    if (type === EventType.exception) this.cpu.pc++; // the handler skips the instruction
    return Stop.budget;
  }
  reset(kind: 'RESET' | 'INIT', variant: number): void {
    this.log.push(`reset ${this.selected} ${kind} ${variant}`);
    Object.assign(this.cpu, {
      program: kind === 'RESET' ? (this.scripts.boot[this.selected] ?? []) : [],
      pc: 0,
      left: 0,
      interruptFlag: false,
      shadow: false,
      inNmi: false,
    });
  }
  startAt(vector: number): void {
    this.log.push(`start ${this.selected} ${vector.toString(16).padStart(2, '0')}`);
    Object.assign(this.cpu, { program: this.scripts.startup?.[vector] ?? [], pc: 0, left: 0, csBase: vector << 12 });
  }
  fetchBytes(into: Uint8Array): number {
    const op = this.cpu.program[this.cpu.pc];
    if (op === undefined || op.op === 'fetchFault') return 0;
    let bytes: readonly number[] = [0x90];
    if ('bytes' in op && op.bytes) ({ bytes } = op);
    else if (op.op === 'store') bytes = movBytes(op.gpa, op.value);
    else if (op.op === 'load') bytes = loadBytes(op.gpa);
    else if (op.op === 'or') bytes = orBytes(op.gpa);
    into.fill(0);
    into.set(bytes);
    return Math.min(15, bytes.length);
  }
  register(name: string): number | undefined {
    if (name === 'cr0') return 1;
    if (name === 'cs.access') return 0xc09b;
    return name.endsWith('.base') ? 0 : 0;
  }
  /** Registers are zero, code is 32 bits. */
  general(_n: number): number {
    return 0;
  }
  segmentBase(_k: number): number {
    return 0;
  }
  readonly code32: boolean = true;
  readonly instructionId = 0;
  onAccess: (() => number) | undefined;
  onException: ((vector: number, errorCode: number) => boolean) | undefined;
  breakpoints: ReadonlySet<number> = new Set();
  onCode: ((page: number) => boolean) | undefined;
  setRegister(): boolean {
    return false;
  }
}

/** Memory without bytes, for boards whose guest is a script. */
export const noMemory: GuestMemory = {
  mapRam: () => {},
  mapRom: () => {},
  route: () => {},
  readBytes: (_gpa, length) => new Uint8Array(length),
  writeBytes: () => {},
  isBacked: () => true,
  setA20: () => {},
};

export interface Rig {
  machine: Machine;
  processor: FakeProcessor;
}

/** A machine whose vCPUs follow scripts. Default: model bhyve, profile illumos, as many vCPUs as there are boot scripts. */
export const rig = (scripts: Scripts, options: Partial<MachineOptions> = {}, memory: GuestMemory = noMemory): Rig => {
  let processor: FakeProcessor | undefined;
  const factory: ProcessorFactory = ({ vcpus }) => {
    processor = new FakeProcessor(vcpus, scripts);
    return { processor, memory, stateful: [] };
  };
  const machine = new Machine(
    {
      model: bhyve,
      profile: illumos,
      cpus: scripts.boot.length,
      memoryBytes: 0x1000000,
      rom: new Uint8Array(4096),
      ledger: { exits: 1024, ipis: 64, events: 256 },
      ...options,
    },
    factory,
  );
  return { machine, processor: processor as unknown as FakeProcessor };
};
