/** Registers, access rules, priority, EOI, errors, LVTs, MSRs of the local APIC; SDM "Local APIC". Access sizes and modes: the rules mmio.*, apicbase.*. */
import { describe, expect, it } from 'vitest';
import { StateError } from '../../../src/machine/base/state.ts';
import { Access } from '../../../src/machine/devices/device.ts';
import { deliverInterrupt } from '../../../src/machine/devices/vlapic-deliver.ts';
import { heldWords } from '../../../src/machine/devices/vlapic-inspect.ts';
import { LvtIndex } from '../../../src/machine/devices/vlapic-lvt.ts';
import { MsrResult } from '../../../src/machine/devices/vlapic.ts';
import { illumos } from '../../../src/machine/profiles/illumos.ts';
import { illumos13253 } from '../../../src/machine/profiles/illumos-13253.ts';
import { illumos202010 } from '../../../src/machine/profiles/illumos-2020-10.ts';
import { PROFILES } from '../../../src/machine/profiles/index.ts';
import { Rig } from './vlapic-rig.ts';

const ALL = PROFILES.map((p) => [p.name, p] as const);
const OLD = [
  ['illumos-2020-10', illumos202010],
  ['illumos-13253', illumos13253],
] as const;

describe.each(ALL)('reset values, %s', (name, profile) => {
  const RESET: readonly (readonly [string, number, number])[] = [
    ['TPR', 0x80, 0],
    ['APR', 0x90, 0],
    ['PPR', 0xa0, 0],
    ['RRD', 0xc0, 0],
    ['LDR', 0xd0, 0],
    ['DFR', 0xe0, 0xffffffff],
    ['SVR', 0xf0, 0xff],
    ['ESR', 0x280, 0],
    ['CMCI', 0x2f0, 0x10000],
    ['ICR_LO', 0x300, 0],
    ['ICR_HI', 0x310, 0],
    ['TIMER', 0x320, 0x10000],
    ['THERMAL', 0x330, 0x10000],
    ['PERF', 0x340, 0x10000],
    ['LINT0', 0x350, 0x10000],
    ['LINT1', 0x360, 0x10000],
    ['ERROR', 0x370, 0x10000],
    ['TICR', 0x380, 0],
    ['TCCR', 0x390, 0],
    ['TDCR', 0x3e0, 0],
  ];
  const scribble = (rig: Rig, id: number): void => {
    rig.w(id, 0xf0, 0x1ff);
    for (const [, offset] of RESET) if (offset !== 0x300 && offset !== 0xf0) rig.w(id, offset, 0x5a5a5a55);
    rig.w(id, 0x380, 100000);
    deliverInterrupt(rig.lapics, true, id, false, 0, 0x91);
    rig.at(id).accept(0x91);
    deliverInterrupt(rig.lapics, false, id, false, 0, 0xe1);
  };
  it.each(RESET)('%s at %i', (_, offset, value) => {
    const rig = new Rig(profile);
    expect(rig.r(1, offset)).toBe(value);
    scribble(rig, 1);
    rig.at(1).reset();
    expect(rig.r(1, offset)).toBe(value);
  });
  it('ISR, TMR and IRR are empty', () => {
    const rig = new Rig(profile);
    scribble(rig, 1);
    rig.at(1).reset();
    for (let offset = 0x100; offset < 0x280; offset += 16) expect(rig.r(1, offset)).toBe(0);
  });
  it("ID is the vCPU in 31:24, VERSION has 7 LVTs and the era's number", () => {
    const rig = new Rig(profile);
    expect([rig.r(0, 0x20), rig.r(3, 0x20)]).toEqual([0, 0x03000000]);
    expect(rig.r(0, 0x30)).toBe(name === 'illumos' ? 0x00060014 : 0x00060010);
  });
  it('INIT resets everything today, the timer included, and nothing before run states', () => {
    const rig = new Rig(profile);
    scribble(rig, 1);
    const before = rig.at(1).save();
    rig.at(1).init();
    if (name === 'illumos') for (const [, offset, value] of RESET) expect(rig.r(1, offset)).toBe(value);
    else expect(rig.at(1).save()).toEqual(before);
    rig.pass(10_000_000);
    expect(rig.at(1).timer.running).toBe(name !== 'illumos');
  });
});

describe.each(ALL)('registers, %s', (_, profile) => {
  it.each([
    ['ID ignores writes', 0x20, 0x07000000, 0x01000000],
    ['TPR keeps 8 bits', 0x80, 0xffffff55, 0x55],
    ['LDR keeps 31:24', 0xd0, 0xffffffff, 0xff000000],
    ['DFR keeps 31:28, the rest reads ones', 0xe0, 0, 0x0fffffff],
    ['SVR is stored raw', 0xf0, 0xffffffff, 0xffffffff],
    ['LVT timer keeps mask, status, vector and bit 17', 0x320, 0x7ffff, 0x310ff],
    ['LVT LINT0 keeps mask, trigger, remote IRR, polarity, status, mode and vector', 0x350, 0xffffffff, 0x1f7ff],
    ['LVT LINT1 likewise', 0x360, 0xffffffff, 0x1f7ff],
    ['LVT error keeps mask, status and vector', 0x370, 0xffffffff, 0x110ff],
    ['LVT thermal keeps mask, status, mode and vector', 0x330, 0xffffffff, 0x117ff],
    ['LVT performance likewise', 0x340, 0xffffffff, 0x117ff],
    ['LVT CMCI likewise', 0x2f0, 0xffffffff, 0x117ff],
    ['TDCR is stored raw', 0x3e0, 0xffffffff, 0xffffffff],
    ['VERSION is read only', 0x30, 0, profile.apicVersion],
    ['TCCR is read only', 0x390, 5, 0],
    ['IRR is read only', 0x210, 0xffffffff, 0],
    ['a hole reads 0 and drops writes', 0x40, 5, 0],
    ['EOI reads 0', 0xb0, 5, 0],
    ['SELF_IPI does nothing outside x2APIC mode', 0x3f0, 0x31, 0],
  ] as const)('%s', (_what, offset, written, read) => {
    const rig = new Rig(profile);
    rig.w(1, 0xf0, 0x1ff);
    expect(rig.w(1, offset, written)).toBe(Access.ok);
    expect(rig.r(1, offset)).toBe(read >>> 0);
    rig.w(1, 0x280, 0);
    expect(rig.r(1, 0x280)).toBe(0);
    expect(rig.log).toEqual([]);
  });
  it('software disable masks every LVT, and a later LVT write cannot unmask', () => {
    const rig = new Rig(profile).enableAll();
    rig.w(1, 0x350, 0x700);
    rig.w(1, 0xf0, 0xff);
    expect(rig.r(1, 0x350)).toBe(0x10700);
    rig.w(1, 0x350, 0x700);
    expect(rig.r(1, 0x350)).toBe(0x10700);
    rig.w(1, 0xf0, 0x1ff);
    rig.w(1, 0x350, 0x700);
    expect(rig.r(1, 0x350)).toBe(0x700);
  });
  it('what waits in IRR is kept through a software disable', () => {
    const rig = new Rig(profile).enableAll();
    rig.ipi(0, 0x01000000, 0x40f1);
    rig.w(1, 0xf0, 0xff);
    expect(rig.r(1, 0x270)).toBe(1 << 17);
    rig.w(1, 0xf0, 0x1ff);
    expect(rig.drain(1)).toEqual([0xf1]);
  });
  it('reading looks only: peek equals read, and nothing changes', () => {
    const rig = new Rig(profile).enableAll();
    rig.ipi(0, 0x01000000, 0x40f1);
    const before = rig.at(1).save();
    for (let offset = 0; offset < 0x400; offset += 4) expect(rig.at(1).peek(offset, 4)).toBe(rig.at(1).read(offset, 4));
    rig.at(1).inspect();
    expect(rig.at(1).save()).toEqual(before);
  });
});

describe('shape of an access', () => {
  it.each(OLD)('a write that is not 4 bytes on a multiple of 16 fails VM_RUN: %s', (_, profile) => {
    const lapic = new Rig(profile).at(0);
    expect([lapic.write(0x80, 1, 0x50), lapic.write(0x80, 2, 0x50), lapic.write(0x84, 4, 0x50), lapic.write(0x81, 4, 0x50)]).toEqual(
      new Array(4).fill(Access.invalid),
    );
    expect(lapic.read(0x80, 4)).toBe(0);
  });
  it('today such a write is dropped', () => {
    const lapic = new Rig(illumos).at(0);
    expect([lapic.write(0x80, 1, 0x50), lapic.write(0x84, 4, 0x50)]).toEqual([Access.ok, Access.ok]);
    expect(lapic.read(0x80, 4)).toBe(0);
  });
  it.each(OLD)('a read at + 1 to + 3 gives the register unshifted, at + 4 to + 15 it fails VM_RUN: %s', (_, profile) => {
    const rig = new Rig(profile).enableAll();
    rig.w(0, 0x370, 0x100ee);
    expect([rig.at(0).read(0x372, 1), rig.at(0).read(0x370, 1), rig.at(0).read(0x371, 2)]).toEqual([0xee, 0xee, 0x00ee]);
    expect([rig.at(0).read(0x34, 4), rig.at(0).read(0x3f, 1)]).toEqual([Access.invalid, Access.invalid]);
  });
  it('today a read at + 1 to + 3 is shifted up, at + 4 to + 15 it is 0', () => {
    const rig = new Rig(illumos).enableAll();
    rig.w(0, 0x370, 0x100ee);
    expect([rig.at(0).read(0x372, 1), rig.at(0).read(0x371, 2), rig.at(0).read(0x371, 4)]).toEqual([0, 0xee00, 0x0100ee00]);
    expect(rig.at(0).read(0x34, 4)).toBe(0);
  });
});

describe('IA32_APIC_BASE', () => {
  it.each(ALL)('reads FEE00900 on the BSP, FEE00800 elsewhere: %s', (_, profile) => {
    const rig = new Rig(profile);
    for (const [id, value] of [
      [0, 0xfee00900],
      [1, 0xfee00800],
    ] as const) {
      expect(rig.at(id).readMsr(0x1b)).toBe(MsrResult.ok);
      expect([rig.at(id).msrLow, rig.at(id).msrHigh]).toEqual([value, 0]);
    }
  });
  it.each(ALL)('writing what it holds is taken: %s', (_, profile) => {
    expect(new Rig(profile).at(0).writeMsr(0x1b, 0xfee00900, 0)).toBe(MsrResult.ok);
  });
  it.each(OLD)('any change leaves to userspace: %s', (_, profile) => {
    const lapic = new Rig(profile).at(0);
    for (const value of [0xfee00100, 0xfee00d00, 0xfee00901, 0xfec10900, 0xfee00800])
      expect(lapic.writeMsr(0x1b, value, 0)).toBe(MsrResult.toUserspace);
  });
  it.each([
    ['EXTD', 0xfee00d00, 0],
    ['reserved bit 0', 0xfee00901, 0],
    ['reserved bit 9', 0xfee00b00, 0],
    ['BSP', 0xfee00800, 0],
    ['the address', 0xfec10900, 0],
    ['the address above 4 GiB', 0xfee00900, 1],
    ['EXTD without EN', 0xfee00500, 0],
  ] as const)('today a change of %s is #GP', (_, low, high) => {
    const lapic = new Rig(illumos).at(0);
    expect(lapic.writeMsr(0x1b, low, high)).toBe(MsrResult.gp);
    expect(lapic.apicBase).toBe(0xfee00900);
  });
  it('today EN may be cleared: the page reads ones and drops writes, and setting it again finds every register as it was', () => {
    const rig = new Rig(illumos).enableAll();
    rig.w(1, 0x80, 0x50);
    expect(rig.at(1).writeMsr(0x1b, 0xfee00000, 0)).toBe(MsrResult.ok);
    expect([rig.r(1, 0x30), rig.at(1).read(0x20, 1)]).toEqual([0xffffffff, 0xff]);
    expect(rig.w(1, 0x80, 0x70)).toBe(Access.ok);
    expect(rig.ipi(0, 0x01000000, 0x40f1).record.targets[1]).toMatchObject({ verdict: 2, reason: 13, detail: 0xfee00000 });
    expect(rig.at(1).writeMsr(0x1b, 0xfee00800, 0)).toBe(MsrResult.ok);
    expect(rig.r(1, 0x80)).toBe(0x50);
  });
  it('INIT sets EN again', () => {
    const rig = new Rig(illumos);
    rig.at(1).writeMsr(0x1b, 0xfee00000, 0);
    rig.at(1).init();
    expect(rig.at(1).apicBase).toBe(0xfee00800);
  });
  it('the x2APIC MSRs outside x2APIC mode: today #GP for 800-8FF and unknown for 900-BFF, before 0 and ignored', () => {
    const now = new Rig(illumos).at(0);
    expect([now.readMsr(0x802), now.writeMsr(0x830, 0, 0), now.readMsr(0x900), now.readMsr(0xc00)]).toEqual([
      MsrResult.gp,
      MsrResult.gp,
      MsrResult.unhandled,
      MsrResult.unhandled,
    ]);
    const old = new Rig(illumos202010).at(0);
    expect([old.readMsr(0x802), old.msrLow, old.writeMsr(0xbff, 5, 5)]).toEqual([MsrResult.ok, 0, MsrResult.ok]);
  });
});

describe.each(ALL)('priority and EOI, %s', (_, profile) => {
  const pend = (rig: Rig, ...vectors: number[]): void => {
    for (const vector of vectors) deliverInterrupt(rig.lapics, false, 0, false, 0, vector);
  };
  it('the highest vector is delivered first', () => {
    const rig = new Rig(profile).enableAll();
    pend(rig, 0x31, 0xfe, 0x80, 0x10);
    expect(rig.drain(0)).toEqual([0xfe, 0x80, 0x31, 0x10]);
  });
  it('a vector is deliverable only if its class is above that of PPR', () => {
    const rig = new Rig(profile).enableAll();
    pend(rig, 0x5f);
    rig.w(0, 0x80, 0x50);
    expect(rig.at(0).pendingInterrupt()).toBe(-1);
    expect(heldWords(rig.at(0).whyHeld(0x5f))).toBe('vector 5F waits: class 5 is not above PPR class 5, TPR is 50');
    rig.w(0, 0x80, 0x4f);
    expect(rig.at(0).pendingInterrupt()).toBe(0x5f);
  });
  it('PPR is TPR if its class is at least that in service, else the class in service', () => {
    const rig = new Rig(profile).enableAll();
    rig.w(0, 0x80, 0x55);
    expect(rig.r(0, 0xa0)).toBe(0x55);
    pend(rig, 0x61);
    rig.at(0).accept(0x61);
    rig.w(0, 0x80, 0x55);
    expect(rig.r(0, 0xa0)).toBe(0x60);
    rig.w(0, 0x80, 0x65);
    expect(rig.r(0, 0xa0)).toBe(0x65);
    rig.w(0, 0x80, 0);
    rig.w(0, 0xb0, 0);
    expect(rig.r(0, 0xa0)).toBe(0);
  });
  it('a vector in service holds its class and those below, and lets higher ones nest', () => {
    const rig = new Rig(profile).enableAll();
    pend(rig, 0x30);
    rig.at(0).accept(rig.at(0).pendingInterrupt());
    pend(rig, 0x20, 0x3f);
    expect(rig.at(0).pendingInterrupt()).toBe(-1);
    expect(heldWords(rig.at(0).whyHeld(0x20))).toBe('vector 20 waits: class 2 is not above PPR class 3, vector 30 is in service');
    pend(rig, 0x41);
    expect(rig.at(0).pendingInterrupt()).toBe(0x41);
    rig.at(0).accept(0x41);
    expect(rig.r(0, 0x110)).toBe(1 << 16);
    rig.w(0, 0xb0, 0);
    expect(rig.r(0, 0x120)).toBe(0);
    expect(rig.r(0, 0x110)).toBe(1 << 16);
    rig.w(0, 0xb0, 0);
    expect(rig.drain(0)).toEqual([0x3f, 0x20]);
  });
  it('EOI of a level-triggered vector goes to the I/O APIC, of an edge-triggered one it does not', () => {
    const rig = new Rig(profile).enableAll();
    deliverInterrupt(rig.lapics, true, 0, false, 0, 0x41);
    rig.at(0).markLevel(0x41);
    deliverInterrupt(rig.lapics, false, 0, false, 0, 0x31);
    rig.log.length = 0;
    rig.drain(0);
    expect(rig.log).toEqual(['eoi 41']);
  });
  it('EOI with nothing in service does nothing', () => {
    const rig = new Rig(profile).enableAll();
    pend(rig, 0x31);
    const before = rig.at(0).save();
    for (let i = 0; i < 3; i++) rig.w(0, 0xb0, 0);
    expect(rig.at(0).save()).toEqual(before);
  });
  it('CR8 is TPR 7:4; above F it is #GP', () => {
    const rig = new Rig(profile);
    expect(rig.at(0).setCr8(0x10)).toBe(false);
    expect(rig.at(0).setCr8(5)).toBe(true);
    expect([rig.r(0, 0x80), rig.r(0, 0xa0), rig.at(0).cr8]).toEqual([0x50, 0x50, 5]);
  });
});

describe('when PPR is brought up to date', () => {
  it.each([
    ['illumos-2020-10', illumos202010, 0],
    ['illumos-13253', illumos13253, 0],
    ['illumos', illumos, 0x60],
  ] as const)('the first read in a handler: %s', (_, profile, first) => {
    const rig = new Rig(profile).enableAll();
    deliverInterrupt(rig.lapics, false, 0, false, 0, 0x61);
    rig.at(0).accept(rig.at(0).pendingInterrupt());
    expect(rig.r(0, 0xa0)).toBe(first);
    rig.at(0).pendingInterrupt();
    expect(rig.r(0, 0xa0)).toBe(0x60);
  });
});

describe.each(ALL)('local vector table, %s', (_, profile) => {
  it('with the local APIC software-disabled LINT0 is ExtINT, LINT1 is NMI, and the others are lost', () => {
    const rig = new Rig(profile);
    for (const index of Object.values(LvtIndex)) rig.at(1).fireLvt(index);
    expect(rig.log).toEqual(['extint 1', 'nmi 1']);
  });
  it('a masked entry does nothing', () => {
    const rig = new Rig(profile).enableAll();
    for (const index of Object.values(LvtIndex)) rig.at(1).fireLvt(index);
    expect(rig.log).toEqual([]);
  });
  it.each([
    ['fixed', 0x031, ['notify 1']],
    ['NMI', 0x431, ['nmi 1']],
    ['ExtINT', 0x731, ['extint 1']],
    ['SMI', 0x231, []],
    ['INIT', 0x531, []],
  ] as const)('delivery mode %s', (_mode, value, log) => {
    const rig = new Rig(profile).enableAll();
    rig.w(1, 0x350, value);
    rig.at(1).fireLvt(LvtIndex.LINT0);
    expect(rig.log).toEqual(log);
    expect(rig.at(1).pendingInterrupt()).toBe(value === 0x31 ? 0x31 : -1);
  });
  it('a vector below 16 raises ESR bit 5, and the error entry does not fire itself again', () => {
    const rig = new Rig(profile).enableAll();
    rig.w(1, 0x370, 0x0e);
    rig.w(1, 0x340, 0x05);
    rig.at(1).fireLvt(LvtIndex.PERF);
    rig.w(1, 0x280, 0);
    expect(rig.r(1, 0x280)).toBe(0x20);
    expect(rig.r(1, 0x200)).toBe(0);
  });
});

describe.each(ALL)('saved state, %s', (_, profile) => {
  const busy = (): Rig => {
    const rig = new Rig(profile).enableAll();
    rig.ipi(0, 0x01000000, 0x4500);
    rig.ipi(0, 0x01000000, 0x40f1);
    rig.ipi(0, 0x01000000, 0x4031);
    rig.at(1).accept(0xf1);
    rig.w(1, 0x320, 0x20055);
    rig.w(1, 0x3e0, 0x3);
    rig.w(1, 0x380, 12345);
    rig.pass(777);
    return rig;
  };
  it('save, load, save is the identity', () => {
    const state = busy().at(1).save();
    const other = new Rig(profile);
    other.at(1).load(state);
    expect(other.at(1).save()).toEqual(state);
  });
  it('a checkpoint replays to the same future', () => {
    const rig = busy();
    const [state, clock] = [rig.at(1).save(), rig.clock.save()];
    const run = (): unknown => {
      rig.pass(1_234_567);
      return [rig.r(1, 0x390), rig.drain(1), rig.at(1).save()];
    };
    const first = run();
    rig.at(1).load(state);
    rig.clock.load(clock);
    expect(run()).toEqual(first);
  });
  it('a state that cannot be is refused by name, and changes nothing', () => {
    const rig = busy();
    const state = rig.at(1).save();
    for (const [bad, name] of [
      [{ tpr: 256 }, 'tpr'],
      [{ id: 2 }, 'id'],
      [{ irr: new Uint32Array([1, 0, 0, 0, 0, 0, 0, 0]) }, 'irr'],
      [{ lvt: new Uint32Array(6) }, 'lvt'],
      [{ apicBase: 0xfee00c00 }, 'apicBase'],
      [{ timer: { ...state.timer, fireNs: Number.NaN } }, 'timer.fireNs'],
    ] as const) {
      const load = (): void => rig.at(1).load({ ...state, ...bad });
      expect(load).toThrow(StateError);
      expect(load).toThrow(name);
      expect(rig.at(1).save()).toEqual(state);
    }
  });
});

describe('inspection', () => {
  it('decodes the ICR, the divisor and why vectors wait', () => {
    const rig = new Rig(illumos).enableAll();
    rig.ipi(0, 0, 0xc4500);
    rig.w(0, 0x380, 85);
    deliverInterrupt(rig.lapics, false, 0, false, 0, 0x20);
    rig.w(0, 0x80, 0x30);
    const rows = new Map(
      rig
        .at(0)
        .inspect()
        .children?.map((row) => [row.name, row]),
    );
    expect(rows.get('ICR_LO')?.value).toBe('000C4500  INIT to all excluding self');
    expect(rows.get('TDCR')?.value).toBe('00000000  ÷2');
    expect(rows.get('TICR')?.value).toBe('00000055  85 = 1266 ns');
    expect(rows.get('waiting (IRR)')?.children?.[0]?.value).toContain('TPR is 30');
    expect(rows.get('EOI')?.value).toBe('write only');
  });
});
