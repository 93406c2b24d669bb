/** Control and debug registers bit by bit, and those MSRs that can be looked at. */
import { hex } from '../../machine/base/bits.ts';
import { MsrResult } from '../../machine/devices/vlapic.ts';
import { Msr } from '../../machine/vmm/msr.ts';
import { type ApicField, MSR_APICBASE } from '../../machine/x86/apic.ts';
import {
  APICBASE_FIELDS,
  CR0_FIELDS,
  CR3_FIELDS,
  CR4_FIELDS,
  DR6_FIELDS,
  DR7_FIELDS,
  MTRR_DEF_TYPE_FIELDS,
} from '../../machine/x86/system-registers.ts';
import { type Look, read, registerVariable } from './look.ts';
import { fieldVariables, group, optional, setBits, word } from './registers.ts';
import type { Variable } from './variable.ts';

interface MsrRow {
  readonly name: string;
  readonly msr: number;
  readonly fields?: readonly ApicField[];
}

const MSRS: readonly MsrRow[] = [
  { name: 'MTRRCAP', msr: Msr.MTRR_CAP },
  { name: 'MTRR_DEF_TYPE', msr: Msr.MTRR_DEF_TYPE, fields: MTRR_DEF_TYPE_FIELDS },
  { name: 'PAT', msr: Msr.PAT },
  { name: 'MISC_ENABLE', msr: Msr.MISC_ENABLE },
  { name: 'MCG_CAP', msr: Msr.MCG_CAP },
  { name: 'MCG_STATUS', msr: Msr.MCG_STATUS },
];

function msrVariable({ name, msr, fields }: MsrRow, low: number, high: number, said = ''): Variable {
  return {
    name,
    value: `${high === 0 ? '' : `${word(high)}_`}${word(low)}${said === '' ? '' : `  ${said}`}`,
    type: `MSR ${hex(msr)}`,
    ...optional('children', fields === undefined ? undefined : () => fieldVariables({ fields, value: low })),
  };
}

function msrs({ debugger: { machine }, vcpu }: Look): readonly Variable[] {
  const { vm } = machine;
  const lapic = vm.lapic(vcpu);
  const file = vm.vcpu(vcpu).msrs;
  const base: MsrRow = { name: 'APICBASE', msr: MSR_APICBASE, fields: APICBASE_FIELDS };
  const said = `${lapic.hardwareEnabled ? 'enabled' : 'DISABLED'}, xAPIC${lapic.isBsp ? ', BSP' : ''}`;
  const tsc = vm.tsc.at(vcpu);
  const kept = MSRS.flatMap((row) => (file.read(row.msr) === MsrResult.ok ? [msrVariable(row, file.low, file.high)] : []));
  return [
    msrVariable(base, lapic.apicBase, 0, said),
    msrVariable({ name: 'TSC', msr: Msr.TSC }, tsc % 2 ** 32, Math.floor(tsc / 2 ** 32), `${tsc}`),
    ...kept,
  ];
}

export function control(look: Look): readonly Variable[] {
  const bits = (name: string, fields: readonly ApicField[]): Variable =>
    registerVariable(look, name, { fields, said: setBits(fields, read(look, name)) });
  const debugRegisters = ['dr0', 'dr1', 'dr2', 'dr3'] as const;
  return [
    bits('cr0', CR0_FIELDS),
    registerVariable(look, 'cr2', { type: 'linear address of the last page fault' }),
    registerVariable(look, 'cr3', { fields: CR3_FIELDS, type: 'page directory' }),
    bits('cr4', CR4_FIELDS),
    group('debug registers', `DR7 ${word(read(look, 'dr7'))}`, () => [
      ...debugRegisters.map((name) => registerVariable(look, name)),
      bits('dr6', DR6_FIELDS),
      registerVariable(look, 'dr7', { fields: DR7_FIELDS }),
    ]),
    ...msrs(look),
  ];
}
