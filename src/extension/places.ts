/** Places in the source that a click opens. */
import * as vscode from 'vscode';
import type { PlaceLink } from '../debugger/trees.ts';
import { uriOf } from './files.ts';

/** Opens the line in an editor. A file that is gone is said. */
export async function openPlace({ file, line }: PlaceLink, session: vscode.DebugSession | undefined): Promise<void> {
  const at = new vscode.Position(line - 1, 0);
  try {
    const uri = uriOf(file, session?.workspaceFolder?.uri);
    await vscode.window.showTextDocument(uri, { selection: new vscode.Range(at, at), preview: true });
  } catch {
    void vscode.window.showErrorMessage(`${file} cannot be opened.`);
  }
}
