import type { CpuUnderTest } from './adapter.ts';
import { background, CODE, type Environment, environments } from './environment.ts';
import { type Header, NONE, type Vector } from './format.ts';
import { anyFault, COMPARED, mayBeUndone, partsOf, undefinedBits, undefinedIn, undefinedMemory, widthUnknown } from './undefined-flags.ts';

/** One vector that came out differently. */
export interface Mismatch {
  readonly index: number;
  readonly vector: Vector;
  /** What differs, one sentence each. */
  readonly differences: readonly string[];
}

export interface Replay {
  readonly replayed: number;
  readonly mismatches: readonly Mismatch[];
}

const names = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const segmentNames = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const hex = (n: number): string => (n >>> 0).toString(16).toUpperCase();
const flagNames = [
  [0x800, 'OF'],
  [0x400, 'DF'],
  [0x80, 'SF'],
  [0x40, 'ZF'],
  [0x10, 'AF'],
  [0x04, 'PF'],
  [0x01, 'CF'],
] as const;

/** Flags by name, such as `ZF PF`. */
export const flagText = (flags: number): string =>
  flagNames
    .filter(([bit]) => (flags & bit) !== 0)
    .map(([, name]) => name)
    .join(' ') || 'none';

/** A page fault's I/D bit says whether the processor has execute-disable: not part of the vector. */
const errorOf = (exception: number, error: number): number => (exception === 14 ? error & ~0x10 : error);

/** Runs every vector of a file on a processor and compares everything that is defined. */
export function replay(header: Header, vectors: readonly Vector[], cpu: CpuUnderTest): Replay {
  const clean = background(header.backgroundSeed);
  const expected = clean.slice();
  const registers = new Uint32Array(8);
  const segments = new Uint16Array(6);
  const mismatches: Mismatch[] = [];
  let current: Environment | undefined;
  vectors.forEach((v, index) => {
    if (widthUnknown(v)) return;
    const environment = environments[v.environment] as Environment;
    if (environment !== current) {
      current = environment;
      cpu.enter(environment);
      cpu.data.set(clean);
    }
    for (const p of v.patches) cpu.data.set(p.bytes, p.offset);
    for (const p of [...v.patches, ...v.outcome.memory]) expected.set(p.bytes, p.offset);
    cpu.code(v.ip, v.bytes);
    const start = (v.environment === 0 ? CODE : 0) + v.ip;
    cpu.setState(v.registers, start, v.flags);

    const differences = execute(v, start, cpu);
    if (differences.length === 0) {
      const { flags: unknown, destination } = undefinedIn(v);
      cpu.readRegisters(registers);
      const skipped = destination ? destinationOf(v) : -1;
      const partial = mayBeUndone(v);
      const defined = ~undefinedBits(v);
      registers.forEach((r, i) => {
        const want = v.outcome.registers[i] as number;
        if (((r ^ want) & defined) !== 0 && i !== skipped && !(partial && r === v.registers[i]))
          differences.push(`${names[i]} ${hex(r)}, expected ${hex(want)}`);
      });
      cpu.readSegments(segments);
      segments.forEach((s, i) => {
        const want = v.outcome.segments[i] as number;
        if (s !== want) differences.push(`${segmentNames[i]} ${hex(s)}, expected ${hex(want)}`);
      });
      if (cpu.eip !== v.outcome.eip) differences.push(`eip ${hex(cpu.eip)}, expected ${hex(v.outcome.eip)}`);
      const wrong = (cpu.flags ^ v.outcome.flags) & COMPARED & ~unknown;
      if (wrong !== 0)
        differences.push(
          `flags ${flagText(cpu.flags)}, expected ${flagText(v.outcome.flags)}${unknown === 0 ? '' : ` (undefined: ${flagText(unknown)})`}`,
        );
      if (!(destination && v.form.includes(' mem'))) differences.push(...memoryDifferences(v, cpu.data, expected, clean));
    }
    if (differences.length > 0) mismatches.push({ index, vector: v, differences });

    // Everything back as it was; a wrong instruction may have written anywhere.
    if (differences.length > 0) cpu.data.set(clean);
    else for (const p of [...v.patches, ...v.outcome.memory]) cpu.data.set(clean.subarray(p.offset, p.offset + p.bytes.length), p.offset);
    for (const p of [...v.patches, ...v.outcome.memory]) expected.set(clean.subarray(p.offset, p.offset + p.bytes.length), p.offset);
  });
  return { replayed: vectors.length, mismatches };
}

/** Steps to the end of the vector's instruction; what differs in how it ended. */
function execute(v: Vector, start: number, cpu: CpuUnderTest): string[] {
  const want = v.outcome;
  for (let steps = 1; ; steps++) {
    const { exception = NONE, error = 0, unexpected } = cpu.step();
    if (unexpected !== undefined) return [unexpected];
    const ended = exception !== NONE || cpu.eip !== start || !/ rep(ne)?$/.test(v.form);
    if (!ended && steps < want.steps) continue;
    const said = exception === NONE ? (ended ? 'no exception' : 'no end') : `exception ${exception}`;
    const lenient = anyFault(v) && exception >= 12 && exception <= 14;
    if (exception !== want.exception && !(lenient && want.exception >= 12 && want.exception <= 14))
      return [`${said} after ${steps}, expected ${want.exception === NONE ? 'none' : `exception ${want.exception}`} after ${want.steps}`];
    if (steps !== want.steps) return [`${said} after ${steps}, expected after ${want.steps}`];
    if (exception === NONE && !ended) return [`not ended after ${steps}`];
    if (exception !== want.exception) return [];
    if (errorOf(exception, error) !== errorOf(exception, want.error)) return [`error code ${hex(error)}, expected ${hex(want.error)}`];
    if (exception === 14 && !lenient && cpu.cr2 !== want.cr2) return [`cr2 ${hex(cpu.cr2)}, expected ${hex(want.cr2)}`];
    return [];
  }
}

/** The register that a two-operand instruction with a register destination writes: ModRM's rm field. -1 for memory. */
function destinationOf(v: Vector): number {
  if (!v.form.includes(' reg')) return -1;
  const modrm = v.bytes.at(partsOf(v.form).operands.endsWith('Ib') ? -2 : -1) as number;
  return modrm & 7;
}

function memoryDifferences(v: Vector, data: Uint8Array, expected: Uint8Array, clean: Uint8Array): string[] {
  if (Buffer.compare(data, expected) === 0) return [];
  const ignored = undefinedMemory(v);
  const differences: string[] = [];
  if (mayBeUndone(v)) {
    // Nothing at all written is right as well.
    for (const p of v.outcome.memory) expected.set(clean.subarray(p.offset, p.offset + p.bytes.length), p.offset);
    for (const p of v.patches) expected.set(p.bytes, p.offset);
  }
  for (let at = 0; at < data.length && differences.length < 8; at++) {
    if (data[at] !== expected[at] && !ignored.includes(at))
      differences.push(`byte at ${hex(at)} ${hex(data[at] as number)}, expected ${hex(expected[at] as number)}`);
  }
  if (differences.length === 0) for (const at of ignored) data[at] = expected[at] as number;
  return differences;
}

/**
 * A mismatch for a reader.
 * @param format disassembles bytes: bitness 16 or 32, the bytes.
 */
export function describe({ index, vector: v, differences }: Mismatch, format: (bitness: number, bytes: Uint8Array) => string): string {
  const environment = environments[v.environment] as Environment;
  const bytes = [...v.bytes].map((b) => b.toString(16).padStart(2, '0')).join(' ');
  const registers = names.map((name, i) => `${name} ${hex(v.registers[i] as number)}`).join(' ');
  const patches = v.patches.map((p) => `[${hex(p.offset)}] ${p.bytes.map((b) => b.toString(16).padStart(2, '0')).join(' ')}`);
  return [
    `vector ${index} (${v.form}) in ${environment.name} at ${hex(v.ip)}: ${format(environment.segments[1].big ? 32 : 16, v.bytes)}   ; ${bytes}`,
    `    before: ${registers} flags ${flagText(v.flags)}${patches.length > 0 ? ` memory ${patches.join(', ')}` : ''}`,
    ...differences.map((d) => `    ${d}`),
  ].join('\n');
}
