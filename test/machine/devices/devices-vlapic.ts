/** The rows of devices.ts for the local APIC: one alone, under the oldest rules and today's, with IPIs to itself. */
import { LvtIndex } from '../../../src/machine/devices/vlapic-lvt.ts';
import { Vlapic } from '../../../src/machine/devices/vlapic.ts';
import type { InjectResult, VlapicWiring } from '../../../src/machine/devices/vlapic-wiring.ts';
import type { LedgerWriter } from '../../../src/machine/ledger/records.ts';
import { Reason, Verdict } from '../../../src/machine/ledger/verdict.ts';
import { illumos } from '../../../src/machine/profiles/illumos.ts';
import { illumos202010 } from '../../../src/machine/profiles/illumos-2020-10.ts';
import type { DeviceRow, Log } from './devices.ts';

/** A ledger that keeps nothing: what is written goes to the log, and numbers are always 1. */
const ledgerOf = (log: Log): LedgerWriter => ({
  exit: () => 1,
  exitBytes() {},
  exitValue() {},
  exitAnswer() {},
  exitOutcome() {},
  ipi(_moment, _exit, low, high) {
    log('ipi', low, high);
    return 1;
  },
  ipiTarget: (_ipi, ...target) => log('target', ...target),
  ipiTaken: (_ipi, vcpu) => log('taken', vcpu),
  event: () => 1,
});

const wiringOf = (clock: VlapicWiring['clock'], log: Log): VlapicWiring => {
  const inject: InjectResult = { verdict: Verdict.reached, reason: Reason.none, detail: 0 };
  return {
    clock,
    ledger: ledgerOf(log),
    vcpuCount: 1,
    moment: { vcpu: 0, timeNs: 0, icount: 0, eip: 0, csBase: 0 },
    currentExit: 0,
    inject,
    sentIpi() {},
    isActive: () => true,
    injectNmi: (vcpu) => log('nmi', vcpu),
    injectInit: (vcpu) => log('init', vcpu),
    injectSipi: (vcpu, vector) => log('sipi', vcpu, vector),
    injectExtInt: (vcpu) => log('extint', vcpu),
    requestSpinup: (vcpu, rip) => log('spinup', vcpu, rip),
    notify: (vcpu) => log('notify', vcpu),
    apicError: (vcpu, bits) => log('error', vcpu, bits),
    eoi: (vector) => log('eoi', vector),
  };
};

export const VLAPIC_DEVICES: readonly DeviceRow[] = [illumos202010, illumos].map((profile) => ({
  title: `vlapic (${profile.name})`,
  classes: [Vlapic],
  make(clock, log) {
    const device = new Vlapic(0, wiringOf(clock, log), profile);
    device.peers = [device];
    return {
      device,
      facets: [{ facet: device, length: 0x400 }],
      inputs: [
        () => device.write(0xf0, 4, 0x1ff),
        (random) => device.write(random.pick([0x320, 0x350, 0x360, 0x370]), 4, random.below(0x40000) & 0x2f7ff),
        (random) => device.write(0x380, 4, random.pick([0, 1, random.below(100_000), random.word()])),
        (random) => {
          device.write(0x310, 4, random.below(4) * 0x01000000);
          device.write(0x300, 4, (random.below(4) << 18) | random.below(0x10000));
        },
        (random) => log('irr', device.setIrr(random.below(256), random.below(2) === 1, random.below(3))),
        (random) => device.markLevel(random.below(256)),
        (random) => device.fireLvt(random.pick(Object.values(LvtIndex))),
        () => {
          const vector = device.pendingInterrupt();
          log('pending', vector);
          if (vector >= 0) device.accept(vector);
        },
        () => device.write(0xb0, 4, 0),
        (random) => log('msr', device.writeMsr(0x1b, random.pick([0xfee00900, 0xfee00900, 0xfee00100]), 0)),
        (random) => random.below(8) === 0 && device.init(),
      ],
    };
  },
}));
