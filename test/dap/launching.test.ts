import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Client, sample } from './client.ts';
import { bootrom, file, spinning } from './guest.ts';

const icrlo = { program: sample('icrlo'), seed: 42, cpus: 4 };

describe('a session', () => {
  test('begins at the reset vector, with one thread for each vCPU', async () => {
    const client = Client.inProcess();
    const stopped = await client.launched(icrlo);
    expect(stopped).toMatchObject({ reason: 'entry', threadId: 1, allThreadsStopped: true });
    expect(await client.ask('threads')).toEqual({
      threads: [
        { id: 1, name: 'vCPU0 · BSP · real16' },
        { id: 2, name: 'vCPU1 · AP · never started' },
        { id: 3, name: 'vCPU2 · AP · never started' },
        { id: 4, name: 'vCPU3 · AP · never started' },
      ],
    });
  });

  test('says on the console what machine it is', async () => {
    const client = Client.inProcess();
    await client.launched(icrlo);
    const [said] = client.conversation.received.filter(({ event }) => event === 'output');
    expect(said?.['body']).toEqual({
      category: 'console',
      output: 'Exitpoint · icrlo.asm · 4 vCPUs · 128 MiB · bhyve · illumos · seed 42\n',
    });
  });

  test('runs at once when it is not to stop on entry', async () => {
    const client = Client.inProcess();
    const stopped = await client.launched({ ...icrlo, stopOnEntry: false });
    expect(stopped).toMatchObject({ reason: 'exception', threadId: 2 });
  });

  test('may be configured before it is launched', async () => {
    const client = Client.inProcess();
    await client.initialized();
    const early = await client.ask('setBreakpoints', { source: { path: icrlo.program }, breakpoints: [{ line: 41 }] });
    expect(early).toEqual({
      breakpoints: [{ verified: false, message: 'It is set once the machine stands.', reason: 'pending' }],
    });
    await client.ask('configurationDone');
    await client.ask('launch', { ...icrlo, stopOnEntry: false });
    const { breakpoint } = await client.next('breakpoint');
    expect(breakpoint).toMatchObject({ verified: true, line: 41 });
    expect(await client.next('stopped')).toMatchObject({ reason: 'breakpoint', hitBreakpointIds: [(breakpoint as { id: number }).id] });
  });

  test('ends with disconnect, in the middle of a run too, and answers everything after that with an error', async () => {
    const client = Client.inProcess();
    await client.launched(spinning());
    await client.ask('continue', { threadId: 1 });
    await client.ask('disconnect');
    expect(await client.refused('threads')).toBe('The session has ended.');
    const { length } = client.conversation.received;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(client.conversation.received.length).toBe(length);
  });

  test('ends with terminate', async () => {
    const client = Client.inProcess();
    await client.launched(icrlo);
    await client.ask('terminate');
    await client.next('terminated');
    expect(await client.refused('threads')).toBe('The session has ended.');
    await client.ask('disconnect');
  });

  test('is initialized, launched and configured once', async () => {
    const client = Client.inProcess();
    expect(await client.refused('threads')).toBe('threads: initialize is to come first.');
    await client.launched(icrlo);
    expect(await client.refused('initialize', { adapterID: 'exitpoint' })).toBe('initialize has come before; a session begins once.');
    expect(await client.refused('launch', icrlo)).toBe('The session has been launched already; restart launches again.');
    expect(await client.refused('configurationDone')).toBe('configurationDone has come before.');
    expect(await client.refused('attach')).toMatch(/^There is nothing to attach to/);
    expect(await client.refused('nexxt')).toBe('There is no request "nexxt". Did you mean next?');
  });
});

describe('a launch that fails', () => {
  test('says why in one sentence that the user is shown, and may be repeated', async () => {
    const client = Client.inProcess();
    await client.initialized();
    expect(await client.refused('launch', { program: '/nowhere/at/all.rom' })).toMatch(/\/nowhere\/at\/all\.rom/);
    expect(client.conversation.received.at(-1)).toMatchObject({ success: false, body: { error: { showUser: true } } });
    expect(await client.refused('launch', { ...icrlo, cpsu: 2 })).toMatch(/"cpsu".*cpus/);
    await client.ask('launch', icrlo);
    await client.next('initialized');
  });

  test('tells the editor where the source is wrong, and that it no longer is', async () => {
    const client = Client.inProcess();
    const program = file('broken.asm', bootrom('  mvo ax, 1'));
    await client.initialized();
    expect(await client.refused('launch', { program })).toMatch(/broken\.asm/);
    expect(await client.next('exitpoint/diagnostics')).toMatchObject({
      file: program,
      diagnostics: [{ line: 6, column: 3, length: 3, severity: 'error' }],
    });
    writeFileSync(program, bootrom('  mov ax, 1'));
    await client.ask('launch', { program });
    expect(await client.next('exitpoint/diagnostics')).toEqual({ file: program, diagnostics: [] });
  });
});

describe('running without debugging', () => {
  test('ends with the machine, in a sentence, with the status that the command line ends with', async () => {
    const client = Client.inProcess();
    await client.initialized();
    await client.ask('launch', { ...icrlo, noDebug: true });
    expect(await client.ask('setBreakpoints', { source: { path: icrlo.program }, lines: [41] })).toEqual({
      breakpoints: [{ verified: false, message: 'The machine runs without debugging.', reason: 'failed' }],
    });
    await client.ask('configurationDone');
    const { output } = await client.next('output', ({ output }) => /cannot emulate|INST_EMUL|abort/.test(String(output)));
    expect(output).toMatch(/\.\n$/);
    expect(await client.next('exited')).toEqual({ exitCode: 3 });
    await client.next('terminated');
  });
});

describe('restart', () => {
  test('launches again, and keeps the breakpoints with their ids', async () => {
    const client = Client.inProcess();
    await client.launched(icrlo, () => client.ask('setBreakpoints', { source: { path: icrlo.program }, breakpoints: [{ line: 41 }] }));
    await client.ask('continue', { threadId: 1 });
    const first = await client.next('stopped');
    await client.ask('restart');
    expect(await client.next('stopped')).toMatchObject({ reason: 'entry' });
    await client.ask('continue', { threadId: 1 });
    expect(await client.next('stopped')).toEqual(first);
  });

  test('takes the source as it is now, and tells which breakpoints are elsewhere', async () => {
    const client = Client.inProcess();
    const program = file('edited.asm', bootrom('  nop\n  jmp $'));
    await client.launched({ program, cpus: 1 });
    const { breakpoints } = (await client.ask('setBreakpoints', {
      source: { path: program },
      breakpoints: [{ line: 6 }, { line: 7 }],
    })) as {
      breakpoints: { id: number; line: number }[];
    };
    expect(breakpoints.map(({ line }) => line)).toEqual([6, 7]);
    writeFileSync(program, bootrom('  ; nothing\n  nop\n  jmp $'));
    await client.ask('restart');
    expect(await client.next('breakpoint')).toMatchObject({
      reason: 'changed',
      breakpoint: { id: breakpoints[0]?.id, verified: true, line: 7, source: { path: program } },
    });
    await client.next('stopped');
  });

  test('takes a new configuration, and leaves everything as it is when that is wrong', async () => {
    const client = Client.inProcess();
    await client.launched(icrlo);
    expect(await client.refused('restart', { arguments: { ...icrlo, cpus: 1000 } })).toMatch(/1000/);
    expect((await client.ask('threads'))['threads']).toHaveLength(4);
    await client.ask('restart', { arguments: { ...icrlo, cpus: 2 } });
    await client.next('stopped', ({ reason }) => reason === 'entry');
    expect((await client.ask('threads'))['threads']).toHaveLength(2);
  });

  test('works while the machine runs', async () => {
    const client = Client.inProcess();
    await client.launched(spinning());
    await client.ask('continue', { threadId: 1 });
    await client.ask('restart');
    expect(await client.next('stopped')).toMatchObject({ reason: 'entry' });
  });
});
