import { describe, expect, it } from 'vitest';
import { evaluate, type Scope } from '../../src/debugger/evaluate.ts';
import { parseExpression } from '../../src/debugger/expression.ts';
import { ExpressionError, parseNumber } from '../../src/debugger/lexer.ts';

const registers: Readonly<Record<string, number | string>> = {
  eax: 0x1234,
  ecx: 0,
  'lapic.icr_lo': 0xc4500,
  'lapic.icr_lo.mode': 5,
  time: 2_110,
  'exit.device': 'vlapic',
  if: 1,
};

const scope: Scope = {
  lookup: (path, index, part) => {
    if (path.join('.') === 'ioapic.redtbl.vector' && part === 1) return 0x30 + (index ?? 0);
    if (index !== undefined && path[0] === 'eax') return undefined;
    if (path[0] === 'lapic' && index !== undefined) return path[1] === 'svr' ? 0x100 + index : undefined;
    if (path.join('.') === 'exit.gpa') return { unavailable: 'nothing has exited' };
    return registers[path.join('.')];
  },
  memory: (address, size) => (address < 0x1000 ? (0x04030201 >>> 0) % 2 ** (8 * size) : undefined),
  symbol: (name) => (name === 'wake_aps' ? 0xfffff09c : undefined),
  names: () => Object.keys(registers),
};

const value = (text: string): number | string => evaluate(parseExpression(text), scope);
const problem = (text: string): ExpressionError => {
  try {
    value(text);
  } catch (error) {
    if (error instanceof ExpressionError) return error;
    throw error;
  }
  throw new Error(`${text} was taken`);
};

describe('numbers', () => {
  it('are read in the forms of C and of NASM', () => {
    for (const [text, right] of [
      ['31', 31],
      ['0x1F', 31],
      ['1Fh', 31],
      ['0FFh', 255],
      ['0b101', 5],
      ['101b', 5],
      ['0o17', 15],
      ['17o', 15],
      ['17q', 15],
      ['0d31', 31],
      ['31d', 31],
      ['1_000', 1000],
      ['0xFEE0_0300', 0xfee00300],
      ['0x1b', 27],
      ['0', 0],
    ] as const)
      expect(parseNumber(text), text).toBe(right);
  });
  it('with a unit of time count in ns', () => {
    expect([parseNumber('20ns'), parseNumber('500us'), parseNumber('10ms'), parseNumber('2s'), parseNumber('1.5ms')]).toEqual([
      20, 500_000, 10_000_000, 2e9, 1_500_000,
    ]);
  });
  it('that are none give undefined', () => {
    for (const text of ['', 'FFh', '0x', '12z', '0b2', '9q', '1.5', '99999999999999999999', '-1'])
      expect(parseNumber(text), text).toBeUndefined();
  });
});

describe('expressions', () => {
  it('have the precedence of C', () => {
    expect(value('1 + 2 * 3')).toBe(7);
    expect(value('(1 + 2) * 3')).toBe(9);
    expect(value('1 | 2 ^ 3 & 2')).toBe(1 | (2 ^ (3 & 2)));
    expect(value('1 << 2 + 1')).toBe(8);
    expect(value('6 & 3 == 3')).toBe(0);
    expect(value('1 == 1 && 2 > 1 || 0')).toBe(1);
    expect(value('10 - 4 - 3')).toBe(3);
    expect(value('7 / 2 % 2')).toBe(1);
    expect(value('-2 + 3')).toBe(1);
    expect(value('!0 + ~0')).toBe(0x100000000);
    expect(value('1 ? 2 : 0 ? 3 : 4')).toBe(2);
  });
  it('compute with 53 bits', () => {
    expect(value('0xFFFFFFFF + 1')).toBe(0x100000000);
    expect(value('0x1_0000_0001 & 0x1_0000_0000')).toBe(0x100000000);
    expect(value('1 << 40 | 1')).toBe(2 ** 40 + 1);
    expect(problem('1 << 60').message).toMatch(/2\^53/);
  });
  it('know registers, fields, memory, symbols and constants, in any case', () => {
    expect(value('EAX')).toBe(0x1234);
    expect(value('lapic.ICR_LO.mode == INIT')).toBe(1);
    expect(value('lapic[2].svr')).toBe(0x102);
    expect(value('lapic[1 + 1].svr')).toBe(0x102);
    expect(value('[0x500]')).toBe(0x04030201);
    expect(value('byte [0x500]')).toBe(1);
    expect(value('word [eax - 1000h]')).toBe(0x0201);
    expect(value('wake_aps')).toBe(0xfffff09c);
    expect(value('if')).toBe(1);
    expect(value('MMIO_EMUL')).toBe(11);
    expect(value('Refused == refused')).toBe(1);
  });
  it('take an index at the part that has one, or a vCPU behind an @', () => {
    expect(value('lapic@2.svr')).toBe(0x102);
    expect(value('LAPIC@2.SVR')).toBe(0x102);
    expect(value('ioapic.redtbl[1 + 1].vector')).toBe(0x32);
    expect(problem('lapic[1].svr[2]')).toMatchObject({ column: 13, message: 'A name has one index at most.' });
    expect(problem('lapic@1[2].svr')).toMatchObject({ column: 8, message: 'A name has one index at most.' });
    expect(problem('eax[1]').message).toMatch(/^There is no "eax"/);
  });
  it('compare with several values by "in"', () => {
    expect(value('eax in (1, 0x1234)')).toBe(1);
    expect(value('eax in (1, 2) || 0')).toBe(0);
    expect(value("exit.device in ('uart', 'vlapic')")).toBe(1);
  });
  it('compare texts', () => {
    expect(value('exit.device == "vlapic"')).toBe(1);
    expect(value('exit.device != "vlapic"')).toBe(0);
  });
  it('do not evaluate the side that does not matter', () => {
    expect(value('0 && exit.gpa')).toBe(0);
    expect(value('1 || 1 / 0')).toBe(1);
  });
});

describe('a mistake', () => {
  it('is told with its column', () => {
    expect(problem('eax == ')).toMatchObject({ column: 8, message: 'Expected a value, found the end.' });
    expect(problem('(1 + 2')).toMatchObject({ column: 7 });
    expect(problem('1 2')).toMatchObject({ column: 3 });
    expect(problem('eax = 1')).toMatchObject({ column: 5, message: '"=" means nothing in an expression. Write == to compare.' });
    expect(problem('1 + 12z')).toMatchObject({ column: 5 });
    expect(problem('ecx + (1 / ecx)')).toMatchObject({ column: 10, message: 'Division by 0.' });
    expect(problem('[0x2000]')).toMatchObject({ column: 1, message: 'Nothing can be read at 2000h.' });
    expect(problem('')).toMatchObject({ message: 'The expression is empty.' });
    expect(problem('exit.device + 1')).toMatchObject({ message: 'A number is needed here, not the text "vlapic".' });
  });
  it('in a name that resembles none lists what there is', () => {
    expect(problem('exit.foo').message).toBe('There is no "exit.foo". exit has: device.');
    expect(problem('qqqqq').message).toBe('There is no "qqqqq". Names are: lapic.…, exit.…, eax, ecx, time, if.');
  });
  it('in a name suggests the nearest one', () => {
    expect(problem('eaz').message).toBe('There is no "eaz". Did you mean eax?');
    expect(problem('lapic.icr_l0').message).toBe('There is no "lapic.icr_l0". Did you mean lapic.icr_lo?');
    expect(problem('refussed').message).toMatch(/Did you mean refused/);
  });
  it('says why a name has no value', () => {
    expect(problem('exit.gpa > 0').message).toBe('exit.gpa has no value here: nothing has exited.');
  });
  it('tells how a hexadecimal number begins', () => {
    expect(problem('FEE00300h').message).toBe('"FEE00300h" is no name; a number begins with a digit: 0FEE00300h.');
  });
  it('never exhausts the stack', () => {
    expect(problem('('.repeat(1_500)).message).toMatch(/deeply/);
    expect(problem('-'.repeat(1_500)).message).toMatch(/deeply/);
    expect(problem('1+'.repeat(1_001)).message).toMatch(/2,000/);
    expect(value(`${'1+'.repeat(900)}1`)).toBe(901);
  });
  it('is always an ExpressionError, whatever the text', () => {
    const seed = 20_261_122;
    let state = seed;
    const random = (n: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    const words = [
      'eax',
      'lapic',
      '.',
      '[',
      ']',
      '(',
      ')',
      '1',
      '0x',
      '==',
      '=',
      'in',
      ',',
      '"',
      '-',
      '~',
      '?',
      ':',
      'byte',
      '1h',
      ' ',
      '&&',
      '<<',
      '64',
      'é',
      '\n',
    ];
    for (let i = 0; i < 20_000; i++) {
      const text = Array.from({ length: 1 + random(10) }, () => words[random(words.length)]).join('');
      try {
        value(text);
      } catch (error) {
        expect(error, `seed ${seed}: ${JSON.stringify(text)}`).toBeInstanceOf(ExpressionError);
      }
    }
  });
});
