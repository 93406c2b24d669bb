/** What the user has chosen in VM Exits, kept for the next session of this workspace. */
import type * as vscode from 'vscode';
import type { ExitAction } from '../debugger/breakpoints.ts';

const KEY = 'exits';

interface Exits {
  readonly break?: readonly string[];
  readonly log?: readonly string[];
}

export class ExitChoices {
  constructor(private readonly memento: vscode.Memento) {}

  /** By exit code; what was never chosen is absent. */
  get all(): Readonly<Record<string, ExitAction>> {
    return this.memento.get<Record<string, ExitAction>>(KEY, {});
  }

  async set(actions: Readonly<Record<string, ExitAction>>): Promise<void> {
    await this.memento.update(KEY, { ...this.all, ...actions });
  }
}

/** `exits` of a configuration with the choices: each list that the configuration has itself stays as it is. undefined when there is nothing to say. */
export function withChoices(exits: Exits | undefined, choices: Readonly<Record<string, ExitAction>>): Exits | undefined {
  const chosen = (wanted: ExitAction): string[] =>
    Object.entries(choices)
      .filter(([, action]) => action === wanted || action === 'both')
      .map(([code]) => code);
  // What is no object with lists is left to the adapter, which says what is wrong with it.
  if (exits !== undefined && (typeof exits !== 'object' || exits === null)) return exits;
  const stop = exits?.break ?? chosen('break');
  const log = exits?.log ?? chosen('log');
  const said = exits?.break !== undefined || exits?.log !== undefined;
  return !said && stop.length === 0 && log.length === 0 ? exits : { ...exits, break: stop, log };
}
