/** Everything that the extension is to the editor; what differs between its hosts is how a worker is started. */
import * as vscode from 'vscode';
import { DEBUG_TYPE } from '../views/protocol.ts';
import { WorkerAdapter } from './adapter.ts';
import { ExitChoices } from './choices.ts';
import { registerCommands } from './commands.ts';
import { ConfigurationProvider } from './configuration.ts';
import { showDiagnostics } from './diagnostics.ts';
import { ExitsView } from './exits-view.ts';
import { IpisView } from './ipis-view.ts';
import { SerialTerminals } from './serial.ts';
import { Sessions } from './sessions.ts';
import type { StartWorker } from './worker.ts';

/** Registers everything. Starts nothing: a worker belongs to a session. */
export function start(context: vscode.ExtensionContext, startWorker: StartWorker): void {
  const { debug } = vscode;
  const choices = new ExitChoices(context.workspaceState);
  const sessions = new Sessions();
  const provider = new ConfigurationProvider(choices);
  const adapters = new Set<WorkerAdapter>();
  context.subscriptions.push(
    sessions,
    new ExitsView(sessions, choices),
    new IpisView(sessions),
    new SerialTerminals(),
    showDiagnostics(),
    debug.registerDebugConfigurationProvider(DEBUG_TYPE, provider),
    debug.registerDebugConfigurationProvider(DEBUG_TYPE, provider, vscode.DebugConfigurationProviderTriggerKind.Dynamic),
    debug.registerDebugAdapterDescriptorFactory(DEBUG_TYPE, {
      createDebugAdapterDescriptor: ({ workspaceFolder }) => {
        const adapter = new WorkerAdapter(startWorker, workspaceFolder?.uri, () => adapters.delete(adapter));
        adapters.add(adapter);
        return new vscode.DebugAdapterInlineImplementation(adapter);
      },
    }),
    // Of a session that the editor has not ended when the extension is.
    { dispose: () => adapters.forEach((adapter) => adapter.dispose()) },
    ...registerCommands(sessions),
  );
}
