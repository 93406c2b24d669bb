/**
 * A vCPU's call stack. Firmware keeps no frame pointers, so callers are found by what lies on the stack: a number behind a CALL that leads to where
 * the inner frame is, or the EIP, CS and EFLAGS of an interruption that the ledger knows. What is less certain is flagged as guessed.
 */
import { hex } from '../../machine/base/bits.ts';
import { Waiting } from '../../machine/vmm/vcpu.ts';
import { EventKind, type EventRecord } from '../../machine/ledger/records.ts';
import { ipiWords } from '../explain.ts';
import type { Debugger } from '../debugger.ts';
import { arrival, interruptions, startedBy } from './arrivals.ts';
import { LinearBytes } from './bytes.ts';
import { Calls, unitAround } from './calls.ts';
import type { Frame } from './frame.ts';
import type { Program } from './program.ts';
import { waitingOf } from './waiting.ts';

/** What of the debugger a call stack is made from. */
export type Stacked = Pick<Debugger, 'view' | 'program' | 'position'>;

/** Frames of one call stack. */
const FRAMES = 32;
/** How many slots of the stack are looked at for the next frame: for one that is certain, for one that fits, for any. */
const CERTAIN = 128;
const FITTING = 64;
const ANY = 32;
/** Code without labels belongs together within so many bytes. */
const NEAR = 4096;
const RESET_VECTOR = 0xfffffff0;
const RESET_BASE = 0xffff0000;
const HLT = 0xf4;
const SS_BIG = 1 << 14;
const PROTECTED = 1;

/** What is found at a slot of the stack. */
interface Found {
  readonly eip: number;
  readonly csBase: number;
  readonly guessed: boolean;
  /** Linear address of the instruction that left the frame: the CALL; or where it was interrupted. */
  readonly left: number;
  /** ESP when control has come back; undefined when that is on another stack. */
  readonly esp: number | undefined;
  /** The line between it and the inner frame. */
  readonly label?: string;
  /** Linear address of what was called, or of the handler of what interrupted; undefined where the instruction does not say. */
  readonly target: number | undefined;
  /** What interrupted. */
  readonly event?: EventRecord;
}

/** `F000:FFF0` where CS:IP is how one thinks of it, else `FFFFF000`. */
function address(linear: number, csBase: number, realMode: boolean): string {
  const offset = linear - csBase;
  if (csBase === RESET_BASE) return `F000:${hex(offset & 0xffff, 4)}`;
  const segment = csBase < 0x100000 && (csBase & 0xf) === 0 && offset >= 0 && offset <= 0xffff && (realMode || csBase !== 0);
  return segment ? `${hex(csBase >>> 4, 4)}:${hex(offset, 4)}` : hex(linear, 8);
}

/** The call stack of a vCPU, innermost frame first: 1 to 32 frames. Whatever the guest's memory holds, it does not throw. */
export function stackOf(dbg: Stacked, vcpu: number): readonly Frame[] {
  const waits = waitingOf(dbg.view, dbg.program, vcpu);
  return waits === undefined ? dbg.program.during(() => new Unwinding(dbg, vcpu).frames()) : [waitingFrame(vcpu, waits.name, waits.text)];
}

const waitingFrame = (vcpu: number, name: string, text: string): Frame => ({
  vcpu,
  depth: 0,
  name,
  kind: 'waiting',
  guessed: false,
  eip: 0,
  csBase: 0,
  linear: 0,
  bits: 16,
  text,
});

class Unwinding {
  private readonly program: Program;
  private readonly memory: LinearBytes;
  private readonly calls: Calls;
  private readonly list: Frame[] = [];
  private readonly bits: 16 | 32;
  private readonly cs: number;
  private readonly realMode: boolean;
  private readonly stackBase: number;
  private readonly bigStack: boolean;
  /** Interruptions that may still be found on the stack, the newest first. */
  private events: readonly EventRecord[];

  constructor(
    private readonly dbg: Stacked,
    private readonly vcpu: number,
  ) {
    const { view, program } = dbg;
    this.program = program;
    this.memory = new LinearBytes(view, vcpu);
    this.calls = new Calls(program, this.memory);
    this.bits = view.as(vcpu, ({ code32 }) => (code32 ? 32 : 16));
    this.cs = this.register('cs');
    this.realMode = (this.register('cr0') & PROTECTED) === 0;
    this.stackBase = this.register('ss.base');
    this.bigStack = (this.register('ss.access') & SS_BIG) !== 0;
    this.events = interruptions(view.ledger, vcpu);
  }

  frames(): readonly Frame[] {
    const { list } = this;
    const { eip, csBase } = this.current();
    let inner = (csBase + eip) >>> 0;
    let base = csBase;
    let { bits } = this;
    let esp: number | undefined = this.pointer(this.register('esp'));
    this.push({ eip, csBase, left: inner, esp, guessed: false }, bits);
    while (esp !== undefined && list.length < FRAMES - 1) {
      const found = this.search(esp, inner, base, bits);
      if (found === undefined) break;
      bits = this.program.bitsAt(found.left) ?? bits;
      const { event } = found;
      const label = event === undefined ? found.label : `── ${arrival(this.dbg.view, event)} ──`;
      if (event !== undefined) this.events = this.events.slice(this.events.indexOf(event) + 1);
      if (label !== undefined) this.line(label, found, bits);
      this.push(found, bits);
      inner = found.left;
      base = found.csBase;
      esp = found.esp;
    }
    this.bottom();
    return list.slice(0, FRAMES);
  }

  /** Where the vCPU is; at its HLT while it sleeps in that, though EIP is behind it. */
  private current(): { eip: number; csBase: number } {
    const { dbg, vcpu } = this;
    const { eip, csBase } = dbg.position(vcpu);
    const v = dbg.view.machine.vm.vcpu(vcpu);
    const now = dbg.view.position(vcpu);
    const asleep = v.waiting === Waiting.hlt || v.halted;
    if (asleep && now.eip === eip && now.csBase === csBase && eip > 0 && this.memory.at(csBase + eip - 1) === HLT)
      return { eip: eip - 1, csBase };
    return { eip, csBase };
  }

  /** The next frame outwards. `inner`: where the inner one is. */
  private search(esp: number, inner: number, csBase: number, bits: 16 | 32): Found | undefined {
    const owner = this.program.labelAt(inner)?.name;
    const step = this.bigStack && bits === 32 ? 4 : 2;
    let fitting: Found | undefined;
    let any: Found | undefined;
    for (let slot = 0; slot < CERTAIN; slot++) {
      if (slot === FITTING && (fitting ?? any) !== undefined) break;
      const pointer = this.pointer(esp + slot * step);
      const address = (this.stackBase + pointer) >>> 0;
      if (this.memory.at(address) === undefined) break;
      const found = this.interrupted(pointer, address) ?? this.called(pointer, address, csBase, bits);
      if (found?.target !== undefined && owner !== undefined && this.program.labelAt(found.target)?.name === owner)
        return { ...found, guessed: false };
      if (slot >= FITTING) continue;
      const near = owner === undefined && found?.target !== undefined && inner >= found.target && inner - found.target < NEAR;
      if (near || found?.event !== undefined) fitting ??= found;
      if (slot < ANY) any ??= found ?? this.software(pointer, address);
    }
    return fitting ?? any;
  }

  /** A return address at this slot, and where its CALL leads. */
  private called(pointer: number, address: number, csBase: number, bits: 16 | 32): Found | undefined {
    for (const size of bits === 32 ? ([4, 2] as const) : ([2, 4] as const)) {
      const eip = this.memory.value(address, size);
      if (eip === undefined || eip === 0) continue;
      const near = this.calls.before(eip, csBase, bits);
      if (near !== undefined && !near.far && near.size === size)
        return { eip, csBase, guessed: true, left: near.linear, esp: this.pointer(pointer + size), target: near.target };
      const base = this.segmentBase(this.memory.value(address + size, 2), csBase);
      if (base === undefined) continue;
      const far = this.calls.before(eip, base, bits);
      if (far?.far && far.size === size)
        return { eip, csBase: base, guessed: true, left: far.linear, esp: this.pointer(pointer + 2 * size), target: undefined };
    }
    return undefined;
  }
  /** An interruption that the ledger knows, and whose EIP, CS and EFLAGS are at this slot. */
  private interrupted(pointer: number, address: number): Found | undefined {
    if (this.events.length === 0) return undefined;
    for (const size of [4, 2] as const) {
      const eip = this.memory.value(address, size);
      if (eip === undefined) continue;
      const index = this.events.findIndex((event) => event.eip === eip);
      if (index < 0 || !this.areFlags(address + 2 * size)) continue;
      const event = this.events[index] as EventRecord;
      const selector = this.memory.value(address + size, 2);
      if (selector === undefined || (this.realMode ? this.segmentBase(selector, event.csBase) !== event.csBase : (selector & 0xfffc) === 0))
        continue;
      const outward = !this.realMode && (selector & 3) > (this.cs & 3); // from another privilege level: IRET goes back to its stack
      return {
        eip,
        csBase: event.csBase,
        guessed: false,
        left: (event.csBase + eip) >>> 0,
        esp: outward ? undefined : this.pointer(pointer + 3 * size),
        target: this.handler(event.kind === EventKind.nmi ? 2 : event.value),
        event,
      };
    }
    return undefined;
  }
  /** Linear address of the handler that the IDT has for a vector now; its segment's base is 0 unless it is the one in use. */
  private handler(vector: number): number | undefined {
    const entry = (this.register('idtr.base') + vector * (this.realMode ? 4 : 8)) >>> 0;
    const low = this.memory.value(entry, 4);
    if (low === undefined) return undefined;
    if (this.realMode) return ((low >>> 16) * 16 + (low & 0xffff)) >>> 0;
    const high = this.memory.value(entry + 4, 4) ?? 0;
    const offset = ((low & 0xffff) | (high & 0x800 ? high & 0xffff0000 : 0)) >>> 0;
    return ((low >>> 16 === this.cs ? this.register('cs.base') : 0) + offset) >>> 0;
  }
  /** EIP, CS and EFLAGS of an INT instruction at this slot. */
  private software(pointer: number, address: number): Found | undefined {
    for (const size of this.realMode ? ([2] as const) : ([4, 2] as const)) {
      const eip = this.memory.value(address, size);
      const selector = this.memory.value(address + size, 2);
      if (eip === undefined || eip < 2 || (!this.realMode && selector !== this.cs) || !this.areFlags(address + 2 * size)) continue;
      const csBase = this.segmentBase(selector, this.realMode ? 0 : this.register('cs.base'));
      if (csBase === undefined || this.memory.at(csBase + eip - 2) !== 0xcd) continue;
      const vector = this.memory.at(csBase + eip - 1) ?? 0;
      const left = (csBase + eip - 2) >>> 0;
      const known = unitAround(this.program, left);
      if (known !== undefined && (known.linear !== left || known.length !== 2)) continue;
      return {
        eip,
        csBase,
        guessed: true,
        left,
        esp: this.pointer(pointer + 3 * size),
        label: `── INT ${hex(vector, 2)} ──`,
        target: undefined,
      };
    }
    return undefined;
  }
  /** Could these be flags that were pushed: bit 1 set; 3, 5 and 15 clear? */
  private areFlags(address: number): boolean {
    const flags = this.memory.value(address, 2);
    return flags !== undefined && (flags & 0x802a) === 2;
  }
  /** Base of the code segment with this selector: by itself in real mode, else only where it is the one in use. */
  private segmentBase(selector: number | undefined, current: number): number | undefined {
    if (selector === undefined) return undefined;
    if (!this.realMode) return selector === this.cs ? current : undefined;
    return selector === 0xf000 && current === RESET_BASE ? RESET_BASE : selector * 16;
  }

  private push({ eip, csBase, left, esp, guessed }: Omit<Found, 'target'>, bits: 16 | 32): void {
    const linear = (csBase + eip) >>> 0;
    const place = this.program.placeAt(left);
    this.list.push({
      vcpu: this.vcpu,
      depth: this.list.length,
      name: linear === RESET_VECTOR ? 'reset vector' : (this.program.labelAt(left)?.name ?? address(linear, csBase, this.realMode)),
      kind: 'code',
      guessed,
      eip,
      csBase,
      linear,
      bits,
      ...(place === undefined ? {} : { place }),
      ...(esp === undefined ? {} : { esp }),
    });
  }
  private line(name: string, { eip, csBase }: { readonly eip: number; readonly csBase: number }, bits: 16 | 32): void {
    const linear = (csBase + eip) >>> 0;
    this.list.push({ vcpu: this.vcpu, depth: this.list.length, name, kind: 'label', guessed: false, eip, csBase, linear, bits });
  }
  /** Where all of it began. */
  private bottom(): void {
    if (this.list.length >= FRAMES) return;
    if (this.vcpu === 0) {
      const begun = { eip: RESET_VECTOR - RESET_BASE, csBase: RESET_BASE, left: RESET_VECTOR, esp: undefined, guessed: false };
      if (this.list.at(-1)?.linear !== RESET_VECTOR) this.push(begun, 16);
      return;
    }
    const ipi = startedBy(this.dbg.view.ledger, this.vcpu);
    if (ipi !== undefined)
      this.line(`── started by ${ipiWords(ipi)} (i#${ipi.number}) ──`, { eip: 0, csBase: (ipi.icrLow & 0xff) << 12 }, 16);
  }

  private register(name: string): number {
    return this.dbg.view.register(this.vcpu, name) ?? 0;
  }
  /** A stack pointer as this stack's size has it. */
  private pointer(value: number): number {
    return this.bigStack ? value >>> 0 : value & 0xffff;
  }
}
