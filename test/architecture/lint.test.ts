/** The linter's half of the rules, tried: a planted mistake of each kind must be an error, and what looks like it but is allowed must not. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from './source.ts';

interface Planted {
  file: string;
  code: string;
  /** The rule that must complain, or undefined. */
  rule?: string;
}

const planted: readonly Planted[] = [
  { file: 'src/machine/devices/node-fs.ts', code: "import fs from 'node:fs';\nexport const a = fs;\n", rule: 'noNodejsModules' },
  { file: 'src/machine/devices/date.ts', code: 'export const a = Date.now();\n', rule: 'noRestrictedGlobals' },
  { file: 'src/debugger/date.ts', code: 'export const a = new Date();\n', rule: 'noRestrictedGlobals' },
  { file: 'src/machine/devices/timer.ts', code: 'setTimeout(() => {}, 1);\nexport const a = 1;\n', rule: 'noRestrictedGlobals' },
  { file: 'src/machine/vmm/console.ts', code: "console.log('x');\nexport const a = 1;\n", rule: 'noConsole' },
  {
    file: 'src/machine/engine/iced.ts',
    code: "import { Decoder } from 'iced-x86';\nexport const a = Decoder;\n",
    rule: 'noRestrictedImports',
  },
  { file: 'src/cli/vscode.ts', code: "import { window } from 'vscode';\nexport const a = window;\n", rule: 'noRestrictedImports' },
  {
    file: 'src/cli/floating.ts',
    code: 'async function f(): Promise<number> {\n  return 1;\n}\nexport function g(): void {\n  f();\n}\n',
    rule: 'noFloatingPromises',
  },
  { file: 'src/cli/default.ts', code: 'export default 1;\n', rule: 'noDefaultExport' },
  { file: 'src/cli/enum.ts', code: 'export enum E {\n  a,\n}\n', rule: 'noEnum' },
  { file: 'src/cli/namespace.ts', code: 'export namespace N {\n  export const a = 1;\n}\n', rule: 'noNamespace' },
  { file: 'src/cli/types.ts', code: "import { E } from './e.ts';\nexport const f = (e: E): E => e;\n", rule: 'useImportType' },
  { file: 'src/worker/browser.ts', code: 'export const a = process.argv;\n', rule: 'noRestrictedGlobals' },

  { file: 'src/machine/isa/iced.ts', code: "import { Decoder } from 'iced-x86';\nexport const a = Decoder;\n" },
  { file: 'src/cli/node-fs.ts', code: "import fs from 'node:fs';\nconsole.log('x');\nexport const a = fs;\n" },
  { file: 'src/worker/node.ts', code: "import fs from 'node:fs';\nexport const a = fs;\n" },
  {
    file: 'src/machine/vmm/style.ts',
    code: 'export const X = { a: 0 } as const;\nexport type X = (typeof X)[keyof typeof X];\nexport class Y {\n  constructor(private readonly x: X) {}\n  get z(): X {\n    return this.x!;\n  }\n}\n',
  },
];

let folder: string;
/** Rules that complained, by file. */
const complaints = new Map<string, string[]>();

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'exitpoint-lint-'));
  for (const name of ['biome.json', 'package.json', 'tsconfig.json']) fs.copyFileSync(path.join(ROOT, name), path.join(folder, name));
  for (const { file, code } of planted) {
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    fs.writeFileSync(path.join(folder, file), code);
  }
  const biome = path.join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
  const { stdout, stderr } = spawnSync(process.execPath, [biome, 'lint', '--reporter=json', '--max-diagnostics=none', '.'], {
    cwd: folder,
    encoding: 'utf8',
  });
  const report = stdout.slice(stdout.indexOf('{'));
  expect(report, stderr).not.toBe('');
  for (const { category, location, severity } of JSON.parse(report).diagnostics) {
    if (severity !== 'error') continue;
    const file = path.posix.normalize(typeof location.path === 'string' ? location.path : location.path.file);
    complaints.set(file, [...(complaints.get(file) ?? []), (category as string).split('/').at(-1) as string]);
  }
});

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

test.each(planted.filter(({ rule }) => rule !== undefined))('$rule complains about $file', ({ file, rule }) => {
  expect(complaints.get(file) ?? []).toContain(rule);
});

test.each(planted.filter(({ rule }) => rule === undefined))('nothing complains about $file', ({ file }) => {
  expect(complaints.get(file) ?? []).toEqual([]);
});
