import { describe, expect, it } from 'vitest';
import { instructionWords } from '../../src/debugger/code/instruction-words.ts';
import { codeRig } from './breakpoint-rig.ts';

describe('the instruction that a vCPU is about to execute', () => {
  it('is shown as the source has it', () => {
    const { view, program } = codeRig('start32: jmp $');
    expect(instructionWords(view, program, 0)).toBe('jmp start16');
  });
  it('is disassembled, with its address, where there is no source: by the code size of its segment', () => {
    const rig = codeRig(`start32:
        mov ax, 0x10
        mov ds, ax
        mov dword [0x8000], 0x12345668          ; push 78123456h: its last byte comes from the next store
        mov dword [0x8004], 0x90909078
        mov eax, 0x8000
        jmp eax`);
    rig.breakpoints.setInstructions([{ linear: 0x8000 }]);
    expect(rig.run().kind).toBe('breakpoint');
    expect(instructionWords(rig.view, rig.program, 0)).toBe('push 78123456h at 00008000h');
  });
  it('is an address where nothing is', () => {
    const rig = codeRig(`start32:
        mov eax, 0x7FFFFFF0
        jmp eax`);
    rig.run();
    expect(instructionWords(rig.view, rig.program, 0)).toBe('the instruction at 7FFFFFF0h');
  });
});
