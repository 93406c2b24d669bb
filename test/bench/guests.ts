/** Builds the workloads' boot ROMs with gcc, nasm and binutils, once each; the length of a run is a number in the ROM. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Workload } from './workloads.ts';

/** Where rom.asm has the dword with the scale. */
const SCALE_OFFSET = 0xffe0;
const GUESTS = path.resolve('test/bench/guests');

// biome-ignore format: read as one list
const GCC_FLAGS = [
  '-m32', '-march=i686', '-O2', '-ffreestanding', '-fno-tree-loop-distribute-patterns', '-mno-sse', '-mno-mmx', '-fno-pic', '-fno-pie',
  '-fno-stack-protector', '-fcf-protection=none', '-fno-asynchronous-unwind-tables', '-Wall', '-Wextra', '-Werror',
];

/** The tools, and Debian's packages that have them. */
const TOOLS = { gcc: 'gcc', nasm: 'nasm', ld: 'binutils', objcopy: 'binutils' } as const;

export const isInstalled = (command: string): boolean => spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0;

function run(command: string, args: readonly string[]): void {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error || status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}

/** Installs what is missing, where that can be done without asking; else says what to install. */
export function installTools(): void {
  const packages = [...new Set(Object.entries(TOOLS).flatMap(([command, name]) => (isInstalled(command) ? [] : [name])))];
  if (packages.length === 0) return;
  if (!isInstalled('apt-get') || process.getuid?.() !== 0)
    throw new Error(`the workloads are built with ${packages.join(', ')}: please install ${packages.length === 1 ? 'it' : 'them'}`);
  console.error(`installing ${packages.join(', ')}`);
  run('apt-get', ['update', '-qq']);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages]);
}

/** The ROM of a workload with its scale at 0: 64 KiB. `folder` takes the intermediate files. */
export function buildRom({ source, defines }: Workload, folder: string): Uint8Array {
  fs.mkdirSync(folder, { recursive: true });
  const at = (name: string): string => path.join(folder, name);
  const from = (name: string): string => path.join(GUESTS, name);
  for (const name of ['start', 'loops']) run('nasm', ['-f', 'elf32', from(`${name}.asm`), '-o', at(`${name}.o`)]);
  for (const name of ['main', source])
    run('gcc', [...GCC_FLAGS, ...defines.map((define) => `-D${define}`), '-c', from(`${name}.c`), '-o', at(`${name}.o`)]);
  const objects = ['start', 'loops', 'main', source].map((name) => at(`${name}.o`));
  run('ld', ['-m', 'elf_i386', '-z', 'noexecstack', '-T', from('link.ld'), '-o', at('image.elf'), ...objects]);
  run('objcopy', ['-O', 'binary', at('image.elf'), at('image.bin')]);
  run('nasm', ['-f', 'bin', `-DIMAGE='${at('image.bin')}'`, from('rom.asm'), '-o', at('guest.rom')]);
  return fs.readFileSync(at('guest.rom'));
}

/** The same ROM, set to a scale (0..2^32-1). */
export function withScale(rom: Uint8Array, scale: number): Uint8Array {
  const copy = rom.slice();
  new DataView(copy.buffer, copy.byteOffset).setUint32(SCALE_OFFSET, scale, true);
  return copy;
}

/** What the guest said on its serial port. Throws when it did not come to its end. */
export function parseReport(text: string): { sum: string; tsc: number } {
  const [, sum, tsc] = /sum=([0-9a-f]{16}) tsc=([0-9a-f]{16})/.exec(text) ?? [];
  if (sum === undefined || tsc === undefined) throw new Error(`the guest did not report; it printed ${JSON.stringify(text.slice(0, 80))}`);
  return { sum, tsc: Number.parseInt(tsc, 16) };
}
