/** What --help prints. */
import type { Names } from './args.ts';

const MACHINE = (names: Names): string => `Machine
  --cpus N          number of vCPUs, from 1 (default 1; the limit is the profile's)
  --memory SIZE     RAM, 1M to 3G (default 128M)
  --model NAME      ${names.models.map((m) => (m === names.defaultModel ? `${m} (default)` : m)).join(', ')}
  --seed N          what varies the turns of the vCPUs: the same seed gives the same run (default 42)
  --slice N         instructions in a turn
  --timeout TIME    stop at this virtual time: 500us, 10ms, 2s (default: none)
`;

const PROFILES = (names: Names): string =>
  names.profiles.map((p) => (p.name === names.defaultProfile ? `${p.name} (default)` : p.name)).join(', ');

const BREAKS = `Break expressions
  exit:CODE             exit:INST_EMUL; groups: mmio, pio, msr, idle, state, fatal, *
  ipi:MODE[->V][=WHAT]  ipi:SIPI->1=refused, ipi:*=notSent; MODE is FIXED, LOWPRIO, SMI, NMI, INIT, SIPI or *
                        WHAT is reached, merged, refused, notAddressed, notSent, or a reason such as softwareDisabled
  lapic[@V].REG[:r|w]   lapic.icr_lo:w, lapic@2.svr
  msr:NUMBER[:r|w]      msr:0x1B, msr:efer:w
  io:PORT[+LEN][:r|w]   io:0x80, io:0x3F8+8:w
  vector:N              an interrupt or exception is delivered
  F000:FFF0, 0xFFFFFFF0, file.asm:41, symbol       an instruction
  Each may end in " if CONDITION" and " hits >5", " hits %10", " hits 3":
  "ipi:FIXED if ipi.vector == 30h", "lapic.icr_lo:w if vcpu == 0 && value in (0xC4500, 0x4500)"
`;

const STATUS = 'Exit status: 0 ended as asked, 1 expectation failed, 2 usage, 3 guest fatal, 42 timeout, 130 Ctrl-C.\n';

/** The help of one command, or of all when `topic` is undefined. Ends in a line feed. */
export function help(topic: string | undefined, names: Names): string {
  switch (topic) {
    case 'run':
      return `exitpoint run FILE [options]

Runs a bootrom (.rom, .bin, .fd) or its source (.asm). The guest's console goes to stdout; what happened, and a
summary, to stderr.

${MACHINE(names)}  --profile NAME    ${PROFILES(names)}

Stop and check
  --break EXPR      stop there and say why (repeat for several)
  --expect TEXT     the console must show this; the run ends when all are there (repeat for several, in any order)
  --fail-text TEXT  the console must not show this
  --trace WHAT      exits, ipis or exits,ipis: one line each on stderr
  --json            the summary as JSON on stdout, instead of the console

${BREAKS}
${STATUS}`;
    case 'diff':
      return `exitpoint diff FILE --profile A --profile B [options]

Runs a bootrom under two profiles and shows where their ledgers part.
Profiles: ${PROFILES(names)}.

${MACHINE(names)}  --break EXPR      stop both runs there
  --json            as JSON on stdout

Exit status: 0 no difference, 1 the ledgers part, 2 usage, 130 Ctrl-C.
`;
    case 'demo':
      return `exitpoint demo [--break EXPR]

One store under three hypervisors: samples/icrlo.asm on 4 vCPUs. This is what npm start runs.
With --break it runs under illumos until there and says why it stopped: npm start -- --break 'ipi:*=refused'

${BREAKS}`;
    default:
      return `Exitpoint: a machine for x86 firmware, modelled on bhyve, that tells what became of every exit and of every
interprocessor interrupt.

  exitpoint run FILE     run a bootrom or its source
  exitpoint diff FILE    run it under two profiles and show where they part
  exitpoint demo         one store under three hypervisors: what npm start runs
  exitpoint COMMAND --help,  exitpoint --version

  exitpoint run samples/lost-sipi.asm --cpus 2
  exitpoint run samples/icrlo.asm --cpus 4 --break 'ipi:*=refused'
  exitpoint diff samples/icrlo.asm --cpus 4 --profile illumos-13253 --profile illumos

${STATUS}`;
  }
}
