/** The view IPIs: every interprocessor interrupt, its targets, and what became of each. */
import * as vscode from 'vscode';
import { ViewRequest } from '../views/protocol.ts';
import { addFunctionBreakpoint } from './breakpoints.ts';
import { type IpiItem, ipisModel, type Mark } from './ipis-rows.ts';
import { openPlace } from './places.ts';
import { Refresher } from './refresher.ts';
import { ask, type Sessions } from './sessions.ts';

const MARKS: Readonly<Record<Mark, readonly [icon: string, color: string]>> = {
  reached: ['check', 'charts.green'],
  refused: ['close', 'charts.red'],
  none: ['dash', 'descriptionForeground'],
};

export class IpisView implements vscode.TreeDataProvider<IpiItem> {
  readonly #fired = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#fired.event;
  readonly #view: vscode.TreeView<IpiItem>;
  readonly #refresher = new Refresher(() => this.#refresh());
  readonly #disposables: vscode.Disposable[];
  #items: readonly IpiItem[] = [];
  #shown = '';

  constructor(private readonly sessions: Sessions) {
    const { commands } = vscode;
    this.#view = vscode.window.createTreeView<IpiItem>('exitpoint.ipis', { treeDataProvider: this, showCollapseAll: true });
    this.#disposables = [
      this.#view,
      this.#fired,
      this.#refresher,
      this.#view.onDidChangeVisibility(() => this.#refresher.request()),
      sessions.onDidChange(() => this.#refresher.request()),
      commands.registerCommand('exitpoint.showStore', (item: IpiItem) =>
        item.place === undefined ? undefined : openPlace(item.place, this.sessions.focused),
      ),
      commands.registerCommand('exitpoint.breakOnIpi', (item: IpiItem) => addFunctionBreakpoint(item.breakpoint)),
    ];
    this.#refresher.request();
  }

  getTreeItem(item: IpiItem): vscode.TreeItem {
    const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
    const state = item.children.length === 0 ? None : item.mark === 'refused' ? Expanded : Collapsed;
    const row = new vscode.TreeItem(item.label, state);
    const [icon, color] = MARKS[item.mark];
    row.id = item.id;
    row.description = item.description;
    row.tooltip = item.tooltip;
    row.contextValue = item.place === undefined ? item.context : `${item.context} placed`;
    row.accessibilityInformation = { label: item.spoken };
    row.iconPath = new vscode.ThemeIcon(icon, new vscode.ThemeColor(color));
    if (item.place !== undefined) row.command = { command: 'exitpoint.showStore', title: 'Go to Store', arguments: [item] };
    return row;
  }

  getChildren(item?: IpiItem): IpiItem[] {
    return [...(item?.children ?? (item === undefined ? this.#items : []))];
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
  }

  async #refresh(): Promise<void> {
    const session = this.sessions.focused;
    if (session !== undefined && !this.#view.visible) return;
    let model: ReturnType<typeof ipisModel>;
    try {
      model = session === undefined ? { items: [], description: '' } : ipisModel(await ask(session, ViewRequest.ipis));
    } catch {
      // Not launched yet, or gone meanwhile: what it was stays until it tells of itself.
      return;
    }
    const shown = JSON.stringify(model);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#items = model.items;
    this.#view.description = model.description;
    this.#fired.fire(undefined);
  }
}
