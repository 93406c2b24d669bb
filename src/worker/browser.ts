/**
 * The main of the worker in a browser: a Web Worker with one debug session in it. It cannot load anything: the first message brings the files of the
 * build. The decoder wants its WebAssembly while its module initialises, so everything else is imported after that.
 */
import type { Assets } from '../debugger/host.ts';
import type { EncodingIndexData } from '../machine/isa/encoding-index.ts';

/** `icedWasm` is where the build lets the decoder's module look (esbuild.mjs). */
const scope = self as unknown as DedicatedWorkerGlobalScope & { icedWasm?: Uint8Array };

/** What resolves after other messages have had their turn. A timer would wait 4 ms. */
function turn(): () => Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      port2.postMessage(0);
    });
}

async function open({ iced, interpreter, encodings }: Assets): Promise<(message: unknown) => void> {
  scope.icedWasm = iced;
  const { serve } = await import('./serve.ts');
  return serve(
    {
      now: () => performance.now(),
      yield: turn(),
      readFile: () => undefined,
      interpreter,
      encodings: () => JSON.parse(new TextDecoder().decode(encodings)) as EncodingIndexData,
    },
    { post: (message) => scope.postMessage(message), close: () => scope.close() },
  );
}

const isAssets = (message: unknown): message is Assets =>
  typeof message === 'object' && message !== null && (message as Partial<Assets>).exitpoint === 'assets';

let session: Promise<(message: unknown) => void> | undefined;
scope.onmessage = ({ data }) => {
  if (isAssets(data)) {
    session ??= open(data);
    // Whoever started the worker is told, as of any other error in it.
    session.catch((error: unknown) => scope.reportError(error));
  } else void session?.then((receive) => receive(data)).catch(() => {});
};
