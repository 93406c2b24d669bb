/** What a machine may be asked for, to the command line and to a launch alike: what is usual, what is possible, and a size of memory in words. */
import { MEMORY_MAX, MEMORY_MIN } from '../machine/machine.ts';

const MEBIBYTE = 2 ** 20;
const GIBIBYTE = 2 ** 30;

/** What is taken when nothing is said. */
export const USUAL = { cpus: 1, memoryBytes: 128 * MEBIBYTE, seed: 42 } as const;

/** The longest turn of a vCPU, in instructions, and the largest seed. */
export const SLICE_MAX = 1_000_000;
export const SEED_MAX = 0xffffffff;

/** What is possible, as the second half of a sentence. */
export const POSSIBLE = {
  memory: 'give 1M to 3G, in whole megabytes, for example 128M',
  seed: `give a number from 0 to ${SEED_MAX}`,
  slice: `give a number of instructions from 1 to ${SLICE_MAX}`,
} as const;

/** A size in bytes, when a machine may have it: whole MiB between the limits. */
export const memoryPossible = (bytes: number): boolean => bytes >= MEMORY_MIN && bytes <= MEMORY_MAX && bytes % MEBIBYTE === 0;

/** Bytes of RAM by `128M`, `1G` or a plain number of bytes; undefined for what no machine can have. */
export function memoryBytesOf(text: string): number | undefined {
  const match = /^([0-9]+)(M|MB|MiB|G|GB|GiB)?$/i.exec(text);
  if (match === null) return undefined;
  const unit = match[2] === undefined ? 1 : match[2].toUpperCase().startsWith('G') ? GIBIBYTE : MEBIBYTE;
  const bytes = Number(match[1]) * unit;
  return memoryPossible(bytes) ? bytes : undefined;
}
