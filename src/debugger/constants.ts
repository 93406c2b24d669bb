/** The words that stand for numbers in expressions and in breakpoints: delivery modes, verdicts, reasons, exit codes. */
import { ExitCode } from '../machine/ledger/exitcode.ts';
import { Reason, Verdict } from '../machine/ledger/verdict.ts';

/** Delivery modes of an ICR by the names the ledger shows, with the manual's longer ones as aliases. */
export const MODES: ReadonlyMap<string, number> = new Map([
  ['FIXED', 0],
  ['LOWPRIO', 1],
  ['SMI', 2],
  ['RR', 3],
  ['NMI', 4],
  ['INIT', 5],
  ['SIPI', 6],
  ['STARTUP', 6],
  ['EXTINT', 7],
]);

/** Groups of exit codes, in the order in which they are shown: what `exit:` takes besides the codes, and the view VM Exits has. `fatal` also matches by outcome. */
export const EXIT_GROUPS: ReadonlyMap<string, readonly ExitCode[]> = new Map([
  ['mmio', [ExitCode.MMIO_EMUL, ExitCode.MMIO, ExitCode.IOAPIC_EOI]],
  ['pio', [ExitCode.INOUT]],
  ['idle', [ExitCode.HLT, ExitCode.PAUSE, ExitCode.MONITOR, ExitCode.MWAIT]],
  ['msr', [ExitCode.RDMSR, ExitCode.WRMSR]],
  ['state', [ExitCode.RUN_STATE, ExitCode.SUSPENDED, ExitCode.TASK_SWITCH, ExitCode.MTRAP, ExitCode.DEBUG, ExitCode.BPT, ExitCode.BOGUS]],
  [
    'fatal',
    [
      ExitCode.INST_EMUL,
      ExitCode.PAGING,
      ExitCode.VMX,
      ExitCode.SVM,
      ExitCode.VMINSN,
      ExitCode.HT,
      ExitCode.DEPRECATED,
      ExitCode.DEPRECATED2,
    ],
  ],
  ['*', Object.values(ExitCode)],
]);

/** Every constant by its name in lower case. */
export const CONSTANTS: ReadonlyMap<string, number> = new Map(
  [
    ...MODES,
    ...Object.entries(ExitCode),
    ...Object.entries(Reason),
    ...Object.entries(Verdict),
    ['true', 1] as const,
    ['false', 0] as const,
  ].map(([name, value]) => [name.toLowerCase(), value]),
);
