/** The exception filters: coarse groups of what can stop the machine, that an editor offers as check boxes. */
import { EventKind } from '../machine/ledger/records.ts';
import type { Trigger } from './breakpoint.ts';
import { EXIT_GROUPS } from './constants.ts';

/** An exception filter: a coarse group that an editor offers as a check box. */
export interface Filter {
  readonly filter: string;
  readonly label: string;
  readonly description: string;
  readonly default: boolean;
  /** What a condition may say, by example. */
  readonly conditionDescription: string;
}

const group = (name: string): Trigger => ({ kind: 'exit', codes: new Set(EXIT_GROUPS.get(name)), fatal: false });

const ALL: readonly (Filter & { readonly trigger: Trigger })[] = [
  {
    filter: 'fatal',
    label: 'Fatal exits',
    description: 'What ends the machine in grief: an instruction that cannot be emulated, a triple fault, an abort, a panic of its host.',
    default: true,
    conditionDescription: 'exit.final == INST_EMUL',
    trigger: { kind: 'end', which: 'fatal' },
  },
  {
    filter: 'lost-ipi',
    label: 'Lost IPIs',
    description:
      'An IPI that a vCPU refuses, that the VMM does not send, or that addresses nobody. The second of two SIPIs and INIT level de-assert are none.',
    default: true,
    conditionDescription: 'ipi.mode == FIXED && ipi.target == 3',
    trigger: { kind: 'lostIpi' },
  },
  {
    filter: 'stuck',
    label: 'Nothing can happen any more',
    description: 'Every vCPU waits, and nothing that is armed can wake one.',
    default: true,
    conditionDescription: 'time > 10ms',
    trigger: { kind: 'end', which: 'stuck' },
  },
  {
    filter: 'guest-exception',
    label: 'Guest exceptions',
    description: 'An exception of the guest: #GP, #PF, #UD. No exit; the condition knows vector, and value is the error code.',
    default: false,
    conditionDescription: 'vector in (13, 14)',
    trigger: { kind: 'event', kinds: [EventKind.exception] },
  },
  {
    filter: 'apic-error',
    label: 'APIC errors',
    description: 'A local APIC notes an error for ESR. In the condition, value is the bit of the error.',
    default: false,
    conditionDescription: 'value & 0x20',
    trigger: { kind: 'event', kinds: [EventKind.apicError] },
  },
  {
    filter: 'mmio',
    label: 'Device access',
    description: 'Exits of the group mmio: MMIO_EMUL, MMIO, PAGING.',
    default: false,
    conditionDescription: 'exit.gpa == 0xFEE00300 && exit.write && value == 0xC4500',
    trigger: group('mmio'),
  },
  {
    filter: 'pio',
    label: 'Port I/O',
    description: 'Exits of the group pio: INOUT.',
    default: false,
    conditionDescription: 'exit.port == 0x80 && value >= 0x90',
    trigger: group('pio'),
  },
  {
    filter: 'msr',
    label: 'MSR access',
    description: 'Exits of the group msr: RDMSR, WRMSR.',
    default: false,
    conditionDescription: 'exit.msr == 0x1B && exit.write',
    trigger: group('msr'),
  },
  {
    filter: 'idle',
    label: 'HLT, PAUSE, MONITOR, MWAIT',
    description: 'Exits of the group idle.',
    default: false,
    conditionDescription: 'exit.code == HLT && if == 0',
    trigger: group('idle'),
  },
  {
    filter: 'state',
    label: 'Run states',
    description: 'Exits of the group state: RUN_STATE (INIT, SIPI), SUSPENDED.',
    default: false,
    conditionDescription: 'exit.code == RUN_STATE && vcpu == 1',
    trigger: group('state'),
  },
];

/** All filters, in the order in which they are shown. */
export const FILTERS: readonly Filter[] = ALL.map(({ trigger: _, ...filter }) => filter);

/** What a filter waits for; undefined for a name that is none. */
export const filterTrigger = (filter: string): Trigger | undefined => ALL.find((f) => f.filter === filter)?.trigger;
