/**
 * illumos between 25 September and 29 October 2020: the kernel in which a guest's store of 000C4500h to the ICR panics the host (defect 13253).
 * Host without APIC-access virtualisation.
 */
import type { IcrRules, IcrTable, Profile } from './profile.ts';
import { VIE_2020 } from './vie-opcodes.ts';

const always = (action: IcrRules['none'][0]): IcrRules => {
  const row = [action, action, action, action] as const;
  return { none: row, self: row, allIncluding: row, allExcluding: row };
};
const INIT_ROW = ['levelClear', 'arm', 'deassert', 'arm'] as const;

/** Order of checks: delivery status cleared; fixed vector below 16; fixed and NMI; INIT; STARTUP; everything else returns -1. */
export const ICR_2020: IcrTable = [
  always('deliver'),
  always('toUserspace'),
  always('toUserspace'),
  always('toUserspace'),
  always('deliver'),
  { none: INIT_ROW, self: INIT_ROW, allIncluding: INIT_ROW, allExcluding: INIT_ROW },
  always('arm'),
  always('toUserspace'),
];

export const illumos202010: Profile = {
  name: 'illumos-2020-10',
  title: 'before the fix',
  about: 'illumos of October 2020: an ICR write that the kernel has no rule for panics the host.',
  maxVcpus: 32,
  hostApicAccessVirtualisation: false,
  fallback: 'panic',
  msrFallback: 'VMX',
  startup: 'spinupAp',
  unstartedApsActive: false,
  reset: 'vcpu_reset',
  apicVersion: 0x00060010,
  icr: ICR_2020,
  rules: {
    'icr.init.effect': 'arm',
    'icr.init.destination': 'rawId',
    'icr.init.sender': 'bspOnly',
    'icr.init.levelBit0': 'noop',
    'icr.init.levelDeassert': 'noop',
    'icr.init.self': 'asDestination',
    'icr.init.allIncl': 'asDestination',
    'init.bsp': 'toUserspace',
    'init.running.ap': 'notReset',
    'init.lapic.scope': 'none',
    'init.apicbase.mode': 'untouched',
    'init.timer': 'keepsRunning',
    'init.cpu.when': 'firstStart',
    'init.cr0': 0x20,
    'init.edx': 0xf00,
    'init.fpu.mtrr.xcr0': 'untouched',
    'sipi.noInit.powerOn': 'ignored',
    'sipi.running': 'ignored',
    'sipi.second.vector': 'firstWins',
    'sipi.thenInit': 'sipiIgnored',
    'initSipi.backToBack': 'exitToSpinUp',
    'init.absentCpu': 'userspaceAssertion',
    'hlt.loneBsp': 'endsVm',

    'icr.fixed.vecLow': 'sendIllegalVector',
    'icr.fixed.vecLow.order': 'first',
    'irr.vecLow.receive': 'dropped',
    'icr.fixed.level.tmr': 'tmrUntouched',
    'icr.fixed.swDisabled': 'dropped',
    'icr.sender.swDisabled': 'sends',
    'icr.nmi.pendingDepth': 1,
    'icr.delstat': 'cleared',
    'icr.readback.invalid': 'keepsValue',
    'icr.hi.mask': 0xffffffff,
    'dest.phys.FF': 'allActive',
    'dest.logical.FF': 'allActive',
    'dest.logical.clusterF': 'onlyExactFF',
    'dest.dfr.bad': 'skipped',

    'apicbase.en.change': 'toUserspace',
    'apicbase.en.reenable': 'registersKept',
    'apicbase.fixedBits': 'toUserspace',
    'apicbase.relocate': 'toUserspace',
    'cpuid.apicbit': 'constant',
    'mmio.whenDisabled': 'works',
    'x2msr.inXapic': 'zero',
    'x2msr.inXapic.upper': 'zero',

    'mmio.write.size': 'einval',
    'mmio.write.align': 'einval',
    'mmio.read.byteLane': 'unshifted',
    'mmio.read.off4to15': 'einval',
    'mmio.reserved': 'zero',

    'id.write.xapic': 'ignored',
    'cr8.range': 'gp',
    'ppr.fresh': 'pendingCheck',
    'eoi.levelBroadcast': 'tmr',
    'spurious.delivered': 'never',
    'svr.bits': 0xffffffff,
    'svr.disable.lvt': 'masksForced',
    'svr.disable.timer': 'stopped',
    'esr.write': 'latch',
    'lvt.vecLow': 'sendIllegalVector',
    'lvt.count': 7,
    'lvt.timer.modeBits': 'bit17',
    'lvt.delivery.modes': 'fixedNmiExtInt',
    'lint.disabled': 'bypassSwOrHw',
    'tmr.update': 'ioapicOnly',

    'timer.freq': 134_217_728,
    'timer.dcr.mask': 0xffffffff,
    'timer.dcr.whileRunning': 'nextLoad',
    'timer.modeSwitch': 'atExpiry',
    'timer.tscDeadline': false,

    'ioapic.eoireg': false,
    'ioapic.access': 'dword',
    'ioapic.version': 0x001f0011,
    'ioapic.rte.resetHigh': 0x00010000,
    'ioapic.edgeSwitch.clearsRirr': false,
    'ioapic.level.resendBlocked': false,
    'ioapic.rteWrite.assertedPin': 'rirrClear',
    'ioapic.masked.edge': 'lost',
    'ioapic.dm.nmiSmiInit': 'dropped',
    'ioapic.dm.extint': 'flag',
    'ioapic.lowprio': 'lowestId',
    'msi.rh': 'logicalIfRhAndDm',
  },
  vie: VIE_2020,
};
