/** Random source lines for the comparison with nasm: every form of the encoding index, and the parts of the language around it. */
import type { EncodingForm, EncodingIndex, OperandRule } from '../../src/machine/isa/encoding-index.ts';

/** A small random number generator: the same seed gives the same numbers. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to `n` - 1. */
  below(n: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

const REGISTERS: Readonly<Record<string, readonly string[]>> = {
  r8: ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'],
  r16: ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'],
  r32: ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'],
  sreg: ['es', 'ss', 'ds', 'fs', 'gs'],
  cr: ['cr0', 'cr2', 'cr3', 'cr4'],
  dr: ['dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7'],
  tr: ['tr3', 'tr4', 'tr5', 'tr6', 'tr7'],
  mm: ['mm0', 'mm1', 'mm3', 'mm7'],
  xmm: ['xmm0', 'xmm1', 'xmm5', 'xmm7'],
  st: ['st0', 'st1', 'st4', 'st7'],
};

const SIZE_WORDS = new Map([
  [8, 'byte'],
  [16, 'word'],
  [32, 'dword'],
  [64, 'qword'],
  [80, 'tword'],
  [128, 'oword'],
]);
const NUMBERS = [
  '0',
  '1',
  '2',
  '5',
  '7',
  '0x10',
  '100',
  '127',
  '128',
  '255',
  '0x100',
  '0x1234',
  '0x7fff',
  '0x8000',
  '0xff80',
  '0xffff',
  '-1',
  '-2',
  '-128',
  '-129',
  '0FFh',
  '$0a5',
  '1010b',
  '0b11',
  '0o17',
  '77q',
  "'a'",
  '1_000',
];
const WIDE_NUMBERS = ['0x10000', '0x12345678', '0x7fffffff', '0x80000000', '0xffffff80', '0xffffffff', "'abcd'", '-32769'];

/** Instructions for which nasm takes no size in front of the bracket, or only some other. */
const UNSIZED =
  /^(bound|cl(demote|flush|flushopt|wb)|l[defgs]s|prefetch.*|vm(clear|ptrld|ptrst|xon)|palignr|pshuf.*|punpckl.*|pdistib|pmachriw|pmuludq|psubq|cmp[sp][sd]|cmp.*[sp][sd])$/;

/** Instructions that nasm 2.16 does not know, or not in 16-bit code, or (retw with an operand) writes without the prefix it needs. */
const NOT_COMPARED = /^(invlpgb|mcommit|rdpru|tlbsync|rdpkru|wrpkru|wrmsrns|skinit|retw|retnw|retfw)$/;

/** The mnemonics of an index that both assemblers know. */
export const comparable = (index: EncodingIndex): string[] => [...index.mnemonics.keys()].filter((name) => !NOT_COMPARED.test(name));

/** A program under construction. */
export class ProgramWriter {
  readonly lines: string[] = [];
  readonly #random: Random;
  readonly #index: EncodingIndex;
  readonly #mnemonics: readonly string[];
  #bits: 16 | 32 = 16;
  #label = 0;
  readonly #labelCount: number;

  /** `mnemonics` are those that both assemblers know. */
  constructor(seed: number, index: EncodingIndex, mnemonics: readonly string[], length: number) {
    this.#random = new Random(seed);
    this.#index = index;
    this.#mnemonics = mnemonics;
    this.#labelCount = Math.max(2, Math.floor(length / 8));
    const r = this.#random;
    this.lines.push(
      'bits 16',
      `org ${r.pick(['0', '0x7c00', '0x100', '0xf0000', '0xfffff000'])}`,
      '%define THREE 3',
      '%define TWICE(x) ((x)*2)',
      'FIVE equ 5',
      'start:',
      '.local:',
    );
    for (let i = 0; i < length; i++) this.#line(i, length);
    while (this.#label < this.#labelCount) this.lines.push(`L${this.#label++}:`, '.local: nop');
    this.lines.push('.end: db $-$$ & 0xff', 'LATER equ 9', 'BIG equ 0x1234', 'DISTANCE equ L1-L0');
  }

  get text(): string {
    return `${this.lines.join('\n')}\n`;
  }

  #line(i: number, length: number): void {
    const r = this.#random;
    if (this.#label < this.#labelCount && (r.chance(7) || (length - i) * 2 <= this.#labelCount - this.#label)) {
      const name = `L${this.#label++}`;
      this.lines.push(r.chance(4) ? `${name}:` : `${name}: ${this.#instruction()}`, `.local: ${this.#instruction()}`);
      return;
    }
    const kind = r.below(40);
    if (kind === 0) {
      this.#bits = r.chance(2) ? 16 : 32;
      this.lines.push(r.chance(2) ? `bits ${this.#bits}` : `[bits ${this.#bits}]`);
    } else if (kind < 4) this.lines.push(this.#data());
    else if (kind === 4)
      this.lines.push(
        r.pick([
          'align 4',
          'align 16',
          'alignb 8',
          'align 8, db 0',
          'resb 3',
          'resw 2',
          'resd FIVE',
          'times 3 db 1, 2',
          `times ${r.below(9)} nop`,
          'times FIVE db $-$$ & 0x7f',
          'cpu all',
          'section .text',
        ]),
      );
    else if (kind < 12) this.lines.push(this.#branch());
    else this.lines.push(this.#instruction());
  }

  #anyLabel(): string {
    return `L${this.#random.below(this.#labelCount)}`;
  }

  #nearLabel(): string {
    const r = this.#random;
    if (r.chance(4)) return '.local';
    const n = Math.min(this.#labelCount - 1, Math.max(0, this.#label - 3 + r.below(7)));
    return r.chance(6) ? `L${n}.local` : `L${n}`;
  }

  #branch(): string {
    const r = this.#random;
    const jcc = r.pick(['jz', 'jnz', 'jc', 'jnae', 'ja', 'jbe', 'js', 'jns', 'jp', 'jpo', 'jl', 'jge', 'jng', 'jg', 'jo', 'jno']);
    switch (r.below(14)) {
      case 0:
        return `jmp ${this.#anyLabel()}`;
      case 1:
        return `call ${this.#anyLabel()}`;
      case 2:
        return `${jcc} ${this.#anyLabel()}`;
      case 3:
        return `jmp ${r.pick(['near ', 'dword ', 'word ', 'strict near '])}${this.#anyLabel()}`;
      case 4:
        return `call ${r.pick(['near ', 'dword ', 'word '])}${this.#anyLabel()}`;
      case 5:
        return `${r.pick(['loop', 'loope', 'loopnz', 'jcxz', 'jecxz', 'jmp short', `${jcc} short`])} $${r.pick(['', '+5', '-7', '+2'])}`;
      case 6:
        return `loop $-3, ${r.pick(['cx', 'ecx'])}`;
      case 7:
        return `${r.pick(['jmp', 'call'])} ${r.pick(['', 'word ', 'dword '])}${r.pick(['8', '0xf000', 'FIVE', '0x10'])}:${this.#anyLabel()}`;
      case 8:
        return `jmp ${r.pick(['0x08:dword ', '8:word '])}${this.#anyLabel()}`;
      case 9:
        return `${r.pick(['jmp', 'call'])} ${r.pick(['far ', 'word far ', 'dword far ', 'far dword ', 'far word ', '', 'near ', 'word ', 'dword '])}${this.#memory()}`;
      case 10:
        return `times ${1 + r.below(3)} jmp ${this.#nearLabel()}`;
      case 11:
        return `${jcc} near ${this.#anyLabel()}`;
      default:
        return `${r.pick(['jmp', jcc])} ${this.#nearLabel()}`;
    }
  }

  #data(): string {
    const r = this.#random;
    const directive = r.pick(['db', 'dw', 'dd', 'dq']);
    const items = Array.from({ length: 1 + r.below(4) }, () => {
      if (r.chance(4)) return r.pick(["'hello'", '"x"', '`a\\n\\x41\\0`', "'abcdefghi'", "''"]);
      if (directive !== 'db' && r.chance(3))
        return r.pick([this.#anyLabel(), `${this.#anyLabel()}+2`, '$', '$$', `${this.#anyLabel()}-${this.#anyLabel()}`]);
      return this.#number(directive !== 'db');
    });
    return `${r.chance(8) ? 'times 2 ' : ''}${directive} ${items.join(', ')}`;
  }

  #number(wide: boolean): string {
    const r = this.#random;
    switch (r.below(12)) {
      case 0:
        return r.pick(['FIVE', 'LATER', 'BIG', 'DISTANCE', 'THREE', 'TWICE(THREE+1)']);
      case 1: {
        const operator = r.pick(['+', '-', '*', '/', '//', '%', '%%', '&', '|', '^', '<<', '>>']);
        return `${r.pick(['', '(', '~', '-', '!'])}${r.below(300)} ${operator} ${1 + r.below(9)}`.replace(/^\((.*)$/, '($1)*2');
      }
      case 2:
        return `${r.below(9)}${r.pick(['|', '^', '&', '<<', '+', '*'])}${r.below(9)}${r.pick(['|', '^', '&', '>>', '-', '*'])}${r.below(9)}`;
      case 3:
        return `${this.#anyLabel()}-${this.#anyLabel()}`;
      default:
        return wide && r.chance(3) ? r.pick(WIDE_NUMBERS) : r.pick(NUMBERS);
    }
  }

  #memory(offsetOnly = false): string {
    const r = this.#random;
    const segment = r.chance(6) ? `${r.pick(['es', 'cs', 'ss', 'ds', 'fs', 'gs'])}:` : '';
    const displacement = r.pick([...NUMBERS, ...WIDE_NUMBERS, this.#anyLabel(), `${this.#anyLabel()}+4`, 'FIVE', 'LATER', 'DISTANCE']);
    if (offsetOnly || r.chance(6)) return `[${r.pick(['', '', 'word ', 'dword '])}${segment}${displacement}]`;
    const tail = r.chance(3) ? '' : displacement.startsWith('-') ? displacement : `+${displacement}`;
    if (this.#bits === 16 ? !r.chance(4) : r.chance(6)) {
      const width = tail === '' ? '' : r.pick(['', '', '', 'byte ', 'word ']);
      return `[${width}${segment}${r.pick(['bx', 'bp', 'si', 'di', 'bx+si', 'bx+di', 'bp+si', 'bp+di', 'si+bx', 'di+bp'])}${tail}]`;
    }
    const width = tail === '' ? '' : r.pick(['', '', '', 'byte ', 'dword ']);
    const a = r.pick(REGISTERS['r32'] as string[]);
    const b = r.pick((REGISTERS['r32'] as string[]).filter((x) => x !== 'esp'));
    const registers = r.pick([
      a,
      a,
      `${a}+${b}`,
      `${b}*${r.pick(['2', '4', '8'])}`,
      `${a}+${b}*${r.pick(['1', '2', '4', '8'])}`,
      `${b}*${r.pick(['3', '5', '9'])}`,
      `${b}*4+${a}`,
      `nosplit ${b}*2`,
      `${b}+${b}`,
      `4*${b}+${a}`,
      `${b}*1+${a}`,
      `${b}+esp`,
    ]);
    if (registers.startsWith('nosplit')) return `[nosplit ${segment}${registers.slice(8)}${tail}]`;
    return `[${width}${segment}${registers}${tail}]`;
  }

  #instruction(): string {
    const r = this.#random;
    // The everyday instructions have the most forms and the most habits.
    const common = [
      'mov',
      'add',
      'sub',
      'and',
      'or',
      'xor',
      'cmp',
      'test',
      'adc',
      'sbb',
      'xchg',
      'push',
      'pop',
      'inc',
      'dec',
      'shl',
      'sar',
      'imul',
      'lea',
      'movzx',
      'in',
      'out',
    ];
    const mnemonic = r.chance(3) ? r.pick(common) : r.pick(this.#mnemonics);
    return this.formLine(mnemonic, r.pick(this.#index.mnemonics.get(mnemonic) ?? []));
  }

  /** A line of one form with random operands. */
  formLine(mnemonic: string, form: EncodingForm): string {
    const r = this.#random;
    const rules = form.operands;
    const sized = rules.some((rule) => /^r\d/.test(rule.register) && !rule.memory);
    const operands = rules.map((rule) => this.#operand(rule, form, sized, mnemonic));
    const prefixable = rules.every((rule) => !rule.memory) ? '' : r.chance(30) ? `${r.pick(['es', 'cs', 'ss', 'ds', 'fs', 'gs'])} ` : '';
    const text = `${mnemonic}${operands.length > 0 ? ' ' : ''}${operands.join(', ')}`;
    const overridden = /\[[^\]]*:/.test(text) || rules.some((rule) => rule.immediate.startsWith('rel') || rule.immediate.startsWith('far'));
    if (/^(movs|cmps|stos|lods|scas|ins|outs)[bwd]$/.test(mnemonic) && rules.length === 0)
      return `${r.pick(['', '', 'rep ', 'repne ', 'a32 ', 'a16 ', 'rep a32 '])}${text}`;
    if (
      /^(add|or|and|sub|xor|adc|sbb|inc|dec|neg|not|xadd|cmpxchg|btr|bts|btc|xchg)$/.test(mnemonic) &&
      text.includes('[') &&
      rules[0]?.memory === true &&
      r.chance(8)
    )
      return `lock ${text}`;
    return (overridden ? '' : prefixable) + text;
  }

  #operand(rule: OperandRule, form: EncodingForm, sized: boolean, mnemonic: string): string {
    const r = this.#random;
    if (rule.memory && (rule.register === '' || r.chance(2))) {
      const word = SIZE_WORDS.get(form.memoryBits);
      const memory = this.#memory(rule.place === 'moffs');
      if (form.far) return `${word ?? ''} far ${memory}`;
      if (word === undefined || rule.place === 'moffs' || UNSIZED.test(mnemonic)) return memory;
      const mayOmit =
        sized &&
        !/^(crc32|mov[sz]x)$/.test(mnemonic) &&
        form.operands.every((other) => other === rule || (other.register !== '' && !other.memory && other.fixed < 0));
      return mayOmit && r.chance(2) && form.memoryBits === form.operandSize ? memory : `${word} ${memory}`;
    }
    if (rule.register !== '') {
      const names = REGISTERS[rule.register] ?? [];
      if (rule.fixed < 0) return r.pick(names);
      return rule.register === 'sreg' ? (['es', 'cs', 'ss', 'ds', 'fs', 'gs'][rule.fixed] as string) : (names[rule.fixed] as string);
    }
    switch (rule.immediate) {
      case 'one':
        return '1';
      case 'rel8':
        return `${/^(loop|jcxz|jecxz)/.test(mnemonic) ? '' : 'short '}$${r.pick(['', '+2', '+100', '-100', '-5'])}`;
      case 'rel16':
      case 'rel32':
        return `${r.pick(['', 'near '])}${this.#anyLabel()}`;
      case 'far16':
      case 'far32':
        return `${rule.immediate === 'far16' ? 'word' : 'dword'} ${r.pick(['8', '0xf000'])}:${r.pick([this.#anyLabel(), '0x1234'])}`;
      default: {
        const bits = rule.immediate === 'i8' ? 8 : rule.immediate === 'i16' || rule.immediate === 's8w' ? 16 : 32;
        const value =
          bits > 8 && r.chance(8) ? r.pick([this.#anyLabel(), `${this.#anyLabel()}+1`, '$', '$$+3']) : this.#number(bits === 32);
        if (!sized && form.operands.length === 1 && bits > 8 && form.operandSize === bits && form.memoryBits === 0)
          return `${bits === 16 ? 'word' : 'dword'} ${value}`;
        return mnemonic !== 'enter' && r.chance(12) && bits > 8 && !value.includes('L')
          ? `strict ${bits === 16 ? 'word' : 'dword'} ${value}`
          : value;
      }
    }
  }
}
