/**
 * The PC that SeaBIOS's stock build expects: i440FX with PAM, PIIX3, PIIX4 power management, fw_cfg with DMA, a debug console, and chips that take
 * what a real one would. The kernel beneath is still bhyve's: exits, instruction emulation, local APICs are the profile's.
 *
 *   00000–9FFFF             RAM
 *   A0000–BFFFF             nothing (no VGA)
 *   C0000–FFFFF             RAM under PAM; else the end of the ROM at E0000–FFFFF
 *   100000 … RAM            up to 3 GiB
 *   FEC00000  FEE00000      I/O APIC, local APIC
 *   up to FFFFFFFF          boot ROM
 */
import type { Stateful } from '../base/state.ts';
import { placeBootrom } from '../boot/bootrom.ts';
import { pcCmos, pcFwCfg } from '../boot/pcfirmware.ts';
import { AcpiPm } from '../devices/acpipm.ts';
import { ResetControl } from '../devices/cf9.ts';
import { Debugcon } from '../devices/debugcon.ts';
import { FwCfg } from '../devices/fwcfg.ts';
import { I440fx } from '../devices/i440fx.ts';
import { I8042 } from '../devices/i8042.ts';
import { IsaDebugExit } from '../devices/isadebug.ts';
import { devfn, type PciFunction, PciHost } from '../devices/pci.ts';
import { Piix3 } from '../devices/piix3.ts';
import { Piix4Pm } from '../devices/piix4pm.ts';
import { Port92 } from '../devices/port92.ts';
import { Uart16550 } from '../devices/uart16550.ts';
import { Vatpit } from '../devices/vatpit.ts';
import { Vpmtmr } from '../devices/vpmtmr.ts';
import { Vrtc } from '../devices/vrtc.ts';
import type { PortRange } from '../vmm/bus.ts';
import { SuspendHow } from '../vmm/runstate.ts';
import { A20Gate } from './a20.ts';
import { interruptCore } from './interrupt-core.ts';
import type { GuestMemory, MachineModel } from './model.ts';
import { romShadow } from './shadow.ts';

const KERNEL = true;
const PROCESS = false;
const PAGE = 0x1000;
const ALIAS_MAX = 0x20000;
/** By this subsystem ID SeaBIOS tells QEMU's machines from real ones: fw_cfg and the debug console depend on it. */
const SUBSYSTEM_QEMU = 0x11001af4;
const VGA = 0xa0000;
const ROM_AREA = 0xc0000;
const CENTURY = 0x32;

export const pc: MachineModel = {
  name: 'pc',
  about: 'An i440FX PC with fw_cfg and a debug console at port 402h, as the stock build of SeaBIOS expects it.',
  tscHz: 1_000_000_000,

  build(board) {
    const { vm, clock, memory, memoryBytes } = board;
    const core = interruptCore(board, false);
    const { lines } = core;
    const reset = (): void => vm.suspend(SuspendHow.RESET, -1);

    // memory
    const bootrom = placeBootrom(board.rom, ALIAS_MAX);
    memory.mapRam(0, Math.min(memoryBytes, VGA));
    if (memoryBytes > ROM_AREA) memory.mapRam(ROM_AREA, memoryBytes - ROM_AREA);
    memory.mapRom(bootrom.base, bootrom.bytes);

    // chips
    const pit = new Vatpit({ strict: false }, { clock, irq: lines.source(0) });
    const rtc = new Vrtc({ strict: false, startSeconds: board.startSeconds }, { clock, irq: lines.source(8) });
    const pmTimer = new Vpmtmr({ bits: 24, strict: false }, clock);
    const a20 = new A20Gate(memory);
    const keyboard = new I8042({ interrupt: lines.source(1), a20: a20.keyboard, reset });
    const port92 = new Port92({ a20: a20.port92, reset });
    const com1 = new Uart16550('uart16550.com1', { transmit: (byte) => board.console('serial', byte), interrupt: lines.source(4) });
    const debugcon = new Debugcon('debugcon', { transmit: (byte) => board.console('debugcon', byte) });
    const debugExit = new IsaDebugExit({
      exit: (status) => {
        vm.guestExit = status;
      },
    });
    const pm = new AcpiPm(
      { softOff: 0, acpiEnable: 0xf1, acpiDisable: 0xf0 },
      { sci: lines.source(9), softOff: () => vm.suspend(SuspendHow.POWEROFF, -1) },
    );
    const resetControl = new ResetControl({ reset });
    const fwcfg = new FwCfg(
      { dma: true, ...pcFwCfg({ cpus: board.cpus, memoryBytes }) },
      {
        read: (gpa, length) => (backed(memory, gpa, length) ? memory.readBytes(gpa, length) : undefined),
        write: (gpa, bytes) => {
          if (!backed(memory, gpa, bytes.length)) return false;
          memory.writeBytes(gpa, bytes);
          return true;
        },
      },
    );
    const host = new I440fx(SUBSYSTEM_QEMU, { shadow: romShadow(memory, bootrom) });
    const piix3 = new Piix3({ interrupt: lines.sources() });
    const pmBlock = movingBlock(board.vm.ports, [
      { name: pm.name, first: 0, count: 6, facet: pm, kernel: PROCESS },
      { name: pmTimer.name, first: 8, count: 4, facet: pmTimer.timer, kernel: KERNEL },
    ]);
    const piix4pm = new Piix4Pm({ pmBlock });
    const functions = new Map<number, PciFunction>([
      [devfn(0, 0), host],
      [devfn(1, 0), piix3],
      [devfn(1, 3), piix4pm],
    ]);
    const pci = new PciHost({ functions, resetControl });
    lines.irqOfAlarm.set(pit.name, 0).set(rtc.name, 8);
    for (const [index, value] of pcCmos({ cpus: board.cpus, memoryBytes })) if (index !== CENTURY) rtc.setByte(index, value);

    return {
      ...core,
      ports: [
        ...core.ports, // 20-21, A0-A1, 4D0-4D1
        { name: pit.name, first: 0x40, count: 4, facet: pit.counters, kernel: KERNEL },
        { name: pit.name, first: 0x61, count: 1, facet: pit.portB, kernel: KERNEL },
        { name: rtc.name, first: 0x70, count: 2, facet: rtc.ports, kernel: KERNEL },
        { name: keyboard.name, first: 0x60, count: 1, facet: keyboard.data, kernel: PROCESS },
        { name: keyboard.name, first: 0x64, count: 1, facet: keyboard.command, kernel: PROCESS },
        { name: port92.name, first: 0x92, count: 1, facet: port92, kernel: PROCESS },
        { name: pm.name, first: 0xb2, count: 1, facet: pm.smiCommand, kernel: PROCESS },
        { name: debugExit.name, first: 0xf4, count: 1, facet: debugExit, kernel: PROCESS },
        { name: com1.name, first: 0x3f8, count: 8, facet: com1, kernel: PROCESS },
        { name: debugcon.name, first: 0x402, count: 1, facet: debugcon, kernel: PROCESS },
        { name: fwcfg.name, first: 0x510, count: 2, facet: fwcfg.ports, kernel: PROCESS },
        { name: fwcfg.name, first: 0x514, count: 8, facet: fwcfg.dma, kernel: PROCESS },
        { name: pci.name, first: 0xcf8, count: 4, facet: pci.address, kernel: PROCESS },
        { name: pci.name, first: 0xcfc, count: 4, facet: pci.data, kernel: PROCESS },
      ],
      mmio: core.mmio, // FEC00000, FEE00000
      devices: [
        core.pic,
        core.ioapic,
        pit,
        rtc,
        pmTimer,
        keyboard,
        port92,
        com1,
        debugcon,
        debugExit,
        pm,
        resetControl,
        fwcfg,
        pci,
        host,
        piix3,
        piix4pm,
      ],
      wires: [{ name: 'a20', part: a20 as Stateful }],
    };
  },
};

/** Is all of it memory? */
const backed = (memory: GuestMemory, gpa: number, length: number): boolean => {
  if (gpa + length > 0x1_0000_0000) return false;
  for (let at = gpa; at < gpa + length; at = (Math.floor(at / PAGE) + 1) * PAGE) if (!memory.isBacked(at)) return false;
  return true;
};

/** Port ranges relative to a base that the guest sets. Where they would cover another chip's ports, they answer nowhere. */
const movingBlock = (
  ports: { tryAdd(range: PortRange): boolean; remove(first: number): void },
  block: readonly PortRange[],
): ((base: number, enabled: boolean) => void) => {
  let mapped: number[] = [];
  return (base, enabled) => {
    for (const first of mapped) ports.remove(first);
    mapped = [];
    if (!enabled) return;
    for (const range of block) if (ports.tryAdd({ ...range, first: base + range.first })) mapped.push(base + range.first);
  };
};
