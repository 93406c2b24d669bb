/** What typing a new value for something comes to: an input of the machine, or a DebuggerError that says why not. Nothing here changes anything. */
import { hex } from '../../machine/base/bits.ts';
import type { Input } from '../../machine/timeline/inputs.ts';
import { APIC_BASE_ADDRESS, Apic, APIC_PAGE_SIZE, type ApicField, type ApicRegister, apicRegisterAt } from '../../machine/x86/apic.ts';
import { IOAPIC_BASE_ADDRESS, IOAPIC_PAGE_SIZE, IoapicIndex } from '../../machine/x86/ioapic.ts';
import { ICR_DELIVERY_STATUS } from '../../machine/x86/icr.ts';
import { EFLAGS_FIELDS } from '../../machine/x86/system-registers.ts';
import { DebuggerError } from '../error.ts';
import { type Editor, fieldValueFor, numberFor, withField } from './number.ts';

/** How many bits of a processor register's value count, by its name as `Processor.register` knows it. */
export function registerBits(name: string): 8 | 16 | 32 {
  if (/^[a-d][lh]$/.test(name)) return 8;
  return /^(?:[a-d]x|[sb]p|[sd]i|[c-gs]s|es|ldtr|tr|flags|[gi]dtr\.limit)$/.test(name) ? 16 : 32;
}

const registerNow = ({ debugger: { view }, vcpu }: Editor, name: string): number => view.register(vcpu, name) ?? 0;

/** A processor register by its name, lower case; `flags` is the low half of EFLAGS. */
export function registerInput(editor: Editor, name: string, text: string): Input {
  if (name === 'cpl') throw new DebuggerError('CPL cannot be set: it is bits 1:0 of CS as it was loaded.');
  const value = numberFor(editor, text, name.toUpperCase(), registerBits(name));
  if (name !== 'flags') return { kind: 'register', vcpu: editor.vcpu, name, value };
  const eflags = ((registerNow(editor, 'eflags') & 0xffff0000) | value) >>> 0;
  return { kind: 'register', vcpu: editor.vcpu, name: 'eflags', value: eflags };
}

/** One field of a processor register. */
export function registerFieldInput(editor: Editor, name: string, field: ApicField, text: string): Input {
  const value = fieldValueFor(editor, text, name.toUpperCase(), field);
  return { kind: 'register', vcpu: editor.vcpu, name, value: withField(registerNow(editor, name), field, value) };
}

/** The bit or bits of EFLAGS of that name, in any case. */
export const flagNamed = (name: string): ApicField | undefined =>
  EFLAGS_FIELDS.find((f) => f.name !== '' && f.name.toLowerCase() === name.toLowerCase());

/** Why a local APIC register cannot be edited; undefined when it can. */
export const lapicReadOnly = (
  { debugger: { machine }, vcpu }: Pick<Editor, 'debugger' | 'vcpu'>,
  { offset }: ApicRegister,
): string | undefined => machine.vlapics[vcpu]?.whyNotPoked(offset);

/** Why a field of a local APIC register cannot be edited; undefined when it can. */
export function lapicFieldReadOnly(
  editor: Pick<Editor, 'debugger' | 'vcpu'>,
  register: ApicRegister,
  field: ApicField,
): string | undefined {
  const whole = lapicReadOnly(editor, register);
  if (whole !== undefined) return whole;
  return register.offset === Apic.ICR_LO && 1 << field.low === ICR_DELIVERY_STATUS
    ? `${field.name} of ${register.name} is read-only`
    : undefined;
}

const refuse = (why: string | undefined): void => {
  if (why !== undefined) throw new DebuggerError(`${why}.`);
};

/** A local APIC register of `editor.vcpu`: what it holds changes, and nothing is sent. */
export function lapicInput(editor: Editor, register: ApicRegister, text: string): Input {
  refuse(lapicReadOnly(editor, register));
  const value = numberFor(editor, text, register.name, 32);
  return { kind: 'lapic', vcpu: editor.vcpu, offset: register.offset, value };
}

/** One field of a local APIC register. */
export function lapicFieldInput(editor: Editor, register: ApicRegister, field: ApicField, text: string): Input {
  refuse(lapicFieldReadOnly(editor, register, field));
  const { debugger: dbg, vcpu } = editor;
  const now = dbg.view.lapic(vcpu, register.offset);
  if (now === undefined)
    throw new DebuggerError(`${register.name} of vCPU${vcpu} cannot be read, so that its other fields cannot be kept.`);
  const value = withField(now, field, fieldValueFor(editor, text, register.name, field));
  return { kind: 'lapic', vcpu, offset: register.offset, value };
}

/** The name of an I/O APIC register by its index: `REDTBL[2] low half`. */
export function ioapicName(index: number): string {
  if (index >= IoapicIndex.REDTBL) return `REDTBL[${(index - IoapicIndex.REDTBL) >> 1}] ${index & 1 ? 'high' : 'low'} half`;
  return index === IoapicIndex.ID ? 'IOAPIC ID' : index === IoapicIndex.VER ? 'IOAPIC VER' : 'IOAPIC ARB';
}

/** A register of the I/O APIC by its index. */
export function ioapicInput(editor: Editor, index: number, text: string): Input {
  if (index === IoapicIndex.VER || index === IoapicIndex.ARB) throw new DebuggerError(`${ioapicName(index)} is read-only.`);
  return { kind: 'ioapic', register: index, value: numberFor(editor, text, ioapicName(index), 32) };
}

/** One field of a register of the I/O APIC. */
export function ioapicFieldInput(editor: Editor, index: number, field: ApicField, text: string): Input {
  const name = index >= IoapicIndex.REDTBL ? `REDTBL[${(index - IoapicIndex.REDTBL) >> 1}]` : ioapicName(index);
  if (index === IoapicIndex.VER || index === IoapicIndex.ARB) throw new DebuggerError(`${name} is read-only.`);
  if (ioapicFieldReadOnly(index, field)) throw new DebuggerError(`${field.name} of ${name} is read-only.`);
  const now = editor.debugger.machine.platform.ioapic.peekRegister(index);
  return { kind: 'ioapic', register: index, value: withField(now, field, fieldValueFor(editor, text, name, field)) };
}

/** Delivery status, which lies where the ICR has it. */
export const ioapicFieldReadOnly = (index: number, { low }: ApicField): boolean =>
  index >= IoapicIndex.REDTBL && (index & 1) === 0 && 1 << low === ICR_DELIVERY_STATUS;

/** 1, 2 or 4 bytes at a linear address; a register of the local or I/O APIC where one lies there. */
export function memoryInput(editor: Editor, linear: number, size: 1 | 2 | 4, text: string): Input {
  const { debugger: dbg, vcpu } = editor;
  const at = `${hex(linear, 8)}h`;
  const value = numberFor(editor, text, `${size === 1 ? 'byte' : size === 2 ? 'word' : 'dword'} [${at}]`, 8 * size);
  const gpa = dbg.view.translate(vcpu, linear);
  if (gpa === undefined) throw new DebuggerError(`Nothing is mapped at ${at} as vCPU${vcpu} sees it.`);
  if (dbg.view.translate(vcpu, (linear + size - 1) >>> 0) !== (gpa + size - 1) >>> 0)
    throw new DebuggerError(`${size} bytes at ${at} lie in two pages that are not neighbours; set them one by one.`);
  if (gpa >= APIC_BASE_ADDRESS && gpa < APIC_BASE_ADDRESS + APIC_PAGE_SIZE) {
    const register = apicRegisterAt(gpa - APIC_BASE_ADDRESS);
    if (register === undefined || size !== 4)
      throw new DebuggerError(`${at} is no local APIC register as a whole: they are dwords at multiples of 16.`);
    refuse(lapicReadOnly(editor, register));
    return { kind: 'lapic', vcpu, offset: register.offset, value };
  }
  if (gpa >= IOAPIC_BASE_ADDRESS && gpa < IOAPIC_BASE_ADDRESS + IOAPIC_PAGE_SIZE)
    throw new DebuggerError(`${at} is the I/O APIC's; name the register, for example ioapic.redtbl[2].mask.`);
  if (!dbg.machine.memory.isBacked(gpa)) throw new DebuggerError(`There is no memory at ${at}.`);
  const bytes = Uint8Array.from({ length: size }, (_, i) => (value >>> (8 * i)) & 0xff);
  return { kind: 'memory', gpa, bytes };
}
