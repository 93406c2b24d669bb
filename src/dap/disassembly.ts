/** Rows of the disassembly view: exactly as many as are asked for. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { disassemble, type DisassemblyRow } from '../debugger/code/disassembly.ts';
import type { Arguments } from './arguments.ts';
import type { Answer, Handlers } from './handler.ts';
import { addressText, placeOf } from './references.ts';
import type { Session } from './session.ts';
import { sourceLine } from './sources.ts';

/** More rows than any view asks for at once. */
const MOST = 20_000;
/** Farther away is no address in any case. */
const FARTHEST = 2 ** 33;

/** Fillers lie before the first address or behind the last: the protocol has negative numbers in decimal only. */
const rowAddress = (linear: number): string => (linear < 0 ? String(linear) : addressText(linear));

function toDap(session: Session, { linear, bytes, text, label, place, invalid }: DisassemblyRow): DebugProtocol.DisassembledInstruction {
  const at = place === undefined ? undefined : sourceLine(session, { linear, place });
  return {
    address: rowAddress(linear),
    instruction: text,
    ...(bytes.length === 0 ? {} : { instructionBytes: [...bytes].map((b) => b.toString(16).toUpperCase().padStart(2, '0')).join(' ') }),
    ...(label === undefined ? {} : { symbol: label }),
    ...(at === undefined ? {} : { location: at.source, line: at.line }),
    ...(invalid ? { presentationHint: 'invalid' } : {}),
  };
}

function rows(session: Session, args: Arguments): Answer<DebugProtocol.DisassembleResponse['body']> {
  const it = session.debugger;
  const place = placeOf(args.text('memoryReference'), session.focus, it.machine.cpus);
  const far = { min: -FARTHEST, max: FARTHEST };
  const found = disassemble(it, place.space === 'linear' ? place.vcpu : session.focus, {
    linear: place.address,
    byteOffset: args.optionalInteger('offset', far) ?? 0,
    instructionOffset: args.optionalInteger('instructionOffset', { min: -MOST, max: MOST }) ?? 0,
    instructionCount: args.integer('instructionCount', { min: 0, max: MOST }),
  });
  args.flag('resolveSymbols');
  return { body: { instructions: found.map((row) => toDap(session, row)) } };
}

export const disassemblyHandlers: Handlers = { disassemble: rows };
