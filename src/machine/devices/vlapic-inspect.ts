/** The local APIC as a tree of decoded registers, and the sentence on why a vector waits. */
import { hex } from '../base/bits.ts';
import { esrName } from '../ledger/words.ts';
import { APIC_REGISTERS, Apic, type ApicRegister, decodeFields, Lvt, timerShift } from '../x86/apic.ts';
import { icrFieldRows, icrSentence } from '../x86/icr.ts';
import type { InspectNode } from './device.ts';
import type { Held, Vlapic } from './vlapic.ts';
import { lvtIndexAt } from './vlapic-lvt.ts';
import { vectorsOf } from './vlapic-vectors.ts';

const list = (vectors: readonly number[]): string => (vectors.length === 0 ? '–' : vectors.map((v) => hex(v, 2)).join(' '));

/** `FIXED 20, periodic, masked`: what an LVT entry does. */
function lvtWords({ fields }: ApicRegister, value: number): string {
  const text = (name: string): string => decodeFields(fields, value).find((row) => row.name === name)?.text ?? '';
  const mode = text('delivery mode');
  const what = mode === '' || mode === 'FIXED' ? `FIXED ${text('vector')}` : mode;
  const details = [what, text('mode'), text('trigger') === 'level' ? 'level' : '', text('mask') === 'masked' ? 'masked' : ''];
  return details.filter((part) => part !== '').join(', ');
}

/** What a register's value means, in a few words; '' where there is nothing to say. */
export function registerWords(lapic: Vlapic, register: ApicRegister): string {
  const { offset } = register;
  const value = lapic.peek(offset, 4);
  if (offset >= Apic.ISR && offset < Apic.ESR) {
    const first = ((offset >>> 4) & 7) * 32;
    const vectors = Array.from({ length: 32 }, (_, n) => n).filter((n) => (value >>> n) & 1);
    return vectors.map((n) => hex(first + n, 2)).join(' ');
  }
  switch (offset) {
    case Apic.ID:
      return `APIC ID ${hex(value >>> 24, 2)}`;
    case Apic.VERSION:
      return `version ${hex(value & 0xff, 2)}, ${((value >>> 16) & 0xff) + 1} LVT entries`;
    case Apic.TPR:
    case Apic.APR:
    case Apic.PPR:
      return `class ${hex((value >>> 4) & 0xf)}`;
    case Apic.LDR:
      return value >>> 24 === 0 ? 'no logical ID' : `logical ID ${hex(value >>> 24, 2)}`;
    case Apic.DFR:
      return decodeFields(register.fields, value)[0]?.text ?? '';
    case Apic.SVR:
      return `software-${lapic.softwareEnabled ? 'enabled' : 'disabled'}, spurious vector ${hex(value & 0xff, 2)}`;
    case Apic.ESR:
      return [value === 0 ? '' : esrName(value), lapic.esrPending === 0 ? '' : `latched since: ${esrName(lapic.esrPending)}`]
        .filter((part) => part !== '')
        .join('; ');
    case Apic.ICR_LO:
      return lapic.icrLow === 0 && lapic.icrHigh === 0 ? '' : icrSentence(lapic.icrLow, lapic.icrHigh);
    case Apic.ICR_HI:
      return `destination ${hex(value >>> 24, 2)}`;
    case Apic.TICR:
      if (lapic.timer.initial === 0) return 'stopped';
      return `${lapic.timer.initial} = ${lapic.timer.interval(lapic.timer.initial)} ns${lapic.timer.running ? '' : ', not counting'}`;
    case Apic.TCCR:
      return value === 0 ? '' : `${value} = ${lapic.timer.interval(value)} ns`;
    case Apic.TDCR:
      return `÷${1 << timerShift(lapic.timer.divide)}`;
    default:
      return lvtIndexAt(offset) < 0 ? '' : lvtWords(register, value);
  }
}

/** What a register holds after RESET and INIT, u32. */
export function resetValue(lapic: Vlapic, { offset }: ApicRegister): number {
  switch (offset) {
    case Apic.ID:
      return (lapic.id << 24) >>> 0;
    case Apic.VERSION:
      return lapic.profile.apicVersion;
    case Apic.DFR:
      return 0xffffffff;
    case Apic.SVR:
      return 0xff;
    default:
      return lvtIndexAt(offset) < 0 ? 0 : Lvt.MASKED;
  }
}

function node(lapic: Vlapic, register: ApicRegister): InspectNode {
  if (register.access === 'wo') return { name: register.name, value: 'write only' };
  const value = lapic.peek(register.offset, 4);
  const said = registerWords(lapic, register);
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
