/** code-server, with a home of its own in a temporary folder: started, and gone again with everything it has started itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Rig } from './rig.ts';

/** Nothing that greets, asks, updates or fetches. */
const SETTINGS = {
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.enableExperiments': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'update.mode': 'none',
  'git.enabled': false,
  'window.dialogStyle': 'custom',
  'files.simpleDialog.enable': true,
  // It would cover rows of trees.
  'workbench.tree.enableStickyScroll': false,
  // As text in the page, not on a canvas.
  'terminal.integrated.gpuAcceleration': 'off',
  // A floating bar would cover tabs.
  'debug.toolBarLocation': 'docked',
} as const;

export interface ServerOptions {
  /** Files of the folder that is opened, by name. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  /** Path of a .vsix. */
  readonly extension: string;
  readonly settings?: Readonly<Record<string, unknown>>;
}

const groups = new Set<number>();
const killGroup = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has gone already.
  }
};
process.on('exit', () => groups.forEach((pid) => killGroup(pid, 'SIGKILL')));

const freePort = async (): Promise<number> => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

export class Server {
  readonly url: string;
  /** The folder that is opened. */
  readonly folder: string;
  private output = '';

  private constructor(
    private readonly home: string,
    private readonly child: ChildProcess,
    port: number,
  ) {
    this.folder = path.join(home, 'work');
    this.url = `http://127.0.0.1:${port}/?folder=${this.folder}`;
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (this.output += data));
  }

  /** Resolves when it answers. */
  static async start(rig: Rig, { files, extension, settings }: ServerOptions): Promise<Server> {
    const home = fs.mkdtempSync(path.join(os.tmpdir(), 'exitpoint-workbench-'));
    const at = (name: string): string => path.join(home, name);
    for (const folder of ['data/User', 'extensions', 'work']) fs.mkdirSync(at(folder), { recursive: true });
    fs.writeFileSync(at('data/User/settings.json'), JSON.stringify({ ...SETTINGS, ...settings }));
    fs.writeFileSync(at('config.yaml'), '');
    for (const [name, content] of Object.entries(files)) fs.writeFileSync(at(`work/${name}`), content);

    const { PORT: _, VSCODE_IPC_HOOK_CLI: __, ...inherited } = process.env;
    const env = { ...inherited, HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home, XDG_CACHE_HOME: home };
    const folders = ['--config', at('config.yaml'), '--user-data-dir', at('data'), '--extensions-dir', at('extensions')];
    const run = (...words: string[]): ChildProcess =>
      spawn(rig.node, [rig.codeServer, ...folders, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });

    const installing = run('--install-extension', extension);
    let told = '';
    for (const stream of [installing.stdout, installing.stderr]) stream?.on('data', (data) => (told += data));
    const [status] = await once(installing, 'close');
    if (status !== 0) throw new Error(`code-server does not install ${extension}:\n${told}`);

    const port = await freePort();
    const child = run(
      ...['--bind-addr', `127.0.0.1:${port}`, '--auth', 'none', '--disable-telemetry', '--disable-update-check'],
      // Should whoever started it die without a word, it does not stay for ever.
      ...['--disable-workspace-trust', '--disable-getting-started-override', '--idle-timeout-seconds', '900'],
    );
    if (child.pid !== undefined) groups.add(child.pid);
    const server = new Server(home, child, port);
    try {
      await server.answers(`http://127.0.0.1:${port}/healthz`);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** What it has printed, and what its extension hosts have logged. */
  logs(): string {
    const logs = path.join(this.home, 'data/logs');
    const files = fs.existsSync(logs) ? fs.readdirSync(logs, { recursive: true, encoding: 'utf8' }) : [];
    const read = files
      .filter((name) => /\.log$/.test(name))
      .map((name) => `--- ${name}\n${fs.readFileSync(path.join(logs, name), 'utf8')}`);
    return [`--- output\n${this.output}`, ...read].join('\n');
  }

  async stop(): Promise<void> {
    const { pid, exitCode, signalCode } = this.child;
    if (pid !== undefined) {
      if (exitCode === null && signalCode === null) {
        killGroup(pid, 'SIGTERM');
        await Promise.race([once(this.child, 'exit'), sleep(10_000)]);
      }
      killGroup(pid, 'SIGKILL');
      groups.delete(pid);
    }
    fs.rmSync(this.home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  private async answers(url: string): Promise<void> {
    for (const end = Date.now() + 60_000; ; await sleep(100)) {
      if (this.child.exitCode !== null) throw new Error(`code-server has ended:\n${this.output}`);
      const good = await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      );
      if (good) return;
      if (Date.now() > end) throw new Error(`code-server does not answer at ${url}:\n${this.output}`);
    }
  }
}
