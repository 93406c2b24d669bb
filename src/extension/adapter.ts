/** A debug adapter whose machine lives in a worker: DAP messages go through, files are read for it, and its end is the session's end. */
import * as vscode from 'vscode';
import type { FileAnswer, FileRequest } from '../debugger/host.ts';
import { readFile, uriOf } from './files.ts';
import type { StartWorker, WorkerHandle } from './worker.ts';

/** As much of a DAP message as the pipe has to know. */
interface DapMessage {
  readonly seq: number;
  readonly type: 'request' | 'response' | 'event';
  readonly command?: string;
  readonly request_seq?: number;
  readonly event?: string;
}

const isFileRequest = (message: unknown): message is FileRequest =>
  typeof message === 'object' && message !== null && (message as Partial<FileRequest>).exitpoint === 'read';

const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class WorkerAdapter implements vscode.DebugAdapter {
  readonly #sent = new vscode.EventEmitter<vscode.DebugProtocolMessage>();
  readonly onDidSendMessage = this.#sent.event;
  /** Requests without an answer, by their number: the command. */
  readonly #open = new Map<number, string>();
  readonly #worker: Promise<WorkerHandle>;
  #seq = 0;
  #ended = false;
  #disconnected = false;

  /**
   * @param folder that relative paths belong to
   * @param onDispose is called when the editor lets go of it
   */
  constructor(
    start: StartWorker,
    private readonly folder: vscode.Uri | undefined,
    private readonly onDispose: () => void,
  ) {
    this.#worker = start({ onMessage: (message) => this.#receive(message), onEnd: (why) => this.#end(why) });
    this.#worker.catch((error: unknown) => this.#fail(`It could not be started: ${sentenceOf(error)}`));
  }

  handleMessage(message: vscode.DebugProtocolMessage): void {
    const { type, seq, command } = message as DapMessage;
    if (this.#ended) {
      if (type === 'request') this.#refuse(seq, command ?? '', 'The session has ended.');
      return;
    }
    if (type === 'request') this.#open.set(seq, command ?? '');
    this.#post(message);
  }

  /** Ends the worker, whatever it is doing. */
  dispose(): void {
    this.#ended = true;
    this.#worker.then(
      (worker) => worker.terminate(),
      () => {},
    );
    this.#sent.dispose();
    this.onDispose();
  }

  #post(message: unknown): void {
    this.#worker.then(
      (worker) => {
        if (!this.#ended) worker.postMessage(message);
      },
      () => {},
    );
  }

  #receive(message: unknown): void {
    if (this.#ended) return;
    if (isFileRequest(message)) {
      void this.#read(message);
      return;
    }
    const dap = message as DapMessage;
    this.#seq = Math.max(this.#seq, dap.seq);
    if (dap.type === 'response' && dap.request_seq !== undefined) this.#open.delete(dap.request_seq);
    if (dap.type === 'response' && dap.command === 'disconnect') this.#disconnected = true;
    this.#sent.fire(dap);
  }

  async #read({ id, path }: FileRequest): Promise<void> {
    let answer: FileAnswer;
    try {
      answer = { exitpoint: 'read', id, bytes: await readFile(uriOf(path, this.folder)) };
    } catch (error) {
      answer = { exitpoint: 'read', id, error: sentenceOf(error) };
    }
    this.#post(answer);
  }

  /** A worker that ends while nothing is open has done what it was asked for: it has answered `disconnect`. */
  #end(why: string | undefined): void {
    if (why !== undefined || this.#open.size > 0 || !this.#disconnected) this.#fail(why ?? 'Its worker ended.');
  }

  /** The worker is gone: every open request gets an answer, and the session ends. */
  #fail(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    const sentence = `Exitpoint's machine has failed, and the session has ended. ${why}`;
    const launching = [...this.#open.values()].some((command) => command === 'initialize' || command === 'launch');
    for (const [seq, command] of this.#open) this.#refuse(seq, command, sentence);
    this.#open.clear();
    this.#event('output', { category: 'important', output: `${sentence}\n` });
    this.#event('terminated', {});
    // The editor itself shows why a launch failed.
    if (!launching) void vscode.window.showErrorMessage(sentence);
    this.#worker.then(
      (worker) => worker.terminate(),
      () => {},
    );
  }

  #refuse(requestSeq: number, command: string, why: string): void {
    this.#sent.fire({
      seq: ++this.#seq,
      type: 'response',
      request_seq: requestSeq,
      command,
      success: false,
      message: why,
      body: { error: { id: 1, format: why, showUser: true } },
    } as vscode.DebugProtocolMessage);
  }

  #event(event: string, body: object): void {
    this.#sent.fire({ seq: ++this.#seq, type: 'event', event, body } as vscode.DebugProtocolMessage);
  }
}
