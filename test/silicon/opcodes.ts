/**
 * The instructions that are recorded, in the notation of the opcode map (SDM volume 2, appendix A): E general register or memory by
 * ModRM, G register by ModRM, M memory only, R register only, S segment register, Z register in the opcode's low three bits, I immediate,
 * J relative branch, A far pointer, O memory by offset; b byte, w word, v word or doubleword by operand size, z immediate of word or
 * doubleword, q quadword. This table is only for choosing bytes; what they do is what the processor did.
 */
export interface Row {
  readonly mnemonic: string;
  readonly opcode: readonly number[];
  /** The ModRM reg field when it extends the opcode. */
  readonly digit?: number;
  readonly operands: readonly string[];
  readonly options: Options;
}

export interface Options {
  /** LOCK is valid with a memory destination. */
  readonly lock?: boolean;
  /** How registers and memory are prepared: a function in setup.ts. */
  readonly setup?: string;
  /** Uses the stack: ESP points there. */
  readonly stack?: boolean;
  /** Its size depends on the operand-size attribute though no operand says so. */
  readonly sized?: boolean;
  /** String instruction: reads DS:ESI, writes or reads ES:EDI, and the REP prefixes that are defined. */
  readonly source?: boolean;
  readonly destination?: boolean;
  readonly repeat?: readonly number[];
  /** Depends on the address-size attribute though it has no ModRM. */
  readonly addressed?: boolean;
  /** How often it is chosen, 1 by default. */
  readonly weight?: number;
  /** Ends a straight line of code. */
  readonly branch?: boolean;
  /** Looks a selector up in the descriptor tables. */
  readonly selectors?: boolean;
}

const row = (mnemonic: string, opcode: readonly number[], operands = '', options: Options & { digit?: number } = {}): Row => {
  const { digit, ...rest } = options;
  return {
    mnemonic,
    opcode,
    ...(digit === undefined ? {} : { digit }),
    operands: operands === '' ? [] : operands.split(','),
    options: rest,
  };
};

const arithmetic = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'].flatMap((m, n): Row[] => {
  const lock = m !== 'cmp';
  return [
    row(m, [n * 8], 'Eb,Gb', { lock }),
    row(m, [n * 8 + 1], 'Ev,Gv', { lock }),
    row(m, [n * 8 + 2], 'Gb,Eb'),
    row(m, [n * 8 + 3], 'Gv,Ev'),
    row(m, [n * 8 + 4], 'AL,Ib'),
    row(m, [n * 8 + 5], 'eAX,Iz'),
    row(m, [0x80], 'Eb,Ib', { digit: n, lock }),
    row(m, [0x81], 'Ev,Iz', { digit: n, lock }),
    row(m, [0x82], 'Eb,Ib', { digit: n, lock, weight: 0.25 }),
    row(m, [0x83], 'Ev,Ib', { digit: n, lock }),
  ];
});

const shifts = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sal', 'sar'].flatMap((m, digit): Row[] => [
  row(m, [0xc0], 'Eb,Ib', { digit, setup: 'count' }),
  row(m, [0xc1], 'Ev,Ib', { digit, setup: 'count' }),
  row(m, [0xd0], 'Eb,1', { digit }),
  row(m, [0xd1], 'Ev,1', { digit }),
  row(m, [0xd2], 'Eb,CL', { digit, setup: 'count' }),
  row(m, [0xd3], 'Ev,CL', { digit, setup: 'count' }),
]);

const bits = ['bt', 'bts', 'btr', 'btc'].flatMap((m, n): Row[] => [
  row(m, [0x0f, 0xa3 + n * 8], 'Ev,Gv', { lock: m !== 'bt', setup: 'bitOffset', weight: 3 }),
  row(m, [0x0f, 0xba], 'Ev,Ib', { digit: 4 + n, lock: m !== 'bt' }),
]);

const conditions = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'].flatMap((c, n): Row[] => [
  row(`set${c}`, [0x0f, 0x90 + n], 'Eb', { weight: 0.6 }),
  row(`cmov${c}`, [0x0f, 0x40 + n], 'Gv,Ev', { weight: 0.6 }),
  row(`j${c}`, [0x70 + n], 'Jb', { sized: true, branch: true, weight: 0.4 }),
  row(`j${c}`, [0x0f, 0x80 + n], 'Jz', { branch: true, weight: 0.4 }),
]);

const string = (m: string, opcode: number, source: boolean, destination: boolean, compare: boolean): Row[] => {
  const options = {
    source,
    destination,
    addressed: true,
    repeat: compare ? [0xf2, 0xf3] : [0xf3],
    weight: 4,
    ...(compare ? { setup: 'equal' } : {}),
  };
  return [row(`${m}b`, [opcode], '', options), row(m, [opcode + 1], '', { ...options, sized: true })];
};

const selectors = true;
const segmentation: readonly Row[] = [
  row('mov', [0x8e], 'Sw,Ew', { selectors, setup: 'selector', weight: 4 }),
  ...[[0x07], [0x17], [0x1f], [0x0f, 0xa1], [0x0f, 0xa9]].map((o) =>
    row('pop', o, 'segment', { selectors, stack: true, sized: true, setup: 'selectorOnStack' }),
  ),
  row('les', [0xc4], 'Gv,Mp', { selectors, setup: 'farPointer' }),
  row('lds', [0xc5], 'Gv,Mp', { selectors, setup: 'farPointer' }),
  row('lss', [0x0f, 0xb2], 'Gv,Mp', { selectors, setup: 'farPointer' }),
  row('lfs', [0x0f, 0xb4], 'Gv,Mp', { selectors, setup: 'farPointer' }),
  row('lgs', [0x0f, 0xb5], 'Gv,Mp', { selectors, setup: 'farPointer' }),
  row('jmpf', [0xea], 'Ap', { selectors, sized: true, branch: true, setup: 'farImmediate', weight: 2 }),
  row('callf', [0x9a], 'Ap', { selectors, sized: true, stack: true, branch: true, setup: 'farImmediate', weight: 2 }),
  row('jmpf', [0xff], 'Mp', { digit: 5, selectors, sized: true, branch: true, setup: 'farCode', weight: 2 }),
  row('callf', [0xff], 'Mp', { digit: 3, selectors, sized: true, stack: true, branch: true, setup: 'farCode', weight: 2 }),
  row('retf', [0xcb], '', { selectors, sized: true, stack: true, branch: true, setup: 'farReturn', weight: 2 }),
  row('retf', [0xca], 'Iw', { selectors, sized: true, stack: true, branch: true, setup: 'farReturn', weight: 2 }),
  row('iret', [0xcf], '', { selectors, sized: true, stack: true, branch: true, setup: 'farReturn', weight: 3 }),
  row('lar', [0x0f, 0x02], 'Gv,Ew', { selectors, setup: 'selector', weight: 2 }),
  row('lsl', [0x0f, 0x03], 'Gv,Ew', { selectors, setup: 'selector', weight: 2 }),
  row('verr', [0x0f, 0x00], 'Ew', { digit: 4, selectors, setup: 'selector', weight: 2 }),
  row('verw', [0x0f, 0x00], 'Ew', { digit: 5, selectors, setup: 'selector', weight: 2 }),
  row('arpl', [0x63], 'Ew,Gw', { weight: 2 }),
];

export const rows: readonly Row[] = [
  ...segmentation,
  ...arithmetic,
  ...shifts,
  ...bits,
  ...conditions,
  row('test', [0x84], 'Eb,Gb'),
  row('test', [0x85], 'Ev,Gv'),
  row('test', [0xa8], 'AL,Ib'),
  row('test', [0xa9], 'eAX,Iz'),
  row('test', [0xf6], 'Eb,Ib', { digit: 0 }),
  row('test', [0xf7], 'Ev,Iz', { digit: 0 }),
  row('test', [0xf6], 'Eb,Ib', { digit: 1, weight: 0.3 }),
  row('test', [0xf7], 'Ev,Iz', { digit: 1, weight: 0.3 }),
  row('not', [0xf6], 'Eb', { digit: 2, lock: true }),
  row('not', [0xf7], 'Ev', { digit: 2, lock: true }),
  row('neg', [0xf6], 'Eb', { digit: 3, lock: true }),
  row('neg', [0xf7], 'Ev', { digit: 3, lock: true }),
  row('mul', [0xf6], 'Eb', { digit: 4 }),
  row('mul', [0xf7], 'Ev', { digit: 4 }),
  row('imul', [0xf6], 'Eb', { digit: 5 }),
  row('imul', [0xf7], 'Ev', { digit: 5 }),
  row('div', [0xf6], 'Eb', { digit: 6, setup: 'dividend', weight: 3 }),
  row('div', [0xf7], 'Ev', { digit: 6, setup: 'dividend', weight: 3 }),
  row('idiv', [0xf6], 'Eb', { digit: 7, setup: 'signedDividend', weight: 3 }),
  row('idiv', [0xf7], 'Ev', { digit: 7, setup: 'signedDividend', weight: 3 }),
  row('imul', [0x0f, 0xaf], 'Gv,Ev', { weight: 1.5 }),
  row('imul', [0x69], 'Gv,Ev,Iz'),
  row('imul', [0x6b], 'Gv,Ev,Ib'),
  row('inc', [0xfe], 'Eb', { digit: 0, lock: true }),
  row('dec', [0xfe], 'Eb', { digit: 1, lock: true }),
  row('inc', [0xff], 'Ev', { digit: 0, lock: true }),
  row('dec', [0xff], 'Ev', { digit: 1, lock: true }),
  row('inc', [0x40], 'Zv'),
  row('dec', [0x48], 'Zv'),
  row('shld', [0x0f, 0xa4], 'Ev,Gv,Ib', { setup: 'count', weight: 2 }),
  row('shld', [0x0f, 0xa5], 'Ev,Gv,CL', { setup: 'count', weight: 2 }),
  row('shrd', [0x0f, 0xac], 'Ev,Gv,Ib', { setup: 'count', weight: 2 }),
  row('shrd', [0x0f, 0xad], 'Ev,Gv,CL', { setup: 'count', weight: 2 }),
  row('bsf', [0x0f, 0xbc], 'Gv,Ev', { weight: 2 }),
  row('bsr', [0x0f, 0xbd], 'Gv,Ev', { weight: 2 }),
  row('bswap', [0x0f, 0xc8], 'Zd'),
  row('mov', [0x88], 'Eb,Gb'),
  row('mov', [0x89], 'Ev,Gv'),
  row('mov', [0x8a], 'Gb,Eb'),
  row('mov', [0x8b], 'Gv,Ev'),
  row('mov', [0x8c], 'Ev,Sw', { weight: 2 }),
  row('mov', [0xa0], 'AL,Ob'),
  row('mov', [0xa1], 'eAX,Ov'),
  row('mov', [0xa2], 'Ob,AL'),
  row('mov', [0xa3], 'Ov,eAX'),
  row('mov', [0xb0], 'Zb,Ib'),
  row('mov', [0xb8], 'Zv,Iv'),
  row('mov', [0xc6], 'Eb,Ib', { digit: 0 }),
  row('mov', [0xc7], 'Ev,Iz', { digit: 0 }),
  row('movzx', [0x0f, 0xb6], 'Gv,Eb'),
  row('movzx', [0x0f, 0xb7], 'Gv,Ew'),
  row('movsx', [0x0f, 0xbe], 'Gv,Eb'),
  row('movsx', [0x0f, 0xbf], 'Gv,Ew'),
  row('lea', [0x8d], 'Gv,M', { weight: 4 }),
  row('xchg', [0x86], 'Eb,Gb', { lock: true }),
  row('xchg', [0x87], 'Ev,Gv', { lock: true }),
  row('xchg', [0x90], 'Zv'),
  row('xadd', [0x0f, 0xc0], 'Eb,Gb', { lock: true }),
  row('xadd', [0x0f, 0xc1], 'Ev,Gv', { lock: true }),
  row('cmpxchg', [0x0f, 0xb0], 'Eb,Gb', { lock: true, setup: 'compare', weight: 2 }),
  row('cmpxchg', [0x0f, 0xb1], 'Ev,Gv', { lock: true, setup: 'compare', weight: 2 }),
  row('cmpxchg8b', [0x0f, 0xc7], 'Mq', { digit: 1, lock: true, setup: 'compare8', weight: 3 }),
  row('push', [0x50], 'Zv', { stack: true, weight: 2 }),
  row('pop', [0x58], 'Zv', { stack: true, weight: 2 }),
  row('push', [0x68], 'Iz', { stack: true }),
  row('push', [0x6a], 'Ib', { stack: true, sized: true }),
  row('push', [0xff], 'Ev', { digit: 6, stack: true, weight: 2 }),
  row('pop', [0x8f], 'Ev', { digit: 0, stack: true, weight: 3 }),
  ...[0x06, 0x0e, 0x16, 0x1e].map((o) => row('push', [o], 'segment', { stack: true, sized: true, weight: 0.5 })),
  row('push', [0x0f, 0xa0], 'segment', { stack: true, sized: true, weight: 0.5 }),
  row('push', [0x0f, 0xa8], 'segment', { stack: true, sized: true, weight: 0.5 }),
  row('pusha', [0x60], '', { stack: true, sized: true, weight: 2 }),
  row('popa', [0x61], '', { stack: true, sized: true, weight: 2 }),
  row('pushf', [0x9c], '', { stack: true, sized: true }),
  row('popf', [0x9d], '', { stack: true, sized: true, setup: 'flagImage', weight: 2 }),
  row('enter', [0xc8], 'Iw,Ib', { stack: true, sized: true, setup: 'frame', weight: 4 }),
  row('leave', [0xc9], '', { stack: true, sized: true, setup: 'frame', weight: 2 }),
  row('cbw', [0x98], '', { sized: true }),
  row('cwd', [0x99], '', { sized: true }),
  row('loopne', [0xe0], 'Jb', { sized: true, addressed: true, setup: 'loop', branch: true, weight: 2 }),
  row('loope', [0xe1], 'Jb', { sized: true, addressed: true, setup: 'loop', branch: true, weight: 2 }),
  row('loop', [0xe2], 'Jb', { sized: true, addressed: true, setup: 'loop', branch: true, weight: 2 }),
  row('jcxz', [0xe3], 'Jb', { sized: true, addressed: true, setup: 'loop', branch: true, weight: 2 }),
  row('jmp', [0xeb], 'Jb', { sized: true, branch: true }),
  row('jmp', [0xe9], 'Jz', { branch: true }),
  row('jmp', [0xff], 'Ev', { digit: 4, setup: 'target', branch: true, weight: 2 }),
  row('call', [0xe8], 'Jz', { stack: true, branch: true, weight: 2 }),
  row('call', [0xff], 'Ev', { digit: 2, stack: true, setup: 'target', branch: true, weight: 3 }),
  row('ret', [0xc3], '', { stack: true, sized: true, setup: 'returnTarget', branch: true, weight: 2 }),
  row('ret', [0xc2], 'Iw', { stack: true, sized: true, setup: 'returnTarget', branch: true, weight: 2 }),
  ...string('movs', 0xa4, true, true, false),
  ...string('cmps', 0xa6, true, true, true),
  ...string('stos', 0xaa, false, true, false),
  ...string('lods', 0xac, true, false, false),
  ...string('scas', 0xae, false, true, true),
  row('sahf', [0x9e]),
  row('lahf', [0x9f]),
  row('cmc', [0xf5], '', { weight: 0.5 }),
  row('clc', [0xf8], '', { weight: 0.5 }),
  row('stc', [0xf9], '', { weight: 0.5 }),
  row('cld', [0xfc], '', { weight: 0.5 }),
  row('std', [0xfd], '', { weight: 0.5 }),
  row('daa', [0x27]),
  row('das', [0x2f]),
  row('aaa', [0x37]),
  row('aas', [0x3f]),
  row('aam', [0xd4], 'Ib'),
  row('aad', [0xd5], 'Ib'),
  row('salc', [0xd6], '', { weight: 0.5 }),
  row('xlat', [0xd7], '', { addressed: true, setup: 'table' }),
  row('nop', [0x90], '', { weight: 0.5 }),
  row('nop', [0x0f, 0x1f], 'Ev', { digit: 0 }),
  row('pause', [0xf3, 0x90], '', { weight: 0.3 }),
  row('bound', [0x62], 'Gv,Mv', { setup: 'bounds', weight: 3 }),
  row('into', [0xce], '', { branch: true }),
  row('int3', [0xcc], '', { branch: true, weight: 0.3 }),
  row('ud2', [0x0f, 0x0b], '', { branch: true, weight: 0.3 }),
];
