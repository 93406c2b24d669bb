/** For each capability that is announced: the request behind it works, whichever way it is sent. */
import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Body, Client, sample } from './client.ts';

const ICRLO = sample('icrlo');
const TEXT = fs.readFileSync(ICRLO, 'utf8').split('\n');
/** The line of icrlo.asm that contains a text, which is on one line alone. */
const lineOf = (text: string): number => {
  const lines = TEXT.flatMap((line, i) => (line.includes(text) ? [i + 1] : []));
  if (lines.length !== 1) throw new Error(`"${text}" is on ${lines.length} lines of icrlo.asm`);
  return lines[0]!;
};
const INIT = lineOf('[LAPIC+ICR_LO], 0x000C4500');
const SLEEP = lineOf('[LAPIC+TICR], eax');
const CALL = lineOf('call    wake_aps');
const AP = lineOf('mov     esp, ebx');

const list = (body: Body, name: string): Body[] => body[name] as Body[];
const fresh = (client: Client, configure?: () => Promise<unknown>): Promise<Body> => client.launched({ program: ICRLO }, configure);
const atSource = (line: number, more: object = {}) => ({ source: { path: ICRLO }, breakpoints: [{ line, ...more }] });
const go = async (client: Client, command = 'continue', args: object = {}): Promise<Body> => {
  await client.ask(command, { threadId: 1, ...args });
  return client.next('stopped');
};
const evaluated = async (client: Client, expression: string, more: object = {}): Promise<string> =>
  (await client.ask('evaluate', { expression, ...more }))['result'] as string;
const topFrame = async (client: Client, threadId = 1): Promise<Body> =>
  list(await client.ask('stackTrace', { threadId }), 'stackFrames')[0]!;
const scope = async (client: Client, name: string): Promise<number> => {
  const scopes = list(await client.ask('scopes', { frameId: (await topFrame(client))['id'] }), 'scopes');
  return scopes.find((s) => s['name'] === name)?.['variablesReference'] as number;
};
const stopsAtInit = async (client: Client): Promise<Body> => {
  await client.ask('setExceptionBreakpoints', { filters: [], filterOptions: [{ filterId: 'mmio', condition: 'exit.gpa == 0xFEE00300' }] });
  return go(client);
};

/** By capability, in the order in which the protocol declares them. */
const WORKS: Readonly<Record<string, (client: Client) => Promise<void>>> = {
  supportsConfigurationDoneRequest: async (client) => {
    await client.initialized();
    await client.ask('launch', { program: ICRLO });
    await client.next('initialized');
    await client.ask('threads');
    expect(client.conversation.received.map((message) => message['event'])).not.toContain('stopped');
    await client.ask('configurationDone');
    expect(await client.next('stopped')).toMatchObject({ reason: 'entry', threadId: 1, allThreadsStopped: true });
  },
  supportsFunctionBreakpoints: async (client) => {
    await fresh(client);
    const [set] = list(await client.ask('setFunctionBreakpoints', { breakpoints: [{ name: 'lapic.icr_lo:w' }] }), 'breakpoints');
    expect(set).toMatchObject({ verified: true });
    expect(await go(client)).toMatchObject({
      reason: 'function breakpoint',
      hitBreakpointIds: [set?.['id']],
      description: expect.stringContaining('INIT'),
    });
  },
  supportsConditionalBreakpoints: async (client) => {
    await fresh(client);
    await client.ask('setBreakpoints', atSource(SLEEP, { condition: 'eax == 26844' }));
    expect(await go(client)).toMatchObject({ reason: 'breakpoint' });
    expect(await evaluated(client, 'eax,d')).toBe('26844');
  },
  supportsHitConditionalBreakpoints: async (client) => {
    await fresh(client);
    await client.ask('setBreakpoints', atSource(SLEEP, { hitCondition: '2' }));
    await go(client);
    expect(await evaluated(client, 'eax,d')).toBe('26844');
  },
  supportsEvaluateForHovers: async (client) => {
    await fresh(client);
    await stopsAtInit(client);
    expect(await evaluated(client, 'lapic.icr_lo', { context: 'hover' })).toContain('INIT');
  },
  exceptionBreakpointFilters: async (client) => {
    await fresh(client);
    const filters = client.capabilities.exceptionBreakpointFilters?.map(({ filter }) => filter);
    for (const filter of filters ?? [])
      for (const breakpoint of list(await client.ask('setExceptionBreakpoints', { filters: [filter] }), 'breakpoints'))
        expect(breakpoint, String(filter)).toMatchObject({ verified: true });
    await client.ask('setExceptionBreakpoints', { filters: ['mmio'] });
    expect(await go(client)).toMatchObject({ reason: 'exception', description: expect.stringContaining('SVR') });
  },
  supportsStepBack: async (client) => {
    await fresh(client);
    await stopsAtInit(client);
    const before = await evaluated(client, 'eip,h');
    await go(client, 'next');
    expect((await topFrame(client))['line']).toBe(INIT + 1);
    expect(await go(client, 'stepBack')).toMatchObject({ reason: 'step' });
    expect((await topFrame(client))['line']).toBe(INIT);
    expect(before).toMatch(/h$/);
    expect(await go(client, 'reverseContinue')).toMatchObject({ reason: 'entry' });
    expect(await evaluated(client, 'icount,d')).toBe('0');
  },
  supportsSetVariable: async (client) => {
    await fresh(client);
    const variablesReference = await scope(client, 'General');
    expect(await client.ask('setVariable', { variablesReference, name: 'ECX', value: '0x1234' })).toMatchObject({
      value: expect.stringContaining('1234'),
    });
    expect(await evaluated(client, 'ecx,x')).toBe('0x1234');
  },
  supportsGotoTargetsRequest: async (client) => {
    await fresh(client, () => client.ask('setBreakpoints', atSource(INIT)));
    await go(client);
    const [target] = list(await client.ask('gotoTargets', { source: { path: ICRLO }, line: CALL }), 'targets');
    expect(target).toMatchObject({ line: CALL });
    expect(await go(client, 'goto', { targetId: target?.['id'] })).toMatchObject({ reason: 'goto', threadId: 1 });
    expect(await topFrame(client)).toMatchObject({ line: CALL });
  },
  supportsCompletionsRequest: async (client) => {
    await fresh(client);
    const targets = list(await client.ask('completions', { text: 'lapic.icr', column: 10 }), 'targets');
    expect(targets.map(({ label }) => label)).toContain('icr_lo');
  },
  completionTriggerCharacters: async (client) => {
    await fresh(client);
    expect(client.capabilities.completionTriggerCharacters).toContain('.');
    expect(list(await client.ask('completions', { text: 'lapic.', column: 7 }), 'targets').length).toBeGreaterThan(20);
  },
  supportsRestartRequest: async (client) => {
    await fresh(client);
    await client.ask('setBreakpoints', atSource(CALL));
    await go(client);
    await client.ask('restart', { arguments: { program: ICRLO } });
    expect(await client.next('stopped')).toMatchObject({ reason: 'entry' });
    expect(await evaluated(client, 'icount,d')).toBe('0');
    expect(await go(client)).toMatchObject({ reason: 'breakpoint' });
    expect((await topFrame(client))['line']).toBe(CALL);
  },
  supportsValueFormattingOptions: async (client) => {
    await fresh(client);
    expect(await evaluated(client, '16 + 15', { format: { hex: true } })).toMatch(/1F/i);
  },
  supportsExceptionInfoRequest: async (client) => {
    await fresh(client);
    await stopsAtInit(client);
    const info = await client.ask('exceptionInfo', { threadId: 1 });
    expect(`${info['description']}`).toContain('all excluding self');
    expect(info['exceptionId']).toBe('MMIO_EMUL');
  },
  supportTerminateDebuggee: async (client) => {
    await fresh(client);
    await client.ask('disconnect', { terminateDebuggee: true });
  },
  supportsLoadedSourcesRequest: async (client) => {
    await fresh(client);
    const sources = list(await client.ask('loadedSources'), 'sources');
    expect(sources.map(({ path }) => path)).toContain(ICRLO);
  },
  supportsLogPoints: async (client) => {
    await fresh(client);
    await client.ask('setBreakpoints', atSource(SLEEP, { logMessage: 'sleeps {eax,d}' }));
    await client.ask('continue', { threadId: 1 });
    await client.next('output', ({ output }) => output === 'sleeps 1342178\n');
    await client.next('output', ({ output }) => output === 'sleeps 26844\n');
    await client.next('stopped');
  },
  supportsSetExpression: async (client) => {
    await fresh(client);
    expect(await client.ask('setExpression', { expression: 'lapic.tpr', value: '0x20' })).toMatchObject({
      value: expect.stringContaining('20'),
    });
    expect(await evaluated(client, 'lapic.tpr,x')).toBe('0x20');
  },
  supportsTerminateRequest: async (client) => {
    await fresh(client);
    await client.ask('terminate');
    await client.next('terminated');
  },
  supportsDataBreakpoints: async (client) => {
    await fresh(client);
    const info = await client.ask('dataBreakpointInfo', { variablesReference: await scope(client, 'Local APIC'), name: 'ICR_LO' });
    expect(info).toMatchObject({ description: expect.stringContaining('ICR_LO'), accessTypes: expect.arrayContaining(['write']) });
    const breakpoints = [{ dataId: info['dataId'], accessType: 'write' }];
    const [set] = list(await client.ask('setDataBreakpoints', { breakpoints }), 'breakpoints');
    expect(set).toMatchObject({ verified: true });
    expect(await go(client)).toMatchObject({ reason: 'data breakpoint', hitBreakpointIds: [set?.['id']] });
    expect((await topFrame(client))['line']).toBe(INIT);
  },
  supportsReadMemoryRequest: async (client) => {
    await fresh(client);
    const { data, address } = await client.ask('readMemory', { memoryReference: '0xfffffff0', count: 16 });
    expect(address).toBe('0xfffffff0');
    expect([...Buffer.from(data as string, 'base64')]).toHaveLength(16);
  },
  supportsWriteMemoryRequest: async (client) => {
    await fresh(client);
    const data = Buffer.from([1, 2, 3, 4]).toString('base64');
    expect(await client.ask('writeMemory', { memoryReference: 'phys:0x00000500', data })).toMatchObject({ bytesWritten: 4 });
    expect(await client.ask('readMemory', { memoryReference: 'phys:0x00000500', count: 4 })).toMatchObject({ data });
  },
  supportsDisassembleRequest: async (client) => {
    await fresh(client);
    const { instructionPointerReference: memoryReference } = await topFrame(client);
    const rows = list(await client.ask('disassemble', { memoryReference, instructionOffset: -5, instructionCount: 12 }), 'instructions');
    expect(rows).toHaveLength(12);
    expect(rows[5]).toMatchObject({ instruction: expect.stringMatching(/^jmp/) });
  },
  supportsBreakpointLocationsRequest: async (client) => {
    await fresh(client);
    const locations = list(await client.ask('breakpointLocations', { source: { path: ICRLO }, line: 1, endLine: INIT }), 'breakpoints');
    const lines = locations.map(({ line }) => line);
    expect(lines).toContain(INIT);
    expect(lines).not.toContain(lineOf('ICR_LO    equ'));
  },
  supportsClipboardContext: async (client) => {
    await fresh(client);
    expect(await evaluated(client, 'lapic.ver', { context: 'clipboard' })).toMatch(/^[0-9A-F]{8}/);
  },
  supportsSteppingGranularity: async (client) => {
    await fresh(client);
    await go(client, 'stepIn', { granularity: 'instruction' });
    expect(await evaluated(client, 'icount,d')).toBe('1');
  },
  supportsInstructionBreakpoints: async (client) => {
    await fresh(client);
    const { memoryReference } = await client.ask('evaluate', { expression: 'wake_aps' });
    const instructionReference = memoryReference ?? `0x${(await evaluated(client, 'wake_aps,x')).replace(/^0x/i, '')}`;
    const [set] = list(await client.ask('setInstructionBreakpoints', { breakpoints: [{ instructionReference }] }), 'breakpoints');
    expect(set).toMatchObject({ verified: true });
    expect(await go(client)).toMatchObject({ reason: 'instruction breakpoint', hitBreakpointIds: [set?.['id']] });
    expect((await topFrame(client))['line']).toBe(INIT);
  },
  supportsExceptionFilterOptions: async (client) => {
    await fresh(client);
    const filterOptions = [{ filterId: 'mmio', condition: 'exit.gpa == (' }];
    const [bad] = list(await client.ask('setExceptionBreakpoints', { filters: [], filterOptions }), 'breakpoints');
    expect(bad).toMatchObject({ verified: false, message: expect.stringContaining('column 14') });
    expect(await stopsAtInit(client)).toMatchObject({ reason: 'exception' });
  },
  supportsSingleThreadExecutionRequests: async (client) => {
    await fresh(client);
    await client.ask('setBreakpoints', atSource(AP));
    const { threadId } = await go(client);
    const others = await evaluated(client, 'cpu[0].eip,h');
    await client.ask('next', { threadId, singleThread: true });
    expect(await client.next('stopped')).toMatchObject({ reason: 'step', threadId });
    expect(await evaluated(client, 'cpu[0].eip,h')).toBe(others);
  },
  supportsDataBreakpointBytes: async (client) => {
    await fresh(client);
    const info = await client.ask('dataBreakpointInfo', { name: '0xFEE00300', asAddress: true, bytes: 4 });
    expect(info).toMatchObject({ description: expect.stringContaining('ICR_LO') });
    await client.ask('setDataBreakpoints', { breakpoints: [{ dataId: info['dataId'], accessType: 'write' }] });
    expect(await go(client)).toMatchObject({ reason: 'data breakpoint' });
  },
  breakpointModes: async (client) => {
    await fresh(client);
    expect(client.capabilities.breakpointModes?.map(({ mode }) => mode)).toEqual(['any', 'bsp', 'aps']);
    const breakpoints = [
      { line: CALL, mode: 'aps' },
      { line: AP, mode: 'bsp' },
      { line: AP + 1, mode: 'aps' },
    ];
    await client.ask('setBreakpoints', { source: { path: ICRLO }, breakpoints });
    const { threadId } = await go(client);
    expect((await topFrame(client, threadId as number))['line']).toBe(AP + 1);
    expect(threadId).not.toBe(1);
  },
};

test('each capability that is announced is tried here, and each that is tried is announced', async () => {
  const client = Client.inProcess();
  const announced = Object.entries(await client.initialized()).filter(([, value]) => value !== false);
  expect(announced.map(([name]) => name).sort()).toEqual(Object.keys(WORKS).sort());
});

describe.each([
  ['in process', () => Client.inProcess()],
  ['over stdio', () => Client.overStdio()],
])('%s', (_, open) => {
  test.each(Object.entries(WORKS))('%s', (_name, works) => works(open()));
});

test('over TCP a session is the same', async () => {
  const client = await Client.overTcp();
  expect(await fresh(client)).toMatchObject({ reason: 'entry', threadId: 1 });
  expect(client.capabilities).toEqual(await Client.inProcess().initialized());
  await client.ask('disconnect');
});
