/** The debug sessions that are ours, and which of them the views are about: the focused one. */
import * as vscode from 'vscode';
import { DEBUG_TYPE, ViewEvent, type ViewRequests } from '../views/protocol.ts';

export class Sessions {
  readonly #all = new Map<string, vscode.DebugSession>();
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #disposables: vscode.Disposable[];
  #focused: vscode.DebugSession | undefined;

  /** What the views show may be another now: the focused session told so, or another has the focus. */
  readonly onDidChange = this.#changed.event;

  constructor() {
    const { debug } = vscode;
    this.#disposables = [
      this.#changed,
      debug.onDidStartDebugSession((session) => this.#add(session)),
      debug.onDidTerminateDebugSession((session) => this.#remove(session)),
      debug.onDidChangeActiveDebugSession((session) => this.#focus(session)),
      debug.onDidReceiveDebugSessionCustomEvent(({ session, event }) => {
        if (event === ViewEvent.changed && session.id === this.#focused?.id) this.#changed.fire();
      }),
    ];
    if (debug.activeDebugSession !== undefined) this.#focus(debug.activeDebugSession);
  }

  /** While a session of another debugger has the focus, it stays what it was. */
  get focused(): vscode.DebugSession | undefined {
    return this.#focused;
  }

  byId(id: string | undefined): vscode.DebugSession | undefined {
    return id === undefined ? undefined : this.#all.get(id);
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
  }

  #add(session: vscode.DebugSession): void {
    if (session.type !== DEBUG_TYPE) return;
    this.#all.set(session.id, session);
    if (this.#focused === undefined || vscode.debug.activeDebugSession?.id === session.id) this.#focus(session);
  }

  #remove(session: vscode.DebugSession): void {
    this.#all.delete(session.id);
    if (this.#focused?.id !== session.id) return;
    this.#focused = [...this.#all.values()].at(-1);
    this.#changed.fire();
  }

  #focus(session: vscode.DebugSession | undefined): void {
    if (session?.type !== DEBUG_TYPE) return;
    this.#all.set(session.id, session);
    if (this.#focused?.id === session.id) return;
    this.#focused = session;
    this.#changed.fire();
  }
}

/** Asks the adapter of a session. Rejects with an Error whose message is one sentence for the user. */
export function ask<Name extends keyof ViewRequests>(
  session: vscode.DebugSession,
  name: Name,
  ...[args]: ViewRequests[Name]['arguments'] extends undefined ? [] : [ViewRequests[Name]['arguments']]
): Thenable<ViewRequests[Name]['result']> {
  return session.customRequest(name, args) as Thenable<ViewRequests[Name]['result']>;
}
