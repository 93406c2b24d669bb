/**
 * Registers of one byte each, as a facet: what every 8-bit chip of the PC has.
 *
 * A wider access is split into bytes at consecutive ports, as the ISA bus does, or handed to userspace, as bhyve's in-kernel handlers do.
 */
import { Access, type RegisterFacet } from './device.ts';

/** Byte registers by offset. `read` and `peek` give 0..255 or a negative Access code, `write` an Access code. */
export interface BytePorts {
  read(offset: number): number;
  write(offset: number, value: number): number;
  peek(offset: number): number;
}

/** What an access of more than one byte does. */
export type WideAccess = 'split' | 'toUserspace';

/** Makes a facet of `length` byte ports. Bytes beyond the last port read as FFh; writes to them are dropped. */
export function byteFacet(ports: BytePorts, length: number, wide: WideAccess): RegisterFacet {
  const gather = (offset: number, size: number, one: (offset: number) => number): number => {
    let word = 0;
    for (let i = size - 1; i >= 0; i--) {
      const byte = offset + i < length ? one(offset + i) : Access.absent;
      word = word * 256 + (byte < 0 ? 0xff : byte);
    }
    return word;
  };
  const read = (offset: number): number => ports.read(offset);
  const peek = (offset: number): number => ports.peek(offset);
  const look = (offset: number, size: number, one: (offset: number) => number): number => {
    if (size === 1) return offset < length ? one(offset) : Access.absent;
    return wide === 'toUserspace' ? Access.toUserspace : gather(offset, size, one);
  };
  return {
    read: (offset, size) => look(offset, size, read),
    peek: (offset, size) => look(offset, size, peek),
    write(offset, size, value) {
      if (size === 1) return offset < length ? ports.write(offset, value & 0xff) : Access.absent;
      if (wide === 'toUserspace') return Access.toUserspace;
      for (let i = 0; i < size && offset + i < length; i++) ports.write(offset + i, (value >>> (8 * i)) & 0xff);
      return Access.ok;
    },
  };
}
