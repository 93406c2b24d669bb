/**
 * Rows of a disassembly, forwards and backwards from any address.
 *
 * x86 code can only be read forwards. Where instructions begin is known from the source, from where vCPUs are, and from what can be reached from the
 * reset vector; between such places, reading begins a little earlier, at whichever byte leads to the known place with the fewest bytes left over.
 */
import { hex } from '../../machine/base/bits.ts';
import { instructionFormatter } from '../../machine/isa/formatter.ts';
import { VRS } from '../../machine/vmm/runstate.ts';
import type { Debugger } from '../debugger.ts';
import { LinearBytes } from './bytes.ts';
import type { Program, SourcePlace, Statement } from './program.ts';
import { Trace } from './trace.ts';

export interface DisassemblyRow {
  /** Linear address, u32; of fillers before the first or behind the last address, one below 0 or above FFFFFFFFh, so that rows stay in order. */
  readonly linear: number;
  readonly bytes: Uint8Array;
  /** `mov dword [FEE00300h], 000C4500h`; for bytes that are no instruction `db 0FFh`. */
  readonly text: string;
  readonly bits: 16 | 32;
  readonly label?: string;
  readonly place?: SourcePlace;
  /** Nothing is there, or no instruction: a filler, so that there are as many rows as were asked for. */
  readonly invalid: boolean;
}

export interface DisassemblyRequest {
  /** Linear address, u32. */
  readonly linear: number;
  /** Bytes to add to it first, signed; default 0. */
  readonly byteOffset?: number;
  /** Instructions to go on from there before the first row, signed; default 0. */
  readonly instructionOffset?: number;
  /** Rows. */
  readonly instructionCount: number;
}

/** What of the debugger a disassembly is made from. */
export type Disassembled = Pick<Debugger, 'view' | 'program'>;

const LONGEST = 15;
const PAGE = 4096;
const FOUR_GIB = 2 ** 32;
/** Bytes of data in a row. */
const DATA = 8;
/** Reading begins so many bytes earlier than it must: after these it has fallen into step, mostly. */
const LEAD = 32;

const byteWords = (byte: number): string => `${byte >= 0xa0 ? '0' : ''}${hex(byte, 2)}h`;
const dataWords = (bytes: Uint8Array): string => `db ${[...bytes].map(byteWords).join(', ')}`;

const traces = new WeakMap<Uint8Array, Trace>();
function traceOf({ image }: Program): Trace {
  let trace = traces.get(image);
  if (trace === undefined) traces.set(image, (trace = new Trace(image)));
  return trace;
}

/** What lies at an address: an instruction, data of so many bytes, or nothing. */
interface Piece {
  readonly linear: number;
  readonly length: number;
  readonly kind: 'instruction' | 'data' | 'none';
  readonly bits: 16 | 32;
}

/** Reads the memory that one vCPU sees as code. For one look, within Program.during: made anew whenever the machine has gone on. */
export class Reading {
  private readonly program: Program;
  private readonly memory: LinearBytes;
  private readonly formatter = instructionFormatter();
  private readonly trace: Trace | undefined;
  private readonly asking: 16 | 32;
  /** Where vCPUs are, with the size of the code there. */
  private readonly positions = new Map<number, 16 | 32>();
  /** Lengths of instructions, by page and size. */
  private readonly tables = new Map<number, Uint8Array>();
  /** Pages of which the source says something. */
  private readonly known = new Map<number, boolean>();

  /** @param starts where instructions are known to begin besides, with their size */
  constructor({ view, program }: Disassembled, vcpu: number, starts: ReadonlyMap<number, 16 | 32> = new Map()) {
    this.program = program;
    this.memory = new LinearBytes(view, vcpu);
    this.trace = program.assembled === undefined ? traceOf(program) : undefined;
    this.asking = view.as(vcpu, ({ code32 }) => (code32 ? 32 : 16));
    for (const [linear, bits] of starts) this.positions.set(linear, bits);
    for (const { id, active, runState } of view.machine.vm.vcpus) {
      if (!active || (runState & VRS.RUN) === 0) continue;
      view.as(id, ({ csBase, eip, code32 }) => this.positions.set((csBase + eip) >>> 0, code32 ? 32 : 16));
    }
  }

  /** 16 or 32: by the source, by the vCPU that is there, by what is known of the ROM, by a vCPU in the same page, by the one that asks. */
  bitsAt(linear: number): 16 | 32 {
    const known =
      (this.isKnown(linear) ? this.program.bitsAt(linear) : undefined) ?? this.positions.get(linear) ?? this.trace?.bitsAt(linear);
    if (known !== undefined) return known;
    for (const [position, bits] of this.positions) if (position >>> 12 === linear >>> 12) return bits;
    return this.asking;
  }

  /** Rows from the piece at `linear` on until `end` (exclusive), at most `count`. */
  rows(linear: number, end: number, count = Number.POSITIVE_INFINITY): DisassemblyRow[] {
    const rows: DisassemblyRow[] = [];
    for (let at = linear; at < end && rows.length < count; ) {
      const piece = this.piece(at, end);
      rows.push(this.row(piece));
      at += piece.length;
    }
    return rows;
  }

  /** Address of a piece some bytes before `linear`, at least `bytes` (as far as there are so many), from which reading leads to `linear`. */
  before(linear: number, bytes: number): number {
    const first = Math.max(linear - bytes, 0);
    const anchor = this.anchorBefore(first);
    if (anchor !== undefined) return anchor;
    const earliest = Math.max(first - LEAD, 0);
    // Bytes that are left over on the way from each address to `linear`.
    const lost = new Float64Array(linear - earliest + 1);
    for (let at = linear - 1; at >= earliest; at--) {
      const { kind, length } = this.piece(at, linear);
      lost[at - earliest] = (kind === 'instruction' ? 0 : length) + (lost[at - earliest + length] as number);
    }
    let best = earliest;
    for (let start = earliest; start < Math.min(earliest + LONGEST, first + 1); start++)
      if ((lost[start - earliest] as number) + start - earliest < (lost[best - earliest] as number) + best - earliest) best = start;
    return best;
  }

  private row(piece: Piece): DisassemblyRow {
    const { linear, length, kind, bits } = piece;
    const bytes = kind === 'none' ? new Uint8Array(0) : this.memory.read(linear, length);
    const known = kind !== 'none' && this.isKnown(linear);
    const label = known ? this.program.labelHere(linear) : undefined;
    const place = known ? this.program.placeAt(linear) : undefined;
    const text =
      kind === 'none'
        ? '??'
        : ((kind === 'instruction' ? this.formatter.format(bytes, bits, linear)?.text : undefined) ?? dataWords(bytes));
    return {
      linear,
      bytes,
      text,
      bits,
      ...(label === undefined ? {} : { label }),
      ...(place === undefined ? {} : { place }),
      invalid: kind === 'none' || (kind === 'data' && place === undefined),
    };
  }

  /** What lies at `linear`, up to `end` at most: whoever names an end knows that something begins there. */
  private piece(linear: number, end: number): Piece {
    const bits = this.bitsAt(linear);
    const whole = this.read(linear, bits);
    if (linear + whole.length <= end) return whole;
    return { ...whole, length: end - linear, kind: whole.kind === 'none' ? 'none' : 'data' };
  }
  private read(linear: number, bits: 16 | 32): Piece {
    if (this.memory.at(linear) === undefined) return { linear, length: 1, kind: 'none', bits };
    const statement = this.statementAt(linear);
    if (statement !== undefined && !statement.instruction) {
      const length = Math.min(DATA, statement.linear + statement.length - linear);
      return { linear, length: this.memory.read(linear, length).length, kind: 'data', bits };
    }
    const length = this.lengthAt(linear, bits);
    if (length === 0) return { linear, length: 1, kind: 'data', bits };
    // Where something else begins within it, it is none.
    for (let i = 1; i < length; i++) if (this.begins(linear + i)) return { linear, length: i, kind: 'data', bits };
    return { linear, length, kind: 'instruction', bits };
  }
  /** Length of the instruction at a linear address; 0: none. */
  private lengthAt(linear: number, bits: 16 | 32): number {
    const page = linear >>> 12;
    const key = page * 2 + (bits === 32 ? 1 : 0);
    let table = this.tables.get(key);
    if (table === undefined) {
      const first = page * PAGE;
      const bytes = this.memory.read(first, Math.min(PAGE + LONGEST, FOUR_GIB - first));
      this.tables.set(key, (table = this.formatter.lengths(bytes, bits, PAGE)));
    }
    return table[linear & (PAGE - 1)] as number;
  }
  private isKnown(linear: number): boolean {
    const page = linear >>> 12;
    let known = this.known.get(page);
    if (known === undefined) this.known.set(page, (known = this.program.knows(linear)));
    return known;
  }
  private statementAt(linear: number): Statement | undefined {
    return this.isKnown(linear) ? this.program.statementAt(linear) : undefined;
  }
  /** Is it known that an instruction (or data) begins at `linear`? */
  begins(linear: number): boolean {
    if (this.positions.has(linear) || this.trace?.begins(linear)) return true;
    const statement = this.statementAt(linear);
    return statement !== undefined && (linear - statement.linear) % statement.unit === 0;
  }
  /** The nearest address at or before `linear`, not far from it, at which something is known to begin. */
  private anchorBefore(linear: number): number | undefined {
    const statement = this.statementAt(linear);
    if (statement !== undefined) {
      const into = linear - statement.linear;
      return linear - (into % (statement.instruction ? statement.unit : DATA));
    }
    for (let at = linear; at >= Math.max(linear - LEAD, 0); at--) if (this.begins(at)) return at;
    return undefined;
  }
}

const filler = (linear: number, bits: 16 | 32): DisassemblyRow => ({ linear, bytes: new Uint8Array(0), text: '', bits, invalid: true });

/** Exactly as many rows as are asked for, in order of their addresses; without gaps, as far as there are addresses. */
export const disassemble = (dbg: Disassembled, vcpu: number, request: DisassemblyRequest): DisassemblyRow[] =>
  dbg.program.during(() => rowsOf(dbg, vcpu, request));

function rowsOf(dbg: Disassembled, vcpu: number, request: DisassemblyRequest): DisassemblyRow[] {
  const { linear, byteOffset = 0, instructionOffset = 0, instructionCount } = request;
  const count = Math.max(Math.floor(instructionCount), 0);
  const from = Math.floor(instructionOffset);
  const reading = new Reading(dbg, vcpu);
  const middle = linear + byteOffset;
  const here = Math.min(Math.max(middle, 0), FOUR_GIB);
  const bits = reading.bitsAt(Math.min(here, FOUR_GIB - 1));

  // Rows before it, those that are wanted of them last.
  const back = Math.max(-from, 0);
  let before: DisassemblyRow[] = [];
  if (back > 0 && here > 0) before = reading.rows(reading.before(here, back * LONGEST), here).slice(-back);
  const after = reading.rows(here, FOUR_GIB, Math.max(from + count, 0));

  /** Row number `n` as counted from `here`. */
  const numbered = (n: number): DisassemblyRow => {
    if (n < 0) return before[before.length + n] ?? filler((before[0]?.linear ?? here) + n + before.length, bits);
    return after[n] ?? filler(FOUR_GIB + n - after.length, bits);
  };
  return Array.from({ length: count }, (_, i) => numbered(from + i));
}
