/** The rules of CONTRIBUTING.md that are about files, each of them readable from the tree alone. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { projectFiles, ROOT, read, sourceFiles, stripped } from './source.ts';

const MAX_LINES = 600;
/** The recorded vectors are the largest. */
const MAX_BYTES = 5 * 1024 * 1024;

const bytesOf = (file: string): Buffer => fs.readFileSync(path.join(ROOT, file));
const isText = (file: string): boolean => !bytesOf(file).includes(0);
const textFiles = projectFiles().filter(isText);

describe('files', () => {
  test(`none is longer than ${MAX_LINES} lines`, () => {
    const long = textFiles
      .filter((file) => /\.(ts|mjs|c|h|asm|md)$/.test(file))
      .map((file) => ({ file, lines: read(file).trimEnd().split('\n').length }));
    expect(long.filter(({ lines }) => lines > MAX_LINES)).toEqual([]);
  });

  test('none carries a mark of unfinished work', () => {
    const mark = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`);
    expect(textFiles.filter((file) => file !== 'package-lock.json' && mark.test(read(file)))).toEqual([]);
  });

  test('none names a path of somebody’s machine', () => {
    const home = new RegExp(`(?:^|[\\s'"\`(=])/(?:${['home', 'Users', 'root', 'work', 'srv'].join('|')})/\\w`, 'm');
    expect(textFiles.filter((file) => home.test(read(file)))).toEqual([]);
  });

  test('none is a ROM, an object, a library or a WebAssembly module: they are built', () => {
    const magic = [
      [0x7f, 0x45, 0x4c, 0x46],
      [0x00, 0x61, 0x73, 0x6d],
      [0x4d, 0x5a, 0x90, 0x00],
    ];
    const built = projectFiles().filter(
      (file) =>
        /\.(rom|bin|fd|o|a|so|elf|exe|wasm)$/.test(file) || magic.some((bytes) => bytes.every((byte, i) => bytesOf(file)[i] === byte)),
    );
    expect(built).toEqual([]);
  });

  test(`none is larger than ${MAX_BYTES / 1024 / 1024} MiB`, () => {
    expect(projectFiles().filter((file) => fs.statSync(path.join(ROOT, file)).size > MAX_BYTES)).toEqual([]);
  });
});

describe('modules', () => {
  test('export by name, and have neither enums nor namespaces', () => {
    const sinners = sourceFiles()
      .filter((file) => !file.endsWith('.d.ts'))
      .filter((file) =>
        /^\s*(?:export\s+default\b|(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s|(?:export\s+)?namespace\s)/m.test(
          stripped(read(file), { strings: true }),
        ),
      );
    expect(sinners).toEqual([]);
  });

  test('document what they offer', () => {
    const silent = sourceFiles().filter((file) => !read(file).includes('/**'));
    expect(silent).toEqual([]);
  });

  test('every device is saved and loaded by a test: by the contract test, whose table is devices.ts, or by one of its own', () => {
    const devices = sourceFiles().filter(
      (file) => file.startsWith('src/machine/devices/') && /\bimplements [^{]*\bDevice\b/.test(stripped(read(file), { strings: true })),
    );
    const tests = textFiles
      .filter((file) => /^test\/machine\/.*\.ts$/.test(file) && (file.endsWith('/devices.ts') || read(file).includes('.save()')))
      .map(read);
    expect(devices.length).toBeGreaterThan(0);
    expect(devices.filter((file) => !tests.some((text) => text.includes(`/${path.basename(file)}'`)))).toEqual([]);
  });

  test('a folder of src/machine/ that holds code has tests', () => {
    // What the engine consists of is tested as the engine: one definition, two consumers, a real processor.
    const through: Readonly<Record<string, string>> = { state: 'engine', emitter: 'engine' };
    const folders = new Set(sourceFiles().flatMap((file) => /^src\/machine\/(\w+)\//.exec(file)?.[1] ?? []));
    const tested = textFiles
      .filter((file) => /^test\/.*\.ts$/.test(file))
      .map(read)
      .join('\n');
    expect([...folders].filter((folder) => !tested.includes(`src/machine/${through[folder] ?? folder}/`))).toEqual([]);
  });
});

describe('packages', () => {
  const manifest = JSON.parse(read('package.json'));
  const lock = JSON.parse(read('package-lock.json'));

  test('are pinned to one version each', () => {
    const pins = Object.entries<string>({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(pins.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  test('are locked without download addresses', () => {
    expect(Object.entries<{ resolved?: string }>(lock.packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });

  test('have a locked entry for each platform, or `npm ci` would refuse the lockfile', () => {
    const packages: Record<string, { version?: string; optionalDependencies?: Record<string, string> }> = lock.packages;
    const missing = Object.values(packages).flatMap(({ optionalDependencies }) =>
      Object.keys(optionalDependencies ?? {}).filter((name) => packages[`node_modules/${name}`]?.version === undefined),
    );
    expect(missing).toEqual([]);
  });

  test('and the lockfile belongs to this package.json', () => {
    const { dependencies, devDependencies, version } = lock.packages[''];
    expect({ dependencies, devDependencies, version }).toEqual({
      dependencies: manifest.dependencies,
      devDependencies: manifest.devDependencies,
      version: manifest.version,
    });
  });

  test('the product depends on iced-x86 and @vscode/debugadapter alone', () => {
    expect(Object.keys(manifest.dependencies)).toEqual(['@vscode/debugadapter', 'iced-x86']);
  });
});
