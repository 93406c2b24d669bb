import { describe, expect, it } from 'vitest';
import { FwCfg, FwCfgKey } from '../../../src/machine/devices/fwcfg.ts';

const text = (s: string): Uint8Array => Uint8Array.from(s, (c) => c.charCodeAt(0));
const swap32 = (n: number): number => new DataView(new Uint32Array([n]).buffer).getUint32(0);

function setUp(dma = true) {
  const ram = new Uint8Array(0x10000).fill(0xcc);
  const writes: number[] = [];
  const fw = new FwCfg(
    {
      dma,
      items: new Map([[FwCfgKey.NB_CPUS, Uint8Array.of(4, 0)]]),
      files: [
        { name: 'etc/e820', bytes: text('0123456789') },
        { name: 'opt/x', bytes: text('x') },
      ],
    },
    {
      read: (gpa, length) => (gpa + length <= ram.length ? ram.subarray(gpa, gpa + length) : undefined),
      write: (gpa, bytes) => {
        if (gpa + bytes.length > ram.length) return false;
        writes.push(gpa);
        ram.set(bytes, gpa);
        return true;
      },
    },
  );
  const select = (key: number): number => fw.ports.write(0, 2, key);
  const bytes = (count: number): number[] => Array.from({ length: count }, () => fw.ports.read(1, 1));
  /** Starts a DMA transfer whose FWCfgDmaAccess is at 100h; gives the control word it leaves. */
  const dmaTransfer = (control: number, length: number, address: number, at = 0x100): number => {
    const view = new DataView(ram.buffer);
    view.setUint32(0x100, control);
    view.setUint32(0x104, length);
    view.setUint32(0x108, Math.floor(address / 2 ** 32));
    view.setUint32(0x10c, address >>> 0);
    fw.dma.write(0, 4, 0);
    fw.dma.write(4, 4, swap32(at));
    return view.getUint32(0x100);
  };
  return { fw, ram, writes, select, bytes, dmaTransfer };
}

describe('fw_cfg', () => {
  it('item 0 is the signature QEMU', () => {
    const { select, bytes } = setUp();
    select(0);
    expect(bytes(4)).toEqual([...text('QEMU')]);
  });
  it('item 1 tells whether there is a DMA interface', () => {
    for (const [dma, id] of [
      [true, 3],
      [false, 1],
    ] as const) {
      const { select, bytes } = setUp(dma);
      select(1);
      expect(bytes(4)).toEqual([id, 0, 0, 0]);
    }
  });
  it('reads an item byte by byte, then zeros', () => {
    const { select, bytes } = setUp();
    select(FwCfgKey.NB_CPUS);
    expect(bytes(4)).toEqual([4, 0, 0, 0]);
  });
  it('selecting begins at the first byte again', () => {
    const { select, bytes } = setUp();
    select(FwCfgKey.NB_CPUS);
    bytes(1);
    select(FwCfgKey.NB_CPUS);
    expect(bytes(1)).toEqual([4]);
  });
  it('an item that is not there reads as zeros', () => {
    const { select, bytes } = setUp();
    select(0x3333);
    expect(bytes(3)).toEqual([0, 0, 0]);
  });
  it('item 19h is the file directory, in big-endian numbers', () => {
    const { select, bytes } = setUp();
    select(FwCfgKey.FILE_DIR);
    expect(bytes(4)).toEqual([0, 0, 0, 2]);
    const first = bytes(64);
    expect(first.slice(0, 8)).toEqual([0, 0, 0, 10, 0, 0x20, 0, 0]);
    expect(String.fromCharCode(...first.slice(8, 17))).toBe('etc/e820\0');
    expect(bytes(8)).toEqual([0, 0, 0, 1, 0, 0x21, 0, 0]);
    select(0x21);
    expect(bytes(1)).toEqual([...text('x')]);
  });
  it('the selector takes words only, the data port gives bytes only', () => {
    const { fw } = setUp();
    expect([fw.ports.write(0, 1, 0), fw.ports.write(0, 4, 0), fw.ports.read(0, 1), fw.ports.read(0, 2), fw.ports.read(1, 2)]).toEqual([
      -1, -1, -1, -1, -1,
    ]);
  });
  it('the DMA address register reads "QEMU CFG"', () => {
    const { fw } = setUp();
    const view = new DataView(new ArrayBuffer(8));
    view.setUint32(0, fw.dma.read(0, 4), true);
    view.setUint32(4, fw.dma.read(4, 4), true);
    expect(new Uint8Array(view.buffer)).toEqual(text('QEMU CFG'));
  });
  it('without DMA the address register is not there', () => {
    const { fw } = setUp(false);
    expect([fw.dma.read(0, 4), fw.dma.write(4, 4, 0)]).toEqual([-1, -1]);
  });
  it('DMA selects and reads in one transfer, and clears its control word', () => {
    const { ram, dmaTransfer } = setUp();
    expect(dmaTransfer((0x20 << 16) | 0x08 | 0x02, 4, 0x2000)).toBe(0);
    expect(ram.subarray(0x2000, 0x2005)).toEqual(Uint8Array.of(...text('0123'), 0xcc));
  });
  it('DMA reads on from where it stopped, skips, and fills with zeros past the end', () => {
    const { ram, dmaTransfer, bytes } = setUp();
    dmaTransfer((0x20 << 16) | 0x08 | 0x02, 2, 0x2000);
    expect(dmaTransfer(0x04, 3, 0)).toBe(0);
    dmaTransfer(0x02, 7, 0x2000);
    expect(ram.subarray(0x2000, 0x2007)).toEqual(Uint8Array.of(...text('56789'), 0, 0));
    expect(bytes(1)).toEqual([0]);
  });
  it('DMA writing fails with the error bit', () => {
    expect(setUp().dmaTransfer((0x20 << 16) | 0x08 | 0x10, 1, 0x2000)).toBe(1);
  });
  it('DMA to where there is no memory fails with the error bit', () => {
    const { dmaTransfer } = setUp();
    expect(dmaTransfer((0x20 << 16) | 0x08 | 0x02, 4, 0xffff_0000)).toBe(1);
    expect(dmaTransfer((0x20 << 16) | 0x08 | 0x02, 4, 2 ** 63)).toBe(1);
  });
  it('a DMA of 4 GiB fails at once and writes nothing but its control word', () => {
    const { dmaTransfer, writes } = setUp();
    expect(dmaTransfer((0x20 << 16) | 0x08 | 0x02, 0xffffffff, 0x2000)).toBe(1);
    expect(writes).toEqual([0x100]);
  });
  it('a DMA whose access structure is not in memory does nothing', () => {
    const { dmaTransfer, writes } = setUp();
    dmaTransfer(0x02, 4, 0x2000, 0xfff0_0000);
    expect(writes).toEqual([]);
  });
  it('refuses a file name that does not fit, or twice the same', () => {
    const make = (...names: string[]): FwCfg =>
      new FwCfg(
        { dma: false, items: new Map(), files: names.map((name) => ({ name, bytes: text('') })) },
        { read: () => undefined, write: () => false },
      );
    expect(() => make('a'.repeat(56))).toThrow(/1 to 55 characters/);
    expect(() => make('a', 'a')).toThrow(/two files named "a"/);
  });
  it('looking changes nothing', () => {
    const { fw, select } = setUp();
    select(0x20);
    const before = fw.save();
    expect(fw.ports.peek?.(1, 1)).toBe(0x30);
    fw.inspect();
    expect(fw.save()).toEqual(before);
  });
});
