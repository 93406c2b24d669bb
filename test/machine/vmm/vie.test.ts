import { describe, expect, it } from 'vitest';
import { Request } from '../../../src/machine/cpu/processor.ts';
import { ExitCode } from '../../../src/machine/ledger/exitcode.ts';
import { VIE_2020, VIE_NOW } from '../../../src/machine/profiles/vie-opcodes.ts';
import { Decoded, VieInstruction, VieTable } from '../../../src/machine/vmm/vie-decode.ts';
import { ExitInfoResult, Vie, VIES } from '../../../src/machine/vmm/vie.ts';
import { Errno, INOUT, VmEntry, VmExit } from '../../../src/machine/vmm/vmexit.ts';
import { FakeProcessor } from './fake-processor.ts';

const then = new VieTable(VIE_2020);
const now = new VieTable(VIE_NOW);
const decode = (table: VieTable, hex: string, code32 = true): { verdict: number; name: string; instruction: VieInstruction } => {
  const bytes = Uint8Array.from(hex.split(' ').map((b) => Number.parseInt(b, 16)));
  const instruction = new VieInstruction();
  const verdict = instruction.decode(table, bytes, bytes.length, code32);
  return { verdict, name: instruction.name, instruction };
};

describe('what the instruction emulator decodes', () => {
  it.each([
    ['89 05 00 03 E0 FE', 'mov [m], eax'],
    ['C7 05 00 03 E0 FE 00 45 0C 00', 'mov dword [m], imm32'],
    ['A3 00 03 E0 FE', 'mov [moffs], eax'],
    ['F3 A5', 'rep movsd'],
    ['AB', 'stosd'],
    ['81 0D F0 00 E0 FE 00 01 00 00', 'or dword [m], imm32'],
    ['83 3D 30 00 E0 FE 00', 'cmp dword [m], imm8'],
    ['0F B6 05 30 00 E0 FE', 'movzx eax, byte [m]'],
    ['0F BA 25 30 00 E0 FE 08', 'bt dword [m], 8'],
    ['64 66 8B 40 10', 'mov ax, fs:[eax+10h]'],
  ])('%s (%s), in 2020 as today', (bytes) => {
    expect(decode(then, bytes).verdict).toBe(Decoded.supported);
    expect(decode(now, bytes).verdict).toBe(Decoded.supported);
  });
  it.each([
    ['F6 05 30 00 E0 FE 01', 'test byte [m], imm8'],
    ['0F AF 05 30 00 E0 FE', 'imul eax, [m]'],
  ])('%s (%s): today, not in 2020', (bytes) => {
    expect(decode(then, bytes).verdict).toBe(Decoded.unsupported);
    expect(decode(now, bytes).verdict).toBe(Decoded.supported);
  });
  it.each([
    ['87 05 80 00 E0 FE', '87'], // xchg [m], eax
    ['09 05 F0 00 E0 FE', '09'], // or [m], eax
    ['01 05 F0 00 E0 FE', '01'],
    ['FE 05 F0 00 E0 FE', 'FE'],
    ['0F C1 05 F0 00 E0 FE', '0F C1'],
    ['F0 81 0D F0 00 E0 FE 01 00 00 00', 'F0'], // LOCK is no prefix to it
    ['A0 00 03 E0 FE', 'A0'],
    ['AC', 'AC'],
  ])('not %s: opcode %s is in no table, which is INST_EMUL', (bytes, name) => {
    expect(decode(now, bytes)).toMatchObject({ verdict: Decoded.unsupported, name });
  });
  it.each([
    ['83 05 80 00 E0 FE 01', '83 /0'], // add dword [m], 1
    ['FF 05 80 00 E0 FE', 'FF /0'], // inc dword [m]
    ['F7 1D 80 00 E0 FE', 'F7 /3'], // neg dword [m]
    ['81 35 80 00 E0 FE 01 00 00 00', '81 /6'], // xor
  ])('%s has a table entry whose handler refuses %s: VM_RUN fails with EINVAL', (bytes, name) => {
    for (const table of [then, now]) expect(decode(table, bytes)).toMatchObject({ verdict: Decoded.wrongDigit, name });
  });
  it('an instruction whose bytes are cut short is not decoded', () => {
    expect(decode(now, '89 05 00 03').verdict).toBe(Decoded.unsupported);
    expect(decode(now, '89').verdict).toBe(Decoded.unsupported);
    expect(decode(now, '66 66').verdict).toBe(Decoded.unsupported);
  });
});

describe('the linear address of the operand', () => {
  // EAX ECX EDX EBX ESP EBP ESI EDI; ES CS SS DS FS GS
  const registers = [0x10, 3, 0xffffffff, 0x12345, 0x8000, 0x9000, 0x0fff, 2];
  const bases = [0, 0, 0x20000, 0x1000, 0x300000, 0];
  const processor = Object.assign(new FakeProcessor(1, { boot: [] }), {
    general: (n: number) => registers[n] as number,
    segmentBase: (k: number) => bases[k] as number,
  });
  it.each([
    ['8B 05 00 00 E0 FE', true, 0xfee01000], // [disp32]
    ['8B 00', true, 0x1010], // [eax]
    ['8B 40 F0', true, 0x1000], // [eax-10h]
    ['8B 44 8B 04', true, 0x1000 + 0x12345 + 12 + 4], // [ebx+ecx*4+4]
    ['8B 04 24', true, 0x28000], // [esp]: SS
    ['8B 45 08', true, 0x29008], // [ebp+8]: SS
    ['64 8B 00', true, 0x300010], // fs:[eax]
    ['8B 02', true, 0xfff], // [edx]: wraps at 4 GiB
    ['8B 04 8D 00 00 00 01', true, 0x1000 + 12 + 0x1000000], // [ecx*4+disp32]
    ['A1 34 12 00 00', true, 0x2234],
    ['8B 00', false, 0x1000 + ((0x12345 + 0xfff) & 0xffff)], // [bx+si], of which 16 bits count
    ['8B 46 02', false, 0x29002], // [bp+2]: SS
    ['8B 0E 34 12', false, 0x2234], // [disp16]
    ['67 8B 00', false, 0x1010],
    ['67 8B 0F', true, 0x1000 + 0x2345], // 16-bit addressing in 32-bit code: [bx]
  ])('of %s (32-bit code: %s)', (bytes, code32, linear) => {
    expect(decode(now, bytes, code32).instruction.linear(processor)).toBe(linear);
  });
  it('is not checked for MOVS and STOS', () => {
    expect(decode(now, 'A5').instruction.checksLinear).toBe(false);
    expect(decode(now, '89 00').instruction.checksLinear).toBe(true);
  });
});

describe('request states', () => {
  const pendingRead = (): Vie => {
    const vie = new Vie();
    vie.initMmio();
    vie.mmioPending(true, 0xd0000000, 4, 0, 0);
    return vie;
  };
  const answer = (over: Partial<VmEntry> = {}): VmEntry =>
    Object.assign(new VmEntry(), { gpa: 0xd0000000, bytes: 4, read: true, data: 0x1234 }, over);

  it('a pending read leaves as MMIO with address and size', () => {
    const exit = new VmExit();
    const vie = pendingRead();
    expect(vie.pending).toBe(true);
    expect(vie.exitInfo(exit)).toBe(ExitInfoResult.ok);
    expect(exit).toMatchObject({ code: ExitCode.MMIO, gpa: 0xd0000000, bytes: 4, read: true });
  });
  it('a fitting answer makes it DONE, with the data', () => {
    const vie = pendingRead();
    expect(vie.fulfillMmio(answer())).toBe(0);
    expect(vie.mmioRead).toMatchObject({ state: Request.DONE, data: 0x1234 });
    expect(vie.pending).toBe(false);
    expect(vie.status & VIES.PENDING_MMIO).toBe(0);
  });
  it.each([
    ['another address', { gpa: 0xd0000004 }],
    ['another size', { bytes: 2 }],
    ['a write', { read: false }],
  ])('an answer to %s is EINVAL', (_what, over) => {
    expect(pendingRead().fulfillMmio(answer(over))).toBe(Errno.EINVAL);
  });
  it('an answer is EINVAL when nothing waits, or when it comes twice', () => {
    expect(new Vie().fulfillMmio(answer())).toBe(Errno.EINVAL);
    const vie = pendingRead();
    vie.fulfillMmio(answer());
    expect(vie.fulfillMmio(answer())).toBe(Errno.EINVAL);
  });
  it('a port answer must name the same port, size and direction', () => {
    const entry = (over: Partial<VmEntry> = {}): VmEntry =>
      Object.assign(new VmEntry(), { port: 0x60, bytes: 1, flags: INOUT.IN, eax: 0x55 }, over);
    const pending = (): Vie => {
      const vie = new Vie();
      vie.initInout(0x60, 1, INOUT.IN | INOUT.STR | INOUT.REP, 0);
      vie.inoutPending();
      return vie;
    };
    const exit = new VmExit();
    expect(pending().exitInfo(exit)).toBe(ExitInfoResult.ok);
    expect(exit, 'userspace does not see STR and REP').toMatchObject({ code: ExitCode.INOUT, port: 0x60, flags: INOUT.IN });
    const vie = pending();
    expect(vie.fulfillInout(entry())).toBe(0);
    expect(vie.inout).toMatchObject({ state: Request.DONE, eax: 0x55 });
    for (const over of [{ port: 0x61 }, { bytes: 2 }, { flags: 0 }]) expect(pending().fulfillInout(entry(over))).toBe(Errno.EINVAL);
    expect(vie.fulfillInout(entry())).toBe(Errno.EINVAL);
  });
  it('an MMIO emulation without a pending request has nothing to say: bad pending MMIO state', () => {
    const vie = new Vie();
    vie.initMmio();
    expect(vie.exitInfo(new VmExit())).toBe(ExitInfoResult.badPendingMmio);
  });
  it('the fallback of 13253 goes before: INST_EMUL with the bytes', () => {
    const vie = new Vie();
    const exit = new VmExit();
    vie.initMmio();
    vie.bytes.set([0xc7, 0x05]);
    vie.valid = 2;
    vie.userFallback();
    expect(vie.pending).toBe(true);
    expect(vie.exitInfo(exit)).toBe(ExitInfoResult.ok);
    expect(exit).toMatchObject({ code: ExitCode.INST_EMUL, valid: 2 });
    expect([...exit.instruction.subarray(0, 3)]).toEqual([0xc7, 0x05, 0]);
  });
});
