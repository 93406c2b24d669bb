/** Setting where a vCPU goes on: an edit of its EIP, to a line of the source or of a listing. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { DebuggerError } from '../debugger/error.ts';
import type { Arguments } from './arguments.ts';
import { edit } from './edit.ts';
import type { Answer, Handlers } from './handler.ts';
import { addressText, addressWords } from './references.ts';
import type { Session } from './session.ts';
import { lineAddress } from './sources.ts';
import { tellStop } from './stops.ts';

function gotoTargets(session: Session, args: Arguments): Answer<DebugProtocol.GotoTargetsResponse['body']> {
  session.mustStand();
  const { client } = session;
  const line = client.ourLine(args.integer('line', { min: client.firstLine }));
  const found = lineAddress(session, args.record('source'), line);
  if (found === undefined) return { body: { targets: [] } };
  const label = `line ${client.line(found.line)}, ${addressWords(found.linear)}`;
  return {
    body: {
      targets: [
        {
          id: session.targets.create(found.linear),
          label,
          line: client.line(found.line),
          instructionPointerReference: addressText(found.linear),
        },
      ],
    },
  };
}

function goTo(session: Session, args: Arguments): Answer {
  const it = session.standing;
  const vcpu = session.vcpuOf(args);
  const target = session.targets.get(args.integer('targetId'));
  if (it.machine.end !== undefined) throw new DebuggerError('The machine has ended: it can only be gone back from here.');
  const { csBase, eip: from } = it.view.position(vcpu);
  // A line of the source is meant where the vCPU is: application processors run a copy of the ROM's code.
  const linear = it.program.sameCopy(target, (csBase + from) >>> 0);
  const eip = (linear - csBase) >>> 0;
  if (eip > 0xffff && !it.view.as(vcpu, ({ code32 }) => code32))
    throw new DebuggerError(
      `vCPU${vcpu} cannot go on at ${addressWords(linear)}: its CS begins at ${addressWords(csBase)}, and IP has 16 bits.`,
    );
  // What is told of the edit would come before the stop that makes the client ask again.
  edit(session, [{ kind: 'register', vcpu, name: 'eip', value: eip }]);
  return {
    after: () =>
      tellStop(session, {
        reason: 'goto',
        vcpu,
        headline: 'EIP set',
        sentence: `vCPU${vcpu} goes on at ${addressWords(linear)}: EIP was set, and nothing executed.`,
        breakpoints: [],
      }),
  };
}

export const gotoHandlers: Handlers = { gotoTargets, goto: goTo };
