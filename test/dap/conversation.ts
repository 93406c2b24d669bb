/**
 * A debug session as it is written down: every message in both directions, and everything that is wrong with those of the adapter, each on its own
 * (protocol.ts) and in their order. Nothing throws here: what sends messages may swallow it.
 */
import { afterEach, expect } from 'vitest';
import { CUSTOM } from './custom.ts';
import { asJson, type Message, messageProblems } from './protocol.ts';

interface Sent {
  readonly command: string;
  readonly arguments: Record<string, unknown>;
  answered: boolean;
}

const live = new Set<Conversation>();

// Every conversation of a test is judged at its end, whatever the test itself looks at.
afterEach(() => {
  const problems = [...live].flatMap((conversation) => conversation.finish());
  live.clear();
  expect(problems, 'what the adapter sent breaks the protocol').toEqual([]);
});

export class Conversation {
  readonly problems: string[] = [];
  /** What the adapter has sent, as JSON, in order. */
  readonly received: Message[] = [];
  private readonly requests = new Map<number, Sent>();
  private readonly breakpointIds = new Set<number>();
  private lastSeq = 0;
  private initialized = false;
  private terminated = false;

  /** `judgedAtEnd`: at the end of the test that opened it; false for tests of this class. */
  constructor(judgedAtEnd = true) {
    if (judgedAtEnd) live.add(this);
  }

  /** The client sends a request. What lies on the wire need not be a proper one. */
  request(message: { readonly seq: number; readonly command: string; readonly arguments?: unknown }): void {
    const given = message.arguments;
    this.requests.set(message.seq, {
      command: message.command,
      arguments: typeof given === 'object' && given !== null ? (asJson(given) as Record<string, unknown>) : {},
      answered: false,
    });
  }

  /** The adapter has sent something. */
  message(raw: unknown): void {
    const problems = messageProblems(raw, CUSTOM);
    const message = asJson(raw) as Message;
    this.received.push(message);
    if (message.seq !== this.lastSeq + 1) problems.push(`seq is ${message.seq} after ${this.lastSeq}`);
    this.lastSeq = message.seq;
    // An answer is one even if its form is wrong; what it says counts only when that is right.
    const wellFormed = problems.length === 0;
    if (message.type === 'response') this.response(message, wellFormed, problems);
    if (message.type === 'event' && wellFormed) this.event(message, problems);
    this.problems.push(...problems.map((problem) => `${problem}\n    in ${JSON.stringify(message).slice(0, 400)}`));
  }

  /** Requests that have no answer yet. */
  get unanswered(): readonly string[] {
    return [...this.requests.values()].filter(({ answered }) => !answered).map(({ command }) => command);
  }

  /** The end of the session: what was wrong, requests without an answer included. */
  finish(): readonly string[] {
    live.delete(this);
    return [...this.problems, ...this.unanswered.map((command) => `${command} was never answered`)];
  }

  private response(message: Message, wellFormed: boolean, problems: string[]): void {
    const request = this.requests.get(message['request_seq'] as number);
    if (request === undefined) {
      problems.push(`answers the request ${message['request_seq']}, which was never sent`);
      return;
    }
    if (request.answered) problems.push(`is a second answer to the request ${message['request_seq']}`);
    request.answered = true;
    if (request.command !== message['command']) problems.push(`answers ${message['command']} where ${request.command} was asked`);
    if (message['success'] !== true || !wellFormed) return;
    if (request.command === 'initialize') this.initialized = true;
    this.rules(request, (message['body'] ?? {}) as Record<string, unknown>, problems);
  }

  /** What the specification says in words of a response and its request. */
  private rules({ command, arguments: asked }: Sent, body: Record<string, unknown>, problems: string[]): void {
    const list = (name: string): readonly Record<string, unknown>[] => (Array.isArray(body[name]) ? body[name] : []);
    const wanted = (name: string): number => (Array.isArray(asked[name]) ? asked[name].length : 0);
    const count = (name: string, expected: number, what: string): void => {
      if (list(name).length !== expected) problems.push(`${command} answers with ${list(name).length} ${name} where ${expected} ${what}`);
    };
    switch (command) {
      case 'setBreakpoints':
        count('breakpoints', Array.isArray(asked['breakpoints']) ? wanted('breakpoints') : wanted('lines'), 'were set');
        break;
      case 'setFunctionBreakpoints':
      case 'setDataBreakpoints':
      case 'setInstructionBreakpoints':
        count('breakpoints', wanted('breakpoints'), 'were set');
        break;
      case 'setExceptionBreakpoints':
        if (body['breakpoints'] !== undefined) count('breakpoints', wanted('filters') + wanted('filterOptions'), 'filters were set');
        break;
      case 'disassemble':
        count('instructions', asked['instructionCount'] as number, 'were asked for');
        break;
      case 'stackTrace': {
        const levels = asked['levels'];
        if (typeof levels === 'number' && levels > 0 && list('stackFrames').length > levels)
          problems.push(`stackTrace answers with ${list('stackFrames').length} frames where ${levels} were asked for`);
        break;
      }
      case 'readMemory': {
        const data = body['data'];
        if (data === undefined) break;
        if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(String(data)))
          problems.push('readMemory gives no base64');
        if (Buffer.from(String(data), 'base64').length > Number(asked['count'])) problems.push('readMemory gives more than was asked for');
        break;
      }
      case 'variables': {
        // A client tells variables of one container apart by their names.
        const names = list('variables').map(({ name }) => name);
        const twice = names.find((name, i) => names.indexOf(name) !== i);
        if (twice !== undefined) problems.push(`variables has ${JSON.stringify(twice)} twice`);
        break;
      }
      case 'threads': {
        const ids = list('threads').map(({ id }) => id);
        if (new Set(ids).size !== ids.length) problems.push('threads has an id twice');
        break;
      }
    }
    if (/^set(?:|Function|Data|Instruction|Exception)Breakpoints$/.test(command))
      for (const breakpoint of list('breakpoints')) {
        if (typeof breakpoint['id'] === 'number') this.breakpointIds.add(breakpoint['id']);
        if (breakpoint['verified'] === false && breakpoint['message'] === undefined)
          problems.push(`${command} leaves a breakpoint unverified without a message`);
      }
  }

  private event(message: Message, problems: string[]): void {
    const body = (message['body'] ?? {}) as Record<string, unknown>;
    if (!this.initialized && message['event'] !== 'output') problems.push(`${message['event']} comes before initialize has been answered`);
    if (this.terminated && /^(?:stopped|continued|thread|terminated)$/.test(String(message['event'])))
      problems.push(`${message['event']} comes after terminated`);
    switch (message['event']) {
      case 'terminated':
        this.terminated = true;
        break;
      case 'breakpoint': {
        const { id } = body['breakpoint'] as { id?: number };
        if (id === undefined) problems.push('a breakpoint event names no breakpoint');
        else if (body['reason'] === 'new') this.breakpointIds.add(id);
        else if (!this.breakpointIds.has(id)) problems.push(`a breakpoint event is about ${id}, which was never given out`);
        break;
      }
      case 'stopped':
        for (const id of (body['hitBreakpointIds'] as number[] | undefined) ?? [])
          if (!this.breakpointIds.has(id)) problems.push(`a stop names the breakpoint ${id}, which was never given out`);
        break;
    }
  }
}
