import { NONE, type Vector } from './format.ts';
import { ECX, ESP } from './builder.ts';
import { DATA, environments, SS } from './environment.ts';

/**
 * What the manual leaves undefined (SDM volume 2, "Flags Affected" and the notes of each instruction): processors differ there, so a
 * replay does not compare it. Everything else in a vector is compared.
 */

export const CF = 0x001;
export const PF = 0x004;
export const AF = 0x010;
export const ZF = 0x040;
export const SF = 0x080;
export const OF = 0x800;
/** CF PF AF ZF SF OF. */
export const ARITHMETIC = CF | PF | AF | ZF | SF | OF;
/** The flags that a vector says something about: the arithmetic ones and DF. The others are the environment's. */
export const COMPARED = ARITHMETIC | 0x400;

/** Undefined whatever the operands are. */
const always: Readonly<Record<string, number>> = {
  and: AF,
  or: AF,
  xor: AF,
  test: AF,
  mul: SF | ZF | AF | PF,
  imul: SF | ZF | AF | PF,
  div: ARITHMETIC,
  idiv: ARITHMETIC,
  aaa: OF | SF | ZF | PF,
  aas: OF | SF | ZF | PF,
  aad: OF | AF | CF,
  aam: OF | AF | CF,
  daa: OF,
  das: OF,
  bsf: CF | OF | SF | AF | PF,
  bsr: CF | OF | SF | AF | PF,
  bt: OF | SF | AF | PF,
  bts: OF | SF | AF | PF,
  btr: OF | SF | AF | PF,
  btc: OF | SF | AF | PF,
};

interface Undefined {
  /** Flags not to compare. */
  readonly flags: number;
  /** The destination is undefined as well: none of its registers and memory is compared. */
  readonly destination: boolean;
}

/** Mnemonic, operands and operand size in bits of a form such as `shl Ev,CL 16 mem`. */
export function partsOf(form: string): { mnemonic: string; operands: string; bits: number } {
  const [mnemonic = '', operands = '', bits = '0'] = form.split(' ');
  return { mnemonic, operands, bits: Number(bits) };
}

/** The count of a shift or rotate, before it is masked. */
function countOf(v: Vector, operands: string): number {
  if (operands.endsWith('CL')) return (v.registers[ECX] as number) & 255;
  return operands.endsWith('Ib') ? (v.bytes.at(-1) as number) : 1;
}

/** What of a vector's outcome no processor promises. Nothing when it faulted: then nothing has happened. */
export function undefinedIn(v: Vector): Undefined {
  if (v.outcome.exception !== NONE) return { flags: 0, destination: false };
  const { mnemonic, operands, bits } = partsOf(v.form);
  const fixed = always[mnemonic];
  if (fixed !== undefined) return { flags: fixed, destination: false };
  const count = countOf(v, operands) & 31;
  switch (mnemonic) {
    case 'shl':
    case 'sal':
    case 'shr':
      // CF is undefined when the count reaches the operand's size, OF unless the count is 1.
      return { flags: count === 0 ? 0 : AF | (count === 1 ? 0 : OF) | (count >= bits ? CF : 0), destination: false };
    case 'sar':
      return { flags: count === 0 ? 0 : AF | (count === 1 ? 0 : OF), destination: false };
    case 'rol':
    case 'ror':
    case 'rcl':
    case 'rcr':
      return { flags: count <= 1 ? 0 : OF, destination: false };
    case 'shld':
    case 'shrd':
      if (count > bits) return { flags: ARITHMETIC, destination: true };
      return { flags: count === 0 ? 0 : AF | (count === 1 ? 0 : OF), destination: false };
    default:
      return { flags: 0, destination: false };
  }
}

/** Bits of the destination that LAR leaves undefined: 19 to 16, where some processors give the limit's (SDM, LAR, "Description"). */
export const undefinedBits = (v: Vector): number => (v.form.startsWith('lar Gv,Ew 32') ? 0x000f_0000 : 0);

/**
 * True where an instruction makes several accesses and checks, and the manual does not say which comes first: CMPS's two operands, the words
 * that far returns pop, the push of a call and the check of its target. When such an instruction faults, another of its faults is as right.
 */
export const anyFault = (v: Vector): boolean => v.outcome.exception !== NONE && /^(cmps|call|callf|retf|iret)/.test(v.form);

/**
 * True where PUSH or POP of a segment register by doublewords reaches a page's or segment's edge with the upper word, which some processors
 * do not access at all.
 */
export const widthUnknown = (v: Vector): boolean => {
  const esp = (v.registers[ESP] as number) & 0xfff;
  return (v.form === 'push segment 32' && ((esp - 4) & 0xfff) > 0xffc) || (v.form === 'pop segment 32' && esp > 0xffc);
};

/**
 * True for a fault that on the recorded processor came after a part of the instruction: registers that POPA had loaded, what ENTER, PUSHA
 * or CALL had stored. The manual promises none of it, so having done nothing is right as well. (Iterations of a REP before the fault are
 * promised.)
 */
export const mayBeUndone = (v: Vector): boolean => v.outcome.exception !== NONE && /^(popa|pusha|enter|call)/.test(v.form);

/**
 * Offsets in the data window that are undefined though nothing else is: the upper half of a doubleword that PUSH makes of a segment
 * register is written by some processors and left alone by others (SDM, PUSH, "Description").
 */
export function undefinedMemory(v: Vector): readonly number[] {
  if (v.form !== 'push segment 32' || v.outcome.exception !== NONE) return [];
  const stack = (environments[v.environment] as (typeof environments)[number]).segments[SS];
  const esp = v.outcome.registers[ESP] as number;
  const at = (stack.base - DATA + (stack.big ? esp : esp & 0xffff)) >>> 0;
  return [at + 2, at + 3];
}
