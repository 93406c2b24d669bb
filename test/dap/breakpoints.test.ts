import { describe, expect, test } from 'vitest';
import { type Body, Client, sample } from './client.ts';

const icrlo = { program: sample('icrlo'), seed: 42, cpus: 4 };
type Breakpoint = { readonly id: number; readonly verified: boolean; readonly message?: string; readonly line?: number };

/** Sets breakpoints in the middle of the configuration; gives what they became. */
const set = async (client: Client, command: string, args: object): Promise<Breakpoint[]> =>
  (await client.ask(command, args))['breakpoints'] as Breakpoint[];

const source = (client: Client, ...breakpoints: object[]): Promise<Breakpoint[]> =>
  set(client, 'setBreakpoints', { source: { path: icrlo.program }, breakpoints });

async function standing(): Promise<Client> {
  const client = Client.inProcess();
  await client.launched(icrlo);
  return client;
}

async function proceed(client: Client): Promise<Body> {
  await client.ask('continue', { threadId: 1 });
  return client.next('stopped');
}

describe('a breakpoint on a line', () => {
  test('goes to the next line with code, and stops there', async () => {
    const client = await standing();
    const [breakpoint] = await source(client, { line: 40 });
    expect(breakpoint).toMatchObject({ verified: true, line: 41, source: { path: icrlo.program } });
    expect(await proceed(client)).toMatchObject({ reason: 'breakpoint', threadId: 1, hitBreakpointIds: [breakpoint?.id] });
  });

  test('of another file, or behind the last line, cannot be, and says why', async () => {
    const client = await standing();
    const [other] = await set(client, 'setBreakpoints', { source: { path: '/some/other.asm' }, breakpoints: [{ line: 1 }] });
    expect(other).toMatchObject({ verified: false, reason: 'failed', message: expect.stringContaining('other.asm') });
    const [behind] = await source(client, { line: 10_000 });
    expect(behind).toMatchObject({ verified: false, message: expect.any(String) });
  });

  test('takes a condition, a hit count, a mode; and logs instead of stopping', async () => {
    const client = await standing();
    const set = await source(
      client,
      { line: 41, logMessage: 'ICR_LO is {lapic.icr_lo}' },
      { line: 42, condition: 'eax == 12345678h' },
      { line: 44, mode: 'aps' },
      { line: 108, hitCondition: '2' },
    );
    expect(set.map(({ verified }) => verified)).toEqual([true, true, true, true]);
    expect(await proceed(client)).toMatchObject({ reason: 'breakpoint', hitBreakpointIds: [set[3]?.id] });
    expect(await client.conversation.received.find(({ body }) => /ICR_LO is/.test((body as Body)?.['output'] as string))).toMatchObject({
      body: { category: 'console', output: 'ICR_LO is 00000000h\n', line: 41, source: { path: icrlo.program } },
    });
  });

  test('with a condition that does not parse is unverified, with the reason', async () => {
    const client = await standing();
    const [breakpoint] = await source(client, { line: 41, condition: 'eax ==' });
    expect(breakpoint).toMatchObject({ verified: false, message: expect.stringMatching(/Expected a value/) });
    expect(await client.refused('setBreakpoints', { source: { path: icrlo.program }, breakpoints: [{ line: 'x' }] })).toBe(
      'setBreakpoints: breakpoints[0]: line is "x"; a whole number, 1 or more is needed.',
    );
    expect(await client.refused('setBreakpoints', { source: { path: icrlo.program }, breakpoints: [{ line: 41, mode: 'both' }] })).toMatch(
      /mode is "both"; it may be any, bsp, aps/,
    );
  });

  test('may be set by its line alone, as old clients do', async () => {
    const client = await standing();
    expect(await set(client, 'setBreakpoints', { source: { path: icrlo.program }, lines: [41] })).toMatchObject([
      { verified: true, line: 41 },
    ]);
  });

  test('can stand where the source has code', async () => {
    const client = await standing();
    expect(await client.ask('breakpointLocations', { source: { path: icrlo.program }, line: 38, endLine: 43 })).toEqual({
      breakpoints: [{ line: 41 }, { line: 42 }, { line: 43 }],
    });
  });
});

describe('a breakpoint on an instruction', () => {
  test('stops at its address, given by a reference and an offset', async () => {
    const client = await standing();
    const [breakpoint] = await set(client, 'setInstructionBreakpoints', {
      breakpoints: [{ instructionReference: 'lin@0:0xfffff04d', offset: 2 }],
    });
    expect(breakpoint).toMatchObject({ verified: true, instructionReference: '0xfffff04f' });
    expect(await proceed(client)).toMatchObject({ reason: 'instruction breakpoint', hitBreakpointIds: [breakpoint?.id] });
  });
  test('that cannot be takes none of the others along: editors send those of other sessions as well', async () => {
    const client = await standing();
    const [foreign, none, ours] = await set(client, 'setInstructionBreakpoints', {
      breakpoints: [{ instructionReference: '0x7fff12345678' }, { instructionReference: 'here' }, { instructionReference: '0xfffff04f' }],
    });
    expect(foreign).toMatchObject({ verified: false, message: expect.stringContaining('no memory reference') });
    expect(none).toMatchObject({ verified: false, message: expect.stringContaining('no memory reference') });
    expect(ours).toMatchObject({ verified: true, instructionReference: '0xfffff04f' });
    expect(await proceed(client)).toMatchObject({ reason: 'instruction breakpoint', hitBreakpointIds: [ours?.id] });
  });
});

describe('a function breakpoint', () => {
  test('is in the grammar of breakpoints, and explains itself', async () => {
    const client = await standing();
    const [hit, wrong] = await set(client, 'setFunctionBreakpoints', {
      breakpoints: [{ name: 'ipi:SIPI->3=refused' }, { name: 'exti:HLT' }],
    });
    expect(wrong).toMatchObject({ verified: false, reason: 'failed', message: expect.stringMatching(/exit/) });
    expect(await proceed(client)).toMatchObject({
      reason: 'function breakpoint',
      hitBreakpointIds: [hit?.id],
      text: expect.stringMatching(/SIPI 08.*refused by vCPU3: already running/),
    });
  });
});

describe('an exception filter', () => {
  test('stops with an explanation for the exception widget', async () => {
    const client = await standing();
    const [filter] = await set(client, 'setExceptionBreakpoints', { filters: ['lost-ipi'] });
    expect(filter).toMatchObject({ verified: true });
    expect(await proceed(client)).toMatchObject({ reason: 'exception', threadId: 1, hitBreakpointIds: [filter?.id] });
    const info = await client.ask('exceptionInfo', { threadId: 1 });
    expect(info).toMatchObject({
      exceptionId: 'lost-ipi',
      breakMode: 'always',
      description: expect.stringMatching(/^FIXED 30 reached nobody/),
    });
    expect((info['details'] as Body)['stackTrace']).toMatch(/ICR_LO/);
    expect(await client.refused('exceptionInfo', { threadId: 2 })).toBe('vCPU1 was not stopped by an exception.');
  });

  test('takes a condition, and says which cannot be', async () => {
    const client = await standing();
    const answers = await set(client, 'setExceptionBreakpoints', {
      filters: ['fatal', 'no-such'],
      filterOptions: [
        { filterId: 'lost-ipi', condition: 'ipi.mode == FIXED' },
        { filterId: 'mmio', condition: 'exit.gpa ==' },
      ],
    });
    expect(answers.map(({ verified }) => verified)).toEqual([true, false, true, false]);
    expect(answers[1]?.message).toMatch(/no-such/);
    expect(answers[3]?.message).toMatch(/Expected a value/);
    const stopped = await proceed(client);
    expect(stopped).toMatchObject({ reason: 'exception', hitBreakpointIds: [answers[2]?.id], text: expect.stringMatching(/FIXED 30/) });
  });
});

describe('a data breakpoint', () => {
  const info = (client: Client, args: object): Promise<Body> => client.ask('dataBreakpointInfo', args);

  test('on a register of a local APIC stops when it is written', async () => {
    const client = await standing();
    const { dataId, accessTypes, canPersist } = await info(client, { name: 'lapic.icr_lo' });
    expect(accessTypes).toContain('write');
    expect(canPersist).toBe(true);
    const [breakpoint] = await set(client, 'setDataBreakpoints', { breakpoints: [{ dataId, accessType: 'write' }] });
    expect(breakpoint).toMatchObject({ verified: true });
    expect(await proceed(client)).toMatchObject({
      reason: 'data breakpoint',
      hitBreakpointIds: [breakpoint?.id],
      text: expect.stringMatching(/000C4500h to ICR_LO: INIT to all excluding self/),
    });
  });

  test('at an address is named for the register that lies there', async () => {
    const client = await standing();
    expect(await info(client, { name: '0xFEE00304', asAddress: true, bytes: 4 })).toMatchObject({
      dataId: 'lapic.icr_lo',
      description: expect.stringMatching(/ICR_LO/),
    });
    for (const name of ['phys:0xfee00300', '0xFEE00300 + 4'])
      expect(await info(client, { name, asAddress: true, bytes: 4 }), name).toMatchObject({ dataId: 'lapic.icr_lo' });
  });

  test('for some vCPUs alone carries that in its id', async () => {
    const client = await standing();
    const { dataId } = await info(client, { name: 'lapic.svr', mode: 'aps' });
    expect(await set(client, 'setDataBreakpoints', { breakpoints: [{ dataId, accessType: 'write' }] })).toMatchObject([{ verified: true }]);
    const stopped = await proceed(client);
    expect(stopped['threadId']).toBeGreaterThan(1);
    expect(await client.refused('setDataBreakpoints', { breakpoints: [{ dataId: 'lapic.svr;some' }] })).toMatch(
      /after ";" one of any, bsp, aps/,
    );
  });

  test('on what cannot be watched is none, and says why', async () => {
    const client = await standing();
    expect(await info(client, { name: 'eax' })).toMatchObject({ dataId: null, description: expect.stringMatching(/processor register/) });
    expect(await info(client, { name: '0x1000', asAddress: true, bytes: 4 })).toMatchObject({ dataId: null });
    const [frame] = (await client.ask('stackTrace', { threadId: 1 }))['stackFrames'] as { id: number }[];
    const { scopes } = (await client.ask('scopes', { frameId: frame?.id })) as { scopes: { name: string; variablesReference: number }[] };
    const general = scopes.find(({ name }) => name === 'General')?.variablesReference;
    expect(await info(client, { variablesReference: general, name: 'EAX' })).toMatchObject({ dataId: null });
    const apic = scopes.find(({ name }) => name === 'Local APIC')?.variablesReference;
    expect(await info(client, { variablesReference: apic, name: 'IRR' })).toMatchObject({
      dataId: null,
      description: 'IRR is several registers: expand it, and watch one of them.',
    });
  });
});

describe('what a configuration or a view sets', () => {
  test('stops, and names no breakpoint that the client does not know', async () => {
    const client = Client.inProcess();
    const stopped = await client.launched({ ...icrlo, stopOnEntry: false, ipis: { break: ['SIPI'] }, exits: { log: ['INOUT'] } });
    expect(stopped).toMatchObject({ threadId: 1, text: expect.stringMatching(/SIPI 09/) });
    expect(stopped).not.toHaveProperty('hitBreakpointIds');
    const said = client.conversation.received.filter(({ event }) => event === 'output').map(({ body }) => (body as Body)['output']);
    expect(said.some((line) => /port 80h/.test(String(line)))).toBe(true);
  });

  test('is seen in the tree of exits, and changed there', async () => {
    const client = await standing();
    const action = async (code: string): Promise<unknown> => {
      const { groups } = (await client.ask('exitpoint/exits')) as { groups: { codes: { code: string; action: string }[] }[] };
      return groups.flatMap(({ codes }) => codes).find((row) => row.code === code)?.action;
    };
    expect(await action('HLT')).toBe('off');
    await client.ask('exitpoint/setExit', { code: 'HLT', action: 'break' });
    expect(await action('HLT')).toBe('break');
    expect(await proceed(client)).toMatchObject({ reason: 'exception', text: expect.stringMatching(/vCPU0 halted/) });
    expect((await client.ask('exitpoint/exits'))['total']).toBeGreaterThan(9);
    expect(await client.refused('exitpoint/setExit', { code: 'HALT', action: 'break' })).toMatch(/HALT/);
    expect(await client.refused('exitpoint/setExit', { code: 'HLT', action: 'stop' })).toMatch(
      /action is "stop"; it may be off, break, log, both/,
    );
  });

  test('every IPI is in the other tree, with the line of its store', async () => {
    const client = Client.inProcess();
    await client.launched({ ...icrlo, stopOnEntry: false });
    const { sent, ipis } = (await client.ask('exitpoint/ipis')) as { sent: number; ipis: Body[] };
    expect(sent).toBe(7);
    expect(ipis).toHaveLength(7);
    expect(ipis.at(-1)).toMatchObject({ number: 1, what: 'INIT', place: { file: icrlo.program, line: 41 } });
  });
});
