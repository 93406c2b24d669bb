import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { MachineOptions } from '../../src/cli/args.ts';
import { assemble } from '../../src/assembly/assembler.ts';
import { loadAssets } from '../../src/cli/assets.ts';
import type { Finished } from '../../src/cli/finished.ts';
import type { Io } from '../../src/cli/io.ts';
import { makePaint } from '../../src/cli/paint.ts';
import { loadRom } from '../../src/cli/rom.ts';
import { execute } from '../../src/cli/run.ts';
import { ipiWords } from '../../src/debugger/explain.ts';
import { loadEncodingIndex } from '../../src/machine/isa/encoding-index.ts';
import { exitCodeName, reasonName, verdictName } from '../../src/machine/ledger/words.ts';
import { Machine } from '../../src/machine/machine.ts';
import { processorFactory } from '../../src/machine/processor-kit.ts';
import { PROFILES } from '../../src/machine/profiles/index.ts';
import type { End } from '../../src/machine/vmm/end.ts';
import { root } from '../cli/host.ts';
import { type Expectation, parseExpectations } from './expectations.ts';

const io: Io = {
  stdout: () => {},
  stderr: () => {},
  stderrIsTTY: false,
  stdoutIsTTY: false,
  paint: makePaint(false, true),
  stdoutPaint: makePaint(false, true),
  nowMs: () => performance.now(),
  breathe: () => Promise.resolve(),
  interrupted: () => false,
};
const SUSPENDED = { reset: 'reset', poweroff: 'power-off', halt: 'halt', tripleFault: 'triple-fault' } as const;
const endName = (end: End): string =>
  end.kind === 'suspended'
    ? `suspended ${SUSPENDED[end.how]}`
    : { hostPanic: 'host-panic', aborted: 'vm-abort', runFailed: 'run-failed', stuck: 'stuck', guestExit: 'guest-exit' }[end.kind];

const assets = loadAssets(new URL('../../dist/exitpoint.mjs', import.meta.url).href);
const index = loadEncodingIndex(assets.encodings());
const factory = processorFactory(assets.interpreter);

async function runSample(name: string, profile: string, cpus: number, seed: number): Promise<{ run: Finished; text: string }> {
  const rom = loadRom(`${root}samples/${name}`, (source, file) => assemble(source, file, { index }));
  const bytes: number[] = [];
  const options: MachineOptions = { cpus, memory: 1 << 20, model: 'bhyve', seed, slice: undefined, breaks: [], timeoutNs: 5e9 };
  const run = await execute(
    { rom, options, profile, hooks: { onConsole: (b) => bytes.push(b) } },
    (config) => new Machine(config, factory),
    io,
  );
  return { run, text: Buffer.from(bytes).toString('utf8') };
}

function check(expectation: Expectation, run: Finished, text: string): void {
  const { ledger, rom, stopped } = run;
  if (stopped.kind !== 'end') throw new Error(`it did not end, but stopped: ${stopped.kind}`);
  const { end } = stopped;
  const exit = ledger.exitAt(end.exit);
  switch (expectation.kind) {
    case 'end':
      expect(endName(end)).toBe(expectation.end);
      if (expectation.line !== undefined) expect(rom.placeAt((end.csBase + end.eip) >>> 0)?.line).toBe(expectation.line);
      return;
    case 'endNote':
      return expect(exit?.note).toBe(expectation.text);
    case 'console':
      return expect(text).toContain(expectation.text);
    case 'exits': {
      const byCode = new Map([...ledger.exitsByCode()].map(([code, n]) => [exitCodeName(code), n]));
      return expect(expectation.code === undefined ? ledger.exitCount : (byCode.get(expectation.code) ?? 0)).toBe(expectation.count);
    }
    case 'ipis':
      return expect(ledger.ipiCount).toBe(expectation.count);
    case 'ipi': {
      const ipi = ledger.ipiAt(expectation.number);
      if (ipi === undefined) throw new Error(`there is no IPI ${expectation.number}`);
      expect(ipiWords(ipi).split(' level')[0]).toBe(expectation.what);
      for (const { vcpu, verdict, reason } of expectation.targets) {
        const target = ipi.targets.find((t) => t.vcpu === vcpu);
        expect({ vcpu, verdict: verdictName(target!.verdict) }).toEqual({ vcpu, verdict });
        if (reason !== undefined) expect({ vcpu, reason: reasonName(target!.reason) }).toEqual({ vcpu, reason });
      }
    }
  }
}

const profiles = PROFILES.map((p) => p.name);

for (const name of readdirSync(`${root}samples`).filter((f) => f.endsWith('.asm'))) {
  const { cpus, byProfile } = parseExpectations(readFileSync(`${root}samples/${name}`, 'utf8'), profiles);
  describe(`samples/${name}`, () => {
    for (const [profile, expectations] of byProfile) {
      it(`shows under ${profile} what its EXPECT lines say`, async () => {
        expect(expectations.length).toBeGreaterThan(0);
        const { run, text } = await runSample(name, profile, cpus, 42);
        for (const expectation of expectations) check(expectation, run, text);
      });
    }
    it('shows the same with another order of turns', async () => {
      const seeds = [0, 1, 7, 20_261_122];
      for (const seed of seeds) {
        const { run, text } = await runSample(name, 'illumos', cpus, seed);
        for (const expectation of byProfile.get('illumos') ?? []) check(expectation, run, text);
      }
    });
  });
}

describe('an EXPECT line that means nothing', () => {
  it('is quoted', () => {
    expect(() => parseExpectations('; EXPECT: cpus 1\n; EXPECT: illumos: ends soon\n', profiles)).toThrow(
      '"; EXPECT: illumos: ends soon" is no expectation',
    );
    expect(() => parseExpectations('; EXPECT: cpus 1\n; EXPECT: kvm: ipis 1\n', profiles)).toThrow('kvm');
    expect(() => parseExpectations('', profiles)).toThrow('cpus N');
  });
});
