/** From a decoded instruction to the definition, operand size and operand kinds that mean it. */
import { type Insn, Operand, RegisterClass } from '../isa/decoder.ts';
import type { Size } from '../emitter/value.ts';

export interface Shape {
  name: string;
  size: Size;
  kinds: string;
}

const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
const conditional = new Map<string, { name: string; set: boolean }>();
CONDITIONS.forEach((c, i) => {
  conditional.set(`j${c}`, { name: `j${i}`, set: false });
  conditional.set(`cmov${c}`, { name: `cmov${i}`, set: false });
  conditional.set(`set${c}`, { name: `set${i}`, set: true });
});

/** Mnemonics whose definition bears their name and whose size is that of the first sized operand. */
const plain = new Set(
  'add sub adc sbb and or xor cmp test neg not inc dec mul div idiv shl shr sar rol ror rcl rcr shld shrd bsf bsr bt bts btr btc bswap xchg xadd cmpxchg lea'.split(
    ' ',
  ),
);
/** Without operands that matter. */
const bare = new Map<string, Shape>(
  Object.entries({
    nop: 32,
    hlt: 32,
    pause: 32,
    clc: 32,
    stc: 32,
    cmc: 32,
    cld: 32,
    std: 32,
    cli: 32,
    sti: 32,
    cpuid: 32,
    rdmsr: 32,
    wrmsr: 32,
    rdtsc: 32,
    clts: 32,
    wbinvd: 32,
    reservednop: 32,
    int3: 32,
    lahf: 8,
    sahf: 8,
    salc: 8,
    daa: 8,
    das: 8,
    aaa: 8,
    aas: 8,
    cbw: 16,
    cwde: 32,
    cwd: 16,
    cdq: 32,
    xlatb: 8,
    pusha: 16,
    pushad: 32,
    popa: 16,
    popad: 32,
    pushf: 16,
    pushfd: 32,
    popf: 16,
    popfd: 32,
    iret: 16,
    iretd: 32,
    invd: 32,
  } satisfies Record<string, Size>).map(([m, size]) => [
    m,
    {
      name:
        (
          {
            cwde: 'cbw',
            cdq: 'cwd',
            xlatb: 'xlat',
            pushad: 'pusha',
            popad: 'popa',
            pushfd: 'pushf',
            popfd: 'popf',
            iretd: 'iret',
            invd: 'wbinvd',
            reservednop: 'nop',
          } as Record<string, string>
        )[m] ?? m,
      size,
      kinds: '',
    },
  ]),
);
const strings = new Map<string, Shape>();
for (const name of ['movs', 'stos', 'lods', 'scas', 'cmps', 'ins', 'outs'])
  for (const [suffix, size] of [
    ['b', 8],
    ['w', 16],
    ['d', 32],
  ] as const)
    strings.set(name + suffix, { name, size, kinds: '' });

const LETTER: Record<number, string> = {
  [Operand.register]: 'r',
  [Operand.immediate]: 'i',
  [Operand.memory]: 'm',
  [Operand.nearBranch]: 'i',
  [Operand.farBranch]: 'i',
};
const size = (bits: number): Size => (bits === 8 || bits === 16 || bits === 64 ? bits : 32);

/** Undefined when there is no definition for the instruction. */
export function shapeOf(n: Insn): Shape | undefined {
  const { mnemonic, operands, code } = n;
  const [a, b] = operands;
  const fixed = bare.get(mnemonic);
  if (fixed) return fixed.name === 'nop' || n.operandCount === 0 || mnemonic === 'xlatb' ? fixed : undefined;
  const string = strings.get(mnemonic);
  if (string) {
    if (n.operandCount < 2 || (a.kind === Operand.register && a.registerClass !== RegisterClass.general)) return undefined;
    const compares = string.name === 'scas' || string.name === 'cmps';
    const prefix = n.repne ? (compares ? 'repne.' : 'rep.') : n.rep ? (compares ? 'repe.' : 'rep.') : '';
    return { ...string, name: prefix + string.name };
  }
  let kinds = '';
  for (let k = 0; k < n.operandCount; k++) kinds += LETTER[operands[k as 0].kind];
  const wide = a.size || b.size;
  const cc = conditional.get(mnemonic);
  if (cc) return { name: cc.name, size: size(a.size), kinds };
  const count = n.operandCount > 2 ? operands[2] : b;
  if (/^(shl|sal|shr|sar|rol|ror|rcl|rcr|shld|shrd)$/.test(mnemonic) && count.kind === Operand.immediate && (count.immediate & 31) === 0)
    return { name: 'shift0', size: size(a.size), kinds: kinds[0] as string };
  if (mnemonic === 'xor' && kinds === 'rr' && a.size === 32 && a.register === b.register) return { name: 'zero', size: 32, kinds: 'r' };
  if (plain.has(mnemonic)) return { name: mnemonic, size: size(wide), kinds };
  switch (mnemonic) {
    case 'sal':
      return { name: 'shl', size: size(a.size), kinds };
    case 'mov':
      return moveShape(n, kinds);
    case 'movzx':
    case 'movsx':
      return { name: mnemonic + b.size, size: size(a.size), kinds };
    case 'imul':
      return { name: `imul${n.operandCount}`, size: size(a.size), kinds };
    case 'cmpxchg8b':
      return { name: mnemonic, size: 64, kinds };
    case 'push':
    case 'pop':
      if (a.kind === Operand.register && a.registerClass === RegisterClass.segment)
        return { name: `${mnemonic}seg`, size: size(Math.abs(n.stackIncrement) * 8), kinds };
      return { name: mnemonic, size: size(Math.abs(n.stackIncrement) * 8), kinds };
    case 'enter':
      return n.immediate2 === 0 ? { name: 'enter', size: code.startsWith('Enterw') ? 16 : 32, kinds: 'i' } : undefined;
    case 'leave':
      return { name: 'leave', size: code.startsWith('Leavew') ? 16 : 32, kinds: '' };
    case 'aam':
    case 'aad':
      return { name: mnemonic, size: 8, kinds: 'i' };
    case 'in':
      return { name: 'in', size: size(a.size), kinds };
    case 'out':
      return { name: 'out', size: size(b.size), kinds };
    case 'int':
      return { name: 'int', size: 32, kinds: 'i' };
    case 'jmp':
    case 'call':
      if (a.kind === Operand.nearBranch) return { name: mnemonic, size: size(a.size), kinds: 'i' };
      if (a.kind === Operand.farBranch) return { name: `${mnemonic}f`, size: size(a.size), kinds: 'i' };
      if (/_m16(16|32)$/.test(code)) return { name: `${mnemonic}fi`, size: code.endsWith('1616') ? 16 : 32, kinds: 'm' };
      return { name: `${mnemonic}i`, size: size(a.size), kinds };
    case 'ret':
      return { name: 'ret', size: code.startsWith('Retnw') ? 16 : 32, kinds: 'i' };
    case 'retf':
      return { name: 'retf', size: code.startsWith('Retfw') ? 16 : 32, kinds: 'i' };
    case 'loop':
    case 'loope':
    case 'loopne':
      return { name: mnemonic, size: size(a.size), kinds: 'i' };
    case 'jcxz':
    case 'jecxz':
      return { name: 'jcxz', size: size(a.size), kinds: 'i' };
    case 'lds':
    case 'les':
    case 'lfs':
    case 'lgs':
    case 'lss':
      return { name: mnemonic, size: size(a.size), kinds };
    case 'lgdt':
    case 'lidt':
    case 'sgdt':
    case 'sidt':
      return { name: mnemonic, size: code.endsWith('_16') ? 16 : 32, kinds: 'm' };
    case 'sldt':
    case 'str':
    case 'smsw':
      return a.kind === Operand.memory ? { name: `${mnemonic}16`, size: 16, kinds: 'm' } : { name: mnemonic, size: size(a.size), kinds };
    case 'lldt':
    case 'ltr':
    case 'lmsw':
      return { name: mnemonic, size: 16, kinds };
    case 'invlpg':
      return { name: 'invlpg', size: 8, kinds: 'm' };
    default:
      return undefined;
  }
}

function moveShape(n: Insn, kinds: string): Shape | undefined {
  const [a, b] = n.operands;
  const classOf = (o: typeof a): number => (o.kind === Operand.register ? o.registerClass : RegisterClass.general);
  const [to, from] = [classOf(a), classOf(b)];
  if (to === RegisterClass.general && from === RegisterClass.general) return { name: 'mov', size: size(a.size || b.size), kinds };
  if (to === RegisterClass.segment) return a.register === 1 || a.register > 5 ? undefined : { name: 'movtoseg', size: 16, kinds };
  if (from === RegisterClass.segment)
    return a.kind === Operand.memory ? { name: 'movfromseg16', size: 16, kinds } : { name: 'movfromseg', size: size(a.size), kinds };
  const known = (r: number): boolean => r === 0 || r === 2 || r === 3 || r === 4;
  if (to === RegisterClass.control) return known(a.register) ? { name: 'movtocr', size: 32, kinds } : undefined;
  if (from === RegisterClass.control) return known(b.register) ? { name: 'movfromcr', size: 32, kinds } : undefined;
  if (to === RegisterClass.debug) return a.register < 8 ? { name: 'movtodr', size: 32, kinds: 'ir' } : undefined;
  if (from === RegisterClass.debug) return b.register < 8 ? { name: 'movfromdr', size: 32, kinds: 'ri' } : undefined;
  return undefined;
}
