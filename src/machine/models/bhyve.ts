/**
 * The machine that bhyve offers: fixed map, chips of the kernel and of the process, host bridge and LPC bridge (bhyve `pci_lpc.c`, `pm.c`, `bootrom.c`;
 * illumos `vmm_ioport.c`). What is not here (VGA, HPET, fwctl, TPM, the flash variables) reads as all ones.
 *
 *   0 … RAM                 lowmem, up to 3 GiB
 *   FEC00000  FEE00000      I/O APIC, local APIC
 *   FF000000–FFFFFFFF       boot ROM, top-aligned
 */
import { placeBootrom } from '../boot/bootrom.ts';
import { AcpiPm } from '../devices/acpipm.ts';
import { ResetControl } from '../devices/cf9.ts';
import type { RegisterFacet } from '../devices/device.ts';
import { HostBridge } from '../devices/hostbridge.ts';
import { I8042 } from '../devices/i8042.ts';
import { Lpc } from '../devices/lpc.ts';
import { devfn, type PciFunction, PciHost } from '../devices/pci.ts';
import { Uart16550 } from '../devices/uart16550.ts';
import { Vatpit } from '../devices/vatpit.ts';
import { Vpmtmr } from '../devices/vpmtmr.ts';
import { Vrtc } from '../devices/vrtc.ts';
import { SuspendHow } from '../vmm/runstate.ts';
import { memoryCmos } from './cmos.ts';
import { interruptCore } from './interrupt-core.ts';
import type { MachineModel } from './model.ts';

const KERNEL = true;
const PROCESS = false;

/** Port 84h: a POST port that only answers IN, and OUT to which bhyve dies of. */
const post: RegisterFacet = { read: () => 0xff, write: () => 0, peek: () => 0xff };

export const bhyve: MachineModel = {
  name: 'bhyve',
  about:
    "bhyve's own machine: host bridge, LPC bridge, COM1, and in-kernel 8259, 8254, RTC, PM timer and APICs, with bhyve's strictness about ports.",
  tscHz: 1_000_000_000,

  build(board) {
    const { vm, clock, memory, memoryBytes } = board;
    const core = interruptCore(board, true);
    const { lines } = core;

    // chips
    const pit = new Vatpit({ strict: true }, { clock, irq: lines.source(0) });
    const rtc = new Vrtc({ strict: true, startSeconds: board.startSeconds }, { clock, irq: lines.source(8) });
    const pmTimer = new Vpmtmr({ bits: 32, strict: true }, clock);
    const keyboard = new I8042({ interrupt: lines.source(1), a20: () => {}, reset: () => vm.suspend(SuspendHow.RESET, -1) });
    const com1 = new Uart16550('uart16550.com1', { transmit: (byte) => board.console('serial', byte), interrupt: lines.source(4) });
    const pm = new AcpiPm(
      { softOff: 5, acpiEnable: 0xa0, acpiDisable: 0xa1 },
      { sci: lines.source(9), softOff: () => vm.suspend(SuspendHow.POWEROFF, -1) },
    );
    const resetControl = new ResetControl({ reset: () => vm.suspend(SuspendHow.RESET, -1) });
    const hostBridge = new HostBridge();
    const lpc = new Lpc();
    const functions = new Map<number, PciFunction>([
      [devfn(0, 0), hostBridge],
      [devfn(31, 0), lpc],
    ]);
    const pci = new PciHost({ functions, resetControl });
    lines.irqOfAlarm.set(pit.name, 0).set(rtc.name, 8);

    // memory
    const bootrom = placeBootrom(board.rom, 0);
    memory.mapRam(0, memoryBytes);
    memory.mapRom(bootrom.base, bootrom.bytes);
    for (const [index, value] of memoryCmos(memoryBytes)) rtc.setByte(index, value);

    return {
      ...core,
      ports: [
        ...core.ports, // 20-21, A0-A1, 4D0-4D1
        { name: pit.name, first: 0x40, count: 4, facet: pit.counters, kernel: KERNEL },
        { name: pit.name, first: 0x61, count: 1, facet: pit.portB, kernel: KERNEL },
        { name: rtc.name, first: 0x70, count: 2, facet: rtc.ports, kernel: KERNEL },
        { name: pmTimer.name, first: 0x408, count: 1, facet: pmTimer.timer, kernel: KERNEL },
        { name: keyboard.name, first: 0x60, count: 1, facet: keyboard.data, kernel: PROCESS, sizes: 1 },
        { name: keyboard.name, first: 0x64, count: 1, facet: keyboard.command, kernel: PROCESS, sizes: 1 },
        { name: 'post', first: 0x84, count: 1, facet: post, kernel: PROCESS, sizes: 1, direction: 'in' },
        { name: pm.name, first: 0xb2, count: 1, facet: pm.smiCommand, kernel: PROCESS, sizes: 1, direction: 'out' },
        { name: com1.name, first: 0x3f8, count: 8, facet: com1, kernel: PROCESS, sizes: 1 | 2 },
        { name: pm.name, first: 0x400, count: 4, facet: pm, kernel: PROCESS, sizes: 2 },
        { name: pm.name, first: 0x404, count: 2, facet: pm, offset: 4, kernel: PROCESS, sizes: 2 },
        { name: pci.name, first: 0xcf8, count: 4, facet: pci.address, kernel: PROCESS },
        { name: pci.name, first: 0xcfc, count: 4, facet: pci.data, kernel: PROCESS },
      ],
      mmio: core.mmio, // FEC00000, FEE00000
      devices: [core.pic, core.ioapic, pit, rtc, pmTimer, keyboard, com1, pm, resetControl, pci, hostBridge, lpc],
    };
  },
};
