/** What SeaBIOS prints on QEMU's debug console, where QEMU is installed. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const QEMU = 'qemu-system-x86_64';
const POLL_MS = 200;
const TIMEOUT_MS = 60_000;

export const qemuInstalled = (): boolean => spawnSync(QEMU, ['--version']).status === 0;

/**
 * Runs a BIOS image on one CPU and 128 MiB until it has printed `last`. The machine is as close to model `pc` as QEMU's options allow: fw_cfg with
 * DMA, a serial port, no option ROM of the interrupt controller's.
 */
export async function consoleOnQemu(bios: string, last: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'exitpoint-'));
  const log = join(folder, 'debugcon');
  // biome-ignore format: the command line as one would type it
  const qemu = spawn(QEMU, [
    '-machine', 'pc-i440fx-1.6,smm=off', '-m', '128', '-smp', '1', '-nodefaults', '-display', 'none', '-serial', 'null', '-monitor', 'none',
    '-debugcon', `file:${log}`, '-global', 'isa-debugcon.iobase=0x402', '-global', 'apic.vapic=off', '-global', 'fw_cfg_io.dma_enabled=on',
    '-bios', bios,
  ], { stdio: 'ignore' });
  try {
    for (let waited = 0; waited < TIMEOUT_MS; waited += POLL_MS) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      const text = await readFile(log, 'latin1').catch(() => '');
      if (text.includes(last)) return text;
    }
    throw new Error(`${QEMU} did not print "${last}" within ${TIMEOUT_MS / 1000} seconds`);
  } finally {
    qemu.kill();
    await rm(folder, { recursive: true, force: true });
  }
}
