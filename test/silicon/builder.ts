import { DATA, DS, environments, HOLE, READ_ONLY, type Segment, SS, WINDOW } from './environment.ts';
import type { Random } from './random.ts';

/** EAX ECX EDX EBX ESP EBP ESI EDI: their numbers in an instruction. */
export const [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI] = [0, 1, 2, 3, 4, 5, 6, 7];

/** Bytes that the data window holds before the instruction runs, at an offset in the window. */
export interface Patch {
  readonly offset: number;
  readonly bytes: readonly number[];
}

/** One instruction and everything it can see. */
export interface Case {
  /** Row, operand size in bits and "mem" or "reg", such as `shl Ev,CL 16 mem`. */
  readonly form: string;
  /** Index in `environments`. */
  readonly environment: number;
  /** Offset of the instruction in the code window. */
  readonly ip: number;
  readonly bytes: readonly number[];
  readonly registers: Uint32Array;
  readonly flags: number;
  readonly patches: readonly Patch[];
  /** A REP prefix on a string instruction: runs until EIP leaves it. */
  readonly repeated: boolean;
}

export const edges = [
  0, 1, 2, 3, 0x0f, 0x10, 0x1f, 0x20, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff, 0x100, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff, 0x1_0000,
  0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_0000, 0xffff_7fff, 0xffff_8000, 0xffff_ff7f, 0xffff_ff80, 0xffff_fffe,
  0xffff_ffff,
];

/** How an address is written: the register numbers, or -1. */
export interface Form {
  readonly base: number;
  readonly index: number;
  readonly shift: number;
  readonly displacement: 0 | 1 | 2 | 4;
  /** Bytes from ModRM (its reg field zero) to before the displacement. */
  readonly bytes: readonly number[];
}

/** The address of a memory operand as written and chosen. */
export interface Address {
  readonly bytes: readonly number[];
  readonly offset: number;
  /** Offset in the data window, or undefined when it is not known to lie there. */
  readonly at: number | undefined;
}

/** The state that one instruction starts from, while it is being chosen. */
export class Builder {
  readonly registers = new Uint32Array(8);
  flags = 0x202;
  readonly patches: Patch[] = [];
  /** Of the instruction that is being chosen: operand and address size in bytes (2 or 4), segment override or -1. */
  size = 4;
  addressSize = 4;
  override = -1;
  private pinned = 0;

  constructor(
    readonly random: Random,
    readonly environment: number,
  ) {
    for (let r = 0; r < 8; r++) this.registers[r] = this.value();
    for (const bit of [1, 4, 0x10, 0x40, 0x80, 0x800]) if (random.chance(0.5)) this.flags |= bit;
  }

  /** Half random, half from the edges of the number ranges. */
  value(): number {
    return this.random.chance(0.5) ? this.random.u32() : this.random.pick(edges);
  }

  register(r: number): number {
    return this.registers[r] as number;
  }

  /** Gives a register its value for good: no address will change it. `bytes` below 4 leaves the upper part as it is. */
  pin(r: number, value: number, bytes = 4): void {
    const old = this.register(r);
    this.registers[r] = bytes === 4 ? value : bytes === 2 ? (old & 0xffff_0000) | (value & 0xffff) : (old & 0xffff_ff00) | (value & 0xff);
    this.pinned |= 1 << r;
  }

  segment(number: number): Segment {
    return (environments[this.environment] as (typeof environments)[number]).segments[number] as Segment;
  }

  /** The segment that an access by `number` uses unless a prefix overrides it. */
  used(number: number): Segment {
    return this.segment(this.override >= 0 ? this.override : number);
  }

  /** Offset in the data window of an offset in a segment. */
  at(segment: Segment, offset: number): number | undefined {
    const at = (segment.base + offset - DATA) >>> 0;
    return at < WINDOW ? at : undefined;
  }

  /**
   * Chooses an offset in a segment: mostly plain memory, sometimes the edge of a page, of the window or of the limit. `aligned` keeps to
   * multiples of 8.
   */
  place(segment: Segment, aligned = false): number {
    const { random } = this;
    const kind = random.below(100);
    const near = random.below(12) - 8;
    let at = 0x40 + random.below(WINDOW - 0x200);
    if (at >= HOLE - 0x40 && at < HOLE + 0x1040) at -= 0x2000;
    if (at >= READ_ONLY - 0x40 && at < READ_ONLY + 0x1040) at += 0x2000;
    if (segment.limit < WINDOW && kind < 94) {
      // Inside the limit, whatever the window holds there.
      const low = (segment.type & 4) !== 0 ? segment.limit + 0x20 : 0x20;
      const high = (segment.type & 4) !== 0 ? WINDOW - 0x200 : segment.limit - 0x80;
      const inside = low + random.below(Math.max(1, high - low));
      at = (segment.base - DATA + inside) & (WINDOW - 1);
      if (at >= HOLE && at < HOLE + 0x1000 && random.chance(0.9)) at = ((at + 0x1000) & (WINDOW - 1)) >>> 0;
      if (kind < 4) at = (segment.base - DATA + segment.limit + near) & (WINDOW - 1);
    }
    if (kind >= 94) at = (random.pick([0, HOLE, HOLE + 0x1000, WINDOW, READ_ONLY + 0x800, READ_ONLY + 0x1000]) + near) & 0x1_ffff;
    else if (kind >= 88) at = random.pick([0x1000, 0x2000, 0x3000, 0x7000, 0xc000]) + near;
    if (aligned) at &= ~7;
    return (at + DATA - segment.base) >>> 0;
  }

  /**
   * Puts bytes into the data window before the instruction; does nothing for an unknown address or when there are enough patches already.
   */
  patch(at: number | undefined, bytes: readonly number[]): void {
    if (at === undefined || this.patches.length === 4) return;
    const end = Math.min(WINDOW, at + bytes.length);
    if (this.patches.some((p) => at < p.offset + p.bytes.length && p.offset < end)) return;
    this.patches.push({ offset: at, bytes: bytes.slice(0, end - at) });
  }

  /** Points ESP into the stack segment; in a 16-bit stack its upper half is anything. */
  stack(): void {
    const segment = this.segment(SS);
    if (this.random.chance(0.03)) return this.pin(ESP, this.random.below(6), segment.big ? 4 : 2);
    const offset = this.place(segment) & (this.random.chance(0.8) ? ~3 : ~0);
    this.pin(ESP, offset, segment.big ? 4 : 2);
  }

  /**
   * Chooses ModRM, SIB and displacement of a memory operand, and registers so that it lies where `place` says. What registers cannot
   * reach stays wild.
   * @param wild leave the registers alone altogether.
   */
  address(aligned: boolean, wild = false): Address {
    const form = this.addressSize === 4 ? this.form32() : this.form16();
    const onStack = form.base === ESP || form.base === EBP;
    const segment = this.used(onStack ? SS : DS);
    const mask = this.addressSize === 4 ? 0xffff_ffff : 0xffff;
    const target = this.place(segment, aligned) & mask;
    const { base, index, shift } = form;
    let displacement =
      form.displacement === 0 ? 0 : form.displacement === 1 ? (this.random.below(256) << 24) >> 24 : this.random.below(0x2000) - 0x1000;
    const sum = (): number => (((base < 0 ? 0 : this.register(base)) + (index < 0 ? 0 : this.register(index) << shift)) | 0) + displacement;
    const missing = (): number => (target - sum()) | 0;
    const free = (r: number): boolean => r >= 0 && (this.pinned & (1 << r)) === 0;
    const add = (r: number, n: number): void => {
      this.pin(r, this.addressSize === 4 ? (this.register(r) + n) >>> 0 : this.register(r) + n, this.addressSize);
    };
    if (!wild) {
      if (free(base) && base !== index) add(base, missing());
      else if (free(index) && shift === 0 && base !== index) add(index, missing());
      else if (form.displacement === this.addressSize) displacement = (displacement + missing()) | 0;
    } else if (base < 0 && index < 0) displacement = (displacement + missing()) | 0;
    const bytes = [...form.bytes];
    for (let i = 0; i < form.displacement; i++) bytes.push((displacement >> (8 * i)) & 255);
    const offset = (sum() & mask) >>> 0;
    return { bytes, offset, at: this.at(segment, offset) };
  }

  private form32(): Form {
    const { random } = this;
    const mod = random.below(3);
    const size = (mod === 0 ? 0 : mod === 1 ? 1 : 4) as 0 | 1 | 4;
    if (random.chance(0.55)) {
      const rm = random.pick([0, 1, 2, 3, 5, 6, 7]);
      const direct = rm === 5 && mod === 0;
      return { base: direct ? -1 : rm, index: -1, shift: 0, displacement: direct ? 4 : size, bytes: [(mod << 6) | rm] };
    }
    const base = random.below(8);
    const index = random.below(8);
    const shift = random.below(4);
    const direct = base === 5 && mod === 0;
    const bytes = [(mod << 6) | 4, (shift << 6) | (index << 3) | base];
    return { base: direct ? -1 : base, index: index === 4 ? -1 : index, shift, displacement: direct ? 4 : size, bytes };
  }

  private form16(): Form {
    const mod = this.random.below(3);
    const rm = this.random.below(8);
    const direct = rm === 6 && mod === 0;
    const base = direct ? -1 : ([EBX, EBX, EBP, EBP, ESI, EDI, EBP, EBX][rm] as number);
    const index = [ESI, EDI, ESI, EDI, -1, -1, -1, -1][rm] as number;
    return { base, index, shift: 0, displacement: direct ? 2 : mod === 0 ? 0 : mod === 1 ? 1 : 2, bytes: [(mod << 6) | rm] };
  }
}
