/** The guest's consoles in terminals: one for each console of each session, opened when it says something. */
import * as vscode from 'vscode';
import { type ConsoleBody, DEBUG_TYPE, ViewEvent } from '../views/protocol.ts';
import { bytesOf, ConsoleText } from './console-text.ts';
import { baseName } from './files.ts';

const NAMES: Readonly<Record<string, string>> = { serial: 'Serial', debugcon: 'Debug console port' };

/** Dim, so that it is not taken for the guest's. */
const note = (text: string): string => `\x1b[0m\r\n\x1b[2m${text}\x1b[0m\r\n`;
/** Clears the terminal with all that scrolled out. */
const CLEAR = '\x1b[0m\x1b[2J\x1b[3J\x1b[H';

/** A terminal that shows what one console says. */
class ConsoleTerminal {
  readonly #write = new vscode.EventEmitter<string>();
  readonly #terminal: vscode.Terminal;
  #text = new ConsoleText();
  /** What came before the terminal was ready; undefined from then on. */
  #early: string | undefined = '';
  #closed = false;
  /** Which session writes to it: undefined when that has ended. */
  sessionId: string | undefined;

  constructor(
    readonly name: string,
    sessionId: string,
  ) {
    this.sessionId = sessionId;
    this.#terminal = vscode.window.createTerminal({
      name,
      iconPath: new vscode.ThemeIcon('circuit-board'),
      isTransient: true,
      pty: {
        onDidWrite: this.#write.event,
        open: () => {
          const early = this.#early ?? '';
          this.#early = undefined;
          if (early !== '') this.#write.fire(early);
        },
        close: () => (this.#closed = true),
      },
    });
    this.#terminal.show(true);
  }

  /** Closed by the user? Then it stays away until the next session. */
  get closed(): boolean {
    return this.#closed;
  }

  bytes(bytes: Uint8Array): void {
    this.#put(this.#text.push(bytes));
  }

  /** Another session, or the same from its beginning, takes over. */
  begin(sessionId: string): void {
    this.sessionId = sessionId;
    this.#text = new ConsoleText();
    this.#put(CLEAR);
    this.#terminal.show(true);
  }

  end(): void {
    this.#put(this.#text.end() + note('The session has ended.'));
    this.sessionId = undefined;
  }

  dispose(): void {
    this.#terminal.dispose();
    this.#write.dispose();
  }

  #put(text: string): void {
    if (this.#closed || text === '') return;
    if (this.#early === undefined) this.#write.fire(text);
    else this.#early += text;
  }
}

export class SerialTerminals {
  readonly #terminals: ConsoleTerminal[] = [];
  readonly #disposables: vscode.Disposable[];

  constructor() {
    const { debug } = vscode;
    this.#disposables = [
      debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
        if (session.type === DEBUG_TYPE && event === ViewEvent.console) this.#said(session, body as ConsoleBody);
      }),
      debug.onDidTerminateDebugSession(({ id }) => {
        for (const terminal of this.#terminals) if (terminal.sessionId === id) terminal.end();
      }),
      debug.registerDebugAdapterTrackerFactory(DEBUG_TYPE, {
        createDebugAdapterTracker: ({ id }) => ({
          onWillReceiveMessage: ({ command }: { readonly command?: string }) => {
            if (command !== 'restart') return;
            for (const terminal of this.#terminals) if (terminal.sessionId === id && !terminal.closed) terminal.begin(id);
          },
        }),
      }),
    ];
  }

  dispose(): void {
    for (const disposable of [...this.#disposables, ...this.#terminals]) disposable.dispose();
  }

  #said(session: vscode.DebugSession, { stream, base64 }: ConsoleBody): void {
    const name = `${NAMES[stream] ?? stream}: ${baseName(String(session.configuration['program'] ?? session.name))}`;
    this.#terminalFor(name, session.id).bytes(bytesOf(base64));
  }

  /** That of the session; else one of the same name that an earlier session has left; else a new one. */
  #terminalFor(name: string, sessionId: string): ConsoleTerminal {
    const own = this.#terminals.find((it) => it.name === name && it.sessionId === sessionId);
    if (own !== undefined) return own;
    const left = this.#terminals.find((it) => it.name === name && it.sessionId === undefined && !it.closed);
    if (left !== undefined) {
      left.begin(sessionId);
      return left;
    }
    const made = new ConsoleTerminal(name, sessionId);
    this.#terminals.push(made);
    return made;
  }
}
