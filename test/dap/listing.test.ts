import { describe, expect, test } from 'vitest';
import { type Body, Client } from './client.ts';
import { file } from './guest.ts';

type Frame = { readonly line: number; readonly source: { readonly name: string; readonly sourceReference: number } };

/** A ROM without source: MOV AL, 12h; OUT 80h, AL; INC AX; JMP to the INC. */
function rom(): { program: string; cpus: number } {
  const image = new Uint8Array(4096);
  image.set([0xb0, 0x12, 0xe6, 0x80, 0x40, 0xeb, 0xfd], 0xff0);
  return { program: file('bare.rom', image), cpus: 2 };
}

const top = async (client: Client, threadId = 1): Promise<Frame> =>
  ((await client.ask('stackTrace', { threadId }))['stackFrames'] as Frame[])[0] as Frame;

async function lines(client: Client, { sourceReference }: Frame['source']): Promise<string[]> {
  return ((await client.ask('source', { source: { sourceReference }, sourceReference }))['content'] as string).split('\n');
}

async function go(client: Client, command: string, args: object = { threadId: 1 }): Promise<Body> {
  await client.ask(command, args);
  return client.next('stopped');
}

describe('code without source', () => {
  test('is shown in a listing: the frame stands on its instruction', async () => {
    const client = Client.inProcess();
    await client.launched(rom());
    const { source, line } = await top(client);
    expect((await lines(client, source))[line - 1]).toMatch(/^FFFFFFF0 .*mov al, 12h/);
    await go(client, 'next');
    const next = await top(client);
    expect(next.source).toEqual(source);
    expect(next.line).toBe(line + 1);
    expect((await client.ask('loadedSources'))['sources']).toContainEqual(source);
  });

  test('takes breakpoints on the lines of its listing, and stops at them as at lines', async () => {
    const client = Client.inProcess();
    await client.launched(rom());
    const { source, line } = await top(client);
    expect(await client.ask('breakpointLocations', { source, line: line, endLine: line + 3 })).toEqual({
      breakpoints: [line, line + 1, line + 2, line + 3].map((l) => ({ line: l })),
    });
    const { breakpoints } = (await client.ask('setBreakpoints', {
      source,
      breakpoints: [{ line: line + 2, hitCondition: '3' }, { line: 100_000 }],
    })) as { breakpoints: { id: number }[] };
    expect(breakpoints).toMatchObject([
      { verified: true, line: line + 2, source, instructionReference: '0xfffffff4' },
      { verified: false, message: 'No instruction stands there or below.' },
    ]);
    expect(await go(client, 'continue')).toMatchObject({ reason: 'breakpoint', hitBreakpointIds: [breakpoints[0]?.id] });
    expect(await client.ask('evaluate', { expression: 'ax,d' })).toMatchObject({ result: String(0x12 + 2) });
  });

  test('keeps breakpoints of its listing apart from those of the disassembly', async () => {
    const client = Client.inProcess();
    await client.launched(rom());
    const { source, line } = await top(client);
    const ids = async (command: string, args: object): Promise<number[]> =>
      ((await client.ask(command, args))['breakpoints'] as { id: number }[]).map(({ id }) => id);
    const inListing = await ids('setBreakpoints', { source, breakpoints: [{ line: line + 2 }] });
    const [other] = await ids('setInstructionBreakpoints', { breakpoints: [{ instructionReference: '0xfffffff5' }] });
    expect(await ids('setBreakpoints', { source, breakpoints: [{ line: line + 2 }] })).toEqual(inListing);
    await go(client, 'continue');
    expect(await go(client, 'continue')).toMatchObject({ reason: 'instruction breakpoint', hitBreakpointIds: [other] });
    await client.ask('setInstructionBreakpoints', { breakpoints: [] });
    expect(await go(client, 'continue')).toMatchObject({ reason: 'breakpoint', hitBreakpointIds: inListing });
  });

  test('stays where it is after a restart', async () => {
    const client = Client.inProcess();
    await client.launched(rom());
    const { id: _, ...before } = (await top(client)) as Frame & { id: number };
    await go(client, 'restart', {});
    expect(await top(client)).toMatchObject(before);
  });

  test('has no breakpoints where there is no code', async () => {
    const client = Client.inProcess();
    await client.launched(rom());
    const { source } = await top(client, 2);
    expect(await client.refused('setBreakpoints', { source, breakpoints: [{ line: 1 }] })).toMatch(/^There is no code in "vCPU1/);
    expect(await client.refused('setBreakpoints', { source: { sourceReference: 77 }, breakpoints: [] })).toBe('There is no source 77.');
    expect(await client.refused('setBreakpoints', { source: {}, breakpoints: [] })).toMatch(/path is missing/);
  });
});
