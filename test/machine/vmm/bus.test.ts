import { describe, expect, it } from 'vitest';
import { OverlapError } from '../../../src/machine/base/interval-map.ts';
import { Access, type RegisterFacet } from '../../../src/machine/devices/device.ts';
import { MmioBus, type MmioRange, PortBus, type PortRange } from '../../../src/machine/vmm/bus.ts';

const recorder = (): RegisterFacet & { log: string[] } => {
  const log: string[] = [];
  return {
    log,
    read: (offset, size) => {
      log.push(`r${offset}.${size}`);
      return 0x11111111 * (1 + offset / 4);
    },
    write: (offset, size, value) => {
      log.push(`w${offset}.${size}=${value.toString(16)}`);
      return Access.ok;
    },
    peek: (offset) => offset,
  };
};

describe('the port bus', () => {
  const range = (over: Partial<PortRange> = {}): PortRange => ({
    name: 'x',
    first: 0x60,
    count: 4,
    facet: recorder(),
    kernel: false,
    ...over,
  });

  it('hands a device the offset from its first port, shifted where the facet begins elsewhere, and the value cut to size', () => {
    const facet = recorder();
    const bus = new PortBus();
    const r = range({ facet, offset: 4 });
    bus.add(r);
    bus.write(r, 0x61, 1, 0xabcd);
    bus.read(r, 0x60, 2);
    expect(facet.log).toEqual(['w5.1=cd', 'r4.2']);
  });
  it('refuses two owners of one port, in the kernel or not', () => {
    const bus = new PortBus();
    bus.add(range());
    expect(() => bus.add(range({ name: 'y', first: 0x63, kernel: true }))).toThrow(OverlapError);
    expect(bus.tryAdd(range({ first: 0x5d }))).toBe(false);
    expect(bus.tryAdd(range({ first: 0xfffe })), 'beyond FFFFh').toBe(false);
    expect(bus.tryAdd(range({ first: 0x5c }))).toBe(true);
  });
  it('knows which sizes and directions userspace has a handler for', () => {
    const bus = new PortBus();
    const post = range({ sizes: 1, direction: 'in' });
    expect(bus.accepts(post, 1, false)).toBe(true);
    expect(bus.accepts(post, 1, true)).toBe(false);
    expect(bus.accepts(post, 2, false)).toBe(false);
    expect(bus.accepts(range(), 4, true)).toBe(true);
  });
  it('peeks all ones where nobody is', () => {
    expect(new PortBus().peek(0x80, 2)).toBe(0xffff);
  });
});

describe('the memory bus', () => {
  const range = (over: Partial<MmioRange> = {}): MmioRange => ({
    name: 'x',
    start: 0xfed00000,
    size: 0x1000,
    facet: recorder(),
    kernel: true,
    ...over,
  });

  it('splits eight bytes into two halves', () => {
    const facet = recorder();
    const bus = new MmioBus();
    const r = range({ facet });
    expect(bus.read(r, 0, 0xfed00008, 8)).toBe(0x33333333);
    expect(bus.high).toBe(0x44444444);
    bus.write(r, 0, 0xfed00010, 8, 1, 2);
    expect(facet.log).toEqual(['r8.4', 'r12.4', 'w16.4=1', 'w20.4=2']);
  });
  it('reads the local APIC’s 32 bits into eight, and offers it an eight-byte store whole', () => {
    const facet = recorder();
    const bus = new MmioBus();
    const r = range({ facet, wide: 'zeroExtended' });
    expect(bus.read(r, 0, 0xfed00000, 8)).toBe(0x11111111);
    expect(bus.high).toBe(0);
    bus.write(r, 0, 0xfed00000, 8, 5, 6);
    expect(facet.log).toEqual(['r0.4', 'w0.8=5']);
  });
  it('shows each vCPU its own local APIC', () => {
    const [one, two] = [recorder(), recorder()];
    const bus = new MmioBus();
    bus.read(range({ facet: [one, two] }), 1, 0xfed00020, 4);
    expect([one.log, two.log]).toEqual([[], ['r32.4']]);
  });
});
