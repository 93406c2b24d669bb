import { describe, expect, it } from 'vitest';
import { placeBootrom } from '../../../src/machine/boot/bootrom.ts';

const image = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => i & 0xff);

describe('boot ROM', () => {
  it('ends at FFFFFFFF', () => {
    const { base, bytes, padding } = placeBootrom(image(0x40000), 0);
    expect([base, base + bytes.length, padding]).toEqual([0xfffc0000, 0x100000000, 0]);
  });
  it('is filled up in front to whole pages, so that its end stays the reset vector', () => {
    const { base, bytes, padding } = placeBootrom(image(32), 0);
    expect([base, bytes.length, padding]).toEqual([0xfffff000, 4096, 4064]);
    expect([bytes[0], bytes[4063], bytes[4064], bytes[4095]]).toEqual([0xff, 0xff, 0, 31]);
  });
  it('shows its last 128 KiB below 1 MiB on a PC, or all of it when it is smaller', () => {
    expect(placeBootrom(image(0x40000), 0x20000).alias).toEqual({ base: 0xe0000, length: 0x20000, offset: 0x20000 });
    expect(placeBootrom(image(0x10000), 0x20000).alias).toEqual({ base: 0xf0000, length: 0x10000, offset: 0 });
    expect(placeBootrom(image(0x10000), 0).alias).toBeUndefined();
  });
  it('may be 16 MiB and not a byte more', () => {
    expect(placeBootrom(new Uint8Array(0x1000000), 0).base).toBe(0xff000000);
    expect(() => placeBootrom(new Uint8Array(0x1000010), 0)).toThrow('16777232 bytes long; at most 16777216 (16 MiB)');
  });
  it('is not empty', () => {
    expect(() => placeBootrom(new Uint8Array(0), 0)).toThrow('empty');
  });
  it('is a multiple of 16 bytes', () => {
    expect(() => placeBootrom(image(4097), 0)).toThrow('4097 bytes long; it must be a multiple of 16');
  });
});
