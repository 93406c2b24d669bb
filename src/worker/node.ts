/** The main of the worker under Node: a worker thread with one debug session in it. The build's files lie beside its bundle. */
import { readFileSync } from 'node:fs';
import { type MessagePort, parentPort } from 'node:worker_threads';
import type { EncodingIndexData } from '../machine/isa/encoding-index.ts';
import { isForeign, readInput } from './files/node.ts';
import { serve } from './serve.ts';

const port = parentPort as MessagePort;
const beside = (name: string): Uint8Array => readFileSync(new URL(name, import.meta.url));

const receive = serve(
  {
    now: () => performance.now(),
    // Messages are looked for between two of them.
    yield: () => new Promise((resolve) => setImmediate(resolve)),
    readFile: (path) => (isForeign(path) ? undefined : new Promise((resolve) => resolve(readInput(path)))),
    interpreter: beside('./interpreter.wasm'),
    encodings: () => JSON.parse(new TextDecoder().decode(beside('./encoding-index.json'))) as EncodingIndexData,
  },
  {
    post: (message) => port.postMessage(message),
    // What was posted before still arrives; and nothing else keeps the thread alive.
    close: () => port.close(),
  },
);
port.on('message', receive);
