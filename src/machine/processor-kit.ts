/** The real processor for a Machine: the engine with its memory, and what of them is saved. */
import { checkState, type Stateful } from './base/state.ts';
import { Execution } from './engine/execution.ts';
import { ProcessorPart } from './engine/processor-state.ts';
import type { ProcessorConfig, ProcessorFactory, ProcessorKit } from './machine.ts';
import type { PhysicalMemory } from './memory/physical.ts';

const PAGE = 4096;

export type MemoryState = { kind: 'memory'; version: 1; bytes: number; pages: Uint32Array; content: Uint8Array };

/** All of RAM, as a part of the machine's state: the pages that are not all zeros. Checkpoints have a cheaper way (timeline/). */
export class MemoryPart implements Stateful<MemoryState> {
  constructor(private readonly execution: Execution) {}

  save(): MemoryState {
    const { ram, ramBytes } = this.execution.layout;
    const words = new Int32Array(this.execution.memory.buffer, ram, ramBytes / 4);
    const pages: number[] = [];
    for (let page = 0; page < ramBytes / PAGE; page++) if (!isZero(words, page * (PAGE / 4))) pages.push(page);
    const content = new Uint8Array(pages.length * PAGE);
    const bytes = new Uint8Array(this.execution.memory.buffer, ram, ramBytes);
    pages.forEach((page, i) => content.set(bytes.subarray(page * PAGE, (page + 1) * PAGE), i * PAGE));
    return { kind: 'memory', version: 1, bytes: ramBytes, pages: Uint32Array.from(pages), content };
  }
  load(state: MemoryState): void {
    const { ram, ramBytes } = this.execution.layout;
    checkState(state.kind === 'memory' && state.version === 1, 'memory', `${state.kind} ${state.version}`, 'memory 1');
    checkState(state.bytes === ramBytes, 'memory.bytes', state.bytes, String(ramBytes));
    checkState(
      state.content?.length === state.pages?.length * PAGE,
      'memory.content.length',
      state.content?.length,
      String(state.pages?.length * PAGE),
    );
    for (const page of state.pages) checkState(page < ramBytes / PAGE, 'memory.pages', page, `below ${ramBytes / PAGE}`);
    const { physical } = this.execution;
    const bytes = new Uint8Array(this.execution.memory.buffer, ram, ramBytes);
    for (let page = 0; page < ramBytes / PAGE; page++) physical.beforeWrite(ram + page * PAGE);
    bytes.fill(0);
    state.pages.forEach((page, i) => bytes.set(state.content.subarray(i * PAGE, (i + 1) * PAGE), page * PAGE));
    this.execution.records.clear();
  }
}
function isZero(words: Int32Array, first: number): boolean {
  for (let i = first; i < first + PAGE / 4; i++) if (words[i] !== 0) return false;
  return true;
}

/** What else a surface may want of the engine. */
export interface EngineKit extends ProcessorKit<PhysicalMemory> {
  readonly execution: Execution;
}

/** @param interpreter the bytes of interpreter.wasm */
export const processorFactory =
  (interpreter: Uint8Array): ProcessorFactory<PhysicalMemory> =>
  (config) =>
    engineKit(interpreter, config);

export function engineKit(interpreter: Uint8Array, { vcpus, memoryBytes, romBytes, tsc }: ProcessorConfig): EngineKit {
  const execution: Execution = new Execution({
    vcpus,
    ramBytes: memoryBytes,
    romBytes,
    interpreter,
    tsc: (retired) => tsc.atInstruction(execution.selected, retired),
  });
  const stateful = [
    { name: 'processor', part: new ProcessorPart(execution) as Stateful },
    { name: 'memory', part: new MemoryPart(execution) as Stateful },
  ];
  return { processor: execution, memory: execution.physical, stateful, execution };
}
