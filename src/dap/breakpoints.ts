/** Breakpoints of every kind: each request replaces what the same one had set. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Breakpoints, BreakpointStatus, Mode, Wanted } from '../debugger/breakpoints.ts';
import { DebuggerError } from '../debugger/error.ts';
import { parseNumber } from '../debugger/lexer.ts';
import type { Arguments } from './arguments.ts';
import type { Answer, Handlers } from './handler.ts';
import { addressText, addressWords, placeOf } from './references.ts';
import type { Session } from './session.ts';
import { codeLines, referenceOf, sourceLine } from './sources.ts';
import { containerVariable } from './variables.ts';

const MODES = ['any', 'bsp', 'aps'] as const satisfies readonly Mode[];
const ACCESSES = ['read', 'write', 'readWrite'] as const;

type WantedInstruction = Wanted & { readonly linear: number };
type Body = DebugProtocol.SetBreakpointsResponse['body'];
type Apply = (breakpoints: Breakpoints) => DebugProtocol.Breakpoint[];

/** What the client is answered of a breakpoint, which it knows from now on. */
function answerOf(session: Session, status: BreakpointStatus, more: Partial<DebugProtocol.Breakpoint> = {}): DebugProtocol.Breakpoint {
  session.known.add(status.id);
  return toDap(status, more);
}

/** A breakpoint's state in the protocol's words. `more`: what is known of its place. */
function toDap(
  { id, verified, message, linear }: BreakpointStatus,
  more: Partial<DebugProtocol.Breakpoint> = {},
): DebugProtocol.Breakpoint {
  return {
    id,
    verified,
    ...(message === undefined ? (verified ? {} : { message: 'It cannot be set.' }) : { message }),
    ...(verified ? {} : { reason: 'failed' }),
    ...(linear === undefined ? {} : { instructionReference: addressText(linear) }),
    ...more,
  };
}

const unset = (message: string, reason: 'pending' | 'failed'): DebugProtocol.Breakpoint => ({ verified: false, message, reason });

/**
 * Sets breakpoints now; once the machine stands, while it is being launched; and when it is launched, before that.
 *
 * @param key what they replace
 */
async function set(session: Session, key: string, count: number, apply: Apply): Promise<Answer<Body>> {
  const all = (one: DebugProtocol.Breakpoint): Answer<Body> => ({
    body: { breakpoints: Array.from({ length: count }, () => ({ ...one })) },
  });
  if (session.run === undefined) await session.launching;
  if (session.over) throw new DebuggerError('The session has ended.');
  if (session.run === undefined) {
    session.early.set(key, apply);
    return all(unset('It is set once the machine stands.', 'pending'));
  }
  if (session.run.configuration.noDebug) return all(unset('The machine runs without debugging.', 'failed'));
  return { body: { breakpoints: apply(session.debugger.breakpoints) } };
}

/** Sets what came before the launch, and tells what became of it. */
export function setEarly(session: Session): void {
  const { run } = session;
  if (run === undefined || run.configuration.noDebug) return;
  for (const apply of session.early.values())
    for (const breakpoint of apply(run.debugger.breakpoints))
      session.send('breakpoint', { reason: 'new', breakpoint } satisfies DebugProtocol.BreakpointEvent['body']);
  session.early.clear();
}

/** How a breakpoint is now, for an event. */
export function breakpointNow(session: Session, id: number): DebugProtocol.Breakpoint | undefined {
  const status = session.known.has(id) ? session.debugger.breakpoints.status(id) : undefined;
  if (status === undefined) return undefined;
  const { line, linear } = status;
  const isLine = linear !== undefined && (line !== undefined || session.inListings.has(id));
  return toDap(status, isLine ? sourceLine(session, { linear }) : {});
}

const wantedOf = (args: Arguments): Wanted => ({
  condition: args.optionalText('condition') || undefined,
  hitCondition: args.optionalText('hitCondition') || undefined,
  logMessage: args.optionalText('logMessage') || undefined,
  mode: args.optionalWord('mode', MODES),
});

function setBreakpoints(session: Session, args: Arguments): Promise<Answer<Body>> {
  const source = args.record('source');
  const reference = referenceOf(source);
  const { client } = session;
  const first = { min: client.firstLine };
  const wanted = args.has('breakpoints')
    ? args.records('breakpoints').map((b) => ({ ...wantedOf(b), line: client.ourLine(b.integer('line', first)) }))
    : args.integers('lines', first).map((line) => ({ line: client.ourLine(line) }));
  if (reference > 0) return setInListing(session, reference, wanted);
  const path = source.text('path');
  const shown: DebugProtocol.Source = { ...(source.has('name') ? { name: source.text('name') } : {}), path };
  return set(session, `source ${path}`, wanted.length, (breakpoints) =>
    breakpoints
      .setSource(path, wanted)
      .map((status, i) => answerOf(session, status, { source: shown, line: client.line(status.line ?? wanted[i]?.line ?? 1) })),
  );
}

/** What is wished for in one listing, or in the disassembly (0), is set with what is wished for in all others: the debugger has one list. */
function setInstructions(
  session: Session,
  breakpoints: Breakpoints,
  reference: number,
  wanted: readonly WantedInstruction[],
): BreakpointStatus[] {
  session.instructions.delete(reference);
  const others = [...session.instructions.values()].flat();
  session.instructions.set(reference, wanted);
  return breakpoints.setInstructions([...others, ...wanted]).slice(others.length);
}

/** Lines of a listing are instructions. */
function setInListing(session: Session, reference: number, wanted: readonly (Wanted & { readonly line: number })[]): Promise<Answer<Body>> {
  const listing = session.documents.listingOf(reference);
  const source = session.documents.source(reference);
  const places = wanted.map(({ line }) => listing.addressOf(line));
  const instructions = wanted.flatMap(({ line: _, ...rest }, i) => {
    const place = places[i];
    return place === undefined ? [] : [{ ...rest, linear: place.linear }];
  });
  return set(session, `source ${reference}`, wanted.length, (breakpoints) => {
    const statuses = setInstructions(session, breakpoints, reference, instructions);
    return places.map((place) => {
      const status = place === undefined ? undefined : statuses.shift();
      if (place === undefined || status === undefined) return unset('No instruction stands there or below.', 'failed');
      session.inListings.add(status.id);
      return answerOf(session, status, { source, line: session.client.line(place.line) });
    });
  });
}

export const breakpointHandlers: Handlers = {
  setBreakpoints,
  setFunctionBreakpoints: (session, args) => {
    const wanted = args.records('breakpoints').map((b) => ({ ...wantedOf(b), text: b.text('name') }));
    return set(session, 'functions', wanted.length, (breakpoints) => breakpoints.setFunctions(wanted).map((s) => answerOf(session, s)));
  },
  setExceptionBreakpoints: (session, args) => {
    const plain = args.texts('filters').map((filter) => ({ filter }));
    const options = args.records('filterOptions').map((o) => ({ ...wantedOf(o), filter: o.text('filterId') }));
    const wanted = [...plain, ...options];
    return set(session, 'filters', wanted.length, (breakpoints) => breakpoints.setFilters(wanted).map((s) => answerOf(session, s)));
  },
  setDataBreakpoints: (session, args) => {
    const wanted = args.records('breakpoints').map((b) => ({
      ...wantedOf(b),
      ...parseDataId(b),
      access: b.optionalWord('accessType', ACCESSES) ?? 'write',
    }));
    return set(session, 'data', wanted.length, (breakpoints) => {
      const statuses = breakpoints.setData(wanted);
      session.watched = new Set(wanted.filter((_, i) => statuses[i]?.verified === true).map(({ dataId }) => dataId));
      return statuses.map((status) => answerOf(session, status));
    });
  },
  setInstructionBreakpoints: (session, args) => {
    const places = args.records('breakpoints').map((b): WantedInstruction | string => {
      const reference = b.text('instructionReference');
      const offset = b.optionalInteger('offset') ?? 0;
      const wanted = wantedOf(b);
      try {
        return { ...wanted, linear: placeOf(reference, 0, Infinity, offset).address };
      } catch (error) {
        // An editor sends those of other sessions as well, on machines with wider addresses.
        if (error instanceof DebuggerError) return error.message;
        throw error;
      }
    });
    return set(session, 'instructions', places.length, (breakpoints) => {
      const wanted = places.filter((place) => typeof place !== 'string');
      const statuses = setInstructions(session, breakpoints, 0, wanted);
      return places.map((place) => {
        const status = typeof place === 'string' ? undefined : statuses.shift();
        return status === undefined ? unset(String(place), 'failed') : answerOf(session, status);
      });
    });
  },
  dataBreakpointInfo,
  breakpointLocations: (session, args) => {
    const { client } = session;
    const first = { min: client.firstLine };
    const line = args.integer('line', first);
    const endLine = args.optionalInteger('endLine', first) ?? line;
    const lines = codeLines(session, args.record('source'), client.ourLine(line), client.ourLine(endLine));
    return {
      body: { breakpoints: lines.map((l) => ({ line: client.line(l) })) } satisfies DebugProtocol.BreakpointLocationsResponse['body'],
    };
  },
};

/** A data breakpoint's mode is asked for with its id, and comes back within it: `lapic.icr_lo;aps`. */
function parseDataId(args: Arguments): { dataId: string; mode?: Mode } {
  const [dataId = '', mode, ...rest] = args.text('dataId').split(';');
  if (mode === undefined) return { dataId };
  const known = MODES.find((m) => m === mode);
  if (known === undefined || rest.length > 0) args.refuse('dataId', `after ";" one of ${MODES.join(', ')} is needed.`);
  return { dataId, mode: known };
}

function dataBreakpointInfo(session: Session, args: Arguments): Answer<DebugProtocol.DataBreakpointInfoResponse['body']> {
  const name = args.text('name');
  const mode = args.optionalWord('mode', MODES);
  const bytes = args.optionalInteger('bytes', { min: 1 });
  const { breakpoints, machine, view } = session.debugger;
  const container = args.optionalInteger('variablesReference', { min: 0 }) ?? 0;
  try {
    const found = ((): ReturnType<Breakpoints['watchable']> => {
      if (args.flag('asAddress') && (parseNumber(name) !== undefined || /^(?:phys|lin)[:@]/i.test(name))) {
        const place = placeOf(name, session.vcpuOfFrame(args), machine.cpus);
        const gpa = place.space === 'physical' ? place.address : view.translate(place.vcpu, place.address);
        if (gpa === undefined)
          throw new DebuggerError(`Nothing is mapped at ${addressWords(place.address)} as vCPU${session.vcpuOfFrame(args)} sees it.`);
        return breakpoints.watchableAt(gpa, bytes ?? 1);
      }
      if (container === 0) return breakpoints.watchable(name);
      const { dataId, children } = containerVariable(session, container, name);
      if (dataId === undefined && children?.().some((child) => child.dataId !== undefined))
        throw new DebuggerError(`${name} is several registers: expand it, and watch one of them.`);
      if (dataId === undefined)
        throw new DebuggerError(
          `${name} cannot be watched: registers of the local APICs and of the I/O APIC can, and so can ports and MSRs.`,
        );
      return breakpoints.watchable(dataId);
    })();
    return {
      body: {
        dataId: mode === undefined || mode === 'any' ? found.dataId : `${found.dataId};${mode}`,
        description: found.description,
        accessTypes: [...found.access],
        canPersist: true,
      },
    };
  } catch (error) {
    if (error instanceof DebuggerError) return { body: { dataId: null, description: error.message } };
    throw error;
  }
}
