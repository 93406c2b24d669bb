/** The events of a stop and of an edit: what of the client's picture is no longer true. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { DebuggerError } from '../debugger/error.ts';
import type { Stop } from '../debugger/stop.ts';
import type { Handlers } from './handler.ts';
import type { Session } from './session.ts';

/**
 * As the protocol spells it. The machine's end is shown as an exception: it needs no filter, and the widget says why. An instruction in a listing is a
 * line to whoever has set the breakpoint there; under its own reason, an editor would leave the listing for the disassembly.
 */
function reasonOf(session: Session, { reason, breakpoints }: Stop): string {
  if (reason === 'end') return 'exception';
  const inListing = reason === 'instruction breakpoint' && breakpoints.some((id) => session.inListings.has(id));
  return inListing ? 'breakpoint' : reason;
}

export function tellStop(session: Session, stop: Stop): void {
  session.focus = stop.vcpu;
  const hit = stop.breakpoints.filter((id) => session.known.has(id));
  session.send('stopped', {
    reason: reasonOf(session, stop),
    description: stop.headline,
    text: stop.sentence,
    threadId: stop.vcpu + 1,
    allThreadsStopped: true,
    ...(hit.length === 0 ? {} : { hitBreakpointIds: hit }),
  } satisfies DebugProtocol.StoppedEvent['body']);
  tellMemory(session);
  tellChanged(session);
}

/** Every stretch of memory that the client has read may be another now. */
export function tellMemory(session: Session): void {
  if (!session.client.knowsMemoryEvent) return;
  for (const { reference, offset, count } of session.seenMemory.all())
    session.send('memory', { memoryReference: reference, offset, count } satisfies DebugProtocol.MemoryEvent['body']);
}

/** For the views: they ask for what they show. */
export function tellChanged(session: Session): void {
  const it = session.run?.debugger;
  if (it === undefined) return;
  session.send('exitpoint/changed', {
    running: it.running,
    vcpu: session.focus,
    timeNs: it.view.nowNs,
    instructions: it.view.instructions,
  });
}

/** Something was edited. `stacks`: so that the stacks may be others. */
export function tellEdit(session: Session, stacks: boolean): void {
  if (session.client.knowsInvalidatedEvent)
    session.send('invalidated', { areas: stacks ? ['all'] : ['variables'] } satisfies DebugProtocol.InvalidatedEvent['body']);
  tellMemory(session);
  tellChanged(session);
}

export const stopHandlers: Handlers = {
  exceptionInfo: (session, args) => {
    const vcpu = session.vcpuOf(args);
    const { stop } = session.standing;
    if (stop === undefined || stop.vcpu !== vcpu || (stop.exception === undefined && stop.reason !== 'end'))
      throw new DebuggerError(`vCPU${vcpu} was not stopped by an exception.`);
    const { id, sentence, details } = stop.exception ?? { id: stop.end?.kind ?? 'end', sentence: stop.sentence, details: '' };
    return {
      body: {
        exceptionId: id,
        description: sentence,
        breakMode: stop.reason === 'end' ? 'unhandled' : 'always',
        details: { message: sentence, typeName: id, ...(details === '' ? {} : { stackTrace: details }) },
      } satisfies DebugProtocol.ExceptionInfoResponse['body'],
    };
  },
};
