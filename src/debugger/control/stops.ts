/** Stops that no breakpoint brings about: steps, pauses, the beginning. */
import { Waiting } from '../../machine/vmm/vcpu.ts';
import { instructionWords } from '../code/instruction-words.ts';
import type { Program } from '../code/program.ts';
import { waitingOf } from '../code/waiting.ts';
import type { Stop, StopReason } from '../stop.ts';
import type { Subject } from '../subject.ts';

/** Why a vCPU does not run of itself, in a few words and in a sentence; undefined: it runs when its turn comes. */
export function waits(view: Subject, program: Program, vcpu: number): { readonly words: string; readonly sentence: string } | undefined {
  const idle = waitingOf(view, program, vcpu);
  if (idle !== undefined) {
    const [first = ''] = idle.text.split('\n');
    return { words: `${idle.name.charAt(0).toUpperCase()}${idle.name.slice(1)}`, sentence: first };
  }
  const { waiting, interruptsEnabled } = view.machine.vm.vcpu(vcpu);
  if (waiting !== Waiting.hlt) return undefined;
  const what = interruptsEnabled ? 'an interrupt' : 'NMI or INIT (IF=0)';
  return { words: `Halted: waits for ${what}`, sentence: `vCPU${vcpu} is halted: it waits for ${what}.` };
}

/** A stop with nothing more to it than where it is. */
export function plainStop(reason: StopReason, headline: string, view: Subject, program: Program, vcpu: number): Stop {
  const waiting = waits(view, program, vcpu);
  return {
    reason,
    vcpu,
    headline: waiting?.words ?? headline,
    sentence: waiting?.sentence ?? `vCPU${vcpu} is about to execute ${instructionWords(view, program, vcpu)}.`,
    breakpoints: [],
  };
}

/** A stop that has to say something of its own. */
export const toldStop = (reason: StopReason, vcpu: number, headline: string, sentence: string): Stop => ({
  reason,
  vcpu,
  headline,
  sentence,
  breakpoints: [],
});

/** There is nowhere to step out to. */
export const noCaller = (vcpu: number): Stop =>
  toldStop('step', vcpu, 'No caller', `vCPU${vcpu} has no caller to return to: nothing on its stack looks like a return address.`);
