/** One debug session at the end of a pipe (debugger/host.ts says what goes over it): the adapter, its machine, and the files it asks for. */
import { Adapter } from '../dap/adapter.ts';
import { parseConfiguration } from '../debugger/configuration.ts';
import { DebuggerError } from '../debugger/error.ts';
import type { FileAnswer, FileRequest, Host } from '../debugger/host.ts';
import { makeLaunch, type MachineFiles } from './launch.ts';

/** The worker's end of the pipe. */
export interface Pipe {
  post(message: object): void;
  /** Nothing more will be posted. */
  close(): void;
}

/** What a main knows of its world. */
export interface World extends Pick<Host, 'now' | 'yield'>, MachineFiles {
  /** Reads what this world can read itself: gives undefined for what the other end of the pipe has to read. Rejects with a DebuggerError. */
  readFile(path: string): Promise<Uint8Array> | undefined;
}

const isFileAnswer = (message: unknown): message is FileAnswer =>
  typeof message === 'object' && message !== null && (message as Partial<FileAnswer>).exitpoint === 'read';

/** Serves one session; gives the function that takes what comes out of the pipe. */
export function serve(world: World, pipe: Pipe): (message: unknown) => void {
  const asked = new Map<number, { resolve(bytes: Uint8Array): void; reject(error: Error): void }>();
  let requests = 0;

  const ask = (path: string): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      const request: FileRequest = { exitpoint: 'read', id: ++requests, path };
      asked.set(request.id, { resolve, reject });
      pipe.post(request);
    });

  const answered = ({ id, bytes, error }: FileAnswer): void => {
    const waiting = asked.get(id);
    asked.delete(id);
    if (bytes !== undefined) waiting?.resolve(bytes);
    else waiting?.reject(new DebuggerError(error ?? 'The file cannot be read.'));
  };

  const host: Host = {
    now: () => world.now(),
    yield: () => world.yield(),
    readFile: (path) => world.readFile(path) ?? ask(path),
  };
  const adapter = new Adapter({ host, launch: makeLaunch(host, world), parseConfiguration }, () => pipe.close());
  adapter.onDidSendMessage((message) => pipe.post(message));

  return (message) => {
    if (isFileAnswer(message)) answered(message);
    else adapter.handleMessage(message as Parameters<typeof adapter.handleMessage>[0]);
  };
}
