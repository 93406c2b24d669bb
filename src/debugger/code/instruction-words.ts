/** The instruction that a vCPU is about to execute, as a reader knows it: its line of the source, else disassembled, with its address. */
import { hex } from '../../machine/base/bits.ts';
import { instructionFormatter } from '../../machine/isa/formatter.ts';
import type { Subject } from '../subject.ts';
import { LinearBytes } from './bytes.ts';
import type { Program } from './program.ts';

/** `mov dword [LAPIC+ICR_LO], 0x000C4500`, `jmp F000h:E05Bh at FFFFFFF0h`; where there is no instruction, `the instruction at FFFFFFF0h`. */
export function instructionWords(view: Subject, program: Program, vcpu: number): string {
  const { eip, csBase } = view.position(vcpu);
  const linear = (csBase + eip) >>> 0;
  const place = program.placeAt(linear);
  if (place !== undefined) return place.text.replace(/\s+/g, ' ');
  const bits = view.as(vcpu, ({ code32 }) => code32) ? 32 : 16;
  const shown = instructionFormatter().format(new LinearBytes(view, vcpu).read(linear, 15), bits, bits === 16 ? eip & 0xffff : linear);
  return shown === undefined ? `the instruction at ${hex(linear, 8)}h` : `${shown.text} at ${hex(linear, 8)}h`;
}
