/** Every change that a client makes to the machine goes this way: logged by the debugger, and told to whoever looks. */
import type { Debugger } from '../debugger/debugger.ts';
import { DebuggerError } from '../debugger/error.ts';
import type { Session } from './session.ts';
import { tellEdit } from './stops.ts';

type Input = Parameters<Debugger['edit']>[0];

/** Registers that decide where a vCPU is, or what its stack looks like. */
const OF_THE_STACK = /^(?:[er]?(?:ip|sp|bp)|cs|ss|cr0|cr3|cr4|eflags|efer)/;

/**
 * Makes the edits now. Gives what tells the client of them, to be called when the request has been answered. Throws a DebuggerError that says what the
 * machine cannot take; what came before that in the list has happened.
 */
export function edit(session: Session, inputs: readonly Input[]): () => void {
  session.keepingHandles((it) => {
    for (const input of inputs) {
      try {
        it.edit(input);
      } catch (error) {
        // The machine's refusals are parts of sentences.
        if (error instanceof Error && error.name === 'InputError')
          throw new DebuggerError(`${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`);
        throw error;
      }
    }
  });
  const stacks = inputs.some((input) => input.kind === 'register' && OF_THE_STACK.test(input.name));
  return () => tellEdit(session, stacks);
}
