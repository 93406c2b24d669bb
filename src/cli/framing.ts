/** Messages of the debug adapter protocol on a byte stream: JSON with the header Content-Length (DAP, "Base protocol"). */

/** What came is no DAP: one sentence. */
export class FramingError extends Error {
  override readonly name = 'FramingError';
}

/** Longer headers and messages are nobody's: a stream that claims so is no DAP. */
const HEADER_MAX = 4096;
const MESSAGE_MAX = 64 * 1024 * 1024;

const END_OF_HEADER = '\r\n\r\n';

/** A message as it goes on the wire. */
export function frame(message: object): Buffer {
  const json = Buffer.from(JSON.stringify(message));
  return Buffer.concat([Buffer.from(`Content-Length: ${json.length}${END_OF_HEADER}`), json]);
}

/** The first characters of what came, for a sentence. */
const beginning = (bytes: Buffer): string => JSON.stringify(bytes.toString('utf8', 0, 60));

/** Takes messages out of a stream as its pieces arrive. */
export class Unframer {
  private chunks: Buffer[] = [];
  /** Bytes in `chunks`. */
  private length = 0;
  /** Bytes of the message whose header has been read. */
  private expected: number | undefined;

  /** The messages that are complete now. Throws a FramingError; what comes after that has no meaning. */
  push(chunk: Buffer): object[] {
    this.chunks.push(chunk);
    this.length += chunk.length;
    const messages: object[] = [];
    for (;;) {
      if (this.expected === undefined) {
        const bytes = this.gathered();
        const end = bytes.indexOf(END_OF_HEADER);
        if (end < 0) {
          if (bytes.length > HEADER_MAX) throw new FramingError(`The input is no DAP: it begins with ${beginning(bytes)}.`);
          return messages;
        }
        this.expected = contentLength(bytes.subarray(0, end));
        this.drop(bytes, end + END_OF_HEADER.length);
      }
      if (this.length < this.expected) return messages;
      const bytes = this.gathered();
      messages.push(parsed(bytes.subarray(0, this.expected)));
      this.drop(bytes, this.expected);
      this.expected = undefined;
    }
  }

  /** All bytes in one piece. */
  private gathered(): Buffer {
    const bytes = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks);
    this.chunks = [bytes];
    return bytes;
  }
  private drop(bytes: Buffer, count: number): void {
    this.chunks = [bytes.subarray(count)];
    this.length = bytes.length - count;
  }
}

function contentLength(header: Buffer): number {
  const length = /^content-length:[ \t]*([0-9]{1,9})[ \t]*$/im.exec(header.toString('latin1'))?.[1];
  if (length === undefined) throw new FramingError(`The input is no DAP: ${beginning(header)} is no header Content-Length: N.`);
  if (Number(length) > MESSAGE_MAX) throw new FramingError(`A message of ${length} bytes is too long; ${MESSAGE_MAX} is the limit.`);
  return Number(length);
}

function parsed(bytes: Buffer): object {
  let message: unknown;
  try {
    message = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new FramingError(`The input is no DAP: ${beginning(bytes)} is no JSON.`);
  }
  if (typeof message !== 'object' || message === null) throw new FramingError(`The input is no DAP: ${beginning(bytes)} is no message.`);
  return message;
}
