/** A native tree of what the focused session answers to one request: asked again when something may have changed, drawn again only when something has. */
import * as vscode from 'vscode';
import { Refresher } from './refresher.ts';
import type { Sessions } from './sessions.ts';

export interface TreeRow {
  /** Stable, so that what is expanded stays so. */
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly tooltip: string;
  readonly context: string;
  /** For screen readers. */
  readonly spoken: string;
  readonly children: readonly TreeRow[];
}

export interface TreeModel<Row> {
  readonly items: readonly Row[];
  /** Beside the view's title. */
  readonly description: string;
}

export abstract class SessionTree<Row extends TreeRow & { readonly children: readonly Row[] }> implements vscode.TreeDataProvider<Row> {
  protected readonly view: vscode.TreeView<Row>;
  protected items: readonly Row[] = [];
  private readonly fired = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.fired.event;
  private readonly refresher = new Refresher(() => this.refresh());
  private readonly disposables: vscode.Disposable[];
  private shown = '';

  constructor(
    id: string,
    protected readonly sessions: Sessions,
    options: Partial<vscode.TreeViewOptions<Row>> = {},
  ) {
    this.view = vscode.window.createTreeView<Row>(id, { treeDataProvider: this, showCollapseAll: true, ...options });
    this.disposables = [
      this.view,
      this.fired,
      this.refresher,
      this.view.onDidChangeVisibility(() => this.refresher.request()),
      sessions.onDidChange(() => this.refresher.request()),
    ];
    this.refresher.request();
  }

  /** Asks the session; undefined: there is none, and nothing to show. May reject. */
  protected abstract look(session: vscode.DebugSession | undefined): Promise<TreeModel<Row>>;
  /** Whether a row with children begins open, and what only this tree's rows have. */
  protected abstract isOpen(row: Row): boolean;
  protected abstract dress(item: vscode.TreeItem, row: Row): void;

  protected own(...disposables: vscode.Disposable[]): void {
    this.disposables.push(...disposables);
  }

  getTreeItem(row: Row): vscode.TreeItem {
    const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
    const item = new vscode.TreeItem(row.label, row.children.length === 0 ? None : this.isOpen(row) ? Expanded : Collapsed);
    item.id = row.id;
    item.description = row.description;
    item.tooltip = row.tooltip;
    item.contextValue = row.context;
    item.accessibilityInformation = { label: row.spoken };
    this.dress(item, row);
    return item;
  }

  getChildren(row?: Row): Row[] {
    return [...(row?.children ?? (row === undefined ? this.items : []))];
  }

  dispose(): void {
    for (const disposable of this.disposables) disposable.dispose();
  }

  /** Asks again, soon. `anyway`: and draws it again though nothing has changed. */
  protected askAgain(anyway = false): void {
    if (anyway) this.shown = '';
    this.refresher.request();
  }

  protected show(model: TreeModel<Row>): void {
    const shown = JSON.stringify(model);
    if (shown === this.shown) return;
    this.shown = shown;
    this.items = model.items;
    this.view.description = model.description;
    this.fired.fire(undefined);
  }

  private async refresh(): Promise<void> {
    const session = this.sessions.focused;
    if (session !== undefined && !this.view.visible) return;
    try {
      this.show(await this.look(session));
    } catch {
      // Not launched yet, or gone meanwhile: what it was stays until it tells of itself.
    }
  }
}
