/** The extension where the editor runs extensions under Node. */
import { Worker } from 'node:worker_threads';
import type * as vscode from 'vscode';
import { start } from './start.ts';

/** Called by the editor at the first use. */
export function activate(context: vscode.ExtensionContext): void {
  start(context, async ({ onMessage, onEnd }) => {
    const worker = new Worker(context.asAbsolutePath('dist/worker.cjs'));
    let why: string | undefined;
    worker.on('message', onMessage);
    worker.on('messageerror', (error) => (why = error.message));
    worker.on('error', (error) => (why = error.message));
    worker.on('exit', (code) => onEnd(why ?? (code === 0 ? undefined : `Its worker ended with code ${code}.`)));
    return { postMessage: (message) => worker.postMessage(message), terminate: () => void worker.terminate() };
  });
}
