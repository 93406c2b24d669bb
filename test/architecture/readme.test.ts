/** The README is checked against the program: what it shows is what is printed, what it names exists. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { build } from '../../esbuild.mjs';
import { projectFiles, ROOT, read } from './source.ts';

const readme = read('README.md');
const run = (...args: string[]): string =>
  execFileSync(process.execPath, ['dist/exitpoint.mjs', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, NO_COLOR: '1', LC_ALL: 'C.UTF-8' },
  });
/** Lines without trailing spaces. */
const lines = (text: string): string[] => text.split('\n').map((line) => line.trimEnd());

beforeAll(async () => void (await build()));

describe('the README', () => {
  test('shows what npm start prints', () => {
    const shown = lines(/```text\n([\s\S]*?)\n```/.exec(readme)?.[1] ?? '');
    const printed = lines(run('demo'));
    const first = printed.indexOf(shown[0] as string);
    expect(first, 'the first line of the README’s example is nowhere in the output of: exitpoint demo').toBeGreaterThanOrEqual(0);
    expect(printed.slice(first, first + shown.length)).toEqual(shown);
  });

  test('names the options that --help names', () => {
    const documented = new Set([...readme.matchAll(/^\| .*$/gm)].flatMap(([row]) => row.match(/--[a-z-]+/g) ?? []));
    const offered = new Set(
      run('run', '--help')
        .match(/^ {2}--[a-z-]+/gm)
        ?.map((option) => option.trim()),
    );
    expect([...offered].filter((option) => !documented.has(option))).toEqual([]);
    expect([...documented].filter((option) => !offered.has(option))).toEqual([]);
  });

  test('names scripts that package.json has', () => {
    const { scripts } = JSON.parse(read('package.json'));
    const named = ['README.md', 'CONTRIBUTING.md'].flatMap((file) =>
      [...read(file).matchAll(/`npm (?:run )?([a-z:]+)`/g)].map(([, name]) => name as string),
    );
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

test('every link in a document leads to a file', () => {
  const broken = projectFiles()
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) =>
      [...read(file).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
        .map(([, target]) => target as string)
        .filter((target) => !fs.existsSync(path.join(ROOT, path.dirname(file), target)))
        .map((target) => `${file} links to ${target}`),
    );
  expect(broken).toEqual([]);
});

test('every file that a document names by its path exists', () => {
  const named = /`((?:src|test|samples|\.ci)\/[\w./-]+\.(?:ts|mjs|asm|md|json)|esbuild\.mjs|biome\.json)`/g;
  const missing = ['README.md', 'CONTRIBUTING.md', 'src/README.md'].flatMap((file) =>
    [...read(file).matchAll(named)]
      .filter(([, name]) => !fs.existsSync(path.join(ROOT, name as string)) && !/\/NAME\./.test(name as string))
      .map(([, name]) => `${file} names ${name}`),
  );
  expect(missing).toEqual([]);
});
