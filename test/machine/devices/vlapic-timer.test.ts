/** The local APIC timer; SDM "APIC Timer", rules timer.*. */
import { describe, expect, it } from 'vitest';
import { illumos } from '../../../src/machine/profiles/illumos.ts';
import { illumos202010 } from '../../../src/machine/profiles/illumos-2020-10.ts';
import { PROFILES } from '../../../src/machine/profiles/index.ts';
import type { Profile } from '../../../src/machine/profiles/profile.ts';
import { Rig } from './vlapic-rig.ts';

const LVT = 0x320;
const TICR = 0x380;
const TCCR = 0x390;
const TDCR = 0x3e0;
const HZ = 134_217_728n;

/** A local APIC with its timer LVT set to vector 55h and the given mode bits. */
function armed(profile: Profile, lvt = 0x55, divide = 0xb): Rig {
  const rig = new Rig(profile, 1).enableAll();
  rig.w(0, LVT, lvt);
  rig.w(0, TDCR, divide);
  return rig;
}

describe.each(PROFILES.map((p) => [p.name, p] as const))('APIC timer, %s', (_, profile) => {
  it.each([
    [0x0, 2],
    [0x1, 4],
    [0x2, 8],
    [0x3, 16],
    [0x8, 32],
    [0x9, 64],
    [0xa, 128],
    [0xb, 1],
    [0x4, 2],
    [0xf, 1],
  ] as const)('divide configuration %i divides 134,217,728 Hz by %i', (code, divisor) => {
    const rig = armed(profile, 0x55, code);
    rig.w(0, TICR, 0xffffffff);
    rig.pass(10_000_000);
    const ticks = Number((10_000_000n * HZ) / (BigInt(divisor) * 1_000_000_000n));
    expect(Math.abs(0xffffffff - rig.r(0, TCCR) - ticks)).toBeLessThanOrEqual(1);
  });
  it('one period is exactly the initial count, to the ns', () => {
    let seed = 0x1234567;
    for (let i = 0; i < 500; i++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      const shift = seed & 7;
      const count = seed >>> (seed % 29) || 1;
      const divide = [0xb, 0, 1, 2, 3, 8, 9, 0xa][shift] as number;
      const rig = armed(profile, 0x55, divide);
      rig.w(0, TICR, count);
      const exact = (BigInt(count) * (1n << BigInt(shift)) * 1_000_000_000n) / HZ;
      expect(BigInt(rig.clock.nextDueNs), `seed 1234567h, round ${i}`).toBe(exact);
      const back = Number(exact) - Math.floor(Number(exact) / 3);
      rig.pass(Number(exact) - back);
      const left = (BigInt(back) * HZ) / (1_000_000_000n << BigInt(shift));
      expect(BigInt(rig.r(0, TCCR)), `seed 1234567h, round ${i}`).toBe(left);
    }
  });
  it('one-shot: fires once, then the current count stays 0', () => {
    const rig = armed(profile);
    rig.w(0, TICR, 134_218);
    rig.pass(999_000);
    expect(rig.drain(0)).toEqual([]);
    rig.pass(2_000);
    expect(rig.drain(0)).toEqual([0x55]);
    expect(rig.r(0, TCCR)).toBe(0);
    expect(rig.r(0, TICR)).toBe(134_218);
    rig.pass(100_000_000);
    expect(rig.drain(0)).toEqual([]);
  });
  it('periodic: fires every initial count', () => {
    const rig = armed(profile, 0x20055);
    rig.w(0, TICR, 134_218);
    let fired = 0;
    for (let i = 0; i < 100; i++) {
      rig.pass(1_000_003);
      fired += rig.drain(0).length;
    }
    expect(fired).toBe(100);
  });
  it('ticks that nobody took are one', () => {
    const rig = armed(profile, 0x20055);
    rig.w(0, TICR, 1000);
    rig.pass(1_000_000);
    expect(rig.drain(0)).toEqual([0x55]);
  });
  it('an expiry more than a period late counts its periods from now', () => {
    const rig = armed(profile, 0x20055);
    rig.w(0, TICR, 134_218);
    rig.clock.skipTo(5_500_000);
    rig.clock.ring();
    expect(rig.drain(0)).toEqual([0x55]);
    expect(rig.clock.nextDueNs).toBe(5_500_000 + 1_000_002);
  });
  it('an initial count of 0 stops it', () => {
    const rig = armed(profile);
    rig.w(0, TICR, 1000);
    rig.w(0, TICR, 0);
    expect(rig.clock.nextDueNs).toBe(Number.POSITIVE_INFINITY);
    expect(rig.r(0, TCCR)).toBe(0);
  });
  it('the mode is decided at expiry', () => {
    const rig = armed(profile);
    rig.w(0, TICR, 134_218);
    rig.pass(500_000);
    rig.w(0, LVT, 0x20055);
    rig.pass(501_000);
    expect(rig.drain(0)).toEqual([0x55]);
    rig.pass(1_001_000);
    expect(rig.drain(0)).toEqual([0x55]);
  });
  it('masked it counts but does not interrupt, and unmasking after expiry brings nothing late', () => {
    const rig = armed(profile, 0x10055);
    rig.w(0, TICR, 134_218);
    rig.pass(500_000);
    expect(rig.r(0, TCCR)).toBeGreaterThan(60_000);
    rig.pass(600_000);
    rig.w(0, LVT, 0x55);
    expect(rig.drain(0)).toEqual([]);
  });
  it('software disable loses a one-shot; a periodic timer restarts a whole period at enable', () => {
    const rig = armed(profile, 0x55);
    rig.w(0, TICR, 134_218);
    rig.w(0, 0xf0, 0xff);
    expect(rig.r(0, TCCR)).toBe(0);
    rig.w(0, 0xf0, 0x1ff);
    expect(rig.clock.nextDueNs).toBe(Number.POSITIVE_INFINITY);
    rig.w(0, LVT, 0x20055);
    rig.w(0, TICR, 134_218);
    rig.pass(900_000);
    rig.w(0, 0xf0, 0xff);
    rig.pass(900_000);
    rig.w(0, 0xf0, 0x1ff);
    expect(rig.clock.nextDueNs).toBe(rig.clock.nowNs + 1_000_002);
  });
  it('a vector below 16 raises ESR bit 5 instead', () => {
    const rig = armed(profile, 0x05);
    rig.w(0, TICR, 1);
    rig.pass(100);
    rig.w(0, 0x280, 0);
    expect(rig.r(0, 0x280)).toBe(0x20);
    expect(rig.drain(0)).toEqual([]);
  });
  it('a write of the divide register moves no expiry that is under way, but the next period', () => {
    const rig = armed(profile, 0x20055);
    rig.w(0, TICR, 134_218);
    rig.pass(1);
    rig.w(0, TDCR, 0);
    expect(rig.clock.nextDueNs).toBe(1_000_002);
    rig.pass(1_000_001);
    expect(rig.clock.nextDueNs).toBe(1_000_002 + 2_000_004);
  });
});

describe('the current count after a write of a smaller divisor', () => {
  const count = (profile: Profile): number => {
    const rig = armed(profile, 0x55, 0xa);
    rig.w(0, TICR, 10_000_000);
    rig.w(0, TDCR, 0xb);
    return rig.r(0, TCCR);
  };
  it('is clamped to the initial count today', () => expect(count(illumos)).toBe(10_000_000));
  it('exceeds it before', () => expect(Math.abs(count(illumos202010) - 1_280_000_000)).toBeLessThan(2));
});
