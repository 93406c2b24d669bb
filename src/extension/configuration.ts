/** From what the user has in launch.json, or from nothing at all, to a configuration that the adapter understands. */
import * as vscode from 'vscode';
import { DEBUG_TYPE } from '../views/protocol.ts';
import { type ExitChoices, withChoices } from './choices.ts';
import { activeFile, activeProgram, baseName, findPrograms, pickProgram, programOf, uriOf, whyNoProgram } from './files.ts';

/** How many programs of a workspace are offered where configurations are listed. */
const MOST_OFFERED = 20;

/** A configuration for one program, as F5 without launch.json has it. */
export function configurationFor(uri: vscode.Uri): vscode.DebugConfiguration {
  return { type: DEBUG_TYPE, request: 'launch', name: baseName(uri.path), program: programOf(uri) };
}

/** The same as it can be written into launch.json: relative to its folder. */
function portableConfiguration(uri: vscode.Uri): vscode.DebugConfiguration {
  const folder = vscode.workspace.getWorkspaceFolder(uri);
  if (folder === undefined || !uri.path.startsWith(folder.uri.path)) return configurationFor(uri);
  const several = (vscode.workspace.workspaceFolders?.length ?? 0) > 1;
  const inside = uri.path.slice(folder.uri.path.length).replace(/^\/?/, '/');
  return { ...configurationFor(uri), program: `\${workspaceFolder${several ? `:${folder.name}` : ''}}${inside}` };
}

export class ConfigurationProvider implements vscode.DebugConfigurationProvider {
  /** What was started last. */
  #last: vscode.Uri | undefined;

  constructor(private readonly choices: ExitChoices) {}

  async provideDebugConfigurations(): Promise<vscode.DebugConfiguration[]> {
    const active = activeProgram();
    const found = await findPrograms(MOST_OFFERED);
    const others = found.filter((uri) => uri.toString() !== active?.toString());
    return [...(active === undefined ? [] : [active]), ...others].map(portableConfiguration);
  }

  /** undefined: the user gave up. */
  async resolveDebugConfiguration(
    _folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | undefined> {
    // Without launch.json the editor gives an empty object.
    const { type, request, name, program } = configuration as Partial<vscode.DebugConfiguration>;
    if (program !== undefined && program !== '') return configuration;
    const uri = activeProgram() ?? this.#ofListing() ?? (await chooseInstead());
    if (uri === undefined) return undefined;
    const made = configurationFor(uri);
    if (type === undefined && request === undefined && name === undefined) return { ...configuration, ...made };
    return { ...configuration, program: made['program'] };
  }

  /** @returns undefined when there is no such program and no other is chosen: the editor then starts nothing */
  async resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | undefined> {
    let uri: vscode.Uri | undefined;
    let why: string | undefined;
    try {
      // Without a folder of its own, a configuration's paths are those of the first.
      uri = uriOf(String(configuration['program']), folder?.uri ?? vscode.workspace.workspaceFolders?.[0]?.uri);
      why = await whyNoProgram(uri);
    } catch {
      why = `"${configuration['program']}" is neither a path nor a URI; write for example \${workspaceFolder}/boot.asm.`;
    }
    if (why !== undefined) uri = await chooseProgram(why);
    if (uri === undefined) return undefined;
    this.#last = uri;
    const exits = withChoices(configuration['exits'], this.choices.all);
    return { ...configuration, program: programOf(uri), ...(exits === undefined ? {} : { exits }) };
  }

  /** In the listing of a session that has ended, F5 means the program once more. */
  #ofListing(): vscode.Uri | undefined {
    return activeFile()?.scheme === 'debug' ? this.#last : undefined;
  }
}

function chooseInstead(): Promise<vscode.Uri | undefined> {
  const active = activeFile();
  const what = active === undefined ? 'No program is open.' : `${baseName(active.path)} is no program.`;
  return chooseProgram(`${what} Exitpoint runs ROMs (.rom, .bin, .fd) and assembly source (.asm).`);
}

/** Says what is wrong and offers to choose another program. Modal, because the editor waits for the answer. */
async function chooseProgram(why: string): Promise<vscode.Uri | undefined> {
  const choose = 'Choose a Program…';
  const answer = await vscode.window.showErrorMessage(why, { modal: true }, choose);
  return answer === choose ? pickProgram() : undefined;
}
