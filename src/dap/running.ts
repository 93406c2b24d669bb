/** Running, stepping, going back, pausing. Each answers at once; what it came to is a `stopped` event. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Debugger, StepKind } from '../debugger/debugger.ts';
import { DebuggerError } from '../debugger/error.ts';
import { isFatal } from '../debugger/explain.ts';
import type { Stop } from '../debugger/stop.ts';
import type { Arguments } from './arguments.ts';
import type { Answer, Handler, Handlers } from './handler.ts';
import type { Session } from './session.ts';
import { tellStop } from './stops.ts';

const GRANULARITIES = ['statement', 'line', 'instruction'] as const;

/** The exit status that the command line would end with: a guest or a host that came to grief is 3. */
const FATAL = 3;

/** Tells the client that the debuggee is gone, and lets go of the machine. */
export function finish(session: Session): void {
  const end = session.run?.debugger.machine.end;
  if (end !== undefined) session.send('exited', { exitCode: isFatal(end) ? FATAL : 0 } satisfies DebugProtocol.ExitedEvent['body']);
  session.send('terminated');
  session.end();
}

/** Waits for a run to stop, and tells of it. */
export async function follow(session: Session, it: Debugger, run: Promise<Stop>): Promise<void> {
  const stillOurs = (): boolean => !session.over && session.run?.debugger === it;
  try {
    const stop = await run;
    if (stillOurs()) stopped(session, stop);
  } catch (error) {
    if (!stillOurs()) return;
    session.say(error instanceof Error ? error.message : String(error), { category: 'stderr' });
    // The client was told that it runs: it has to hear that it does not.
    tellStop(session, it.stop ?? it.entry());
  }
}

function stopped(session: Session, stop: Stop): void {
  if (stop.reason === 'end') {
    session.say(stop.sentence);
    if (session.run?.configuration.noDebug === true) return finish(session);
  }
  tellStop(session, stop);
}

/** An answer after which the machine runs. */
function running<Body>(session: Session, body: Body | undefined, start: (it: Debugger) => Promise<Stop>): Answer<Body> {
  const it = session.standing;
  return { ...(body === undefined ? {} : { body }), after: () => void follow(session, it, start(it)) };
}

/** Only going back is possible from the machine's end. */
function refuseAfterEnd(session: Session): void {
  if (session.standing.stop?.reason === 'end')
    throw new DebuggerError('The machine has ended: it can only be gone back from here. Continue ends the session.');
}

function proceed(session: Session, alone: number | undefined): Answer<DebugProtocol.ContinueResponse['body']> {
  const it = session.standing;
  const body = { allThreadsContinued: alone === undefined };
  if (it.stop?.reason === 'end') return { body, after: () => finish(session) };
  return running(session, body, () => it.continue(alone === undefined ? {} : { alone }));
}

const granularity = (args: Arguments): 'line' | 'instruction' =>
  args.optionalWord('granularity', GRANULARITIES) === 'instruction' ? 'instruction' : 'line';

function step(session: Session, args: Arguments, kind: StepKind, alone: boolean): Answer {
  const vcpu = session.vcpuOf(args);
  const by = granularity(args);
  refuseAfterEnd(session);
  return running(session, undefined, (it) => it.step({ vcpu, kind, by, alone }));
}

const stepping =
  (kind: StepKind): Handler =>
  (session, args) =>
    step(session, args, kind, args.flag('singleThread'));

/** Going back moves the one clock of the machine: a vCPU alone cannot. */
function refuseAlone(args: Arguments): void {
  if (args.flag('singleThread')) args.refuse('singleThread', 'going back takes all vCPUs along.');
}

/** That a request of its own sets the machine running, a client knows; of ours it has to be told, or it would offer no pause. */
function telling<Body>(session: Session, args: Arguments, answer: Answer<Body>): Answer<Body> {
  const threadId = session.vcpuOf(args) + 1;
  const continued: DebugProtocol.ContinuedEvent['body'] = { threadId, allThreadsContinued: true };
  return {
    ...answer,
    after: () => {
      session.send('continued', continued);
      answer.after?.();
    },
  };
}

export const runningHandlers: Handlers = {
  continue: (session, args) => {
    const vcpu = session.vcpuOf(args);
    return proceed(session, args.flag('singleThread') ? vcpu : undefined);
  },
  next: stepping('over'),
  stepIn: stepping('in'),
  stepOut: stepping('out'),
  stepBack: (session, args) => {
    const vcpu = session.vcpuOf(args);
    const by = granularity(args);
    refuseAlone(args);
    return running(session, undefined, (it) => it.stepBack({ vcpu, by }));
  },
  reverseContinue: (session, args) => {
    session.vcpuOf(args);
    refuseAlone(args);
    return running(session, undefined, (it) => it.reverseContinue());
  },
  pause: (session, args) => {
    const vcpu = session.vcpuOf(args);
    const it = session.debugger;
    return { after: () => it.pause(vcpu) };
  },
  'exitpoint/step': (session, args) =>
    telling(session, args, step(session, args, args.word('kind', ['in', 'over', 'out']), args.flag('alone'))),
  'exitpoint/continueAlone': (session, args) => telling(session, args, proceed(session, session.vcpuOf(args))),
};
