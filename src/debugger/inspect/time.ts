/** Time and order: how far the machine has come, whose turn it is, what is to happen next, and how far one can go back. */
import { INSTRUCTION_NS } from '../../machine/time/clock.ts';
import { span, time } from '../explain.ts';
import type { Look } from './look.ts';
import { group, line } from './registers.ts';
import type { Variable } from './variable.ts';

/** A count, its digits in threes: `100 538`. */
export const digits = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ' ');

/** `APIC timer of vCPU0`: an alarm as its reader calls it. */
const alarmName = (name: string): string => name.replace(/^vlapic\.([0-9]+)\.timer$/, 'APIC timer of vCPU$1');

export function timeAndOrder({ debugger: { machine, timeline, view }, vcpu }: Look): readonly Variable[] {
  const { clock, schedule } = machine;
  const { seed, slice } = schedule.config;
  const { left } = schedule.save();
  const current = view.currentVcpu;
  const alarms = clock.pending();
  const next = alarms[0];
  const in_ = (dueNs: number): string => `in ${span(Math.max(dueNs - clock.nowNs, 0))}`;
  return [
    { name: 'virtual time', value: time(clock.nowNs), type: `${digits(clock.nowNs)} ns`, expression: 'time' },
    {
      name: 'instructions',
      value: digits(clock.instructions),
      type: `of all vCPUs, ${INSTRUCTION_NS / machine.cpus} ns each`,
      expression: 'icount',
    },
    line(
      'turn',
      current === vcpu ? `vCPU${vcpu}'s, this one` : `vCPU${current}'s`,
      `${digits(Math.max(left, 0))} instructions are left of it`,
    ),
    line('TSC', digits(machine.vm.tsc.at(vcpu)), `counts at ${digits(machine.vm.tsc.hz)} Hz`),
    line(
      'slice',
      digits(slice),
      seed === 0 ? 'instructions in a turn' : 'instructions in a turn, from half to one and a half of it as the seed has it',
    ),
    line('seed', String(seed)),
    next === undefined
      ? line('next alarm', 'none')
      : group('next alarm', `${alarmName(next.name)} ${in_(next.dueNs)}`, () =>
          alarms.map(({ name, dueNs }) => line(alarmName(name), in_(dueNs), `at ${time(dueNs)}`)),
        ),
    line('earliest', `instruction ${digits(timeline.earliest)}`, 'the first moment that can be gone back to'),
  ];
}
