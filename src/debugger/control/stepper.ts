/** Steps forward: into, over and out of, by instruction and by source line. All vCPUs run as their schedule has it; the one that steps lands exactly. */
import { Waiting } from '../../machine/vmm/vcpu.ts';
import type { Program } from '../code/program.ts';
import type { SessionStop } from '../session.ts';
import { flowOf, lengthAt } from './flow.ts';
import type { Runner } from './runner.ts';

/** Where a step goes out to: a caller's next instruction, and its stack pointer there. */
export interface Caller {
  readonly linear: number;
  readonly esp: number;
}

/**
 * How a step ended. `stepped`: as it was meant to. `waits`: the vCPU sleeps, and nothing has woken it for so long. Else what stopped it.
 */
export type StepEnd = SessionStop | { readonly kind: 'stepped' } | { readonly kind: 'waits' };

const STEPPED = { kind: 'stepped' } as const;
/** Host milliseconds that a step waits for a vCPU that sleeps: an editor turns to another thread after 800. */
const PATIENCE_MS = 500;
/** Instructions that are looked at one by one on the way back from a call, before it is left to halt at where it should return to. */
const CLOSE_WATCH = 1_000;
/** A stack pointer that has risen by more than this is another stack's. */
const SAME_STACK = 0x1000;
const POP = /^(?:5[89A-F]|8F|1F|07|17)$/;

export class Stepper {
  private waitingSince = -1;

  constructor(
    private readonly runner: Runner,
    private readonly program: Program,
    private readonly vcpu: number,
  ) {}

  // ── Steps ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One instruction, or into the handler of what is delivered in its place. */
  async into(): Promise<StepEnd> {
    const end = await this.instruction();
    return end.kind === 'delivery' ? STEPPED : end;
  }

  /** One instruction; a call, a repetition and handlers of what comes in between are run through. Out of a HLT: to behind it. */
  async over(): Promise<StepEnd> {
    const asleep = this.sleeps();
    for (;;) {
      const { linear, esp } = this.here();
      const flow = this.flow();
      const next = flow === 'call' || flow === 'repeat' ? (linear + lengthAt(this.runner.view, this.vcpu)) >>> 0 : 0;
      const end = await this.instruction();
      if (end.kind === 'delivery') {
        const back = await this.until(linear, esp);
        if (back.kind !== 'stepped') return back;
        if (asleep || this.here().linear !== linear) return STEPPED; // in the latter case the handler has returned elsewhere
        continue;
      }
      if (end.kind !== 'stepped' || flow === 'plain' || flow === 'return') return end;
      const now = this.here();
      if (now.linear === next && now.esp >= esp) return end;
      return await this.until(next, esp);
    }
  }

  /** Until the source line is another, or begins anew. Only where the code has source. */
  async line(over: boolean): Promise<StepEnd> {
    if (this.sleeps()) return over ? this.over() : this.into();
    const start = this.program.placeAt(this.here().linear);
    for (;;) {
      const { linear } = this.here();
      const repeats = this.flow() === 'repeat';
      const end = over || repeats ? await this.over() : await this.instruction();
      if (end.kind === 'delivery') return STEPPED;
      if (end.kind !== 'stepped') return end;
      const now = this.here();
      const place = this.program.placeAt(now.linear);
      if (place === undefined || place.line !== start?.line || place.file !== start.file || now.linear <= linear) return STEPPED;
      if (await this.runner.breathe()) return { kind: 'asked' };
    }
  }

  /** Until this function, or handler, has returned to its caller. */
  async out({ linear, esp }: Caller): Promise<StepEnd> {
    const start = this.here();
    for (let i = 0; i < CLOSE_WATCH; i++) {
      const returns = this.flow() === 'return';
      const end = await this.over();
      if (end.kind !== 'stepped' || (returns && this.here().esp > start.esp)) return end;
      if (await this.runner.breathe()) return { kind: 'asked' };
    }
    return this.halt(linear, esp);
  }

  // ── What they are made of ──────────────────────────────────────────────────────────────────────────────────────────────────────

  private here(): { linear: number; esp: number } {
    const { view } = this.runner;
    const { eip, csBase } = view.position(this.vcpu);
    return { linear: (csBase + eip) >>> 0, esp: view.register(this.vcpu, 'esp') as number };
  }
  /** Does the vCPU sleep in a HLT? */
  private sleeps(): boolean {
    return this.runner.machine.vm.vcpu(this.vcpu).waiting === Waiting.hlt;
  }
  private flow(): ReturnType<typeof flowOf> {
    return flowOf(this.runner.view.code(this.vcpu).bytes);
  }

  /** Until the vCPU has retired an instruction (`stepped`), or something was delivered to it. */
  private async instruction(): Promise<StepEnd> {
    const { runner, vcpu } = this;
    const { session, machine } = runner;
    const before = machine.schedule.ranAt(vcpu);
    session.deliveriesTo = vcpu;
    try {
      for (;;) {
        const turn = await runner.on(vcpu, () => !this.waitsTooLong());
        if (turn === undefined) return { kind: 'waits' };
        if (turn.kind !== 'turn') return turn;
        const stop = session.run(1, Number.POSITIVE_INFINITY);
        if (stop !== undefined && stop.kind !== 'time') return stop;
        if (machine.schedule.ranAt(vcpu) !== before) return STEPPED;
      }
    } finally {
      session.deliveriesTo = -1;
    }
  }
  private waitsTooLong(): boolean {
    const now = this.runner.host.now();
    if (this.runner.machine.vm.vcpu(this.vcpu).waiting === Waiting.none) this.waitingSince = -1;
    else if (this.waitingSince < 0) this.waitingSince = now;
    return this.waitingSince >= 0 && now - this.waitingSince > PATIENCE_MS;
  }

  /** Until the vCPU comes to an instruction with its stack back where it was, or returns past it to elsewhere. */
  private async until(linear: number, esp: number): Promise<StepEnd> {
    for (let i = 0; i < CLOSE_WATCH; i++) {
      const now = this.here();
      if (now.linear === linear && now.esp >= esp) return STEPPED;
      const { bytes } = this.runner.view.code(this.vcpu);
      const end = await this.instruction();
      if (end.kind === 'delivery') continue; // its handler returns in time as well
      if (end.kind !== 'stepped') return end;
      const then = this.here();
      if (then.esp >= esp && then.esp - esp < SAME_STACK && now.esp < esp && leavesFrame(bytes)) return STEPPED;
      if (await this.runner.breathe()) return { kind: 'asked' };
    }
    return await this.halt(linear, esp);
  }

  /** Runs at full speed until the vCPU is about to execute an instruction, with its stack back where it was. */
  private async halt(linear: number, esp: number): Promise<StepEnd> {
    const { runner, vcpu } = this;
    const { session } = runner;
    const { halts } = session;
    session.halts = new Set([linear]);
    try {
      for (;;) {
        const now = this.here();
        if (now.linear === linear && now.esp >= esp) return STEPPED;
        const stop = await runner.on(-1, () => !this.waitsTooLong());
        if (stop === undefined) return { kind: 'waits' };
        if (stop.kind !== 'halt') return stop;
        if (stop.vcpu === vcpu && this.here().esp >= esp) return STEPPED;
      }
    } finally {
      session.halts = halts;
    }
  }
}

/** Is it an instruction that ends a function's hold on its stack: a return, or a POP of the return address? */
const leavesFrame = (bytes: Uint8Array): boolean => {
  const at = bytes[0] === 0x66 ? 1 : 0;
  return flowOf(bytes) === 'return' || POP.test((bytes[at] ?? 0).toString(16).toUpperCase().padStart(2, '0'));
};
