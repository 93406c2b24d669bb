import { describe, expect, test } from 'vitest';
import { placeOf, referenceTo } from '../../src/dap/references.ts';

describe('a memory reference', () => {
  test('has one spelling for each place, and comes back as that place', () => {
    for (const place of [
      { space: 'physical', address: 0xfee00300 },
      { space: 'linear', vcpu: 3, address: 0 },
    ] as const)
      expect(placeOf(referenceTo(place), 0, 4)).toEqual(place);
    expect(referenceTo({ space: 'physical', address: 0xfee00300 })).toBe('phys:0xfee00300');
    expect(referenceTo({ space: 'linear', vcpu: 1, address: 0x8000 })).toBe('lin@1:0x00008000');
  });

  test('may be a plain number: a linear address of the vCPU that is looked at', () => {
    for (const number of ['0x8000', '8000h', '32768']) expect(placeOf(number, 2, 4)).toEqual({ space: 'linear', vcpu: 2, address: 0x8000 });
    expect(placeOf('lin:0x8000', 2, 4)).toEqual({ space: 'linear', vcpu: 2, address: 0x8000 });
  });

  test('takes an offset, and stays an address', () => {
    expect(placeOf('phys:0xfee00300', 0, 1, 4)).toEqual({ space: 'physical', address: 0xfee00304 });
    expect(placeOf('0x10', 0, 1, -16)).toEqual({ space: 'linear', vcpu: 0, address: 0 });
    expect(() => placeOf('0x10', 0, 1, -17)).toThrow('0x10 - 17 is no address; right are 0 to 0xffffffff.');
    expect(() => placeOf('0xffffffff', 0, 1, 1)).toThrow('0xffffffff + 1 is no address; right are 0 to 0xffffffff.');
  });

  test('that is none is refused with what would be right', () => {
    for (const bad of ['', 'here', 'phys:', 'phys:here', '0x100000000', 'seg:f000:fff0'])
      expect(() => placeOf(bad, 0, 4), bad).toThrow(`"${bad}" is no memory reference; right are phys:0xfee00300, lin@0:0x8000 and 0x8000.`);
    expect(() => placeOf('lin@4:0x0', 0, 4)).toThrow('"lin@4:0x0" is of vCPU4; there are vCPU0 to vCPU3.');
  });
});
