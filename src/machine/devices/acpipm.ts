/**
 * ACPI fixed hardware: the PM1 event and control blocks and the SMI command port (ACPI 6.5, "ACPI Hardware Specification", "PM1 Event Grouping",
 * "PM1 Control Grouping"; Intel 82371AB PIIX4 data sheet, "Power Management I/O Registers"). The PM timer is a chip of its own (vpmtmr).
 *
 * Of the events only the power button exists. Not implemented: sleep button, RTC alarm, general-purpose events, sleep states other than soft-off,
 * system management mode: what firmware's SMI handler would do for the two ACPI commands is done here.
 */
import { bit, hex } from '../base/bits.ts';
import { Access, type Device, type InspectNode, type Pin, type RegisterFacet } from './device.ts';
import { checkBoolean, checkInteger, checkKind } from './validate.ts';

// PM1 event block (offsets 0, 2) and PM1 control block (offset 4), 16 bits each.
const PM1_STS = 0;
const PM1_EN = 2;
const PM1_CNT = 4;
const BLOCK_SIZE = 6;

const PWRBTN_STS = 0x0100;
/** Status bits that can be set: timer, bus master, global lock, power button, sleep button, RTC, wake. */
const STS_CLEARABLE = 0x8731;
const EN_WRITABLE = 0x0721;

const SCI_EN = 0x0001;
const SLP_TYP_SHIFT = 10;
const SLP_EN = 0x2000;
/** SCI_EN, BM_RLD and SLP_TYP; GBL_RLS and SLP_EN read as 0. */
const CNT_WRITABLE = 0x1c03;

export interface AcpiPmConfig {
  /** SLP_TYP that means soft-off (S5), 0..7: bhyve 5, PIIX4 0. */
  readonly softOff: number;
  /** Values written to the SMI command port that turn ACPI mode on and off: bhyve A0h and A1h, QEMU's PC F1h and F0h. */
  readonly acpiEnable: number;
  readonly acpiDisable: number;
}

export interface AcpiPmWiring {
  /** System control interrupt: high while ACPI mode is on and an enabled event is pending. */
  sci: Pin;
  /** The guest turns the machine off. */
  softOff(): void;
}

export type AcpiPmState = { kind: 'acpipm'; version: 1; status: number; enable: number; control: number; line: boolean };

const atReset = (): AcpiPmState => ({ kind: 'acpipm', version: 1, status: 0, enable: 0, control: 0, line: false });

export class AcpiPm implements Device<AcpiPmState>, RegisterFacet {
  readonly name = 'acpipm';
  // state
  private state = atReset();

  constructor(
    // static configuration
    private readonly config: AcpiPmConfig,
    // wiring
    private readonly wiring: AcpiPmWiring,
  ) {}

  /** The PM1 blocks: six ports, PM1_STS, PM1_EN, PM1_CNT. */
  read(offset: number, size: number): number {
    if (offset + size > BLOCK_SIZE) return Access.absent;
    const { status, enable, control } = this.state;
    const words = [status, enable, control];
    let value = 0;
    for (let i = size - 1; i >= 0; i--)
      value = ((value << 8) | (((words[(offset + i) >> 1] ?? 0) >>> (8 * ((offset + i) & 1))) & 0xff)) >>> 0;
    return value;
  }

  write(offset: number, size: number, value: number): number {
    if (offset + size > BLOCK_SIZE) return Access.absent;
    for (let i = 0; i < size; i++) this.writeByte(offset + i, (value >>> (8 * i)) & 0xff);
    this.drive();
    return Access.ok;
  }

  peek(offset: number, size: number): number {
    return this.read(offset, size);
  }

  /** The SMI command port (B2h). */
  readonly smiCommand: RegisterFacet = {
    read: (_offset, size) => (size === 1 ? 0 : Access.absent),
    write: (_offset, size, value) => {
      if (size !== 1) return Access.absent;
      if (value === this.config.acpiEnable) this.state.control |= SCI_EN;
      else if (value === this.config.acpiDisable) this.state.control &= ~SCI_EN;
      this.drive();
      return Access.ok;
    },
    peek: (_offset, size) => (size === 1 ? 0 : Access.absent),
  };

  /** Somebody presses the power button. */
  powerButton(): void {
    this.state.status |= PWRBTN_STS;
    this.drive();
  }

  reset(): void {
    this.state = atReset();
    this.wiring.sci(false);
  }

  save(): AcpiPmState {
    return { ...this.state };
  }

  load(state: AcpiPmState): void {
    checkKind(state, 'acpipm', 1);
    checkInteger('acpipm.status', state.status, 0, 0xffff);
    checkInteger('acpipm.enable', state.enable, 0, 0xffff);
    checkInteger('acpipm.control', state.control, 0, 0xffff);
    checkBoolean('acpipm.line', state.line);
    this.state = { ...state };
  }

  inspect(): InspectNode {
    const { status, enable, control, line } = this.state;
    return {
      name: this.name,
      value: `${control & SCI_EN ? 'ACPI mode' : 'legacy mode'}${line ? ', SCI' : ''}`,
      children: [
        { name: 'PM1_STS', value: hex(status, 4) },
        { name: 'PM1_EN', value: hex(enable, 4) },
        { name: 'PM1_CNT', value: hex(control, 4) },
      ],
    };
  }

  private writeByte(offset: number, byte: number): void {
    const s = this.state;
    const shift = 8 * (offset & 1);
    const merged = (word: number, mask: number): number => (word & ~(mask & (0xff << shift))) | ((byte << shift) & mask);
    switch (offset & ~1) {
      case PM1_STS:
        s.status &= ~((byte << shift) & STS_CLEARABLE);
        break;
      case PM1_EN:
        s.enable = merged(s.enable, EN_WRITABLE);
        break;
      case PM1_CNT:
        s.control = merged(s.control, CNT_WRITABLE);
        if ((byte << shift) & SLP_EN && ((s.control >>> SLP_TYP_SHIFT) & 7) === this.config.softOff) this.wiring.softOff();
        break;
    }
  }

  private drive(): void {
    const s = this.state;
    const level = bit(s.control, 0) && (s.status & s.enable) !== 0;
    if (level === s.line) return;
    s.line = level;
    this.wiring.sci(level);
  }
}
