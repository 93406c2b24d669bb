/** The extension where the editor runs extensions in a web worker. */
import * as vscode from 'vscode';
import type { Assets } from '../debugger/host.ts';
import { start } from './start.ts';

/** What is used of the browser. */
interface WebWorker {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { readonly message?: string; preventDefault(): void }) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}
declare const Worker: new (url: string) => WebWorker;

/** Called by the editor at the first use. */
export function activate(context: vscode.ExtensionContext): void {
  const dist = (name: string): Thenable<Uint8Array> =>
    vscode.workspace.fs.readFile(vscode.Uri.joinPath(context.extensionUri, 'dist', name));
  start(context, async ({ onMessage, onEnd }) => {
    const [code, interpreter, iced, encodings] = await Promise.all(
      ['web/worker.js', 'interpreter.wasm', 'iced_x86_bg.wasm', 'encoding-index.json'].map(dist),
    );
    // A remote extension may start no worker from its own URL; one from a blob may be started everywhere.
    const url = URL.createObjectURL(new Blob([code as Uint8Array<ArrayBuffer>], { type: 'text/javascript' }));
    const worker = new Worker(url);
    worker.onmessage = ({ data }) => onMessage(data);
    worker.onerror = (event) => {
      event.preventDefault();
      onEnd(event.message ?? 'Its worker could not be started.');
    };
    const assets = { exitpoint: 'assets', interpreter, iced, encodings } as Assets;
    worker.postMessage(assets);
    return {
      postMessage: (message) => worker.postMessage(message),
      terminate: () => {
        worker.terminate();
        URL.revokeObjectURL(url);
      },
    };
  });
}
