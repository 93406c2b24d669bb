/** What the debugger needs of the world it runs in: handed in by a main, so that the debugger itself stays pure. */
export interface Host {
  /** Milliseconds of the host's clock, from any origin. For pacing alone: nothing that the guest sees depends on it. */
  now(): number;
  /** Lets the host's other work happen, messages included; resolves soon. */
  yield(): Promise<void>;
  /** The bytes of a file, by path or URI. Rejects with a DebuggerError: one sentence with the name and what is wrong. */
  readFile(path: string): Promise<Uint8Array>;
}

/**
 * The pipe between the worker, where machine, debugger and adapter are, and whoever started it (an editor's extension, the command line). It carries
 * DAP messages in both directions, as objects, and besides them only what follows, which is told apart by its member `exitpoint`.
 *
 * The worker posts a FileRequest for a file that it cannot read itself: under Node, a URI of another scheme than `file`; in a browser, any. The other
 * end posts a FileAnswer with the same id. A worker in a browser waits for Assets before anything else; one under Node finds them beside its bundle.
 * A worker ends by itself after it has answered `disconnect`; ending it from outside at any time loses nothing.
 */
export interface FileRequest {
  readonly exitpoint: 'read';
  readonly id: number;
  /** As in the launch configuration: a path or a URI. */
  readonly path: string;
}
export interface FileAnswer {
  readonly exitpoint: 'read';
  readonly id: number;
  /** The content, or `error`. */
  readonly bytes?: Uint8Array;
  /** One sentence that names the file and says what is wrong. */
  readonly error?: string;
}
/** The bytes of three files of dist/. */
export interface Assets {
  readonly exitpoint: 'assets';
  /** interpreter.wasm */
  readonly interpreter: Uint8Array;
  /** iced_x86_bg.wasm */
  readonly iced: Uint8Array;
  /** encoding-index.json */
  readonly encodings: Uint8Array;
}
