/**
 * Power management function of the PIIX4, function 8086:7113 (Intel 82371AB data sheet, "Power Management", "PCI Configuration Registers", function
 * 3): where in I/O space the PM block (64 ports) lies. The block's registers are other chips (acpipm, vpmtmr); the remaining configuration registers
 * hold what is written. Not implemented: the SMBus controller, device monitors, SMI generation.
 */
import { hex } from '../base/bits.ts';
import type { Device, InspectNode } from './device.ts';
import { ConfigSpace, PciRegister, type PciFunction } from './pci.ts';
import { checkKind } from './validate.ts';

const PMBASE = 0x40;
const DEVACTB = 0x58;
const PMREGMISC = 0x80;
const SMBBA = 0x90;

const PMBASE_MASK = 0xffc0;
const PMIOSE = 0x01;
/** DEVACTB: a write to the APM control port raises an SMI. Firmware that finds it set leaves system management mode alone. */
const APMC_EN = 0x02000000;

export interface Piix4PmWiring {
  /** The PM block answers at ports `base`..`base + 63` from now on, or nowhere while not `enabled`. Called when that changes, at reset and after a load. */
  pmBlock(base: number, enabled: boolean): void;
}

export type Piix4PmState = { kind: 'piix4pm'; version: 1; config: Uint8Array };

export class Piix4Pm implements Device<Piix4PmState>, PciFunction {
  readonly name = 'piix4pm';
  // state
  private readonly config = new ConfigSpace([
    { register: PciRegister.VENDOR_ID, size: 4, value: 0x71138086 },
    { register: PciRegister.COMMAND, size: 2, value: 0, writable: 0x0001 },
    { register: PciRegister.STATUS, size: 2, value: 0x0280, clearable: 0x7800 },
    { register: PciRegister.REVISION_ID, size: 4, value: 0x06800003 },
    { register: 0x0d, size: 1, value: 0, writable: 0xf8 },
    { register: PciRegister.INTERRUPT_LINE, size: 1, value: 0, writable: 0xff },
    { register: PciRegister.INTERRUPT_PIN, size: 1, value: 0x01 },
    { register: PMBASE, size: 4, value: 0x00000001, writable: PMBASE_MASK },
    { register: 0x44, size: 4, value: 0, writable: 0xffffffff }, // CNTA
    { register: 0x48, size: 4, value: 0, writable: 0xffffffff }, // CNTB
    { register: 0x4c, size: 4, value: 0, writable: 0xffffffff }, // GPICTL
    { register: 0x50, size: 4, value: 0, writable: 0xffffffff }, // DEVRESD
    { register: 0x54, size: 4, value: 0, writable: 0xffffffff }, // DEVACTA
    // There is no SMM: as if its handler were installed already.
    { register: DEVACTB, size: 4, value: APMC_EN, writable: 0xffffffff },
    ...[0x5c, 0x60, 0x64, 0x68, 0x6c, 0x70, 0x74, 0x78, 0x7c].map((register) => ({ register, size: 4, value: 0, writable: 0xffffffff })), // DEVRESA-J
    { register: PMREGMISC, size: 1, value: 0, writable: PMIOSE },
    { register: SMBBA, size: 4, value: 0x00000001, writable: 0xfff0 },
    { register: 0xd2, size: 1, value: 0, writable: 0x0f }, // SMBHSTCFG
    { register: 0xd3, size: 1, value: 0, writable: 0xff }, // SMBSLVC
    { register: 0xd4, size: 2, value: 0, writable: 0xffff }, // SMBSHDW1-2
  ]);

  constructor(
    // wiring
    private readonly wiring: Piix4PmWiring,
  ) {}

  configRead(register: number, size: number): number {
    return this.config.get(register, size);
  }

  configWrite(register: number, size: number, value: number): void {
    const [base, enabled] = [this.base, this.enabled];
    this.config.write(register, size, value);
    if (base !== this.base || enabled !== this.enabled) this.wiring.pmBlock(this.base, this.enabled);
  }

  reset(): void {
    this.config.reset();
    this.wiring.pmBlock(this.base, this.enabled);
  }

  save(): Piix4PmState {
    return { kind: 'piix4pm', version: 1, config: this.config.save() };
  }

  load(state: Piix4PmState): void {
    checkKind(state, 'piix4pm', 1);
    this.config.check(state.config, 'piix4pm.config');
    this.config.load(state.config);
    this.wiring.pmBlock(this.base, this.enabled);
  }

  inspect(): InspectNode {
    const block = this.enabled ? `PM block at ${hex(this.base, 4)}` : 'PM block off';
    return {
      name: this.name,
      value: block,
      children: [...this.config.inspect(), { name: 'DEVACTB', value: hex(this.config.get(DEVACTB, 4), 8) }],
    };
  }

  private get base(): number {
    return this.config.get(PMBASE, 2) & PMBASE_MASK;
  }

  /** PMIOSE alone opens the block; the command register's I/O bit is for the SMBus. */
  private get enabled(): boolean {
    return (this.config.get(PMREGMISC, 1) & PMIOSE) !== 0 && this.base !== 0;
  }
}
