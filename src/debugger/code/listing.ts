/**
 * Listings: code as text, for code that has no source. One for each page of 4 KiB, so that it is laid out in a moment; its lines stay where they are
 * from stop to stop, as long as the bytes do and nobody executes what it shows as something else.
 */
import { hex } from '../../machine/base/bits.ts';
import { type Disassembled, type DisassemblyRow, Reading } from './disassembly.ts';

const PAGE = 4096;
const FOUR_GIB = 2 ** 32;
const LONGEST = 15;
/** So many equal bytes (00h or FFh) are filling, and one line. */
const FILLING = 32;
/** Width of the columns of bytes and of instructions. */
const BYTES = 22;
const TEXT = 44;

/** A line that shows bytes. */
interface Line {
  readonly line: number;
  readonly linear: number;
  readonly length: number;
  readonly bits: 16 | 32;
  readonly instruction: boolean;
}

/** The listing of a page. Lines count from 1. */
export class Listing {
  constructor(
    /** The same for the same text. */
    readonly key: string,
    /** `FFFFF000–FFFFFFFF`. */
    readonly name: string,
    /** Columns: address, bytes, instruction, label. */
    readonly text: string,
    private readonly lines: readonly Line[],
  ) {}

  /** The line that shows the byte at a linear address; undefined when it is not in this listing. */
  lineOf(linear: number): number | undefined {
    return this.holding(linear)?.line;
  }
  /** Linear address of what stands on a line, or on the next one that shows an instruction, and that line; undefined when none does. */
  addressOf(line: number): { readonly linear: number; readonly line: number } | undefined {
    const found = this.lines.find((l) => l.line >= line && l.instruction);
    return found === undefined ? undefined : { linear: found.linear, line: found.line };
  }
  /** Lines between two (inclusive) that show instructions. */
  codeLines(from: number, to: number): readonly number[] {
    return this.lines.filter(({ line, instruction }) => instruction && line >= from && line <= to).map(({ line }) => line);
  }
  /** Does it show an instruction of that size at a linear address? */
  shows(linear: number, bits: 16 | 32): boolean {
    const line = this.holding(linear);
    return line?.linear === linear && line.bits === bits;
  }

  private holding(linear: number): Line | undefined {
    let low = 0;
    let high = this.lines.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.lines[middle] as Line).linear <= linear) low = middle + 1;
      else high = middle;
    }
    const line = this.lines[low - 1];
    return line !== undefined && linear < line.linear + line.length ? line : undefined;
  }
}

/** What is kept of a page. */
interface Kept {
  readonly bytes: Uint8Array;
  readonly listing: Listing;
  readonly version: number;
  /** Where instructions were seen to begin, with their size. */
  readonly starts: Map<number, 16 | 32>;
}

/** All listings of a debugger. */
export class Listings {
  private readonly kept = new Map<string, Kept>();

  constructor(private readonly dbg: Disassembled) {}

  /**
   * The listing that shows a linear address as a vCPU sees it. When the page's bytes have changed since it was shown last, or the listing shows
   * something else than the instruction `executed` there, it is another one, with a key of its own.
   * @param executed is `linear` known to begin an instruction (a vCPU is there, or will return there), and of which size?
   */
  at(vcpu: number, linear: number, executed?: 16 | 32): Listing {
    return this.dbg.program.during(() => this.find(vcpu, linear, executed));
  }

  private find(vcpu: number, linear: number, executed: 16 | 32 | undefined): Listing {
    const { view } = this.dbg;
    const first = linear - (linear & (PAGE - 1));
    const physical = view.translate(vcpu, first);
    const { memory } = view.machine;
    const bytes = physical !== undefined && memory.isBacked(physical) ? memory.readBytes(physical, PAGE) : new Uint8Array(0);
    const key = `${hex(first, 8)}${physical === undefined || physical === first ? '' : `@${hex(physical, 8)}`}`;
    const before = this.kept.get(key);
    const same = before !== undefined && equal(before.bytes, bytes);
    if (same && (executed === undefined || before.listing.shows(linear, executed))) return before.listing;
    const starts = same ? before.starts : new Map<number, 16 | 32>();
    if (executed !== undefined) starts.set(linear, executed);
    const version = (before?.version ?? 0) + 1;
    const reading = new Reading(this.dbg, vcpu, starts);
    const listing = layOut(reading, `${key}${version === 1 ? '' : `#${version}`}`, first, bytes);
    this.kept.set(key, { bytes, listing, version, starts });
    return listing;
  }
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

const separator = (bits: 16 | 32): string => `; ── ${bits}-bit code ──`;

const written = ({ linear, bytes, text, label }: DisassemblyRow): string => {
  const columns = `${hex(linear, 8)}  ${[...bytes]
    .map((b) => hex(b, 2))
    .join('')
    .padEnd(BYTES)}  `;
  return label === undefined ? `${columns}${text}` : `${columns}${text.padEnd(TEXT)}  ; ${label}`;
};

function layOut(reading: Reading, key: string, first: number, bytes: Uint8Array): Listing {
  const end = first + bytes.length;
  const name = `${hex(first, 8)}–${hex(first + PAGE - 1, 8)}`;
  const text: string[] = [`; ${name}`];
  const lines: Line[] = [];
  if (bytes.length === 0) text.push('; no memory is here');
  let size: 16 | 32 | undefined;
  for (let at = first + reachingInto(reading, first); at < end; ) {
    const filling = fillingAt(reading, bytes, first, at);
    const [row] = filling > 0 ? [] : reading.rows(at, Math.min(end + LONGEST, FOUR_GIB), 1);
    const length = row?.bytes.length ?? filling;
    const bits = row?.bits ?? size ?? reading.bitsAt(at);
    if (bits !== size) text.push(separator(bits));
    size = bits;
    const instruction = row !== undefined && !row.invalid && !row.text.startsWith('db ');
    lines.push({ line: text.length + 1, linear: at, length, bits, instruction });
    text.push(row === undefined ? fillingLine(at, length, bytes[at - first] as number) : written(row));
    at += length;
  }
  return new Listing(key, name, `${text.join('\n')}\n`, lines);
}

const fillingLine = (linear: number, length: number, byte: number): string => {
  const shown = hex(byte, 2);
  return `${hex(linear, 8)}  ${`${shown}…`.padEnd(BYTES)}  times ${length} db ${byte === 0xff ? '0' : ''}${shown}h`;
};

/** Bytes of a page that belong to an instruction that is known to begin before it. */
function reachingInto(reading: Reading, first: number): number {
  for (let before = 1; before < LONGEST && before <= first; before++) {
    if (!reading.begins(first - before)) continue;
    const [row] = reading.rows(first - before, Math.min(first + LONGEST, FOUR_GIB), 1);
    return row === undefined || row.invalid ? 0 : Math.max(row.bytes.length - before, 0);
  }
  return 0;
}

/** How many bytes from `at` on are filling: 0 unless they are many. */
function fillingAt(reading: Reading, bytes: Uint8Array, first: number, at: number): number {
  const byte = bytes[at - first] as number;
  if (byte !== 0 && byte !== 0xff) return 0;
  let end = at - first;
  while (end < bytes.length && bytes[end] === byte && (first + end === at || !reading.begins(first + end))) end++;
  return end - (at - first) < FILLING || reading.begins(at) ? 0 : end - (at - first);
}
