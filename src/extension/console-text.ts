/** Bytes of a firmware's console as text for a terminal. Pure. */

/** 80h to FFh of code page 437: what a PC shows for bytes that are no UTF-8. */
const HIGH =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00A0';

const CR = 0x0d;
const LF = 0x0a;

/** How many bytes follow a first byte of UTF-8, and the bits that it has itself; undefined for a byte that is no first byte. */
function lead(byte: number): { readonly more: number; readonly bits: number; readonly least: number } | undefined {
  if (byte >= 0xc2 && byte <= 0xdf) return { more: 1, bits: byte & 0x1f, least: 0x80 };
  if (byte >= 0xe0 && byte <= 0xef) return { more: 2, bits: byte & 0x0f, least: 0x800 };
  if (byte >= 0xf0 && byte <= 0xf4) return { more: 3, bits: byte & 0x07, least: 0x10000 };
  return undefined;
}

/**
 * Takes the bytes as they come: UTF-8 where they are that, code page 437 where not. A character that is cut by the end of a piece waits for the next.
 * A line feed alone begins a new line, as firmware means it. NUL is dropped; every other control reaches the terminal.
 */
export class ConsoleText {
  #waiting: number[] = [];
  #last = 0;

  /** @returns the text of these bytes */
  push(bytes: Uint8Array): string {
    let text = '';
    const all = this.#waiting.length === 0 ? bytes : Uint8Array.from([...this.#waiting, ...bytes]);
    this.#waiting = [];
    for (let at = 0; at < all.length; ) {
      const byte = all[at] as number;
      if (byte < 0x80) {
        if (byte === LF && this.#last !== CR) text += '\r';
        if (byte !== 0) text += String.fromCharCode(byte);
        this.#last = byte;
        at++;
        continue;
      }
      this.#last = byte;
      const length = this.#character(all, at);
      if (length === undefined) {
        this.#waiting = [...all.subarray(at)];
        break;
      }
      text += length.text;
      at += length.bytes;
    }
    return text;
  }

  /** The rest, when no more will come. */
  end(): string {
    const text = this.#waiting.map((byte) => HIGH[byte - 0x80]).join('');
    this.#waiting = [];
    return text;
  }

  /** The character at `at`, which is no ASCII; undefined when its end is still to come. */
  #character(all: Uint8Array, at: number): { readonly text: string; readonly bytes: number } | undefined {
    const byte = all[at] as number;
    const alone = { text: HIGH[byte - 0x80] as string, bytes: 1 };
    const first = lead(byte);
    if (first === undefined) return alone;
    let point = first.bits;
    for (let i = 1; i <= first.more; i++) {
      const next = all[at + i];
      if (next === undefined) return undefined;
      if ((next & 0xc0) !== 0x80) return alone;
      point = (point << 6) | (next & 0x3f);
    }
    const possible = point >= first.least && point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
    return possible ? { text: String.fromCodePoint(point), bytes: first.more + 1 } : alone;
  }
}

/** Bytes by base64. */
export const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
