import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { seedBelow } from '../seed.ts';
import { index } from './index.ts';
import { difference, nasmVersion } from './nasm.ts';
import { comparable, ProgramWriter, Random } from './random-lines.ts';

const version = nasmVersion();
const required = process.env['CI'] !== undefined;
const MISSING = 'nasm is not installed, so the comparison cannot run: apt-get install nasm';
const samples = fileURLToPath(new URL('../../samples/', import.meta.url));
const seed = seedBelow(0x7fffffff);

describe.skipIf(version === null && !required)('the assembler beside nasm', () => {
  it('nasm is there to compare with', () => {
    expect(version, MISSING).not.toBeNull();
  });

  it('2,000 generated lines in programs of 100 give the same bytes', { timeout: 120_000 }, () => {
    console.log(`${version}; seed ${seed} (EXITPOINT_SEED=${seed} runs it again)`);
    for (let program = 0; program < 20; program++) {
      const text = new ProgramWriter(seed + program, index, comparable(index), 100).text;
      expect(difference(text, `seed ${seed + program}`), `EXITPOINT_SEED=${seed + program}`).toBeNull();
    }
  });

  it('2,000 generated lines in one program, with branches that outgrow their short form, give the same bytes', { timeout: 120_000 }, () => {
    expect(difference(new ProgramWriter(seed, index, comparable(index), 2000).text, `seed ${seed}`), `EXITPOINT_SEED=${seed}`).toBeNull();
  });

  it('every form of the index gives the same bytes in 16- and 32-bit code', { timeout: 120_000 }, () => {
    for (const bits of [16, 32]) {
      const writer = new ProgramWriter(seed, index, comparable(index), 0);
      const random = new Random(seed + bits);
      const lines = comparable(index).flatMap((name) => (index.mnemonics.get(name) ?? []).map((form) => writer.formLine(name, form)));
      for (let i = lines.length - 1; i > 0; i--) {
        const j = random.below(i + 1);
        [lines[i], lines[j]] = [lines[j] as string, lines[i] as string];
      }
      const text = `bits ${bits}\n${writer.lines.slice(1).join('\n')}\n${lines.join('\n')}\n`;
      expect(difference(text, `forms, bits ${bits}, seed ${seed}`), `EXITPOINT_SEED=${seed}`).toBeNull();
    }
  });

  const sources = existsSync(samples) ? readdirSync(samples).filter((name) => name.endsWith('.asm')) : [];
  it.skipIf(sources.length === 0).each(sources)('the sample %s gives the same bytes', (name) => {
    expect(difference(readFileSync(samples + name, 'utf8'), name)).toBeNull();
  });
});
