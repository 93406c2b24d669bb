/** What the assembler says of a program, at its lines: until the next launch of that program says something else. */
import * as vscode from 'vscode';
import { DEBUG_TYPE, type DiagnosticsBody, ViewEvent } from '../views/protocol.ts';
import { uriOf } from './files.ts';

type Diagnostic = DiagnosticsBody['diagnostics'][number];

function shown({ severity, line, column, length, message }: Diagnostic): vscode.Diagnostic {
  const range = new vscode.Range(line - 1, column - 1, line - 1, column - 1 + length);
  const level = severity === 'error' ? vscode.DiagnosticSeverity.Error : vscode.DiagnosticSeverity.Warning;
  const diagnostic = new vscode.Diagnostic(range, message, level);
  diagnostic.source = 'Exitpoint';
  return diagnostic;
}

/** Keeps the squiggles in step with the launches. */
export function showDiagnostics(): vscode.Disposable {
  const collection = vscode.languages.createDiagnosticCollection(DEBUG_TYPE);
  const listener = vscode.debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
    if (session.type !== DEBUG_TYPE || event !== ViewEvent.diagnostics) return;
    const { file, diagnostics } = body as DiagnosticsBody;
    collection.set(uriOf(file, session.workspaceFolder?.uri), diagnostics.map(shown));
  });
  return vscode.Disposable.from(collection, listener);
}
