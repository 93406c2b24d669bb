import { describe, expect, it } from 'vitest';
import { AcpiPm } from '../../../src/machine/devices/acpipm.ts';
import { Debugcon } from '../../../src/machine/devices/debugcon.ts';
import { IsaDebugExit } from '../../../src/machine/devices/isadebug.ts';
import { Port92 } from '../../../src/machine/devices/port92.ts';

describe('port 92h', () => {
  function setUp() {
    const a20: boolean[] = [];
    let resets = 0;
    const port = new Port92({ a20: (level) => a20.push(level), reset: () => resets++ });
    return { port, a20, resets: () => resets };
  }
  it('bit 1 drives A20', () => {
    const { port, a20 } = setUp();
    port.write(0, 1, 0x02);
    port.write(0, 1, 0x02);
    port.write(0, 1, 0x00);
    expect(a20).toEqual([true, false]);
  });
  it('bit 0 resets the processors when it rises', () => {
    const { port, resets } = setUp();
    port.write(0, 1, 0x01);
    port.write(0, 1, 0x03);
    expect(resets()).toBe(1);
    port.write(0, 1, 0x02);
    port.write(0, 1, 0x03);
    expect(resets()).toBe(2);
  });
  it('reads back bits 0 and 1', () => {
    const { port } = setUp();
    port.write(0, 1, 0xfe);
    expect(port.read(0, 1)).toBe(0x02);
  });
});

describe('debug console', () => {
  it('reads E9 and passes on what is written', () => {
    const sent: number[] = [];
    const con = new Debugcon('debugcon', { transmit: (byte) => sent.push(byte) });
    for (const c of 'hi') con.write(0, 1, c.charCodeAt(0));
    expect([con.read(0, 1), sent]).toEqual([0xe9, [0x68, 0x69]]);
  });
});

describe('debug exit', () => {
  it('ends with twice the value and one', () => {
    const exits: number[] = [];
    const port = new IsaDebugExit({ exit: (status) => exits.push(status) });
    port.write(0, 1, 0x10);
    port.write(0, 1, 0x00);
    port.write(0, 4, 0xffffffff);
    expect(exits).toEqual([0x21, 0x01, 0x1_ffff_ffff]);
  });
});

describe('ACPI PM1 registers', () => {
  function setUp() {
    const sci: boolean[] = [];
    let offs = 0;
    const pm = new AcpiPm({ softOff: 5, acpiEnable: 0xa0, acpiDisable: 0xa1 }, { sci: (level) => sci.push(level), softOff: () => offs++ });
    return { pm, sci, offs: () => offs };
  }
  it('the SMI command port turns ACPI mode on and off', () => {
    const { pm } = setUp();
    expect(pm.read(4, 2)).toBe(0);
    pm.smiCommand.write(0, 1, 0xa0);
    expect(pm.read(4, 2)).toBe(1);
    pm.smiCommand.write(0, 1, 0xf0);
    expect(pm.read(4, 2)).toBe(1);
    pm.smiCommand.write(0, 1, 0xa1);
    expect(pm.read(4, 2)).toBe(0);
  });
  it('SLP_EN with the type of S5 turns the machine off; another type does not; SLP_EN reads 0', () => {
    const { pm, offs } = setUp();
    pm.write(4, 2, 0x2000 | (1 << 10));
    expect(offs()).toBe(0);
    pm.write(4, 2, 0x2000 | (5 << 10));
    expect([offs(), pm.read(4, 2)]).toEqual([1, 5 << 10]);
  });
  it('SLP_TYP and SLP_EN may be written as one byte', () => {
    const { pm, offs } = setUp();
    pm.write(5, 1, 0x34);
    expect(offs()).toBe(1);
  });
  it('the power button raises SCI when it is enabled and in ACPI mode, until its status is written with 1', () => {
    const { pm, sci } = setUp();
    pm.powerButton();
    expect([pm.read(0, 2), sci]).toEqual([0x0100, []]);
    pm.write(2, 2, 0x0100);
    pm.write(4, 2, 0x0001);
    expect(sci).toEqual([true]);
    pm.write(0, 2, 0x0000);
    expect(pm.read(0, 4)).toBe(0x0100_0100);
    pm.write(0, 2, 0x0100);
    expect([pm.read(0, 2), sci]).toEqual([0, [true, false]]);
  });
  it('an access beyond PM1_CNT is not there', () => {
    const { pm } = setUp();
    expect([pm.read(4, 4), pm.write(8, 4, 0)]).toEqual([-1, -1]);
  });
});

describe('a port device that loads what another saved', () => {
  it('reads as the other does, and repeats nothing that the other did but the level of A20', () => {
    const done: string[] = [];
    const port92 = (): Port92 => new Port92({ a20: () => done.push('a20'), reset: () => done.push('reset') });
    const pm = (): AcpiPm =>
      new AcpiPm({ softOff: 5, acpiEnable: 0xa0, acpiDisable: 0xa1 }, { sci: () => done.push('sci'), softOff: () => done.push('off') });
    const [port, twin] = [port92(), port92()];
    port.write(0, 1, 0x03);
    const [acpi, acpiTwin] = [pm(), pm()];
    acpi.write(4, 2, 0x3401);
    expect(done).toEqual(['a20', 'reset', 'off']);
    twin.load(port.save());
    acpiTwin.load(acpi.save());
    expect([twin.read(0, 1), acpiTwin.read(4, 2)]).toEqual([0x03, 0x1401]);
    expect(done).toEqual(['a20', 'reset', 'off', 'a20']);
  });
});
