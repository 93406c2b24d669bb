/** Where code is: lines of the program's source, and lines of a listing for code that has none. */
import { baseName } from '../debugger/code/file-names.ts';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { SourcePlace } from '../debugger/code/program.ts';
import type { Arguments } from './arguments.ts';
import type { Handlers } from './handler.ts';
import type { Session } from './session.ts';

export interface SourceLine {
  readonly source: DebugProtocol.Source;
  /** As the client counts. */
  readonly line: number;
}

/** Code whose line is asked for. */
export interface CodeAt {
  /** Linear address, u32. */
  readonly linear: number;
  /** Who sees it there; the one that was looked at last, if nobody says. */
  readonly vcpu?: number;
  /** Its place in source, where that is known already. */
  readonly place?: SourcePlace | undefined;
  /** An instruction is known to begin there, in code of this size. */
  readonly executed?: 16 | 32;
}

/** The program's source as it was given: a path or a URI. */
const fileSource = (file: string): DebugProtocol.Source => ({ name: baseName(file), path: file });

/** The line of code, in its source, or else in a listing. */
export function sourceLine(session: Session, { linear, vcpu = session.focus, place, executed }: CodeAt): SourceLine {
  const { client, debugger: it } = session;
  const found = place ?? it.program.placeAt(linear);
  if (found !== undefined) return { source: fileSource(found.file), line: client.line(found.line) };
  const listing = session.listings.at(vcpu, linear, executed);
  return { source: session.documents.listing(listing), line: client.line(listing.lineOf(linear) ?? 1) };
}

/** Lines of a source at which a breakpoint can stand, between two (inclusive, from 1). */
export function codeLines(session: Session, source: Arguments, from: number, to: number): readonly number[] {
  const reference = referenceOf(source);
  return reference > 0
    ? session.documents.listingOf(reference).codeLines(from, to)
    : session.debugger.program.codeLines(source.text('path'), from, to);
}

/** The first code at or below a line (from 1) of a source; undefined: there is none. */
export function lineAddress(
  session: Session,
  source: Arguments,
  line: number,
): { readonly linear: number; readonly line: number } | undefined {
  const reference = referenceOf(source);
  return reference > 0
    ? session.documents.listingOf(reference).addressOf(line)
    : session.debugger.program.lineAddress(source.text('path'), line);
}

/** The `sourceReference` of a source; 0: it has a path. */
export const referenceOf = (source: Arguments | undefined): number => source?.optionalInteger('sourceReference', { min: 0 }) ?? 0;

export const sourceHandlers: Handlers = {
  source: (session, args) => {
    const reference = referenceOf(args.optionalRecord('source')) || args.integer('sourceReference', { min: 1 });
    return { body: { content: session.documents.text(reference) } satisfies DebugProtocol.SourceResponse['body'] };
  },
  loadedSources: (session) => {
    const { program } = session.debugger;
    const file = program.assembled === undefined ? [] : [fileSource(program.file)];
    return { body: { sources: [...file, ...session.documents.sources] } satisfies DebugProtocol.LoadedSourcesResponse['body'] };
  },
};
