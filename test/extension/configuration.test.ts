/** From launch.json, or from nothing, to what the adapter gets. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { ExitChoices, withChoices } from '../../src/extension/choices.ts';
import { ConfigurationProvider } from '../../src/extension/configuration.ts';
import { reset, Uri, world } from './vscode.ts';

vi.mock('vscode', () => import('./vscode.ts'));

const memory = (initial: Record<string, unknown> = {}) => {
  const values = new Map(Object.entries(initial));
  return {
    keys: () => [...values.keys()],
    get: (key: string, usual: unknown) => values.get(key) ?? usual,
    update: async (key: string, value: unknown) => void values.set(key, value),
  };
};
const choices = (exits: Record<string, unknown> = {}) => new ExitChoices(memory({ exits }) as never);
const provider = (exits: Record<string, unknown> = {}) => new ConfigurationProvider(choices(exits));
const folder = (uri: string) => ({ name: 'ws', uri: Uri.parse(uri), index: 0 });
const resolve = (configuration: object) => provider().resolveDebugConfiguration(undefined, configuration as never);
const substituted = (configuration: object, of: ReturnType<typeof folder> | undefined = folder('file:///ws'), exits = {}) =>
  provider(exits).resolveDebugConfigurationWithSubstitutedVariables(of as never, configuration as never);

beforeEach(() => {
  reset();
  world.folders = [{ name: 'ws', uri: Uri.parse('file:///ws') }];
});

describe('F5 without launch.json', () => {
  test('debugs the source in the text editor', async () => {
    world.activeEditor = Uri.file('/ws/samples/icrlo.asm');
    expect(await resolve({})).toEqual({ type: 'exitpoint', request: 'launch', name: 'icrlo.asm', program: '/ws/samples/icrlo.asm' });
  });

  test.each(['rom', 'bin', 'fd', 'FD'])('debugs a .%s that a hex editor shows', async (ending) => {
    world.activeTab = { uri: Uri.file(`/ws/boot.${ending}`), viewType: 'hexEditor.hexedit' };
    expect(await resolve({})).toMatchObject({ type: 'exitpoint', program: `/ws/boot.${ending}` });
  });

  test('names the file by its URI where files have no paths', async () => {
    world.activeTab = { uri: Uri.parse('vscode-vfs://github/owner/repo/a b.asm') };
    expect(await resolve({})).toMatchObject({ name: 'a b.asm', program: 'vscode-vfs://github/owner/repo/a%20b.asm' });
  });

  test('asks for a program when the open file is none, and starts nothing without an answer', async () => {
    world.activeEditor = Uri.file('/ws/notes.txt');
    expect(await resolve({})).toBeUndefined();
    expect(world.errors).toEqual(['notes.txt is no program. Exitpoint runs ROMs (.rom, .bin, .fd) and assembly source (.asm).']);
  });

  test('in the listing of a session that has ended debugs its program once more', async () => {
    const one = provider();
    world.files.set('file:///ws/boot.rom', new Uint8Array(1));
    world.activeTab = { uri: Uri.parse('debug:FFFFF000–FFFFFFFF.asm?session=1') };
    expect(await one.resolveDebugConfiguration(undefined, {} as never)).toBeUndefined();
    await one.resolveDebugConfigurationWithSubstitutedVariables(undefined, { program: '/ws/boot.rom' } as never);
    expect(await one.resolveDebugConfiguration(undefined, {} as never)).toMatchObject({ program: '/ws/boot.rom' });
  });

  test('does not take a text that was never saved for a program', async () => {
    world.activeTab = { uri: Uri.parse('untitled:new.asm') };
    expect(await resolve({})).toBeUndefined();
    expect(world.errors).toHaveLength(1);
  });

  test('debugs the program that is chosen instead', async () => {
    world.answer = 'Choose a Program…';
    world.dialog = [Uri.file('/else/boot.rom')];
    expect(await resolve({})).toMatchObject({ type: 'exitpoint', program: '/else/boot.rom' });
    expect(world.errors[0]).toMatch(/^No program is open\./);
  });
});

describe('a configuration of launch.json', () => {
  test('that names its program is left alone before its variables are replaced', async () => {
    const configuration = { type: 'exitpoint', request: 'launch', name: 'mine', program: '${file}', seed: 7 };
    expect(await resolve(configuration)).toBe(configuration);
  });

  test('that names none means the open file, and keeps the rest', async () => {
    world.activeEditor = Uri.file('/ws/icrlo.asm');
    expect(await resolve({ type: 'exitpoint', request: 'launch', name: 'mine', cpus: 4 })).toEqual({
      type: 'exitpoint', request: 'launch', name: 'mine', cpus: 4, program: '/ws/icrlo.asm',
    }); // biome-ignore format: one line is enough
  });

  test.each([
    ['file:///ws', 'sub/boot.asm', 'file:///ws/sub/boot.asm', '/ws/sub/boot.asm'],
    ['file:///ws', './boot.asm', 'file:///ws/boot.asm', '/ws/boot.asm'],
    ['file:///ws', '/else/boot.asm', 'file:///else/boot.asm', '/else/boot.asm'],
    ['vscode-remote://host/ws', '/ws/boot.asm', 'vscode-remote://host/ws/boot.asm', 'vscode-remote://host/ws/boot.asm'],
    ['vscode-remote://host/ws', 'sub/boot.asm', 'vscode-remote://host/ws/sub/boot.asm', 'vscode-remote://host/ws/sub/boot.asm'],
    ['file:///ws', 'vscode-vfs://github/o/r/boot.asm', 'vscode-vfs://github/o/r/boot.asm', 'vscode-vfs://github/o/r/boot.asm'],
  ])('in %s, program %s is the file %s', async (of, program, file, named) => {
    world.files.set(file, new Uint8Array(1));
    expect(await substituted({ program }, folder(of))).toMatchObject({ program: named });
    expect(world.errors).toEqual([]);
  });

  test('with a program that does not exist says so, and takes another that is chosen', async () => {
    world.answer = 'Choose a Program…';
    world.files.set('file:///ws/there.asm', new Uint8Array(1));
    world.pick = (items) => items[0];
    expect(await substituted({ program: '/ws/gone.asm' })).toMatchObject({ program: '/ws/there.asm' });
    expect(world.errors).toEqual(['There is no file /ws/gone.asm.']);
  });

  test('starts nothing when its program does not exist and no other is chosen', async () => {
    expect(await substituted({ program: '/ws/gone.asm' })).toBeUndefined();
  });

  test('refuses a folder as program', async () => {
    world.files.set('file:///ws/build', null);
    expect(await substituted({ program: '/ws/build' })).toBeUndefined();
    expect(world.errors).toEqual(['/ws/build is a folder; a ROM or a source file is wanted.']);
  });
});

describe('what was chosen in VM Exits', () => {
  const chosen = { HLT: 'log', INST_EMUL: 'break', INOUT: 'both', MMIO: 'off' } as const;

  test('holds for the next session', async () => {
    world.files.set('file:///ws/a.asm', new Uint8Array(1));
    expect(await substituted({ program: 'a.asm' }, undefined, chosen)).toMatchObject({
      exits: { break: ['INST_EMUL', 'INOUT'], log: ['HLT', 'INOUT'] },
    });
  });

  test('adds nothing to a configuration when nothing was chosen', async () => {
    world.files.set('file:///ws/a.asm', new Uint8Array(1));
    expect(await substituted({ program: 'a.asm' })).not.toHaveProperty('exits');
  });

  test('gives way to each list that the configuration has itself', () => {
    expect(withChoices({ break: [] }, chosen)).toEqual({ break: [], log: ['HLT', 'INOUT'] });
    expect(withChoices({ break: ['fatal'], log: ['*'] }, chosen)).toEqual({ break: ['fatal'], log: ['*'] });
  });

  test('leaves alone what is no object: the adapter says what is wrong with it', () => {
    expect(withChoices('INST_EMUL' as never, chosen)).toBe('INST_EMUL');
  });

  test('is kept code by code', async () => {
    const kept = choices({ HLT: 'log' });
    await kept.set({ INOUT: 'break' });
    await kept.set({ HLT: 'off' });
    expect(kept.all).toEqual({ HLT: 'off', INOUT: 'break' });
  });
});

describe('configurations that are offered', () => {
  test('begin with the open program, and can be written into launch.json as they are', async () => {
    for (const name of ['a.asm', 'sub/b.rom']) world.files.set(`file:///ws/${name}`, new Uint8Array(1));
    world.activeEditor = Uri.file('/ws/sub/b.rom');
    expect(await provider().provideDebugConfigurations()).toEqual([
      { type: 'exitpoint', request: 'launch', name: 'b.rom', program: '${workspaceFolder}/sub/b.rom' },
      { type: 'exitpoint', request: 'launch', name: 'a.asm', program: '${workspaceFolder}/a.asm' },
    ]);
  });

  test('name their folder where there are several', async () => {
    world.folders?.push({ name: 'other', uri: Uri.parse('file:///other') });
    world.activeEditor = Uri.file('/other/a.asm');
    expect(await provider().provideDebugConfigurations()).toMatchObject([{ program: '${workspaceFolder:other}/a.asm' }]);
  });
});
