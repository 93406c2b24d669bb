import { describe, expect, it } from 'vitest';
import { Access } from '../../../src/machine/devices/device.ts';
import { Vrtc } from '../../../src/machine/devices/vrtc.ts';
import { VirtualClock } from '../../../src/machine/time/clock.ts';
import { elapseTo } from './elapse.ts';

const SECOND = 1e9;
/** 2026-11-22 21:30:45, a Sunday. */
const START = Date.UTC(2026, 10, 22, 21, 30, 45) / 1000;

const A = 0x0a;
const B = 0x0b;
const C = 0x0c;
const D = 0x0d;

function make({ strict = false, startSeconds = START } = {}) {
  const clock = new VirtualClock(1);
  /** Milliseconds at which the pin was driven, and to what. */
  const irqs: [number, boolean][] = [];
  const rtc = new Vrtc({ strict, startSeconds }, { clock, irq: (level) => void irqs.push([clock.nowNs / 1e6, level]) });
  // no periodic flag unless a test wants one
  rtc.ports.write(0, 1, A);
  rtc.ports.write(1, 1, 0x20);
  return {
    clock,
    irqs,
    rtc,
    read(index: number): number {
      rtc.ports.write(0, 1, index);
      return rtc.ports.read(1, 1);
    },
    write(index: number, value: number): void {
      rtc.ports.write(0, 1, index);
      rtc.ports.write(1, 1, value);
    },
    at: (seconds: number): void => elapseTo(clock, seconds * SECOND),
  };
}
type Rig = ReturnType<typeof make>;

/** Century to seconds, as the bytes read. */
const timeBytes = ({ read }: Rig): number[] => [0x32, 9, 8, 7, 6, 4, 2, 0].map(read);
const setTime = (
  { write }: Rig,
  [century, year, month, day, hour, minute, second]: [number, number, number, number, number, number, number],
): void => {
  write(B, 0x82);
  for (const [index, value] of [
    [0x32, century],
    [9, year],
    [8, month],
    [7, day],
    [4, hour],
    [2, minute],
    [0, second],
  ] as const)
    write(index, value);
  write(B, 0x02);
};

describe.each([false, true])('MC146818 (bhyve: %s)', (strict) => {
  it('gives date and time in BCD and 24 hours, Sunday being day 1', () => {
    expect(timeBytes(make({ strict }))).toEqual([0x20, 0x26, 0x11, 0x22, 0x01, 0x21, 0x30, 0x45]);
  });

  it('advances once a second, through midnight and the end of the year', () => {
    const rig = make({ strict, startSeconds: Date.UTC(2027, 11, 31, 23, 59, 58) / 1000 });
    rig.at(0.999);
    expect(rig.read(0)).toBe(0x58);
    rig.at(1);
    expect(rig.read(0)).toBe(0x59);
    rig.at(2);
    expect(timeBytes(rig)).toEqual([0x20, 0x28, 0x01, 0x01, 0x07, 0x00, 0x00, 0x00]);
  });

  it('knows the 29th of February', () => {
    const rig = make({ strict, startSeconds: Date.UTC(2028, 1, 28, 23, 59, 59) / 1000 });
    rig.at(1);
    expect([rig.read(8), rig.read(7)]).toEqual([0x02, 0x29]);
  });

  it('while SET is 1 the bytes stand still and can be written; the time goes on from them', () => {
    const rig = make({ strict });
    rig.write(B, 0x82);
    rig.at(10);
    expect(rig.read(0)).toBe(0x45);
    setTime(rig, [0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58]);
    rig.at(12);
    expect(timeBytes(rig)).toEqual([0x20, 0x00, 0x01, 0x01, 0x07, 0x00, 0x00, 0x00]);
  });

  it('keeps its phase when SET is cleared: the next update comes with the divider', () => {
    const rig = make({ strict });
    rig.at(3.7);
    setTime(rig, [0x20, 0x26, 0x01, 0x01, 0x00, 0x00, 0x00]);
    rig.at(3.999);
    expect(rig.read(0)).toBe(0);
    rig.at(4);
    expect(rig.read(0)).toBe(1);
  });

  it('a time byte can be written without SET', () => {
    const rig = make({ strict });
    rig.at(2.5);
    rig.write(2, 0x10);
    expect(timeBytes(rig).slice(5)).toEqual([0x21, 0x10, 0x47]);
    rig.at(3);
    expect(timeBytes(rig).slice(5)).toEqual([0x21, 0x10, 0x48]);
  });

  it('the high bit of the seconds is read-only', () => {
    const rig = make({ strict });
    rig.write(B, 0x82);
    rig.write(0, 0x92);
    expect(rig.read(0)).toBe(0x12);
  });

  it('a time that does not exist stands still until it is put right', () => {
    const rig = make({ strict });
    setTime(rig, [0x20, 0x27, 0x02, 0x29, 0x12, 0x00, 0x00]);
    rig.at(5);
    expect(timeBytes(rig).slice(3)).toEqual([0x29, 0x01, 0x12, 0x00, 0x00]);
    rig.write(7, 0x28);
    rig.at(7);
    expect(rig.read(0)).toBe(0x02);
  });

  it('DM selects binary', () => {
    const rig = make({ strict });
    rig.write(B, 0x86);
    for (const [index, value] of [
      [0x32, 20],
      [9, 26],
      [8, 11],
      [7, 22],
      [4, 23],
      [2, 59],
      [0, 59],
    ] as const)
      rig.write(index, value);
    rig.write(B, 0x06);
    rig.at(1);
    expect(timeBytes(rig)).toEqual([20, 26, 11, 23, 2, 0, 0, 0]);
  });

  it('counts 12 hours with PM in bit 7', () => {
    const cases = [
      [0, 0x12],
      [1, 0x01],
      [11, 0x11],
      [12, 0x92],
      [13, 0x81],
      [23, 0x91],
    ] as const;
    for (const [hour, byte] of cases) {
      const rig = make({ strict, startSeconds: hour * 3600 });
      rig.write(B, 0x80);
      rig.write(4, byte);
      rig.write(B, 0x00);
      expect(rig.read(4)).toBe(byte);
      rig.write(2, 0x59);
      rig.write(0, 0x59);
      rig.at(1);
      const next = (hour + 1) % 24;
      expect(rig.read(4)).toBe(cases.find(([h]) => h === next)?.[1] ?? (next % 12 <= 9 ? next % 12 : 0x10) + (next >= 12 ? 0x80 : 0));
    }
  });

  it('a divider that is not 010 stops the time; the first update comes half a second after it is', () => {
    const rig = make({ strict });
    rig.at(0.2);
    rig.write(A, 0x70);
    rig.at(10);
    expect(rig.read(0)).toBe(0x45);
    rig.write(A, 0x20);
    rig.at(10.499);
    expect(rig.read(0)).toBe(0x45);
    rig.at(10.5);
    expect(rig.read(0)).toBe(0x46);
  });

  it('the update-ended flag rises every second and falls when register C is read', () => {
    const rig = make({ strict });
    expect(rig.read(C)).toBe(0);
    rig.at(1);
    expect(rig.read(C)).toBe(0x10);
    expect(rig.read(C)).toBe(0);
    rig.at(2);
    expect(rig.read(C)).toBe(0x10);
  });

  it('UIE interrupts after every update, once register C was read', () => {
    const rig = make({ strict });
    rig.write(B, 0x12);
    rig.at(1.5);
    expect(rig.read(C)).toBe(0x90);
    rig.at(5);
    expect(rig.irqs.filter(([, level]) => level).map(([ms]) => ms)).toEqual([1000, 2000]);
  });

  it('PIE interrupts at the rate of RS', () => {
    const rates = [0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2];
    for (let rs = 0; rs < 16; rs++) {
      const rig = make({ strict });
      rig.write(A, 0x20 | rs);
      rig.write(B, 0x42);
      let interrupts = 0;
      while (rig.clock.nextDueNs <= SECOND) {
        rig.clock.skipTo(rig.clock.nextDueNs);
        rig.clock.ring();
        if ((rig.read(C) & 0xc0) === 0xc0) interrupts++;
      }
      expect(interrupts).toBe(rates[rs]);
    }
  });

  it('the periodic flag rises without PIE', () => {
    const rig = make({ strict });
    rig.write(A, 0x26);
    rig.at(0.0009);
    expect(rig.read(C)).toBe(0);
    rig.at(0.001);
    expect(rig.read(C)).toBe(0x40);
  });

  it('AIE interrupts when hours, minutes and seconds match the alarm bytes', () => {
    const rig = make({ strict });
    for (const [index, value] of [
      [5, 0x21],
      [3, 0x31],
      [1, 0x05],
    ] as const)
      rig.write(index, value);
    rig.write(B, 0x22);
    rig.at(19);
    expect(rig.irqs).toEqual([]);
    rig.at(20);
    expect(rig.irqs[0]).toEqual([20_000, true]);
    expect(rig.read(C)).toBe(0xb0);
  });

  it('an alarm byte of C0h to FFh matches everything', () => {
    const minutely = make({ strict });
    for (const [index, value] of [
      [5, 0xff],
      [3, 0xc0],
      [1, 0x00],
    ] as const)
      minutely.write(index, value);
    minutely.write(B, 0x22);
    const seen = [];
    while (minutely.clock.nextDueNs <= 200 * SECOND) {
      minutely.clock.skipTo(minutely.clock.nextDueNs);
      minutely.clock.ring();
      seen.push(minutely.clock.nowNs / SECOND);
      minutely.read(C);
    }
    expect(seen).toEqual([15, 75, 135, 195]);
    const always = make({ strict });
    for (const index of [5, 3, 1]) always.write(index, 0xff);
    always.at(1);
    expect(always.read(C)).toBe(0x30);
  });

  it('finds the alarm of tomorrow, and none where a byte matches nothing', () => {
    const rig = make({ strict });
    for (const [index, value] of [
      [5, 0x21],
      [3, 0x30],
      [1, 0x45],
    ] as const)
      rig.write(index, value);
    rig.write(B, 0x22);
    expect(rig.clock.nextDueNs).toBe(86_400 * SECOND);
    rig.write(1, 0x60);
    expect(rig.clock.nextDueNs).toBe(Number.POSITIVE_INFINITY);
    rig.write(1, 0x44);
    expect(rig.clock.nextDueNs).toBe(86_399 * SECOND);
    rig.write(1, 0xff);
    expect(rig.clock.nextDueNs).toBe(1 * SECOND);
    rig.write(3, 0x29);
    expect(rig.clock.nextDueNs).toBe((86_400 - 45 - 60) * SECOND);
    rig.write(5, 0x20);
    expect(rig.clock.nextDueNs).toBe((86_400 - 3600 - 45 - 60) * SECOND);
  });

  it('SET clears UIE', () => {
    const rig = make({ strict });
    rig.write(B, 0x92);
    expect(rig.read(B)).toBe(0x82);
  });

  it('enabling an interrupt whose flag is up interrupts at once', () => {
    const rig = make({ strict });
    rig.at(1.5);
    rig.write(B, 0x12);
    expect(rig.irqs[0]).toEqual([1500, true]);
  });

  it('registers C and D cannot be written, and D says that the time is valid', () => {
    const rig = make({ strict });
    rig.write(C, 0xff);
    rig.write(D, 0x00);
    expect([rig.read(C), rig.read(D)]).toEqual([0, 0x80]);
  });

  it('has RAM from 0Eh to 7Fh but for the century', () => {
    const rig = make({ strict });
    for (let index = 0x0e; index < 0x80; index++) if (index !== 0x32) rig.write(index, index ^ 0x5a);
    for (let index = 0x0e; index < 0x80; index++) if (index !== 0x32) expect(rig.read(index)).toBe(index ^ 0x5a);
  });

  it('bit 7 of port 70h masks NMI and is not part of the index, which cannot be read', () => {
    const rig = make({ strict });
    rig.write(0x8e, 0x77);
    expect(rig.rtc.nmiMasked).toBe(true);
    expect(rig.rtc.ports.read(0, 1)).toBe(0xff);
    expect(rig.read(0x0e)).toBe(0x77);
    expect(rig.rtc.nmiMasked).toBe(false);
  });

  it('takes RAM bytes from the model, and nothing else', () => {
    const rig = make({ strict });
    rig.rtc.setByte(0x5f, 3);
    expect(rig.read(0x5f)).toBe(3);
    for (const index of [0, 0x0d, 0x32, 0x80, 1.5]) expect(() => rig.rtc.setByte(index, 1)).toThrow(RangeError);
  });

  it('a reset clears the enables and the flags; time and RAM are on the battery', () => {
    const rig = make({ strict });
    rig.write(0x40, 0x99);
    rig.write(B, 0x7a);
    rig.at(2);
    rig.rtc.reset();
    expect(rig.irqs.at(-1)?.[1]).toBe(false);
    expect(rig.clock.pending()).toEqual([]);
    expect([rig.read(B), rig.read(C), rig.read(0x40), rig.read(0)]).toEqual([0x02, 0, 0x99, 0x47]);
  });

  it('a look at register C leaves its flags', () => {
    const rig = make({ strict });
    rig.write(B, 0x12);
    rig.at(1);
    rig.rtc.ports.write(0, 1, C);
    expect(rig.rtc.ports.peek?.(1, 1)).toBe(0x90);
    expect(rig.rtc.ports.peek?.(1, 1)).toBe(0x90);
    expect(rig.rtc.peekByte(0)).toBe(0x46);
  });
});

describe('a PC MC146818', () => {
  it('UIP is 1 from 244 µs before an update until its end, 1,984 µs long', () => {
    const rig = make();
    const uip = (seconds: number): number => {
      rig.at(seconds);
      return rig.read(A) & 0x80;
    };
    expect([uip(0.9977), uip(0.9978), uip(0.9999), uip(1)]).toEqual([0, 0x80, 0x80, 0]);
    rig.write(B, 0x82);
    expect(uip(1.999)).toBe(0);
  });

  it('has its divider running and 1,024 Hz selected at power-on', () => {
    const rtc = new Vrtc({ strict: false, startSeconds: 0 }, { clock: new VirtualClock(1), irq: () => {} });
    expect([A, B, C, D].map((index) => rtc.peekByte(index))).toEqual([0x26, 0x02, 0x00, 0x80]);
  });

  it('UIP cannot be written', () => {
    const rig = make();
    rig.write(A, 0xa6);
    expect(rig.read(A)).toBe(0x26);
  });

  it('holds the interrupt line until register C is read', () => {
    const rig = make();
    rig.write(B, 0x12);
    rig.at(1.25);
    rig.read(C);
    expect(rig.irqs).toEqual([
      [1000, true],
      [1250, false],
    ]);
  });

  it('IRQF falls when its enable is taken away', () => {
    const rig = make();
    rig.write(B, 0x12);
    rig.at(1);
    rig.write(B, 0x02);
    expect(rig.read(C)).toBe(0x10);
  });

  it('a new data mode leaves the bytes as they are', () => {
    const rig = make();
    rig.write(B, 0x06);
    expect(rig.read(2)).toBe(0x30);
  });

  it('a wide access goes byte by byte', () => {
    const rig = make();
    rig.rtc.ports.write(0, 2, 0x7740);
    expect(rig.read(0x40)).toBe(0x77);
    expect(rig.rtc.ports.read(0, 2)).toBe(0x77ff);
  });
});

describe("bhyve's vrtc", () => {
  it('never shows UIP', () => {
    const rig = make({ strict: true });
    rig.at(0.9995);
    expect(rig.read(A)).toBe(0x20);
  });

  it('pulses its interrupt, and IRQF stays until register C is read', () => {
    const rig = make({ strict: true });
    rig.write(B, 0x12);
    rig.at(1);
    rig.write(B, 0x02);
    expect(rig.irqs).toEqual([
      [1000, true],
      [1000, false],
    ]);
    expect(rig.read(C)).toBe(0x90);
  });

  it('puts the time into a new data mode', () => {
    const rig = make({ strict: true });
    rig.write(B, 0x06);
    expect([rig.read(4), rig.read(2)]).toEqual([21, 30]);
  });

  it('sends every access that is not one byte to userspace', () => {
    const { rtc } = make({ strict: true });
    for (const size of [2, 4]) {
      expect(rtc.ports.read(0, size)).toBe(Access.toUserspace);
      expect(rtc.ports.write(0, size, 0)).toBe(Access.toUserspace);
    }
  });
});

it('inspection gives the time in words', () => {
  const rig = make();
  rig.at(15);
  expect(rig.rtc.inspect().value).toBe('2026-11-22 21:31:00');
  expect(rig.rtc.inspect().children?.find((row) => row.name === 'register B')?.value).toBe('02h (24/12)');
});
