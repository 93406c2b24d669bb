import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { Decoder, Formatter, FormatterSyntax } from 'iced-x86';
import { expect, test } from 'vitest';
import { Execution } from '../../src/machine/engine/execution.ts';
import { generateInterpreter } from '../../src/machine/engine/generate.ts';
import { decodeVectors } from './format.ts';
import { MachineCpu, RAM_BYTES } from './machine-cpu.ts';
import { describe, type Mismatch, replay } from './replay.ts';

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

/** What this processor does not have: it raises #UD instead. A mnemonic that it has learnt since must leave this list. */
const absent = ['enter', 'bound', 'into', 'arpl', 'verr', 'verw', 'lar', 'lsl'];
const mnemonicOf = ({ vector }: Mismatch): string => vector.form.split(' ')[0] as string;
const isAbsent = (m: Mismatch): boolean => absent.includes(mnemonicOf(m)) && (m.differences[0] as string).startsWith('exception 6 ');

test(`what ${header.vectors} instructions did on ${header.processor} they do on ours`, () => {
  const { mismatches, replayed } = replay(header, vectors, machineCpu());
  expect([...new Set(mismatches.filter(isAbsent).map(mnemonicOf))].sort()).toEqual([...absent].sort());
  const wrong = mismatches.filter((m) => !isAbsent(m));
  if (wrong.length > 0) console.error(report(wrong, replayed));
  expect(wrong.length).toBe(0);
}, 300_000);

function report(wrong: readonly Mismatch[], replayed: number): string {
  const forms = new Map<string, number>();
  for (const { vector } of wrong) forms.set(vector.form, (forms.get(vector.form) ?? 0) + 1);
  const counts = [...forms].sort((a, b) => b[1] - a[1]).map(([form, n]) => `${form}: ${n}`);
  return [
    `${wrong.length} of ${replayed} vectors differ`,
    counts.join(', '),
    ...wrong.slice(0, SHOWN).map((m) => describe(m, disassemble)),
  ].join('\n');
}
