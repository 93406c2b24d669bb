import { describe, expect, it } from 'vitest';
import { makePaint, wantsColour, wantsUnicode } from '../../src/cli/paint.ts';
import { cut, grouped, padEnd, padStart, table, visible, wrap } from '../../src/cli/table.ts';
import { TextWatch } from '../../src/cli/textwatch.ts';

describe('colour', () => {
  it('is for terminals alone, and NO_COLOR and a dumb terminal have none', () => {
    expect(wantsColour({ isTTY: true }, { TERM: 'xterm' })).toBe(true);
    expect(wantsColour({ isTTY: false }, { TERM: 'xterm' })).toBe(false);
    expect(wantsColour({ isTTY: true }, { TERM: 'xterm', NO_COLOR: '1' })).toBe(false);
    expect(wantsColour({ isTTY: true }, { TERM: 'xterm', NO_COLOR: '' })).toBe(true);
    expect(wantsColour({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
    expect(wantsColour({ isTTY: false }, { FORCE_COLOR: '1' })).toBe(true);
    expect(wantsColour({ isTTY: true }, { FORCE_COLOR: '0' })).toBe(false);
    expect(wantsColour({ isTTY: true }, { FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(false);
  });
  it('takes no room, and without it the text is plain', () => {
    expect(visible(makePaint(true, true).red('abc'))).toBe(3);
    expect(makePaint(true, true).red('abc')).toBe('\x1b[31mabc\x1b[39m');
    expect(makePaint(false, true).red('abc')).toBe('abc');
    expect(makePaint(true, true).blue('abc')).toBe('\x1b[94mabc\x1b[39m');
  });
});

describe('signs', () => {
  it('are ASCII unless the locale says UTF-8', () => {
    expect(wantsUnicode({ LANG: 'de_DE.UTF-8' }, 'linux')).toBe(true);
    expect(wantsUnicode({ LANG: 'C' }, 'linux')).toBe(false);
    expect(wantsUnicode({}, 'linux')).toBe(false);
    expect(wantsUnicode({ LC_ALL: 'C', LANG: 'en_US.UTF-8' }, 'linux')).toBe(false);
    expect(wantsUnicode({ WT_SESSION: 'x' }, 'win32')).toBe(true);
    expect(Object.values(makePaint(true, false).sign).every((s) => /^[\x20-\x7e]+$/.test(s))).toBe(true);
  });
});

describe('text in columns', () => {
  it('is padded, cut and wrapped by what is seen', () => {
    const { red } = makePaint(true, true);
    expect(padEnd(red('ab'), 4)).toBe(`${red('ab')}  `);
    expect(padStart('ab', 4)).toBe('  ab');
    expect(cut('abcdef', 4, '…')).toBe('abc…');
    expect(cut('abc', 4, '…')).toBe('abc');
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(grouped(1_234_567)).toBe('1 234 567');
  });
  it('lines up, numbers to the right', () => {
    expect(
      table(
        [
          ['a', '1'],
          ['bbb', '22'],
        ],
        2,
        [1],
      ),
    ).toEqual(['a     1', 'bbb  22']);
  });
});

describe('a text that is waited for', () => {
  const found = (text: string, stream: string): number => {
    const watch = new TextWatch(text);
    return [...new TextEncoder().encode(stream)].findIndex((byte) => watch.feed(byte));
  };
  it('is found at its last byte, wherever it begins', () => {
    expect(found('abc', 'xxabcx')).toBe(4);
    expect(found('aab', 'aaab')).toBe(3);
    expect(found('abababc', 'ababababc')).toBe(8);
    expect(found('é', 'aé')).toBe(2);
    expect(found('abc', 'ababab')).toBe(-1);
  });
  it('is found once', () => {
    const watch = new TextWatch('a');
    expect([watch.feed(97), watch.feed(97), watch.found]).toEqual([true, false, true]);
  });
});
