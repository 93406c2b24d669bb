/** The helpers: what generated code calls in TypeScript. Each answers 0 (given up, the reason is left behind), 1 (go on) or 2 (leave after it). */
import { guestFault, raise, Vector } from '../memory/fault.ts';
import type { Paging } from '../memory/paging.ts';
import { Segment, Shadow, State } from '../state/layout.ts';
import { cpuid } from './cpuid.ts';
import { type Events, Source } from './events.ts';
import { Helper } from './helpers.ts';
import { type ExitInfo, Request, type Requests, Stop } from './processor.ts';
import type { Segments } from './segments.ts';
import type { SystemRegisters } from './system.ts';
import type { FarTransfer } from './transfer.ts';
import { Cr4, Flag, type Window } from './window.ts';

export const GO_ON = 1;
export const LEAVE = 2;
export const GIVE_UP = 0;

/** Why a helper or a memory access gave up, besides a Stop code. */
export const GaveUp = { fault: -1, alone: -2, codeWrite: -3, unbacked: -4, shutdown: -5 } as const;

/** What the calls need of the engine. */
export interface CallHost {
  readonly exit: ExitInfo;
  readonly requests: Requests;
  readonly vcpuCount: number;
  readonly selected: number;
  /** Is this instruction being executed alone, so that the count of retired instructions is exact? */
  readonly alone: boolean;
  readonly interruptWindow: boolean;
  /** Time-stamp counter after the instructions retired so far. */
  tsc(): number;
  giveUp(why: number): 0;
  /** An event was delivered by the instruction itself: no single-step trap after it. */
  tookEvent(): void;
}

type Call = (a: number, b: number, c: number) => number;

export class Calls {
  private readonly table: Call[] = [];
  private readonly leaf = new Int32Array(4);

  constructor(
    private readonly host: CallHost,
    private readonly window: Window,
    private readonly segments: Segments,
    private readonly far: FarTransfer,
    private readonly events: Events,
    private readonly system: SystemRegisters,
    private readonly paging: Paging,
  ) {
    this.fill();
  }

  /** A fault thrown on the way becomes "given up". */
  readonly call = (id: number, a: number, b: number, c: number): number => {
    try {
      return (this.table[id] as Call)(a, b, c);
    } catch (fault) {
      if (fault !== guestFault) throw fault;
      return this.host.giveUp(GaveUp.fault);
    }
  };

  private fill(): void {
    const { table: t, host, window, segments, far, system, paging } = this;
    const { view } = window;
    t[Helper.loadSegment] = (slot, selector, withPointer) => {
      const k = (slot - State.selectorSlot) / 4;
      const context = window.context;
      segments.load(k, selector & 0xffff);
      if (k === Segment.SS) {
        if (!withPointer) this.holdOff(Shadow.interrupts | Shadow.stack);
        return LEAVE;
      }
      return window.context === context ? GO_ON : LEAVE;
    };
    t[Helper.farJump] = (selector, offset, size) => {
      far.jump(selector & 0xffff, offset, size);
      return GO_ON;
    };
    t[Helper.farCall] = (selector, offset, nextEip) => {
      far.call(selector & 0xffff, offset, selector >>> 16, nextEip);
      return GO_ON;
    };
    t[Helper.farReturn] = (size, drop) => {
      far.return(size, drop);
      return GO_ON;
    };
    t[Helper.interruptReturn] = (size) => {
      far.interruptReturn(size);
      return GO_ON;
    };
    t[Helper.softwareInterrupt] = (vector, nextEip) => this.softwareInterrupt(vector, nextEip);
    t[Helper.writeControl] = (slot, value) => {
      const index = (slot - State.controlSlot) / 8;
      system.writeControl(index === 0 ? 0 : index + 1, value >>> 0);
      return LEAVE;
    };
    t[Helper.readDebug] = (n) => {
      view.setInt32(State.scratch, system.readDebug(n), true);
      return GO_ON;
    };
    t[Helper.writeDebug] = (n, value) => {
      system.writeDebug(n, value);
      return GO_ON;
    };
    t[Helper.loadGdt] = (limit, base) => {
      system.loadTable(true, limit, base);
      return GO_ON;
    };
    t[Helper.loadIdt] = (limit, base) => {
      system.loadTable(false, limit, base);
      return GO_ON;
    };
    t[Helper.loadLdt] = (selector) => {
      this.protectedOnly();
      segments.loadLocalTable(selector);
      return GO_ON;
    };
    t[Helper.loadTask] = (selector) => {
      this.protectedOnly();
      segments.loadTask(selector);
      return GO_ON;
    };
    t[Helper.invalidatePage] = (linear) => {
      system.requirePrivilege();
      paging.invalidatePage(linear);
      return LEAVE;
    };
    t[Helper.input] = (port, size) => this.port(port, size, false, 0, 0);
    t[Helper.output] = (port, size, value) => this.port(port, size, true, value, 0);
    t[Helper.stringInput] = (port, size) => this.port(port, size & 0xff, false, 0, size & 0x100 ? 3 : 1);
    t[Helper.stringOutput] = (port, size, value) => this.port(port, size & 0xff, true, value, size & 0x100 ? 3 : 1);
    t[Helper.cpuid] = () => {
      cpuid(window.reg32(0), host.selected, host.vcpuCount, this.leaf);
      const [a, b, c, d] = this.leaf;
      window.setReg32(0, a as number);
      window.setReg32(3, b as number);
      window.setReg32(1, c as number);
      window.setReg32(2, d as number);
      return GO_ON;
    };
    t[Helper.readMsr] = () => this.readMsr();
    t[Helper.writeMsr] = () => this.writeMsr();
    t[Helper.readTsc] = () => {
      if (window.cpl !== 0 && window.control(4) & Cr4.TSD) raise(Vector.GP, 0);
      if (!host.alone) return host.giveUp(GaveUp.alone);
      const tsc = host.tsc();
      window.setReg32(0, tsc % 0x100000000);
      window.setReg32(2, Math.floor(tsc / 0x100000000));
      return GO_ON;
    };
    t[Helper.clearInterrupts] = () => {
      system.requireIopl();
      window.system = window.system & ~Flag.IF;
      return GO_ON;
    };
    t[Helper.setInterrupts] = () => {
      system.requireIopl();
      if (window.system & Flag.IF) return GO_ON;
      window.system = window.system | Flag.IF;
      this.holdOff(Shadow.interrupts);
      return LEAVE;
    };
    t[Helper.setFlags] = (value, size) => {
      const before = window.system;
      system.setFlags(value, size);
      const set = window.system & ~before;
      return set & Flag.TF || (set & Flag.IF && host.interruptWindow) ? LEAVE : GO_ON;
    };
    t[Helper.clearTaskSwitched] = () => {
      system.clearTaskSwitched();
      return GO_ON;
    };
    t[Helper.loadMachineStatus] = (value) => {
      system.loadMachineStatus(value);
      return LEAVE;
    };
    t[Helper.privileged] = () => {
      system.requirePrivilege();
      return GO_ON;
    };
    t[Helper.readSystem] = (which) => {
      system.readSystem(which);
      return GO_ON;
    };
  }

  /** The interrupt shadow: takes effect for the instruction after this one. */
  private holdOff(kind: number): void {
    this.window.view.setInt32(State.shadow, kind, true);
  }
  private protectedOnly(): void {
    if (!this.window.protectedMode) raise(Vector.UD);
    this.system.requirePrivilege();
  }
  private softwareInterrupt(vector: number, nextEip: number): number {
    const { window } = this;
    const eip = window.view.getInt32(State.eip, true);
    const record = window.view.getInt32(State.record, true);
    window.eip = nextEip;
    try {
      this.events.deliverOnce(vector, Source.software);
    } catch (fault) {
      window.view.setInt32(State.eip, eip, true);
      window.view.setInt32(State.record, record, true);
      throw fault;
    }
    this.host.tookEvent();
    return GO_ON;
  }
  private port(port: number, bits: number, write: boolean, value: number, string: number): number {
    const { host, system, segments } = this;
    const { exit, requests } = host;
    const bytes = bits / 8;
    system.requirePort(port, bytes, (linear) => segments.linear.read16(linear));
    if (requests.inout.state === Request.DONE) {
      if (!write) this.window.view.setInt32(State.scratch, requests.inout.value, true);
      return GO_ON;
    }
    exit.port = port;
    exit.size = bytes;
    exit.write = write;
    exit.value = bits === 32 ? value >>> 0 : value & ((1 << bits) - 1);
    exit.valueHigh = 0;
    exit.string = string !== 0;
    exit.rep = string === 3;
    return host.giveUp(Stop.inout);
  }
  private readMsr(): number {
    this.system.requirePrivilege();
    const { exit, requests } = this.host;
    if (requests.msr.state === Request.DONE) {
      this.window.setReg32(0, requests.msr.value);
      this.window.setReg32(2, requests.msr.valueHigh);
      return GO_ON;
    }
    exit.msr = this.window.reg32(1);
    exit.write = false;
    exit.size = 8;
    return this.host.giveUp(Stop.rdmsr);
  }
  private writeMsr(): number {
    this.system.requirePrivilege();
    const { exit, requests } = this.host;
    if (requests.msr.state === Request.DONE) return LEAVE;
    exit.msr = this.window.reg32(1);
    exit.write = true;
    exit.size = 8;
    exit.value = this.window.reg32(0);
    exit.valueHigh = this.window.reg32(2);
    return this.host.giveUp(Stop.wrmsr);
  }
}
