/** A workload on our own machine, in this process: model `pc`, profile `illumos`. */
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Machine } from '../../src/machine/machine.ts';
import { pc } from '../../src/machine/models/pc.ts';
import { processorFactory } from '../../src/machine/processor-kit.ts';
import { illumos } from '../../src/machine/profiles/illumos.ts';
import { parseReport } from './guests.ts';
import type { Run } from './workloads.ts';

const MEBIBYTE = 1024 * 1024;
/** More than any workload needs: a guest that does not end is an error, not a hang. */
const INSTRUCTIONS_MAX = 5e9;

/** Runs a ROM until the guest ends the machine through its debug-exit port. CPU time includes building the machine. */
export function runOnExitpoint(rom: Uint8Array, cpus = 1): Run {
  const interpreter = fs.readFileSync(path.resolve('dist/interpreter.wasm'));
  const from = process.cpuUsage();
  let text = '';
  const machine = new Machine({ model: pc, profile: illumos, cpus, memoryBytes: 128 * MEBIBYTE, rom }, processorFactory(interpreter));
  machine.onConsole = (stream, byte) => {
    if (stream === 'serial') text += String.fromCharCode(byte);
  };
  const end = machine.run({ instructions: INSTRUCTIONS_MAX });
  const { user, system } = process.cpuUsage(from);
  if (typeof end === 'string' || end.kind !== 'guestExit')
    throw new Error(`the guest did not end by itself: ${typeof end === 'string' ? end : end.sentence}`);
  return { sum: parseReport(text).sum, instructions: machine.clock.instructions, cpuSeconds: (user + system) / 1e6 };
}
