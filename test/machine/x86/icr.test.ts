/** The ICR decoder and the register map; SDM "Interrupt Command Register (ICR)". */
import { describe, expect, it } from 'vitest';
import {
  APIC_REGISTERS,
  Apic,
  apicRegisterAt,
  apicRegisterNamed,
  decodeFields,
  timerShift,
  x2apicMsr,
} from '../../../src/machine/x86/apic.ts';
import { decodeIcr, icrFieldRows, icrSentence, Shorthand } from '../../../src/machine/x86/icr.ts';

describe('ICR', () => {
  it.each([
    [0x000c4500, 0, 'INIT to all excluding self'],
    [0x000c4608, 0, 'SIPI 08 to all excluding self'],
    [0x00004609, 0x03000000, 'SIPI 09 to APIC ID 03'],
    [0x00004830, 0x04000000, 'FIXED 30 to logical destination 04'],
    [0x00004400, 0x01000000, 'NMI to APIC ID 01'],
    [0x000440f1, 0, 'FIXED F1 to self'],
    [0x000840f1, 0, 'FIXED F1 to all including self'],
    [0x00008500, 0x01000000, 'INIT level de-assert to APIC ID 01'],
    [0x0000c500, 0x01000000, 'INIT to APIC ID 01'],
    [0x00004500, 0xff000000, 'INIT to every APIC (destination FF)'],
    [0x00004931, 0xff000000, 'LOWPRIO 31 to every APIC (destination FF)'],
    [0x00004200, 0x01000000, 'SMI to APIC ID 01'],
    [0x000007f1, 0x01000000, 'mode 7 F1 to APIC ID 01'],
  ])('%i reads as a sentence', (low, high, sentence) => expect(icrSentence(low, high)).toBe(sentence));

  it('000C4500h, field by field', () => {
    expect(icrFieldRows(0x000c4500).map(({ bits, binary, text }) => [bits, binary, text])).toEqual([
      ['31:20', '000000000000', '–'],
      ['19:18', '11', 'all excluding self'],
      ['17:16', '00', '–'],
      ['15', '0', 'edge'],
      ['14', '1', 'assert'],
      ['13', '0', '–'],
      ['12', '0', 'idle'],
      ['11', '0', 'physical'],
      ['10:8', '101', 'INIT'],
      ['7:0', '00000000', '00, unused'],
    ]);
  });
  it('a reserved field that is not 0 shows its value', () => {
    expect(icrFieldRows(0xfff0_0000)[0]).toMatchObject({ bits: '31:20', value: 0xfff, text: 'FFF' });
  });
  it('decodes every field', () => {
    expect(decodeIcr(0x0004_c8f1, 0x8100_0000)).toEqual({
      low: 0x4c8f1,
      high: 0x81000000,
      vector: 0xf1,
      mode: 0,
      modeName: 'FIXED',
      logical: true,
      assert: true,
      levelTriggered: true,
      shorthand: Shorthand.SELF,
      destination: 0x81,
    });
  });
});

describe('local APIC register map', () => {
  it('has every register of the manual, on multiples of 16, in order', () => {
    const offsets = APIC_REGISTERS.map((r) => r.offset);
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
    expect(new Set(offsets).size).toBe(offsets.length);
    expect(offsets.every((o) => o % 16 === 0 && o < 0x400)).toBe(true);
    expect(offsets).toHaveLength(48);
  });
  it('the fields of a register cover its 32 bits without gap or overlap', () => {
    for (const { name, fields } of APIC_REGISTERS) {
      let next = 31;
      for (const { high, low } of fields) {
        expect(high, name).toBe(next);
        next = low - 1;
      }
      expect(next, name).toBe(-1);
    }
  });
  it('is found by offset and by name in any case', () => {
    expect(apicRegisterNamed('icr_lo')?.offset).toBe(0x300);
    expect(apicRegisterNamed('ISR7')?.offset).toBe(0x170);
    expect(apicRegisterAt(Apic.SVR)?.name).toBe('SVR');
    expect(apicRegisterAt(0x40)).toBeUndefined();
  });
  it('the x2APIC MSR of a register is 800h + offset / 16', () => expect(x2apicMsr(0x300)).toBe(0x830));
  it('the divisor is 2 to the bits 3, 1 and 0 plus one, and 111b divides by 1', () => {
    expect([0, 1, 2, 3, 8, 9, 10, 11].map((d) => 1 << timerShift(d))).toEqual([2, 4, 8, 16, 32, 64, 128, 1]);
  });
  it('a value is shown in words where the manual has them', () => {
    const rows = decodeFields(apicRegisterNamed('DFR')?.fields ?? [], 0xffffffff);
    expect(rows[0]).toMatchObject({ name: 'model', text: 'flat' });
  });
});
