/** What an instruction does to the flow of control, as far as stepping cares. */
import { InstructionDecoder } from '../../machine/isa/decoder.ts';
import type { Subject } from '../subject.ts';

/** `call`: it comes back behind itself, in time (CALL, INT n). `repeat`: a string instruction with REP. `return`: RET, IRET. */
export type Flow = 'plain' | 'call' | 'repeat' | 'return';

const PREFIXES: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);
const CALLS: ReadonlySet<number> = new Set([0x9a, 0xcc, 0xcd, 0xce, 0xe8, 0xf1]);
const RETURNS: ReadonlySet<number> = new Set([0xc2, 0xc3, 0xca, 0xcb, 0xcf]);
const GROUP_5 = 0xff;

/** INS, OUTS, MOVS, CMPS, STOS, LODS, SCAS. */
const isString = (opcode: number): boolean =>
  (opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf);

/** Of the instruction that these bytes begin with. */
export function flowOf(bytes: Uint8Array): Flow {
  let at = 0;
  let repeated = false;
  while (PREFIXES.has(bytes[at] as number)) repeated = (bytes[at++] as number) >= 0xf2 || repeated;
  const opcode = bytes[at] as number;
  if (CALLS.has(opcode)) return 'call';
  if (RETURNS.has(opcode)) return 'return';
  if (opcode === GROUP_5) return [2, 3].includes(((bytes[at + 1] ?? 0) >>> 3) & 7) ? 'call' : 'plain';
  return repeated && isString(opcode) ? 'repeat' : 'plain';
}

const decoder = new InstructionDecoder();

/** Bytes of the instruction that a vCPU is about to execute; 0 where there is none. */
export function lengthAt(view: Subject, vcpu: number): number {
  const { bytes, bits } = view.code(vcpu);
  let length = 0;
  decoder.decode(bytes, bits, 0, (insn) => {
    length = insn.length;
    return false;
  });
  return length;
}
