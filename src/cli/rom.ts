/** Reads a bootrom or assembles its source, and says in one line what is wrong with it. */
import { readFileSync, statSync } from 'node:fs';
import { basename, extname, relative } from 'node:path';
import { type Assembly, formatDiagnostic } from '../assembly/assembler.ts';
import { decodeSource } from '../assembly/source-text.ts';
import { BOOTROM_MAX_BYTES, BootromError, placeBootrom } from '../machine/boot/bootrom.ts';
import { AssemblyError, UsageError } from './errors.ts';

/** A place in a source file. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  /** The line's text, without its comment, blanks at the ends removed. */
  readonly text: string;
}

/** The assembler, with its encoding index bound. */
export type Assemble = (source: string, file: string) => Assembly;

/** A bootrom, ready to run. */
export interface Rom {
  /** As given on the command line. */
  readonly file: string;
  /** As read or assembled. */
  readonly image: Uint8Array;
  /** Bytes that the machine adds in front to make whole pages; not 0: real bhyve would refuse the file. */
  readonly padding: number;
  readonly assembled: Assembly | undefined;
  /** The number of vCPUs that the source is written for, when it says so. */
  readonly expectedCpus: number | undefined;
  /** The source line of the code at a linear address, when the input was source. */
  placeAt(linear: number): SourcePlace | undefined;
  /** Bytes of the instruction that begins at a linear address, when the input was source. */
  lengthAt(linear: number): number | undefined;
  /** The value of a label or EQU, as the source has it. */
  symbol(name: string): number | undefined;
  /** Linear address of a label, where the machine has it: the image's last byte lies at FFFFFFFFh, whatever its ORG says. */
  labelAddress(name: string): number | undefined;
  /** Linear address of the first code at or after a line of the source file, or undefined. */
  lineAddress(file: string, line: number): number | undefined;
}

/** How many bytes have to be added in front of an image to make whole pages. Throws a UsageError when it cannot be a boot ROM. */
function paddingOf(image: Uint8Array, file: string): number {
  try {
    return placeBootrom(image, 0).padding;
  } catch (error) {
    if (error instanceof BootromError) throw new UsageError(`${file}: ${error.message}.`);
    throw error;
  }
}

/** The bytes of a file, or a UsageError that says why not. `what` is shown in it. */
function readInput(file: string): Buffer {
  try {
    const info = statSync(file);
    if (info.isDirectory()) throw new UsageError(`${file} is a directory; give a bootrom (.rom, .bin, .fd) or its source (.asm).`);
    if (!info.isFile()) throw new UsageError(`${file} is no regular file; give a bootrom (.rom, .bin, .fd) or its source (.asm).`);
    if (info.size > BOOTROM_MAX_BYTES)
      throw new UsageError(`${file} is ${info.size} bytes long; a boot ROM has at most ${BOOTROM_MAX_BYTES} (16 MiB).`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new UsageError(`There is no file ${file}.`);
    if (code === 'EACCES' || code === 'EPERM') throw new UsageError(`${file} may not be read.`);
    throw new UsageError(`${file} cannot be read: ${code ?? String(error)}.`);
  }
}

/** A line of source without its comment. */
const withoutComment = (text: string): string => {
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (quote !== '') {
      if (c === quote) quote = '';
    } else if (c === '"' || c === "'" || c === '`') quote = c;
    else if (c === ';') return text.slice(0, i).trim();
  }
  return text.trim();
};

/** A path as short as it can be shown. */
export function shortPath(file: string): string {
  const short = relative('', file);
  return short === '' || short.startsWith('..') ? file : short;
}

/** How many vCPUs a source says it is written for, `; EXPECT: cpus 4`; undefined when it does not say. */
const expectedCpus = (source: string): number | undefined => {
  const count = /^[ \t]*;[ \t]*EXPECT:[ \t]*cpus[ \t]+([0-9]{1,3})[ \t]*\r?$/m.exec(source)?.[1];
  return count === undefined ? undefined : Number(count);
};

/** Reads a bootrom, or assembles it when the file is a .asm; hands what the assembler warns of to `warn`. Throws a UsageError. */
export function loadRom(file: string, assemble: Assemble, warn: (line: string) => void = () => {}): Rom {
  const bytes = readInput(file);
  if (extname(file).toLowerCase() !== '.asm') {
    const none = (): undefined => undefined;
    return {
      file,
      image: bytes,
      padding: paddingOf(bytes, file),
      assembled: undefined,
      expectedCpus: undefined,
      placeAt: none,
      lengthAt: none,
      symbol: none,
      labelAddress: none,
      lineAddress: none,
    };
  }
  const source = decodeSource(bytes);
  const assembled = assemble(source, file);
  const errors = assembled.diagnostics.filter((d) => d.severity === 'error');
  if (errors.length > 0) throw new AssemblyError(assembled.diagnostics.map(formatDiagnostic).join('\n'));
  for (const warning of assembled.diagnostics) warn(formatDiagnostic(warning));
  const { lines, origin, symbols, bytes: code } = assembled;
  const base = 2 ** 32 - code.length;
  const texts = source.split(/\r?\n/);

  return {
    file,
    image: code,
    padding: paddingOf(code, file),
    assembled,
    expectedCpus: expectedCpus(source),
    placeAt: (linear) => {
      const entry = linear < base ? null : lines.entryAt(linear - base);
      return entry === null ? undefined : { file, line: entry.line, text: withoutComment(texts[entry.line - 1] ?? '') };
    },
    lengthAt: (linear) => {
      const entry = linear < base ? null : lines.entryAt(linear - base);
      return entry?.instruction && entry.offset === linear - base ? entry.length : undefined;
    },
    symbol: (name) => symbols.get(name),
    labelAddress: (name) => {
      const value = symbols.get(name);
      if (value === undefined) return undefined;
      return value >= origin && value < origin + code.length ? base + value - origin : value;
    },
    lineAddress: (wanted, line) => {
      const entry = basename(wanted) === basename(file) ? lines.nextInstruction(line) : null;
      return entry === null ? undefined : base + entry.offset;
    },
  };
}
