import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FramingError, frame, Unframer } from '../../src/cli/framing.ts';
import { seedBelow } from '../seed.ts';

const all = (text: string | Buffer): object[] => new Unframer().push(Buffer.from(text as string));

describe('messages on a stream', () => {
  it('have their length in bytes in front', () => {
    expect(frame({ a: 'é' }).toString()).toBe('Content-Length: 10\r\n\r\n{"a":"é"}');
  });
  it('are found again however the stream is cut into pieces', () => {
    const messages = fc.array(fc.record({ seq: fc.nat(), text: fc.string({ unit: 'grapheme' }) }), { maxLength: 5 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(frame));
        const unframer = new Unframer();
        const received: object[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const length = cuts[i % cuts.length] as number;
          received.push(...unframer.push(bytes.subarray(at, at + length)));
          at += length;
        }
        expect(received).toEqual(sent);
      }),
      { seed: seedBelow(2 ** 31) },
    );
  });
  it('may have other headers, in any case', () => {
    expect(all('Content-Type: x\r\ncontent-length: 2\r\n\r\n{}Content-Length:2\r\n\r\n{}')).toEqual([{}, {}]);
  });
  it.each([
    ['hello\r\n\r\n', 'The input is no DAP: "hello" is no header Content-Length: N.'],
    ['Content-Length: -1\r\n\r\n', 'The input is no DAP: "Content-Length: -1" is no header Content-Length: N.'],
    ['Content-Length: 999999999\r\n\r\n', 'A message of 999999999 bytes is too long; 67108864 is the limit.'],
    ['Content-Length: 3\r\n\r\n{a}', 'The input is no DAP: "{a}" is no JSON.'],
    ['Content-Length: 1\r\n\r\n7', 'The input is no DAP: "7" is no message.'],
    [`GET / HTTP/1.1\r\n${'x'.repeat(5000)}`, `The input is no DAP: it begins with "GET / HTTP/1.1\\r\\n${'x'.repeat(44)}".`],
  ])('%j is refused', (text, sentence) => {
    expect(() => all(text)).toThrow(new FramingError(sentence));
  });
});
