/** Guest-physical memory: who answers which page. */
import { describe, expect, it } from 'vitest';
import { PhysicalMemory } from '../../../src/machine/memory/physical.ts';
import { layOut } from '../../../src/machine/state/layout.ts';

const RAM = 1 << 20;
function physical(): PhysicalMemory {
  const layout = layOut(1, RAM, 0x4000);
  const p = new PhysicalMemory(new WebAssembly.Memory({ initial: layout.totalBytes >>> 16 }), layout);
  p.mapRam(0, RAM);
  return p;
}

describe('physical memory', () => {
  it('reads and writes little-endian words, across pages too', () => {
    const p = physical();
    p.write32(0xffe, 0x11223344);
    expect([p.read8(0xffe), p.read8(0xfff), p.read8(0x1000), p.read8(0x1001)]).toEqual([0x44, 0x33, 0x22, 0x11]);
    expect(p.read32(0xffe)).toBe(0x11223344);
    expect(p.read16(0xfff)).toBe(0x2233);
    p.write16(0x1fff, 0xabcd);
    expect(p.read16(0x1fff)).toBe(0xabcd);
    p.write32(0x10, -1);
    expect(p.read32(0x10)).toBe(0xffffffff);
  });
  it('where nobody answers, reads give all ones and writes are dropped', () => {
    const p = physical();
    expect([p.read8(RAM), p.read16(RAM), p.read32(RAM)]).toEqual([0xff, 0xffff, 0xffffffff]);
    p.write32(RAM, 5);
    p.write32(RAM - 2, 0x12345678);
    expect(p.read16(RAM - 2)).toBe(0x5678);
    expect(p.isBacked(RAM)).toBe(false);
    p.unmap(0x3000, 0x1000);
    expect(p.isBacked(0x3fff)).toBe(false);
    expect(p.read32(0x2ffe)).toBe(0xffff0000);
  });
  it('a ROM image is read and not written', () => {
    const p = physical();
    p.mapRom(
      0xfffff000,
      Uint8Array.from({ length: 4096 }, (_, i) => i & 0xff),
    );
    p.write8(0xfffff010, 0x99);
    expect(p.read8(0xfffff010)).toBe(0x10);
    expect(p.read32(0xfffffffc)).toBe(0xfffefdfc);
  });
  it('a ROM that does not fit is refused with both sizes', () => {
    expect(() => physical().mapRom(0xf0000, new Uint8Array(0x5000))).toThrow(/20480 bytes exceed the 16384/);
  });
  it('reads and writes of one range may go to different places', () => {
    const p = physical();
    p.mapRom(0xfffff000, new Uint8Array(4096).fill(0x5a));
    p.route(0xf0000, 0x1000, 'rom', 'ram', 0xfffff000);
    p.write8(0xf0000, 1);
    expect(p.read8(0xf0000)).toBe(0x5a);
    p.route(0xf0000, 0x1000, 'ram', 'ram', 0);
    expect(p.read8(0xf0000)).toBe(1);
    p.route(0xf0000, 0x1000, 'ram', 'rom', 0);
    p.write8(0xf0000, 7);
    expect(p.read8(0xf0000)).toBe(1);
    p.route(0xf0000, 0x1000, 'none', 'none', 0);
    expect(p.read8(0xf0000)).toBe(0xff);
  });
  it('a change of the maps is told, and only a change', () => {
    const p = physical();
    let told = 0;
    p.observer = { ...p.observer, remapped: () => told++ };
    p.route(0xf0000, 0x1000, 'ram', 'none', 0);
    expect(told).toBe(1);
    p.route(0xf0000, 0x1000, 'ram', 'none', 0);
    expect(told).toBe(1);
    p.setA20(true);
    expect(told).toBe(1);
    p.setA20(false);
    expect(told).toBe(2);
  });
  it('the first write to each page is told, before it happens', () => {
    const p = physical();
    const told: [number, number][] = [];
    p.onFirstWrite = (page) => told.push([page, p.read8(0x5000)]);
    p.trackWrites();
    p.write8(0x5000, 3);
    p.write8(0x5001, 3);
    p.write32(0x6ffe, 1);
    expect(told).toEqual([
      [5, 0],
      [6, 3],
      [7, 3],
    ]);
  });
});
