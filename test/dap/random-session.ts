/**
 * Debug sessions of a client that knows the protocol's names and little else: requests in any order, before, during and after everything, with
 * arguments that are right, at a boundary, or nonsense. The adapter has to answer each of them, once, by the protocol; and to be quiet at the end.
 */
import fs from 'node:fs';
import { Adapter } from '../../src/dap/adapter.ts';
import { DebuggerError } from '../../src/debugger/error.ts';
import { Random } from '../silicon/random.ts';
import { services } from './client.ts';
import { Conversation } from './conversation.ts';
import { CUSTOM } from './custom.ts';
import { COMMANDS, type Message } from './protocol.ts';
import { attributes, FILES, Invention, PROGRAMS } from './random-arguments.ts';

/** A session as long as this without an answer is stuck. */
const PATIENCE_MS = 30_000;

const contents = new Map(Object.entries(FILES));
const SERVICES = services(async (file) => {
  const content = contents.get(file) ?? (PROGRAMS.includes(file) ? fs.readFileSync(file) : undefined);
  if (content === undefined) throw new DebuggerError(`There is no file ${file}.`);
  contents.set(file, content);
  return content;
});

const OURS = Object.keys(CUSTOM.responses);
/** What most of a session is made of. */
const USUAL = (
  'threads stackTrace stackTrace scopes variables variables evaluate continue next stepIn stepOut stepBack reverseContinue pause setBreakpoints ' +
  'setFunctionBreakpoints setDataBreakpoints setInstructionBreakpoints setExceptionBreakpoints dataBreakpointInfo exceptionInfo setVariable ' +
  'setExpression disassemble readMemory writeMemory source completions'
).split(' ');

export interface Outcome {
  readonly seed: number;
  readonly requests: number;
  readonly succeeded: number;
  readonly stops: number;
  /** Everything that was wrong, in words; none is right. */
  readonly problems: readonly string[];
}

/** Plays one session to its end. */
export async function playSession(seed: number): Promise<Outcome> {
  const random = new Random(seed);
  const conversation = new Conversation(false);
  const invention = new Invention(random);
  let left = 0;
  const adapter = new Adapter(SERVICES, () => left++);
  const sent = new Map<number, unknown>();
  adapter.onDidSendMessage((message) => {
    conversation.message(structuredClone(message));
    const { type, body, request_seq: answers } = message as unknown as Message;
    if (type !== 'response') return;
    invention.learn(body);
    const asked = sent.get(answers as number) as { variablesReference?: unknown } | undefined;
    for (const { name } of (body as { variables?: { name: string }[] } | undefined)?.variables ?? [])
      invention.shown.push({ variablesReference: asked?.variablesReference, name });
  });

  const stopsSoFar = (): number => conversation.received.filter(({ event }) => event === 'stopped').length;
  let seq = 0;
  const send = (command: string, args: unknown): void => {
    const message = { seq: ++seq, type: 'request', command, ...(args === undefined ? {} : { arguments: args }) };
    sent.set(seq, args);
    conversation.request(message);
    adapter.handleMessage(message as never);
  };
  const problems: string[] = [];
  /** Until every request so far has its answer. */
  const settled = async (): Promise<void> => {
    const end = performance.now() + PATIENCE_MS;
    while (conversation.unanswered.length > 0) {
      if (performance.now() > end) {
        problems.push(`no answer within ${PATIENCE_MS / 1000} s: ${conversation.unanswered.join(', ')}`);
        return;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  if (random.chance(0.9)) {
    send('initialize', {
      adapterID: 'exitpoint',
      linesStartAt1: random.chance(0.9),
      supportsMemoryEvent: true,
      supportsInvalidatedEvent: true,
    });
    if (random.chance(0.9)) {
      if (random.chance(0.3)) send(random.pick(USUAL), invention.arguments(random.pick(USUAL)));
      const launched = (): boolean => conversation.received.some(({ command, success }) => command === 'launch' && success === true);
      do send('launch', attributes(random));
      while (random.chance(0.8) && (await settled(), !launched()) && random.chance(0.8));
      if (random.chance(0.9)) send('configurationDone', undefined);
    }
  }
  /** Looks around, as an editor does at a stop. */
  const look = async (): Promise<void> => {
    send('stackTrace', { threadId: 1 + random.below(4) });
    await settled();
    send('scopes', { frameId: invention.frames.at(-1) ?? 1 });
    await settled();
    for (let depth = random.below(4); depth > 0; depth--) {
      send('variables', { variablesReference: random.pick([0, ...invention.containers.slice(-12)]) });
      if (random.chance(0.8)) await settled();
    }
  };
  let looked = 0;
  for (let count = 3 + random.below(30); count > 0 && problems.length === 0; count--) {
    if (stopsSoFar() > looked && random.chance(0.6)) {
      looked = stopsSoFar();
      await look();
    }
    const kind = random.below(100);
    const command =
      kind < 80
        ? random.pick(USUAL)
        : kind < 90
          ? random.pick(COMMANDS)
          : kind < 97
            ? random.pick(OURS)
            : random.pick(['', 'unheardOf', 'toString', '__proto__']);
    // The session's end ends most of what there is to try.
    if (/^(?:disconnect|terminate)$/.test(command) && random.chance(0.7)) continue;
    send(command, invention.arguments(command));
    if (random.chance(0.6)) await settled();
    // Time for the machine to run, and to be found running, or to stop.
    const moves = /^(?:continue|next|step|reverse|restart|configurationDone)/.test(command);
    const stops = stopsSoFar();
    for (let turns = random.chance(moves ? 0.8 : 0.2) ? random.below(moves ? 300 : 8) : 0; turns > 0 && stopsSoFar() === stops; turns--)
      await new Promise((resolve) => setImmediate(resolve));
  }
  await settled();
  send('disconnect', random.chance(0.5) ? undefined : { terminateDebuggee: random.chance(0.5) });
  await settled();
  const after = conversation.received.length;
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
  if (conversation.received.length !== after) problems.push('something was sent after disconnect was answered');
  if (left !== 1) problems.push(`the adapter said ${left} times that it is done`);
  adapter.dispose();
  const responses = conversation.received.filter(({ type }) => type === 'response');
  for (const { message } of responses as unknown as { message?: string }[])
    if (message !== undefined && /please report|TypeError|undefined|\[object/.test(message)) problems.push(`a refusal says: ${message}`);
  return {
    seed,
    requests: seq,
    succeeded: responses.filter(({ success }) => success === true).length,
    stops: stopsSoFar(),
    problems: [...conversation.finish(), ...problems],
  };
}
