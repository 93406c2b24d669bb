/**
 * The build. `node esbuild.mjs` brings dist/ up to date and says only what it did:
 *
 *   node_modules/             installed by `npm ci` when something is missing or has another version than the lockfile
 *   dist/interpreter.wasm     written by src/machine/engine/generate.ts from the instruction definitions
 *   dist/encoding-index.json  written by src/machine/isa/generate-encoding-index.ts from the decoder's tables
 *   dist/iced_x86_bg.wasm     the decoder, copied: the one copy of it in the product
 *   dist/exitpoint.mjs        the command line, bundled
 *   dist/worker.cjs           a debug session in a worker thread of Node; dist/web/worker.js the same in a browser's worker
 *   dist/extension.js         the extension under Node; dist/web/extension.js the same in a browser
 *   dist/THIRD-PARTY-NOTICES.txt  the licences of the packages that the bundles contain
 *
 * `--generated` leaves the bundles out (what most tests need), `--force` regenerates, `--production` makes small bundles without source maps. Plain
 * JavaScript, because it has to run before anything is installed.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = path.dirname(fileURLToPath(import.meta.url));
const at = (...parts) => path.join(root, ...parts);
const TARGET = 'node20';
const ICED_WASM = 'iced_x86_bg.wasm';

/** Modules that compute a file of dist/: the function's result is that file's content. */
const GENERATORS = [
  { module: 'src/machine/engine/generate.ts', generate: 'generateInterpreter', output: 'dist/interpreter.wasm' },
  { module: 'src/machine/isa/generate-encoding-index.ts', generate: 'generateEncodingIndex', output: 'dist/encoding-index.json' },
];

/** What the lockfile asks for and node_modules has not, in that version: names, at most a few. */
function missingPackages() {
  const wanted = JSON.parse(fs.readFileSync(at('package-lock.json'), 'utf8')).packages;
  let installed = {};
  try {
    installed = JSON.parse(fs.readFileSync(at('node_modules/.package-lock.json'), 'utf8')).packages;
  } catch {
    return ['node_modules'];
  }
  // Optional packages are for other platforms.
  return Object.keys(wanted).filter(
    (name) => name !== '' && !wanted[name].optional && !(installed[name]?.version === wanted[name].version && fs.existsSync(at(name))),
  );
}

function install() {
  if (missingPackages().length === 0) return;
  console.error('exitpoint: installing packages (npm ci)');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (npm.status !== 0) throw new Error('npm ci failed; it needs Node 20.19 or later and a registry it can reach');
}

/** Writes beside the target and renames: whoever reads at that moment sees the old file or the new one, never half of it. */
function writeWhole(file, content) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const beside = `${file}.${process.pid}`;
  fs.writeFileSync(beside, content);
  fs.renameSync(beside, file);
}

/** Writes only what changes; gives whether it did. */
function update(file, content) {
  const bytes = Buffer.from(content);
  if (fs.existsSync(file) && fs.readFileSync(file).equals(bytes)) return false;
  writeWhole(file, bytes);
  return true;
}

/**
 * iced-x86 as published is CommonJS for Node and reads its WebAssembly from its own folder, at load. In a bundle it takes the bytes from where `source`,
 * an expression, says.
 */
const icedFrom = (source) => ({
  name: 'iced-from',
  setup(build) {
    build.onResolve({ filter: /^iced-wasm$/ }, () => ({ path: 'iced-wasm', namespace: 'iced' }));
    build.onLoad({ filter: /.*/, namespace: 'iced' }, () => ({ contents: source }));
    build.onLoad({ filter: /iced_x86\.js$/ }, ({ path: file }) => {
      const published = fs.readFileSync(file, 'utf8');
      const contents = replaceOnce(
        replaceOnce(published, /require\(`util`\)/, 'globalThis'),
        /const path = require\('path'\)[\s\S]*?readFileSync\(path\);/,
        "const { bytes } = require('iced-wasm');",
      );
      return { contents, loader: 'js' };
    });
  },
});
/** The one copy that lies beside the bundle. */
const icedBesideTheBundle = icedFrom(
  `import { readFileSync } from 'node:fs';\nexport const bytes = readFileSync(new URL('./${ICED_WASM}', import.meta.url));`,
);
/** A browser's worker has no files: src/worker/browser.ts puts the bytes there before it imports the rest. */
const icedHandedOver = icedFrom('export const bytes = globalThis.icedWasm;');

/** Of Node's module `url`, @vscode/debugadapter wants the class that browsers have themselves. */
const urlOfTheBrowser = {
  name: 'url-of-the-browser',
  setup(build) {
    build.onResolve({ filter: /^url$/ }, () => ({ path: 'url', namespace: 'browser' }));
    build.onLoad({ filter: /.*/, namespace: 'browser' }, () => ({ contents: 'exports.URL = globalThis.URL;' }));
  },
};

const NODE = { platform: 'node', target: TARGET };
const BROWSER = { platform: 'browser', target: 'chrome120' };
/** What `import.meta.url` is in a CommonJS bundle. */
const COMMONJS_URL = {
  define: { 'import.meta.url': 'bundleUrl' },
  banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
};

/** esbuild's options for each bundle. */
const BUNDLES = [
  {
    ...NODE,
    entryPoints: ['src/cli/node.ts'],
    outfile: 'dist/exitpoint.mjs',
    format: 'esm',
    banner: { js: '#!/usr/bin/env node' },
    plugins: [icedBesideTheBundle],
  },
  {
    ...NODE,
    ...COMMONJS_URL,
    entryPoints: ['src/worker/node.ts'],
    outfile: 'dist/worker.cjs',
    format: 'cjs',
    plugins: [icedBesideTheBundle],
  },
  {
    ...BROWSER,
    entryPoints: ['src/worker/browser.ts'],
    outfile: 'dist/web/worker.js',
    format: 'iife',
    define: { 'process.platform': '"browser"' },
    plugins: [icedHandedOver, urlOfTheBrowser],
  },
  { ...NODE, entryPoints: ['src/extension/node.ts'], outfile: 'dist/extension.js', format: 'cjs', external: ['vscode'] },
  { ...BROWSER, entryPoints: ['src/extension/browser.ts'], outfile: 'dist/web/extension.js', format: 'cjs', external: ['vscode'] },
];

function replaceOnce(text, pattern, replacement) {
  if (!pattern.test(text))
    throw new Error(
      `iced-x86 has changed: ${pattern} is no longer in it, so ${path.basename(fileURLToPath(import.meta.url))} has to follow`,
    );
  return text.replace(pattern, replacement);
}

/** What went wrong: esbuild's own first diagnostic with its place, or the error's message. */
function inOneLine(error) {
  const [first] = error?.errors ?? [];
  if (!first) return error instanceof Error ? error.message : String(error);
  return first.location ? `${first.location.file}:${first.location.line}:${first.location.column + 1}: ${first.text}` : first.text;
}

/** Runs one generator if its code or the decoder's version changed since it last ran; gives whether it did. A failure leaves no stale output behind. */
async function runGenerator(esbuild, { module, generate, output }, iced, force) {
  const name = path.basename(module, '.ts');
  const stampFile = at('.cache', `${name}.stamp`);
  try {
    // Without what does not matter (types, comments, spaces): a reworded comment regenerates nothing.
    const { outputFiles } = await esbuild.build({
      entryPoints: [at(module)],
      bundle: true,
      write: false,
      minifyWhitespace: true,
      legalComments: 'none',
      format: 'esm',
      platform: 'node',
      target: TARGET,
      external: ['iced-x86'],
      logLevel: 'silent',
    });
    const code = outputFiles[0].text;
    const stamp = createHash('sha256').update(code).update(`iced-x86 ${iced}`).digest('hex');
    const current = fs.existsSync(at(output)) && fs.existsSync(stampFile) && fs.readFileSync(stampFile, 'utf8') === stamp;
    if (current && !force) return false;
    // Inside the project, so that iced-x86 is found.
    const bundle = at('.cache', `${name}.${process.pid}.mjs`);
    writeWhole(bundle, code);
    try {
      const result = await (await import(pathToFileURL(bundle).href))[generate]();
      writeWhole(at(output), typeof result === 'string' || result instanceof Uint8Array ? result : JSON.stringify(result));
    } finally {
      fs.rmSync(bundle, { force: true });
    }
    writeWhole(stampFile, stamp);
    return true;
  } catch (error) {
    fs.rmSync(at(output), { force: true });
    throw new Error(`${module}: ${inOneLine(error)}`, { cause: error });
  }
}

/** Everything in dist/ but bundles; gives the files written. */
async function buildGenerated(esbuild, force) {
  const written = [];
  const iced = JSON.parse(fs.readFileSync(at('node_modules/iced-x86/package.json'), 'utf8')).version;
  const failures = [];
  for (const generator of GENERATORS) {
    try {
      if (await runGenerator(esbuild, generator, iced, force)) written.push(generator.output);
    } catch (error) {
      failures.push(error);
    }
  }
  const decoder = createRequire(import.meta.url).resolve(`iced-x86/${ICED_WASM}`);
  if (update(at('dist', ICED_WASM), fs.readFileSync(decoder))) written.push(`dist/${ICED_WASM}`);
  if (failures.length > 0) throw new Error(failures.map(({ message }) => message).join('\n'));
  return written;
}

/** Bundles everything; gives the files written. */
async function buildBundles(esbuild, production) {
  const results = await Promise.all(
    BUNDLES.map((options) =>
      esbuild.build({
        ...options,
        absWorkingDir: root,
        bundle: true,
        write: false,
        metafile: true,
        minify: production,
        sourcemap: production ? false : 'linked',
        sourcesContent: false,
        legalComments: 'none',
        logLevel: 'silent',
      }),
    ),
  );
  const files = results.flatMap(({ outputFiles }) => outputFiles);
  const written = files.filter(({ path: file, contents }) => update(file, contents)).map(({ path: file }) => path.relative(root, file));
  const notices = 'dist/THIRD-PARTY-NOTICES.txt';
  if (update(at(notices), noticesFor(results.map(({ metafile }) => metafile)))) written.push(notices);
  return written;
}

/** The licences of all packages of which something is in a bundle. */
function noticesFor(metafiles) {
  const folders = new Set(
    metafiles
      .flatMap(({ outputs }) => Object.values(outputs))
      .flatMap(({ inputs }) => Object.keys(inputs))
      .flatMap((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []),
  );
  const notices = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(fs.readFileSync(at(folder, 'package.json'), 'utf8'));
    const file = fs.readdirSync(at(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${folder} has no licence file, which dist/THIRD-PARTY-NOTICES.txt needs`);
    return `${name} ${version} (${license})\n\n${fs.readFileSync(at(folder, file), 'utf8').trim()}\n`;
  });
  const line = `${'-'.repeat(80)}\n`;
  return `Exitpoint contains the following packages.\n\n${line}${notices.join(`\n${line}`)}`;
}

/**
 * Brings dist/ up to date.
 * @param {{ generatedOnly?: boolean, force?: boolean, production?: boolean }} options
 * @returns {Promise<string[]>} the files written, relative to the root
 */
export async function build({ generatedOnly = false, force = false, production = false } = {}) {
  install();
  const esbuild = await import('esbuild');
  const written = await buildGenerated(esbuild, force);
  if (!generatedOnly) written.push(...(await buildBundles(esbuild, production)));
  return written;
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const flags = process.argv.slice(2);
  const known = ['--generated', '--force', '--production'];
  const unknown = flags.find((flag) => !known.includes(flag));
  if (unknown !== undefined) {
    console.error(`esbuild.mjs: unknown option ${unknown}; there are ${known.join(', ')}`);
    process.exitCode = 2;
  } else {
    try {
      const [generatedOnly, force, production] = known.map((flag) => flags.includes(flag));
      const written = await build({ generatedOnly, force, production });
      if (written.length > 0) console.error(`exitpoint: built ${written.join(', ')}`);
    } catch (error) {
      console.error(`exitpoint: the build failed: ${inOneLine(error)}`);
      process.exitCode = 1;
    }
  }
}
