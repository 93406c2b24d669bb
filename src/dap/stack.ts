/** Threads are vCPUs, and their frames what the debugger makes out of their stacks. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { stackOf } from '../debugger/code/stack.ts';
import type { Frame } from '../debugger/code/frame.ts';
import type { Debugger } from '../debugger/debugger.ts';
import { modeName, waitsFor } from '../debugger/inspect/cpu.ts';
import type { Arguments } from './arguments.ts';
import type { Answer, Handlers } from './handler.ts';
import { referenceTo } from './references.ts';
import type { Session } from './session.ts';
import { sourceLine } from './sources.ts';

/** `vCPU0 · BSP · prot32`, `vCPU1 · AP · waits for SIPI`, `vCPU2 · AP · prot32 · halted`. */
function threadName(it: Debugger, vcpu: number): string {
  const [state = '', waiting = ''] = waitsFor(it.machine.vm.vcpu(vcpu)).split(': ');
  // What it went through says less than what it waits for; of one that never was anything, there is nothing more to say.
  const word = state.startsWith('has been') ? waiting : state.replace(/^was /, '');
  const runsCode = state === '' || state.startsWith('halted');
  return [`vCPU${vcpu}`, vcpu === 0 ? 'BSP' : 'AP', ...(runsCode ? [modeName(it, vcpu)] : []), ...(word === '' ? [] : [word])].join(' · ');
}

function threads(session: Session): Answer<DebugProtocol.ThreadsResponse['body']> {
  const it = session.debugger;
  return { body: { threads: Array.from({ length: it.machine.cpus }, (_, vcpu) => ({ id: vcpu + 1, name: threadName(it, vcpu) })) } };
}

function toDap(session: Session, frame: Frame): DebugProtocol.StackFrame {
  const { kind, name, linear, vcpu, guessed, text, place, bits } = frame;
  const { client } = session;
  const first = { line: client.line(1), column: client.column(1) };
  const id = session.frames.create(frame);
  if (kind === 'label') return { id, name, ...first, presentationHint: 'label' };
  if (kind === 'waiting') {
    const source = session.documents.note(`vCPU${vcpu}, ${name}`, text ?? name);
    return { id, name, source, ...first, presentationHint: 'subtle' };
  }
  return {
    id,
    name,
    ...first,
    ...sourceLine(session, { linear, vcpu, place, executed: bits }),
    instructionPointerReference: referenceTo({ space: 'linear', vcpu, address: linear }),
    presentationHint: guessed ? 'subtle' : 'normal',
  };
}

function stackTrace(session: Session, args: Arguments): Answer<DebugProtocol.StackTraceResponse['body']> {
  const vcpu = session.vcpuOf(args);
  const it = session.standing;
  const start = args.optionalInteger('startFrame', { min: 0 }) ?? 0;
  const levels = args.optionalInteger('levels', { min: 0 }) ?? 0;
  const all = stackOf(it, vcpu);
  const part = all.slice(start, levels === 0 ? undefined : start + levels);
  return { body: { stackFrames: part.map((frame) => toDap(session, frame)), totalFrames: all.length } };
}

export const stackHandlers: Handlers = { threads, stackTrace };
