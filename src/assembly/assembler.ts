/** The assembler: source text in the NASM dialect to a flat image, its line map and its symbols. */
import type { EncodingIndex } from '../machine/isa/encoding-index.ts';
import { type Diagnostic, DiagnosticList } from './diagnostic.ts';
import { Layout } from './layout.ts';
import { LineMap } from './linemap.ts';
import { parse } from './parser.ts';
import { SymbolTable } from './symbols.ts';

export type { Diagnostic } from './diagnostic.ts';
export { formatDiagnostic } from './diagnostic.ts';
export { LineMap, type LineEntry } from './linemap.ts';

export interface AssembleOptions {
  readonly index: EncodingIndex;
  /** Address of the first byte where the source has no `org`: 0 to 0xFFFFFFFF, default 0. */
  readonly origin?: number;
}

export interface Assembly {
  /** The image. With errors it may be incomplete: look at the diagnostics first. */
  readonly bytes: Uint8Array;
  /** Address of the first byte. */
  readonly origin: number;
  readonly lines: LineMap;
  /** Labels (as addresses) and equates by full name; a local label is `parent.local`. */
  readonly symbols: Map<string, number>;
  /** Which of the symbols are labels; the others are equates. */
  readonly labels: ReadonlySet<string>;
  /** In source order, errors and warnings together; at most 100 of each. */
  readonly diagnostics: Diagnostic[];
}

/**
 * Assembles a source text. Never throws on account of the text: everything wrong with it is a diagnostic.
 * @param file the name that diagnostics and the line map bear; nothing is read.
 */
export function assemble(source: string, file: string, options: AssembleOptions): Assembly {
  const diagnostics = new DiagnosticList(source, file);
  const statements = parse(source, {
    isMnemonic: (word) => options.index.mnemonics.has(word),
    problem: (span, message) => diagnostics.error(span, message),
    warn: (span, message) => diagnostics.warning(span, message),
  });
  const symbols = new SymbolTable();
  const image = new Layout(symbols, diagnostics, options.origin ?? 0).run(statements, options.index);
  return {
    bytes: image.bytes,
    origin: image.origin,
    lines: new LineMap(file, image.entries),
    symbols: symbols.values(),
    labels: symbols.labels(),
    diagnostics: diagnostics.list(),
  };
}

/** Did the assembly fail? */
export const hasErrors = (assembly: Assembly): boolean => assembly.diagnostics.some((d) => d.severity === 'error');
