/**
 * A DAP client for tests: @vscode/debugadapter-testsupport's, over standard streams, over TCP or in process, and everything that goes either way is
 * written down and checked (conversation.ts). A test that has opened one need not close it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { onTestFinished } from 'vitest';
import { Adapter } from '../../src/dap/adapter.ts';
import type { Services } from '../../src/dap/session.ts';
import { parseConfiguration } from '../../src/debugger/configuration.ts';
import type { Host } from '../../src/debugger/host.ts';
import { readInput } from '../../src/worker/files/node.ts';
import { makeLaunch } from '../../src/worker/launch.ts';
import { ROOT } from '../architecture/source.ts';
import { Conversation } from './conversation.ts';
import type { Message } from './protocol.ts';

export type Body = Record<string, unknown>;

const dist = (name: string): string => path.join(ROOT, 'dist', name);
export const sample = (name: string): string => path.join(ROOT, 'samples', `${name}.asm`);

/** What the adapter is made of in process: as in the worker, with the files of dist/. */
export function services(readFile: Host['readFile'] = async (file) => readInput(file)): Services {
  const host: Host = {
    now: () => performance.now(),
    yield: () => new Promise((resolve) => setImmediate(resolve)),
    readFile,
  };
  const launch = makeLaunch(host, {
    interpreter: fs.readFileSync(dist('interpreter.wasm')),
    encodings: () => JSON.parse(fs.readFileSync(dist('encoding-index.json'), 'utf8')),
  });
  return { host, launch, parseConfiguration };
}

/** Takes the messages out of a stream of them; gives its own copy of each chunk on. */
function tap(from: Readable, hear: (message: Message) => void): Readable {
  const to = new PassThrough();
  let rest = Buffer.alloc(0);
  from.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = rest.indexOf('\r\n\r\n');
      const length = Number(/Content-Length: *(\d+)/i.exec(rest.toString('latin1', 0, Math.max(head, 0)))?.[1]);
      if (head < 0 || rest.length < head + 4 + length) break;
      hear(JSON.parse(rest.toString('utf8', head + 4, head + 4 + length)));
      rest = rest.subarray(head + 4 + length);
    }
    to.write(chunk);
  });
  from.on('end', () => to.end());
  return to;
}

export class Client extends DebugClient {
  readonly conversation = new Conversation();
  /** What `initialize` was answered with. */
  capabilities: DebugProtocol.Capabilities = {};
  /** Events that `next` has given out already: up to this index of what was received. */
  private seen = 0;
  private wake: () => void = () => {};

  private constructor(
    from: Readable,
    to: Writable,
    /** Ends the other side, whatever it is doing. */
    private readonly end: () => Promise<void> | void,
  ) {
    super('', '', 'exitpoint');
    const outgoing = new PassThrough();
    tap(outgoing, (message) => this.conversation.request(message as never)).pipe(to);
    this.connect(
      tap(from, (message) => {
        this.conversation.message(message);
        this.wake();
      }),
      outgoing,
    );
    onTestFinished(() => this.stop());
  }

  /** The adapter in this very process. */
  static inProcess(): Client {
    const input = new PassThrough();
    const output = new PassThrough();
    const adapter = new Adapter(services());
    adapter.start(input, output);
    return new Client(output, input, () => adapter.dispose());
  }

  /** The built command line, `exitpoint dap`. */
  static overStdio(): Client {
    const child = spawn(process.execPath, [dist('exitpoint.mjs'), 'dap'], { stdio: ['pipe', 'pipe', 'inherit'] });
    return new Client(child.stdout, child.stdin, () => ended(child));
  }

  /** The built command line as a server, `exitpoint dap --port 0`. */
  static async overTcp(): Promise<Client> {
    const child = spawn(process.execPath, [dist('exitpoint.mjs'), 'dap', '--port', '0'], { stdio: ['ignore', 'inherit', 'pipe'] });
    const [said] = await once(child.stderr, 'data');
    const socket = net.connect(Number(/127\.0\.0\.1:(\d+)/.exec(String(said))?.[1]), '127.0.0.1');
    await once(socket, 'connect');
    return new Client(socket, socket, async () => {
      socket.destroy();
      child.kill();
      await ended(child);
    });
  }

  /** Ends the session and the adapter. */
  override async stop(): Promise<void> {
    await this.end();
  }

  /** The body of a successful response. Throws the adapter's message for another. */
  async ask(command: string, args: object = {}): Promise<Body> {
    const { body } = await this.customRequest(command, args);
    return (body ?? {}) as Body;
  }

  /** The message of a response that is no success. Throws when it is one. */
  async refused(command: string, args: object = {}): Promise<string> {
    const answer = await this.customRequest(command, args).then(
      ({ body }) => body ?? null,
      (error: Error) => error,
    );
    if (answer instanceof Error) return answer.message;
    throw new Error(`${command} was expected to fail, and gave ${JSON.stringify(answer)}`);
  }

  /** The next event of a name that no earlier call has passed: one that fits, if that is asked for. */
  async next(event: string, fits: (body: Body) => boolean = () => true, timeoutMs = 20_000): Promise<Body> {
    const deadline = performance.now() + timeoutMs;
    const { received } = this.conversation;
    for (;;) {
      while (this.seen < received.length) {
        const message = received[this.seen++]!;
        const body = (message['body'] ?? {}) as Body;
        if (message['event'] === event && fits(body)) return body;
      }
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`no event ${event} within ${timeoutMs / 1000} s`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** initialize, launch and configurationDone as an editor does them; resolves at the first stop. */
  async launched(attributes: object, configure: () => Promise<unknown> = async () => {}): Promise<Body> {
    const launch = this.begin(attributes);
    await this.next('initialized');
    await configure();
    await this.ask('configurationDone');
    await launch;
    return this.next('stopped');
  }

  private async begin(attributes: object): Promise<void> {
    await this.initialized();
    await this.ask('launch', attributes);
  }

  /** initialize, as VS Code does it. */
  async initialized(): Promise<DebugProtocol.Capabilities> {
    this.capabilities = await this.ask('initialize', {
      clientID: 'vscode',
      adapterID: 'exitpoint',
      linesStartAt1: true,
      columnsStartAt1: true,
      pathFormat: 'path',
      supportsVariableType: true,
      supportsVariablePaging: true,
      supportsMemoryReferences: true,
      supportsProgressReporting: true,
      supportsInvalidatedEvent: true,
      supportsMemoryEvent: true,
      supportsANSIStyling: true,
    });
    return this.capabilities;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  child.stdin?.end();
  if (child.exitCode !== null || child.signalCode !== null) return;
  const patience = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await once(child, 'exit');
  clearTimeout(patience);
}
