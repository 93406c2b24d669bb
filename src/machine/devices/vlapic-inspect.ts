/** The local APIC as a tree of decoded registers, and the sentence on why a vector waits. */
import { hex } from '../base/bits.ts';
import { APIC_REGISTERS, Apic, type ApicRegister, decodeFields, timerShift } from '../x86/apic.ts';
import { icrFieldRows, icrSentence } from '../x86/icr.ts';
import type { InspectNode } from './device.ts';
import type { Held, Vlapic } from './vlapic.ts';
import { vectorsOf } from './vlapic-vectors.ts';

const list = (vectors: readonly number[]): string => (vectors.length === 0 ? '–' : vectors.map((v) => hex(v, 2)).join(' '));

/** What to say beside the bare value. */
function remark(lapic: Vlapic, { offset }: ApicRegister): string {
  switch (offset) {
    case Apic.ICR_LO:
      return lapic.icrLow === 0 && lapic.icrHigh === 0 ? '' : icrSentence(lapic.icrLow, lapic.icrHigh);
    case Apic.TICR:
      return lapic.timer.initial === 0 ? 'stopped' : `${lapic.timer.initial} = ${lapic.timer.interval(lapic.timer.initial)} ns`;
    case Apic.TDCR:
      return `÷${1 << timerShift(lapic.timer.divide)}`;
    default:
      return '';
  }
}

function node(lapic: Vlapic, register: ApicRegister): InspectNode {
  if (register.access === 'wo') return { name: register.name, value: 'write only' };
  const value = lapic.peek(register.offset, 4);
  const said = remark(lapic, register);
  const rows = register.offset === Apic.ICR_LO ? icrFieldRows(value) : decodeFields(register.fields, value);
  return {
    name: register.name,
    value: value < 0 ? 'cannot be read' : `${hex(value, 8)}${said && `  ${said}`}`,
    children: rows.filter((row) => row.name !== '').map((row) => ({ name: `${row.bits} ${row.name}`, value: row.text })),
  };
}

const inMaps = ({ offset }: ApicRegister): boolean => offset >= Apic.ISR && offset < Apic.ESR;

/** APICBASE, every register but the vector maps, and these as lists of vectors. */
export function inspectVlapic(lapic: Vlapic): InspectNode {
  const base = lapic.apicBase;
  return {
    name: lapic.name,
    value: `APIC ID ${hex(lapic.id, 2)}${lapic.isBsp ? ', BSP' : ''}${lapic.hardwareEnabled ? '' : ', hardware-disabled'}${lapic.softwareEnabled ? '' : ', software-disabled'}`,
    children: [
      {
        name: 'APICBASE',
        value: hex(base, 8),
        children: [
          { name: '31:12 base', value: hex(base >>> 12, 5) },
          { name: '11 EN', value: lapic.hardwareEnabled ? 'on' : 'off' },
          { name: '10 EXTD', value: 'xAPIC' },
          { name: '8 BSP', value: lapic.isBsp ? 'yes' : 'no' },
        ],
      },
      ...APIC_REGISTERS.filter((r) => !inMaps(r)).map((r) => node(lapic, r)),
      { name: 'in service (ISR)', value: list(vectorsOf(lapic.isr)) },
      {
        name: 'waiting (IRR)',
        value: list(vectorsOf(lapic.irr)),
        children: vectorsOf(lapic.irr).map((v) => ({ name: hex(v, 2), value: heldWords(lapic.whyHeld(v)) })),
      },
      { name: 'level-triggered (TMR)', value: list(vectorsOf(lapic.tmr)) },
    ],
  };
}

/** `vector 20 waits: class 2 is not above PPR class 3, vector 30 is in service`. */
export function heldWords({ vector, state, ppr, tpr, by, inService, first }: Held): string {
  const name = `vector ${hex(vector, 2)}`;
  switch (state) {
    case 'notPending':
      return `${name} is not pending`;
    case 'deliverable':
      return `${name} is next to be taken`;
    case 'behind':
      return `${name} waits behind vector ${hex(first, 2)}`;
    case 'priority':
      return `${name} waits: class ${hex(vector >>> 4)} is not above PPR class ${hex(ppr >>> 4)}, ${by === 'TPR' ? `TPR is ${hex(tpr, 2)}` : `vector ${hex(inService, 2)} is in service`}`;
  }
}
