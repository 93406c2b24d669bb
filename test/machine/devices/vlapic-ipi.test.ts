/** IPIs: destinations, refusals, vectors below 16, the old boot states; SDM "Issuing Interprocessor Interrupts". */
import { describe, expect, it } from 'vitest';
import { Access } from '../../../src/machine/devices/device.ts';
import { deliverInterrupt, rebuildTmr } from '../../../src/machine/devices/vlapic-deliver.ts';
import type { IpiRecord } from '../../../src/machine/ledger/records.ts';
import { Reason, Verdict } from '../../../src/machine/ledger/verdict.ts';
import { illumos } from '../../../src/machine/profiles/illumos.ts';
import { illumos13253 } from '../../../src/machine/profiles/illumos-13253.ts';
import { illumos202010 } from '../../../src/machine/profiles/illumos-2020-10.ts';
import { PROFILES } from '../../../src/machine/profiles/index.ts';
import { Rig } from './vlapic-rig.ts';

const target = (record: IpiRecord, vcpu: number) => record.targets[vcpu] as IpiRecord['targets'][number];
const OLD = [illumos202010, illumos13253];

describe.each(PROFILES.map((p) => [p.name, p] as const))('destinations, %s', (_, profile) => {
  const rig = (): Rig => new Rig(profile).enableAll();

  it('a physical destination reaches the vCPU of that APIC ID', () => {
    const { record } = rig().ipi(0, 0x02000000, 0x40f1);
    expect(record.targets.map((t) => t.verdict)).toEqual([
      Verdict.notAddressed,
      Verdict.notAddressed,
      Verdict.reached,
      Verdict.notAddressed,
    ]);
    expect(target(record, 3)).toMatchObject({ reason: Reason.idMismatch, detail: 0x03000000 });
  });
  it('a physical destination that no APIC has reaches nobody and sets no ESR bit', () => {
    const r = rig();
    expect(r.reached(r.ipi(0, 0x20000000, 0x40f1).record)).toBe('');
    r.w(0, 0x280, 0);
    expect(r.r(0, 0x280)).toBe(0);
  });
  it('physical destination FF reaches all active vCPUs, the sender included', () => {
    const r = rig();
    r.inactive.add(3);
    const { record } = r.ipi(1, 0xff000000, 0x40f1);
    expect(r.reached(record)).toBe('012');
    expect(target(record, 3)).toMatchObject({ verdict: Verdict.notAddressed, reason: Reason.notActive });
  });
  it('logical destination FF reaches all active vCPUs, even those whose LDR is 0', () => {
    const r = rig();
    expect(r.reached(r.ipi(0, 0xff000000, 0x48f1).record)).toBe('0123');
  });
  it('in the flat model a logical destination reaches every vCPU that shares a bit with it', () => {
    const r = rig();
    for (let v = 0; v < 4; v++) r.w(v, 0xd0, 1 << (24 + v));
    const { record } = r.ipi(0, 0x06000000, 0x48f1);
    expect(r.reached(record)).toBe('12');
    expect(target(record, 3)).toMatchObject({ reason: Reason.ldrMismatch, detail: 0x08000000 });
  });
  it('a logical destination never matches an LDR of 0', () => {
    const { record } = rig().ipi(0, 0x01000000, 0x48f1);
    expect(record.targets.every((t) => t.reason === Reason.ldrZero)).toBe(true);
  });
  it('in the cluster model the high nibble must be equal and the low nibbles share a bit', () => {
    const r = rig();
    const ldr = [0x11, 0x12, 0x22, 0x14];
    ldr.forEach((l, v) => {
      r.w(v, 0xe0, 0x0fffffff);
      r.w(v, 0xd0, l << 24);
    });
    expect(r.reached(r.ipi(0, 0x13000000, 0x48f1).record)).toBe('01');
    expect(r.reached(r.ipi(0, 0x22000000, 0x48f2).record)).toBe('2');
  });
  it('cluster F is not all clusters: only the exact FF is a broadcast', () => {
    const r = rig();
    r.w(1, 0xe0, 0x0fffffff);
    r.w(1, 0xd0, 0x12000000);
    expect(r.reached(r.ipi(0, 0xf2000000, 0x48f1).record)).toBe('');
  });
  it('a vCPU whose DFR model is neither flat nor cluster is skipped', () => {
    const r = rig();
    r.w(1, 0xe0, 0x70000000);
    r.w(1, 0xd0, 0x02000000);
    expect(target(r.ipi(0, 0x02000000, 0x48f1).record, 1)).toMatchObject({
      verdict: Verdict.notAddressed,
      reason: Reason.dfrInvalid,
      detail: 0x7fffffff,
    });
  });
  it('all excluding self names the sender as excluded', () => {
    expect(target(rig().ipi(2, 0, 0xc40f1).record, 2)).toMatchObject({ verdict: Verdict.notAddressed, reason: Reason.senderExcluded });
  });
});

describe.each(PROFILES.map((p) => [p.name, p] as const))('fixed IPIs, %s', (_, profile) => {
  it('a software-disabled local APIC refuses them, and the SVR says why', () => {
    const { record } = new Rig(profile).ipi(0, 0x01000000, 0x40f1);
    expect(target(record, 1)).toMatchObject({ verdict: Verdict.refused, reason: Reason.softwareDisabled, detail: 0xff });
  });
  it('a software-disabled local APIC may send', () => {
    const rig = new Rig(profile);
    rig.w(1, 0xf0, 0x1ff);
    expect(rig.reached(rig.ipi(0, 0x01000000, 0x40f1).record)).toBe('1');
  });
  it('NMI reaches a software-disabled local APIC', () => {
    const rig = new Rig(profile);
    expect(rig.reached(rig.ipi(0, 0x01000000, 0x4400).record)).toBe('1');
    expect(rig.log).toEqual(['nmi 1']);
  });
  it('the same vector twice before it is taken becomes one', () => {
    const rig = new Rig(profile).enableAll();
    const first = rig.ipi(0, 0x01000000, 0x40f1).record.number;
    expect(target(rig.ipi(0, 0x01000000, 0x40f1).record, 1).verdict).toBe(Verdict.merged);
    Object.assign(rig.moment, { vcpu: 1, timeNs: 500, icount: 50 });
    expect(rig.drain(1)).toEqual([0xf1]);
    expect(target(rig.ledger.ipiAt(first) as IpiRecord, 1)).toMatchObject({ takenNs: 500, takenIcount: 50 });
    expect(target(rig.ledger.ipiAt(first + 1) as IpiRecord, 1)).toMatchObject({ takenNs: -1 });
  });
  it('the same vector once more while it is in service is a second interrupt', () => {
    const rig = new Rig(profile).enableAll();
    rig.ipi(0, 0x01000000, 0x40f1);
    rig.at(1).accept(rig.at(1).pendingInterrupt());
    expect(target(rig.ipi(0, 0x01000000, 0x40f1).record, 1).verdict).toBe(Verdict.reached);
    expect(rig.at(1).pendingInterrupt()).toBe(-1);
    rig.w(1, 0xb0, 0);
    expect(rig.drain(1)).toEqual([0xf1]);
  });
  it('the ledger knows which exit sent an IPI', () => {
    const rig = new Rig(profile).enableAll();
    rig.currentExit = rig.ledger.exit(rig.moment, 11, 0xfee00300, 4, true);
    const { record } = rig.ipi(0, 0x01000000, 0x40f1);
    expect(record.exit).toBe(1);
    expect(rig.ledger.exitAt(1)?.ipi).toBe(record.number);
  });
  it('ICR_HI keeps all 32 bits', () => {
    const rig = new Rig(profile);
    rig.w(0, 0x310, 0xffffffff);
    expect(rig.r(0, 0x310)).toBe(0xffffffff);
  });
  it('a vector below 16 is not sent: ESR bit 5 after the next ESR write, and the error LVT fires', () => {
    const rig = new Rig(profile).enableAll();
    rig.w(0, 0x370, 0xee);
    const { record } = rig.ipi(0, 0, 0x4400f);
    expect(target(record, 0)).toMatchObject({ verdict: Verdict.notSent, reason: Reason.illegalVector, detail: 0x4400f });
    expect(rig.log).toContain('error 0 20 20');
    expect(rig.r(0, 0x280)).toBe(0);
    rig.w(0, 0x280, 0);
    expect(rig.r(0, 0x280)).toBe(0x20);
    rig.w(0, 0x280, 0);
    expect(rig.r(0, 0x280)).toBe(0);
    expect(rig.drain(0)).toEqual([0xee]);
  });
});

describe('fixed level de-assert with a vector below 16', () => {
  it.each([
    ['illumos-2020-10', illumos202010, 0x20],
    ['illumos-13253', illumos13253, 0x20],
    ['illumos', illumos, 0],
  ] as const)('sets ESR only where the vector is looked at first: %s', (_, profile, esr) => {
    const rig = new Rig(profile).enableAll();
    rig.ipi(0, 0, 0x4800f);
    rig.w(0, 0x280, 0);
    expect(rig.r(0, 0x280)).toBe(esr);
  });
});

describe('trigger mode register and IPIs', () => {
  const levelEntry = [{ level: true, destination: 1, logical: false, mode: 0, vector: 0xf1 }];
  it('today a fixed IPI clears the TMR bit of its vector, whatever its trigger bit', () => {
    const rig = new Rig(illumos).enableAll();
    deliverInterrupt(rig.lapics, true, 1, false, 0, 0xf1);
    expect(rig.r(1, 0x1f0)).toBe(1 << 17);
    rig.ipi(0, 0x01000000, 0xc0f1);
    expect(rig.r(1, 0x1f0)).toBe(0);
  });
  it.each(OLD.map((p) => [p.name, p] as const))(
    'before, only redirection entries write it, so that an IPI of such a vector ends with an EOI to the I/O APIC: %s',
    (_, profile) => {
      const rig = new Rig(profile).enableAll();
      deliverInterrupt(rig.lapics, true, 1, false, 0, 0xf1);
      expect(rig.r(1, 0x1f0)).toBe(0);
      rig.drain(1);
      rebuildTmr(rig.lapics, levelEntry);
      rig.ipi(0, 0x01000000, 0x40f1);
      expect(rig.r(1, 0x1f0)).toBe(1 << 17);
      expect(rig.r(0, 0x1f0)).toBe(0);
      rig.log.length = 0;
      rig.drain(1);
      expect(rig.log).toEqual(['eoi f1']);
    },
  );
});

describe('interrupts from the I/O APIC and MSIs', () => {
  it('lowest priority with a logical destination goes to the lowest vCPU named, even a software-disabled one', () => {
    const rig = new Rig(illumos);
    for (let v = 1; v < 4; v++) rig.w(v, 0xd0, 0x02000000);
    rig.w(2, 0xf0, 0x1ff);
    expect(deliverInterrupt(rig.lapics, false, 2, true, 1, 0x31)).toBe(0);
    rig.w(1, 0xf0, 0x1ff);
    expect(deliverInterrupt(rig.lapics, false, 2, true, 1, 0x31)).toBe(1);
    expect(rig.drain(1)).toEqual([0x31]);
    expect(rig.at(2).pendingInterrupt()).toBe(-1);
  });
  it('lowest priority to FF is a broadcast', () => {
    expect(deliverInterrupt(new Rig(illumos).enableAll().lapics, false, 0xff, true, 1, 0x31)).toBe(4);
  });
  it('NMI, SMI and INIT are dropped, ExtINT is passed on', () => {
    const rig = new Rig(illumos).enableAll();
    for (const mode of [2, 3, 4, 5, 6]) expect(deliverInterrupt(rig.lapics, false, 1, false, mode, 0x31)).toBe(0);
    expect(deliverInterrupt(rig.lapics, false, 1, false, 7, 0)).toBe(1);
    expect(rig.log).toEqual(['extint 1']);
  });
  it('a vector below 16 is dropped without an ESR bit', () => {
    const rig = new Rig(illumos).enableAll();
    expect(deliverInterrupt(rig.lapics, false, 1, false, 0, 0x0a)).toBe(0);
    rig.w(1, 0x280, 0);
    expect([rig.r(1, 0x280), rig.r(1, 0x200)]).toEqual([0, 0]);
  });
});

describe.each(OLD.map((p) => [p.name, p] as const))('INIT and STARTUP before run states, %s', (_, profile) => {
  it('INIT then STARTUP from vCPU 0 to a raw id asks for a spin-up at vector × 1000h', () => {
    const rig = new Rig(profile);
    expect(rig.reached(rig.ipi(0, 0x01000000, 0x4500).record)).toBe('1');
    expect(rig.log).toEqual([]);
    expect(rig.reached(rig.ipi(0, 0x01000000, 0x4609).record)).toBe('1');
    expect(rig.log).toEqual(['spinup 1 9000']);
  });
  it('STARTUP without INIT is refused', () => {
    const rig = new Rig(profile);
    const { code, record } = rig.ipi(0, 0x01000000, 0x4608);
    expect(code).toBe(Access.ok);
    expect(target(record, 1)).toMatchObject({ verdict: Verdict.refused, reason: Reason.notWaitingForSipi });
    expect(rig.log).toEqual([]);
  });
  it('once started, a vCPU refuses INIT and STARTUP for ever', () => {
    const rig = new Rig(profile);
    rig.ipi(0, 0x01000000, 0x4500);
    rig.ipi(0, 0x01000000, 0x4608);
    for (const low of [0x4500, 0x4609])
      expect(target(rig.ipi(0, 0x01000000, low).record, 1)).toMatchObject({ verdict: Verdict.refused, reason: Reason.alreadyRunning });
    expect(rig.log).toEqual(['spinup 1 8000']);
  });
  it('a second INIT before the STARTUP is merged; its local APIC is not touched by any', () => {
    const rig = new Rig(profile);
    rig.w(1, 0x80, 0x50);
    rig.ipi(0, 0x01000000, 0x4500);
    expect(target(rig.ipi(0, 0x01000000, 0x4500).record, 1).verdict).toBe(Verdict.merged);
    rig.at(1).init();
    expect(rig.r(1, 0x80)).toBe(0x50);
  });
  it('the destination byte is a vCPU index even with a shorthand or a logical destination', () => {
    const rig = new Rig(profile);
    expect(rig.reached(rig.ipi(0, 0x01000000, 0xc4500).record)).toBe('1');
    rig.w(3, 0xd0, 0x02000000);
    expect(rig.reached(rig.ipi(0, 0x02000000, 0x4d00).record)).toBe('2');
  });
  it('000C4500 with ICR_HI = 0 returns -1, keeps the value, and is sent to nobody', () => {
    const rig = new Rig(profile);
    const { code, record } = rig.ipi(0, 0, 0xc4500);
    expect(code).toBe(Access.toUserspace);
    expect(rig.r(0, 0x300)).toBe(0xc4500);
    expect(record.targets.map((t) => [t.verdict, t.reason])).toEqual([
      [Verdict.notAddressed, Reason.senderExcluded],
      [Verdict.notSent, Reason.notHandled],
      [Verdict.notSent, Reason.notHandled],
      [Verdict.notSent, Reason.notHandled],
    ]);
  });
  it.each([
    ['an AP', 1, 0x02000000],
    ['vCPU 0 to itself', 0, 0],
    ['broadcast FF', 0, 0xff000000],
    ['id 32', 0, 0x20000000],
  ] as const)('INIT returns -1: %s', (_what, sender, high) => {
    expect(new Rig(profile).ipi(sender, high, 0x4500).code).toBe(Access.toUserspace);
  });
  it('an id without a vCPU below 32 is armed all the same, and its STARTUP asks for a spin-up', () => {
    const rig = new Rig(profile, 2);
    expect(rig.ipi(0, 0x05000000, 0x4608).code).toBe(Access.ok);
    expect(rig.log).toEqual([]);
    expect(rig.ipi(0, 0x05000000, 0x4500).code).toBe(Access.ok);
    const { code, record } = rig.ipi(0, 0x05000000, 0x4608);
    expect(code).toBe(Access.ok);
    expect(rig.log).toEqual(['spinup 5 8000']);
    expect(record.targets.map((t) => t.verdict)).toEqual([Verdict.notAddressed, Verdict.notAddressed]);
  });
});

describe('INIT and STARTUP with run states', () => {
  it('any vCPU may send them, to itself by its id and to the BSP too', () => {
    const rig = new Rig(illumos);
    rig.ipi(1, 0, 0x4500);
    rig.ipi(1, 0x01000000, 0x4500);
    rig.ipi(1, 0xff000000, 0x4500);
    expect(rig.log).toEqual(['init 0', 'init 1', 'init 0', 'init 1', 'init 2', 'init 3']);
  });
  it('the verdict of the VMM is the verdict of the target', () => {
    const rig = new Rig(illumos);
    rig.injectSipi = () => Object.assign(rig.inject, { verdict: Verdict.refused, reason: Reason.alreadyRunning, detail: 3 });
    expect(target(rig.ipi(0, 0x01000000, 0x4608).record, 1)).toMatchObject({
      verdict: Verdict.refused,
      reason: Reason.alreadyRunning,
      detail: 3,
    });
  });
  it('a STARTUP names its page by its vector, whatever trigger and level say', () => {
    const rig = new Rig(illumos);
    for (const low of [0x608, 0x4608, 0xc608, 0x8608]) rig.ipi(0, 0x01000000, low);
    expect(rig.log).toEqual(new Array(4).fill('sipi 1 08'));
  });
  it('ids without a vCPU hear nothing', () => {
    const rig = new Rig(illumos, 2);
    expect(rig.ipi(0, 0x05000000, 0x4500).code).toBe(Access.ok);
    expect(rig.log).toEqual([]);
  });
});
