import { type Address, type Builder, EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP } from './builder.ts';
import { DS, ES, SS } from './environment.ts';

/** What is known of an instruction when its registers and memory are prepared. */
export interface Choice {
  /** Size of the first operand in bytes. */
  readonly width: number;
  /** ModRM reg and rm fields; rm is -1 with a memory operand. */
  readonly reg: number;
  readonly rm: number;
  /** Immediate bytes, in order; a setup may change them. */
  readonly immediate: number[];
  /** A repeated string instruction. */
  readonly repeated: boolean;
}

interface Setup {
  /** Before the address is chosen. */
  before?(b: Builder, c: Choice): void;
  /** When the memory operand's place is known. */
  memory?(b: Builder, c: Choice, address: Address): void;
}

const bytesOf = (value: number, n: number): number[] => Array.from({ length: n }, (_, i) => (value >>> (8 * i)) & 255);
const count = (b: Builder): number => (b.random.chance(0.8) ? b.random.below(40) : b.random.below(256));

/** A value for EIP: half the time one that is inside a 64 KB code segment. */
const target = (b: Builder): number => (b.random.chance(0.6) ? b.random.below(0x1_0000) : b.value());

const patchTarget = (b: Builder, at: number | undefined): void => b.patch(at, bytesOf(target(b), 4));

/** EDX or AH such that a division by a usual divisor fits. */
function dividend(b: Builder, { width }: Choice, signed: boolean): void {
  if (b.random.chance(0.15)) return;
  const small = b.random.chance(0.8) ? (b.random.chance(0.5) ? 0 : b.random.below(16)) : b.random.u32() >>> 20;
  if (width === 1) {
    const low = b.random.below(256);
    b.pin(EAX, signed && b.random.chance(0.6) ? (low << 24) >> 24 : ((small & 255) << 8) | low, 2);
    return;
  }
  const sign = width === 2 ? (b.register(EAX) << 16) >> 31 : b.register(EAX) >> 31;
  b.pin(EDX, signed && b.random.chance(0.6) ? sign : b.random.chance(0.2) ? -1 - small : small, width);
}

/** An image for POPF or IRET: IF set, and none of TF, IOPL, RF, VM, AC, VIF, VIP: the same effect at every privilege level. */
const flagImage = (b: Builder): number => ((b.random.u32() & 0x0cd5) | 0x202) >>> 0;

/** Selectors that mean something, and some that do not; never one of a descriptor that is not in `descriptors`. */
const dataSelectors = [0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x2b];
const codeSelectors = [0x07, 0x47, 0x57, 0x23];
// No null selector but 0: leaving the kernel clears the others (SDM, IRET, "Return to outer privilege level"), so nothing is learnt of them.
const badSelectors = [0, 0, 0x4f, 0x5f, 0x67, 0x0fff, 0x88, 0xfffb];

function selector(b: Builder, code: boolean): number {
  const { random } = b;
  const kind = random.below(10);
  const s = random.pick(
    kind < 6 ? (code ? codeSelectors : dataSelectors) : kind < 8 ? (code ? dataSelectors : codeSelectors) : badSelectors,
  );
  return s > 3 && random.chance(0.15) ? (s & ~3) | random.below(4) : s;
}

/** A far pointer of the operand's size: offset, then selector. */
const farPointer = (b: Builder, code: boolean): number[] => [...bytesOf(target(b), b.size), ...bytesOf(selector(b, code), 2)];

export const setups: Readonly<Record<string, Setup>> = {
  count: {
    before(b, c) {
      if (c.immediate.length > 0) c.immediate[0] = count(b);
      b.pin(ECX, count(b), b.random.chance(0.5) ? 1 : 4);
    },
  },
  bitOffset: {
    before(b, c) {
      if (c.rm < 0) b.pin(c.reg, b.random.chance(0.9) ? b.random.below(4000) - 2000 : b.value(), b.random.chance(0.5) ? c.width : 4);
    },
  },
  dividend: { before: (b, c) => dividend(b, c, false) },
  signedDividend: { before: (b, c) => dividend(b, c, true) },
  compare: {
    before(b, c) {
      // An 8-bit destination above 3 is a high byte; those stay as they are.
      if (c.rm >= 0 && !(c.width === 1 && c.rm > 3) && b.random.chance(0.5)) b.pin(c.rm, b.register(EAX), c.width);
      b.pin(EAX, b.register(EAX));
    },
    memory(b, c, { at }) {
      if (b.random.chance(0.5)) b.patch(at, bytesOf(b.register(EAX), c.width));
    },
  },
  compare8: {
    before(b) {
      b.pin(EAX, b.register(EAX));
      b.pin(EDX, b.register(EDX));
    },
    memory(b, _, { at }) {
      if (b.random.chance(0.6)) b.patch(at, [...bytesOf(b.register(EAX), 4), ...bytesOf(b.register(EDX), 4)]);
    },
  },
  flagImage: {
    before(b) {
      b.patch(b.at(b.segment(SS), stackOffset(b, ESP)), bytesOf(flagImage(b), 4));
    },
  },
  frame: {
    before(b, c) {
      const segment = b.segment(SS);
      if (b.random.chance(0.9)) b.pin(EBP, b.place(segment), segment.big ? 4 : 2);
      if (c.immediate.length === 3) {
        if (b.random.chance(0.8)) c.immediate[1] = b.random.below(2);
        c.immediate[2] = b.random.chance(0.8) ? b.random.pick([0, 0, 1, 1, 2, 3, 5]) : b.random.below(256);
      }
    },
  },
  loop: {
    before(b) {
      const n = b.random.chance(0.7) ? b.random.below(3) : b.value();
      b.pin(ECX, n, b.random.chance(0.5) ? 2 : 4);
    },
  },
  target: {
    before(b, c) {
      if (c.rm >= 0 && c.rm !== ESP) b.pin(c.rm, target(b), b.random.chance(0.5) ? c.width : 4);
    },
    memory: (b, _, { at }) => patchTarget(b, at),
  },
  returnTarget: { before: (b) => patchTarget(b, b.at(b.segment(SS), stackOffset(b, ESP))) },
  equal: {
    before(b, c) {
      if (!c.repeated || b.random.chance(0.3)) return;
      // A run of equal elements, and AL, AX or EAX that matches it; one element may differ.
      const byte = b.random.below(256);
      const run = Array.from({ length: 16 }, () => byte);
      const odd = [...run];
      odd[b.random.below(16)] = b.random.below(256);
      b.pin(EAX, byte * 0x0101_0101, 4);
      const start = (at: number | undefined): number | undefined =>
        at === undefined || (b.flags & 0x400) === 0 ? at : Math.max(0, at - 15);
      b.patch(start(b.at(b.used(DS), pointer(b, ESI))), run);
      b.patch(start(b.at(b.segment(ES), pointer(b, EDI))), odd);
    },
  },
  selector: {
    before(b, c) {
      if (c.rm >= 0) b.pin(c.rm, selector(b, false), b.random.chance(0.5) ? 2 : 4);
    },
    memory: (b, _, { at }) => b.patch(at, bytesOf(selector(b, false), 2)),
  },
  selectorOnStack: { before: (b) => b.patch(b.at(b.segment(SS), stackOffset(b, ESP)), bytesOf(selector(b, false), 2)) },
  farPointer: { memory: (b, _, { at }) => b.patch(at, farPointer(b, false)) },
  farCode: { memory: (b, _, { at }) => b.patch(at, farPointer(b, true)) },
  farImmediate: { before: (b, c) => void c.immediate.splice(0, c.immediate.length, ...farPointer(b, true)) },
  farReturn: {
    before(b) {
      const image = [target(b), selector(b, true), flagImage(b)].flatMap((word) => bytesOf(word, b.size));
      b.patch(b.at(b.segment(SS), stackOffset(b, ESP)), image);
    },
  },
  table: {
    before(b) {
      const mask = b.addressSize === 4 ? 0xffff_ffff : 0xffff;
      const offset = (b.place(b.used(DS)) - (b.register(EAX) & 255)) & mask;
      b.pin(EBX, offset, b.addressSize);
    },
  },
  bounds: {
    memory(b, c, { at }) {
      const inside = b.random.chance(0.7);
      const low = inside ? b.register(c.reg) - b.random.below(5) : b.value();
      const high = inside ? b.register(c.reg) + b.random.below(5) : b.value();
      b.patch(at, [...bytesOf(low, c.width), ...bytesOf(high, c.width)]);
    },
  },
};

const pointer = (b: Builder, r: number): number => (b.addressSize === 4 ? b.register(r) : b.register(r) & 0xffff);
const stackOffset = (b: Builder, r: number): number => (b.segment(SS).big ? b.register(r) : b.register(r) & 0xffff);
