/** Why no code runs on a vCPU: a text for its call stack. */
import { hex } from '../../machine/base/bits.ts';
import type { IpiRecord } from '../../machine/ledger/records.ts';
import { Verdict } from '../../machine/ledger/verdict.ts';
import { DeliveryMode } from '../../machine/x86/apic.ts';
import { icrMode } from '../../machine/x86/icr.ts';
import { runStateName, VRS } from '../../machine/vmm/runstate.ts';
import { explainTarget, ipiWords, time } from '../explain.ts';
import type { Subject } from '../subject.ts';
import { newestIpi } from './arrivals.ts';
import type { Program } from './program.ts';

/** So many refused IPIs are told of. */
const REFUSALS = 4;

/** Why no code runs: a few words for the call stack, and the text; undefined when code does run. */
export interface Waiting {
  readonly name: string;
  readonly text: string;
}

const where = (program: Program, { csBase, eip }: IpiRecord): string => {
  const linear = (csBase + eip) >>> 0;
  const place = program.placeAt(linear);
  if (place === undefined) return `${hex(linear, 8)}h`;
  return `${place.file.replace(/^.*[/\\]/, '')}:${place.line}`;
};

/** One line for an IPI: `i#3  SIPI 08 from vCPU0 at icrlo.asm:48, 0.010 263 ms: reached vCPU1: started at 0800:0000`. */
const line = (program: Program, ipi: IpiRecord, vcpu: number): string => {
  const target = ipi.targets[vcpu];
  const became = target === undefined ? '' : `: ${explainTarget(ipi, target)}`;
  return `i#${ipi.number}  ${ipiWords(ipi)} from vCPU${ipi.vcpu} at ${where(program, ipi)}, ${time(ipi.timeNs)}${became}.`;
};

/** Why no code runs on a vCPU, if none does. */
export function waitingOf(view: Subject, program: Program, vcpu: number): Waiting | undefined {
  const { active, runState, sipiVector } = view.machine.vm.vcpu(vcpu);
  if (active && (runState & VRS.RUN) !== 0) return undefined;
  const { ledger } = view;
  const init = newestIpi(
    ledger,
    ({ icrLow, targets }) =>
      icrMode(icrLow) === DeliveryMode.INIT && targets[vcpu] !== undefined && targets[vcpu].verdict !== Verdict.notAddressed,
  );
  const lost: IpiRecord[] = [];
  newestIpi(ledger, (ipi) => {
    const verdict = ipi.targets[vcpu]?.verdict;
    if (verdict === Verdict.refused || verdict === Verdict.notSent) lost.push(ipi);
    return lost.length >= REFUSALS;
  });
  const lines: string[] = [];
  let name: string;
  if (!active) {
    name = 'not created';
    lines.push(`vCPU${vcpu} has not been created yet: no code runs on it.`);
  } else if ((runState & VRS.PEND_INIT) !== 0) {
    name = 'about to take INIT';
    lines.push(`vCPU${vcpu} is about to take an INIT: no code runs on it.`);
  } else if ((runState & VRS.INIT) === 0) {
    name = 'never started';
    lines.push(`vCPU${vcpu} has never been started: no code runs on it. It takes an INIT, then a SIPI, to start it.`);
  } else if ((runState & VRS.PEND_SIPI) !== 0) {
    name = `about to start at ${hex(sipiVector, 2)}00:0000`;
    lines.push(`vCPU${vcpu} has got a SIPI and starts at ${hex(sipiVector, 2)}00:0000 as soon as its turn comes.`);
  } else {
    name = 'waits for SIPI';
    lines.push(
      `vCPU${vcpu} waits for a SIPI: no code runs on it. An INIT has brought it here; a SIPI with vector VV starts it at VV00:0000.`,
    );
  }
  lines.push('', `Run state  ${runStateName(runState)}`);
  lines.push(`Last INIT  ${init === undefined ? 'none is on record' : line(program, init, vcpu)}`);
  lines.push(
    `Not taken  ${lost.length === 0 ? 'no IPI that was meant for it is on record as refused or not sent' : line(program, lost[0] as IpiRecord, vcpu)}`,
  );
  for (const ipi of lost.slice(1)) lines.push(`           ${line(program, ipi, vcpu)}`);
  return { name, text: lines.join('\n') };
}
