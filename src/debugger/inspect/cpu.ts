/** What a vCPU is doing: its mode, its run state, what it waits for, EFLAGS, where it is and whether it can be interrupted. */
import { hex } from '../../machine/base/bits.ts';
import { runStateName } from '../../machine/ledger/words.ts';
import { VRS } from '../../machine/vmm/runstate.ts';
import { type Vcpu, Waiting } from '../../machine/vmm/vcpu.ts';
import { EFLAGS_FIELDS } from '../../machine/x86/system-registers.ts';
import type { Debugger } from '../debugger.ts';
import { FLAGS } from '../registers.ts';
import { registerFieldInput } from './edits.ts';
import { type Look, read, registerVariable } from './look.ts';
import { fieldVariables, line, setBits } from './registers.ts';
import type { Variable } from './variable.ts';

const CR0_PE = 1;
const CR0_PG = 0x80000000;
const EFLAGS_VM = 0x20000;
export const EFLAGS_IF = 0x200;

/** `real16`, `prot16`, `prot32`, `v86`: the mode, and the size of the code. */
export function modeName({ view }: Debugger, vcpu: number): string {
  return view.as(vcpu, (processor) => {
    const register = (name: string): number => processor.register(name) ?? 0;
    if ((register('cr0') & CR0_PE) === 0) return processor.code32 ? 'real32' : 'real16';
    if ((register('eflags') & EFLAGS_VM) !== 0) return 'v86';
    return processor.code32 ? 'prot32' : 'prot16';
  });
}

/** What a vCPU waits for, in a few words; '' while it waits for nothing but its turn. */
export function waitsFor({ active, waiting, runState, interruptsEnabled }: Vcpu): string {
  if (!active) return 'not created yet: vCPU0 has not asked for it';
  if ((runState & VRS.RUN) === 0 && (runState & VRS.PEND_INIT) !== 0) return 'has got an INIT: takes it when its turn comes';
  if ((runState & (VRS.RUN | VRS.INIT | VRS.PEND_SIPI)) === (VRS.INIT | VRS.PEND_SIPI)) return 'has got a SIPI: starts when its turn comes';
  if ((runState & VRS.RUN) === 0)
    return (runState & VRS.INIT) === 0 ? 'was never started: waits for INIT and SIPI' : 'has been through INIT: waits for SIPI';
  if (waiting !== Waiting.hlt) return '';
  return interruptsEnabled ? 'halted: waits for an interrupt' : 'halted with IF=0: waits for NMI or INIT';
}

/** EFLAGS, bit by bit. */
const flags = (look: Look): Variable => {
  const value = read(look, 'eflags');
  return registerVariable(look, 'eflags', {
    said: setBits(EFLAGS_FIELDS, value),
    children: () =>
      fieldVariables({
        fields: EFLAGS_FIELDS.filter(({ name }) => name !== ''),
        value,
        expression: ({ name }) => (FLAGS.has(name.toLowerCase()) ? name.toLowerCase() : undefined),
        edit: (field) => (text) => registerFieldInput(look, 'eflags', field, text),
      }),
  });
};

export function cpuState(look: Look): readonly Variable[] {
  const { debugger: dbg, vcpu } = look;
  const { view, machine } = dbg;
  const v = machine.vm.vcpu(vcpu);
  const { eip, csBase } = dbg.position(vcpu);
  const next = view.position(vcpu);
  const cpl = read(look, 'cpl');
  const waits = waitsFor(v);
  const turn = view.currentVcpu === vcpu ? 'it is its turn' : 'ready: waits for its turn';
  const [interruptible, nmiAllowed] = view.as(vcpu, (processor) => [processor.interruptible, processor.nmiAllowed]);
  const enabled = (read(look, 'eflags') & EFLAGS_IF) !== 0;
  const interrupts = interruptible ? 'yes' : enabled ? 'not before the next instruction: shadow of STI or MOV SS' : 'no: IF is 0';
  const nmi = nmiAllowed
    ? 'yes'
    : enabled && !interruptible
      ? 'not before the next instruction: shadow of STI or MOV SS'
      : 'no: an NMI is in service until IRET, or MOV SS shadows it';
  const place = dbg.program.placeAt((csBase + eip) >>> 0);
  return [
    line('mode', modeName(dbg, vcpu), `paging ${(read(look, 'cr0') & CR0_PG) >>> 0 ? 'on' : 'off'}`),
    { name: 'CPL', value: String(cpl), expression: 'cpl', type: cpl === 0 ? 'the supervisor' : 'privilege level' },
    line('run state', runStateName(v.runState), `VRS bits ${hex(v.runState, 4)}`),
    line('activity', waits === '' ? turn : waits),
    flags(look),
    registerVariable(look, 'eip', next.eip === eip ? {} : { said: `shown at ${hex(eip, 8)}, which has completed` }),
    line(
      'CS:EIP',
      `${hex(read(look, 'cs'), 4)}:${hex(eip, 8)} = ${hex((csBase + eip) >>> 0, 8)}`,
      place === undefined ? 'linear address' : `linear address · ${place.file}:${place.line}`,
    ),
    line('interruptible', interrupts),
    line('NMI allowed', nmi),
  ];
}
