/** As much of VS Code's API as the extension uses, with what a test wants to say to it or to see of it in `world`. */

type Listener<T> = (value: T) => unknown;

export class Disposable {
  constructor(private readonly work: () => void) {}
  static from(...all: { dispose(): unknown }[]): Disposable {
    return new Disposable(() => all.forEach((one) => one.dispose()));
  }
  dispose(): void {
    this.work();
  }
}

export class EventEmitter<T> {
  private listeners: Listener<T>[] = [];
  readonly event = (listener: Listener<T>): Disposable => {
    this.listeners.push(listener);
    return new Disposable(() => (this.listeners = this.listeners.filter((one) => one !== listener)));
  };
  fire(value: T): void {
    for (const listener of [...this.listeners]) listener(value);
  }
  dispose(): void {
    this.listeners = [];
  }
}

export class Uri {
  private constructor(
    readonly scheme: string,
    readonly authority: string,
    readonly path: string,
  ) {}
  static file(path: string): Uri {
    const slashes = path.replaceAll('\\', '/');
    return new Uri('file', '', slashes.startsWith('/') ? slashes : `/${slashes}`);
  }
  static parse(text: string, strict = false): Uri {
    const match = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/]*))?(.*)$/i.exec(text);
    if (match === null) {
      if (strict) throw new Error(`no scheme in ${text}`);
      return Uri.file(text);
    }
    return new Uri(match[1] as string, decodeURIComponent(match[2] ?? ''), decodeURIComponent(match[3] as string));
  }
  static joinPath(base: Uri, ...parts: string[]): Uri {
    const path: string[] = [];
    for (const part of `${base.path}/${parts.join('/')}`.split('/'))
      if (part === '..') path.pop();
      else if (part !== '' && part !== '.') path.push(part);
    return new Uri(base.scheme, base.authority, `/${path.join('/')}`);
  }
  get fsPath(): string {
    return this.path;
  }
  with({ path }: { path: string }): Uri {
    return new Uri(this.scheme, this.authority, path);
  }
  toString(): string {
    const path = this.path.split('/').map(encodeURIComponent).join('/');
    return `${this.scheme}:${this.authority !== '' || this.scheme === 'file' ? `//${encodeURIComponent(this.authority)}` : ''}${path}`;
  }
}

export const FileType = { Unknown: 0, File: 1, Directory: 2, SymbolicLink: 64 } as const;
export class FileSystemError extends Error {
  constructor(
    message: string,
    readonly code: string,
  ) {
    super(message);
  }
}

export class Position {
  constructor(
    readonly line: number,
    readonly character: number,
  ) {}
}
export class Range {
  readonly numbers: unknown[];
  constructor(...numbers: unknown[]) {
    this.numbers = numbers;
  }
}
export const DiagnosticSeverity = { Error: 0, Warning: 1 } as const;
export class Diagnostic {
  source = '';
  constructor(
    readonly range: Range,
    readonly message: string,
    readonly severity: number,
  ) {}
}

export class ThemeColor {
  constructor(readonly id: string) {}
}
export class ThemeIcon {
  constructor(
    readonly id: string,
    readonly color?: ThemeColor,
  ) {}
}
export const TreeItemCollapsibleState = { None: 0, Collapsed: 1, Expanded: 2 } as const;
export class TreeItem {
  constructor(
    readonly label: string,
    readonly collapsibleState: number,
  ) {}
}

export class FunctionBreakpoint {
  constructor(
    readonly functionName: string,
    readonly enabled = true,
  ) {}
}
export class DebugAdapterInlineImplementation {
  constructor(readonly implementation: unknown) {}
}
export const DebugConfigurationProviderTriggerKind = { Initial: 1, Dynamic: 2 } as const;

export interface Session {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly configuration: Record<string, unknown>;
  readonly workspaceFolder: { readonly uri: Uri } | undefined;
  customRequest(name: string, args?: unknown): Promise<unknown>;
}

export interface TerminalOptions {
  readonly name: string;
  readonly pty: { readonly onDidWrite: EventEmitter<string>['event']; open(): void; close(): void };
}
export interface View {
  readonly treeDataProvider: { getChildren(item?: unknown): unknown[]; getTreeItem(item: unknown): TreeItem };
  visible: boolean;
  description?: string;
  readonly visibility: EventEmitter<unknown>;
  readonly checkboxes: EventEmitter<{ readonly items: readonly (readonly [unknown, number])[] }>;
}

function events() {
  return {
    started: new EventEmitter<Session>(),
    terminated: new EventEmitter<Session>(),
    active: new EventEmitter<Session | undefined>(),
    custom: new EventEmitter<{ readonly session: Session; readonly event: string; readonly body?: unknown }>(),
  };
}

function fresh() {
  return {
    events: events(),
    /** Bytes by URI; a folder is null. */
    files: new Map<string, Uint8Array | null>(),
    folders: undefined as { readonly name: string; readonly uri: Uri }[] | undefined,
    activeTab: undefined as unknown,
    activeEditor: undefined as Uri | undefined,
    activeSession: undefined as Session | undefined,
    activeStackItem: undefined as { readonly session: Session; readonly threadId: number } | undefined,
    /** What the user does: the button of a message, the file of a dialog, the row of a list. */
    answer: undefined as string | undefined,
    dialog: undefined as Uri[] | undefined,
    pick: undefined as ((items: { readonly label: string }[]) => unknown) | undefined,
    /** What the user sees. */
    errors: [] as string[],
    status: [] as string[],
    console: [] as string[],
    clipboard: '',
    opened: [] as { readonly uri: string; readonly options: unknown }[],
    breakpoints: [] as FunctionBreakpoint[],
    terminals: [] as TerminalOptions[],
    diagnostics: new Map<string, Diagnostic[]>(),
    /** What the extension registers. */
    commands: new Map<string, (...args: unknown[]) => unknown>(),
    executed: [] as unknown[][],
    views: new Map<string, View>(),
    factories: [] as { createDebugAdapterDescriptor(session: Session): DebugAdapterInlineImplementation }[],
    trackers: [] as { createDebugAdapterTracker(session: Session): { onWillReceiveMessage?(message: unknown): void } }[],
    providers: [] as unknown[],
    launched: [] as unknown[],
  };
}

export let world = fresh();
/** Before each test: nothing is open, nothing was done. */
export function reset(): typeof world {
  return (world = fresh());
}

const nothing = new Disposable(() => {});
const told = async (message: string): Promise<string | undefined> => {
  world.errors.push(message);
  return world.answer;
};

export const workspace = {
  get workspaceFolders() {
    return world.folders;
  },
  getWorkspaceFolder: (uri: Uri) =>
    world.folders?.find((folder) => folder.uri.scheme === uri.scheme && uri.path.startsWith(`${folder.uri.path}/`)),
  asRelativePath: (uri: Uri) => uri.path.replace(`${world.folders?.[0]?.uri.path}/`, ''),
  findFiles: async () => [...world.files.keys()].map((text) => Uri.parse(text)),
  fs: {
    isWritableFileSystem: (scheme: string) => (['file', 'vscode-remote', 'vscode-vfs'].includes(scheme) ? true : undefined),
    readFile: async (uri: Uri) => {
      const bytes = world.files.get(uri.toString());
      if (bytes === undefined) throw new FileSystemError('unable to resolve', 'FileNotFound');
      if (bytes === null) throw new FileSystemError('a folder', 'FileIsADirectory');
      return bytes;
    },
    stat: async (uri: Uri) => {
      const bytes = world.files.get(uri.toString());
      if (bytes === undefined) throw new FileSystemError('unable to resolve', 'FileNotFound');
      return { type: bytes === null ? FileType.Directory : FileType.File };
    },
  },
};

export const window = {
  tabGroups: {
    activeTabGroup: {
      get activeTab() {
        return world.activeTab === undefined ? undefined : { input: world.activeTab };
      },
    },
  },
  get activeTextEditor() {
    return world.activeEditor === undefined ? undefined : { document: { uri: world.activeEditor } };
  },
  showErrorMessage: told,
  showInformationMessage: told,
  showOpenDialog: async () => world.dialog,
  showQuickPick: async (items: { readonly label: string }[]) => world.pick?.(items),
  setStatusBarMessage: (text: string) => world.status.push(text),
  showTextDocument: async (uri: Uri, options: unknown) => {
    if (!world.files.has(uri.toString())) throw new FileSystemError('unable to resolve', 'FileNotFound');
    world.opened.push({ uri: uri.toString(), options });
  },
  createTerminal: (options: TerminalOptions) => {
    world.terminals.push(options);
    return { show: () => {}, dispose: () => options.pty.close() };
  },
  createTreeView: (id: string, options: { treeDataProvider: View['treeDataProvider'] }) => {
    const visibility = new EventEmitter<unknown>();
    const checkboxes: View['checkboxes'] = new EventEmitter();
    const view: View & Record<string, unknown> = {
      treeDataProvider: options.treeDataProvider,
      visible: true,
      visibility,
      checkboxes,
      onDidChangeVisibility: visibility.event,
      onDidChangeCheckboxState: checkboxes.event,
      dispose: () => {},
    };
    world.views.set(id, view);
    return view;
  },
};

export const debug = {
  get activeDebugSession() {
    return world.activeSession;
  },
  get activeStackItem() {
    return world.activeStackItem;
  },
  get breakpoints() {
    return world.breakpoints;
  },
  activeDebugConsole: { appendLine: (line: string) => world.console.push(line) },
  addBreakpoints: (added: FunctionBreakpoint[]) => void world.breakpoints.push(...added),
  removeBreakpoints: (removed: FunctionBreakpoint[]) => (world.breakpoints = world.breakpoints.filter((one) => !removed.includes(one))),
  startDebugging: async (_folder: unknown, configuration: object, options: object) => world.launched.push({ ...configuration, ...options }),
  onDidStartDebugSession: (listener: Listener<Session>) => world.events.started.event(listener),
  onDidTerminateDebugSession: (listener: Listener<Session>) => world.events.terminated.event(listener),
  onDidChangeActiveDebugSession: (listener: Listener<Session | undefined>) => world.events.active.event(listener),
  onDidReceiveDebugSessionCustomEvent: (
    listener: Listener<{ readonly session: Session; readonly event: string; readonly body?: unknown }>,
  ) => world.events.custom.event(listener),
  registerDebugAdapterTrackerFactory: (_type: string, factory: (typeof world.trackers)[number]) => {
    world.trackers.push(factory);
    return nothing;
  },
  registerDebugAdapterDescriptorFactory: (_type: string, factory: (typeof world.factories)[number]) => {
    world.factories.push(factory);
    return nothing;
  },
  registerDebugConfigurationProvider: (_type: string, provider: unknown) => {
    world.providers.push(provider);
    return nothing;
  },
};

export const commands = {
  registerCommand: (id: string, work: (...args: unknown[]) => unknown) => {
    if (world.commands.has(id)) throw new Error(`command ${id} is registered twice`);
    world.commands.set(id, work);
    return nothing;
  },
  executeCommand: async (...args: unknown[]) => void world.executed.push(args),
};
export const env = { clipboard: { writeText: async (text: string) => void (world.clipboard = text) } };
export const languages = {
  createDiagnosticCollection: () => ({
    set: (uri: Uri, diagnostics: Diagnostic[]) => world.diagnostics.set(uri.toString(), diagnostics),
    dispose: () => {},
  }),
};

/** A session that answers custom requests from `answers`, and remembers them in `asked`. */
export function session(
  id: string,
  answers: Readonly<Record<string, unknown>> = {},
  more: Partial<Session> = {},
): Session & { readonly asked: [string, unknown][] } {
  const asked: [string, unknown][] = [];
  return {
    id,
    type: 'exitpoint',
    name: id,
    configuration: { program: `/ws/${id}.asm` },
    workspaceFolder: undefined,
    asked,
    customRequest: async (name, args) => {
      asked.push([name, args]);
      const answer = answers[name];
      if (answer instanceof Error) throw answer;
      return answer;
    },
    ...more,
  };
}
