/**
 * What a user of the debugger waits for, through the worker's bundle as an editor starts it: from the request that is posted to the event that arrives.
 * And what the editor waits for: `activate` of the extension's bundle, each time in a fresh process, with everything of `vscode` a stub.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import Module, { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { Client } from '../worker/client.ts';
import type { Figure } from './figures.ts';

const SAMPLE = path.resolve('samples/icrlo.asm');
const FOLDER = path.resolve('.cache/bench');
/** Steps from its entry on that execute an instruction or a few: one of the next waits for the other vCPUs. */
const STEPS = 25;
/** A guest that does nothing but run: a loop of a few instructions, for ever. */
const BUSY =
  'bits 16\norg 0\nstart: xor ax, ax\nagain: add ax, 3\nmov [0x500], ax\njmp again\ntimes 0xff0-($-$$) db 0xff\njmp start\ntimes 0x1000-($-$$) db 0xff\n';
/** How long it runs before it is paused. */
const RUN_MS = 40;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

/** A session that is ended in any case. */
async function inSession<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const worker = new Worker(path.resolve('dist/worker.cjs'));
  const client = new Client((message) => worker.postMessage(message));
  worker.on('message', (message: object) => client.receive(message));
  try {
    return await use(client);
  } finally {
    await worker.terminate();
  }
}

async function repeated(times: number, work: (i: number) => Promise<number>): Promise<number[]> {
  const results: number[] = [];
  for (let i = 0; i < times; i++) results.push(await work(i));
  return results;
}

/** From `launch` to the stop at the entry, in a worker that has done nothing before. */
const launching = (): Promise<number> =>
  inSession(async (client) => {
    await client.request('initialize', { adapterID: 'exitpoint' });
    return timed(async () => {
      const launched = client.request('launch', { program: SAMPLE });
      await client.event('initialized');
      await client.request('configurationDone');
      await launched;
      await client.event('stopped');
    });
  });

/** Steps through the sample from its entry: by instruction and by line in turn, in as many sessions as it takes. */
async function stepping(times: number): Promise<number[]> {
  const results: number[] = [];
  while (results.length < times)
    await inSession(async (client) => {
      await client.launch({ program: SAMPLE });
      const steps = await repeated(Math.min(STEPS, times - results.length), (i) =>
        timed(async () => {
          const stopped = client.event('stopped');
          if (i % 2 === 0) await client.request('stepIn', { threadId: 1, granularity: 'instruction' });
          else await client.request('next', { threadId: 1 });
          await stopped;
        }),
      );
      results.push(...steps);
    });
  return results;
}

function pausing(times: number): Promise<number[]> {
  fs.mkdirSync(FOLDER, { recursive: true });
  const program = path.join(FOLDER, 'busy.asm');
  fs.writeFileSync(program, BUSY);
  return inSession(async (client) => {
    await client.launch({ program });
    return repeated(times, async () => {
      await client.request('continue', { threadId: 1 });
      await new Promise((resolve) => setTimeout(resolve, RUN_MS));
      return timed(async () => {
        const stopped = client.event('stopped');
        await client.request('pause', { threadId: 1 });
        await stopped;
      });
    });
  });
}

/** Something that can be called, built, inherited from, iterated over and asked for any member, which is the like again. */
function stub(): unknown {
  const it: unknown = new Proxy(class {}, {
    get: (target, key) => {
      if (key === 'then') return undefined;
      if (key === Symbol.iterator) return () => [][Symbol.iterator]();
      if (key === Symbol.toPrimitive) return () => '';
      return key === 'prototype' ? target.prototype : it;
    },
    apply: () => it,
    construct: () => it as object,
  });
  return it;
}

/** In a process of its own: prints how long `activate` took, in ms. */
export async function activate(): Promise<void> {
  const members = stub();
  // A bundle copies a module's own members and takes over its prototype: that is how it gets every member there may be.
  const vscode = new Proxy({}, { getPrototypeOf: () => members as object });
  const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
  const { _load: load } = loader;
  loader._load = (request, ...rest) => (request === 'vscode' ? vscode : load.call(Module, request, ...rest));
  const extension = createRequire(import.meta.url)(path.resolve('dist/extension.js')) as { activate(context: unknown): unknown };
  const context = {
    subscriptions: [],
    asAbsolutePath: (name: string) => path.resolve(name),
    workspaceState: members,
    globalState: members,
  };
  process.stdout.write(String(await timed(async () => extension.activate(context))));
}

function activating(): number {
  const { stdout, stderr, status } = spawnSync(process.execPath, [process.argv[1] as string, '--activate'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the extension could not be activated: ${stderr.trim()}`);
  return Number(stdout);
}

/** Measures everything, `times` times. */
export async function sessions(times: number): Promise<Figure[]> {
  return [
    { name: 'activate()', times: await repeated(times, async () => activating()), aim: { quantile: 'median', ms: 60 } },
    { name: 'launch to stopped', times: await repeated(times, launching), aim: { quantile: 'median', ms: 500 } },
    { name: 'step to stopped', times: await stepping(times), aim: { quantile: 'p95', ms: 20 } },
    { name: 'pause at full speed to stopped', times: await pausing(times), aim: { quantile: 'median', ms: 100 } },
  ];
}
