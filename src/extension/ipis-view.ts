/** The view IPIs: every interprocessor interrupt, its targets, and what became of each. */
import * as vscode from 'vscode';
import { ViewRequest } from '../views/protocol.ts';
import { addFunctionBreakpoint } from './breakpoints.ts';
import { type IpiItem, ipisModel, type Mark } from './ipis-rows.ts';
import { openPlace } from './places.ts';
import { SessionTree, type TreeModel } from './session-tree.ts';
import { ask, type Sessions } from './sessions.ts';

const MARKS: Readonly<Record<Mark, readonly [icon: string, color: string]>> = {
  reached: ['check', 'charts.green'],
  refused: ['close', 'charts.red'],
  none: ['dash', 'descriptionForeground'],
};

export class IpisView extends SessionTree<IpiItem> {
  constructor(sessions: Sessions) {
    super('exitpoint.ipis', sessions);
    const { commands } = vscode;
    this.own(
      commands.registerCommand('exitpoint.showStore', (item: IpiItem) =>
        item.place === undefined ? undefined : openPlace(item.place, this.sessions.focused),
      ),
      commands.registerCommand('exitpoint.breakOnIpi', (item: IpiItem) => addFunctionBreakpoint(item.breakpoint)),
    );
  }

  protected override async look(session: vscode.DebugSession | undefined): Promise<TreeModel<IpiItem>> {
    return session === undefined ? { items: [], description: '' } : ipisModel(await ask(session, ViewRequest.ipis));
  }
  protected override isOpen({ mark }: IpiItem): boolean {
    return mark === 'refused';
  }
  protected override dress(item: vscode.TreeItem, row: IpiItem): void {
    const [icon, color] = MARKS[row.mark];
    item.iconPath = new vscode.ThemeIcon(icon, new vscode.ThemeColor(color));
    if (row.place === undefined) return;
    item.contextValue = `${row.context} placed`;
    item.command = { command: 'exitpoint.showStore', title: 'Go to Store', arguments: [row] };
  }
}
