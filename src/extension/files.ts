/** Which files are programs, how they are named to the adapter, and how what it asks for is read. */
import * as vscode from 'vscode';

const PROGRAM = /\.(asm|rom|bin|fd)$/i;
/** For dialogs. */
export const PROGRAM_EXTENSIONS = ['asm', 'rom', 'bin', 'fd'] as const;

export const isProgram = (uri: vscode.Uri): boolean => PROGRAM.test(uri.path);

/** A scheme has two letters or more: `c:\` is a drive. */
const isUriText = (text: string): boolean => /^[a-z][a-z0-9+.-]+:/i.test(text);
const isAbsolute = (path: string): boolean => /^([/\\]|[a-z]:[/\\])/i.test(path);

/** As the adapter and the editor name a file to each other: a path, or a URI where files have no paths. */
export const programOf = (uri: vscode.Uri): string => (uri.scheme === 'file' ? uri.fsPath : uri.toString());

/** The file that a path or URI names; a path is one of `folder`'s file system, and relative to it. */
export function uriOf(program: string, folder: vscode.Uri | undefined): vscode.Uri {
  if (isUriText(program)) return vscode.Uri.parse(program, true);
  if (folder === undefined) return vscode.Uri.file(program);
  if (!isAbsolute(program)) return vscode.Uri.joinPath(folder, program.replaceAll('\\', '/'));
  return folder.scheme === 'file' ? vscode.Uri.file(program) : folder.with({ path: program.replaceAll('\\', '/') });
}

/** A file's last name: of a path or of a URI. */
export const baseName = (file: string): string => {
  const name = file.slice(file.search(/[^/\\]*$/));
  if (!isUriText(file)) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
};

/** What the user looks at, if it is a file: in a text editor, a hex editor or another custom editor, or in one that cannot show it. */
export function activeFile(): vscode.Uri | undefined {
  const input: unknown = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  const uri = (input as { readonly uri?: unknown } | undefined)?.uri;
  if (uri instanceof vscode.Uri) return uri;
  // A comparison, for one, has two files: the one with the cursor is meant.
  return vscode.window.activeTextEditor?.document.uri;
}

/** Is it in a file system? A listing of a session and a text that was never saved are in none. */
const isStored = ({ scheme }: vscode.Uri): boolean => scheme === 'file' || vscode.workspace.fs.isWritableFileSystem(scheme) !== undefined;

/** The program that F5 means when nothing says so. */
export function activeProgram(): vscode.Uri | undefined {
  const active = activeFile();
  return active !== undefined && isProgram(active) && isStored(active) ? active : undefined;
}

/** Rejects with an Error whose message is one sentence for the user. */
export async function readFile(uri: vscode.Uri): Promise<Uint8Array> {
  try {
    return await vscode.workspace.fs.readFile(uri);
  } catch (error) {
    throw new Error(unreadable(uri, error));
  }
}

/** Why a file cannot be read, in a sentence. */
function unreadable(uri: vscode.Uri, error: unknown): string {
  const name = programOf(uri);
  const code = error instanceof vscode.FileSystemError ? error.code : '';
  if (code === 'FileNotFound') return `There is no file ${name}.`;
  if (code === 'FileIsADirectory') return `${name} is a folder; a ROM or a source file is wanted.`;
  if (code === 'NoPermissions') return `${name} may not be read: permission denied.`;
  return `${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}

/** Why a file cannot be a program, in a sentence; undefined when it can. */
export async function whyNoProgram(uri: vscode.Uri): Promise<string | undefined> {
  try {
    const { type } = await vscode.workspace.fs.stat(uri);
    return (type & vscode.FileType.Directory) === 0 ? undefined : `${programOf(uri)} is a folder; a ROM or a source file is wanted.`;
  } catch (error) {
    return unreadable(uri, error);
  }
}

/** Lets the user choose a program: of the workspace, or any other. undefined when they do not. */
export async function pickProgram(): Promise<vscode.Uri | undefined> {
  const found = await findPrograms(200);
  if (found.length > 0) {
    const browse = { label: '$(folder-opened) Browse…', uri: undefined };
    const active = activeProgram()?.toString();
    const items = found
      .map((uri) => ({ label: baseName(uri.path), description: vscode.workspace.asRelativePath(uri), uri }))
      .sort((a, b) => Number(b.uri.toString() === active) - Number(a.uri.toString() === active));
    const picked = await vscode.window.showQuickPick([...items, browse], {
      title: 'Program to run',
      placeHolder: 'A ROM (.rom, .bin, .fd), or source (.asm) that is assembled in memory',
      matchOnDescription: true,
    });
    if (picked === undefined || picked.uri !== undefined) return picked?.uri;
  }
  const chosen = await vscode.window.showOpenDialog({
    title: 'Program to run',
    openLabel: 'Run',
    filters: { 'ROMs and assembly source': [...PROGRAM_EXTENSIONS], 'All files': ['*'] },
  });
  return chosen?.[0];
}

/** Programs of the workspace, by path; none where the workspace cannot be searched. */
export async function findPrograms(most: number): Promise<vscode.Uri[]> {
  try {
    const found = await vscode.workspace.findFiles(`**/*.{${PROGRAM_EXTENSIONS.join(',')}}`, '**/{node_modules,.git}/**', most);
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  } catch {
    return [];
  }
}
