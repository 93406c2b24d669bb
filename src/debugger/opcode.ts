/** The opcode of an instruction as the VMM's emulator sees it: what it is asked to emulate, and whether it can. */
import { hex } from '../machine/base/bits.ts';
import type { Profile, VieOpcode } from '../machine/profiles/profile.ts';

const PREFIXES: readonly number[] = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
/** Operations whose ModRM reg field is a part of the opcode. */
const DIGITS: readonly VieOpcode['operation'][] = ['movImm', 'group1', 'pop', 'push', 'test', 'clflush', 'bt'];

/** `C7 /0  mov m32, imm32`, `87  not emulated`; '' when no byte was recorded. `size`: bytes accessed, or 0 where nothing was. */
export function opcodeWords(bytes: Uint8Array, profile: Profile, size = 0): string {
  let at = 0;
  while (at < bytes.length && PREFIXES.includes(bytes[at] as number)) at++;
  let opcode = bytes[at];
  if (opcode === undefined) return '';
  const map = opcode === 0x0f ? '0F' : 'one';
  if (map === '0F') opcode = bytes[++at];
  if (opcode === undefined) return '0F';
  const shown = `${map === '0F' ? '0F ' : ''}${hex(opcode, 2)}`;
  const known = profile.vie.find((o) => o.map === map && o.opcode === opcode);
  if (known === undefined) return `${shown}  not emulated`;
  const bits = size === 0 ? '' : String(8 * size);
  const mnemonic = known.mnemonic.replace(/\b(m|r|imm)(?=,|$)/g, `$1${bits}`);
  const modrm = bytes[at + 1];
  if (!DIGITS.includes(known.operation) || modrm === undefined) return `${shown}  ${mnemonic}`;
  const digit = (modrm >> 3) & 7;
  const allowed = known.digits === undefined || known.digits.includes(digit);
  return `${shown} /${digit}  ${allowed ? mnemonic : 'not emulated'}`;
}
