/** Every integer instruction that can be decoded either has a definition in the form the engine asks for, or is known to have none. */
import { describe, expect, it } from 'vitest';
import { definitions } from '../../../src/machine/emitter/form.ts';
import { allForms } from '../../../src/machine/engine/generate.ts';
import { shapeOf } from '../../../src/machine/engine/shape.ts';
import { type Insn, InstructionDecoder } from '../../../src/machine/isa/decoder.ts';

/** Mnemonics, in their 16-bit and 32-bit forms. */
const P6 = `aaa aad aam aas adc add and arpl bound bsf bsr bswap bt btc btr bts call cbw cdq clc cld cli clts cmc cmova cmovae cmovb cmovbe cmove cmovg cmovge cmovl
  cmovle cmovne cmovno cmovnp cmovns cmovo cmovp cmovs cmp cmpsb cmpsd cmpsw cmpxchg cmpxchg8b cpuid cwd cwde daa das dec div enter hlt idiv imul in inc insb insd insw
  int int1 int3 into invd invlpg iret iretd ja jae jb jbe jcxz je jecxz jg jge jl jle jmp jne jno jnp jns jo jp js lahf lar lds lea leave les lfs lgdt lgs lidt
  lldt lmsw lodsb lodsd lodsw loop loope loopne lsl lss ltr mov movsb movsd movsw movsx movzx mul neg nop not or out outsb outsd outsw pause pop popa popad popf popfd
  push pusha pushad pushf pushfd rcl rcr rdmsr rdpmc rdtsc ret retf rol ror rsm sahf sal salc sar sbb scasb scasd scasw seta setae setb setbe sete setg setge
  setl setle setne setno setnp setns seto setp sets sgdt shl shld shr shrd sidt sldt smsw stc std sti stosb stosd stosw str sub sysenter sysexit test ud2
  wbinvd wrmsr xadd xchg xlatb xor`;

const decoder = new InstructionDecoder();
const forms = allForms();

/** ModRM bytes with their SIB and displacement: register, [base], [base+disp8], absolute; each /digit. */
const modrms = Array.from({ length: 8 }, (_, reg) => [0xc1, 0xc4, 0x00, 0x45, 0x06, 0x05].map((m) => m | (reg << 3))).flat();
/** Every opcode of the one- and two-byte maps with a variety of operands and prefixes. */
function* encodings(): Generator<Uint8Array> {
  const tail = [0x24, 0x12, 0x34, 0x56, 0x78, 0x11, 0x22, 0x33, 0x44, 0x55];
  for (const prefix of [[], [0x66], [0x67], [0x66, 0x67], [0xf3], [0xf2], [0x2e], [0xf0]])
    for (const map of [[], [0x0f]])
      for (let opcode = 0; opcode < 256; opcode++) for (const m of modrms) yield Uint8Array.from([...prefix, ...map, opcode, m, ...tail]);
}
/** Calls `visit` with each different instruction (by iced's code, prefixes and operand kinds) in 16- and 32-bit code. */
function everyInstruction(visit: (n: Insn, bits: 16 | 32, bytes: Uint8Array) => void): void {
  for (const bits of [16, 32] as const) {
    const seen = new Set<string>();
    for (const bytes of encodings())
      decoder.decode(bytes, bits, 0, (n) => {
        if (!n.valid) return false;
        const kinds = n.operands.slice(0, n.operandCount).map((o) => `${o.kind}.${o.registerClass}`);
        const key = `${n.code} ${n.rep} ${n.repne} ${n.addressSize} ${n.index >= 0} ${kinds}`;
        if (seen.has(key)) return false;
        seen.add(key);
        visit(n, bits, bytes);
        return false;
      });
  }
}

describe('shapes', () => {
  it('each names a definition that has a form for its size and kinds, flat and segmented', () => {
    const missing = new Set<string>();
    let found = 0;
    everyInstruction((n) => {
      const shape = shapeOf(n);
      if (!shape) return;
      const definition = definitions.get(shape.name);
      if (!definition) return void missing.add(`${n.code}: no definition ${shape.name}`);
      found++;
      const memory = shape.kinds.includes('m') || definition.strings;
      const addressSize = memory && n.addressSize === 16 ? 16 : 32;
      for (const stackSize of [16, 32] as const)
        for (const segmented of [true, false]) {
          if (!segmented && (addressSize === 16 || stackSize === 16)) continue;
          const stack = definition.stack ? stackSize : 32;
          for (const kinds of segmented ? [shape.kinds] : [shape.kinds, shape.kinds.replace('m', 'b')])
            if (!forms.find(definition, shape.size, kinds, { addressSize, stackSize: stack, segmented }))
              missing.add(`${n.code}: ${shape.name}.${shape.size}.${kinds} a${addressSize} s${stack}${segmented ? ' segmented' : ''}`);
        }
    });
    expect([...missing]).toEqual([]);
    expect(found).toBeGreaterThan(500);
  });
  it("of the P6's integer instructions only these have no definition, and raise #UD", () => {
    const without = new Set<string>();
    const known = new Set<string>();
    everyInstruction((n) => {
      known.add(n.mnemonic);
      if (!shapeOf(n)) without.add(n.mnemonic);
    });
    const p6 = P6.split(/\s+/).filter(Boolean);
    expect(p6.filter((m) => !known.has(m))).toEqual([]);
    // CMPSD and MOVSD are also names of SSE2; ENTER is without a definition for nesting levels.
    expect(p6.filter((m) => without.has(m))).toEqual([
      'arpl',
      'bound',
      'cmpsd',
      'enter',
      'int1',
      'into',
      'lar',
      'lsl',
      'movsd',
      'rdpmc',
      'rsm',
      'sysenter',
      'sysexit',
      'ud2',
    ]);
  });
  it('a prefix makes no TZCNT of BSF, and hints do nothing', () => {
    const shapes = (...bytes: number[]): string => {
      let name = '';
      decoder.decode(Uint8Array.from([...bytes, 0, 0, 0, 0]), 32, 0, (n) => {
        name = shapeOf(n)?.name ?? 'none';
        return false;
      });
      return name;
    };
    expect(shapes(0xf3, 0x0f, 0xbc, 0xc1)).toBe('bsf');
    expect(shapes(0xf3, 0x0f, 0xbd, 0xc1)).toBe('bsr');
    expect(shapes(0xf3, 0x0f, 0x09)).toBe('wbinvd');
    expect(shapes(0xf3, 0x0f, 0x1e, 0xfb)).toBe('nop');
    expect(shapes(0x0f, 0x18, 0x01)).toBe('nop');
    expect(shapes(0x0f, 0x1f, 0x44, 0x00)).toBe('nop');
    expect(shapes(0xf3, 0x90)).toBe('pause');
    expect(shapes(0xf3, 0xc3)).toBe('ret');
  });
});
