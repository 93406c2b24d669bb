/** The worker's bundles, as the extension starts them: the one under Node, and the one in a browser, which here gets only what a browser has. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../../esbuild.mjs';
import { makeLaunch } from '../../src/worker/launch.ts';
import { parseConfiguration } from '../../src/debugger/configuration.ts';
import type { FileAnswer, FileRequest } from '../../src/debugger/host.ts';
import { root, sample } from '../cli/host.ts';
import { Client } from './client.ts';

const SPIN = 'bits 16\norg 0\nstart: jmp start\ntimes 0xff0-($-$$) db 0xff\njmp start\ntimes 0x1000-($-$$) db 0xff\n';

let directory = '';
beforeAll(async () => {
  await build();
  directory = mkdtempSync(join(tmpdir(), 'exitpoint-worker-'));
}, 60_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const file = (name: string, content: string): string => {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
};

/** A worker with a client, and the files that the client's end of the pipe has. */
interface Started {
  readonly client: Client;
  /** Paths that the worker asked for. */
  readonly asked: string[];
  /** The worker's exit code, when it has ended by itself. */
  readonly ended: Promise<number>;
  terminate(): Promise<unknown>;
}
type Files = Readonly<Record<string, string>>;

const answer = ({ id, path }: FileRequest, files: Files): FileAnswer => {
  const content = files[path];
  return content === undefined
    ? { exitpoint: 'read', id, error: `There is no file ${path}.` }
    : { exitpoint: 'read', id, bytes: new TextEncoder().encode(content) };
};

function startNode(files: Files = {}): Started {
  const worker = new Worker(join(root, 'dist/worker.cjs'));
  const client = new Client((message) => worker.postMessage(message));
  const asked: string[] = [];
  worker.on('message', (message: object) => {
    if (!('exitpoint' in message)) return client.receive(message);
    asked.push((message as FileRequest).path);
    worker.postMessage(answer(message as FileRequest, files));
  });
  const ended = new Promise<number>((resolve, reject) => worker.on('exit', resolve).on('error', reject));
  return { client, asked, ended, terminate: () => worker.terminate() };
}

/** As in a browser, each message is a task of its own; Node's class hands over a thousand before anything else happens. */
class Channel {
  readonly port1: { onmessage?: (event: object) => void } = {};
  readonly port2 = { postMessage: (data: unknown) => void setImmediate(() => this.port1.onmessage?.({ data })) };
}

const dist = (name: string): Uint8Array => new Uint8Array(readFileSync(join(root, 'dist', name)));

function startBrowser(files: Files = {}): Started {
  let over: (code: number) => void = () => {};
  const ended = new Promise<number>((resolve) => (over = resolve));
  const asked: string[] = [];
  const scope: Record<string, unknown> = {
    MessageChannel: Channel,
    TextDecoder,
    TextEncoder,
    URL,
    performance,
    setTimeout,
    clearTimeout,
    console,
    postMessage: (message: object) => {
      const arrived = structuredClone(message);
      setTimeout(() => {
        if (!('exitpoint' in arrived)) return client.receive(arrived);
        asked.push((arrived as FileRequest).path);
        post(answer(arrived as FileRequest, files));
      });
    },
    close: () => over(0),
  };
  scope['self'] = scope;
  const post = (data: object): void => void (scope['onmessage'] as (event: object) => void)({ data: structuredClone(data) });
  const client = new Client(post);
  createContext(scope);
  runInContext(readFileSync(join(root, 'dist/web/worker.js'), 'utf8'), scope);
  post({
    exitpoint: 'assets',
    interpreter: dist('interpreter.wasm'),
    iced: dist('iced_x86_bg.wasm'),
    encodings: dist('encoding-index.json'),
  });
  return { client, asked, ended, terminate: async () => undefined };
}

describe.each([
  ['under Node', startNode],
  ['in a browser', startBrowser],
] as const)('a worker %s', (_, start) => {
  const icrlo = readFileSync(sample('icrlo'), 'utf8');

  it('runs a session of a file that the other end of the pipe reads, and ends after disconnect', async () => {
    const { client, asked, ended } = start({ 'memfs:/icrlo.asm': icrlo });
    const stopped = await client.launch({ program: 'memfs:/icrlo.asm', memory: '1M' });
    expect(stopped.body).toMatchObject({ reason: 'entry', allThreadsStopped: true });
    expect(asked).toEqual(['memfs:/icrlo.asm']);
    expect((await client.request('threads'))['threads']).toHaveLength(4);
    await client.request('disconnect');
    expect(await ended).toBe(0);
  });
  it('says why a file cannot be read, in the words of who tried', async () => {
    const { client, terminate } = start();
    await expect(client.launch({ program: 'memfs:/missing.asm' })).rejects.toThrow('There is no file memfs:/missing.asm.');
    await terminate();
  });
  it('hears a pause while the machine runs at full speed', async () => {
    const { client, terminate } = start({ 'memfs:/spin.asm': SPIN });
    await client.launch({ program: 'memfs:/spin.asm', memory: '1M' });
    await client.request('continue', { threadId: 1 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await client.request('pause', { threadId: 1 });
    expect((await client.event('stopped')).body).toMatchObject({ reason: 'pause' });
    await client.request('disconnect');
    await terminate();
  });
  it('ends a machine that runs when its client disconnects', async () => {
    const { client, ended } = start({ 'memfs:/spin.asm': SPIN });
    await client.launch({ program: 'memfs:/spin.asm', memory: '1M' });
    await client.request('continue', { threadId: 1 });
    await client.request('disconnect');
    expect(await ended).toBe(0);
  });
});

describe('the worker under Node', () => {
  it('reads files of the computer by path and by URI without asking', async () => {
    for (const program of [sample('timer'), new URL(`file://${root}samples/timer.asm`).href]) {
      const { client, asked, terminate } = startNode();
      await client.launch({ program, memory: '1M' });
      expect(asked).toEqual([]);
      await terminate();
    }
  });
  it.each([
    ['there is none', () => join(directory, 'none.asm'), /^There is no file .*none\.asm\.$/],
    ['is a directory', () => directory, /is a directory; give a bootrom/],
    ['is no boot ROM', () => file('empty.rom', ''), /empty\.rom: /],
    ['cannot be assembled', () => file('bad.asm', 'bits 16\nmvo ax, 1\n'), /bad\.asm/],
  ])('refuses a launch whose program %s', async (_, program, sentence) => {
    const { client, terminate } = startNode();
    await expect(client.launch({ program: program() })).rejects.toThrow(sentence);
    await terminate();
  });
});

describe('a launch', () => {
  const launch = makeLaunch(
    {
      now: () => performance.now(),
      yield: () => Promise.resolve(),
      readFile: async (path) => new Uint8Array(readFileSync(path)),
    },
    { interpreter: dist('interpreter.wasm'), encodings: () => JSON.parse(new TextDecoder().decode(dist('encoding-index.json'))) },
  );
  const launched = async (attributes: object) => {
    const { debugger: it, warnings } = await launch(parseConfiguration({ program: sample('icrlo'), memory: '1M', ...attributes }));
    return { machine: it.machine, program: it.program, warnings };
  };

  it('takes the number of vCPUs from the configuration, else from the source, else 1', async () => {
    const spin = file('one.asm', SPIN);
    expect((await launched({})).machine.cpus).toBe(4);
    expect((await launched({ cpus: 2 })).machine.cpus).toBe(2);
    expect((await launched({ program: spin })).machine.cpus).toBe(1);
    expect((await launched({ program: file('many.asm', `; EXPECT: cpus 200\n${SPIN}`) })).machine.cpus).toBe(1);
  });
  it('builds the machine that was asked for', async () => {
    const { machine } = await launched({ model: 'pc', profile: 'illumos-2020-10', memory: 2 });
    expect([machine.model.name, machine.profile.name, machine.memoryBytes]).toEqual(['pc', 'illumos-2020-10', 2 * 2 ** 20]);
  });
  it('tells what the assembler warned of, and knows the lines of the source', async () => {
    const { program, warnings } = await launched({ program: file('warn.asm', SPIN.replace('start: ', 'start: mov al, 0x123\n')) });
    expect(warnings.map(({ severity, line }) => [severity, line])).toEqual([['warning', 3]]);
    expect(program.placeAt(0xfffffff0)).toMatchObject({ line: 6, text: 'jmp start' });
  });
});
