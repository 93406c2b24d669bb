/** What both models have in the kernel: local APICs, I/O APIC and the pair of 8259s, wired as illumos's vmm does. */
import type { RegisterFacet } from '../devices/device.ts';
import { Vatpic } from '../devices/vatpic.ts';
import { Vioapic, type VioapicRules } from '../devices/vioapic.ts';
import { deliverInterrupt, type LevelEntry, rebuildTmr } from '../devices/vlapic-deliver.ts';
import { LvtIndex } from '../devices/vlapic-lvt.ts';
import { Vlapic } from '../devices/vlapic.ts';
import type { Profile } from '../profiles/profile.ts';
import { APIC_BASE_ADDRESS, APIC_PAGE_SIZE } from '../x86/apic.ts';
import { IOAPIC_BASE_ADDRESS, IOAPIC_PAGE_SIZE } from '../x86/ioapic.ts';
import type { MmioRange, PortRange } from '../vmm/bus.ts';
import { InterruptLines } from '../vmm/interrupts.ts';
import type { Board } from './model.ts';

/** The I/O APIC that a profile describes. */
const ioapicRules = ({ rules }: Profile): VioapicRules => ({
  pins: ((rules['ioapic.version'] >>> 16) & 0xff) + 1,
  version: rules['ioapic.version'],
  eoiRegister: rules['ioapic.eoireg'],
  access: rules['ioapic.access'],
  selectMask: 0xff,
  idMask: 0xff000000,
  rteResetHigh: rules['ioapic.rte.resetHigh'],
  edgeSwitchClearsRirr: rules['ioapic.edgeSwitch.clearsRirr'],
  levelResendBlocked: rules['ioapic.level.resendBlocked'],
  rteWriteAssertedPin: rules['ioapic.rteWrite.assertedPin'],
});

/** The redirection entries of an I/O APIC, as far as the trigger mode registers are concerned. */
const levelEntries = (ioapic: Vioapic): LevelEntry[] => {
  const { low, high } = ioapic.save();
  return Array.from(low, (entry, pin) => ({
    level: (entry & 0x8000) !== 0,
    destination: (high[pin] as number) >>> 24,
    logical: (entry & 0x800) !== 0,
    mode: (entry >>> 8) & 7,
    vector: entry & 0xff,
  }));
};

export interface InterruptCore {
  readonly pic: Vatpic;
  readonly ioapic: Vioapic;
  readonly vlapics: readonly Vlapic[];
  readonly lines: InterruptLines;
  readonly ports: readonly PortRange[];
  readonly mmio: readonly MmioRange[];
}

/** @param strict bhyve's own 8259s, which leave to userspace over what they do not know */
export const interruptCore = ({ vm }: Board, strict: boolean): InterruptCore => {
  const vlapics = vm.vcpus.map((v) => new Vlapic(v.id, vm, vm.profile));
  for (const lapic of vlapics) lapic.peers = vlapics;

  const ioapic = new Vioapic({ rules: ioapicRules(vm.profile) }, (destination, destinationMode, mode, vector, level) => {
    deliverInterrupt(vlapics, level, destination, destinationMode === 1, mode, vector);
  });
  const pic = new Vatpic(
    { strict },
    {
      intr: (level) => {
        if (!level) return;
        for (const lapic of vlapics) if (vm.isActive(lapic.id)) lapic.fireLvt(LvtIndex.LINT0);
        ioapic.pulse(0);
      },
    },
  );
  vm.lapics = vlapics;
  vm.pic = pic;
  vm.broadcastEoi = (vector) => ioapic.eoi(vector);

  const rebuilds = vm.profile.rules['tmr.update'] === 'ioapicOnly';
  const ioapicPage: RegisterFacet = rebuilds
    ? {
        ...ioapic.mmio,
        write: (offset, size, value) => {
          const code = ioapic.mmio.write(offset, size, value);
          rebuildTmr(vlapics, levelEntries(ioapic));
          return code;
        },
      }
    : ioapic.mmio;

  return {
    pic,
    ioapic,
    vlapics,
    lines: new InterruptLines(pic, ioapic),
    ports: [
      { name: 'vatpic', first: 0x20, count: 2, facet: pic.master, kernel: true },
      { name: 'vatpic', first: 0xa0, count: 2, facet: pic.slave, kernel: true },
      { name: 'vatpic', first: 0x4d0, count: 2, facet: pic.elcr, kernel: true },
    ],
    mmio: [
      { name: 'vlapic', start: APIC_BASE_ADDRESS, size: APIC_PAGE_SIZE, facet: vlapics, kernel: true, wide: 'zeroExtended' },
      { name: 'vioapic', start: IOAPIC_BASE_ADDRESS, size: IOAPIC_PAGE_SIZE, facet: ioapicPage, kernel: true },
    ],
  };
};
