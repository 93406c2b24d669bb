/** Commands of menus: start a program, step or run one vCPU, break on a register, say why it stopped. */
import * as vscode from 'vscode';
import { ViewRequest } from '../views/protocol.ts';
import { addFunctionBreakpoint, registerBreakpoint, type VariableContext } from './breakpoints.ts';
import { configurationFor } from './configuration.ts';
import { activeProgram, pickProgram, programOf } from './files.ts';
import { ask, type Sessions } from './sessions.ts';

interface ThreadRef {
  readonly session: vscode.DebugSession;
  readonly threadId: number;
}

/** What the Call Stack hands to a command of its menu: a thread's number or a source, then what it belongs to. */
interface CallStackContext {
  readonly sessionId?: string;
  /** Of the row: its last part is the thread's number. */
  readonly threadId?: string | number;
}

/** The thread that a command of the Call Stack's menu is for; without such, the focused one. */
export function threadOf(args: readonly unknown[], sessions: Sessions): ThreadRef | undefined {
  const context = args.find((arg): arg is CallStackContext => typeof arg === 'object' && arg !== null && 'threadId' in arg);
  const number = /(\d+)$/.exec(String(context?.threadId ?? ''));
  const session = sessions.byId(context?.sessionId);
  if (number !== null && session !== undefined) return { session, threadId: Number(number[1]) };
  const item = vscode.debug.activeStackItem;
  return item !== undefined && item.session.id === sessions.focused?.id ? { session: item.session, threadId: item.threadId } : undefined;
}

/** Runs what may be refused, and shows why. */
async function tell(work: () => Thenable<unknown> | undefined): Promise<void> {
  try {
    await work();
  } catch (error) {
    void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
  }
}

export function registerCommands(sessions: Sessions): vscode.Disposable[] {
  const start = (noDebug: boolean) => async (resource?: unknown) => {
    const uri = resource instanceof vscode.Uri ? resource : (activeProgram() ?? (await pickProgram()));
    if (uri === undefined) return false;
    const configuration = configurationFor(uri);
    return vscode.debug.startDebugging(vscode.workspace.getWorkspaceFolder(uri), configuration, { noDebug });
  };
  const alone =
    (work: (thread: ThreadRef) => Thenable<unknown>) =>
    (...args: unknown[]) =>
      tell(() => {
        const thread = threadOf(args, sessions);
        if (thread === undefined) throw new Error('Choose a vCPU in the Call Stack first.');
        return work(thread);
      });
  const step = (granularity: 'line' | 'instruction') =>
    alone(({ session, threadId }) => ask(session, ViewRequest.step, { threadId, kind: 'in', granularity, alone: true }));
  const breakOn = (access: 'w' | 'rw') => (context: VariableContext) => {
    const text = registerBreakpoint(context ?? {}, access);
    if (text !== undefined) addFunctionBreakpoint(text);
  };
  const { registerCommand } = vscode.commands;
  return [
    registerCommand('exitpoint.debugFile', start(false)),
    registerCommand('exitpoint.runFile', start(true)),
    registerCommand('exitpoint.pickProgram', async () => {
      const uri = await pickProgram();
      return uri === undefined ? undefined : programOf(uri);
    }),
    registerCommand('exitpoint.stepInstructionAlone', step('instruction')),
    registerCommand('exitpoint.stepLineAlone', step('line')),
    registerCommand(
      'exitpoint.continueAlone',
      alone(({ session, threadId }) => ask(session, ViewRequest.continueAlone, { threadId })),
    ),
    registerCommand('exitpoint.breakOnWrite', breakOn('w')),
    registerCommand('exitpoint.breakOnAccess', breakOn('rw')),
    registerCommand('exitpoint.showWhy', () => tell(() => showWhy(sessions.focused))),
  ];
}

/** Writes why the machine stands still into the Debug Console: what `.why` says there. */
async function showWhy(session: vscode.DebugSession | undefined): Promise<void> {
  if (session === undefined) throw new Error('No machine is being debugged.');
  const { result } = (await session.customRequest('evaluate', { expression: '.why', context: 'repl' })) as { readonly result: string };
  vscode.debug.activeDebugConsole.appendLine(result);
  await vscode.commands.executeCommand('workbench.panel.repl.view.focus');
}
