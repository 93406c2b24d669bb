/**
 * The bytes of a source file as text, such that none is lost. What is valid UTF-8 becomes the characters it stands for. Any other byte (a source in
 * Latin-1, say) becomes one unpaired low surrogate, U+DC80 to U+DCFF, which valid UTF-8 never gives: in a string it is that byte again.
 */

const RAW_BASE = 0xdc00;

/** The byte for which a code point of a decoded source stands, or undefined when it is a character. */
export const rawByte = (point: number): number | undefined => (point >= 0xdc80 && point <= 0xdcff ? point - RAW_BASE : undefined);

/** Length of the well-formed UTF-8 sequence at `i`, 1 to 4 bytes, or 0 (RFC 3629, "Syntax of UTF-8 Byte Sequences"). */
function sequenceLength(bytes: Uint8Array, i: number): number {
  const lead = bytes[i] as number;
  if (lead < 0x80) return 1;
  const length = lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
  if (length === 0 || i + length > bytes.length) return 0;
  const second = bytes[i + 1] as number;
  // Neither longer than needed, nor a surrogate, nor above U+10FFFF.
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let k = 2; k < length; k++) if (((bytes[i + k] as number) & 0xc0) !== 0x80) return 0;
  return length;
}

function pointAt(bytes: Uint8Array, i: number, length: number): number {
  if (length === 1) return bytes[i] as number;
  let point = (bytes[i] as number) & (0x7f >> length);
  for (let k = 1; k < length; k++) point = (point << 6) | ((bytes[i + k] as number) & 0x3f);
  return point;
}

/** The text of a source file. Takes any bytes. */
export function decodeSource(bytes: Uint8Array): string {
  let text = '';
  let units: number[] = [];
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    const point = length === 0 ? RAW_BASE + (bytes[i] as number) : pointAt(bytes, i, length);
    if (point >= 0x10000) units.push(0xd800 + ((point - 0x10000) >> 10), RAW_BASE + ((point - 0x10000) & 0x3ff));
    else units.push(point);
    i += Math.max(length, 1);
    if (units.length < 8192) continue;
    text += String.fromCharCode(...units);
    units = [];
  }
  return text + String.fromCharCode(...units);
}
