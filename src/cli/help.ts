/** What --help prints. At most 100 columns. */
import { MODES } from '../debugger/constants.ts';
import { FLAGS, PROCESSOR_REGISTERS } from '../debugger/registers.ts';
import { type IoapicView, MachineScope } from '../debugger/scope.ts';
import { ExitCode } from '../machine/ledger/exitcode.ts';
import { Reason, Verdict } from '../machine/ledger/verdict.ts';
import type { Names } from './args.ts';
import { wrap } from './table.ts';

const WIDTH = 100;

/** A label, and words behind it that are broken into lines. */
const row = (label: string, words: Iterable<string>, indent = 12): string =>
  wrap([...words].join(' '), WIDTH - indent - 2)
    .map((line, i) => `  ${(i === 0 ? label : '').padEnd(indent)}${line}\n`)
    .join('');

const MACHINE = (names: Names): string => `Machine
  --cpus N          number of vCPUs, from 1 (default: what the source says in a line
                    "; EXPECT: cpus 4", else 1; the limit is the profile's)
  --memory SIZE     RAM, 1M to 3G (default 128M)
  --model NAME      ${names.models.map((m) => (m === names.defaultModel ? `${m} (default)` : m)).join(', ')}
  --seed N          what varies the turns of the vCPUs: the same seed, the same run (default 42)
  --slice N         instructions in a turn
  --timeout TIME    stop at this virtual time: 500us, 10ms, 2s (default: none);
                    ns, us, ms and s are its units
`;

const PROFILES = (names: Names): string =>
  names.profiles.map((p) => (p.name === names.defaultProfile ? `${p.name} (default)` : p.name)).join(', ');

const BREAKS = `Break expressions
  exit:CODE             exit:INST_EMUL; groups: mmio, pio, msr, idle, state, fatal, *
  ipi:MODE[->V][=WHAT]  ipi:SIPI->1=refused, ipi:*=notSent
                        MODE is FIXED, LOWPRIO, SMI, NMI, INIT, SIPI or *
                        WHAT is reached, merged, refused, notAddressed, notSent, nobody (no vCPU
                        has that ID), or a reason such as softwareDisabled
  lapic[@V].REG[:r|w]   lapic.icr_lo:w, lapic@2.svr
  ioapic.REG[:r|w]      ioapic.redtbl[2]:w, ioapic.ioregsel
  msr:NUMBER[:r|w]      msr:0x1B, msr:efer:w
  io:PORT[+LEN][:r|w]   io:0x80, io:0x3F8+8:w
  vector:N              an interrupt or exception is delivered
  F000:FFF0, 0xFFFFFFF0, file.asm:41, symbol       an instruction
  Each may end in " if CONDITION" and " hits >5", " hits %10", " hits 3":
  "ipi:FIXED if ipi.vector == 30h", "lapic.icr_lo:w if vcpu == 0 && value in (0xC4500, 0x4500)"
  What a condition may name: exitpoint help conditions
`;

const STATUS = `Exit status: 0 ended as asked, 1 expectation failed or output not written, 2 usage, 3 guest fatal,
42 timeout, 130 Ctrl-C, 141 whoever read the output has closed it.
`;

/** As many entries as there are names to show. */
const NO_IOAPIC: IoapicView = { pins: 1, selected: 0, peekRegister: () => 0 };

/** The condition language, with every name that there is. */
function conditions(): string {
  const machine = { vcpuCount: 1, nowNs: 0, instructions: 0, register: () => 0, peek: () => 0, lapic: () => 0, ioapic: NO_IOAPIC };
  const names = [...new MachineScope(machine, { vcpu: 0 }).names()];
  const under = (prefix: string): string[] => names.filter((n) => n.startsWith(prefix)).map((n) => n.slice(prefix.length));
  const lapic = under('lapic.');
  return `Conditions: what may follow " if " in a break expression of exitpoint run and diff

  exit:MMIO_EMUL if exit.gpa == 0xFEE00300 && vcpu == 2
  ipi:FIXED if ipi.vector in (30h, 31h) and not lapic[1].svr.enable
  icrlo.asm:55 if byte [ready] == 2 && esp == 6FFCh

Operators, weakest first, as in C
  a ? b : c    || (or)    && (and)    |    ^    &    == !=    < <= > >=, a in (b, c)
  << >>    + -    * / %    - + ! (not) ~
Values
  Numbers: 31, 0x1F, 1Fh, 0b11111, 11111b; times in ns: 10us, 2ms; texts: "lapic" or 'lapic'.
  Memory of the vCPU, at linear addresses: byte [a], word [a], dword [a] or [a].
  Symbols of the source: labels and EQUs. Names are taken in upper and lower case.
Names
${row('register', PROCESSOR_REGISTERS)}${row('flag', FLAGS.keys())}${row('', ['of another vCPU: cpu[2].eip, cpu[2].if'])}${row(
  'lapic.',
  lapic.filter((n) => !n.includes('.')),
)}${row('', ['of another vCPU: lapic[2].svr; the fields (mode, enable, dest and the like will do):'])}${row(
  '',
  lapic.filter((n) => n.includes('.') && !n.endsWith('.vectors')),
)}${row(
  'ioapic.',
  under('ioapic.').map((n) => n.replace('[0]', '[N]')),
)}${row('exit.', under('exit.'))}${row('ipi.', under('ipi.'))}${row('other', [
  'value (read or written, or the field of lapic.REG.FIELD), vector (delivered), vcpu, vcpus, time (ns), icount (instructions)',
])}Constants
${row('mode', MODES.keys())}${row('verdict', Object.keys(Verdict))}${row('reason', Object.keys(Reason))}${row('exit code', Object.keys(ExitCode))}${row('truth', ['true false'])}
A condition that cannot be evaluated where it is asked stops the run, and the reason is shown.
`;
}

const JSON_HELP = `exitpoint run FILE --json

One object on stdout, and nothing else. Fields may be added; when one changes its meaning or goes,
schema is counted up.

  schema         1
  file, profile, model, cpus, memory (bytes), seed, slice (null: the machine's own)
  padding        bytes added in front of the ROM to make whole pages
  status         the exit status
  ended.kind     host-panic, vm-abort, run-failed, suspended, stuck, guest-exit; or breakpoint,
                 timeout, interrupted, expected, fail-text
  ended.how      reset, power-off, halt or triple-fault when suspended, else null
  ended.words, ended.where, ended.sentence, ended.details
                 the same for people; where is file:line or a linear address, '' where there is none
  timeNs         virtual time
  instructions   of all vCPUs
  vcpus[]        vcpu, state (running, halted, waits for SIPI, never started, not created), runState
                 (the VRS_* bits), cs, eip, linear, where
  exits          count, dropped (records no longer held), byCode
  ipis           count, toNobody (IPIs that addressed no vCPU), byVerdict (targets), lost[]: ipi,
                 exit, where, timeNs, sentence, for each IPI that a target refused, that was not
                 sent, or that addressed nobody
  neverMet[]     breakpoints that never stopped the run
  missing[]      texts of --expect that were not shown
  console        what the guest printed: its last MiB
`;

/** The help of one command, or of all when `topic` is undefined. Ends in a line feed. */
export function help(topic: string | undefined, names: Names): string {
  switch (topic) {
    case 'run':
      return `exitpoint run FILE [options]

Runs a bootrom (.rom, .bin, .fd) or its source (.asm). The guest's console goes to stdout; what
happened, and a summary, to stderr.

${MACHINE(names)}  --profile NAME    ${PROFILES(names)}

Stop and check
  --break EXPR      stop there and say why (repeat for several)
  --expect TEXT     the console must show this; the run ends when all are there (repeat for several,
                    in any order)
  --fail-text TEXT  the console must not show this
  --trace WHAT      exits, ipis or exits,ipis: one line each on stderr
  --json            the summary as JSON on stdout, instead of the console: exitpoint help json

${BREAKS}
${STATUS}`;
    case 'diff':
      return `exitpoint diff FILE --profile A --profile B [options]

Runs a bootrom under two profiles and shows where their ledgers part.
Profiles: ${names.profiles.map((p) => p.name).join(', ')}.
There is no default: diff needs two.

${MACHINE(names)}  --break EXPR      stop both runs there
  --json            as JSON on stdout

Exit status: 0 no difference, 1 the ledgers part, could not be compared whole, or output not
written, 2 usage, 130 Ctrl-C, 141 whoever read the output has closed it.
`;
    case 'conditions':
      return conditions();
    case 'json':
      return JSON_HELP;
    case 'demo':
      return `exitpoint demo [--break EXPR]

One store under three hypervisors: samples/icrlo.asm on 4 vCPUs. This is what npm start runs.
With --break it runs under illumos until there and says why it stopped:
npm start -- --break 'ipi:*=refused'

${BREAKS}`;
    case 'dap':
      return `exitpoint dap [--port N]

Serves the debug adapter protocol (DAP), for editors: the session of the Exitpoint extension for VS
Code, for any client. Attributes of launch are those of the extension; the debugger type is exitpoint.

  --port N          on TCP port N of 127.0.0.1 instead of stdin and stdout, each connection a session
                    of its own; 0 takes a port that is free. The port is told on stderr. In VS Code:
                    "debugServer": N in the launch configuration

On stdin and stdout it ends with its session or with its input; on TCP with Ctrl-C.
Exit status: 0 ended as asked, 2 usage or input that is no DAP, 130 Ctrl-C.
`;
    default:
      return `Exitpoint: a machine for x86 firmware, modelled on bhyve, that tells what became of every exit and
of every interprocessor interrupt.

  exitpoint run FILE     run a bootrom or its source
  exitpoint diff FILE    run it under two profiles and show where they part
  exitpoint demo         one store under three hypervisors: what npm start runs
  exitpoint dap          debug adapter for editors, on stdin and stdout or on TCP
  exitpoint COMMAND --help,  exitpoint help conditions,  exitpoint help json,  exitpoint --version

  exitpoint run samples/lost-sipi.asm
  exitpoint run samples/icrlo.asm --break 'ipi:*=refused'
  exitpoint diff samples/icrlo.asm --profile illumos-13253 --profile illumos

${STATUS}`;
  }
}
