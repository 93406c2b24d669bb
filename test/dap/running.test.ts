import { describe, expect, test } from 'vitest';
import { type Body, Client, sample } from './client.ts';
import { bootrom, file, spinning } from './guest.ts';

const icrlo = { program: sample('icrlo'), seed: 42, cpus: 4 };
type Frame = { readonly name: string; readonly line: number; readonly source?: { readonly path?: string } };

const top = async (client: Client, threadId: number): Promise<Frame> =>
  ((await client.ask('stackTrace', { threadId }))['stackFrames'] as Frame[])[0] as Frame;

/** Sends a request that makes the machine run, and gives where it stops. */
async function go(client: Client, command: string, args: object): Promise<Body> {
  await client.ask(command, args);
  return client.next('stopped');
}

describe('stepping', () => {
  test('goes line by line: into a call, over it, and out of it', async () => {
    const client = Client.inProcess();
    await client.launched(icrlo, () => client.ask('setBreakpoints', { source: { path: icrlo.program }, breakpoints: [{ line: 36 }] }));
    expect(await go(client, 'continue', { threadId: 1 })).toMatchObject({ reason: 'breakpoint', threadId: 1 });
    expect(await go(client, 'stepIn', { threadId: 1 })).toMatchObject({ reason: 'step', threadId: 1 });
    expect(await top(client, 1)).toMatchObject({ name: 'wake_aps', line: 41 });
    await go(client, 'next', { threadId: 1, granularity: 'line' });
    expect(await top(client, 1)).toMatchObject({ line: 42 });
    await go(client, 'next', { threadId: 1 });
    await go(client, 'next', { threadId: 1 });
    expect(await top(client, 1)).toMatchObject({ name: 'wake_aps', line: 44 });
  });

  test('goes instruction by instruction when that is asked for', async () => {
    const client = Client.inProcess();
    const { body } = { body: await client.launched(icrlo) };
    expect(body).toMatchObject({ reason: 'entry' });
    await go(client, 'stepIn', { threadId: 1, granularity: 'instruction' });
    const first = await top(client, 1);
    await go(client, 'stepIn', { threadId: 1, granularity: 'instruction' });
    expect((await top(client, 1)).line).toBe(first.line + 1);
  });

  test('of one vCPU alone leaves the others where they are', async () => {
    const client = Client.inProcess();
    const { threadId } = (await client.launched({ ...icrlo, stopOnEntry: false, stopOnApEntry: true })) as { threadId: number };
    const others = async (): Promise<unknown[]> =>
      Promise.all([1, 3, 4].map(async (threadId) => (await client.ask('stackTrace', { threadId, levels: 1 }))['stackFrames']));
    const withoutIds = (frames: unknown): unknown => JSON.parse(JSON.stringify(frames).replace(/"id":\d+,/g, ''));
    const before = withoutIds((await others()).filter((_, i) => [1, 3, 4][i] !== threadId));
    await go(client, 'exitpoint/step', { threadId, kind: 'in', granularity: 'instruction', alone: true });
    await go(client, 'next', { threadId, granularity: 'instruction', singleThread: true });
    expect(withoutIds((await others()).filter((_, i) => [1, 3, 4][i] !== threadId))).toEqual(before);
  });

  test('back is where the step began, at the beginning too', async () => {
    const client = Client.inProcess();
    await client.launched(icrlo);
    const before = await top(client, 1);
    await go(client, 'stepIn', { threadId: 1 });
    expect(await go(client, 'stepBack', { threadId: 1 })).toMatchObject({ reason: 'step' });
    const { id: _, ...here } = (await top(client, 1)) as Frame & { id: number };
    expect(before).toMatchObject(here);
    expect(await go(client, 'stepBack', { threadId: 1 })).toMatchObject({ threadId: 1 });
  });
});

describe('running', () => {
  test('continue and going back say that all vCPUs do; alone, that they do not', async () => {
    const client = Client.inProcess();
    await client.launched(icrlo, () => client.ask('setBreakpoints', { source: { path: icrlo.program }, breakpoints: [{ line: 41 }] }));
    expect(await client.ask('continue', { threadId: 1 })).toEqual({ allThreadsContinued: true });
    await client.next('stopped');
    await client.ask('setBreakpoints', { source: { path: icrlo.program }, breakpoints: [{ line: 42 }] });
    expect(await client.ask('continue', { threadId: 1, singleThread: true })).toEqual({ allThreadsContinued: false });
    expect(await client.next('stopped')).toMatchObject({ reason: 'breakpoint', threadId: 1 });
  });

  test('back to an earlier stop, and then to the beginning', async () => {
    const client = Client.inProcess();
    await client.launched(icrlo, () => client.ask('setBreakpoints', { source: { path: icrlo.program }, breakpoints: [{ line: 41 }] }));
    const there = await go(client, 'continue', { threadId: 1 });
    await go(client, 'next', { threadId: 1 });
    expect(await go(client, 'reverseContinue', { threadId: 1 })).toMatchObject({
      reason: 'breakpoint',
      hitBreakpointIds: there['hitBreakpointIds'],
    });
    await go(client, 'reverseContinue', { threadId: 1 });
    expect(await top(client, 1)).toMatchObject({ name: 'reset vector' });
  });

  test('is paused at full speed, with a stop of that vCPU', async () => {
    const client = Client.inProcess();
    await client.launched(spinning());
    await client.ask('continue', { threadId: 1 });
    expect(await client.refused('next', { threadId: 1 })).toBe('The machine is running; pause it first.');
    expect(await client.refused('stackTrace', { threadId: 1 })).toBe('The machine is running; pause it first.');
    expect(await client.ask('evaluate', { expression: '1 + 2' })).toMatchObject({ result: '3' });
    expect((await client.ask('threads'))['threads']).toHaveLength(1);
    await client.ask('pause', { threadId: 1 });
    expect(await client.next('stopped')).toMatchObject({ reason: 'pause', threadId: 1 });
  });

  test('takes breakpoints meanwhile', async () => {
    const client = Client.inProcess();
    const { program, cpus } = spinning();
    await client.launched({ program, cpus });
    await client.ask('continue', { threadId: 1 });
    const { breakpoints } = await client.ask('setBreakpoints', { source: { path: program }, breakpoints: [{ line: 1 }] });
    expect(breakpoints).toMatchObject([{ verified: true, line: 6 }]);
    expect(await client.next('stopped')).toMatchObject({ reason: 'breakpoint', threadId: 1 });
  });

  test('tells the views how far it is, at most five times a second', async () => {
    const client = Client.inProcess();
    await client.launched(spinning());
    await client.ask('continue', { threadId: 1 });
    const started = performance.now();
    await client.next('exitpoint/changed', ({ running }) => running === true);
    await client.next('exitpoint/changed', ({ running }) => running === true);
    expect(performance.now() - started).toBeGreaterThan(150);
    await client.ask('pause', { threadId: 1 });
    expect(await client.next('exitpoint/changed', ({ running }) => running === false)).toMatchObject({ vcpu: 0 });
  });
});

describe('setting where a vCPU goes on', () => {
  test('skips what lies between, and executes nothing', async () => {
    const client = Client.inProcess();
    const stopped = await client.launched({ ...icrlo, stopOnEntry: false }, () =>
      client.ask('setBreakpoints', { source: { path: icrlo.program }, breakpoints: [{ line: 41 }] }),
    );
    expect(stopped).toMatchObject({ reason: 'breakpoint' });
    const { targets } = (await client.ask('gotoTargets', { source: { path: icrlo.program }, line: 43 })) as { targets: { id: number }[] };
    expect(targets).toMatchObject([{ line: 43, label: 'line 43, FFFFF05Eh' }]);
    expect(await go(client, 'goto', { threadId: 1, targetId: targets[0]?.id })).toMatchObject({ reason: 'goto', threadId: 1 });
    expect(await top(client, 1)).toMatchObject({ line: 43 });
    await go(client, 'stepIn', { threadId: 1 });
    expect(await top(client, 1)).toMatchObject({ name: 'sleep' });
    expect((await client.ask('exitpoint/ipis'))['sent']).toBe(0);
    expect(await client.refused('goto', { threadId: 1, targetId: targets[0]?.id })).toBe(
      `The target ${targets[0]?.id} was of an earlier stop.`,
    );
  });

  test('goes to the line in the copy of the code that the processor runs', async () => {
    const client = Client.inProcess();
    const { threadId } = (await client.launched({ ...icrlo, stopOnEntry: false }, () =>
      client.ask('setBreakpoints', { source: { path: icrlo.program }, breakpoints: [{ line: 107 }] }),
    )) as { threadId: number };
    const { targets } = (await client.ask('gotoTargets', { source: { path: icrlo.program }, line: 106 })) as { targets: { id: number }[] };
    expect(await go(client, 'goto', { threadId, targetId: targets[0]?.id })).toMatchObject({ reason: 'goto', threadId });
    expect(await top(client, threadId)).toMatchObject({ line: 106, instructionPointerReference: `lin@${threadId - 1}:0x00008006` });
    await go(client, 'stepIn', { threadId });
    expect(await top(client, threadId)).toMatchObject({ line: 107 });
  });

  test('is refused where the segment does not reach, and where there is no code', async () => {
    const client = Client.inProcess();
    await client.launched({ program: file('reach.asm', bootrom('  jmp $')), cpus: 1 });
    expect(await client.ask('gotoTargets', { source: { path: '/other.asm' }, line: 1 })).toEqual({ targets: [] });
    const other = Client.inProcess();
    await other.launched({ ...icrlo, stopOnEntry: false, stopOnApEntry: true });
    const { targets } = (await other.ask('gotoTargets', { source: { path: icrlo.program }, line: 41 })) as { targets: { id: number }[] };
    expect(await other.refused('goto', { threadId: 4, targetId: targets[0]?.id })).toMatch(
      /^vCPU3 cannot go on at FFFFF04Fh: its CS begins at 00009000h/,
    );
  });
});

describe('the end of the machine', () => {
  /** There is nothing below the ROM: the VMM is asked to emulate an LIDT from there, and cannot. */
  const ending = (): { program: string; cpus: number } => ({ program: file('end.asm', bootrom('  lidt [cs:0]\n  int3')), cpus: 1 });

  test('is a stop: one can look, and go back; continuing ends the session', async () => {
    const client = Client.inProcess();
    await client.launched(ending());
    expect(await go(client, 'continue', { threadId: 1 })).toMatchObject({ reason: 'exception', threadId: 1 });
    const info = await client.ask('exceptionInfo', { threadId: 1 });
    expect(info).toMatchObject({ breakMode: 'unhandled', description: 'bhyve aborted the VM: opcode 0F 01 is not emulated on MMIO.' });
    expect(await client.refused('next', { threadId: 1 })).toMatch(/^The machine has ended/);
    await go(client, 'stepBack', { threadId: 1 });
    expect(await go(client, 'continue', { threadId: 1 })).toMatchObject({ reason: 'exception' });
    await client.ask('continue', { threadId: 1 });
    expect(await client.next('exited')).toEqual({ exitCode: 3 });
    await client.next('terminated');
  });
});

describe('a request that cannot be fulfilled', () => {
  test('says which argument is wrong', async () => {
    const client = Client.inProcess();
    await client.launched(icrlo);
    expect(await client.refused('next', {})).toBe('next: threadId is missing; a whole number from 1 to 4 is needed.');
    expect(await client.refused('next', { threadId: 5 })).toBe('next: threadId is 5; a whole number from 1 to 4 is needed.');
    expect(await client.refused('next', { threadId: 1, granularity: 'word' })).toMatch(
      /granularity is "word"; it may be statement, line, instruction/,
    );
    expect(await client.refused('stepBack', { threadId: 1, singleThread: true })).toMatch(/going back takes all vCPUs along/);
    expect(await client.refused('exceptionInfo', { threadId: 1 })).toBe('vCPU0 was not stopped by an exception.');
    expect(await client.refused('exitpoint/step', { threadId: 1, kind: 'up' })).toMatch(/kind is "up"/);
  });
});
