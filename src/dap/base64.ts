/** Bytes as text, as DAP carries them (RFC 4648, section 4). The room has no Buffer, and not every host that it runs in has atob. */
import { DebuggerError } from '../debugger/error.ts';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Map([...DIGITS].map((digit, value) => [digit.charCodeAt(0), value]));

export function toBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(i, i + 3);
    const left = bytes.length - i;
    parts.push(
      DIGITS.charAt(a >> 2),
      DIGITS.charAt(((a & 3) << 4) | (b >> 4)),
      left > 1 ? DIGITS.charAt(((b & 15) << 2) | (c >> 6)) : '=',
      left > 2 ? DIGITS.charAt(c & 63) : '=',
    );
  }
  return parts.join('');
}

/** Throws a DebuggerError for text that is no base64. Padding may be left out. */
export function fromBase64(text: string): Uint8Array {
  const digits = text.replace(/={0,2}$/, '');
  if (digits.length % 4 === 1) throw new DebuggerError(`The data is no base64: ${digits.length} digits make no whole bytes.`);
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let count = 0;
  let at = 0;
  for (let i = 0; i < digits.length; i++) {
    const value = VALUES.get(digits.charCodeAt(i));
    if (value === undefined) throw new DebuggerError(`The data is no base64: ${JSON.stringify(digits[i])} at ${i} is no digit.`);
    bits = ((bits << 6) | value) & 0xffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes[at++] = bits >> count;
    }
  }
  return bytes;
}
