/** illumos today (read at January 2024): richer INIT/SIPI (13275), ICR validity filter (14763), APICBASE handling (14598). */
import type { IcrRow, IcrRules, IcrTable, Profile } from './profile.ts';
import { VIE_NOW } from './vie-opcodes.ts';

const INVALID: IcrRow = ['invalid', 'invalid', 'invalid', 'invalid'];
const FIXED: IcrRow = ['deliver', 'deliver', 'deassert', 'deliver'];
const INIT: IcrRow = ['levelClear', 'deliver', 'deassert', 'deliver'];
const STARTUP: IcrRow = ['deliver', 'deliver', 'deliver', 'deliver'];
const UNSUPPORTED: IcrRow = ['unsupported', 'unsupported', 'deassert', 'unsupported'];
const REMOTE_READ: IcrRow = ['unsupported', 'unsupported', 'invalid', 'invalid'];

/** Allowed to the destination field and to all excluding self only. */
const others = (row: IcrRow): IcrRules => ({ none: row, self: INVALID, allIncluding: INVALID, allExcluding: row });

/** Order of checks: delivery status cleared; validity; fixed vector below 16; INIT with bit 14 clear; targets. */
export const ICR_NOW: IcrTable = [
  { none: FIXED, self: FIXED, allIncluding: FIXED, allExcluding: FIXED },
  others(UNSUPPORTED),
  others(UNSUPPORTED),
  { none: REMOTE_READ, self: INVALID, allIncluding: INVALID, allExcluding: INVALID },
  others(FIXED),
  others(INIT),
  others(STARTUP),
  { none: INVALID, self: INVALID, allIncluding: INVALID, allExcluding: INVALID },
];

export const illumos: Profile = {
  name: 'illumos',
  title: 'today',
  about: 'illumos today: INIT and SIPI are delivered in the kernel, invalid ICR values are ignored, no handler can leave to userspace.',
  maxVcpus: 32,
  hostApicAccessVirtualisation: false,
  fallback: 'void',
  msrFallback: 'void',
  startup: 'runState',
  unstartedApsActive: true,
  reset: 'vcpu_arch_reset',
  apicVersion: 0x00060014,
  icr: ICR_NOW,
  rules: {
    'icr.init.effect': 'init',
    'icr.init.destination': 'decoded',
    'icr.init.sender': 'any',
    'icr.init.levelBit0': 'ignored',
    'icr.init.levelDeassert': 'ignored',
    'icr.init.self': 'ignored',
    'icr.init.allIncl': 'ignored',
    'init.bsp': 'waitForSipi',
    'init.running.ap': 'waitForSipi',
    'init.lapic.scope': 'all',
    'init.apicbase.mode': 'rewritten',
    'init.timer': 'stopped',
    'init.cpu.when': 'atInit',
    'init.cr0': 0x60000010,
    'init.edx': 0x600,
    'init.fpu.mtrr.xcr0': 'kept',
    'sipi.noInit.powerOn': 'ignored',
    'sipi.running': 'lingers',
    'sipi.second.vector': 'lastWins',
    'sipi.thenInit': 'initClearsSipi',
    'initSipi.backToBack': 'bothLatched',
    'init.absentCpu': 'nothing',
    'hlt.loneBsp': 'waits',

    'icr.fixed.vecLow': 'sendIllegalVector',
    'icr.fixed.vecLow.order': 'afterValidity',
    'irr.vecLow.receive': 'dropped',
    'icr.fixed.level.tmr': 'tmrCleared',
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

    'apicbase.en.change': 'allowed',
    'apicbase.en.reenable': 'registersKept',
    'apicbase.fixedBits': 'gp',
    'apicbase.relocate': 'gp',
    'cpuid.apicbit': 'constant',
    'mmio.whenDisabled': 'allOnes',
    'x2msr.inXapic': 'gp',
    'x2msr.inXapic.upper': 'unknownMsr',

    'mmio.write.size': 'dropped',
    'mmio.write.align': 'dropped',
    'mmio.read.byteLane': 'shiftedLeft',
    'mmio.read.off4to15': 'zero',
    'mmio.reserved': 'zero',

    'id.write.xapic': 'ignored',
    'cr8.range': 'gp',
    'ppr.fresh': 'accept',
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
    'tmr.update': 'beforeIrr',

    'timer.freq': 134_217_728,
    'timer.dcr.mask': 0xffffffff,
    'timer.dcr.whileRunning': 'nextLoadClamped',
    'timer.modeSwitch': 'atExpiry',
    'timer.tscDeadline': false,

    'ioapic.eoireg': false,
    'ioapic.access': 'dword',
    'ioapic.version': 0x001f0011,
    'ioapic.rte.resetHigh': 0x00010000,
    'ioapic.edgeSwitch.clearsRirr': true,
    'ioapic.level.resendBlocked': true,
    'ioapic.rteWrite.assertedPin': 'level',
    'ioapic.masked.edge': 'lost',
    'ioapic.dm.nmiSmiInit': 'dropped',
    'ioapic.dm.extint': 'flag',
    'ioapic.lowprio': 'lowestId',
    'msi.rh': 'ignored',
  },
  vie: VIE_NOW,
};
