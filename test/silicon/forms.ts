import { type Address, Builder, type Case, ECX, EDI, EDX, edges, ESI, ESP, type Patch } from './builder.ts';
import { CS, DATA, DS, ES, environments, FS, GS, SS, WINDOW } from './environment.ts';
import { type Row, rows } from './opcodes.ts';
import { Random } from './random.ts';
import { type Choice, setups } from './setup.ts';

/**
 * Chooses instructions and the state they start from: single ones for the comparison with the real processor, straight lines of them for
 * the comparison of two engines. Nothing here knows what an instruction does.
 */
export type { Case, Patch } from './builder.ts';

const prefixOf = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

/** Chosen in every row equally often, times its weight. */
const deck: readonly Row[] = rows.flatMap((r) => Array.from({ length: Math.round((r.options.weight ?? 1) * 20) }, () => r));
const straight: readonly Row[] = deck.filter((r) => r.options.branch !== true && r.options.selectors !== true);
const branches: readonly Row[] = deck.filter((r) => r.options.branch === true && r.options.selectors !== true);

/**
 * `count` cases: as many of each row as its weight says, in an order and with operands that `seed` alone decides.
 */
export function* cases(seed: number, count: number): Generator<Case> {
  const random = new Random(seed);
  let left: Row[] = [];
  for (let n = 0; n < count; n++) {
    if (left.length === 0) left = [...deck];
    const k = random.below(left.length);
    const chosen = left[k] as Row;
    left[k] = left[left.length - 1] as Row;
    left.pop();
    yield one(random, chosen);
  }
}

function one(random: Random, row: Row): Case {
  const environment = random.pick([0, 0, 0, 0, 0, 1, 1, 1, 1, 2]);
  const { bytes, builder, form, repeated } = encode(random, row, environment);
  const edge = random.chance(0.3) ? WINDOW - random.below(24) : 0x1000 * (1 + random.below(15)) - random.below(12);
  const ip = random.chance(0.9) ? 0x100 * random.below(0x100) : edge & (WINDOW - 1);
  return { form, environment, ip, bytes, registers: builder.registers, flags: builder.flags, patches: builder.patches, repeated };
}

interface Encoded {
  readonly bytes: number[];
  readonly builder: Builder;
  readonly form: string;
  readonly repeated: boolean;
}

/** Bytes of one instruction of a row, and registers and memory for it. With `wild`, the state is given and only read. */
function encode(random: Random, row: Row, environment: number, wild?: Builder): Encoded {
  const { operands, options } = row;
  const big = (environments[environment] as (typeof environments)[number]).segments[CS].big;
  const memoryOnly = operands.some((o) => o[0] === 'M');
  const hasModrm = memoryOnly || operands.some((o) => 'EGS'.includes(o[0] as string));
  const sized = options.sized === true || operands.some((o) => o.endsWith('v') || o.endsWith('z') || o === 'eAX');
  const illegal = random.below(400);
  // Of the others, a register form is another instruction: VEX and EVEX prefixes.
  const registerFormInvalid = operands.includes('M') || operands.includes('Mq');
  const memory = hasModrm && (memoryOnly ? illegal !== 0 || !registerFormInvalid : random.chance(0.55));
  const direct = operands.some((o) => o[0] === 'O');
  const addressed = memory || direct || options.addressed === true;
  // BSWAP of a word is undefined: always a doubleword.
  const o = operands.includes('Zd') ? !big : random.chance(sized ? 0.4 : 0.03);
  const a = random.chance(addressed ? 0.25 : 0.02);
  const size = big !== o ? 4 : 2;
  const addressSize = big !== a ? 4 : 2;
  const b = wild ?? new Builder(random, environment);
  Object.assign(b, { size, addressSize, override: -1 });

  // A 16-bit address reaches the data window only through a segment with a base.
  const near = addressSize === 4 || environment !== 0;
  if (addressed ? random.chance(near ? 0.2 : 0.85) : random.chance(0.02))
    b.override = near ? random.pick([ES, SS, DS, FS, FS, GS, GS, CS]) : random.pick([FS, GS]);
  const repeat = options.repeat !== undefined && random.chance(0.5) ? random.pick(options.repeat) : 0;
  const width = widthOf(operands[0], size);

  const rm = memory ? -1 : random.below(8);
  const reg = row.digit ?? (operands.some((x) => x[0] === 'S') ? random.below(illegal === 1 ? 8 : 6) : random.below(8));
  const immediate = operands.flatMap((x) => immediateOf(x, b));
  const choice: Choice = { width, reg, rm, immediate, repeated: repeat !== 0 };

  if (wild === undefined) {
    if (options.stack === true) b.stack();
    if (options.source === true) b.pin(ESI, b.place(b.used(DS)), addressSize);
    if (options.destination === true) b.pin(EDI, b.place(b.segment(ES)), addressSize);
    if (options.source === true || options.destination === true) stringState(b, repeat !== 0);
    else if (random.chance(0.1)) b.flags |= 0x400;
    setups[options.setup ?? '']?.before?.(b, choice);
  } else if (options.setup === 'frame' && immediate.length === 3) immediate[2] = random.below(4);
  const locked = options.lock === true && memory ? random.chance(row.mnemonic === 'cmpxchg8b' ? 0.5 : 0.12) : illegal === 2;
  const aligned = locked || row.mnemonic === 'xchg';

  const bytes: number[] = [];
  const prefixes = [o ? 0x66 : 0, a ? 0x67 : 0, b.override >= 0 ? (prefixOf[b.override] as number) : 0, locked ? 0xf0 : 0, repeat].filter(
    (x) => x !== 0,
  );
  while (prefixes.length > 0) bytes.push(prefixes.splice(random.below(prefixes.length), 1)[0] as number);
  const z = operands.some((x) => x[0] === 'Z');
  bytes.push(...row.opcode.slice(0, -1), (row.opcode.at(-1) as number) + (z ? random.below(8) : 0));
  let address: Address | undefined;
  if (memory) {
    address = b.address(aligned, wild !== undefined);
    if (wild === undefined) setups[options.setup ?? '']?.memory?.(b, choice, address);
    bytes.push((address.bytes[0] as number) | (reg << 3), ...address.bytes.slice(1));
  } else if (hasModrm) bytes.push(0xc0 | (reg << 3) | rm);
  if (direct) {
    const segment = b.used(DS);
    const offset = b.place(segment);
    for (let i = 0; i < addressSize; i++) bytes.push((offset >>> (8 * i)) & 255);
  }
  bytes.push(...immediate);
  // Padding before everything: the last segment override counts. Longer than 15 bytes is a fault.
  if (b.override >= 0 && random.chance(0.01)) while (bytes.length < 14 + random.below(4)) bytes.unshift(random.pick(prefixOf));
  return { bytes, builder: b, form: formOf(row, sized ? size : 0, memory ? 'mem' : hasModrm ? 'reg' : '', repeat), repeated: repeat !== 0 };
}

/** The name under which vectors are counted, and by which undefined-flags.ts knows them. */
function formOf({ mnemonic, operands }: Row, size: number, where: string, repeat: number): string {
  const bits = widthOf(operands[0], size) * 8;
  const prefix = repeat === 0xf3 ? 'rep' : repeat === 0xf2 ? 'repne' : '';
  return [mnemonic, operands.join(','), bits === 0 ? '' : `${bits}`, where, prefix].filter((part) => part !== '').join(' ');
}

/** DF, and a count that ends: small, or large when the pointers soon meet something. */
function stringState(b: Builder, repeated: boolean): void {
  if (b.random.chance(0.4)) b.flags |= 0x400;
  if (repeated) b.pin(ECX, b.random.chance(0.9) ? b.random.below(9) : b.random.below(40), b.addressSize);
}

/** Bytes of an operand by the last letter of its name. */
function widthOf(operand: string | undefined, size: number): number {
  if (operand === undefined || operand === 'segment') return size;
  if (operand === 'AL' || operand.endsWith('b')) return operand[0] === 'I' || operand[0] === 'J' ? size : 1;
  if (operand.endsWith('w')) return operand[0] === 'I' ? size : 2;
  if (operand.endsWith('d')) return 4;
  if (operand.endsWith('q')) return 8;
  return size;
}

function immediateOf(operand: string, b: Builder): number[] {
  const kind = operand[0];
  if (kind !== 'I' && kind !== 'J') return [];
  const last = operand.at(-1);
  const n = last === 'b' ? 1 : last === 'w' ? 2 : b.size;
  let value = b.value();
  if (kind === 'J' && n === 4 && b.random.chance(0.6)) value = b.random.below(0x4000) - 0x2000;
  if (n === 1 && b.random.chance(0.5)) value = b.random.pick(edges);
  return Array.from({ length: n }, (_, i) => (value >>> (8 * i)) & 255);
}

/** A straight line of instructions and the state it starts from. */
export interface Block {
  /** Index in `environments`. */
  readonly environment: number;
  /** Offset of the first instruction in the code window. */
  readonly ip: number;
  readonly bytes: Uint8Array;
  /** Where each instruction starts in `bytes`. */
  readonly starts: readonly number[];
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly registers: Uint32Array;
  readonly flags: number;
  readonly patches: readonly Patch[];
}

export interface BlockOptions {
  /** Instructions in a block, 12 by default. */
  readonly length?: number;
  /** Environments to choose from, all by default. */
  readonly environments?: readonly number[];
  /** How likely the last instruction is a branch, 0.5 by default. */
  readonly branch?: number;
}

/**
 * Random straight lines of code for the comparison of two engines. Most registers point into the data window at first, and nothing keeps
 * the instructions from spoiling them: pointers go wild, and many blocks end in a fault half-way.
 */
export function* blocks(seed: number, count: number, options: BlockOptions = {}): Generator<Block> {
  const random = new Random(seed ^ 0x51ed_270b);
  for (let n = 0; n < count; n++) {
    const environment = random.pick(options.environments ?? environments.map((_, i) => i));
    const state = new Builder(random, environment);
    const data = state.segment(DS);
    for (let r = 0; r < 8; r++) {
      const kind = random.below(10);
      if (r === ESP || kind < 5) state.registers[r] = state.place(r === ESP ? state.segment(SS) : data);
      else if (kind < 7) state.registers[r] = random.below(16);
    }
    if (random.chance(0.8)) state.registers[ECX] = random.below(20);
    if (random.chance(0.5)) state.registers[EDX] = 0;
    if (random.chance(0.15)) state.flags |= 0x400;
    const bytes: number[] = [];
    const starts: number[] = [];
    const length = options.length ?? 12;
    for (let i = 0; i < length; i++) {
      const last = i === length - 1 && random.chance(options.branch ?? 0.5);
      const { bytes: b } = encode(random, random.pick(last ? branches : straight), environment, state);
      starts.push(bytes.length);
      bytes.push(...b);
    }
    const patches = random.chance(0.5)
      ? [{ offset: random.below(WINDOW - 16), bytes: Array.from({ length: 16 }, () => random.below(256)) }]
      : [];
    yield {
      environment,
      ip: 0x100 * random.below(0xf0),
      bytes: Uint8Array.from(bytes),
      starts,
      registers: state.registers,
      flags: state.flags,
      patches,
    };
  }
}

/** Linear address of the data window, for those who prepare memory for a block. */
export const dataWindow = DATA;
