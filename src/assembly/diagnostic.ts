/** What the assembler has to say about a source text, and where. */

export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 units. */
  readonly column: number;
  /** In UTF-16 units, at least 1. */
  readonly length: number;
  readonly message: string;
}

/** A stretch of the source text: offsets in UTF-16 units, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Errors after this many are counted but not kept; so are warnings. */
export const MAXIMUM_DIAGNOSTICS = 100;

/** `file:line:column: severity: message`, as compilers print it. */
export const formatDiagnostic = (d: Diagnostic): string => `${d.file}:${d.line}:${d.column}: ${d.severity}: ${d.message}`;

/** Collects diagnostics at offsets of one source text. */
export class DiagnosticList {
  readonly #file: string;
  readonly #lineStarts: readonly number[];
  readonly #found: Diagnostic[] = [];
  readonly #counts = { error: 0, warning: 0 };

  constructor(source: string, file: string) {
    this.#file = file;
    const starts = [0];
    for (let i = source.indexOf('\n'); i >= 0; i = source.indexOf('\n', i + 1)) starts.push(i + 1);
    this.#lineStarts = starts;
  }

  get errors(): number {
    return this.#counts.error;
  }

  error(span: Span, message: string): void {
    this.#add('error', span, message);
  }

  warning(span: Span, message: string): void {
    this.#add('warning', span, message);
  }

  /** The 1-based line of an offset. */
  lineOf(offset: number): number {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  }

  #add(severity: 'error' | 'warning', span: Span, message: string): void {
    if (++this.#counts[severity] > MAXIMUM_DIAGNOSTICS) return;
    const line = this.lineOf(span.start);
    const column = span.start - (this.#lineStarts[line - 1] ?? 0) + 1;
    this.#found.push({ severity, file: this.#file, line, column, length: Math.max(1, span.end - span.start), message });
  }

  /** All of them in source order; when some were not kept, the last says how many. */
  list(): Diagnostic[] {
    const sorted = [...this.#found].sort((a, b) => a.line - b.line || a.column - b.column);
    for (const severity of ['error', 'warning'] as const) {
      const more = this.#counts[severity] - MAXIMUM_DIAGNOSTICS;
      const last = sorted.at(-1);
      if (more > 0 && last !== undefined)
        sorted.push({ ...last, severity, message: `${more} more ${severity}${more === 1 ? '' : 's'} not shown` });
    }
    return sorted;
  }
}
