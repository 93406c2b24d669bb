/** The two trees, the menus' commands, the terminals and the squiggles, with sessions that answer by themselves. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ExitsTree, IpisTree } from '../../src/debugger/trees.ts';
import { start } from '../../src/extension/start.ts';
import { ViewEvent } from '../../src/views/protocol.ts';
import { reset, type Session, session, type TreeItem, Uri, world } from './vscode.ts';

vi.mock('vscode', () => import('./vscode.ts'));

const exits = (count: number, action: 'off' | 'break' | 'log' | 'both' = 'off'): ExitsTree => ({
  total: count,
  groups: [
    {
      group: 'mmio',
      label: 'Device access',
      count,
      codes: [
        { code: 'MMIO_EMUL', about: '', count, action, last: count, ...(count > 0 ? { place: { file: '/ws/a.asm', line: 7 } } : {}) },
        { code: 'MMIO', about: 'to userspace', count: 0, action: 'off', last: 0 },
      ],
    },
  ],
});
const ipis: IpisTree = {
  sent: 1,
  refusedTargets: 1,
  ipis: [
    {
      number: 1,
      exit: 2,
      what: 'SIPI 08',
      route: 'vCPU0 → ID 03',
      reached: 0,
      refused: 1,
      targets: [{ who: 'vCPU3', vcpus: [3], fate: 'refused', word: 'ignored', reason: 'already running' }],
      place: { file: '/ws/a.asm', line: 9 },
      sentence: 'SIPI 08 was refused by vCPU3.',
      timeNs: 0,
    },
  ],
};

const kept = new Map<string, unknown>();
let context: { subscriptions: { dispose(): unknown }[] };

beforeEach(() => {
  vi.useFakeTimers();
  reset();
  kept.clear();
  const workspaceState = {
    get: (key: string, usual: unknown) => kept.get(key) ?? usual,
    update: async (key: string, value: unknown) => kept.set(key, value),
  };
  context = { subscriptions: [], workspaceState } as never;
  start(context as never, () => new Promise(() => {}));
});
afterEach(() => {
  for (const one of context.subscriptions) one.dispose();
  vi.useRealTimers();
});

const begin = async (one: Session): Promise<void> => {
  world.activeSession = one;
  world.events.started.fire(one);
  world.events.active.fire(one);
  await vi.advanceTimersByTimeAsync(300);
};
const view = (id: string) => world.views.get(`exitpoint.${id}`)!;
const rows = (id: string, of?: unknown): unknown[] => view(id).treeDataProvider.getChildren(of);
const shown = (id: string, row: unknown): TreeItem & Record<string, unknown> => view(id).treeDataProvider.getTreeItem(row) as never;
const labels = (id: string, of?: unknown): string[] => rows(id, of).map((row) => shown(id, row).label);
const run = (id: string, ...args: unknown[]): Promise<unknown> => Promise.resolve(world.commands.get(`exitpoint.${id}`)?.(...args));

describe('VM Exits', () => {
  test('follows the focused session, and another debugger’s session does not disturb it', async () => {
    const a = session('a', { 'exitpoint/exits': exits(3) });
    const b = session('b', { 'exitpoint/exits': exits(5) });
    await begin(a);
    expect(view('exits').description).toBe('3 exits · 1 idle code hidden');
    await begin(b);
    expect(view('exits').description).toBe('5 exits · 1 idle code hidden');
    world.events.active.fire(session('x', {}, { type: 'node' }));
    world.events.active.fire(a);
    await vi.advanceTimersByTimeAsync(300);
    expect(view('exits').description).toBe('3 exits · 1 idle code hidden');
  });

  test('falls back to the session that is left, and is empty without one', async () => {
    const a = session('a', { 'exitpoint/exits': exits(3) });
    const b = session('b', { 'exitpoint/exits': exits(5) });
    await begin(a);
    await begin(b);
    world.events.terminated.fire(b);
    await vi.advanceTimersByTimeAsync(300);
    expect(view('exits').description).toBe('3 exits · 1 idle code hidden');
    world.events.terminated.fire(a);
    await vi.advanceTimersByTimeAsync(300);
    expect(rows('exits')).toEqual([]);
  });

  test('asks at most five times a second, however often the machine tells of changes', async () => {
    const a = session('a', { 'exitpoint/exits': exits(3), 'exitpoint/ipis': ipis });
    await begin(a);
    a.asked.length = 0;
    for (let i = 0; i < 100; i++) {
      world.events.custom.fire({ session: a, event: ViewEvent.changed });
      await vi.advanceTimersByTimeAsync(10);
    }
    const asked = a.asked.filter(([name]) => name === 'exitpoint/exits').length;
    expect(asked).toBeGreaterThanOrEqual(4);
    expect(asked).toBeLessThanOrEqual(6);
  });

  test('asks for nothing while it cannot be seen, and catches up when it can', async () => {
    view('exits').visible = false;
    const a = session('a', { 'exitpoint/exits': exits(3) });
    await begin(a);
    expect(a.asked.map(([name]) => name)).not.toContain('exitpoint/exits');
    view('exits').visible = true;
    view('exits').visibility.fire({});
    await vi.advanceTimersByTimeAsync(300);
    expect(labels('exits')).toEqual(['Device access']);
  });

  test('stops at a code when its box is ticked, and remembers it for the workspace', async () => {
    const a = session('a', { 'exitpoint/exits': exits(3, 'log') });
    await begin(a);
    const [group] = rows('exits');
    const [code] = rows('exits', group);
    view('exits').checkboxes.fire({ items: [[code, 1]] });
    await vi.advanceTimersByTimeAsync(300);
    expect(a.asked).toContainEqual(['exitpoint/setExit', { code: 'MMIO_EMUL', action: 'both' }]);
    expect(kept.get('exits')).toEqual({ MMIO_EMUL: 'both' });
  });

  test('ticking a group is for all of its codes, hidden ones too', async () => {
    const a = session('a', { 'exitpoint/exits': exits(3) });
    await begin(a);
    view('exits').checkboxes.fire({ items: [[rows('exits')[0], 1]] });
    await vi.advanceTimersByTimeAsync(300);
    expect(kept.get('exits')).toEqual({ MMIO_EMUL: 'break', MMIO: 'break' });
  });

  test('logging is an action of its own, and all choices are dropped at once', async () => {
    const a = session('a', { 'exitpoint/exits': exits(3, 'both') });
    await begin(a);
    const [code] = rows('exits', rows('exits')[0]);
    await run('stopLoggingExits', code);
    expect(a.asked).toContainEqual(['exitpoint/setExit', { code: 'MMIO_EMUL', action: 'break' }]);
    await run('clearExits');
    expect(kept.get('exits')).toEqual({ MMIO_EMUL: 'off' });
  });

  test('says why when the machine refuses, and remembers nothing', async () => {
    const a = session('a', { 'exitpoint/exits': exits(3), 'exitpoint/setExit': new Error('No such code.') });
    await begin(a);
    await run('logExits', rows('exits', rows('exits')[0])[0]);
    expect(world.errors).toEqual(['No such code.']);
    expect(kept.get('exits') ?? {}).toEqual({});
  });

  test('shows idle codes on demand', async () => {
    await begin(session('a', { 'exitpoint/exits': exits(3) }));
    expect(labels('exits', rows('exits')[0])).toEqual(['MMIO_EMUL']);
    await run('showIdleCodes');
    expect(labels('exits', rows('exits')[0])).toEqual(['MMIO_EMUL', 'MMIO']);
    expect(world.executed).toContainEqual(['setContext', 'exitpoint.idleCodesShown', true]);
  });

  test('leads to the line of the newest exit, and copies a code as a breakpoint', async () => {
    world.files.set('file:///ws/a.asm', new Uint8Array(1));
    await begin(session('a', { 'exitpoint/exits': exits(3) }));
    const [code] = rows('exits', rows('exits')[0]);
    await run('showLastExit', code);
    expect(world.opened).toMatchObject([{ uri: 'file:///ws/a.asm' }]);
    await run('copyExitBreakpoint', code);
    expect(world.clipboard).toBe('exit:MMIO_EMUL');
  });

  test('gives every row a shape, a box and a label to be spoken', async () => {
    await begin(session('a', { 'exitpoint/exits': exits(3, 'break') }));
    const [group] = rows('exits');
    expect(shown('exits', group)).toMatchObject({
      id: 'group:mmio',
      collapsibleState: 2,
      iconPath: { id: 'primitive-square', color: { id: 'charts.blue' } },
      checkboxState: { state: 0 },
      accessibilityInformation: { label: 'Device access, 3 exits, 1 of 2 break' },
    });
    expect(shown('exits', rows('exits', group)[0])).toMatchObject({
      id: 'code:MMIO_EMUL',
      collapsibleState: 0,
      checkboxState: { state: 1 },
    });
  });
});

describe('IPIs', () => {
  test('shows targets below their IPI, open where one was refused', async () => {
    await begin(session('a', { 'exitpoint/ipis': ipis }));
    expect(view('ipis').description).toBe('1 sent · 1 refused');
    const [ipi] = rows('ipis');
    expect(shown('ipis', ipi)).toMatchObject({
      label: 'i#1  SIPI 08',
      collapsibleState: 2,
      iconPath: { id: 'close', color: { id: 'charts.red' } },
    });
    expect(shown('ipis', rows('ipis', ipi)[0])).toMatchObject({
      label: 'vCPU3 ignored',
      description: 'already running',
      collapsibleState: 0,
    });
  });

  test('a click leads to the store', async () => {
    world.files.set('file:///ws/a.asm', new Uint8Array(1));
    await begin(session('a', { 'exitpoint/ipis': ipis }));
    const { command } = shown('ipis', rows('ipis')[0]) as unknown as { command: { command: string; arguments: unknown[] } };
    await run(command.command.replace('exitpoint.', ''), ...command.arguments);
    expect(world.opened).toMatchObject([{ uri: 'file:///ws/a.asm', options: { selection: { numbers: [{ line: 8 }, { line: 8 }] } } }]);
  });

  test('says that a file is gone instead of failing', async () => {
    await begin(session('a', { 'exitpoint/ipis': ipis }));
    await run('showStore', rows('ipis')[0]);
    expect(world.errors).toEqual(['/ws/a.asm cannot be opened.']);
  });

  test('adds a function breakpoint on what became of it, once', async () => {
    await begin(session('a', { 'exitpoint/ipis': ipis }));
    const [target] = rows('ipis', rows('ipis')[0]);
    await run('breakOnIpi', target);
    await run('breakOnIpi', target);
    expect(world.breakpoints.map(({ functionName }) => functionName)).toEqual(['ipi:SIPI->3=refused']);
  });
});

describe('commands', () => {
  const thread = { sessionId: 'a', threadId: 'thread:a:3' };

  test.each([
    ['stepInstructionAlone', 'exitpoint/step', { threadId: 3, kind: 'in', granularity: 'instruction', alone: true }],
    ['stepLineAlone', 'exitpoint/step', { threadId: 3, kind: 'in', granularity: 'line', alone: true }],
    ['continueAlone', 'exitpoint/continueAlone', { threadId: 3 }],
  ])('%s of the Call Stack is for the vCPU of its row', async (id, name, args) => {
    const a = session('a');
    await begin(a);
    await run(id, 3, thread);
    expect(a.asked).toContainEqual([name, args]);
  });

  test('of the Call Stack are for the focused vCPU when they come from the palette', async () => {
    const a = session('a');
    await begin(a);
    world.activeStackItem = { session: a, threadId: 2 };
    await run('continueAlone');
    expect(a.asked).toContainEqual(['exitpoint/continueAlone', { threadId: 2 }]);
    world.activeStackItem = undefined;
    await run('continueAlone');
    expect(world.errors).toEqual(['Choose a vCPU in the Call Stack first.']);
  });

  test('show why the machine refuses', async () => {
    await begin(session('a', { 'exitpoint/continueAlone': new Error('The machine runs already.') }));
    await run('continueAlone', 3, thread);
    expect(world.errors).toEqual(['The machine runs already.']);
  });

  test('break on a register of the Variables view, by its expression', async () => {
    const register = { variable: { name: 'ICR_LO', evaluateName: 'lapic.icr_lo' } };
    await run('breakOnWrite', register);
    await run('breakOnAccess', register);
    await run('breakOnWrite', { variable: { name: 'without an expression' } });
    expect(world.breakpoints.map(({ functionName }) => functionName)).toEqual(['lapic.icr_lo:w', 'lapic.icr_lo:rw']);
  });

  test('start the program of the explorer, or the open one, or one that is chosen; with and without debugging', async () => {
    world.activeEditor = Uri.file('/ws/open.asm');
    await run('debugFile', Uri.file('/ws/boot.rom'));
    await run('runFile');
    expect(world.launched).toEqual([
      { type: 'exitpoint', request: 'launch', name: 'boot.rom', program: '/ws/boot.rom', noDebug: false },
      { type: 'exitpoint', request: 'launch', name: 'open.asm', program: '/ws/open.asm', noDebug: true },
    ]);
    world.activeEditor = undefined;
    expect(await run('debugFile')).toBe(false);
  });

  test('give launch.json the path of a chosen program, and nothing when none is chosen', async () => {
    world.dialog = [Uri.parse('vscode-vfs://github/o/r/a.rom')];
    expect(await run('pickProgram')).toBe('vscode-vfs://github/o/r/a.rom');
    world.dialog = undefined;
    expect(await run('pickProgram')).toBeUndefined();
  });

  test('say in the Debug Console why the machine stopped', async () => {
    const a = session('a', { evaluate: { result: 'headline\nsentence' } });
    await begin(a);
    await run('showWhy');
    expect(a.asked).toContainEqual(['evaluate', { expression: '.why', context: 'repl' }]);
    expect(world.console).toEqual(['headline\nsentence']);
  });
});

describe('consoles', () => {
  const say = (one: Session, text: string, stream = 'serial'): void =>
    world.events.custom.fire({ session: one, event: ViewEvent.console, body: { stream, base64: btoa(text) } });
  /** Opens the terminal; gives what it shows from then on. */
  const watch = (index: number): string[] => {
    const seen: string[] = [];
    const { pty } = world.terminals[index]!;
    pty.onDidWrite((text) => seen.push(text));
    pty.open();
    return seen;
  };

  test('get a terminal when they say something, and lose nothing that came before it was ready', () => {
    const a = session('icrlo');
    expect(world.terminals).toEqual([]);
    say(a, 'one\n');
    say(a, 'two');
    expect(world.terminals.map(({ name }) => name)).toEqual(['Serial: icrlo.asm']);
    const seen = watch(0);
    say(a, '!');
    expect(seen).toEqual(['one\r\ntwo', '!']);
  });

  test('have one terminal each', () => {
    const [a, b] = [session('a'), session('b')];
    say(a, 'x');
    say(b, 'x');
    say(a, 'x', 'debugcon');
    expect(world.terminals.map(({ name }) => name)).toEqual(['Serial: a.asm', 'Serial: b.asm', 'Debug console port: a.asm']);
  });

  test('keep their text when the session ends; the next session of the program takes the terminal over', () => {
    const [a, again] = [session('a'), session('again', {}, { configuration: { program: '/ws/a.asm' } })];
    say(a, 'first');
    const seen = watch(0);
    world.events.terminated.fire(a);
    expect(seen.join('')).toMatch(/^first[^]*The session has ended\./);
    seen.length = 0;
    say(again, 'second');
    expect(world.terminals).toHaveLength(1);
    expect(seen[0]).toContain('\x1b[2J');
    expect(seen.at(-1)).toBe('second');
  });

  test('begin anew when the session is restarted', () => {
    const a = session('a');
    say(a, 'first');
    const seen = watch(0);
    for (const factory of world.trackers)
      factory.createDebugAdapterTracker(a).onWillReceiveMessage?.({ type: 'request', command: 'restart' });
    expect(seen.at(-1)).toContain('\x1b[2J');
  });

  test('stay away once the user has closed their terminal', () => {
    const a = session('a');
    say(a, 'x');
    world.terminals[0]?.pty.close();
    say(a, 'y');
    expect(world.terminals).toHaveLength(1);
  });

  test('of other debuggers are none of ours', () => {
    say(session('n', {}, { type: 'node' }), 'x');
    expect(world.terminals).toEqual([]);
  });
});

describe('diagnostics', () => {
  test('stand at their place until the next launch of the program says something else', () => {
    const a = session('a');
    const diagnostics = [{ severity: 'error', line: 3, column: 9, length: 4, message: 'no such instruction' }];
    world.events.custom.fire({ session: a, event: ViewEvent.diagnostics, body: { file: '/ws/a.asm', diagnostics } });
    expect(world.diagnostics.get('file:///ws/a.asm')).toMatchObject([
      { message: 'no such instruction', severity: 0, source: 'Exitpoint', range: { numbers: [2, 8, 2, 12] } },
    ]);
    world.events.custom.fire({ session: a, event: ViewEvent.diagnostics, body: { file: '/ws/a.asm', diagnostics: [] } });
    expect(world.diagnostics.get('file:///ws/a.asm')).toEqual([]);
  });
});

test('a session gets an adapter of its own, and the extension’s end is the end of all of them', async () => {
  const ended: string[] = [];
  for (const one of context.subscriptions) one.dispose();
  reset();
  context = { ...context, subscriptions: [] };
  let workers = 0;
  start(context as never, async () => {
    const name = `worker ${++workers}`;
    return { postMessage: () => {}, terminate: () => ended.push(name) };
  });
  const [factory] = world.factories;
  const made = ['a', 'b'].map((id) => factory!.createDebugAdapterDescriptor(session(id)).implementation as { dispose(): void });
  expect(made[0]).not.toBe(made[1]);
  made[0]!.dispose();
  await vi.advanceTimersByTimeAsync(0);
  expect(ended).toEqual(['worker 1']);
  for (const one of context.subscriptions) one.dispose();
  context.subscriptions = [];
  await vi.advanceTimersByTimeAsync(0);
  expect(ended).toEqual(['worker 1', 'worker 2']);
});

test('nothing is asked for or started by activation itself', () => {
  expect(world.executed).toEqual([]);
  expect(world.terminals).toEqual([]);
});
