import { describe, expect, it } from 'vitest';
import { Uart16550 } from '../../../src/machine/devices/uart16550.ts';

const [RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const [THR, FCR, DLL, DLM] = [0, 2, 0, 1] as const;

function setUp() {
  const sent: number[] = [];
  const edges: boolean[] = [];
  const uart = new Uart16550('uart16550.com1', { transmit: (byte) => sent.push(byte), interrupt: (level) => edges.push(level) });
  return {
    uart,
    sent,
    edges,
    in: (offset: number) => uart.read(offset, 1),
    out: (offset: number, value: number) => uart.write(offset, 1, value),
  };
}

describe('16550A UART', () => {
  it('is ready to transmit after reset', () => {
    expect(setUp().in(LSR)).toBe(0x60);
  });
  it('sends what is written to THR, in order', () => {
    const { out, sent } = setUp();
    for (const c of [0x4f, 0x4b]) out(THR, c);
    expect(sent).toEqual([0x4f, 0x4b]);
  });
  it('shows the divisor latch at 0 and 1 while DLAB is set, and sends nothing', () => {
    const { in: inb, out, sent } = setUp();
    out(LCR, 0x83);
    out(DLL, 0x34);
    out(DLM, 0x12);
    expect([inb(DLL), inb(DLM)]).toEqual([0x34, 0x12]);
    out(LCR, 0x03);
    expect([inb(RBR), inb(IER), sent.length]).toEqual([0, 0, 0]);
  });
  it('keeps the scratch register', () => {
    const { in: inb, out } = setUp();
    out(SCR, 0xa5);
    expect(inb(SCR)).toBe(0xa5);
  });
  it('ignores writes to LSR and MSR', () => {
    const { in: inb, out } = setUp();
    out(LSR, 0);
    out(MSR, 0);
    expect([inb(LSR), inb(MSR)]).toEqual([0x60, 0xb0]);
  });
  it('says "data ready" until the last received character is read', () => {
    const { uart, in: inb, out } = setUp();
    out(FCR, 0x01);
    uart.receive(0x41);
    uart.receive(0x42);
    expect(inb(LSR) & 1).toBe(1);
    expect(inb(RBR)).toBe(0x41);
    expect(inb(LSR) & 1).toBe(1);
    expect(inb(RBR)).toBe(0x42);
    expect(inb(LSR) & 1).toBe(0);
  });
  it('without FIFOs, a second character overwrites the first and sets OE, which reading LSR clears', () => {
    const { uart, in: inb } = setUp();
    uart.receive(1);
    uart.receive(2);
    expect(inb(LSR) & 3).toBe(3);
    expect(inb(LSR) & 3).toBe(1);
    expect(inb(RBR)).toBe(2);
  });
  it('with FIFOs, the seventeenth character is lost and sets OE', () => {
    const { uart, in: inb, out } = setUp();
    out(FCR, 0x01);
    for (let i = 0; i < 16; i++) uart.receive(i);
    expect(inb(LSR) & 2).toBe(0);
    expect(uart.room).toBe(0);
    uart.receive(99);
    expect(inb(LSR) & 2).toBe(2);
    expect(Array.from({ length: 16 }, () => inb(RBR))).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect(inb(LSR) & 1).toBe(0);
  });
  it('empties the receiver FIFO when FCR bit 1 is set or FIFO mode changes', () => {
    for (const fcr of [0x03, 0x00]) {
      const { uart, in: inb, out } = setUp();
      out(FCR, 0x01);
      uart.receive(1);
      out(FCR, fcr);
      expect(inb(LSR) & 1).toBe(0);
    }
  });
  it('IIR bits 7 and 6 tell whether FIFOs are enabled', () => {
    const { in: inb, out } = setUp();
    expect(inb(IIR)).toBe(0x01);
    out(FCR, 0xc1);
    expect(inb(IIR)).toBe(0xc1);
  });
  it('IIR names the pending interrupt of the highest priority: line status, received data, THR empty, modem status', () => {
    const { uart, in: inb, out } = setUp();
    out(MCR, 0x10); // loopback drops CTS, DSR and DCD: modem status
    out(MCR, 0x00);
    out(IER, 0x0f);
    uart.receive(1);
    uart.receive(2);
    expect(inb(IIR)).toBe(0x06);
    inb(LSR);
    expect(inb(IIR)).toBe(0x04);
    inb(RBR);
    expect(inb(IIR)).toBe(0x02); // reading IIR takes THRE back
    expect(inb(IIR)).toBe(0x00);
    inb(MSR);
    expect(inb(IIR)).toBe(0x01);
  });
  it('below the trigger level the cause is the character timeout, from it on received data', () => {
    const { uart, in: inb, out } = setUp();
    out(FCR, 0x41); // trigger at 4
    out(IER, 0x01);
    for (let i = 0; i < 3; i++) uart.receive(i);
    expect(inb(IIR)).toBe(0xcc);
    uart.receive(3);
    expect(inb(IIR)).toBe(0xc4);
  });
  it('raises THRE when it is enabled and after each character, until IIR is read', () => {
    const { in: inb, out, edges } = setUp();
    out(IER, 0x02);
    expect(edges).toEqual([true]);
    expect(inb(IIR)).toBe(0x02);
    expect(edges).toEqual([true, false]);
    out(THR, 0x55);
    expect(edges).toEqual([true, false, true]);
    out(IER, 0x00);
    expect(edges).toEqual([true, false, true, false]);
  });
  it('in loopback mode what is sent is received, the wire is quiet, and the modem outputs are the inputs', () => {
    const { uart, in: inb, out, sent } = setUp();
    out(MCR, 0x10);
    out(THR, 0x7e);
    uart.receive(0x11);
    expect([inb(RBR), inb(LSR) & 1, sent.length]).toEqual([0x7e, 0, 0]);
    for (const [mcr, msr] of [
      [0x01, 0x20],
      [0x02, 0x10],
      [0x04, 0x40],
      [0x08, 0x80],
    ] as const) {
      out(MCR, 0x10 | mcr);
      expect(inb(MSR) & 0xf0).toBe(msr);
    }
  });
  it('RI makes a delta only on its trailing edge', () => {
    const { in: inb, out } = setUp();
    out(MCR, 0x10);
    inb(MSR);
    out(MCR, 0x14);
    expect(inb(MSR)).toBe(0x40);
    out(MCR, 0x10);
    expect(inb(MSR)).toBe(0x04);
  });
  it('looking changes nothing', () => {
    const { uart, out } = setUp();
    out(IER, 0x0f);
    uart.receive(1);
    uart.receive(2);
    const before = uart.save();
    for (let offset = 0; offset < 8; offset++) uart.peek(offset, 1);
    uart.inspect();
    expect(uart.save()).toEqual(before);
  });
  it('answers nothing but single bytes', () => {
    const { uart } = setUp();
    expect([uart.read(0, 2), uart.write(0, 4, 0), uart.read(8, 1)]).toEqual([-1, -1, -1]);
  });
});
