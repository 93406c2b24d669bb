/**
 * The debug adapter: DAP on one side, the debugger on the other. It keeps nothing but handles; what a request means is in the file of its family.
 *
 * It speaks over streams (`start`), or in memory (`handleMessage`, `onDidSendMessage`). Every request gets exactly one response, whatever it says.
 */
import { DebugSession, Event, Response } from '@vscode/debugadapter';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { DebuggerError } from '../debugger/error.ts';
import { nearest } from '../debugger/nearest.ts';
import { Arguments } from './arguments.ts';
import { breakpointHandlers } from './breakpoints.ts';
import { disassemblyHandlers } from './disassembly.ts';
import { evaluateHandlers } from './evaluate.ts';
import { gotoHandlers } from './goto.ts';
import type { Answer, Handler } from './handler.ts';
import { launchHandlers } from './launching.ts';
import { memoryHandlers } from './memory.ts';
import { runningHandlers } from './running.ts';
import { type Services, Session } from './session.ts';
import { sourceHandlers } from './sources.ts';
import { stackHandlers } from './stack.ts';
import { stopHandlers } from './stops.ts';
import { variableHandlers } from './variables.ts';
import { viewHandlers } from './views.ts';

const HANDLERS: ReadonlyMap<string, Handler> = new Map(
  Object.entries({
    ...launchHandlers,
    ...breakpointHandlers,
    ...runningHandlers,
    ...gotoHandlers,
    ...stopHandlers,
    ...stackHandlers,
    ...sourceHandlers,
    ...variableHandlers,
    ...evaluateHandlers,
    ...memoryHandlers,
    ...disassemblyHandlers,
    ...viewHandlers,
  }),
);

/** Requests whose failure the user is told of in so many words: he asked for something, and it does not happen. */
const SHOWN = new Set([
  'launch',
  'attach',
  'restart',
  'continue',
  'next',
  'stepIn',
  'stepOut',
  'stepBack',
  'reverseContinue',
  'writeMemory',
  'goto',
]);

/** `Message.id` of an error that is told in a sentence, and of one that is a mistake of ours. */
const REFUSED = 1;
const UNEXPECTED = 2;

export class Adapter extends DebugSession {
  private readonly session: Session;

  /** When the client has left and everything is let go of, `leave` is called: a main ends its process or its worker then. */
  constructor(
    services: Services,
    private readonly left: () => void = () => {},
  ) {
    super(true);
    this.session = new Session(
      services,
      (event, body) => this.sendEvent(body === undefined ? new Event(event) : new Event(event, body)),
      () => this.shutdown(),
    );
  }

  /** Nobody listens any more: nothing is left running. */
  override shutdown(): void {
    if (this.gone) return;
    this.gone = true;
    this.session.end();
    this.left();
  }
  private gone = false;

  override dispose(): void {
    this.shutdown();
  }

  /** What is no message at all is nobody's request. */
  override handleMessage(message: DebugProtocol.ProtocolMessage): void {
    if (typeof message === 'object' && message !== null) super.handleMessage(message);
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    const command = typeof request.command === 'string' ? request.command : String(request.command);
    const response = new Response({ ...request, command });
    try {
      const answer = this.handlerOf(command)(this.session, new Arguments(command, request.arguments));
      if (answer instanceof Promise)
        answer.then(
          (given) => this.respond(response, given),
          (error: unknown) => this.refuse(response, error),
        );
      else this.respond(response, answer);
    } catch (error) {
      this.refuse(response, error);
    }
  }

  private handlerOf(command: string): Handler {
    const handler = HANDLERS.get(command);
    if (handler === undefined) {
      const near = nearest(command, HANDLERS.keys());
      throw new DebuggerError(`There is no request "${command.slice(0, 80)}".${near === undefined ? '' : ` Did you mean ${near}?`}`);
    }
    if (!this.session.initialized && command !== 'initialize' && command !== 'disconnect')
      throw new DebuggerError(`${command}: initialize is to come first.`);
    return handler;
  }

  private respond(response: DebugProtocol.Response, { body, after }: Answer): void {
    if (body !== undefined) response.body = body;
    this.sendResponse(response);
    try {
      after?.();
    } catch (error) {
      // The response is out: what is left is to say it.
      this.session.say(sentenceOf(error), { category: 'stderr' });
    }
  }

  private refuse(response: DebugProtocol.Response, error: unknown): void {
    const format = sentenceOf(error);
    response.success = false;
    response.message = format;
    response.body = {
      error: { id: error instanceof DebuggerError ? REFUSED : UNEXPECTED, format, showUser: SHOWN.has(response.command) },
    } satisfies DebugProtocol.ErrorResponse['body'];
    this.sendResponse(response);
  }
}

/** One sentence, never a stack: of an error that nobody foresaw too. */
function sentenceOf(error: unknown): string {
  if (error instanceof DebuggerError) return error.message;
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return `Exitpoint made a mistake; please report it. ${said}`;
}
