/** The view VM Exits: groups and codes with counts; a box stops the machine at each, a diamond logs each. */
import * as vscode from 'vscode';
import type { ExitAction } from '../debugger/breakpoints.ts';
import { ViewRequest } from '../views/protocol.ts';
import type { ExitChoices } from './choices.ts';
import { type ExitItem, exitsModel, withAction } from './exits-rows.ts';
import { openPlace } from './places.ts';
import { SessionTree, type TreeModel } from './session-tree.ts';
import { ask, type Sessions } from './sessions.ts';
import type { ExitsTree } from '../debugger/trees.ts';

const IDLE_SHOWN = 'exitpoint.idleCodesShown';

/** Shape and colour by group: as in every picture of exits. */
const GROUP_ICONS: Readonly<Record<string, readonly [icon: string, color: string]>> = {
  mmio: ['primitive-square', 'charts.blue'],
  pio: ['triangle-up', 'charts.purple'],
  idle: ['triangle-down', 'charts.yellow'],
  msr: ['circle-filled', 'charts.orange'],
  state: ['circle-outline', 'descriptionForeground'],
  fatal: ['debug-breakpoint-log', 'charts.red'],
};

const { Checked, Unchecked } = { Checked: 1, Unchecked: 0 } as const;

export class ExitsView extends SessionTree<ExitItem> {
  #tree: ExitsTree | undefined;
  #idleShown = false;

  constructor(
    sessions: Sessions,
    private readonly choices: ExitChoices,
  ) {
    // A group's box and those of its codes are one state, which the debugger has.
    super('exitpoint.exits', sessions, { manageCheckboxStateManually: true });
    const { commands } = vscode;
    const idle = (shown: boolean) => async (): Promise<void> => {
      this.#idleShown = shown;
      await commands.executeCommand('setContext', IDLE_SHOWN, shown);
      this.show(this.#model());
    };
    const logging = (log: boolean) => (item: ExitItem) => this.#choose([item], { log });
    this.own(
      this.view.onDidChangeCheckboxState(async ({ items }) => {
        for (const [item, state] of items) await this.#choose([item], { break: (state as number) === Checked });
      }),
      commands.registerCommand('exitpoint.showIdleCodes', idle(true)),
      commands.registerCommand('exitpoint.hideIdleCodes', idle(false)),
      commands.registerCommand('exitpoint.logExits', logging(true)),
      commands.registerCommand('exitpoint.stopLoggingExits', logging(false)),
      commands.registerCommand('exitpoint.clearExits', () => this.#choose(this.items, { break: false, log: false })),
      commands.registerCommand('exitpoint.showLastExit', (item: ExitItem) => {
        const [code] = item.codes;
        return code?.place === undefined ? undefined : openPlace(code.place, this.sessions.focused);
      }),
      commands.registerCommand('exitpoint.copyExitBreakpoint', async (item: ExitItem) => {
        await vscode.env.clipboard.writeText(item.breakpoint);
        vscode.window.setStatusBarMessage(`Copied ${item.breakpoint}: it can be pasted as a function breakpoint`, 4000);
      }),
    );
  }

  protected override async look(session: vscode.DebugSession | undefined): Promise<TreeModel<ExitItem>> {
    this.#tree = session === undefined ? undefined : await ask(session, ViewRequest.exits);
    return this.#model();
  }
  protected override isOpen({ open }: ExitItem): boolean {
    return open === true;
  }
  protected override dress(item: vscode.TreeItem, row: ExitItem): void {
    item.checkboxState = {
      state: row.breaks ? Checked : Unchecked,
      tooltip: row.breaks ? 'Stops at each' : 'Stop at each',
      accessibilityInformation: { label: `stop at each ${row.label}`, role: 'checkbox' },
    };
    const icon = row.group === undefined ? undefined : GROUP_ICONS[row.group];
    if (icon !== undefined) item.iconPath = new vscode.ThemeIcon(icon[0], new vscode.ThemeColor(icon[1]));
  }

  #model(): TreeModel<ExitItem> {
    return this.#tree === undefined ? { items: [], description: '' } : exitsModel(this.#tree, this.#idleShown);
  }

  async #choose(items: readonly ExitItem[], change: { readonly break?: boolean; readonly log?: boolean }): Promise<void> {
    const session = this.sessions.focused;
    const chosen: Record<string, ExitAction> = {};
    try {
      for (const { code, action } of items.flatMap(({ codes }) => codes)) {
        const wanted = withAction(action, change);
        if (wanted === action) continue;
        if (session !== undefined) await ask(session, ViewRequest.setExit, { code, action: wanted });
        chosen[code] = wanted;
      }
    } catch (error) {
      void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
    }
    if (Object.keys(chosen).length > 0) await this.choices.set(chosen);
    // A box that was clicked in vain has to go back to what is.
    this.askAgain(true);
  }
}
