import type { Patch } from './builder.ts';
import { environments } from './environment.ts';

/**
 * The file of recorded vectors, before compression: the length of the header (u32), the header as JSON, then the vectors back to back. All
 * numbers are little-endian. A vector: environment u8, form u16, IP u16, length u8, bytes; flags u16, eight registers u32; patches u8, each
 * offset u16, length u8, bytes; then what the processor did: steps u8, exception u8 (FFh: none), error code u16 if there was one, CR2 u32
 * if it was 14; EIP u32, flags u16; mask of the registers that changed u8, their values u32; mask of the segment registers that changed
 * u8, their selectors u16; runs of changed memory u8, each like a patch.
 */
export interface Header {
  /** Model name, family, model and stepping of the processor that was recorded. */
  readonly processor: string;
  /** ISO date of the recording. */
  readonly date: string;
  /** Seed of the cases. */
  readonly seed: number;
  /** Seed of the data window's background. */
  readonly backgroundSeed: number;
  readonly vectors: number;
  /** Vectors by form, in the order of their numbers. */
  readonly forms: readonly (readonly [form: string, count: number])[];
}

export interface Vector {
  environment: number;
  form: string;
  ip: number;
  bytes: Uint8Array;
  flags: number;
  registers: Uint32Array;
  patches: Patch[];
  outcome: Outcome;
}

export interface Outcome {
  /** Instructions counted until EIP left this one or it faulted: every iteration of a REP is one. */
  steps: number;
  /** Exception vector, or NONE. */
  exception: number;
  /** Error code; 0 for exceptions that have none. */
  error: number;
  /** Meaningful for a page fault. */
  cr2: number;
  /** Offset in CS: of the next instruction, or what the exception saved. */
  eip: number;
  flags: number;
  registers: Uint32Array;
  /** Selectors of ES CS SS DS FS GS. */
  segments: Uint16Array;
  /** Bytes of the data window that changed. */
  memory: Patch[];
}

/** `Outcome.exception` when there was none. */
export const NONE = 0xff;

/** Selectors of an environment's ES CS SS DS FS GS. */
const selectorsOf = (environment: number): number[] => (environments[environment]?.segments ?? []).map((s) => s.selector);

const hasError = (exception: number): boolean => (exception >= 10 && exception <= 14) || exception === 8 || exception === 17;

/** The whole file. The forms of the vectors must all be in the header. */
export function encodeVectors(header: Header, vectors: readonly Vector[]): Uint8Array {
  const bytes: number[] = [];
  const u8 = (n: number): void => void bytes.push(n & 255);
  const u16 = (n: number): void => (u8(n), u8(n >>> 8));
  const u32 = (n: number): void => (u16(n), u16(n >>> 16));
  const runs = (list: readonly Patch[]): void => {
    u8(list.length);
    for (const p of list) {
      u16(p.offset);
      u8(p.bytes.length);
      p.bytes.forEach(u8);
    }
  };
  const numbers = new Map(header.forms.map(([form], i) => [form, i]));
  const json = new TextEncoder().encode(JSON.stringify(header));
  u32(json.length);
  json.forEach(u8);
  for (const v of vectors) {
    u8(v.environment);
    u16(numbers.get(v.form) as number);
    u16(v.ip);
    u8(v.bytes.length);
    v.bytes.forEach(u8);
    u16(v.flags);
    v.registers.forEach(u32);
    runs(v.patches);
    const o = v.outcome;
    u8(o.steps);
    u8(o.exception);
    if (hasError(o.exception)) u16(o.error);
    if (o.exception === 14) u32(o.cr2);
    u32(o.eip);
    u16(o.flags);
    u8([...o.registers].reduce((mask, r, i) => (r === v.registers[i] ? mask : mask | (1 << i)), 0));
    o.registers.forEach((r, i) => {
      if (r !== v.registers[i]) u32(r);
    });
    const before = selectorsOf(v.environment);
    u8([...o.segments].reduce((mask, s, i) => (s === before[i] ? mask : mask | (1 << i)), 0));
    o.segments.forEach((s, i) => {
      if (s !== before[i]) u16(s);
    });
    runs(o.memory);
  }
  return Uint8Array.from(bytes);
}

/** The header and the vectors of a file. Throws on a file that ends too soon. */
export function decodeVectors(file: Uint8Array): { header: Header; vectors: Vector[] } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let at = 0;
  const u8 = (): number => view.getUint8(at++);
  const u16 = (): number => view.getUint16((at += 2) - 2, true);
  const u32 = (): number => view.getUint32((at += 4) - 4, true);
  const take = (n: number): Uint8Array => file.slice(at, (at += n));
  const runs = (): Patch[] =>
    Array.from({ length: u8() }, () => {
      const offset = u16();
      return { offset, bytes: [...take(u8())] };
    });
  const length = u32();
  const header = JSON.parse(new TextDecoder().decode(take(length))) as Header;
  const vectors: Vector[] = [];
  while (at < file.length) {
    const environment = u8();
    const form = (header.forms[u16()] as readonly [string, number])[0];
    const ip = u16();
    const bytes = take(u8());
    const flags = u16();
    const registers = Uint32Array.from({ length: 8 }, u32);
    const patches = runs();
    const steps = u8();
    const exception = u8();
    const error = hasError(exception) ? u16() : 0;
    const cr2 = exception === 14 ? u32() : 0;
    const eip = u32();
    const flagsAfter = u16();
    const changed = u8();
    const after = registers.map((r, i) => (changed & (1 << i) ? u32() : r));
    const loaded = u8();
    const segments = Uint16Array.from(selectorsOf(environment), (s, i) => (loaded & (1 << i) ? u16() : s));
    const memory = runs();
    vectors.push({
      environment,
      form,
      ip,
      bytes,
      flags,
      registers,
      patches,
      outcome: { steps, exception, error, cr2, eip, flags: flagsAfter, registers: after, segments, memory },
    });
  }
  return { header, vectors };
}
