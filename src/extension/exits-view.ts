/** The view VM Exits: groups and codes with counts; a box stops the machine at each, a diamond logs each. */
import * as vscode from 'vscode';
import type { ExitAction } from '../debugger/breakpoints.ts';
import { ViewRequest } from '../views/protocol.ts';
import type { ExitChoices } from './choices.ts';
import { type ExitItem, exitsModel, withAction } from './exits-rows.ts';
import { openPlace } from './places.ts';
import { Refresher } from './refresher.ts';
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

export class ExitsView implements vscode.TreeDataProvider<ExitItem> {
  readonly #fired = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#fired.event;
  readonly #view: vscode.TreeView<ExitItem>;
  readonly #refresher = new Refresher(() => this.#refresh());
  readonly #disposables: vscode.Disposable[];
  #tree: ExitsTree | undefined;
  #items: readonly ExitItem[] = [];
  #shown = '';
  #idleShown = false;

  constructor(
    private readonly sessions: Sessions,
    private readonly choices: ExitChoices,
  ) {
    const { commands } = vscode;
    this.#view = vscode.window.createTreeView<ExitItem>('exitpoint.exits', {
      treeDataProvider: this,
      // A group's box and those of its codes are one state, which the debugger has.
      manageCheckboxStateManually: true,
      showCollapseAll: true,
    });
    const idle = (shown: boolean) => async (): Promise<void> => {
      this.#idleShown = shown;
      await commands.executeCommand('setContext', IDLE_SHOWN, shown);
      this.#show();
    };
    const logging = (log: boolean) => (item: ExitItem) => this.#choose([item], { log });
    this.#disposables = [
      this.#view,
      this.#fired,
      this.#refresher,
      this.#view.onDidChangeVisibility(() => this.#refresher.request()),
      this.#view.onDidChangeCheckboxState(async ({ items }) => {
        for (const [item, state] of items) await this.#choose([item], { break: (state as number) === Checked });
      }),
      sessions.onDidChange(() => this.#refresher.request()),
      commands.registerCommand('exitpoint.showIdleCodes', idle(true)),
      commands.registerCommand('exitpoint.hideIdleCodes', idle(false)),
      commands.registerCommand('exitpoint.logExits', logging(true)),
      commands.registerCommand('exitpoint.stopLoggingExits', logging(false)),
      commands.registerCommand('exitpoint.clearExits', () => this.#choose(this.#items, { break: false, log: false })),
      commands.registerCommand('exitpoint.showLastExit', (item: ExitItem) => {
        const [code] = item.codes;
        return code?.place === undefined ? undefined : openPlace(code.place, this.sessions.focused);
      }),
      commands.registerCommand('exitpoint.copyExitBreakpoint', async (item: ExitItem) => {
        await vscode.env.clipboard.writeText(item.breakpoint);
        vscode.window.setStatusBarMessage(`Copied ${item.breakpoint}: it can be pasted as a function breakpoint`, 4000);
      }),
    ];
    this.#refresher.request();
  }

  getTreeItem(item: ExitItem): vscode.TreeItem {
    const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
    const row = new vscode.TreeItem(item.label, item.children.length === 0 ? None : item.open === true ? Expanded : Collapsed);
    row.id = item.id;
    row.description = item.description;
    row.tooltip = item.tooltip;
    row.contextValue = item.context;
    row.accessibilityInformation = { label: item.spoken };
    row.checkboxState = {
      state: item.breaks ? Checked : Unchecked,
      tooltip: item.breaks ? 'Stops at each' : 'Stop at each',
      accessibilityInformation: { label: `stop at each ${item.label}`, role: 'checkbox' },
    };
    const icon = item.group === undefined ? undefined : GROUP_ICONS[item.group];
    if (icon !== undefined) row.iconPath = new vscode.ThemeIcon(icon[0], new vscode.ThemeColor(icon[1]));
    return row;
  }

  getChildren(item?: ExitItem): ExitItem[] {
    return [...(item?.children ?? (item === undefined ? this.#items : []))];
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
  }

  async #refresh(): Promise<void> {
    const session = this.sessions.focused;
    if (session !== undefined && !this.#view.visible) return;
    try {
      this.#tree = session === undefined ? undefined : await ask(session, ViewRequest.exits);
    } catch {
      // Not launched yet, or gone meanwhile: what it was stays until it tells of itself.
      return;
    }
    this.#show();
  }

  #show(): void {
    const model = this.#tree === undefined ? { items: [], description: '' } : exitsModel(this.#tree, this.#idleShown);
    const shown = JSON.stringify(model);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#items = model.items;
    this.#view.description = model.description;
    this.#fired.fire(undefined);
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
    this.#shown = '';
    this.#refresher.request();
  }
}
