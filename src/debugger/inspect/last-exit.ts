/** The newest exit of a vCPU, decoded: what it accessed, who answered, and what became of it. */
import { hex } from '../../machine/base/bits.ts';
import { ExitCode } from '../../machine/ledger/exitcode.ts';
import { Answer, type ExitRecord, type IpiRecord, RequestState } from '../../machine/ledger/records.ts';
import { answerWords, outcomeWords, requestName, runStateName, suspendHowName, verdictWords } from '../../machine/ledger/words.ts';
import { Verdict } from '../../machine/ledger/verdict.ts';
import { Apic, apicRegisterAt, decodeFields } from '../../machine/x86/apic.ts';
import { icrFieldRows, icrSentence } from '../../machine/x86/icr.ts';
import { arrivalWords, explainExit, explainIpi, exitName, ipiWords, lapicAccess, reasonWords, returned, time } from '../explain.ts';
import { exitCounts, lastExit } from './history.ts';
import type { Look } from './look.ts';
import { group, line, optional, word } from './registers.ts';
import { digits } from './time.ts';
import type { Variable } from './variable.ts';

/** What an exit's `address` is. */
function accessed(exit: ExitRecord): Variable | undefined {
  const { code, address, write, size } = exit;
  const how = size === 0 ? '' : `${write ? 'write' : 'read'} of ${size} byte${size === 1 ? '' : 's'}`;
  switch (code) {
    case ExitCode.INOUT:
      return line('port', hex(address, 4), how);
    case ExitCode.RDMSR:
    case ExitCode.WRMSR:
      return line('MSR', hex(address), how);
    case ExitCode.RUN_STATE:
      return line('run state before', runStateName(address));
    case ExitCode.SUSPENDED:
      return line('how', suspendHowName(address));
    case ExitCode.IOAPIC_EOI:
      return line('vector', hex(address, 2));
    case ExitCode.HLT:
    case ExitCode.PAUSE:
      return undefined;
    default: {
      const register = lapicAccess(exit);
      return {
        ...line('address', `${word(address)}${register === undefined ? '' : `  ${register.name}`}`, how),
        memory: { space: 'physical', address },
      };
    }
  }
}

/** What was read or stored. */
function moved(exit: ExitRecord, ipi: IpiRecord | undefined): Variable | undefined {
  const { size, value, valueHigh } = exit;
  if (size === 0) return undefined;
  const register = lapicAccess(exit);
  const digits = size === 8 ? 8 : 2 * size;
  const shown = size === 8 && valueHigh !== 0 ? `${word(valueHigh)}_${word(value)}` : hex(value, digits);
  const known = register === undefined ? undefined : apicRegisterAt(register.offset);
  const name = exit.write ? 'stored' : 'read';
  if (known === undefined) return line(name, shown);
  const icr = known.offset === Apic.ICR_LO;
  const rows = (icr ? icrFieldRows(value) : decodeFields(known.fields, value)).filter((row) => row.name !== '');
  return group(name, `${shown}${icr ? `  ${icrSentence(value, ipi?.icrHigh ?? 0)}` : ''}`, () =>
    rows.map((row) => line(row.name, row.text, `bit${row.bits.includes(':') ? 's' : ''} ${row.bits} = ${row.binary}`)),
  );
}

const vcpus = (n: number): string => `${n} vCPU${n === 1 ? '' : 's'}`;

function ipiOf(ipi: IpiRecord): Variable {
  const reached = ipi.targets.filter(({ verdict }) => verdict === Verdict.reached || verdict === Verdict.merged).length;
  const lost = ipi.targets.filter(({ verdict }) => verdict === Verdict.refused || verdict === Verdict.notSent).length;
  const fate = [reached === 0 ? '' : `reached ${vcpus(reached)}`, lost === 0 ? '' : `lost at ${vcpus(lost)}`]
    .filter((part) => part !== '')
    .join(', ');
  return group(
    'IPI',
    `i#${ipi.number} ${ipiWords(ipi)}: ${fate === '' ? 'nobody is addressed' : fate}`,
    () =>
      ipi.targets.map((target) => {
        const { vcpu, verdict } = target;
        const why = verdict === Verdict.reached || verdict === Verdict.merged ? arrivalWords(ipi, target) : reasonWords(ipi, target);
        return line(`vCPU${vcpu}`, `${verdictWords(verdict)}${why === '' ? '' : `: ${why}`}`);
      }),
    explainIpi(ipi),
  );
}

export function lastExitOf({ debugger: dbg, vcpu }: Look): readonly Variable[] {
  const { ledger } = dbg.machine;
  const exit = lastExit(dbg, vcpu);
  if (exit === undefined)
    return [
      line(
        'none',
        ledger.exitCount === 0 || ledger.firstExit <= 1 ? `vCPU${vcpu} has not exited yet` : `no exit of vCPU${vcpu} is held any more`,
      ),
    ];
  const ipi = exit.ipi === 0 ? undefined : ledger.ipiAt(exit.ipi);
  const linear = (exit.csBase + exit.eip) >>> 0;
  const place = dbg.program.placeAt(linear);
  // Of code without source, more than the instruction is known.
  const bytes = [...exit.bytes.subarray(0, dbg.program.lengthAt(linear))].map((byte) => hex(byte, 2)).join(' ');
  const handled = returned(exit);
  const to = exit.finalCode === exit.code ? '' : ` → ${exitName(exit.finalCode)}`;
  // Expressions see the exit that the machine has stopped for.
  const inFocus = dbg.stop?.vcpu === vcpu && dbg.stop.exit?.number === exit.number;
  const rows: readonly (Variable | undefined)[] = [
    {
      ...line('exit', `e#${exit.number}`, `at ${time(exit.timeNs)}, after ${digits(exit.icount)} instructions`),
      ...optional('expression', inFocus ? 'exit.number' : undefined),
    },
    {
      ...line('code', `${exitName(exit.code)}${to}`, `VM_EXITCODE ${exit.code}`),
      ...optional('expression', inFocus ? 'exit.code' : undefined),
    },
    line('what', explainExit(exit, ipi)),
    accessed(exit),
    moved(exit, ipi),
    exit.device === '' ? undefined : line('device', exit.device),
    exit.answer === Answer.none ? undefined : line('answered', `${answerWords(exit.answer)}${handled === '' ? '' : `: ${handled}`}`),
    exit.request === RequestState.NONE ? undefined : line('request', requestName(exit.request)),
    line('outcome', outcomeWords(exit.outcome)),
    exit.note === '' ? undefined : line('note', exit.note),
    ipi === undefined ? undefined : ipiOf(ipi),
    line(
      'count',
      String(exitCounts(dbg).get(exit.finalCode)?.count ?? 0),
      `exits that came to ${exitName(exit.finalCode)} so far, of all vCPUs`,
    ),
    bytes === '' ? undefined : line('bytes', bytes),
    {
      ...line('instruction', place?.text.replace(/\s+/g, ' ') ?? word(linear), place && `${place.file}:${place.line}`),
      memory: { space: 'linear', vcpu, address: linear },
      ...optional('writer', { eip: exit.eip, csBase: exit.csBase, vcpu, exit: exit.number }),
    },
  ];
  return rows.filter((row) => row !== undefined);
}
