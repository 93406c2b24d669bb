/**
 * The cache of packed records: a run of records for each address that execution enters, keyed by the host address of its first byte (so it serves
 * any virtual mapping) and by the execution context it was decoded for.
 *
 * A run lies within one page. An instruction that reaches into the next page is a run of its own, valid only together with that next page.
 */
import { FALL_THROUGH, definitions, type Form, type Forms, flagsNeededBefore } from '../emitter/form.ts';
import { InstructionDecoder, type Insn, Operand, RegisterClass } from '../isa/decoder.ts';
import { Context, type MemoryLayout, Rec, RECORD_CONTEXTS, Segment, State } from '../state/layout.ts';
import { type Shape, shapeOf } from './shape.ts';

/** Instructions in one run. */
const MAX_RUN = 64;
/** Pages, by context, with decoded code: each costs 16 KiB of heap, however little is decoded. */
const MAX_PAGES = 4096;
/** As few as runs of a page that is written to all the time may have. */
const MIN_RUN = 4;
/** Longest instruction; longer ones raise #GP. */
const MAX_LENGTH = 15;
const PAGE = 4096;
const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
const WORST_RUN = (MAX_RUN + 1) * Rec.size;

/** Flags of every instruction of a run that somebody may see. For the region compiler. */
export function liveness(forms: readonly Form[]): boolean[] {
  const result: boolean[] = new Array(forms.length);
  let live = true;
  for (let k = forms.length - 1; k >= 0; k--) {
    result[k] = live;
    live = flagsNeededBefore(forms[k] as Form, live);
  }
  return result;
}

const isFlatSegment = (segment: number): boolean => segment === Segment.DS || segment === Segment.ES || segment === Segment.SS;

/** What an instruction is executed as. `popped`: bytes that it has popped when it computes its address. */
interface Choice {
  readonly form: Form;
  readonly popped: number;
}

const generalSlot = (register: number, high: boolean): number => register * 8 + (high ? 1 : 0);

export class Records {
  private next: number;
  /** Record by offset in page, for each (page, context). */
  private readonly pages = new Map<number, Int32Array>();
  /** Page-crossing instructions: by (host address, context). */
  private readonly crossing = new Map<number, { record: number; secondPage: number }>();
  /** Runs of one unlinked instruction, for pages that are not wholly in their segment: by (host address, context). */
  private readonly singles = new Map<number, number>();
  /** The linear page each host page's records were made for, while there are breakpoints. */
  private readonly seenAs = new Map<number, number>();
  /** The choices made so far, by iced's code and by everything else that matters: a few thousand at most. */
  private readonly choices = new Map<string, Map<number, Choice>>();
  /** Records of a (page, context) that wait for a branch target in it to be decoded, by offset. */
  private readonly waiting = new Map<number, Map<number, number[]>>();
  /** How long runs of a page may be that has been written to: code that changes all the time is not worth decoding far ahead. */
  private readonly runLimits = new Map<number, number>();
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly decoder = new InstructionDecoder();
  private readonly undefined_: Form;
  private readonly fetched = new Uint8Array(2 * PAGE);
  private readonly shorter = new Uint8Array(MAX_LENGTH + PREFIXES.length);
  /** Grows whenever records die: a record kept from before is worthless. */
  generation = 1;
  /** Counts how often the room of all records was given back. */
  clears = 0;
  /** Is there an instruction breakpoint at this linear address? Records made while there is one get the stop handler. */
  isBreakpoint: ((linear: number) => boolean) | undefined;
  /** Set when a page has come to hold decoded code: stores to it must be noticed from now on. */
  addedCode = false;
  private linearPage = 0;
  private readonly stopId: number;
  private readonly overlong: Form;
  /** Called when records have died. */
  onInvalidate: () => void = () => {};

  constructor(
    memory: WebAssembly.Memory,
    private readonly layout: MemoryLayout,
    private readonly forms: Forms,
  ) {
    this.view = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.next = layout.records;
    this.undefined_ = this.bare('undefined');
    this.stopId = this.bare('stop').id;
    this.overlong = this.bare('overlong');
  }

  /**
   * The record for the instruction at this host address.
   * @param context Context bits (user does not matter)
   * @param second host address of the page after it, or 0 if that cannot be fetched from; asked only when an instruction crosses
   * @param linear linear address of it, for breakpoints
   * @param room how many bytes the code segment has from here
   * @param single makes a run of one instruction: the segment begins or ends within this page
   * @returns 0: the instruction needs bytes of a page that cannot be fetched from; -1: it is longer than 15 bytes or than `room`
   */
  at(host: number, context: number, linear: number, room: number, single: boolean, second: () => number): number {
    const contextKey = context & (RECORD_CONTEXTS - 1);
    const offset = host & (PAGE - 1);
    this.linearPage = linear - offset;
    if (this.isBreakpoint) this.separateAliases(host);
    const key = host * RECORD_CONTEXTS + contextKey;
    const known = single ? this.singles.get(key) : this.pages.get((host >>> 12) * RECORD_CONTEXTS + contextKey)?.[offset];
    if (known) return single ? this.within(known, room) : known;
    if (offset > PAGE - MAX_LENGTH - 1 && room > PAGE - offset) {
      const crosses = this.crossing.get(key);
      if (crosses && crosses.secondPage === second() >>> 12) return this.within(crosses.record, room);
    }
    return this.decode(host, contextKey, room, second, single);
  }

  /** The record, or -1 when its instruction is longer than `room`. */
  private within(record: number, room: number): number {
    return this.view.getUint8(record + Rec.length) > room ? -1 : record;
  }
  /** Breakpoints are at linear addresses and records belong to host pages: one seen at another linear address is decoded again. */
  private separateAliases(host: number): void {
    const page = host >>> 12;
    const before = this.seenAs.get(page);
    if (before !== undefined && before !== this.linearPage) this.invalidatePage(host);
    this.seenAs.set(page, this.linearPage);
  }
  /** Is there no room for another run? The next that is decoded drops all others. */
  get full(): boolean {
    return this.next > this.layout.recordsEnd - 2 * WORST_RUN || this.pages.size > MAX_PAGES;
  }

  /** Is this a record of an uncached run, soon to be overwritten? */
  isTransient(record: number): boolean {
    return record >= this.next;
  }

  /** Everything decoded from this page is void. */
  invalidatePage(host: number): void {
    const page = host >>> 12;
    for (let key = page * RECORD_CONTEXTS; key < (page + 1) * RECORD_CONTEXTS; key++) {
      this.pages.get(key)?.fill(0);
      this.waiting.delete(key);
    }
    this.runLimits.set(page, Math.max((this.runLimits.get(page) ?? MAX_RUN) >> 1, MIN_RUN));
    this.crossing.clear();
    this.singles.clear();
    this.seenAs.delete(page);
    const first = this.layout.codeBitmap + ((page * PAGE - this.layout.ram) >>> 9);
    this.bytes.fill(0, first, first + PAGE / 512);
    this.died();
  }
  /** Everything decoded is void. */
  clear(): void {
    this.pages.clear();
    this.crossing.clear();
    this.singles.clear();
    this.seenAs.clear();
    this.waiting.clear();
    this.runLimits.clear();
    this.bytes.fill(0, this.layout.codeBitmap, this.layout.ram);
    this.next = this.layout.records;
    this.clears++;
    this.died();
  }
  /** Does this record stay until records die? Those of runs that are made for one use do not; 0 does. */
  keeps(record: number): boolean {
    return record < this.next;
  }
  /** The longest run to decode in this page now; grows again as more of it is decoded. */
  private runLimit(page: number): number {
    const limit = this.runLimits.get(page);
    if (limit === undefined) return MAX_RUN;
    if (limit + 1 < MAX_RUN) this.runLimits.set(page, limit + 1);
    else this.runLimits.delete(page);
    return limit;
  }
  private died(): void {
    this.generation++;
    this.onInvalidate();
  }
  /** Does this host page hold decoded code? */
  holdsCode(host: number): boolean {
    const first = this.layout.codeBitmap + ((host - (host & (PAGE - 1)) - this.layout.ram) >>> 9);
    return this.view.getInt32(first, true) !== 0 || this.view.getInt32(first + 4, true) !== 0;
  }
  /** Do any of these bytes (within one page) lie in a 64-byte piece that holds decoded code? */
  touchesCode(host: number, length: number): boolean {
    for (let piece = (host - this.layout.ram) >>> 6; piece <= (host + length - 1 - this.layout.ram) >>> 6; piece++)
      if (((this.bytes[this.layout.codeBitmap + (piece >>> 3)] as number) >> (piece & 7)) & 1) return true;
    return false;
  }
  private markCode(host: number, length: number): void {
    if (!this.holdsCode(host)) this.addedCode = true;
    for (let piece = (host - this.layout.ram) >>> 6; piece <= (host + length - 1 - this.layout.ram) >>> 6; piece++) {
      const at = this.layout.codeBitmap + (piece >>> 3);
      this.bytes[at] = (this.bytes[at] as number) | (1 << (piece & 7));
    }
  }

  private decode(host: number, context: number, room: number, second: () => number, single: boolean): number {
    if (this.full) this.clear();
    const offset = host & (PAGE - 1);
    const base = host - offset;
    const run: Form[] = [];
    const longest = this.runLimit(host >>> 12);
    const first = this.next;
    let at = offset;
    let done = false;
    let crosses = false;
    const branches: { record: number; target: number }[] = [];
    this.decoder.decode(this.bytes.subarray(host, base + PAGE), context & Context.code32 ? 32 : 16, offset, (n) => {
      if (n.length === 0) {
        crosses = true;
        return false;
      }
      const form = this.add(first + run.length * Rec.size, n, at, context, branches);
      run.push(form);
      at += n.length || 1;
      done = ends(form) || at >= PAGE || run.length >= longest || single;
      return !done;
    });
    if (run.length === 0) {
      if (!crosses) return 0;
      return this.decodeCrossing(host, context, room, second);
    }
    const last = run.length - 1;
    if (
      run[last] === this.undefined_ &&
      this.isOverlong(this.bytes.subarray(base + this.view.getUint16(first + last * Rec.size + Rec.offset, true), base + PAGE), context)
    ) {
      run[last] = this.overlong;
      this.header(first + last * Rec.size, this.overlong, 0, this.view.getUint16(first + last * Rec.size + Rec.offset, true));
    }
    if (single && at - offset > room) return -1;
    if (at > offset + MAX_LENGTH && run.length === 1) return -1;
    if (!endsUnconditionally(run[run.length - 1] as Form))
      this.addFallThrough(first + run.length * Rec.size, at, context, branches, single);
    this.finish(first, run);
    this.next = first + (run.length + 1) * Rec.size;
    this.markCode(host, at - offset);
    if (single) this.singles.set(host * RECORD_CONTEXTS + context, first);
    else this.publish(base, context, first, run.length, branches);
    return first;
  }
  /**
   * Is what cannot be decoded here merely longer than 15 bytes? iced does not tell that apart from an undefined opcode, so it is asked again about
   * the same instruction without its repeated prefixes.
   */
  private isOverlong(bytes: Uint8Array, context: number): boolean {
    const { shorter } = this;
    let at = 0;
    let distinct = 0;
    for (; at < bytes.length && PREFIXES.includes(bytes[at] as number); at++)
      if (!shorter.subarray(0, distinct).includes(bytes[at] as number)) shorter[distinct++] = bytes[at] as number;
    const rest = Math.min(MAX_LENGTH, bytes.length - at);
    shorter.set(bytes.subarray(at, at + rest), distinct);
    if (shorter[distinct] === 0x8e) shorter[distinct + 1] = (shorter[distinct + 1] as number) & 0xc7; // MOV CS is undefined: as long as MOV ES
    let length = 0;
    this.decoder.decode(shorter.subarray(0, distinct + rest), context & Context.code32 ? 32 : 16, 0, (n) => {
      if (n.valid) length = n.length;
      return false;
    });
    // An opcode that is undefined in itself is at least two bytes long, but for a few: 14 prefixes are too many for it.
    return length > 0 ? at - distinct + length > MAX_LENGTH : at >= MAX_LENGTH - 1;
  }
  private decodeCrossing(host: number, context: number, room: number, second: () => number): number {
    const rest = PAGE - (host & (PAGE - 1));
    if (room <= rest) return -1;
    const secondHost = second();
    if (secondHost === 0) return 0;
    this.fetched.set(this.bytes.subarray(host, host + rest));
    this.fetched.set(this.bytes.subarray(secondHost, secondHost + 16), rest);
    const first = this.next;
    let form: Form | undefined;
    let length = 0;
    const branches: { record: number; target: number }[] = [];
    this.decoder.decode(this.fetched.subarray(0, rest + 16), context & Context.code32 ? 32 : 16, host & (PAGE - 1), (n) => {
      length = n.length;
      if (length) form = this.add(first, n, host & (PAGE - 1), context, branches);
      return false;
    });
    if (!form || length > room || (form === this.undefined_ && this.isOverlong(this.fetched.subarray(0, rest + 16), context))) return -1;
    if (!endsUnconditionally(form)) this.addFallThrough(first + Rec.size, (host & (PAGE - 1)) + length, context, branches, true);
    this.finish(first, [form]);
    this.next = first + 2 * Rec.size;
    this.markCode(host, rest);
    this.markCode(secondHost, length - rest > 0 ? length - rest : 1);
    this.crossing.set(host * RECORD_CONTEXTS + context, { record: first, secondPage: secondHost >>> 12 });
    return first;
  }

  /** Makes a run's records known, each as an entry of its own, and links branches within the page, now or when their targets are decoded. */
  private publish(base: number, context: number, first: number, length: number, branches: { record: number; target: number }[]): void {
    const key = (base >>> 12) * RECORD_CONTEXTS + context;
    let page = this.pages.get(key);
    if (!page) this.pages.set(key, (page = new Int32Array(PAGE)));
    let waiting = this.waiting.get(key);
    if (!waiting) this.waiting.set(key, (waiting = new Map()));
    for (let k = 0, own = first; k < length; k++, own += Rec.size) {
      const offset = this.view.getUint16(own + Rec.offset, true);
      if (page[offset]) continue;
      page[offset] = own;
      const here = waiting.get(offset);
      if (here === undefined) continue;
      for (const record of here) this.view.setInt32(record + Rec.link, own, true);
      waiting.delete(offset);
    }
    for (const { record, target } of branches) {
      if (target < 0 || target >= PAGE) continue;
      const known = page[target];
      if (known) this.view.setInt32(record + Rec.link, known, true);
      else {
        const list = waiting.get(target);
        if (list) list.push(record);
        else waiting.set(target, [record]);
      }
    }
  }
  private finish(first: number, run: readonly Form[]): void {
    for (let k = 0; k < run.length; k++) this.view.setUint8(first + k * Rec.size + Rec.count, run.length - k);
  }
  private addFallThrough(
    p: number,
    offset: number,
    context: number,
    branches: { record: number; target: number }[],
    unlinked: boolean,
  ): void {
    const segmented = (context & Context.flat) === 0;
    this.header(p, this.formOf({ name: FALL_THROUGH, size: 32, kinds: 'i' }, segmented, 32, 32), 0, offset);
    if (!unlinked) branches.push({ record: p, target: offset });
  }

  private bare(name: string): Form {
    return this.forms.list.find((f) => f.definition.name === name) as Form;
  }
  private formOf(shape: Shape, segmented: boolean, addressSize: 16 | 32, stackSize: 16 | 32): Form {
    const definition = definitions.get(shape.name);
    const find = (kinds: string): Form | undefined =>
      definition && this.forms.find(definition, shape.size, kinds, { addressSize, stackSize, segmented });
    return find(shape.kinds) ?? this.undefined_;
  }
  private header(p: number, form: Form, length: number, offset: number): void {
    const { view } = this;
    for (let k = 0; k < Rec.size; k += 4) view.setInt32(p + k, 0, true);
    view.setUint16(p + Rec.handler, form.id, true);
    view.setUint16(p + Rec.form, form.id, true);
    view.setUint8(p + Rec.length, length);
    view.setUint16(p + Rec.offset, offset, true);
  }
  /** Packs one instruction. `offset`: of it in its page. */
  private add(p: number, n: Insn, offset: number, context: number, branches: { record: number; target: number }[]): Form {
    const { view } = this;
    const { form, popped } = this.chosen(n, context);
    this.header(p, form, n.length, offset);
    if (this.isBreakpoint?.((this.linearPage + offset) >>> 0)) view.setUint16(p + Rec.handler, this.stopId, true);
    if (form === this.undefined_) return form;
    const displacement = n.base === 4 ? n.displacement + popped : n.displacement; // for POP, rSP as base counts as already popped
    view.setUint8(p + Rec.base, n.base < 0 ? State.zeroSlot : n.base * 8);
    view.setUint8(p + Rec.index, n.index < 0 ? State.zeroSlot : n.index * 8);
    view.setUint8(p + Rec.scale, n.scale);
    view.setInt32(p + Rec.disp, displacement, true);
    view.setUint8(p + Rec.segment, State.baseSlot + n.segment * 8);
    let immediate = 0;
    let high = 0;
    for (let k = 0; k < n.operandCount && k < 3; k++) {
      const o = n.operands[k as 0 | 1 | 2];
      if (o.kind === Operand.register) {
        if (o.registerClass === RegisterClass.debug) immediate = o.register;
        view.setUint8(p + Rec.operand + k, slotOf(o.registerClass, o.register, o.high));
      } else if (o.kind === Operand.immediate) {
        immediate = o.immediate;
        high = immediate < 0 ? -1 : 0;
      } else if (o.kind === Operand.nearBranch) {
        immediate = n.target;
        high = immediate < 0 ? -1 : 0;
        // A 16-bit branch in 32-bit code leaves its page unless EIP is below 64 KiB, which a record cannot know.
        if (o.size === 32 || (context & Context.code32) === 0) branches.push({ record: p, target: n.target });
      } else if (o.kind === Operand.farBranch) {
        immediate = n.farOffset;
        high = n.farSelector;
      }
    }
    view.setInt32(p + Rec.immediate, immediate, true);
    view.setInt32(p + Rec.immediate + 4, high, true);
    return form;
  }
  /** The form for this context, remembered: an instruction's code and little else decide it. */
  private chosen(n: Insn, context: number): Choice {
    const [a, b, c] = n.operands;
    const count = n.operandCount > 2 ? c : b;
    // Where the number of a system register, or ENTER's level, matters, it is found anew.
    const plain = n.valid && a.registerClass < RegisterClass.segment && b.registerClass < RegisterClass.segment && n.mnemonic !== 'enter';
    if (!plain) return this.newChoice(n, context);
    let known = this.choices.get(n.code);
    if (!known) this.choices.set(n.code, (known = new Map()));
    const key =
      (n.operandCount > 0 ? a.kind : 0) |
      (n.operandCount > 1 ? b.kind << 3 : 0) |
      (n.operandCount > 2 ? c.kind << 6 : 0) |
      (n.rep ? 0x200 : 0) |
      (n.repne ? 0x400 : 0) |
      (n.addressSize === 16 ? 0x800 : 0) |
      ((context & (RECORD_CONTEXTS - 1)) << 12) |
      (n.index < 0 ? 0x8000 : 0) |
      (isFlatSegment(n.segment) ? 0x10000 : 0) |
      ((count.immediate & 31) === 0 ? 0x20000 : 0) |
      (a.register === b.register ? 0x40000 : 0);
    let choice = known.get(key);
    if (!choice) known.set(key, (choice = this.newChoice(n, context)));
    return choice;
  }
  private newChoice(n: Insn, context: number): Choice {
    const shape = n.valid ? shapeOf(n) : undefined;
    if (!shape) return { form: this.undefined_, popped: 0 };
    return { form: this.choose(shape, n, context), popped: shape.name === 'pop' ? shape.size / 8 : 0 };
  }
  /** The form for this context: flat where every segment it uses is. */
  private choose(shape: Shape, n: Insn, context: number): Form {
    const memory = shape.kinds.includes('m');
    const definition = definitions.get(shape.name);
    if (!definition) return this.undefined_;
    const strings = definition.strings;
    const addressSize = n.addressSize === 16 ? 16 : 32;
    const stackSize = context & Context.stack32 ? 32 : 16;
    const flat = (context & Context.flat) !== 0 && (!(memory || strings) || (isFlatSegment(n.segment) && addressSize === 32));
    const kinds = memory && flat && n.index < 0 ? shape.kinds.replace('m', 'b') : shape.kinds;
    return this.formOf({ ...shape, kinds }, !flat, memory || strings ? addressSize : 32, definition.stack ? stackSize : 32);
  }
}

const CONTROL_SLOTS: Record<number, number> = { 0: 0, 2: 8, 3: 16, 4: 24 };
function slotOf(registerClass: number, register: number, high: boolean): number {
  switch (registerClass) {
    case RegisterClass.segment:
      return State.selectorSlot + register * 4;
    case RegisterClass.control:
      return State.controlSlot + (CONTROL_SLOTS[register] ?? 0);
    default:
      return generalSlot(register, high);
  }
}

/** Does execution never simply go on with the next record of the run? */
const endsUnconditionally = (f: Form): boolean =>
  f.control === 'indirect' ||
  f.control === 'redirect' ||
  f.control === 'stop' ||
  f.definition.name === 'jmp' ||
  f.definition.name === 'call' ||
  f.definition.name === 'undefined' ||
  f.definition.name === 'overlong';
const ends = (f: Form): boolean => endsUnconditionally(f) || f.control === 'again';
