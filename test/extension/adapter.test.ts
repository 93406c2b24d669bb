/** The pipe between the editor and the worker. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { WorkerAdapter } from '../../src/extension/adapter.ts';
import type { StartWorker, WorkerListeners } from '../../src/extension/worker.ts';
import { reset, Uri, world } from './vscode.ts';

vi.mock('vscode', () => import('./vscode.ts'));

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Message {
  readonly type?: string;
  readonly event?: string;
  readonly request_seq?: number;
  readonly success?: boolean;
  readonly message?: string;
  readonly seq?: number;
}

function rig(start?: StartWorker) {
  const posted: unknown[] = [];
  const sent: Message[] = [];
  let listeners!: WorkerListeners;
  let terminated = 0;
  let disposed = 0;
  const adapter = new WorkerAdapter(
    start ??
      (async (those) => {
        listeners = those;
        return { postMessage: (message) => posted.push(message), terminate: () => terminated++ };
      }),
    Uri.file('/ws') as never,
    () => disposed++,
  );
  adapter.onDidSendMessage((message) => sent.push(message as Message));
  const request = (seq: number, command: string): void => adapter.handleMessage({ seq, type: 'request', command } as never);
  return { adapter, posted, sent, request, worker: () => listeners, ended: () => ({ terminated, disposed }) };
}

beforeEach(() => reset());

describe('messages', () => {
  test('go through as they are, in order, from before the worker is there', async () => {
    const { posted, sent, request, worker } = rig();
    request(1, 'initialize');
    request(2, 'launch');
    await turn();
    expect(posted).toEqual([
      { seq: 1, type: 'request', command: 'initialize' },
      { seq: 2, type: 'request', command: 'launch' },
    ]);
    worker().onMessage({ seq: 1, type: 'response', request_seq: 1, command: 'initialize', success: true });
    expect(sent).toEqual([{ seq: 1, type: 'response', request_seq: 1, command: 'initialize', success: true }]);
  });

  test('a file that the worker asks for is read by the editor', async () => {
    world.files.set('vscode-vfs://github/o/r/a.asm', Uint8Array.of(1, 2, 3));
    world.files.set('file:///ws/b.rom', Uint8Array.of(4));
    const { posted, sent, worker } = rig();
    worker().onMessage({ exitpoint: 'read', id: 1, path: 'vscode-vfs://github/o/r/a.asm' });
    worker().onMessage({ exitpoint: 'read', id: 2, path: 'b.rom' });
    worker().onMessage({ exitpoint: 'read', id: 3, path: '/ws/gone.rom' });
    await turn();
    expect(posted).toEqual([
      { exitpoint: 'read', id: 1, bytes: Uint8Array.of(1, 2, 3) },
      { exitpoint: 'read', id: 2, bytes: Uint8Array.of(4) },
      { exitpoint: 'read', id: 3, error: 'There is no file /ws/gone.rom.' },
    ]);
    expect(sent).toEqual([]);
  });
});

describe('a worker that fails', () => {
  test('ends the session: open requests are answered, the user is told, the worker is gone', async () => {
    const { sent, request, worker, ended } = rig();
    request(1, 'initialize');
    await turn();
    worker().onMessage({ seq: 9, type: 'response', request_seq: 1, command: 'initialize', success: true });
    request(2, 'continue');
    request(3, 'threads');
    worker().onEnd('out of memory');
    await turn();
    const why = "Exitpoint's machine has failed, and the session has ended. out of memory";
    expect(sent.slice(1)).toMatchObject([
      { seq: 10, type: 'response', request_seq: 2, success: false, message: why },
      { seq: 11, type: 'response', request_seq: 3, success: false, message: why },
      { seq: 12, type: 'event', event: 'output' },
      { seq: 13, type: 'event', event: 'terminated' },
    ]);
    expect(world.errors).toEqual([why]);
    expect(ended().terminated).toBe(1);
  });

  test('while it is launched is told by the launch alone', async () => {
    const { sent, request, worker } = rig();
    request(1, 'launch');
    await turn();
    worker().onEnd('boom');
    expect(sent[0]).toMatchObject({ request_seq: 1, success: false });
    expect(world.errors).toEqual([]);
  });

  test('is told once, and later requests are refused', async () => {
    const { sent, request, worker } = rig();
    await turn();
    worker().onEnd('first');
    worker().onEnd('second');
    request(5, 'threads');
    expect(world.errors).toHaveLength(1);
    expect(sent.filter(({ event }) => event === 'terminated')).toHaveLength(1);
    expect(sent.at(-1)).toMatchObject({ request_seq: 5, success: false, message: 'The session has ended.' });
  });

  test('to start is a launch that fails', async () => {
    const { sent, request } = rig(async () => {
      throw new Error('no such file');
    });
    request(1, 'initialize');
    await turn();
    expect(sent[0]).toMatchObject({ request_seq: 1, success: false });
    expect(sent[0]?.message).toContain('It could not be started: no such file');
  });

  test('after it has answered disconnect has not failed', async () => {
    const { sent, request, worker } = rig();
    request(1, 'disconnect');
    await turn();
    worker().onMessage({ seq: 1, type: 'response', request_seq: 1, command: 'disconnect', success: true });
    worker().onEnd(undefined);
    expect(sent).toHaveLength(1);
    expect(world.errors).toEqual([]);
  });
});

describe('letting go of a session', () => {
  test('ends its worker in the middle of a run, and says nothing more', async () => {
    const { adapter, sent, request, worker, ended } = rig();
    request(1, 'continue');
    await turn();
    adapter.dispose();
    await turn();
    worker().onMessage({ seq: 1, type: 'event', event: 'stopped' });
    worker().onEnd('code 1');
    expect(ended()).toEqual({ terminated: 1, disposed: 1 });
    expect(sent).toEqual([]);
    expect(world.errors).toEqual([]);
  });

  test('before its worker is there ends that as soon as it is', async () => {
    const { adapter, ended } = rig();
    adapter.dispose();
    await turn();
    expect(ended().terminated).toBe(1);
  });
});
