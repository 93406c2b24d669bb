/**
 * What comes from outside, and when: with the machine's options, all that a run depends on. Bytes for a device, and the debugger's edits, which must
 * happen again when the run is repeated.
 */
import { hex } from '../base/bits.ts';
import type { Vlapic } from '../devices/vlapic.ts';
import type { Position } from './checkpoint.ts';
import type { Rewindable } from './subject.ts';

const PAGE = 4096;

export type Input =
  /** Bytes for a device that receives them, by its name: `uart16550.com1`, `i8042`. */
  | { readonly kind: 'bytes'; readonly device: string; readonly bytes: Uint8Array }
  /** Guest-physical memory, written as a device would. */
  | { readonly kind: 'memory'; readonly gpa: number; readonly bytes: Uint8Array }
  /** A register, by the name that Processor.setRegister knows. */
  | { readonly kind: 'register'; readonly vcpu: number; readonly name: string; readonly value: number }
  /** A register of a local APIC, by its offset, a multiple of 16: what it holds changes, and nothing is sent. */
  | { readonly kind: 'lapic'; readonly vcpu: number; readonly offset: number; readonly value: number }
  /** A register of the I/O APIC, by its index. */
  | { readonly kind: 'ioapic'; readonly register: number; readonly value: number }
  /** From now on only this vCPU runs; -1: all do. */
  | { readonly kind: 'only'; readonly vcpu: number };

/** An input that the machine cannot take: one sentence. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

interface Receiver {
  receive(byte: number): void;
}
const receives = (device: object): device is Receiver => 'receive' in device && typeof device.receive === 'function';

/** Names of the devices that take bytes. */
export const receivers = (machine: Rewindable): string[] => machine.devices.filter(receives).map(({ name }) => name);

const u32 = (value: number): boolean => value === value >>> 0;

function checkVcpu(machine: Rewindable, vcpu: number, first = 0): void {
  const last = machine.processor.vcpuCount - 1;
  if (!Number.isInteger(vcpu) || vcpu < first || vcpu > last) throw new InputError(`vCPU ${vcpu}: there are 0 to ${last}`);
}

function checkMemory(machine: Rewindable, gpa: number, length: number): void {
  if (!Number.isSafeInteger(gpa) || gpa < 0 || gpa + length > 2 ** 32)
    throw new InputError(`${length} bytes at guest-physical address ${gpa}: addresses are 0 to 4294967295`);
  for (let page = gpa >>> 12; page * PAGE < gpa + length; page++) {
    if (machine.memory.isWritable(page * PAGE)) continue;
    const at = `guest-physical address ${hex(Math.max(gpa, page * PAGE), 8)}h`;
    throw new InputError(machine.memory.isBacked(page * PAGE) ? `${at} is ROM: it cannot be written` : `there is no memory at ${at}`);
  }
}

/** Throws an InputError unless the machine can take it. Changes nothing. */
export function checkInput(machine: Rewindable, input: Input): void {
  switch (input.kind) {
    case 'bytes': {
      const known = receivers(machine);
      if (!known.includes(input.device))
        throw new InputError(`no device "${input.device}" takes bytes; there are ${known.join(', ') || 'none'}`);
      return;
    }
    case 'memory':
      return checkMemory(machine, input.gpa, input.bytes.length);
    case 'register':
      checkVcpu(machine, input.vcpu);
      if (machine.processor.register(input.name) === undefined) throw new InputError(`"${input.name}" is no register`);
      if (!u32(input.value)) throw new InputError(`${input.name} = ${input.value}: a register holds 0 to 4294967295`);
      return;
    case 'lapic': {
      checkVcpu(machine, input.vcpu);
      if (!u32(input.value)) throw new InputError(`local APIC register = ${input.value}: it holds 0 to 4294967295`);
      const refused = (machine.vlapics[input.vcpu] as Vlapic).whyNotPoked(input.offset);
      if (refused !== undefined) throw new InputError(refused);
      return;
    }
    case 'ioapic': {
      if (!u32(input.value)) throw new InputError(`I/O APIC register = ${input.value}: it holds 0 to 4294967295`);
      const refused = machine.platform.ioapic.whyNotPoked(input.register);
      if (refused !== undefined) throw new InputError(refused);
      return;
    }
    case 'only':
      checkVcpu(machine, input.vcpu, -1);
  }
}

/** Lets it happen. It has been checked. */
export function applyInput(machine: Rewindable, input: Input): void {
  switch (input.kind) {
    case 'bytes': {
      const device = machine.devices.find(({ name }) => name === input.device);
      if (device !== undefined && receives(device)) for (const byte of input.bytes) device.receive(byte);
      return;
    }
    case 'memory':
      machine.memory.writeBytes(input.gpa, input.bytes);
      return;
    case 'register': {
      const { processor } = machine;
      const { selected } = processor;
      processor.select(input.vcpu);
      processor.setRegister(input.name, input.value);
      processor.select(selected);
      return;
    }
    case 'lapic':
      machine.vlapics[input.vcpu]?.poke(input.offset, input.value);
      return;
    case 'ioapic':
      machine.platform.ioapic.poke(input.register, input.value);
      return;
    case 'only':
      machine.schedule.runAlone(input.vcpu);
  }
}

/** An input and the moment it came. */
export interface LoggedInput {
  readonly at: Position;
  readonly input: Input;
}

/** Every input of a run, in order. `applied` of them have happened as of now; those after it are to come again when the run is repeated. */
export class InputLog {
  private readonly list: LoggedInput[];
  applied = 0;

  /** @param recorded the inputs of a run that is to be repeated, in order */
  constructor(recorded: readonly LoggedInput[] = []) {
    this.list = [...recorded];
  }

  get length(): number {
    return this.list.length;
  }
  /** The next one to happen. */
  get next(): LoggedInput | undefined {
    return this.list[this.applied];
  }
  /** All of them, for keeping: plain data. */
  entries(): readonly LoggedInput[] {
    return [...this.list];
  }
  /** One more, which happens now: what was still to come is forgotten. */
  add(at: Position, input: Input): void {
    this.list.length = this.applied;
    this.list.push({ at, input: 'bytes' in input ? { ...input, bytes: input.bytes.slice() } : input });
    this.applied++;
  }
  /** Forgets what is still to come. */
  forgetFuture(): void {
    this.list.length = this.applied;
  }
}
