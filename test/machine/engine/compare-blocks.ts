import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { Execution } from '../../../src/machine/engine/execution.ts';
import { ProcessorPart } from '../../../src/machine/engine/processor-state.ts';
import { compileHere } from '../../../src/machine/engine/region.ts';
import { type Block, blocks } from '../../silicon/forms.ts';
import { seedBelow } from '../../seed.ts';
import { background, environments } from '../../silicon/environment.ts';
import { MachineCpu, RAM_BYTES } from '../../silicon/machine-cpu.ts';

const interpreter = new Uint8Array(readFileSync(new URL('../../../dist/interpreter.wasm', import.meta.url)));
/** Printed with the test's name; EXITPOINT_SEED repeats it. */
export const SEED = seedBelow(1_000_000_000);

/** A processor in the kernel of the replay, and what a block has left behind in it. */
class Engine {
  readonly execution = new Execution({ vcpus: 1, ramBytes: RAM_BYTES, romBytes: 4096, interpreter, tsc: () => 0 });
  readonly bytes: Uint8Array;
  private readonly cpu: MachineCpu;
  private readonly part: ProcessorPart;

  constructor() {
    const { execution } = this;
    execution.physical.mapRam(0, RAM_BYTES);
    this.bytes = new Uint8Array(execution.memory.buffer, execution.layout.ram, RAM_BYTES);
    this.cpu = new MachineCpu(execution, { bytes: this.bytes, written: () => execution.records.clear() });
    this.part = new ProcessorPart(execution);
  }
  start(block: Block): void {
    const { cpu } = this;
    cpu.data.set(background(SEED));
    for (const { offset, bytes } of block.patches) cpu.data.set(bytes, offset);
    cpu.enter(environments[block.environment] as (typeof environments)[number]);
    cpu.code(block.ip, block.bytes);
    const { base } = (environments[block.environment] as (typeof environments)[number]).segments[1];
    cpu.setState(block.registers, base === 0 ? 0x2000_0000 + block.ip : block.ip, block.flags);
  }
  compile(): boolean {
    return compileHere(this.execution) !== undefined;
  }
  run(instructions: number): { stop: number; retired: number; registers: string; memory: Uint8Array } {
    const stop = this.execution.run(instructions);
    const saved = this.part.save().vcpus[0] as { registers: Uint8Array; tlb: Uint8Array };
    const registers = `${Buffer.from(saved.registers).toString('hex')} ${Buffer.from(saved.tlb).toString('hex')}`;
    return { stop, retired: this.execution.retired, registers, memory: this.bytes };
  }
}

/** Runs random straight-line code in both engines; registers, flags, memory, TLB and counts must be the same, faults included. */
export function compareBlocks(count: number): void {
  const interpreted = new Engine();
  const compiled = new Engine();
  let regions = 0;
  let faults = 0;
  let n = 0;
  for (const block of blocks(SEED, count)) {
    n++;
    interpreted.start(block);
    compiled.start(block);
    if (compiled.compile()) regions++;
    const a = interpreted.run(80);
    const b = compiled.run(80);
    const what = `block ${n}, environment ${block.environment}, bytes ${Buffer.from(block.bytes).toString('hex')}`;
    expect({ stop: b.stop, retired: b.retired }, what).toEqual({ stop: a.stop, retired: a.retired });
    if (a.registers !== b.registers) expect(b.registers, what).toBe(a.registers);
    if (Buffer.compare(a.memory, b.memory) !== 0)
      expect(Buffer.from(b.memory).equals(Buffer.from(a.memory)), `memory after ${what}`).toBe(true);
    if (interpreted.execution.window.cpl === 0) faults++;
  }
  expect(regions, 'blocks whose first run compiles').toBeGreaterThan(count / 2);
  expect(faults, 'blocks that end in a fault').toBeGreaterThan(count / 10);
}
