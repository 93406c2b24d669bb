/**
 * The determinism guard, its half that no compiler has: of what ES2022 itself offers, what may give another result on another host. (Node, the DOM,
 * timers and the console are compile errors in the pure rooms, whose tsconfig.json asks for ES2022 alone.)
 */
import { describe, expect, test } from 'vitest';
import { PURE } from './rooms.ts';
import { read, sourceFiles, stripped } from './source.ts';

/** The functions of Math that ECMAScript defines to the last bit. Every other one is "implementation-approximated". */
const EXACT_MATH = new Set(['abs', 'ceil', 'clz32', 'floor', 'fround', 'imul', 'max', 'min', 'round', 'sign', 'sqrt', 'trunc']);

/** What in this code may differ between hosts or runs: one `line: what` each. */
function impurities(source: string): string[] {
  const found: string[] = [];
  stripped(source, { strings: true })
    .split('\n')
    .forEach((line, index) => {
      const complain = (what: string): void => void found.push(`${index + 1}: ${what}`);
      for (const [, member] of line.matchAll(/\bMath\b(?:\s*\.\s*(\w+))?/g)) {
        if (member === undefined) complain('Math is passed on or taken apart');
        else if (!EXACT_MATH.has(member)) complain(`Math.${member}`);
      }
      for (const [operator, left, right] of line.matchAll(/([\w.)\]]+)?\s*\*\*\s*(-?[\w.([]+)?/g)) {
        // A power of two with a literal exponent is folded at compile time, to the exact value.
        if (!(left === '2' && /^\d+$/.test(right ?? ''))) complain(operator.trim());
      }
      for (const [name] of line.matchAll(
        /\b(?:Date|WeakRef|FinalizationRegistry|Intl|Atomics|SharedArrayBuffer|globalThis|eval|toLocale\w+|localeCompare)\b/g,
      ))
        complain(name);
    });
  return found;
}

describe('the pure rooms', () => {
  test('use nothing that may differ between hosts: clocks, randomness, inexact Math, locales, the garbage collector', () => {
    const files = sourceFiles().filter((file) => PURE.some((room) => file.startsWith(`src/${room}/`)) && !file.endsWith('.d.ts'));
    expect(files.length).toBeGreaterThan(0);
    expect(files.flatMap((file) => impurities(read(file)).map((what) => `${file}:${what}`))).toEqual([]);
  });

  test('compile with ES2022 alone, without ambient types', () => {
    const rooms = PURE.filter((room) => sourceFiles().some((file) => file.startsWith(`src/${room}/`) && !file.endsWith('.d.ts')));
    for (const room of rooms) {
      const { extends: base, compilerOptions, include } = JSON.parse(read(`src/${room}/tsconfig.json`));
      expect({ room, base, compilerOptions }).toEqual({
        room,
        base: '../../tsconfig.json',
        compilerOptions: { lib: ['ES2022'], types: [] },
      });
      expect(include).toContain('.');
    }
    const { 'check:types': command } = JSON.parse(read('package.json')).scripts;
    for (const room of rooms) expect(command).toContain(`tsc -p src/${room}`);
  });

  test('keep BigInt to the decoder and to what writes code: never while a guest runs', () => {
    const users = sourceFiles().filter(
      (file) =>
        file.startsWith('src/machine/') &&
        !/^src\/machine\/(isa|emitter|engine|cpu\/semantics)\/|\.d\.ts$/.test(file) &&
        /\bBigInt\b|\b\d+n\b|\b0x[\da-f_]+n\b|getBig|setBig|BigU?[iI]nt64Array/i.test(stripped(read(file), { strings: true })),
    );
    expect(users).toEqual([]);
  });
});

describe('the search itself', () => {
  test.each([
    ['Math.random()', '1: Math.random'],
    ['const x = Math.log2(8);', '1: Math.log2'],
    ['const { pow } = Math;', '1: Math is passed on or taken apart'],
    ["Math['sin'](1)", '1: Math is passed on or taken apart'],
    ['a;\nDate.now()', '2: Date'],
    ['const y = x ** 2;', '1: x ** 2'],
    ['const y = 10 ** 9;', '1: 10 ** 9'],
    ['const s = `${Math.exp(1)}`;', '1: Math.exp'],
    ['new WeakRef(o)', '1: WeakRef'],
    ['n.toLocaleString()', '1: toLocaleString'],
  ])('%s is found', (code, what) => {
    expect(impurities(code)).toEqual([what]);
  });

  test.each([
    'Math.floor(x) + Math.imul(a, b)',
    '2 ** 32',
    '// Date',
    '/** Math.random */',
    "'Date and Math.sin'",
    '`Date ${now}`',
    'updateDate(x)',
    'const r = /Date/;',
  ])('%s is not', (code) => {
    expect(impurities(code)).toEqual([]);
  });
});
