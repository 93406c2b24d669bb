import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../architecture/source.ts';
import { Conversation } from './conversation.ts';
import { CUSTOM } from './custom.ts';
import { fits, type Schema } from './json-schema.ts';
import { mutants, rightMessages } from './messages.ts';
import { argumentsType, COMMANDS, messageProblems, PROTOCOL } from './protocol.ts';
import { mismatches, parseTypes, type Types } from './protocol-types.ts';

const of = (source: string) => {
  const types: Types = parseTypes(source);
  return (value: unknown) => mismatches(types, { kind: 'reference', name: 'T' }, value, 'T');
};

describe('the reader of types', () => {
  test('knows what is mandatory, what is optional and what is not there at all', () => {
    const check = of('interface T { a: number; readonly b?: string; /** c: no property */ }');
    expect(check({ a: 1 })).toEqual([]);
    expect(check({ a: 1, b: undefined })).toEqual([]);
    expect(check({ b: 'x' })).toEqual(['T.a is missing']);
    expect(check({ a: 1, c: 2 })).toEqual(['T.c is no property of this type']);
    expect(check({ a: null })).toEqual(['T.a is null, not a number']);
    expect(check({ a: 1.5 })).toEqual(['T.a is 1.5, not an integer']);
    expect(check([])).toEqual(['T is [], not an object']);
  });

  test('knows unions, arrays, object types, index signatures and aliases', () => {
    const check = of(`
      type W = 'on' | 'off'; // words
      export interface T { readonly w?: W | null; list?: readonly ('a' | 1)[]; o?: { x: boolean; }; env?: { [key: string]: string | null; }; t?: T[] }`);
    expect(check({ w: 'on', list: ['a', 1], o: { x: true }, env: { p: null, q: 'r' }, t: [{ w: null }] })).toEqual([]);
    expect(check({ w: 'up' })).toEqual(['T.w is "up", none of W, null']);
    expect(check({ list: ['a', 2] })).toEqual(['T.list[1] is 2, none of "a", 1']);
    expect(check({ o: {} })).toEqual(['T.o.x is missing']);
    expect(check({ env: { p: 5 } })).toEqual(['T.env.p is 5, none of string, null']);
    expect(check({ t: [{ u: 1 }] })).toEqual(['T.t[0].u is no property of this type']);
  });

  test('lets an interface take over what it extends, and change it', () => {
    const check = of('interface A { n: string; body?: any; } interface T extends A { body: { m?: number; }; }');
    expect(check({ n: '', body: { m: 1 } })).toEqual([]);
    expect(check({ n: '' })).toEqual(['T.body is missing']);
    expect(check({ body: {} })).toEqual(['T.n is missing']);
  });

  test('refuses what it cannot read', () => {
    expect(() => parseTypes('interface T { f(): void; }')).toThrow(/where : was expected/);
    expect(() => parseTypes('interface T { m: Map<string, number>; }')).toThrow(/does not know/);
    expect(() => of('interface T { a: Nowhere; }')({ a: 1 })).toThrow('no type is called Nowhere');
  });
});

describe('the protocol', () => {
  test('is read whole: every declaration, and every type that one of them names', () => {
    const declared = fs
      .readFileSync(path.join(ROOT, 'node_modules/@vscode/debugprotocol/lib/debugProtocol.d.ts'), 'utf8')
      .match(/^\t(?:interface|type) \w+/gm);
    expect([...PROTOCOL.keys()]).toEqual(declared?.map((line) => line.trim().split(' ')[1]));
    for (const command of COMMANDS) expect(argumentsType(command) !== undefined || command === 'threads', command).toBe(true);
  });

  const right = rightMessages();

  test('accepts each event and each response, with everything they may have and with what they must', () => {
    expect(right.length).toBeGreaterThan(100);
    for (const { message } of right) expect(messageProblems(message, CUSTOM), JSON.stringify(message)).toEqual([]);
  });

  test('refuses a property that is unknown wherever it stands', () => {
    for (const { definition, message } of right) {
      expect(messageProblems({ ...message, more: 1 }, CUSTOM), definition).not.toEqual([]);
      const body = message['body'];
      if (typeof body === 'object' && body !== null)
        expect(messageProblems({ ...message, body: { ...body, more: 1 } }, CUSTOM)).not.toEqual([]);
    }
  });

  const wrong: [string, object][] = [
    ['an event nobody has described', { seq: 1, type: 'event', event: 'exitpoint/unheardOf' }],
    ['a response nobody has described', { seq: 1, type: 'response', request_seq: 1, success: true, command: 'unheardOf' }],
    ['a failure without a message', { seq: 1, type: 'response', request_seq: 1, success: false, command: 'next' }],
    ['a failure with an empty message', { seq: 1, type: 'response', request_seq: 1, success: false, command: 'next', message: ' ' }],
    ['a success with a message', { seq: 1, type: 'response', request_seq: 1, success: true, command: 'next', message: 'cancelled' }],
    ['a body where there is none', { seq: 1, type: 'response', request_seq: 1, success: true, command: 'next', body: { a: 1 } }],
    ['a number that is none', { seq: 1, type: 'event', event: 'exited', body: { exitCode: Number.NaN } }],
    ['a reference below 0', { seq: 1, type: 'event', event: 'output', body: { output: '', variablesReference: -1 } }],
    ['a reference of 2³¹', { seq: 1, type: 'event', event: 'output', body: { output: '', variablesReference: 2 ** 31 } }],
    ['a hole in an array', { seq: 1, type: 'event', event: 'stopped', body: { reason: 'step', hitBreakpointIds: [undefined] } }],
    ['no type', { seq: 1, event: 'initialized' }],
  ];
  test.each(wrong)('refuses %s', (_, message) => {
    expect(messageProblems(message, CUSTOM)).not.toEqual([]);
  });

  test('is the same by its types and by its JSON schema, where that lies beside the project', () => {
    const file = process.env['EXITPOINT_DAP_SCHEMA'] ?? path.join(ROOT, '../shared/dap/debugAdapterProtocol.json');
    let compared = 0;
    if (fs.existsSync(file)) {
      const schema: Schema = JSON.parse(fs.readFileSync(file, 'utf8'));
      for (const { definition, message } of right) {
        const declared = schema.definitions?.[definition];
        expect(declared, `${definition} in the schema`).toBeDefined();
        expect(fits(schema, declared!, message), `the schema accepts ${JSON.stringify(message)}`).toBe(true);
        for (const mutant of mutants(message)) {
          const problems = messageProblems(mutant.message, CUSTOM);
          // The types are never laxer than the schema; stricter they are where it says nothing.
          if (!fits(schema, declared!, mutant.message)) expect(problems, `${definition}: ${mutant.what}`).not.toEqual([]);
          else if (problems.length > 0) for (const problem of problems) expect(problem, `${definition}: ${mutant.what}`).toMatch(STRICTER);
          compared++;
        }
      }
      expect(compared).toBeGreaterThan(3000);
    } else console.info(`no ${file}: the messages were held against the types alone`);
    expect(right.every(({ message }) => messageProblems(message, CUSTOM).length === 0)).toBe(true);
  });
});

/** What the protocol says in words, or not at all, and the schema therefore does not. */
const STRICTER = /^launch fails without a message$|is no property of this type$|, outside 0 to 2³¹−1$/;

describe('a conversation', () => {
  const said = (...messages: object[]): readonly string[] => {
    const conversation = new Conversation(false);
    conversation.request({ seq: 1, command: 'initialize' });
    conversation.request({ seq: 2, command: 'setBreakpoints', arguments: { source: {}, breakpoints: [{ line: 1 }] } });
    for (const message of messages) conversation.message(message);
    return conversation.finish();
  };
  const initialized = { seq: 1, type: 'response', request_seq: 1, success: true, command: 'initialize', body: {} };
  const set = {
    seq: 2,
    type: 'response',
    request_seq: 2,
    success: true,
    command: 'setBreakpoints',
    body: { breakpoints: [{ id: 5, verified: true }] },
  };

  test('in which every request is answered once, in any order, is right', () => {
    expect(said(initialized, set)).toEqual([]);
    expect(said({ ...set, seq: 1 }, { ...initialized, seq: 2 })).toEqual([]);
  });

  const stop = (ids: number[]) => ({
    seq: 3,
    type: 'event',
    event: 'stopped',
    body: { reason: 'breakpoint', threadId: 1, hitBreakpointIds: ids },
  });
  const broken: [string, RegExp, object[]][] = [
    ['leaves a request without an answer', /setBreakpoints was never answered/, [initialized]],
    ['answers twice', /second answer/, [initialized, set, { ...set, seq: 3 }]],
    ['answers what was not asked', /answers the request 9/, [initialized, set, { ...set, seq: 3, request_seq: 9 }]],
    ['answers with another command', /answers next where setBreakpoints/, [initialized, { ...set, command: 'next', body: undefined }]],
    ['counts wrongly', /seq is 7 after 1/, [initialized, { ...set, seq: 7 }]],
    [
      'has one breakpoint more than was set',
      /2 breakpoints where 1/,
      [initialized, { ...set, body: { breakpoints: Array(2).fill({ verified: true }) } }],
    ],
    ['rejects a breakpoint without a reason', /without a message/, [initialized, { ...set, body: { breakpoints: [{ verified: false }] } }]],
    ['stops at a breakpoint that nobody has', /names the breakpoint 6/, [initialized, set, stop([6])]],
    ['sends an event before initialize', /comes before initialize/, [{ seq: 1, type: 'event', event: 'initialized' }]],
    ['stops after its end', /comes after terminated/, [initialized, { seq: 2, type: 'event', event: 'terminated' }, stop([])]],
  ];
  test.each(broken)('that %s is not', (_, why, messages) => {
    expect(said(...messages).join('\n')).toMatch(why);
  });

  test('that names a breakpoint which was given out is right', () => {
    expect(said(initialized, set, stop([5]))).toEqual([]);
  });
});
