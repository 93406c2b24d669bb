import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../src/assembly/assembler.ts';
import { decodeSource, rawByte } from '../../src/assembly/source-text.ts';
import { index } from './index.ts';

const latin1 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const code = (source: Uint8Array): number[] => {
  const { bytes, diagnostics } = assemble(decodeSource(source), 'a.asm', { index });
  expect(diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
  return [...bytes];
};

describe('the text of a source', () => {
  it('is UTF-8 wherever that is valid', () => {
    const text = 'db "é€😀", 0 ; naïve\n';
    expect(decodeSource(Buffer.from(text))).toBe(text);
    const long = '€'.repeat(20_000);
    expect(decodeSource(Buffer.from(long))).toBe(long);
  });
  it('keeps every other byte, one by one', () => {
    // Overlong, a surrogate, above U+10FFFF, cut short.
    for (const bad of [[0xe9], [0xc0, 0x80], [0xe0, 0x9f, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf5], [0xe2, 0x82]]) {
      const text = decodeSource(Uint8Array.from([0x41, ...bad, 0x42]));
      expect([...text].map((c) => rawByte(c.codePointAt(0) as number) ?? c)).toEqual(['A', ...bad, 'B']);
    }
  });
  it('gives the bytes of a Latin-1 string as they are', () => {
    expect(code(latin1('db "é", `\xe9\\n`, \'ab\xff\'\n'))).toEqual([0xe9, 0xe9, 10, 0x61, 0x62, 0xff]);
    expect(code(latin1('mov al, "é"\n'))).toEqual([0xb0, 0xe9]);
    expect(code(Buffer.from('db "é"\n'))).toEqual([0xc3, 0xa9]);
  });
  it('assembles to what nasm makes of the same bytes', (context) => {
    const dir = mkdtempSync(join(tmpdir(), 'exitpoint-'));
    try {
      const source = Buffer.concat([latin1('db "é", \'\xc0\x80\', `\xf5\\t`\nmov al, "\xe9"\n'), Buffer.from('db "é€😀" ; é\n')]);
      writeFileSync(join(dir, 'a.asm'), source);
      try {
        execFileSync('nasm', ['-f', 'bin', '-o', join(dir, 'a.bin'), join(dir, 'a.asm')], { stdio: 'ignore' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return context.skip('nasm is not installed');
        throw error;
      }
      expect(code(source)).toEqual([...readFileSync(join(dir, 'a.bin'))]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
