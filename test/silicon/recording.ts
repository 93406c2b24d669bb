import { ESP } from './builder.ts';
import { type Case, cases } from './forms.ts';
import { background, CODE, DATA, environments, SS } from './environment.ts';
import { encodeVectors, type Header, NONE, type Outcome, type Vector } from './format.ts';

/** Between cases and the recorder's streams: what record.mjs does with the real processor. */

const CASE_BYTES = 144;
const RESULT_BYTES = 72;

/** The recorder's input for these cases. */
export function recorderInput(list: readonly Case[], backgroundSeed: number): Uint8Array {
  const window = background(backgroundSeed);
  const bytes = new Uint8Array(window.length + list.length * CASE_BYTES);
  bytes.set(window);
  const view = new DataView(bytes.buffer);
  list.forEach((c, n) => {
    const at = window.length + n * CASE_BYTES;
    view.setUint8(at, c.environment);
    view.setUint8(at + 1, c.repeated ? 1 : 0);
    view.setUint16(at + 2, c.bytes.length, true);
    view.setUint16(at + 4, c.ip, true);
    view.setUint16(at + 6, c.patches.length, true);
    bytes.set(c.bytes, at + 8);
    view.setUint32(at + 28, c.flags, true);
    c.registers.forEach((r, i) => view.setUint32(at + 32 + i * 4, r, true));
    c.patches.forEach((p, i) => {
      view.setUint16(at + 64 + i * 20, p.offset, true);
      view.setUint16(at + 66 + i * 20, p.bytes.length, true);
      bytes.set(p.bytes, at + 68 + i * 20);
    });
  });
  return bytes;
}

/** What the recorder said, in the order of its cases. EIP is made relative to CS. */
export function recorderOutput(file: Uint8Array): Outcome[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const outcomes: Outcome[] = [];
  let at = 0;
  while (at < file.length) {
    const word = (n: number): number => view.getUint32(at + n * 4, true);
    const [steps, exception, error, cr2, eip, flags] = [word(0), word(1), word(2), word(3), word(4), word(5)];
    const registers = Uint32Array.from({ length: 8 }, (_, i) => word(6 + i));
    const segments = Uint16Array.from({ length: 6 }, (_, i) => view.getUint16(at + 60 + i * 2, true));
    const memory = [];
    let runs = word(14);
    at += RESULT_BYTES;
    for (; runs > 0; runs--) {
      const offset = view.getUint16(at, true);
      const length = view.getUint16(at + 2, true);
      // A run longer than a byte can count is written as several.
      for (let k = 0; k < length; k += 128)
        memory.push({ offset: offset + k, bytes: [...file.subarray(at + 4 + k, at + 4 + Math.min(length, k + 128))] });
      at += 4 + length;
    }
    outcomes.push({ steps, exception, error, cr2, eip, flags, registers, segments, memory });
  }
  return outcomes;
}

/** Recorded with the trap flag set, which PUSHF pushes: taken out of the image as if it had not been. */
function withoutTrapFlag({ form, environment, patches, outcome }: Vector, window: Uint8Array): void {
  if (!form.startsWith('pushf') || outcome.exception !== NONE) return;
  const stack = (environments[environment] as (typeof environments)[number]).segments[SS];
  const esp = outcome.registers[ESP] as number;
  const at = (stack.base - DATA + (stack.big ? esp : esp & 0xffff) + 1) >>> 0;
  let byte = window[at] as number;
  for (const p of [...patches, ...outcome.memory])
    if (at >= p.offset && at < p.offset + p.bytes.length) byte = p.bytes[at - p.offset] as number;
  outcome.memory.push({ offset: at, bytes: [byte & ~1] });
}

/**
 * A load of SS holds the trap off for one more instruction, the NOP behind it: taken back. False when that NOP could not be executed, so
 * that there is nothing to be known.
 */
function withoutShadow(c: Case, outcome: Outcome): boolean {
  if (!c.form.startsWith('mov Sw') && !c.form.startsWith('pop segment')) return true;
  const end = (c.environment === 0 ? CODE : 0) + c.ip + c.bytes.length;
  if (outcome.exception === NONE) outcome.eip = end;
  return outcome.exception === NONE || outcome.eip < end;
}

export interface Recording {
  readonly file: Uint8Array;
  readonly vectors: number;
  readonly dropped: Readonly<Record<string, number>>;
}

/**
 * Cases and their outcomes, recorded twice, as a file of vectors. What differed between the two, or did not end, is dropped and counted.
 */
export function assemble(
  list: readonly Case[],
  first: readonly Outcome[],
  second: readonly Outcome[],
  facts: Omit<Header, 'vectors' | 'forms'>,
): Recording {
  const window = background(facts.backgroundSeed);
  const vectors: Vector[] = [];
  const dropped: Record<string, number> = {};
  const drop = (why: string): void => {
    dropped[why] = (dropped[why] ?? 0) + 1;
  };
  list.forEach((c, n) => {
    const outcome = first[n] as Outcome;
    if (JSON.stringify(outcome) !== JSON.stringify(second[n])) return drop(`${c.form}: not the same twice`);
    if (c.repeated && outcome.exception === NONE && outcome.eip === (c.environment === 0 ? CODE : 0) + c.ip)
      return drop('not ended after 64 iterations');
    if ((outcome.flags & 0x4_0000) !== 0) return drop('sets AC');
    if (outcome.exception === 17) return drop('alignment check');
    if (!withoutShadow(c, outcome)) return drop('fault behind a load of SS');
    const v: Vector = { ...c, bytes: Uint8Array.from(c.bytes), patches: [...c.patches], outcome };
    withoutTrapFlag(v, window);
    vectors.push(v);
  });
  const counts = new Map<string, number>();
  for (const v of vectors) counts.set(v.form, (counts.get(v.form) ?? 0) + 1);
  const header: Header = { ...facts, vectors: vectors.length, forms: [...counts].sort(([a], [b]) => (a < b ? -1 : 1)) };
  return { file: encodeVectors(header, vectors), vectors: vectors.length, dropped };
}

export { cases };
