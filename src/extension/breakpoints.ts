/** Breakpoints that our own commands add: function breakpoints, the one kind beside source breakpoints that an extension can add. */
import * as vscode from 'vscode';

/** Adds a breakpoint in the grammar of breakpoints (`lapic.icr_lo:w`), or enables the one that is there already. */
export function addFunctionBreakpoint(text: string): void {
  const same = vscode.debug.breakpoints.filter((it) => it instanceof vscode.FunctionBreakpoint && it.functionName === text);
  if (same.some(({ enabled }) => enabled)) {
    vscode.window.setStatusBarMessage(`There is a breakpoint ${text} already`, 4000);
    return;
  }
  // Whether a breakpoint is enabled cannot be changed from here; it can be replaced.
  vscode.debug.removeBreakpoints(same);
  vscode.debug.addBreakpoints([new vscode.FunctionBreakpoint(text, true)]);
  vscode.window.setStatusBarMessage(`Added breakpoint ${text}`, 4000);
}

/** What the Variables view hands to a command of its menu, as far as it is used. */
export interface VariableContext {
  readonly variable?: { readonly name?: string; readonly evaluateName?: string };
}

/** The breakpoint on a register of the Variables view; undefined when it has no name that could be watched. */
export function registerBreakpoint({ variable }: VariableContext, access: 'w' | 'rw'): string | undefined {
  const name = variable?.evaluateName;
  return name === undefined || name === '' ? undefined : `${name}:${access}`;
}
