/** How a request is answered. */
import type { Arguments } from './arguments.ts';
import type { Session } from './session.ts';

export interface Answer<Body = unknown> {
  readonly body?: Body;
  /** What happens once the response is out: whatever sends events that have to come behind it. */
  readonly after?: () => void;
}

/** Answers one request. What it throws becomes the error response; a DebuggerError's sentence is shown as it is. */
export type Handler = (session: Session, args: Arguments) => Answer | Promise<Answer>;

/** Handlers by command. */
export type Handlers = Readonly<Record<string, Handler>>;
