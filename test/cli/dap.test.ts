/** `exitpoint dap` as it is installed: the bundle in a process of its own, over its standard streams and over TCP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../../esbuild.mjs';
import { frame, Unframer } from '../../src/cli/framing.ts';
import { Client } from '../worker/client.ts';
import { exitpoint, root, sample } from './host.ts';

beforeAll(async () => void (await build()), 60_000);

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Process {
  readonly child: ChildProcess;
  /** Its exit status. */
  readonly ended: Promise<number | null>;
  readonly stderr: () => string;
}

function start(...options: string[]): Process {
  const child = spawn(process.execPath, [join(root, 'dist/exitpoint.mjs'), 'dap', ...options], { stdio: 'pipe', cwd: root });
  children.push(child);
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return { child, ended: new Promise((resolve) => child.on('close', resolve)), stderr: () => stderr };
}

/** A client on two ends of streams; nothing but DAP may come out of them. */
function clientOn(input: NodeJS.WritableStream, output: NodeJS.ReadableStream): Client {
  const client = new Client((message) => void input.write(frame(message)));
  const unframer = new Unframer();
  output.on('data', (chunk: Buffer) => {
    for (const message of unframer.push(chunk)) client.receive(message);
  });
  return client;
}
const onStreams = ({ child }: Process): Client => clientOn(child.stdin!, child.stdout!);
const attributes = { program: sample('icrlo'), memory: '1M' };

describe('exitpoint dap', () => {
  it('stops icrlo.asm at its entry, and ends with status 0 after disconnect, having said nothing on stderr', async () => {
    const process = start();
    const client = onStreams(process);
    expect((await client.launch(attributes)).body).toMatchObject({ reason: 'entry' });
    await client.request('disconnect');
    expect([await process.ended, process.stderr()]).toEqual([0, '']);
  });
  it('ends when its input ends, also while the machine runs', async () => {
    const process = start();
    const client = onStreams(process);
    await client.launch({ ...attributes, program: sample('timer'), stopOnEntry: true });
    await client.request('continue', { threadId: 1 });
    process.child.stdin?.end();
    expect(await process.ended).toBe(0);
  });
  it('answers what came before the end of its input', async () => {
    const process = start();
    const client = onStreams(process);
    const answered = client.request('initialize', { adapterID: 'exitpoint' });
    process.child.stdin?.end();
    expect(await answered).toMatchObject({ supportsConfigurationDoneRequest: true });
    expect(await process.ended).toBe(0);
  });
  it('ends with status 2 and one line when its input is no DAP', async () => {
    const process = start();
    process.child.stdin?.write('hello there\r\n\r\n');
    expect(await process.ended).toBe(2);
    expect(process.stderr()).toBe('exitpoint: The input is no DAP: "hello there" is no header Content-Length: N.\n');
  });
  it('reads no files but those of the computer', async () => {
    const process = start();
    const client = onStreams(process);
    await expect(client.launch({ program: 'memfs:/a.asm' })).rejects.toThrow(
      'memfs:/a.asm is no file of this computer; give a path or a file: URI.',
    );
  });
});

describe('exitpoint dap --port', () => {
  const listening = async (process: Process): Promise<number> => {
    for (;;) {
      const port = /127\.0\.0\.1:([0-9]+)/.exec(process.stderr())?.[1];
      if (port !== undefined) return Number(port);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const dial = (port: number): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket)).on('error', reject);
    });

  it('0 takes a free port, tells it, and serves several sessions at once, one after the other too', async () => {
    const process = start('--port', '0');
    const port = await listening(process);
    const sockets = await Promise.all([dial(port), dial(port)]);
    const clients = sockets.map((socket) => clientOn(socket, socket));
    const [spinning, other] = clients as [Client, Client];
    await spinning.launch({ ...attributes, program: sample('timer') });
    await spinning.request('continue', { threadId: 1 });
    expect((await other.launch(attributes)).body).toMatchObject({ reason: 'entry' });
    for (const socket of sockets) socket.destroy();
    const third = await dial(port);
    expect((await clientOn(third, third).launch(attributes)).body).toMatchObject({ reason: 'entry' });
    third.destroy();
    expect(process.child.exitCode).toBeNull();
    process.child.kill('SIGINT');
    expect(await process.ended).toBe(130);
  });
  it('survives a connection that speaks no DAP', async () => {
    const process = start('--port', '0');
    const port = await listening(process);
    const wrong = await dial(port);
    const closed = new Promise((resolve) => wrong.on('close', resolve));
    wrong.write('GET / HTTP/1.1\r\n\r\n');
    wrong.resume();
    await closed;
    const socket = await dial(port);
    expect(await clientOn(socket, socket).request('initialize', { adapterID: 'x' })).toBeTypeOf('object');
    socket.destroy();
  });
  it('that another program has is one line and status 2', async () => {
    const port = String(await listening(start('--port', '0')));
    const second = start('--port', port);
    expect([await second.ended, second.stderr()]).toEqual([2, `exitpoint: --port ${port}: another program has it.\n`]);
  });
  it.each([
    [['--port', '65536'], '--port 65536: give a TCP port from 1 to 65535, or 0 for any.'],
    [['--port', 'x'], '--port x: give a TCP port from 1 to 65535, or 0 for any.'],
    [['--port'], '--port needs a value: --port N, a TCP port, 0 for any that is free.'],
    [['--prot', '1'], 'dap has no option --prot. Did you mean --port?'],
    [['a.asm'], 'dap takes no file, but got a.asm: what is debugged is said by the launch request.'],
  ])('%j is refused in one line', async (words, sentence) => {
    expect(await exitpoint(['dap', ...words])).toMatchObject({ status: 2, stdout: '', stderr: `exitpoint: ${sentence}\n` });
  });
  it('is explained by help', async () => {
    const { stdout } = await exitpoint(['help', 'dap']);
    expect(stdout).toMatch(/^exitpoint dap \[--port N\]\n/);
    expect(stdout).toContain('"debugServer": N');
  });
});
