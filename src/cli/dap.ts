/** `exitpoint dap`: debug sessions over standard streams or TCP. Each session is a worker of its own; this end only carries its messages. */
import { createServer } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { Worker } from 'node:worker_threads';
import type { FileAnswer, FileRequest } from '../debugger/host.ts';
import type { DapOptions } from './args.ts';
import { Status, UsageError } from './errors.ts';
import { FramingError, frame, Unframer } from './framing.ts';

export interface DapHost {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: (text: string) => void;
  /** Starts the worker of dist/. */
  startWorker(): Worker;
}

/** How long a session may take to end after its client has gone, before it is ended from outside. */
const PATIENCE_MS = 10_000;
/** The disconnect that stands for a client that has gone without one: no client's own number. */
const GONE = { seq: 0, type: 'request', command: 'disconnect', arguments: {} };

const isFileRequest = (message: object): message is FileRequest => 'exitpoint' in message && message.exitpoint === 'read';

/** Serves one session between two streams; resolves when it is over, with false when the input was no DAP or the session has crashed. */
function session(input: Readable, output: Writable, { startWorker, stderr }: DapHost): Promise<boolean> {
  return new Promise((resolve) => {
    const worker = startWorker();
    const unframer = new Unframer();
    let patience: NodeJS.Timeout | undefined;
    let well = true;
    const fail = (sentence: string): void => {
      well = false;
      stderr(`exitpoint: ${sentence}\n`);
      void worker.terminate();
    };
    const gone = (): void => {
      if (patience !== undefined) return;
      worker.postMessage(GONE);
      patience = setTimeout(() => void worker.terminate(), PATIENCE_MS);
    };
    input.on('data', (chunk: Buffer) => {
      if (!well) return;
      try {
        for (const message of unframer.push(chunk)) worker.postMessage(message);
      } catch (error) {
        if (!(error instanceof FramingError)) throw error;
        fail(error.message);
      }
    });
    input.on('end', gone).on('close', gone).on('error', gone);
    worker.on('message', (message: object) => {
      if (isFileRequest(message)) worker.postMessage(refusal(message));
      else if (!('request_seq' in message && message.request_seq === GONE.seq)) output.write(frame(message));
    });
    worker.on('error', (error) =>
      fail(`the session has crashed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
    );
    worker.on('exit', () => {
      clearTimeout(patience);
      input.removeAllListeners('data').pause();
      output.end(() => resolve(well));
    });
  });
}

const refusal = ({ id, path }: FileRequest): FileAnswer => ({
  exitpoint: 'read',
  id,
  error: `${path} is no file of this computer; give a path or a file: URI.`,
});

/** Serves until the client has gone, or on TCP for ever. Gives the exit status. Throws a UsageError for a port that cannot be had. */
export async function dap({ port }: DapOptions, host: DapHost): Promise<number> {
  if (port === undefined) return (await session(host.stdin, host.stdout, host)) ? Status.ok : Status.usage;
  return new Promise((_, reject) => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => socket.destroy());
      void session(socket, socket, host);
    });
    server.on('error', (error: NodeJS.ErrnoException) =>
      reject(new UsageError(`--port ${port}: ${error.code === 'EADDRINUSE' ? 'another program has it' : (error.code ?? error.message)}.`)),
    );
    server.listen({ host: '127.0.0.1', port }, () => {
      const address = server.address();
      const number = typeof address === 'object' && address !== null ? address.port : port;
      host.stderr(`exitpoint: debug adapter on 127.0.0.1:${number}; Ctrl-C ends it\n`);
    });
  });
}
