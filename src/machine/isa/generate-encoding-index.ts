/**
 * Makes the encoding index from iced-x86's opcode tables. Runs at build time: it takes a second or two.
 *
 * iced's tables describe what bytes mean; an assembler's dialect also has habits. The habits are the amendments below: implicit operands are not written,
 * conditions have synonyms, some forms take either register width without a prefix, and where two forms are equally long one is customary.
 */
import { Code, CodeExt, EncodingKind, MandatoryPrefix, MemorySizeExt, Mnemonic, OpCodeOperandKind, OpCodeTableKind } from 'iced-x86';
import { ENCODING_INDEX_VERSION, type EncodingFormData, type EncodingIndexData, NO_MODRM, SLASH_R } from './encoding-index.ts';

interface Draft {
  operands: string[];
  opcode: string;
  modrm: number;
  operandSize: number;
  addressSize: number;
  prefix: number;
  memoryBits: number;
  wait: boolean;
  far: boolean;
  defaultSized: boolean;
  tail: string;
}

const K = OpCodeOperandKind;

/** iced's operand kinds under our names; what is absent here is not assembled (MPX, CET with 64-bit operands, AVX…). */
const KIND_NAMES = new Map<number, string>([
  [K.r8_or_mem, 'rm8'],
  [K.r16_or_mem, 'rm16'],
  [K.r32_or_mem, 'rm32'],
  [K.r8_reg, 'r8'],
  [K.r16_reg, 'r16'],
  [K.r32_reg, 'r32'],
  [K.r8_opcode, 'o8'],
  [K.r16_opcode, 'o16'],
  [K.r32_opcode, 'o32'],
  [K.r16_rm, 'b16'],
  [K.r32_rm, 'b32'],
  [K.mem, 'm'],
  [K.mem_offs, 'moffs'],
  [K.al, 'al'],
  [K.cl, 'cl'],
  [K.ax, 'ax'],
  [K.dx, 'dx'],
  [K.eax, 'eax'],
  [K.es, 'es'],
  [K.cs, 'cs'],
  [K.ss, 'ss'],
  [K.ds, 'ds'],
  [K.fs, 'fs'],
  [K.gs, 'gs'],
  [K.seg_reg, 'sreg'],
  [K.cr_reg, 'cr'],
  [K.dr_reg, 'dr'],
  [K.tr_reg, 'tr'],
  [K.mm_reg, 'mm'],
  [K.mm_or_mem, 'mmrm'],
  [K.mm_rm, 'mmb'],
  [K.xmm_reg, 'xmm'],
  [K.xmm_or_mem, 'xmmrm'],
  [K.xmm_rm, 'xmmb'],
  [K.st0, 'st0'],
  [K.sti_opcode, 'sti'],
  [K.imm8, 'i8'],
  [K.imm8_const_1, 'one'],
  [K.imm8sex16, 's8w'],
  [K.imm8sex32, 's8d'],
  [K.imm16, 'i16'],
  [K.imm32, 'i32'],
  [K.br16_1, 'rel8'],
  [K.br32_1, 'rel8'],
  [K.br16_2, 'rel16'],
  [K.br32_4, 'rel32'],
  [K.farbr2_2, 'far16'],
  [K.farbr4_2, 'far32'],
]);

/** Operands of string instructions and XLAT: the mnemonic says them. */
const IMPLICIT = new Set<number>([K.es_rDI, K.seg_rSI, K.seg_rDI, K.seg_rBX_al]);

const ESCAPES = new Map<number, string>([
  [OpCodeTableKind.Normal, ''],
  [OpCodeTableKind.T0F, '0F'],
  [OpCodeTableKind.T0F38, '0F38'],
  [OpCodeTableKind.T0F3A, '0F3A'],
]);

const PREFIXES = new Map<number, number>([
  [MandatoryPrefix.None, 0],
  [MandatoryPrefix.PNP, 0],
  [MandatoryPrefix.P66, 0x66],
  [MandatoryPrefix.PF3, 0xf3],
  [MandatoryPrefix.PF2, 0xf2],
]);

/** Undocumented duplicates, and forms of processors that never were PCs. */
const SKIPPED_CODES =
  /_F6r1|Cmpxchg486|Mov[sz]x_r16_rm16|_F7r1|_82$|_8F|Umov|Reservednop|Loadall|Storeall|Cl1invmb|Xbts|Ibts|Jmpe|Bb0|Bb1|Cpu_|Cyrix|_D6|Fstp_sti_D|Fcom_st0_sti_DCD0|Fcomp_st0_sti_D|Fxch_st0_sti_D|Fstpnce|Frint2|Frichop|Frinear|Ftstp|Altinst|Dmint|_0FA6|_0FA7|Fnstdw|Fstdw|Fstsg|Fnstsg|Xsha512|Xstore_alt|F(n|r)?setpm|Frstpm|Incssp|Rdssp|Wrss|Wruss|Ptwrite|Rdshr|Wrshr|Vmgexit|Popw_CS|Bswap_r16|Ccs_|Rdudbg|Wrudbg|Tdcall|Aesdec.*kl|Aesenc.*kl|Encodekey|Loadiwkey|Pmulhrw_|Aor_|Aand_|Aadd_|Axor_/;

/** Conditions by iced's name, with their synonyms. */
const CONDITIONS: Readonly<Record<string, readonly string[]>> = {
  o: [],
  no: [],
  s: [],
  ns: [],
  b: ['c', 'nae'],
  ae: ['nc', 'nb'],
  e: ['z'],
  ne: ['nz'],
  be: ['na'],
  a: ['nbe'],
  p: ['pe'],
  np: ['po'],
  l: ['nge'],
  ge: ['nl'],
  le: ['ng'],
  g: ['nle'],
};

/** Makes the index. Pure: the same iced-x86 gives the same data. */
export function generateEncodingIndex(): EncodingIndexData {
  const drafts = new Map<string, Draft[]>();
  const put = (name: string, draft: Draft): void => {
    const list = drafts.get(name);
    if (list === undefined) drafts.set(name, [draft]);
    else list.push(draft);
  };
  for (const [codeName, code] of Object.entries(Code)) {
    if (typeof code !== 'number' || SKIPPED_CODES.test(codeName)) continue;
    const draft = draftOf(code);
    if (draft !== null) put(draft.name, draft.draft);
  }
  amend(drafts, put);
  const mnemonics: Record<string, EncodingFormData[]> = {};
  for (const name of [...drafts.keys()].sort()) {
    const list = drafts.get(name) as Draft[];
    // At equal length the sign-extended byte is customary; the rest stays in opcode order, which puts "r/m, r" before "r, r/m".
    const ordered = [...list.filter(hasSignExtendedByte), ...list.filter((d) => !hasSignExtendedByte(d))];
    mnemonics[name] = ordered.map((d) => [
      d.operands.join(','),
      d.opcode,
      d.modrm,
      d.operandSize,
      d.addressSize,
      d.prefix,
      d.memoryBits,
      (d.wait ? 1 : 0) | (d.defaultSized ? 2 : 0) | (d.far ? 4 : 0),
      d.tail,
    ]);
  }
  return { version: ENCODING_INDEX_VERSION, mnemonics };
}

const hasSignExtendedByte = (d: Draft): boolean => d.operands.includes('s8w') || d.operands.includes('s8d');

const hexByte = (n: number): string => n.toString(16).toUpperCase().padStart(2, '0');

/** One iced code as a draft, or null if it is not assembled in 16- and 32-bit code. */
function draftOf(code: Code): { name: string; draft: Draft } | null {
  const info = CodeExt.opCode(code);
  try {
    if (!info.isInstruction || info.encoding !== EncodingKind.Legacy || !(info.mode16 || info.mode32)) return null;
    const leading = ESCAPES.get(info.table);
    const prefix = PREFIXES.get(info.mandatoryPrefix);
    if (leading === undefined || prefix === undefined) return null;
    const operands: string[] = [];
    let implicit = false;
    let modrm = info.groupIndex >= 0 ? info.groupIndex : NO_MODRM;
    for (let i = 0; i < info.opCount; i++) {
      const kind = info.opKind(i);
      if (IMPLICIT.has(kind)) {
        implicit = true;
        continue;
      }
      const name = KIND_NAMES.get(kind);
      if (name === undefined) return null;
      if (/^(r\d+|rm\d+|b\d+|m|sreg|cr|dr|tr|mm|mmrm|mmb|xmm|xmmrm|xmmb)$/.test(name) && modrm === NO_MODRM) modrm = SLASH_R;
      operands.push(name);
    }
    const name = (Mnemonic[info.mnemonic] as string).toLowerCase();
    if (name === 'undoc') return null;
    const isString = implicit && !name.startsWith('mask');
    const opcode = leading + (info.opCodeLength === 2 ? hexByte(info.opCode >>> 8) + hexByte(info.opCode & 0xff) : hexByte(info.opCode));
    const bits = 8 * MemorySizeExt.size(info.memorySize);
    return {
      name,
      draft: {
        operands: isString ? [] : operands,
        opcode,
        modrm,
        operandSize: info.operandSize,
        addressSize: info.addressSize,
        prefix,
        memoryBits: bits <= 128 && bits !== 48 ? bits : 0,
        wait: info.fwait,
        far: false,
        defaultSized: false,
        tail: '',
      },
    };
  } finally {
    info.free();
  }
}

type Put = (name: string, draft: Draft) => void;

function amend(drafts: Map<string, Draft[]>, put: Put): void {
  const of = (name: string): Draft[] => drafts.get(name) ?? [];
  const alias = (name: string, original: string): void => {
    if (drafts.has(original)) drafts.set(name, of(original));
  };
  amendSizes(of, drafts, put);
  amendSystem(of, drafts);
  amendOrder(of, drafts);
  amendFloating(of, drafts);
  amendComparisons(of, put);

  // AAM and AAD without operand mean base 10.
  for (const name of ['aam', 'aad']) for (const d of [...of(name)]) put(name, { ...d, operands: [], tail: '0A' });
  // Two-operand IMUL by an immediate multiplies the register by itself: reg and r/m hold the same number.
  for (const d of [...of('imul')])
    if (d.operands.length === 3 && d.operands[2] !== undefined && d.operands[0] !== undefined)
      put('imul', { ...d, operands: [d.operands[0], d.operands[2]], modrm: SLASH_R });
  // LOOP and its kin may name their counter.
  for (const name of ['loop', 'loope', 'loopne'])
    for (const d of [...of(name)]) put(name, { ...d, operands: ['rel8', d.addressSize === 16 ? 'cx' : 'ecx'] });

  for (const [condition, synonyms] of Object.entries(CONDITIONS))
    for (const synonym of synonyms) for (const stem of ['j', 'set', 'cmov']) alias(stem + synonym, stem + condition);
  const names: readonly (readonly [string, string])[] = [
    ['loopz', 'loope'],
    ['loopnz', 'loopne'],
    ['sal', 'shl'],
    ['retn', 'ret'],
    ['xlat', 'xlatb'],
    ['icebp', 'int1'],
    ['fwait', 'wait'],
    ['ud2a', 'ud2'],
    ['ud2b', 'ud1'],
    ['int03', 'int3'],
  ];
  for (const [name, original] of names) alias(name, original);
}

/** Forms that only the mode chooses between, and the suffixed names that choose by themselves. */
function amendSizes(of: (name: string) => Draft[], drafts: Map<string, Draft[]>, put: Put): void {
  // iced names the wide sibling of these separately; without a suffix the mode decides, and -w and -d are explicit.
  for (const stem of ['pusha', 'popa', 'pushf', 'popf', 'iret']) {
    const word = of(stem);
    const double = of(`${stem}d`);
    drafts.set(`${stem}w`, word);
    drafts.set(
      stem,
      [...word, ...double].map((d) => ({ ...d, defaultSized: true })),
    );
  }
  for (const d of of('ret').concat(of('retf'))) d.defaultSized = true;
  for (const stem of ['ret', 'retf', 'retn'])
    for (const [suffix, size] of [
      ['w', 16],
      ['d', 32],
    ] as const)
      drafts.set(
        stem + suffix,
        of(stem === 'retn' ? 'ret' : stem)
          .filter((d) => d.operandSize === size)
          .map((d) => ({ ...d, defaultSized: false })),
      );
  for (const name of [
    'enter',
    'leave',
    'lgdt',
    'lidt',
    'sgdt',
    'sidt',
    'nop',
    'loop',
    'loope',
    'loopne',
    'jcxz',
    'jecxz',
    'syscall',
    'sysret',
    'sysexit',
    'getsec',
    'xabort',
    'fldenv',
    'fnstenv',
    'fstenv',
    'frstor',
    'fnsave',
    'fsave',
  ])
    for (const d of of(name)) if (name !== 'nop' || d.operands.length === 0) d.defaultSized = d.operandSize !== 0;
  for (const [name, list] of drafts) {
    const jumps = name === 'jmp' || name === 'call' || /^j/.test(name);
    for (const d of list) {
      const only = d.operands[0];
      if (jumps && d.operandSize !== 0) d.defaultSized = true;
      if ((name === 'jmp' || name === 'call') && only === 'm') {
        d.far = true;
        d.memoryBits = d.operandSize;
      }
      // Pushing a segment register or an immediate.
      if ((name === 'push' || name === 'pop') && d.operands.length === 1 && only !== undefined && !/^(rm|o)\d+$/.test(only))
        d.defaultSized = true;
    }
  }
  // NOP alone is one byte in every mode.
  drafts.set(
    'nop',
    of('nop').filter((d) => d.operands.length === 1),
  );
  put('nop', {
    operands: [],
    opcode: '90',
    modrm: NO_MODRM,
    operandSize: 0,
    addressSize: 0,
    prefix: 0,
    memoryBits: 0,
    wait: false,
    far: false,
    defaultSized: false,
    tail: '',
  });
}

/** System instructions that move 16 bits whatever the operand size: memory forms, and some register forms, take no operand-size prefix. */
function amendSystem(of: (name: string) => Draft[], drafts: Map<string, Draft[]>): void {
  const neutral = (d: Draft): Draft => ({ ...d, operandSize: 0, memoryBits: d.operands.includes('m') ? 16 : 0, defaultSized: false });
  for (const name of ['sldt', 'str', 'smsw']) {
    const [word, double] = [of(name)[0] as Draft, of(name)[1] as Draft];
    drafts.set(name, [{ ...word, operands: ['b16'] }, { ...double, operands: ['b32'] }, neutral({ ...word, operands: ['m'] })]);
  }
  for (const name of ['lldt', 'ltr', 'lmsw', 'verr', 'verw']) {
    const word = of(name)[0] as Draft;
    drafts.set(name, [neutral({ ...word, operands: ['b16'] }), neutral({ ...word, operands: ['m'] })]);
  }
  const arpl = of('arpl')[0] as Draft;
  drafts.set('arpl', [{ ...arpl, operandSize: 0, memoryBits: 16 }]);
  for (const name of ['lar', 'lsl']) {
    const [word, double] = [of(name)[0] as Draft, of(name)[1] as Draft];
    drafts.set(name, [
      word,
      { ...double, operands: ['r32', 'rm16'], memoryBits: 16 },
      { ...double, operands: ['r32', 'b32'] },
      { ...word, operands: ['r16', 'b32'] },
    ]);
  }
  const moves: Draft[] = [];
  for (const d of of('mov')) {
    const [first, second] = d.operands;
    if (first === 'sreg') {
      if (second === 'rm16')
        moves.push(
          neutral({ ...d, operands: ['sreg', 'b16'] }),
          neutral({ ...d, operands: ['sreg', 'b32'] }),
          neutral({ ...d, operands: ['sreg', 'm'] }),
        );
    } else if (second === 'sreg') {
      if (first === 'rm16') moves.push({ ...d, operands: ['b16', 'sreg'] }, neutral({ ...d, operands: ['m', 'sreg'] }));
      else moves.push({ ...d, operands: ['b32', 'sreg'] });
    } else moves.push(d);
  }
  drafts.set('mov', moves);
}

/** Operand order: XCHG and TEST are symmetric, so both orders may be written, and the bytes are those of custom. */
function amendOrder(of: (name: string) => Draft[], drafts: Map<string, Draft[]>): void {
  const both = (d: Draft): Draft => ({ ...d, operands: [...d.operands].reverse() });
  const exchanges: Draft[] = [];
  for (const d of of('xchg')) exchanges.push(both(d), d);
  drafts.set('xchg', exchanges);
  const tests: Draft[] = [];
  for (const d of of('test')) {
    tests.push(d);
    if (/^r\d/.test(d.operands[1] ?? '')) tests.push(both(d));
  }
  drafts.set('test', tests);
}

/** x87 arithmetic may leave out st0, and pops may leave out everything. */
function amendFloating(of: (name: string) => Draft[], drafts: Map<string, Draft[]>): void {
  for (const name of [...drafts.keys()].filter((n) => n.startsWith('f'))) {
    const list = of(name);
    // Where both directions fit (st0 with st0), the one that names its destination in the opcode is customary.
    list.sort((a, b) => Number(b.operands[0] === 'sti') - Number(a.operands[0] === 'sti'));
    for (const d of [...list]) {
      const [first, second] = d.operands;
      if (first === 'st0' && second === 'sti') list.push({ ...d, operands: ['sti'] });
      if (first === 'sti' && second === 'st0' && name.endsWith('p')) list.push({ ...d, operands: ['sti'] });
      const alone =
        (first === 'sti' && second === 'st0' && name.endsWith('p')) ||
        (first === 'st0' && second === 'sti' && /^f(xch|ucom|ucomp|com|comp|ucomi|ucomip|comi|comip)$/.test(name));
      if (alone) list.push({ ...d, operands: [], opcode: plusOne(d.opcode) });
    }
    for (const d of [...list])
      if (d.operands.length === 1 && d.operands[0] === 'sti' && /^fu?comp?$/.test(name) && !list.some((e) => e.operands.length === 0))
        list.push({ ...d, operands: [], opcode: plusOne(d.opcode) });
  }
}

/** The opcode for st1 where the source names no register. */
const plusOne = (opcode: string): string => opcode.slice(0, -2) + hexByte(Number.parseInt(opcode.slice(-2), 16) + 1);

/** The eight comparisons of CMPPS and its kin as mnemonics of their own. */
function amendComparisons(of: (name: string) => Draft[], put: Put): void {
  const predicates = ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'];
  for (const suffix of ['ps', 'pd', 'ss', 'sd'])
    for (const d of [...of(`cmp${suffix}`)])
      if (d.operands.length === 3)
        predicates.forEach((p, i) => put(`cmp${p}${suffix}`, { ...d, operands: d.operands.slice(0, 2), tail: hexByte(i) }));
}
