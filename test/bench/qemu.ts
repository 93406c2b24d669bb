/** The same ROM on QEMU's deterministic mode: one thread, virtual time from the instruction count, one instruction a nanosecond. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { isInstalled, parseReport } from './guests.ts';
import type { Run } from './workloads.ts';

const QEMU = 'qemu-system-i386';
/** isa-debug-exit turns a 0 written to port F4h into this exit status. */
const STATUS_OF_END = 1;

export const qemuInstalled = (): boolean => isInstalled(QEMU);

/** Runs a ROM to its end, in `folder`. TSC frequency is 1 GHz under -icount shift=0, so the guest's TSC difference counts its instructions. */
export function runOnQemu(rom: Uint8Array, folder: string): Run {
  const romFile = path.join(folder, 'qemu.rom');
  const serial = path.join(folder, 'qemu.txt');
  fs.writeFileSync(romFile, rom);
  // biome-ignore format: the command line as one would type it
  const args = [
    '-machine', 'pc', '-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-m', '128', '-nodefaults', '-no-reboot', '-display', 'none',
    '-bios', romFile, '-serial', `file:${serial}`, '-device', 'isa-debug-exit,iobase=0xf4,iosize=4',
  ];
  // Node does not tell a child's CPU time; bash does.
  const { stderr, status } = spawnSync('bash', ['-c', 'TIMEFORMAT="cpu %U %S"; time "$@"', 'bash', QEMU, ...args], {
    encoding: 'utf8',
    timeout: 600_000,
    env: { ...process.env, LC_ALL: 'C' },
  });
  const [, user, system] = /cpu ([\d.]+) ([\d.]+)/.exec(stderr) ?? [];
  if (status !== STATUS_OF_END || user === undefined || system === undefined)
    throw new Error(`${QEMU} ended with status ${status}: ${stderr.trim()}`);
  const { sum, tsc } = parseReport(fs.readFileSync(serial, 'utf8'));
  return { sum, instructions: tsc, cpuSeconds: Number(user) + Number(system) };
}
