/** What waits to interrupt a vCPU, and why it waits. */
import { hex } from '../../machine/base/bits.ts';
import type { InspectNode } from '../../machine/devices/device.ts';
import { heldWords } from '../../machine/devices/vlapic-inspect.ts';
import { vectorsOf } from '../../machine/devices/vlapic-vectors.ts';
import type { Vlapic } from '../../machine/devices/vlapic.ts';
import { runStateName } from '../../machine/ledger/words.ts';
import { VRS } from '../../machine/vmm/runstate.ts';
import type { Debugger } from '../debugger.ts';
import { ipiWords } from '../explain.ts';
import { EFLAGS_IF, waitsFor } from './cpu.ts';
import { type Look, read } from './look.ts';
import { vectorList } from './lapic.ts';
import { group, line } from './registers.ts';
import type { Variable } from './variable.ts';

/** `IPI i#4 (FIXED 30) from vCPU0`; '' for none. */
export function ipiFrom({ machine: { ledger } }: Debugger, number: number): string {
  if (number === 0) return '';
  const ipi = ledger.ipiAt(number);
  return ipi === undefined ? `IPI i#${number}` : `IPI i#${number} (${ipiWords(ipi)}) from vCPU${ipi.vcpu}`;
}

/** Why the vCPU takes no interrupt just now, whatever its vector; '' when it does. */
export function whyNotNow(look: Look): string {
  const { machine, view } = look.debugger;
  const v = machine.vm.vcpu(look.vcpu);
  if ((v.runState & VRS.RUN) === 0) return waitsFor(v);
  if ((v.runState & VRS.PEND_INIT) !== 0) return 'INIT is taken first';
  if ((read(look, 'eflags') & EFLAGS_IF) === 0) return 'interrupts are disabled, IF is 0';
  return view.as(look.vcpu, ({ interruptible }) => interruptible) ? '' : 'shadow of STI or MOV SS: not before the next instruction';
}

function requested(look: Look, lapic: Vlapic): readonly Variable[] {
  const notNow = whyNotNow(look);
  // The highest is told of first, as it is taken first.
  return vectorsOf(lapic.irr)
    .reverse()
    .map((vector) => {
      const held = lapic.whyHeld(vector);
      const blocked = held.state === 'deliverable' && notNow !== '' ? `; ${notNow}` : '';
      const from = ipiFrom(look.debugger, held.ipi);
      return line(
        `vector ${hex(vector, 2)}`,
        `${heldWords(held).replace(/^vector .. (is )?/, '')}${blocked}`,
        from === '' ? 'from a local source or the I/O APIC' : from,
      );
    });
}

const nodeVariable = ({ name, value, children }: InspectNode): Variable =>
  children === undefined ? line(name, value) : group(name, value, () => children.map(nodeVariable));

function pic({ machine: { platform } }: Debugger): Variable {
  const { master, slave } = platform.pic.save();
  const lines = (chip: { irr: number; imr: number }, first: number): string[] =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((n) => ((chip.irr & ~chip.imr) >> n) & 1).map((n) => `IRQ${first + n}`);
  const waiting = [...lines(master, 0), ...lines(slave, 8)];
  const said = platform.pic.hasPending
    ? `INTR is high: ${waiting.join(', ')}`
    : waiting.length === 0
      ? 'nothing'
      : `${waiting.join(', ')}, held back`;
  return group('8259', said, () => (platform.pic.inspect().children ?? []).map(nodeVariable));
}

export function pendingInterrupts(look: Look): readonly Variable[] {
  const { debugger: dbg, vcpu } = look;
  const { machine, view } = dbg;
  const v = machine.vm.vcpu(vcpu);
  const lapic = machine.vlapics[vcpu] as Vlapic;
  const waiting = vectorsOf(lapic.irr);
  const notNow = whyNotNow(look);
  const nmiAllowed = view.as(vcpu, (processor) => processor.nmiAllowed);
  const nmi = !v.pendingNmi
    ? 'no'
    : (v.runState & VRS.RUN) === 0
      ? `pending; ${waitsFor(v)}`
      : nmiAllowed
        ? 'pending: taken before the next instruction'
        : 'pending: held back by one in service until IRET, or by a shadow';
  const init = (v.runState & VRS.PEND_INIT) !== 0;
  const sipi = (v.runState & VRS.PEND_SIPI) !== 0;
  const lingers = (v.runState & (VRS.INIT | VRS.RUN)) !== VRS.INIT && !init;
  return [
    line('takes interrupts', notNow === '' ? 'yes' : `no: ${notNow}`, `run state ${runStateName(v.runState)}`),
    waiting.length === 0 ? line('requested', '–', 'IRR') : group('requested', vectorList(waiting), () => requested(look, lapic), 'IRR'),
    line('in service', vectorList(vectorsOf(lapic.isr)), 'ISR'),
    line('NMI', nmi, v.pendingNmi ? ipiFrom(dbg, v.nmiIpi) || undefined : undefined),
    line('INIT', init ? 'pending: taken when the vCPU runs next' : 'no', init ? ipiFrom(dbg, v.initIpi) || undefined : undefined),
    line(
      'SIPI',
      sipi ? `pending: ${hex(v.sipiVector, 2)}00:0000${lingers ? '; without effect, the vCPU does not wait for one' : ''}` : 'no',
      sipi ? ipiFrom(dbg, v.sipiIpi) || undefined : undefined,
    ),
    line('ExtINT', v.pendingExtInt ? `pending${notNow === '' ? ': the 8259 is asked for the vector' : `; ${notNow}`}` : 'no'),
    pic(dbg),
  ];
}
