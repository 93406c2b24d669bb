import { describe, expect, it } from 'vitest';
import { bhyveMemoryMap, E820Type, encodeE820, pcMemoryMap } from '../../../src/machine/boot/e820.ts';
import { pcCmos, pcFwCfg } from '../../../src/machine/boot/pcfirmware.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

describe('memory map', () => {
  it('RAM above 3 GiB continues at 4 GiB', () => {
    expect(pcMemoryMap(128 * MIB)).toEqual([{ base: 0, length: 128 * MIB, type: E820Type.ram }]);
    expect(pcMemoryMap(5 * GIB)).toEqual([
      { base: 0, length: 3 * GIB, type: E820Type.ram },
      { base: 4 * GIB, length: 2 * GIB, type: E820Type.ram },
    ]);
  });
  it("bhyve's reserves A0000-FFFFF", () => {
    expect(bhyveMemoryMap(128 * MIB).map(({ base, length, type }) => [base, base + length, type])).toEqual([
      [0, 0xa0000, 1],
      [0xa0000, 0xc0000, 2],
      [0xc0000, 0x100000, 2],
      [0x100000, 128 * MIB, 1],
    ]);
  });
  it('is encoded as 20 bytes an entry, little-endian', () => {
    const bytes = encodeE820([{ base: 4 * GIB, length: 0x12345678, type: E820Type.reserved }]);
    expect([...bytes]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0, 2, 0, 0, 0]);
  });
});

describe('what a pc tells its firmware', () => {
  it('counts CPUs in items 5 and Fh, and in CMOS 5Fh the others', () => {
    const config = { cpus: 16, memoryBytes: 128 * MIB };
    const { items } = pcFwCfg(config);
    expect([[...(items.get(5) ?? [])], [...(items.get(0x0f) ?? [])], pcCmos(config).get(0x5f)]).toEqual([[16, 0], [16, 0], 15]);
  });
  it('offers the memory map as etc/e820', () => {
    const file = pcFwCfg({ cpus: 1, memoryBytes: 128 * MIB }).files.find(({ name }) => name === 'etc/e820');
    expect(file?.bytes).toEqual(encodeE820(pcMemoryMap(128 * MIB)));
  });
  // The first two as read from QEMU's pc (-m 128, -m 4); QEMU splits 5 GiB at 3 GiB only in its newer machine types.
  it.each([
    [
      '128 MiB',
      128 * MIB,
      { 0x15: 0x80, 0x16: 0x02, 0x17: 0xff, 0x18: 0xff, 0x30: 0xff, 0x31: 0xff, 0x34: 0x00, 0x35: 0x07, 0x5b: 0, 0x5c: 0, 0x5d: 0 },
    ],
    [
      '4 MiB',
      4 * MIB,
      { 0x15: 0x80, 0x16: 0x02, 0x17: 0x00, 0x18: 0x0c, 0x30: 0x00, 0x31: 0x0c, 0x34: 0x00, 0x35: 0x00, 0x5b: 0, 0x5c: 0, 0x5d: 0 },
    ],
    [
      '5 GiB',
      5 * GIB,
      { 0x15: 0x80, 0x16: 0x02, 0x17: 0xff, 0x18: 0xff, 0x30: 0xff, 0x31: 0xff, 0x34: 0x00, 0x35: 0xbf, 0x5b: 0x00, 0x5c: 0x80, 0x5d: 0 },
    ],
  ] as const)('the CMOS of a pc with %s holds its sizes', (_name, memoryBytes, expected) => {
    const cmos = pcCmos({ cpus: 1, memoryBytes });
    for (const [index, value] of Object.entries(expected)) expect([index, cmos.get(Number(index))]).toEqual([index, value]);
  });
});
