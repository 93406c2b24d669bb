/**
 * Host bridge of the 440FX chip set, function 8086:1237 (Intel 82441FX PMC data sheet, "PCI Configuration Space Mapped Registers").
 *
 * The memory controller registers hold what is written. Only the attributes of the memory between C0000h and FFFFFh (PAM) and the visibility of
 * SMRAM have an effect. Not implemented: error reporting, DRAM sizing by row boundaries, timers.
 */
import { hex } from '../base/bits.ts';
import type { Device, InspectNode, Pin } from './device.ts';
import { ConfigSpace, PciRegister, type PciFunction } from './pci.ts';
import { checkKind } from './validate.ts';

const PAM0 = 0x59;
const PAM_COUNT = 7;
const SMRAM = 0x72;

/** Attribute bits of one memory segment: half a PAM register. */
const PAM_READ = 1;
const PAM_WRITE = 2;

const SMRAM_OPEN = 0x40;
const SMRAM_CLOSED = 0x20;
const SMRAM_LOCKED = 0x10;
const SMRAM_ENABLE = 0x08;
/** C_BASE_SEG: 010, the only value there is (A0000h). */
const SMRAM_BASE = 0x02;

/** The 13 segments, in the order of the registers: PAM0 has only an upper half, F0000h-FFFFFh. */
const SEGMENTS = [
  { register: PAM0, shift: 4, start: 0xf0000, length: 0x10000 },
  ...Array.from({ length: 12 }, (_, i) => ({
    register: PAM0 + 1 + (i >> 1),
    shift: 4 * (i & 1),
    start: 0xc0000 + i * 0x4000,
    length: 0x4000,
  })),
];

export interface I440fxWiring {
  /**
   * Where accesses to `length` bytes from `start` (C0000h..FFFFFh) go: to RAM, or else out to PCI, where the ROM is. Called for each segment whose
   * attributes have changed, and for all of them at reset and after a load.
   */
  shadow(start: number, length: number, readsRam: boolean, writesRam: boolean): void;
  /** Is SMRAM (A0000h-BFFFFh) visible as RAM outside system management mode? */
  smramOpen?: Pin;
}

export type I440fxState = { kind: 'i440fx'; version: 1; config: Uint8Array };

export class I440fx implements Device<I440fxState>, PciFunction {
  readonly name = 'i440fx';
  // state
  private readonly config: ConfigSpace;

  /**
   * @param subsystem subsystem IDs, device ID in the upper half: hypervisors mark their machines by them (QEMU: 11001AF4h); 0 for the real chip
   */
  constructor(
    // static configuration
    subsystem: number,
    // wiring
    private readonly wiring: I440fxWiring,
  ) {
    this.config = new ConfigSpace([
      { register: PciRegister.VENDOR_ID, size: 4, value: 0x12378086 },
      { register: PciRegister.COMMAND, size: 2, value: 0x0006, writable: 0x0142 },
      { register: PciRegister.STATUS, size: 2, value: 0x0280, clearable: 0xf900 },
      { register: PciRegister.REVISION_ID, size: 4, value: 0x06000002 },
      { register: 0x0d, size: 1, value: 0, writable: 0xf8 }, // MLT
      { register: PciRegister.SUBSYSTEM_VENDOR_ID, size: 4, value: subsystem },
      { register: 0x50, size: 4, value: 0, writable: 0xffffffff }, // PMCCFG, DETURBO, DBC
      { register: 0x54, size: 4, value: 0x01000000, writable: 0xffff00ff }, // AXC, DRAMR, DRAMC
      { register: 0x58, size: 1, value: 0, writable: 0xff }, // DRAMT
      { register: PAM0, size: 1, value: 0, writable: 0x30 },
      ...Array.from({ length: PAM_COUNT - 1 }, (_, i) => ({ register: PAM0 + 1 + i, size: 1, value: 0, writable: 0x33 })),
      { register: 0x60, size: 4, value: 0x01010101, writable: 0xffffffff }, // DRB0-3
      { register: 0x64, size: 4, value: 0x01010101, writable: 0xffffffff }, // DRB4-7
      { register: 0x68, size: 1, value: 0, writable: 0xc0 }, // FDHC
      { register: 0x70, size: 2, value: 0, writable: 0xffff }, // MTT, CLT
      { register: SMRAM, size: 1, value: SMRAM_BASE, writable: 0x78 },
      { register: 0x90, size: 1, value: 0, writable: 0xff }, // ERRCMD
      { register: 0x91, size: 1, value: 0, clearable: 0x11 }, // ERRSTS
    ]);
  }

  configRead(register: number, size: number): number {
    return this.config.get(register, size);
  }

  configWrite(register: number, size: number, value: number): void {
    const before = this.config.save();
    this.config.write(register, size, value);
    this.lockSmram(before[SMRAM] ?? 0);
    for (const { register: pam, shift, start, length } of SEGMENTS) {
      const now = (this.config.get(pam, 1) >>> shift) & 3;
      if (now !== (((before[pam] ?? 0) >>> shift) & 3)) this.wiring.shadow(start, length, (now & PAM_READ) !== 0, (now & PAM_WRITE) !== 0);
    }
    if (this.open(before[SMRAM] ?? 0) !== this.open(this.config.get(SMRAM, 1))) this.drive();
  }

  reset(): void {
    this.config.reset();
    this.shadowAll();
    this.drive();
  }

  save(): I440fxState {
    return { kind: 'i440fx', version: 1, config: this.config.save() };
  }

  load(state: I440fxState): void {
    checkKind(state, 'i440fx', 1);
    this.config.check(state.config, 'i440fx.config');
    this.config.load(state.config);
    this.shadowAll();
    this.drive();
  }

  inspect(): InspectNode {
    const to = (segment: (typeof SEGMENTS)[number]): string => {
      const attributes = (this.config.get(segment.register, 1) >>> segment.shift) & 3;
      return `reads ${attributes & PAM_READ ? 'RAM' : 'ROM'}, writes ${attributes & PAM_WRITE ? 'RAM' : 'nothing'}`;
    };
    return {
      name: this.name,
      value: '8086:1237',
      children: [
        ...this.config.inspect(),
        {
          name: 'PAM',
          value: '',
          children: SEGMENTS.map((s) => ({ name: `${hex(s.start, 5)}-${hex(s.start + s.length - 1, 5)}`, value: to(s) })),
        },
        { name: 'SMRAM', value: `${hex(this.config.get(SMRAM, 1), 2)}${this.open(this.config.get(SMRAM, 1)) ? ', open' : ''}` },
      ],
    };
  }

  /** Once D_LCK is set, it and G_SMRAME cannot change and D_OPEN stays 0, until reset. */
  private lockSmram(before: number): void {
    const written = this.config.get(SMRAM, 1);
    if (before & SMRAM_LOCKED) this.config.set(SMRAM, 1, SMRAM_BASE | SMRAM_LOCKED | (before & SMRAM_ENABLE) | (written & SMRAM_CLOSED));
    else if (written & SMRAM_LOCKED) this.config.set(SMRAM, 1, written & ~SMRAM_OPEN);
  }

  private open(smram: number): boolean {
    return (smram & (SMRAM_OPEN | SMRAM_CLOSED | SMRAM_ENABLE)) === (SMRAM_OPEN | SMRAM_ENABLE);
  }

  private shadowAll(): void {
    for (const { register, shift, start, length } of SEGMENTS) {
      const attributes = (this.config.get(register, 1) >>> shift) & 3;
      this.wiring.shadow(start, length, (attributes & PAM_READ) !== 0, (attributes & PAM_WRITE) !== 0);
    }
  }

  private drive(): void {
    this.wiring.smramOpen?.(this.open(this.config.get(SMRAM, 1)));
  }
}
