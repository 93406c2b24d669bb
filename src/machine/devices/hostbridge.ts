/**
 * bhyve's host bridge, function 1275:1275 (the model `hostbridge`, whose IDs are NetApp's): an identity and one PCI Express capability of type root
 * port, which lets guests use MSI. It has no memory attributes: what lies below 1 MiB is RAM. Not implemented: its other model (`amd_hostbridge`).
 */
import type { Device, InspectNode } from './device.ts';
import { ConfigSpace, PciRegister, type PciFunction } from './pci.ts';
import { checkKind } from './validate.ts';

const PCIE_CAPABILITY = 0x40;
/** Capability version 2, device/port type 4 (root port). */
const PCIE_ROOT_PORT = 0x0042;

export type HostBridgeState = { kind: 'hostbridge'; version: 1; config: Uint8Array };

export class HostBridge implements Device<HostBridgeState>, PciFunction {
  readonly name = 'hostbridge';
  // state
  private readonly config = new ConfigSpace([
    { register: PciRegister.VENDOR_ID, size: 4, value: 0x12751275 },
    { register: PciRegister.COMMAND, size: 2, value: 0, writable: 0x0547 },
    { register: PciRegister.STATUS, size: 2, value: 0x0010, clearable: 0xf900 }, // has a capability list
    { register: PciRegister.REVISION_ID, size: 4, value: 0x06000000 },
    { register: PciRegister.CAPABILITIES, size: 1, value: PCIE_CAPABILITY },
    { register: PciRegister.INTERRUPT_LINE, size: 1, value: 0, writable: 0xff },
    { register: PCIE_CAPABILITY, size: 4, value: 0x10 | (PCIE_ROOT_PORT << 16) },
    { register: PCIE_CAPABILITY + 0x0c, size: 4, value: 0x00000411 }, // link capabilities: one lane, generation 1
    { register: PCIE_CAPABILITY + 0x12, size: 2, value: 0x0011 }, // link status
  ]);

  configRead(register: number, size: number): number {
    return this.config.get(register, size);
  }
  configWrite(register: number, size: number, value: number): void {
    this.config.write(register, size, value);
  }
  reset(): void {
    this.config.reset();
  }
  save(): HostBridgeState {
    return { kind: 'hostbridge', version: 1, config: this.config.save() };
  }
  load(state: HostBridgeState): void {
    checkKind(state, 'hostbridge', 1);
    this.config.check(state.config, 'hostbridge.config');
    this.config.load(state.config);
  }
  inspect(): InspectNode {
    return { name: this.name, value: '1275:1275', children: this.config.inspect() };
  }
}
