/**
 * Records vectors from the processor this runs on (Linux on x86-64, gcc): node test/silicon/record.mjs --seed S --count N [--out FILE]
 * [--check] Everything is recorded twice, the second time backwards; what is not the same twice is left out. --check only tries
 * instructions whose results are known.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '64000' },
    out: { type: 'string' },
    check: { type: 'boolean', default: false },
  },
});
const number = (name) => {
  const n = Number(values[name]);
  if (Number.isInteger(n) && n > 0 && n <= 10_000_000) return n;
  console.error(`--${name} ${values[name]}: expected a whole number from 1 to 10000000`);
  process.exit(2);
};
const seed = number('seed');
const count = number('count');
if (process.arch !== 'x64' || process.platform !== 'linux') {
  console.error('recording needs Linux on an x86-64 processor');
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'silicon-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const bundled = await build({ entryPoints: [join(here, 'recording.ts')], bundle: true, write: false, format: 'esm', platform: 'node' });
const { cases, recorderInput, recorderOutput, assemble } = await import(
  `data:text/javascript;base64,${Buffer.from(bundled.outputFiles[0].contents).toString('base64')}`
);
const recorder = join(folder, 'recorder');
execFileSync('gcc', ['-O1', '-Wall', '-Wextra', '-fno-stack-protector', '-o', recorder, join(here, 'recorder.c')], { stdio: 'inherit' });

const backgroundSeed = (seed * 7919 + 1) >>> 0;
const record = (list) => recorderOutput(execFileSync(recorder, { input: recorderInput(list, backgroundSeed), maxBuffer: 2 ** 31 - 1 }));

/** Known results: bytes, EAX, ECX, flags in; EAX, flags out (of CF PF AF ZF SF OF), exception. */
function check() {
  const known = [
    ['add al,cl: 7F + 1 overflows', [0x00, 0xc8], 0x7f, 1, 0, 0x80, 0x890, 255],
    ['daa: 9A becomes 100', [0x27], 0x9a, 0, 0, 0x00, 0x55, 255, 0x800],
    ['div cl: by zero', [0xf6, 0xf1], 0x7f, 0, 0, 0x7f, 0, 0, 0x8d5],
    ['aam 0: by zero', [0xd4, 0x00], 0x9a, 0, 0, 0x9a, 0, 0, 0x8d5],
    ['ud2', [0x0f, 0x0b], 0, 0, 0, 0, 0, 6],
    ['hlt: not at this privilege', [0xf4], 0, 0, 0, 0, 0, 13],
    ['into: overflow', [0xce], 0, 0, 0x800, 0, 0x800, 4],
    ['int3', [0xcc], 0, 0, 0, 0, 0, 3],
    ['rcr al,1', [0xd0, 0xd8], 0x01, 0, 1, 0x80, 0x801, 255],
    ['shl al,9: the count is not masked to 8', [0xc0, 0xe0, 9], 0xff, 0, 0, 0, 0x44, 255, 0x811],
    ['lock nop', [0xf0, 0x90], 0, 0, 0, 0, 0, 6],
    ['salc', [0xd6], 0, 0, 1, 0xff, 1, 255],
    ['mov al,[0]: not present', [0xa0, 0, 0, 0, 0], 1, 0, 0, 1, 0, 14],
  ];
  const list = known.map(([, bytes, eax, ecx, flags]) => ({
    form: '',
    environment: 0,
    ip: 0x100,
    bytes,
    registers: Uint32Array.of(eax, ecx, 0, 0, 0x30001000, 0, 0, 0),
    flags: flags | 0x202,
    patches: [],
    repeated: false,
  }));
  let wrong = 0;
  record(list).forEach((o, i) => {
    const [name, , , , , eax, flags, exception, undefinedFlags = 0] = known[i];
    const mask = 0x8d5 & ~undefinedFlags;
    if (o.registers[0] === eax && (o.flags & mask) === (flags & mask) && o.exception === exception) return;
    wrong++;
    console.error(`${name}: EAX ${o.registers[0].toString(16)}, flags ${o.flags.toString(16)}, exception ${o.exception}`);
  });
  console.log(`${known.length} known results, ${wrong} wrong`);
  return wrong === 0;
}

if (!check()) process.exit(1);
if (!values.check) {
  const list = [...cases(seed, count)];
  const started = performance.now();
  const first = record(list);
  const second = record([...list].reverse()).reverse();
  if (first.length !== count || second.length !== count)
    throw new Error(`the recorder answered ${first.length} and ${second.length} of ${count} cases`);
  const info = readFileSync('/proc/cpuinfo', 'utf8');
  const field = (name) => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(info)?.[1] ?? '?';
  const processor = `${field('vendor_id')} ${field('model name')}, family ${field('cpu family')}, model ${field('model')}, stepping ${field('stepping')}`;
  const { file, vectors, dropped } = assemble(list, first, second, {
    processor,
    date: new Date().toISOString().slice(0, 10),
    seed,
    backgroundSeed,
  });
  const compressed = gzipSync(file, { level: 9 });
  const out = values.out ?? join(here, 'vectors', `seed-${seed}.bin.gz`);
  writeFileSync(out, compressed);
  console.log(
    `${out}: ${vectors} vectors of ${processor}, ${(compressed.length / 1e6).toFixed(2)} MB, ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
  const reasons = Object.entries(dropped).sort((a, b) => b[1] - a[1]);
  for (const [why, n] of reasons.slice(0, 20)) console.log(`left out, ${why}: ${n}`);
  if (reasons.length > 20) console.log(`… and ${reasons.length - 20} more reasons`);
}
