/**
 * The saved state of the processor: for each vCPU its registers and its translation TLB. What is derived (fast tables, records, where the window
 * stood in a run) is left out, and flags and segment ranges have one form only, so that equal machines have equal bytes. The page slot is state: the
 * page it names is spared when the TLB makes room.
 */
import { checkState } from '../base/state.ts';
import { Flag } from '../cpu/window.ts';
import { State, TLB_SETS, TLB_SIZE, TLB_WAYS, tablesOf } from '../state/layout.ts';
import type { Execution } from './execution.ts';

export type ProcessorState = { kind: 'processor'; version: 1; vcpus: { registers: Uint8Array; tlb: Uint8Array }[] };

const FIRST = State.registers;
const LENGTH = State.size - FIRST;
const TLB_BYTES = TLB_SIZE + TLB_SETS * 4;

/** Saves and loads an Execution's vCPUs. */
export class ProcessorPart {
  constructor(private readonly execution: Execution) {}

  save(): ProcessorState {
    const { execution } = this;
    const { selected } = execution;
    const vcpus = Array.from({ length: execution.vcpuCount }, (_, v) => {
      execution.select(v);
      return this.saveSelected();
    });
    execution.select(selected);
    return { kind: 'processor', version: 1, vcpus };
  }
  private saveSelected(): { registers: Uint8Array; tlb: Uint8Array } {
    const { execution } = this;
    const all = new Uint8Array(execution.memory.buffer);
    const registers = all.slice(FIRST, FIRST + LENGTH);
    const view = new DataView(registers.buffer);
    const at = (offset: number): number => offset - FIRST;
    const { eflags } = execution.window;
    // EFLAGS as such stands where its sources were.
    registers.fill(0, at(State.zero), at(State.carry) + 4);
    view.setInt32(at(State.zero), eflags & (Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF), true);
    registers.fill(0, at(State.record), at(State.eip));
    registers.fill(0, at(State.scratch), at(State.segments));
    registers.fill(0, at(State.ranges), at(State.debug));
    const { tlb } = tablesOf(execution.layout, execution.selected);
    return { registers, tlb: all.slice(tlb, tlb + TLB_BYTES) };
  }

  load(state: ProcessorState): void {
    const { execution } = this;
    checkState(state.kind === 'processor' && state.version === 1, 'processor', `${state.kind} ${state.version}`, 'processor 1');
    checkState(state.vcpus?.length === execution.vcpuCount, 'processor.vcpus.length', state.vcpus?.length, String(execution.vcpuCount));
    state.vcpus.forEach(({ registers, tlb }, v) => {
      checkState(registers?.length === LENGTH, `processor.vcpus[${v}].registers.length`, registers?.length, String(LENGTH));
      checkState(tlb?.length === TLB_BYTES, `processor.vcpus[${v}].tlb.length`, tlb?.length, String(TLB_BYTES));
      const pointers = new DataView(tlb.buffer, tlb.byteOffset + TLB_SIZE, TLB_SETS * 4);
      for (let set = 0; set < TLB_SETS; set++) {
        const way = pointers.getUint32(set * 4, true);
        checkState(way < TLB_WAYS, `processor.vcpus[${v}].tlb way of set ${set}`, way, `0 to ${TLB_WAYS - 1}`);
      }
    });
    const all = new Uint8Array(execution.memory.buffer);
    state.vcpus.forEach(({ registers, tlb }, v) => {
      execution.select(v);
      all.set(registers, FIRST);
      const { window } = execution;
      const { system } = window;
      const arithmetic = window.view.getInt32(State.zero, true);
      window.eflags = system | arithmetic;
      all.set(tlb, tablesOf(execution.layout, v).tlb);
      window.updateRanges();
      execution.forget();
    });
    execution.requests.clear();
    execution.select(0);
  }
}
