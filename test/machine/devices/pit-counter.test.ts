/** The closed form of an 8254 counter against one that is clocked tick by tick, as the data sheet's timing diagrams are drawn. */
import { expect, it } from 'vitest';
import { PitCounter } from '../../../src/machine/devices/pit-counter.ts';
import { Random } from './random.ts';

class ClockedCounter {
  private mode = 3;
  private modulus = 65_536;
  private cr = 0;
  /** The counting element; undefined until it is loaded. */
  ce: number | undefined;
  /** The count that CE was loaded with: in mode 3 it decides about odd and even. */
  private loaded = 0;
  private loadDue = false;
  private triggered = false;
  private wave = true;
  gate = true;

  program(mode: number, bcd: boolean): void {
    const { gate } = this;
    Object.assign(this, new ClockedCounter(), { gate, mode, modulus: bcd ? 10_000 : 65_536, wave: mode !== 0 });
  }
  firstByte(): void {
    if (this.mode === 0) this.stop();
  }
  write(count: number): void {
    this.cr = count;
    if (this.mode === 0) this.stop();
    if (this.mode === 0 || this.mode === 4) this.loadDue = true;
    else if ((this.mode === 2 || this.mode === 3) && this.ce === undefined && this.gate) this.loadDue = true;
  }
  private stop(): void {
    this.ce = undefined;
    this.loadDue = false;
    this.wave = false;
  }
  setGate(level: boolean): void {
    if (level && !this.gate && this.cr && this.mode !== 0 && this.mode !== 4) this.triggered = true;
    if (!level && (this.mode === 2 || this.mode === 3)) {
      this.triggered = false;
      this.loadDue = false;
    }
    this.gate = level;
  }
  get out(): boolean {
    return (this.mode === 2 || this.mode === 3) && !this.gate ? true : this.wave;
  }

  private load(): void {
    this.loaded = this.cr;
    this.ce = this.mode === 3 ? this.cr - (this.cr & 1) : this.cr;
    this.loadDue = false;
    this.triggered = false;
  }

  tick(): void {
    if (this.triggered || this.loadDue) {
      const { triggered } = this;
      this.load();
      if (this.mode === 1 && triggered) this.wave = false;
      if (this.mode > 1) this.wave = true;
      return;
    }
    if (this.mode >= 4) this.wave = true;
    if (this.ce === undefined) return;
    if (!this.gate && this.mode !== 1 && this.mode !== 5) return;
    if (this.mode === 2) {
      if (this.ce === 1) this.load();
      else this.ce--;
      this.wave = this.ce !== 1;
    } else if (this.mode === 3) {
      // the high half of an odd count lasts one clock longer: it goes on to 0
      const last = this.loaded & 1 && this.wave ? 0 : 2;
      if (this.ce === last) {
        this.wave = !this.wave;
        this.load();
      } else this.ce -= 2;
    } else {
      this.ce = (this.ce + this.modulus - 1) % this.modulus;
      if (this.ce === 0) this.wave = this.mode <= 1;
    }
  }
}

const bcdOf = (n: number): number => Number.parseInt(String(n), 16);

it.each(Array.from({ length: 40 }, (_, i) => 31 * i + 1))(
  'counts and drives OUT as a clocked counter does, in every mode (seed %i)',
  (seed) => {
    const random = new Random(seed);
    const closed = new PitCounter(true);
    const clocked = new ClockedCounter();
    let bcd = false;
    let strobeHeld = false;
    let before = { out: true, edge: -1, load: -1 };
    for (let tick = 0; tick < 4000; tick++) {
      closed.settle(tick);
      if (tick > 0) clocked.tick();
      const where = `tick ${tick}`;
      expect(closed.out(tick), where).toBe(clocked.out);
      if (before.load > tick && !closed.pulses) expect(closed.out(tick) !== before.out, `edge at ${where}`).toBe(before.edge === tick);
      closed.latchCount(tick);
      const count = closed.read(tick) | (closed.read(tick) << 8);
      // a strobe that GATE interrupts leaves the count one further
      if (clocked.ce !== undefined && !strobeHeld) expect(count, where).toBe(bcd ? bcdOf(clocked.ce % 10_000) : clocked.ce % 65_536);
      switch (random.below(30)) {
        case 0: {
          const mode = random.below(6);
          bcd = random.below(4) === 0;
          closed.program(0x30 | (mode << 1) | (bcd ? 1 : 0));
          clocked.program(mode, bcd);
          strobeHeld = false;
          break;
        }
        case 1: {
          const value = 2 + random.below(random.pick([4, 20, 300]));
          const word = bcd ? bcdOf(value) : value;
          closed.write(tick, word & 0xff);
          clocked.firstByte();
          closed.write(tick, word >> 8);
          clocked.write(value);
          strobeHeld = false;
          break;
        }
        case 2: {
          const level = random.below(3) > 0;
          if (clocked.ce === 0 && !level) strobeHeld = true;
          closed.setGate(tick, level);
          clocked.setGate(level);
          break;
        }
      }
      before = { out: closed.out(tick), edge: closed.nextEdge(tick), load: closed.loadTick };
    }
  },
);
