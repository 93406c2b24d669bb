/** package.json as the editor reads it: what it names exists, what exists is named, and its examples work. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { attributesSchema } from '../../src/debugger/attributes.ts';
import { parseConfiguration } from '../../src/debugger/configuration.ts';
import { DEBUG_TYPE, ViewEvent, ViewRequest } from '../../src/views/protocol.ts';
import { ROOT, read, sourceFiles } from '../architecture/source.ts';
import { reset, world } from './vscode.ts';

vi.mock('vscode', () => import('./vscode.ts'));

interface Item {
  readonly command: string;
  readonly when?: string;
  readonly group?: string;
}
const manifest = JSON.parse(read('package.json'));
const { contributes } = manifest;
const [debuggerEntry] = contributes.debuggers;
const commands: { command: string; title: string; category: string; icon?: string }[] = contributes.commands;
const menus: Record<string, Item[]> = contributes.menus;
const ids = commands.map(({ command }) => command);
const items = Object.values(menus).flat();
const whens: string[] = [
  ...items.map(({ when }) => when),
  ...contributes.views.debug.map(({ when }: Item) => when),
  ...contributes.keybindings.map(({ when }: Item) => when),
].filter((when) => when !== undefined);

describe('commands', () => {
  test('have a title, our category and an icon, and an id of their own', () => {
    expect(
      commands.filter(({ title, category, icon }) => !title || category !== 'Exitpoint' || !/^\$\([a-z-]+\)$/.test(icon ?? '')),
    ).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('of menus, keys and variables exist, and every command is somewhere', () => {
    const used = [...items, ...contributes.keybindings].map(({ command }) => command);
    const variables: string[] = Object.values(debuggerEntry.variables);
    expect([...used, ...variables].filter((command) => !ids.includes(command))).toEqual([]);
    expect(ids.filter((command) => ![...used, ...variables].includes(command))).toEqual([]);
  });

  test('are registered by the extension, all of them and each once', async () => {
    reset();
    const { start } = await import('../../src/extension/start.ts');
    start({ subscriptions: [], workspaceState: { get: (_: string, usual: unknown) => usual } } as never, () => new Promise(() => {}));
    expect([...world.commands.keys()].sort()).toEqual([...ids].sort());
  });

  test('that want a row of a view or of the variables are not in the palette', () => {
    const shown = ids.filter((command) => !menus['commandPalette']?.some((item) => item.command === command && item.when === 'false'));
    const wantRow = ['view/item/context', 'debug/variables/context'].flatMap((menu) => menus[menu]?.map(({ command }) => command) ?? []);
    expect(shown.filter((command) => wantRow.includes(command))).toEqual([]);
  });
});

describe('when clauses', () => {
  /** The editor's own keys that are used, and ours. */
  const KEYS = [
    'resourceExtname', 'explorerResourceIsFolder', 'activeEditor',
    'editorTextFocus', 'debugType', 'debugState', 'debugConfigurationType',
    'callStackItemType', 'debugProtocolVariableMenuContext', 'view', 'viewItem', 'exitpoint.idleCodesShown',
  ]; // biome-ignore format: read as one list

  test('name only keys that there are', () => {
    const named = whens.flatMap((when) =>
      when
        .replace(/=~ \/(?:[^/\\]|\\.)*\/i?/g, '')
        .replace(/[!=]= ('[^']*'|[\w.]+)/g, '')
        .split(/&&|\|\|/)
        .map((key) => key.replace(/^[\s(!]*|[\s)]+$/g, '')),
    );
    expect([...new Set(named)].filter((key) => !KEYS.includes(key) && key !== 'false')).toEqual([]);
  });

  test('have regular expressions that compile, and match what they are for', () => {
    const expressions = whens.flatMap((when) =>
      [...when.matchAll(/=~ \/((?:[^/\\]|\\.)*)\/(i?)/g)].map(([, source, flags]) => new RegExp(source as string, flags)),
    );
    const files = expressions.filter(({ source }) => source.includes('rom'));
    expect(files.length).toBeGreaterThan(4);
    for (const expression of files) {
      for (const name of ['.rom', '.BIN', '.fd']) expect(name).toMatch(expression);
      for (const name of ['.roms', 'rom', '.txt']) expect(name).not.toMatch(expression);
    }
  });

  test('name only views that there are', () => {
    const views: string[] = contributes.views.debug.map(({ id }: { id: string }) => id);
    const named = whens.flatMap((when) => [...when.matchAll(/view == ([\w.]+)/g)].map(([, view]) => view as string));
    expect(
      [...named, ...contributes.viewsWelcome.map(({ view }: { view: string }) => view)].filter((view) => !views.includes(view)),
    ).toEqual([]);
    expect(new Set(named)).toEqual(new Set(views));
  });

  test('take over F5 only for images that no text editor shows, and never from a configuration that is selected', () => {
    for (const { key, when } of contributes.keybindings as (Item & { key: string })[]) {
      expect(key).toMatch(/f5$/);
      expect(when).toContain("debugState == 'inactive' && !debugConfigurationType");
      expect(when).not.toContain('asm');
    }
  });
});

describe('the debugger', () => {
  test('is of the type that the extension registers', () => {
    expect(debuggerEntry.type).toBe(DEBUG_TYPE);
    expect(manifest.activationEvents).toEqual([`onDebugResolve:${DEBUG_TYPE}`, `onDebugDynamicConfigurations:${DEBUG_TYPE}`]);
  });

  test('has the attributes that the debugger understands', () => {
    expect(debuggerEntry.configurationAttributes.launch).toEqual(JSON.parse(JSON.stringify(attributesSchema())));
  });

  test('takes breakpoints in every language that F5 works in, our own first', () => {
    expect(contributes.breakpoints.map(({ language }: { language: string }) => language)).toEqual(debuggerEntry.languages);
    expect(debuggerEntry.languages[0]).toBe(contributes.languages[0].id);
  });

  /** The text that a snippet inserts, as a value: `^"…"` stands for what it quotes, `${1:x}` for x. */
  const inserted = (value: unknown): unknown => {
    if (typeof value === 'string') {
      const raw = value.startsWith('^') ? (JSON.parse(value.slice(1).replaceAll('\\$', '\\\\$')) as string) : value;
      return raw.replace(/(?<!\\)\$\{\d+:([^}]*)\}/g, '$1').replaceAll('\\$', '$');
    }
    if (Array.isArray(value)) return value.map(inserted);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inserted(one)]));
    return value;
  };

  test.each(debuggerEntry.configurationSnippets as { label: string; description: string; body: Record<string, unknown> }[])(
    'snippet "$label" is a configuration that is understood',
    ({ label, description, body }) => {
      expect(label).toMatch(/^Exitpoint: /);
      expect(description).toMatch(/\.$/);
      const configuration = inserted(body) as Record<string, unknown>;
      expect(configuration).toMatchObject({
        type: DEBUG_TYPE,
        request: 'launch',
        program: expect.stringMatching(/^\$\{workspaceFolder\}\/\w+\.\w+$/),
      });
      expect(parseConfiguration(configuration).program).toBe(configuration['program']);
    },
  );

  test.each(debuggerEntry.initialConfigurations as { name: string }[])('initial configuration "$name" is understood', (configuration) => {
    expect(parseConfiguration(configuration).program).toBe('${file}');
  });
});

describe('files', () => {
  test('that the manifest names exist', () => {
    const files = [manifest.icon, ...contributes.languages.map(({ configuration }: { configuration: string }) => configuration)];
    expect(files.filter((file) => !fs.existsSync(path.join(ROOT, file)))).toEqual([]);
    for (const { configuration } of contributes.languages) expect(JSON.parse(read(configuration)).comments).toEqual({ lineComment: ';' });
  });

  test('the icon is a PNG of at least 128 by 128', () => {
    const png = fs.readFileSync(path.join(ROOT, manifest.icon));
    expect(png.subarray(1, 4).toString('latin1')).toBe('PNG');
    expect(Math.min(png.readUInt32BE(16), png.readUInt32BE(20))).toBeGreaterThanOrEqual(128);
  });

  test('the bundles are built from the two mains', () => {
    const script = read('esbuild.mjs');
    for (const [main, file] of [
      ['src/extension/node.ts', manifest.main],
      ['src/extension/browser.ts', manifest.browser],
    ] as const)
      expect(script).toMatch(new RegExp(`${main}'\\], outfile: '${file.slice(2)}'`));
  });
});

test('the adapter knows every request of the views and sends every event, by the same name', () => {
  const adapter = sourceFiles()
    .filter((file) => file.startsWith('src/dap/'))
    .map(read)
    .join('\n');
  expect([...Object.values(ViewRequest), ...Object.values(ViewEvent)].filter((name) => !adapter.includes(`'${name}'`))).toEqual([]);
  expect(new Set([...adapter.matchAll(/'(exitpoint\/\w+)'/g)].map(([, name]) => name))).toEqual(
    new Set([...Object.values(ViewRequest), ...Object.values(ViewEvent)]),
  );
});
