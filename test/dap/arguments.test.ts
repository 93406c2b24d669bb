import { describe, expect, test } from 'vitest';
import { Arguments } from '../../src/dap/arguments.ts';

const of = (raw: unknown): Arguments => new Arguments('next', raw);

describe('arguments of a request', () => {
  test('say which is missing, and what would be right', () => {
    expect(() => of(undefined).integer('threadId', { min: 1, max: 4 })).toThrow(
      'next: threadId is missing; a whole number from 1 to 4 is needed.',
    );
    expect(() => of({}).text('name')).toThrow('next: name is missing; a text is needed.');
    expect(() => of({}).record('source')).toThrow('next: source is missing; an object is needed.');
    expect(() => of({}).word('kind', ['in', 'out'])).toThrow('next: kind is missing; one of in, out is needed.');
  });

  test('say what is wrong with a value', () => {
    const args = of({
      threadId: 9,
      name: 5,
      kind: 'inn',
      on: 'yes',
      source: [],
      list: 5,
      breakpoints: [{ line: 'x' }, 7],
      filters: ['a', 1],
    });
    expect(() => args.integer('threadId', { min: 1, max: 4 })).toThrow('next: threadId is 9; a whole number from 1 to 4 is needed.');
    expect(() => args.text('name')).toThrow('next: name is 5; a text is needed.');
    expect(() => args.word('kind', ['in', 'out'])).toThrow('next: kind is "inn"; it may be in, out. Did you mean in?');
    expect(() => args.flag('on')).toThrow('next: on is "yes"; true or false is needed.');
    expect(() => args.record('source')).toThrow('next: source is []; an object is needed.');
    expect(() => args.records('list')).toThrow('next: list is 5; a list is needed.');
    expect(() => args.records('breakpoints')).toThrow('next: breakpoints[1] is 7; an object is needed.');
    expect(() =>
      of({ breakpoints: [{ line: 'x' }] })
        .records('breakpoints')[0]
        ?.integer('line'),
    ).toThrow('next: breakpoints[0]: line is "x"; a whole number is needed.');
    expect(() => args.texts('filters')).toThrow('next: filters[1] is 1; a text is needed.');
    for (const none of ['text', 5, [], true]) expect(() => of(none)).toThrow(/are no arguments; an object is needed/);
  });

  test('that are null are absent', () => {
    const args = of({ frameId: null });
    expect(args.optionalInteger('frameId')).toBeUndefined();
    expect(args.has('frameId')).toBe(false);
    expect(of(null).flag('on')).toBe(false);
  });

  test('are not taken from what every object has', () => {
    expect(of({}).has('constructor')).toBe(false);
    expect(of({}).optionalText('toString')).toBeUndefined();
  });

  test('are shown cut to a bearable length', () => {
    expect(() => of({ name: ['x'.repeat(1000)] }).text('name')).toThrow(/^next: name is \["x{58}…; a text is needed\.$/);
  });
});
