/**
 * The rules in which hypervisors differ, by id, each with the answers known so far. A profile gives one answer to every rule.
 *
 * An id names the thing a guest can observe; the words of an answer are the field's. A hypervisor that answers in a way not listed here gets a new
 * word, which the compiler then asks every consumer about. x2APIC-only rules are absent: no profile offers x2APIC yet.
 */
export interface Rules {
  // INIT, STARTUP, run states
  /** What an INIT that is delivered does: `arm` only lets the next STARTUP start the target; `init` resets it to wait-for-SIPI. */
  'icr.init.effect': 'arm' | 'init' | 'lapicOnly';
  /** INIT and STARTUP: whom they reach. `rawId`: the destination byte is a vCPU index, shorthand and destination mode are not looked at. */
  'icr.init.destination': 'rawId' | 'decoded';
  /** Who may send INIT and STARTUP. */
  'icr.init.sender': 'bspOnly' | 'any';
  /** Edge-triggered INIT with bit 14 clear (500h). `noop` and `ignored` differ only in why: unhandled, or rejected by a filter. */
  'icr.init.levelBit0': 'noop' | 'ignored' | 'init';
  /** INIT level de-assert (8500h). */
  'icr.init.levelDeassert': 'noop' | 'ignored' | 'arbitrationId';
  'icr.init.self': 'asDestination' | 'ignored' | 'init';
  'icr.init.allIncl': 'asDestination' | 'ignored' | 'init';
  /** INIT to the BSP. */
  'init.bsp': 'toUserspace' | 'waitForSipi' | 'restart' | 'restartIfBspFlag';
  /** INIT to a CPU that runs. */
  'init.running.ap': 'notReset' | 'waitForSipi';
  /** Local APIC registers at INIT. */
  'init.lapic.scope': 'none' | 'all' | 'allButId';
  'init.apicbase.mode': 'untouched' | 'rewritten';
  'init.timer': 'keepsRunning' | 'stopped';
  /** When the CPU's registers get their INIT values. */
  'init.cpu.when': 'firstStart' | 'atInit' | 'atStartup';
  'init.cr0': 0x20 | 0x60000010 | 'cdNwKept';
  'init.edx': 0xf00 | 0x600 | 'cpuid';
  'init.fpu.mtrr.xcr0': 'untouched' | 'kept' | 'reset';
  /** STARTUP to an AP that never saw INIT. */
  'sipi.noInit.powerOn': 'ignored' | 'starts';
  'sipi.running': 'ignored' | 'lingers';
  'sipi.second.vector': 'firstWins' | 'lastWins';
  'sipi.thenInit': 'sipiIgnored' | 'initClearsSipi' | 'sipiSurvives';
  'initSipi.backToBack': 'exitToSpinUp' | 'bothLatched';
  /** INIT and STARTUP to an id without a CPU. */
  'init.absentCpu': 'userspaceAssertion' | 'nothing';
  /** The only started CPU halts with interrupts disabled. */
  'hlt.loneBsp': 'endsVm' | 'waits';

  // Other IPIs
  /** A fixed IPI with a vector below 16. */
  'icr.fixed.vecLow': 'sendIllegalVector' | 'irrOnly';
  /** When that is looked at: before or after the whole value is checked for validity. */
  'icr.fixed.vecLow.order': 'first' | 'afterValidity';
  'irr.vecLow.receive': 'dropped' | 'receiveIllegalVector' | 'irrOnly';
  'icr.fixed.level.tmr': 'tmrUntouched' | 'tmrCleared' | 'tmrSet';
  /** A fixed interrupt at a software-disabled local APIC. */
  'icr.fixed.swDisabled': 'dropped' | 'latched';
  'icr.sender.swDisabled': 'sends' | 'dropped';
  'icr.nmi.pendingDepth': 1 | 2;
  'icr.delstat': 'cleared' | 'kept';
  'icr.readback.invalid': 'keepsValue';
  'icr.hi.mask': 0xffffffff | 0xff000000;
  'dest.phys.FF': 'allActive' | 'all';
  'dest.logical.FF': 'allActive' | 'maskMatch';
  'dest.logical.clusterF': 'onlyExactFF' | 'everyCluster';
  'dest.dfr.bad': 'skipped' | 'cluster';

  // APICBASE
  /** A WRMSR of IA32_APIC_BASE that clears or sets EN. */
  'apicbase.en.change': 'toUserspace' | 'allowed' | 'gp';
  'apicbase.en.reenable': 'registersKept' | 'registersReset';
  /** One that changes EXTD, BSP or a reserved bit; one that changes the address. */
  'apicbase.fixedBits': 'toUserspace' | 'gp';
  'apicbase.relocate': 'toUserspace' | 'gp' | 'moves';
  'cpuid.apicbit': 'constant' | 'followsEn';
  'mmio.whenDisabled': 'works' | 'allOnes';
  /** MSRs 800h-8FFh, and 900h-BFFh, while not in x2APIC mode. */
  'x2msr.inXapic': 'zero' | 'gp';
  'x2msr.inXapic.upper': 'zero' | 'unknownMsr' | 'gp';

  // Shape of an MMIO access
  /** A write that is not 4 bytes, or not on a multiple of 16: `einval` makes VM_RUN itself fail. */
  'mmio.write.size': 'einval' | 'dropped';
  'mmio.write.align': 'einval' | 'dropped' | 'aliases';
  /** A read at offset + 1 to + 3, and at + 4 to + 15. */
  'mmio.read.byteLane': 'unshifted' | 'shiftedLeft' | 'correct';
  'mmio.read.off4to15': 'einval' | 'zero' | 'aliases';
  'mmio.reserved': 'zero' | 'illegalRegister';

  // Registers, priority, EOI, errors, LVT
  'id.write.xapic': 'ignored' | 'writable';
  'cr8.range': 'gp' | 'masked';
  /** When PPR is brought up to date besides TPR writes and EOI. */
  'ppr.fresh': 'pendingCheck' | 'accept' | 'always';
  'eoi.levelBroadcast': 'tmr' | 'tmrUnlessSuppressed';
  'spurious.delivered': 'never' | 'whenMaskedAtAck';
  'svr.bits': 0xffffffff | 0x3ff | 0x1ff;
  'svr.disable.lvt': 'masksForced' | 'nothing';
  'svr.disable.timer': 'stopped' | 'keepsRunning';
  'esr.write': 'latch' | 'noEffect';
  /** ESR bit raised by an LVT that fires with a vector below 16. */
  'lvt.vecLow': 'sendIllegalVector' | 'receiveIllegalVector' | 'irrOnly';
  'lvt.count': 6 | 7;
  'lvt.timer.modeBits': 'bit17' | 'bits18to17';
  'lvt.delivery.modes': 'fixedNmiExtInt' | 'all';
  /** LINT pins of a local APIC that is disabled, and which kinds of "disabled" count. */
  'lint.disabled': 'bypassSwOrHw' | 'bypassHw' | 'lvt';
  /** `ioapicOnly`: TMR bits come from redirection entries when they are written; `beforeIrr`: each accepted interrupt sets or clears its own. */
  'tmr.update': 'ioapicOnly' | 'beforeIrr';

  // Timer
  'timer.freq': 134_217_728 | 1_000_000_000;
  /** Bits of the divide register that are stored. */
  'timer.dcr.mask': 0xffffffff | 0xb;
  'timer.dcr.whileRunning': 'nextLoad' | 'nextLoadClamped' | 'rescaled';
  'timer.modeSwitch': 'atExpiry' | 'atOnce';
  'timer.tscDeadline': boolean;

  // I/O APIC and MSI
  /** Is there an EOI register at offset 40h? */
  'ioapic.eoireg': boolean;
  'ioapic.access': 'dword' | 'anySelect' | 'any';
  'ioapic.version': 0x001f0011 | 0x00170011 | 0x00170020;
  'ioapic.rte.resetHigh': 0x00010000 | 0;
  'ioapic.edgeSwitch.clearsRirr': boolean;
  'ioapic.level.resendBlocked': boolean;
  /** Writing an entry whose pin is asserted sends: if it is level-triggered; if remote IRR is clear as well; or if remote IRR is clear, in either mode. */
  'ioapic.rteWrite.assertedPin': 'level' | 'levelRirrClear' | 'rirrClear';
  'ioapic.masked.edge': 'lost' | 'lostUnlessAsserted';
  'ioapic.dm.nmiSmiInit': 'dropped' | 'delivered';
  'ioapic.dm.extint': 'flag' | 'dropped' | 'inta';
  'ioapic.lowprio': 'lowestId' | 'hash';
  'msi.rh': 'logicalIfRhAndDm' | 'ignored' | 'lowestPriority';
}
