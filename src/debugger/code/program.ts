/** What is debugged: a boot ROM, or assembly source that becomes one. Its lines, labels and addresses. */
import type { Assembly, Diagnostic, LineEntry } from '../../assembly/assembler.ts';
import { decodeSource } from '../../assembly/source-text.ts';
import { BootromError, placeBootrom } from '../../machine/boot/bootrom.ts';
import { AssemblyFailure, DebuggerError } from '../error.ts';
import { Copies, type ReadMemory } from './copies.ts';
import { baseName, sameFile } from './file-names.ts';

const FOUR_GIB = 2 ** 32;

/** A place in a source file. */
export interface SourcePlace {
  /** As it was given. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** The line's text, without its comment, blanks at the ends removed. */
  readonly text: string;
}

/** The assembler, with its encoding index bound. */
export type Assemble = (source: string, file: string) => Assembly;

/** What a program is made of. */
interface Parts {
  readonly file: string;
  readonly image: Uint8Array;
  readonly padding: number;
  readonly assembled: Assembly | undefined;
  readonly expectedCpus: number | undefined;
  /** The source, line by line. */
  readonly texts: readonly string[];
}

/** The bytes of a line: one instruction, data, or a repetition of either by `times`. */
export interface Statement {
  /** Address of the first. */
  readonly linear: number;
  readonly length: number;
  /** Bytes of one repetition. */
  readonly unit: number;
  /** Code rather than data? */
  readonly instruction: boolean;
  readonly bits: 16 | 32;
}

interface Label {
  readonly name: string;
  /** In the image. */
  readonly offset: number;
}

/** A line's entry, and how far into it an address lies. */
interface Found {
  readonly entry: LineEntry;
  readonly into: number;
}

export class Program {
  /** Path or URI, as given. */
  readonly file: string;
  /** As read or assembled. */
  readonly image: Uint8Array;
  /** Bytes that the machine adds in front to make whole pages; not 0: real bhyve would refuse the file. */
  readonly padding: number;
  readonly assembled: Assembly | undefined;
  /** The number of vCPUs that the source is written for (`; EXPECT: cpus 4`), when it says so. */
  readonly expectedCpus: number | undefined;
  /** Linear address of the image's first byte: its last one lies at FFFFFFFFh, whatever its ORG says. */
  readonly base: number;
  /** Copies that the guest has made of its code: for source in a machine (see inMemory). */
  readonly copies: Copies | undefined;
  /** Global labels in order of their offsets. */
  private readonly labels: readonly Label[];
  /** All labels; of several at one place the first. */
  private readonly labelsByOffset = new Map<number, string>();

  constructor(
    private readonly parts: Parts,
    read?: ReadMemory,
  ) {
    const { file, image, padding, assembled, expectedCpus } = parts;
    this.file = file;
    this.image = image;
    this.padding = padding;
    this.assembled = assembled;
    this.expectedCpus = expectedCpus;
    this.base = FOUR_GIB - image.length;
    this.copies = assembled === undefined || read === undefined ? undefined : new Copies(image, assembled.lines, read);
    const labels = assembled === undefined ? [] : labelsOf(assembled);
    this.labels = labels.filter(({ name }) => !name.includes('.'));
    for (const { name, offset } of labels)
      if (!this.labelsByOffset.has(offset)) this.labelsByOffset.set(offset, name.replace(/^[^.]+(?=\.)/, ''));
  }

  /** The same program in a machine: it knows the copies that this guest makes of its code. `read`: guest-physical memory, as `PhysicalMemory.readBytes`. */
  inMemory(read: ReadMemory): Program {
    return new Program(this.parts, read);
  }

  /** The source line of the code at a linear address (also in a copy that the guest has made of its ROM). */
  placeAt(linear: number): SourcePlace | undefined {
    const entry = this.find(linear)?.entry;
    return entry === undefined
      ? undefined
      : { file: this.file, line: entry.line, text: withoutComment(this.parts.texts[entry.line - 1] ?? '') };
  }
  /** Bytes of the instruction that begins at a linear address, when the input was source. */
  lengthAt(linear: number): number | undefined {
    const found = this.find(linear);
    if (found === undefined || !found.entry.instruction) return undefined;
    const { unit } = found.entry;
    return found.into % unit === 0 ? unit : undefined;
  }
  /** 16 or 32 where the source says so. */
  bitsAt(linear: number): 16 | 32 | undefined {
    return this.find(linear)?.entry.bits;
  }
  /** What the source put around a linear address. */
  statementAt(linear: number): Statement | undefined {
    const found = this.find(linear);
    if (found === undefined) return undefined;
    const { length, unit, instruction, bits } = found.entry;
    return { linear: linear - found.into, length, unit, instruction, bits };
  }
  /** Does something during which the guest's memory stays as it is: copies are then looked for once. */
  during<T>(work: () => T): T {
    return this.copies === undefined ? work() : this.copies.during(work);
  }
  /** Does the source say anything of the page at a linear address? */
  knows(linear: number): boolean {
    return this.assembled !== undefined && (linear >= this.base - 0xfff || this.copies?.any(linear) === true);
  }
  /** The value of a label or EQU, as the source has it. */
  symbol(name: string): number | undefined {
    return this.assembled?.symbols.get(name);
  }
  /** Linear address of a label, where the machine has it. */
  labelAddress(name: string): number | undefined {
    const value = this.symbol(name);
    if (value === undefined || this.assembled === undefined) return undefined;
    const { origin, bytes } = this.assembled;
    return value >= origin && value < origin + bytes.length ? this.base + value - origin : value;
  }
  /** The nearest label at or before an address (local labels excluded): `wake_aps`. */
  labelAt(linear: number): { readonly name: string; readonly offset: number } | undefined {
    const offset = this.offsetOf(linear);
    if (offset === undefined) return undefined;
    let low = 0;
    let high = this.labels.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.labels[middle] as { offset: number }).offset <= offset) low = middle + 1;
      else high = middle;
    }
    const label = this.labels[low - 1];
    return label === undefined ? undefined : { name: label.name, offset: offset - label.offset };
  }
  /** The label that stands at an address, local ones as they are written: `wake_aps`, `.wait`. */
  labelHere(linear: number): string | undefined {
    const offset = this.offsetOf(linear);
    return offset === undefined ? undefined : this.labelsByOffset.get(offset);
  }
  /** Linear address of the first code at or after a line of the source file, and that line; undefined: no such file, or no code from there on. */
  lineAddress(file: string, line: number): { readonly linear: number; readonly line: number } | undefined {
    if (this.assembled === undefined || !sameFile(file, this.file)) return undefined;
    const entry = this.assembled.lines.nextInstruction(line);
    return entry === null ? undefined : { linear: this.base + entry.offset, line: entry.line };
  }
  /** Lines between two (inclusive) that begin instructions, in order. */
  codeLines(file: string, from: number, to: number): readonly number[] {
    if (this.assembled === undefined || !sameFile(file, this.file)) return [];
    const lines = new Set<number>();
    for (const { line, instruction } of this.assembled.lines.entries) if (instruction && line >= from && line <= to) lines.add(line);
    return [...lines].sort((a, b) => a - b);
  }
  symbols(): Iterable<string> {
    return this.assembled?.symbols.keys() ?? [];
  }
  /**
   * Addresses besides `linear` where the guest has, as of now, a copy of the ROM's code at `linear`. Known are copies in pages in which code was
   * executed while they were watched (code/watch.ts). Addresses are guest-physical, which is linear for a guest without paging.
   */
  copiesOf(linear: number): readonly number[] {
    return linear < this.base ? [] : (this.copies?.copiesOf(linear - this.base) ?? []);
  }

  /** Where the ROM's code at `linear` lies in the copy of it that `near` lies in; `linear` itself if there is none, or it does not reach so far. */
  sameCopy(linear: number, near: number): number {
    const offset = linear - this.base;
    const here = offset < 0 ? undefined : this.copies?.original(near);
    if (here === undefined) return linear;
    const copied = (near + offset - here) >>> 0;
    return this.copies?.original(copied) === offset ? copied : linear;
  }

  /** The offset in the image of what lies at a linear address: in the ROM itself, or in a copy. */
  private offsetOf(linear: number): number | undefined {
    return linear >= this.base ? linear - this.base : this.copies?.original(linear);
  }
  private find(linear: number): Found | undefined {
    if (this.assembled === undefined) return undefined;
    const offset = this.offsetOf(linear);
    const entry = offset === undefined ? null : this.assembled.lines.entryAt(offset);
    return entry === null ? undefined : { entry, into: (offset as number) - entry.offset };
  }
}

/** Labels of the image in order of their offsets, under their full names (`parent.local`); equates are none. */
function labelsOf({ symbols, labels, origin, bytes }: Assembly): Label[] {
  const found: Label[] = [];
  for (const name of labels) {
    const offset = (symbols.get(name) ?? -1) - origin;
    if (offset >= 0 && offset < bytes.length) found.push({ name, offset });
  }
  return found.sort((a, b) => a.offset - b.offset);
}

/** How many bytes have to be added in front of an image to make whole pages. Throws a DebuggerError when it cannot be a boot ROM. */
function paddingOf(image: Uint8Array, file: string): number {
  try {
    return placeBootrom(image, 0).padding;
  } catch (error) {
    if (error instanceof BootromError) throw new DebuggerError(`${file}: ${error.message}.`);
    throw error;
  }
}

/** A line of source without its comment. */
function withoutComment(text: string): string {
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (quote !== '') {
      if (c === quote) quote = '';
    } else if (c === '"' || c === "'" || c === '`') quote = c;
    else if (c === ';') return text.slice(0, i).trim();
  }
  return text.trim();
}

/** How many vCPUs a source says it is written for, `; EXPECT: cpus 4`; undefined when it does not say. */
function expectedCpus(source: string): number | undefined {
  const count = /^[ \t]*;[ \t]*EXPECT:[ \t]*cpus[ \t]+([0-9]{1,3})[ \t]*\r?$/m.exec(source)?.[1];
  return count === undefined ? undefined : Number(count);
}

/** Is this source to be assembled, by its name? */
const isSource = (file: string): boolean => /\.asm$/i.test(file);

/**
 * The program in a file: a bootrom, or, when the file is a .asm, its source assembled.
 * @throws DebuggerError for an image that cannot be a boot ROM; AssemblyFailure for source with errors
 */
export function loadProgram(
  file: string,
  bytes: Uint8Array,
  assemble: Assemble,
): { readonly program: Program; readonly warnings: readonly Diagnostic[] } {
  if (!isSource(file)) {
    const parts = { file, image: bytes, padding: paddingOf(bytes, file), assembled: undefined, expectedCpus: undefined, texts: [] };
    return { program: new Program(parts), warnings: [] };
  }
  const source = decodeSource(bytes);
  const assembled = assemble(source, file);
  const { diagnostics, bytes: image } = assembled;
  const errors = diagnostics.filter((d) => d.severity === 'error');
  const [first] = errors;
  if (first !== undefined) {
    const many = errors.length === 1 ? '1 error' : `${errors.length} errors`;
    const name = baseName(file);
    const where = `${name}:${first.line}:${first.column}`;
    throw new AssemblyFailure(`${name} cannot be assembled: ${many}, the first at ${where}: ${first.message}.`, diagnostics);
  }
  const padding = paddingOf(image, file);
  const texts = source.split(/\r?\n/);
  return {
    program: new Program({ file, image, padding, assembled, expectedCpus: expectedCpus(source), texts }),
    warnings: diagnostics,
  };
}
