import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { Decoder, Formatter, FormatterSyntax } from 'iced-x86';
import { expect, test } from 'vitest';
import { Execution } from '../../src/machine/engine/execution.ts';
import { generateInterpreter } from '../../src/machine/engine/generate.ts';
import { decodeVectors } from './format.ts';
import { MachineCpu, RAM_BYTES } from './machine-cpu.ts';
import { describe, replay } from './replay.ts';

const { header, vectors } = decodeVectors(gunzipSync(readFileSync(new URL('./vectors/seed-13253.bin.gz', import.meta.url))));

/** How many mismatches are told in full. */
const SHOWN = 20;

function disassemble(bitness: number, bytes: Uint8Array): string {
  const decoder = new Decoder(bitness, bytes, 0);
  const instruction = decoder.decode();
  const formatter = new Formatter(FormatterSyntax.Nasm);
  const text = formatter.format(instruction);
  formatter.free();
  instruction.free();
  decoder.free();
  return text;
}

/** One vCPU with RAM and nothing else. */
function machineCpu(): MachineCpu {
  const execution = new Execution({ vcpus: 1, ramBytes: RAM_BYTES, romBytes: 0x1000, interpreter: generateInterpreter(), tsc: () => 0 });
  const { physical, layout } = execution;
  physical.mapRam(0, RAM_BYTES);
  const written = (address: number, length: number): void => {
    for (let i = 0; i < length; i++) physical.observer.codeWritten(layout.ram + address + i);
  };
  return new MachineCpu(execution, { bytes: physical.bytes.subarray(layout.ram, layout.ram + RAM_BYTES), written });
}

test(`what ${header.vectors} instructions did on ${header.processor} they do on ours`, () => {
  const { mismatches, byForm, replayed } = replay(header, vectors, machineCpu());
  const told = mismatches.slice(0, SHOWN).map((m) => describe(m, disassemble));
  const counts = byForm.map(([form, wrong, of]) => `${form}: ${wrong} of ${of}`);
  if (mismatches.length > 0) console.error([`${mismatches.length} of ${replayed} vectors differ`, ...counts, ...told].join('\n'));
  expect(mismatches.length).toBe(0);
});
