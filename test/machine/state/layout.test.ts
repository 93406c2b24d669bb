/** Where things lie in linear memory. */
import { describe, expect, it } from 'vitest';
import {
  homeOf,
  layOut,
  Rec,
  SEGMENT_COUNT,
  State,
  TLB_SETS,
  TLB_SIZE,
  tablesOf,
  RANGE_SIZE,
  FAST_SIZE,
  JUMP_SIZE,
} from '../../../src/machine/state/layout.ts';

describe('the layout', () => {
  const cases = [
    [1, 1 << 20, 0x1000],
    [2, 16 << 20, 0x40000],
    [32, 128 << 20, 0x100000],
    [1, 0xc0000000, 0x100000],
  ] as const;
  it.each(cases)('%i vCPUs, %i bytes of RAM: no two areas overlap and all are in order', (vcpus, ramBytes, romBytes) => {
    const l = layOut(vcpus, ramBytes, romBytes);
    const areas: [string, number, number][] = [['window', 0, State.size]];
    for (let v = 0; v < vcpus; v++) areas.push([`home ${v}`, homeOf(l, v), State.size]);
    for (let v = 0; v < vcpus; v++) {
      const t = tablesOf(l, v);
      for (const [name, at] of Object.entries(t))
        areas.push([
          `${name} ${v}`,
          at,
          name === 'jump' ? JUMP_SIZE : name === 'tlb' ? TLB_SIZE : name === 'replace' ? TLB_SETS * 4 : FAST_SIZE,
        ]);
    }
    areas.push(
      ['records', l.records, l.recordsEnd - l.records],
      ['code bitmap', l.codeBitmap, (ramBytes + romBytes) / 512],
      ['RAM', l.ram, ramBytes],
      ['ROM', l.rom, romBytes],
    );
    let end = 0;
    for (const [name, at, size] of areas) {
      expect(at, `${name} begins behind what comes before it`).toBeGreaterThanOrEqual(end);
      end = at + size;
    }
    expect(l.totalBytes).toBeGreaterThanOrEqual(end);
    expect(l.totalBytes % 0x10000).toBe(0);
    expect(l.totalBytes).toBeLessThanOrEqual(2 ** 32);
  });
  it('RAM begins at a multiple of 4096, so that pages of the guest are pages of the host', () => {
    for (const [vcpus, ram, rom] of cases) expect([layOut(vcpus, ram, rom).ram % 4096, layOut(vcpus, ram, rom).rom % 4096]).toEqual([0, 0]);
  });
});

describe('the window', () => {
  it('has no two fields in one place', () => {
    const wide: Record<string, number> = {
      registers: 32 * 8,
      scratch: 32,
      segments: 8 * 8,
      ranges: SEGMENT_COUNT * RANGE_SIZE,
      debug: 32,
      msrs: 8 * 4,
      zero: 8,
      sign: 8,
      cross: 8,
      context: 8,
    };
    const slots = new Set(['zeroSlot', 'pageSlot', 'baseSlot', 'selectorSlot', 'controlSlot', 'systemSlot', 'size']);
    let end = 0;
    for (const [name, at] of Object.entries(State)
      .filter(([n]) => !slots.has(n))
      .sort((a, b) => a[1] - b[1])) {
      expect(at, `${name} begins behind what comes before it`).toBeGreaterThanOrEqual(end);
      end = at + (wide[name] ?? 4);
    }
    expect(end).toBeLessThanOrEqual(State.size);
  });
  it('has its slots within what one byte can name', () => {
    for (const slot of [
      State.zeroSlot,
      State.pageSlot,
      State.baseSlot + 5 * 8,
      State.selectorSlot + 5 * 4,
      State.controlSlot + 24,
      State.systemSlot,
    ])
      expect(slot).toBeLessThan(256);
    expect(State.baseSlot + SEGMENT_COUNT * 8).toBeLessThanOrEqual(State.selectorSlot);
    expect(State.selectorSlot + SEGMENT_COUNT * 4).toBeLessThanOrEqual(State.controlSlot);
    expect(State.controlSlot + 4 * 8).toBeLessThanOrEqual(State.systemSlot);
  });
});

it('the fields of a record fill its 32 bytes without overlap', () => {
  const sizes: Record<string, number> = {
    handler: 2,
    form: 2,
    operand: 3,
    length: 1,
    base: 1,
    index: 1,
    scale: 1,
    segment: 1,
    disp: 4,
    immediate: 8,
    link: 4,
    offset: 2,
    count: 1,
    entry: 1,
  };
  let end = 0;
  for (const [name, at] of Object.entries(Rec)
    .filter(([n]) => n !== 'size')
    .sort((a, b) => a[1] - b[1])) {
    expect(at, name).toBe(end);
    end = at + (sizes[name] ?? 0);
  }
  expect(end).toBe(Rec.size);
});
