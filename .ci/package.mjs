/**
 * `npm run package`: builds for production and makes exitpoint-VERSION.vsix, the extension as it is installed. The packager is installed on demand, into
 * .cache/. What came out is checked: its size, one copy of each WebAssembly module, nothing that has no business in it.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from '../esbuild.mjs';
import { entriesOf } from './zip.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const VSCE = '3.9.2';
const VSCE_FOLDER = path.join(root, '.cache/vsce');
const LIMIT_BYTES = 3_000_000;
const WASM = ['extension/dist/iced_x86_bg.wasm', 'extension/dist/interpreter.wasm'];
const FOREIGN = /\.(map|ts|rom|bin|fd|vsix)$|\.test\.|(^|\/)node_modules\/|(^|\/)(src|test|\.ci|\.cache|\.git)\//;

/** Runs a program in the project's folder; what it says is shown only when it fails. */
function run(program, args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${error?.message ?? `${stdout}${stderr}`}`);
}

/** The packager's program, installed if it is not there in this very version. */
function vsce() {
  const folder = path.join(VSCE_FOLDER, 'node_modules/@vscode/vsce');
  const manifest = path.join(folder, 'package.json');
  if (!fs.existsSync(manifest) || JSON.parse(fs.readFileSync(manifest, 'utf8')).version !== VSCE) {
    console.error(`exitpoint: installing @vscode/vsce ${VSCE} into .cache/`);
    fs.mkdirSync(VSCE_FOLDER, { recursive: true });
    run('npm', ['install', '--prefix', VSCE_FOLDER, '--no-save', '--no-audit', '--no-fund', '--loglevel=error', `@vscode/vsce@${VSCE}`]);
  }
  return path.join(folder, 'vsce');
}

/** Paths of the package that the manifest names: `./dist/extension.js`. */
function named(value) {
  if (typeof value === 'string') return /^\.\/|^media\//.test(value) ? [path.posix.join('extension', value)] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(named) : [];
}

/** What is wrong with a package, one sentence each. */
function faults(bytes, manifest) {
  const names = entriesOf(bytes).map(({ name }) => name);
  const { main, browser, icon, contributes } = manifest;
  const wanted = [...new Set([...named({ main, browser, icon, contributes }), ...WASM, 'extension/dist/THIRD-PARTY-NOTICES.txt'])];
  const wasm = names.filter((name) => name.endsWith('.wasm')).sort();
  return [
    ...(bytes.length < LIMIT_BYTES ? [] : [`It has ${bytes.length} bytes; it shall stay below ${LIMIT_BYTES}.`]),
    ...(wasm.join() === WASM.join() ? [] : [`Its WebAssembly modules are ${wasm.join(', ')}; they shall be ${WASM.join(', ')}.`]),
    ...names.filter((name) => FOREIGN.test(name)).map((name) => `${name} has no business in it.`),
    ...wanted.filter((name) => !names.includes(name)).map((name) => `${name} is not in it.`),
  ];
}

try {
  const manifest = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  const file = `exitpoint-${manifest.version}.vsix`;
  await build({ production: true });
  // Without a repository there is nothing that relative links of the README could be made absolute with.
  const options = ['--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links', '--out', file];
  run(process.execPath, [vsce(), 'package', ...options]);
  const bytes = fs.readFileSync(path.join(root, file));
  const wrong = faults(bytes, manifest);
  for (const { name, bytes: size, packed } of entriesOf(bytes))
    console.log(`${String(size).padStart(9)} ${String(packed).padStart(9)}  ${name}`);
  console.log(`${file}: ${bytes.length} bytes`);
  for (const sentence of wrong) console.error(`exitpoint: ${file}: ${sentence}`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} catch (error) {
  console.error(`exitpoint: no package: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
