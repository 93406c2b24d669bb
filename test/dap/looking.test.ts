import { describe, expect, test } from 'vitest';
import { type Body, Client, sample } from './client.ts';
import { bootrom, file } from './guest.ts';

const icrlo = { program: sample('icrlo'), seed: 42, cpus: 4 };
type Variable = {
  readonly name: string;
  readonly value: string;
  readonly type?: string;
  readonly variablesReference: number;
  readonly evaluateName?: string;
  readonly memoryReference?: string;
  readonly valueLocationReference?: number;
  readonly presentationHint?: { readonly attributes?: readonly string[] };
};

/** Right after the store that sends INIT, which is line 41. */
async function atInit(): Promise<Client> {
  const client = Client.inProcess();
  await client.launched({ ...icrlo, stopOnEntry: false }, () =>
    client.ask('setFunctionBreakpoints', { breakpoints: [{ name: 'ipi:INIT' }] }),
  );
  return client;
}

const frames = async (client: Client, threadId: number): Promise<(Body & { readonly id: number })[]> =>
  (await client.ask('stackTrace', { threadId }))['stackFrames'] as (Body & { id: number })[];

const variables = async (client: Client, variablesReference: number): Promise<Variable[]> =>
  (await client.ask('variables', { variablesReference }))['variables'] as Variable[];

/** The container of a scope of a vCPU's innermost frame. */
async function scope(client: Client, name: string, threadId = 1): Promise<number> {
  const [frame] = await frames(client, threadId);
  const { scopes } = (await client.ask('scopes', { frameId: frame?.id })) as { scopes: Variable[] };
  return scopes.find((s) => s.name === name)?.variablesReference ?? 0;
}

async function variable(client: Client, container: number, name: string): Promise<Variable> {
  const found = (await variables(client, container)).find((v) => v.name === name);
  if (found === undefined) throw new Error(`no variable ${name}`);
  return found;
}

const evaluate = (client: Client, expression: string, more: object = {}): Promise<Body> => client.ask('evaluate', { expression, ...more });

describe('the call stack', () => {
  test('leads from the store to the reset vector, each frame with its line', async () => {
    const client = await atInit();
    const path = icrlo.program;
    expect(await frames(client, 1)).toMatchObject([
      { name: 'wake_aps', line: 41, source: { path }, instructionPointerReference: 'lin@0:0xfffff04f' },
      { name: 'start32', line: 36, source: { path } },
      { name: 'reset vector', line: 218, source: { path } },
    ]);
  });

  test('comes in parts when that is asked for, and tells how many frames there are', async () => {
    const client = await atInit();
    const part = (await client.ask('stackTrace', { threadId: 1, startFrame: 1, levels: 1 })) as {
      stackFrames: Body[];
      totalFrames: number;
    };
    expect(part.totalFrames).toBe(3);
    expect(part.stackFrames).toMatchObject([{ name: 'start32' }]);
  });

  test('of a vCPU that runs no code is a text that says why not', async () => {
    const client = await atInit();
    const [frame, ...more] = await frames(client, 2);
    expect(more).toEqual([]);
    expect(frame).not.toHaveProperty('instructionPointerReference');
    const { sourceReference } = (frame as Body)['source'] as { sourceReference: number };
    const { content } = await client.ask('source', { sourceReference });
    expect(content).toMatch(/vCPU1.*INIT/s);
    const [again] = await frames(client, 2);
    expect(again?.['source']).toEqual(frame?.['source']);
    expect(await client.refused('source', { sourceReference: 99 })).toBe('There is no source 99.');
  });

  test('counts lines from 0 for a client that does', async () => {
    const client = Client.inProcess();
    await client.ask('initialize', { adapterID: 'exitpoint', linesStartAt1: false, columnsStartAt1: false, pathFormat: 'path' });
    await client.ask('launch', { ...icrlo, stopOnEntry: false });
    const { breakpoints } = await client.ask('setBreakpoints', { source: { path: icrlo.program }, breakpoints: [{ line: 39 }] });
    expect(breakpoints).toMatchObject([{ verified: true, line: 40 }]);
    expect(await client.ask('breakpointLocations', { source: { path: icrlo.program }, line: 38, endLine: 41 })).toEqual({
      breakpoints: [{ line: 40 }, { line: 41 }],
    });
    await client.ask('configurationDone');
    await client.next('stopped');
    expect((await frames(client, 1))[0]).toMatchObject({ line: 40, column: 0 });
  });
});

describe('scopes', () => {
  test('are those of the frame’s vCPU', async () => {
    const client = await atInit();
    const [frame] = await frames(client, 1);
    const { scopes } = (await client.ask('scopes', { frameId: frame?.id })) as { scopes: Variable[] };
    expect(scopes.map(({ name }) => name)).toEqual([
      'Last exit',
      'CPU',
      'General',
      'Segments',
      'Control',
      'Local APIC',
      'I/O APIC',
      'Pending interrupts',
      'Time',
    ]);
  });

  test('show the local APIC decoded, to its fields, with where it lies and who wrote it', async () => {
    const client = await atInit();
    const icr = await variable(client, await scope(client, 'Local APIC'), 'ICR_LO');
    expect(icr).toMatchObject({
      value: '000C4500  INIT to all excluding self',
      evaluateName: 'lapic.icr_lo',
      memoryReference: 'phys:0xfee00300',
      __vscodeVariableMenuContext: 'apicRegister',
    });
    expect(await variables(client, icr.variablesReference)).toContainEqual(
      expect.objectContaining({ name: 'destination shorthand', value: expect.stringContaining('all excluding self') }),
    );
    expect(await client.ask('locations', { locationReference: icr.valueLocationReference })).toEqual({
      source: { name: 'icrlo.asm', path: icrlo.program },
      line: 41,
      column: 1,
    });
  });

  test('say what is read-only, and which register a data breakpoint watches', async () => {
    const client = await atInit();
    const lapic = await scope(client, 'Local APIC');
    expect((await variable(client, lapic, 'VERSION')).presentationHint?.attributes).toEqual(['readOnly']);
    expect((await variable(client, lapic, 'TPR')).presentationHint?.attributes).toBeUndefined();
    const { dataId } = await client.ask('dataBreakpointInfo', { variablesReference: lapic, name: 'TPR' });
    await client.ask('setDataBreakpoints', { breakpoints: [{ dataId, accessType: 'write' }] });
    expect((await variable(client, lapic, 'TPR')).presentationHint?.attributes).toEqual(['hasDataBreakpoint']);
    expect(await client.refused('setVariable', { variablesReference: lapic, name: 'VERSION', value: '0' })).toBe('VERSION cannot be set.');
  });

  test('come in parts when that is asked for', async () => {
    const client = await atInit();
    const general = await scope(client, 'General');
    const part = (await client.ask('variables', { variablesReference: general, filter: 'named', start: 1, count: 2 })) as {
      variables: Variable[];
    };
    expect(part.variables.map(({ name }) => name)).toEqual(['EBX', 'ECX']);
    expect(await client.ask('variables', { variablesReference: general, filter: 'indexed' })).toEqual({ variables: [] });
  });

  test('of an earlier stop are gone, and that is said', async () => {
    const client = await atInit();
    const general = await scope(client, 'General');
    const [frame] = await frames(client, 1);
    await client.ask('next', { threadId: 1 });
    await client.next('stopped');
    expect(await client.refused('variables', { variablesReference: general })).toBe(
      `The variables reference ${general} was of an earlier stop.`,
    );
    expect(await client.refused('scopes', { frameId: frame?.id })).toBe(`The frame ${frame?.id} was of an earlier stop.`);
    expect(await client.refused('variables', { variablesReference: 1_000_000 })).toBe('There is no variables reference 1000000.');
  });
});

describe('a value that is set', () => {
  test('is what its scope shows from then on, in the fields that were open as well', async () => {
    const client = await atInit();
    const lapic = await scope(client, 'Local APIC');
    const svr = await variable(client, lapic, 'SVR');
    const fields = svr.variablesReference;
    expect((await variable(client, fields, 'software enable')).value).toMatch(/^on/);
    expect(await client.ask('setVariable', { variablesReference: fields, name: 'software enable', value: 'off' })).toMatchObject({
      value: expect.stringMatching(/^off/),
    });
    expect((await variable(client, fields, 'software enable')).value).toMatch(/^off/);
    expect((await variable(client, lapic, 'SVR')).value).toMatch(/^000000FF/);
    expect(await client.next('invalidated')).toEqual({ areas: ['variables'] });
  });

  test('may be set by its expression: what a scope shows, and memory', async () => {
    const client = await atInit();
    expect(await client.ask('setExpression', { expression: 'eax', value: '12345678' })).toMatchObject({ value: '12345678' });
    expect(await client.ask('setExpression', { expression: 'byte [0x500]', value: '0x7F' })).toMatchObject({ value: '7Fh' });
    const cr0 = await variable(client, await scope(client, 'Control'), 'CR0');
    const field = (await variables(client, cr0.variablesReference)).find(({ name }) => name === 'CD' || name.includes('cache disable'));
    expect(field?.evaluateName).toBeDefined();
    await client.ask('setExpression', { expression: field?.evaluateName, value: '0' });
    expect((await variable(client, await scope(client, 'Control'), 'CR0')).value).toMatch(/^2/);
  });

  test('that decides where a vCPU is makes all stacks stale', async () => {
    const client = await atInit();
    await client.ask('setExpression', { expression: 'esp', value: '0x6000' });
    expect(await client.next('invalidated')).toEqual({ areas: ['all'] });
    expect((await frames(client, 1)).map(({ name }) => name)).not.toContain('start32');
  });

  test('is refused with what is wrong, while the machine runs as well', async () => {
    const client = await atInit();
    const general = await scope(client, 'General');
    expect(await client.refused('setVariable', { variablesReference: general, name: 'EAX', value: 'five' })).toMatch(/five/);
    expect(await client.refused('setVariable', { variablesReference: general, name: 'RAX', value: '5' })).toBe(
      `There is no variable "RAX" in the variables reference ${general}.`,
    );
    expect(await client.refused('setExpression', { expression: 'lapic.nonsense', value: '5' })).toMatch(/nonsense/);
    expect(await client.refused('setExpression', { expression: 'exit.code', value: '5' })).toMatch(/cannot be set/);
  });
});

describe('an expression', () => {
  test('that names memory in the local APIC is its register, decoded', async () => {
    const client = await atInit();
    expect(await evaluate(client, '[LAPIC+ICR_LO]', { context: 'hover' })).toMatchObject({
      result: '000C4500  INIT to all excluding self',
      memoryReference: 'phys:0xfee00300',
    });
    expect(await evaluate(client, 'dword [0xFEE00304]')).toMatchObject({ result: '00000000h' });
    expect(await evaluate(client, '[LAPIC+ICR_LO],d')).toMatchObject({ result: String(0xc4500) });
  });

  test('sees the exception that has stopped the machine', async () => {
    const client = Client.inProcess();
    const program = file('fault.asm', bootrom('  int 13'));
    await client.launched({ program, cpus: 1 }, () => client.ask('setExceptionBreakpoints', { filters: ['guest-exception'] }));
    await client.ask('evaluate', { expression: 'idtr.limit = 0', context: 'repl' });
    await client.ask('continue', { threadId: 1 });
    expect(await client.next('stopped')).toMatchObject({ reason: 'exception', description: '#GP general protection' });
    expect(await evaluate(client, 'vector')).toMatchObject({ result: '0Dh' });
    expect(await evaluate(client, 'value')).toMatchObject({ result: '00000000h' });
  });

  test('under the mouse may be a number, the offset of a register, a label with its colon, or a local one', async () => {
    const client = await atInit();
    const hover = async (expression: string, line: number): Promise<unknown> =>
      (await evaluate(client, expression, { context: 'hover', line, source: { path: icrlo.program } }))['result'];
    expect(await hover('0x000C4500', 41)).toBe('C4500h = 804096');
    expect(await hover('9', 41)).toBe('9');
    expect(await hover('ICR_LO', 41)).toBe('00000300h: 000C4500  INIT to all excluding self');
    expect(await hover('EOI', 94)).toBe('000000B0h');
    expect(await hover('LAPIC', 41)).toBe('FEE00000h');
    expect(await hover('wake_aps:', 39)).toBe('FFFFF04Fh');
    expect(await hover('.wait:', 50)).toBe('FFFFF08Bh');
    expect(await hover('.wait', 51)).toBe('FFFFF08Bh');
    expect(await hover('.wait', 163)).toBe('FFFFF1E5h');
    expect(await client.refused('evaluate', { expression: '.wait', context: 'hover' })).toMatch(/"\."/);
  });

  test('is shown decoded, with its fields below it', async () => {
    const client = await atInit();
    const icr = await evaluate(client, 'lapic.icr_lo', { context: 'watch' });
    expect(icr).toMatchObject({ result: '000C4500  INIT to all excluding self', memoryReference: 'phys:0xfee00300' });
    expect(await variables(client, icr['variablesReference'] as number)).toHaveLength(7);
    expect(await evaluate(client, 'lapic.icr', { context: 'hover' })).toMatchObject({ result: icr['result'] });
    expect(await evaluate(client, 'LAPIC[1].SVR')).toMatchObject({ result: expect.stringMatching(/^000000FF {2}software-disabled/) });
    expect(await evaluate(client, 'exit.code')).toMatchObject({ result: 'MMIO_EMUL' });
    expect(await evaluate(client, 'lapic.icr.mode')).toMatchObject({
      result: expect.stringContaining('INIT'),
      type: expect.stringMatching(/^bits? 10:8/),
    });
    expect(await evaluate(client, 'zf')).toMatchObject({ result: '0', type: expect.stringMatching(/bit 6/) });
    expect(await evaluate(client, 'lapic.icr_lo.mode == INIT')).toMatchObject({ result: '1' });
  });

  test('belongs to the vCPU of the frame', async () => {
    const client = await atInit();
    const [first] = await frames(client, 1);
    const [second] = await frames(client, 2);
    expect(await evaluate(client, 'vcpu', { frameId: first?.id })).toMatchObject({ result: '0' });
    expect(await evaluate(client, 'vcpu', { frameId: second?.id })).toMatchObject({ result: '1' });
  });

  test.each([
    ['eax + 0x10,x', '0x20'],
    ['eax + 0x10,h', '20h'],
    ['eax + 0x10,d', '32'],
    ['eax + 0x10,b', '100000b'],
    ['eax + 0x10,o', '40o'],
    ['eax, b', '10000b'],
    ['0 - 5,x', '-0x5'],
    ['1 in (1, 2)', '1'],
  ])('%s is %s', async (expression, result) => {
    const client = await atInit();
    expect(await evaluate(client, expression)).toMatchObject({ result, variablesReference: 0 });
  });

  test('is hexadecimal when the client wants that', async () => {
    const client = await atInit();
    expect(await evaluate(client, 'eax + 0x10', { format: { hex: true } })).toMatchObject({ result: '0x20' });
  });

  test('says where it lies, if it has an address', async () => {
    const client = await atInit();
    expect(await evaluate(client, 'wake_aps')).toMatchObject({ result: 'FFFFF04Fh', memoryReference: 'lin@0:0xfffff04f' });
    expect(await evaluate(client, 'dword [esp + 4]')).toMatchObject({ memoryReference: 'lin@0:0x00007000' });
    expect(await evaluate(client, 'esp + 4')).not.toHaveProperty('memoryReference');
  });

  test('that cannot be evaluated says why', async () => {
    const client = await atInit();
    expect(await client.refused('evaluate', { expression: 'lapic.icr_lw' })).toMatch(
      /^There is no "lapic\.icr_lw"\. Did you mean lapic\.icr_lo\?$/,
    );
    expect(await client.refused('evaluate', { expression: '1 +' })).toBe('Expected a value, found the end.');
    expect(await client.refused('evaluate', { expression: '' })).toBe('The expression is empty.');
    expect(await client.refused('evaluate', {})).toBe('evaluate: expression is missing; a text is needed.');
    expect(await client.refused('evaluate', { expression: 'eax', frameId: 777 })).toBe('There is no frame 777.');
  });
});

describe('the debug console', () => {
  const say = async (client: Client, expression: string): Promise<string> =>
    (await evaluate(client, expression, { context: 'repl' }))['result'] as string;

  test('sets what stands before =, and compares with ==', async () => {
    const client = await atInit();
    expect(await say(client, 'eax = 5')).toBe('00000005');
    expect(await say(client, 'eax == 5')).toBe('1');
    expect(await say(client, 'eax >= 6')).toBe('0');
    expect(await say(client, 'dword [0x500] = eax + 1')).toBe('00000006h');
    expect(await say(client, 'zf = 1')).toMatch(/^1/);
    expect(await client.refused('evaluate', { expression: 'eax = ', context: 'repl' })).toBe('"eax =" has no value.');
  });

  test('assigns only there: a watch has no effect', async () => {
    const client = await atInit();
    expect(await client.refused('evaluate', { expression: 'eax = 5', context: 'watch' })).toMatch(/=/);
    expect(await evaluate(client, 'eax')).toMatchObject({ result: '00000010' });
  });

  test('says what the views show', async () => {
    const client = await atInit();
    expect(await say(client, '.exits')).toMatch(/^9 exits\n.*MMIO_EMUL +5 +last e#9/s);
    expect(await say(client, '.ipis')).toMatch(/^1 IPI, 0 refused targets\ni#1 {2}vCPU0 sent INIT to all excluding self/);
    expect(await say(client, '.why')).toMatch(/vCPU0 stored 000C4500h to ICR_LO: INIT to all excluding self\./);
    expect(await say(client, '.help')).toMatch(/\.exits.*\.ipis.*\.why/s);
    expect(await client.refused('evaluate', { expression: '.exists', context: 'repl' })).toBe(
      'There is no command .exists. Did you mean .exits?',
    );
  });

  test('completes names, labels, words and commands at the caret', async () => {
    const client = await atInit();
    const at = async (text: string, column = text.length + 1): Promise<Body[]> =>
      (await client.ask('completions', { text, column }))['targets'] as Body[];
    expect(await at('eax + lapic[1].ic')).toMatchObject([
      { label: 'icr_lo', start: 16, length: 2 },
      { label: 'icr_hi', start: 16, length: 2 },
    ]);
    expect(await at('lapic@1.icr_lo.destination_s')).toMatchObject([{ label: 'destination_shorthand', start: 16 }]);
    expect(await at('wake_')).toMatchObject([{ label: 'wake_aps' }]);
    expect(await at('x == inst_e')).toMatchObject([{ label: 'INST_EMUL', start: 6 }]);
    expect((await at('.')).map(({ label }) => label)).toEqual(['.help', '.exits', '.ipis', '.why']);
    expect(await at('wak + 1', 4)).toMatchObject([{ label: 'wake_aps', start: 1, length: 3 }]);
    expect((await at('')).map(({ label }) => label)).toContain('lapic');
  });
});

describe('memory', () => {
  const bytes = async (client: Client, memoryReference: string, count: number, offset = 0): Promise<Body & { data?: string }> =>
    client.ask('readMemory', { memoryReference, offset, count });
  const hex = (text = ''): string => Buffer.from(text, 'base64').toString('hex');

  test('is read by physical and by linear address, and by a plain number', async () => {
    const client = await atInit();
    for (const reference of ['phys:0xfffffff0', 'lin@0:0xfffffff0', '0xfffffff0']) {
      const { address, data } = await bytes(client, reference, 2);
      expect(address).toBe('0xfffffff0');
      expect(hex(data)).toBe('e9f3');
    }
  });

  test('ends with what cannot be read, and says how much that is', async () => {
    const client = await atInit();
    expect(await bytes(client, '0xfffffffe', 16)).toEqual({ address: '0xfffffffe', data: 'AAA=', unreadableBytes: 14 });
    expect(await bytes(client, 'phys:0xf0000000', 8)).toEqual({ address: '0xf0000000', unreadableBytes: 8 });
    expect(await bytes(client, '0x500', 0)).toEqual({ address: '0x00000500' });
  });

  test('shows registers of a local APIC without disturbing it', async () => {
    const client = await atInit();
    const { data } = await bytes(client, 'phys:0xfee00300', 16);
    expect(hex(data)).toBe('00450c00000000000000000000000000');
    expect(await evaluate(client, 'exit.number')).toMatchObject({ result: expect.stringContaining('9') });
  });

  test('is written, and every view of it is told in its own words', async () => {
    const client = await atInit();
    await bytes(client, 'phys:0x500', 16);
    await bytes(client, '0x500', 8, 4);
    expect(await client.ask('writeMemory', { memoryReference: 'lin@0:0x500', offset: 1, data: 'AQID' })).toEqual({ bytesWritten: 3 });
    expect(await client.next('memory')).toEqual({ memoryReference: 'phys:0x500', offset: 0, count: 16 });
    expect(await client.next('memory')).toEqual({ memoryReference: '0x500', offset: 4, count: 8 });
    expect(hex((await bytes(client, 'phys:0x500', 5)).data)).toBe('0001020300');
    await client.ask('next', { threadId: 1 });
    await client.next('stopped');
    await client.next('memory');
  });

  test('that is ROM, a device or nothing is not written, as far as it can be at once', async () => {
    const client = await atInit();
    expect(await client.refused('writeMemory', { memoryReference: 'phys:0xfffff000', data: 'AQID' })).toMatch(/FFFFF000h is ROM/);
    expect(await client.refused('writeMemory', { memoryReference: 'phys:0xfee00300', data: 'AQID' })).toMatch(
      /^Nothing was written: FEE00300h is a device's\./,
    );
    expect(await client.ask('writeMemory', { memoryReference: 'phys:0xfffff000', data: 'AQID', allowPartial: true })).toEqual({
      bytesWritten: 0,
    });
    expect(await client.refused('writeMemory', { memoryReference: 'phys:0x500', data: '***' })).toMatch(/no base64/);
    expect(await client.refused('readMemory', { memoryReference: 'there', count: 1 })).toMatch(/"there" is no memory reference/);
    expect(await client.refused('readMemory', { memoryReference: '0x0', count: -1 })).toMatch(/count is -1/);
  });
});

describe('the disassembly', () => {
  test('has exactly the rows that were asked for, with their source lines', async () => {
    const client = await atInit();
    const { instructions } = (await client.ask('disassemble', {
      memoryReference: 'lin@0:0xfffff04f',
      instructionOffset: -1,
      instructionCount: 3,
    })) as { instructions: Body[] };
    expect(instructions).toMatchObject([
      { address: '0xfffff04d', line: 37 },
      {
        address: '0xfffff04f',
        line: 41,
        symbol: 'wake_aps',
        location: { path: icrlo.program },
        instructionBytes: 'C7 05 00 03 E0 FE 00 45 0C 00',
      },
      { address: '0xfffff059', line: 42 },
    ]);
  });

  test('fills up beyond the first and the last address', async () => {
    const client = await atInit();
    for (const [memoryReference, instructionOffset] of [
      ['0xfffffffe', -2],
      ['0x0', -4],
    ]) {
      const { instructions } = (await client.ask('disassemble', { memoryReference, instructionOffset, instructionCount: 8 })) as {
        instructions: Body[];
      };
      expect(instructions).toHaveLength(8);
      expect(instructions.some(({ presentationHint }) => presentationHint === 'invalid')).toBe(true);
      const addresses = instructions.map(({ address }) => Number(address));
      expect(addresses).toEqual([...addresses].sort((a, b) => a - b));
    }
    expect(await client.refused('disassemble', { memoryReference: '0x0', instructionCount: 1e9 })).toMatch(
      /instructionCount is 1000000000/,
    );
  });
});
