/** What a `pc` tells its firmware: fw_cfg items and CMOS bytes, as QEMU's `pc` does (the legacy part that SeaBIOS reads; no ACPI or SMBIOS tables). */
import { FwCfgKey, type FwCfgFile } from '../devices/fwcfg.ts';
import { encodeE820, LOW_MEMORY_MAX, pcMemoryMap } from './e820.ts';

export interface PcFirmwareConfig {
  /** vCPUs, 1..255. */
  readonly cpus: number;
  /** RAM in bytes, 1 MiB or more. */
  readonly memoryBytes: number;
}

const KIB = 1024;
const SIXTEEN_MIB = 16 * 1024 * 1024;

/** "Wait for ever": without it SeaBIOS starts again 60 seconds after it found nothing to boot. */
const BOOT_FAIL_WAIT_FOREVER = Uint8Array.of(0xff, 0xff, 0xff, 0xff);
/** Sleep states S0 to S5: bit 7 is "there is one", the low bits its SLP_TYP. Here S0 (running) and S5 (soft-off, type 0). */
const SYSTEM_STATES = Uint8Array.of(0x80, 0, 0, 0, 0, 0x80);

/** Items and files for the fwcfg device. */
export function pcFwCfg({ cpus, memoryBytes }: PcFirmwareConfig): { items: Map<number, Uint8Array>; files: FwCfgFile[] } {
  const items = new Map<number, Uint8Array>([
    [FwCfgKey.UUID, new Uint8Array(16)],
    [FwCfgKey.RAM_SIZE, little(memoryBytes, 8)],
    [FwCfgKey.NOGRAPHIC, little(0, 2)],
    [FwCfgKey.NB_CPUS, little(cpus, 2)],
    // No NUMA nodes; one affinity word for each CPU.
    [FwCfgKey.NUMA, new Uint8Array(8 * (1 + cpus))],
    [FwCfgKey.BOOT_MENU, little(0, 2)],
    [FwCfgKey.MAX_CPUS, little(cpus, 2)],
    // The PIT is wired to I/O APIC pin 2.
    [FwCfgKey.IRQ0_OVERRIDE, little(1, 4)],
  ]);
  const files = [
    { name: 'etc/boot-fail-wait', bytes: BOOT_FAIL_WAIT_FOREVER },
    { name: 'etc/e820', bytes: encodeE820(pcMemoryMap(memoryBytes)) },
    { name: 'etc/system-states', bytes: SYSTEM_STATES },
  ];
  return { items, files };
}

/** CMOS bytes by index (0..127): memory sizes, CPU count, boot order. The clock's own registers (00h-0Dh) are the RTC's. */
export function pcCmos({ cpus, memoryBytes }: PcFirmwareConfig): Map<number, number> {
  const low = Math.min(memoryBytes, LOW_MEMORY_MAX);
  const cmos = new Map<number, number>();
  const word = (index: number, value: number): void => {
    cmos.set(index, value & 0xff);
    cmos.set(index + 1, (value >>> 8) & 0xff);
  };
  cmos.set(0x0f, 0); // shutdown status: power-on
  cmos.set(0x10, 0); // no floppy drives
  cmos.set(0x12, 0); // no fixed disks
  cmos.set(0x14, 0x06); // equipment: coprocessor, mouse port
  word(0x15, 640); // KiB of base memory
  const extended = Math.min(Math.max(low / KIB - KIB, 0), 0xffff);
  word(0x17, extended); // KiB above 1 MiB, up to 64 MiB
  word(0x30, extended);
  cmos.set(0x32, 0x20); // century
  word(0x34, Math.min(Math.max(low - SIXTEEN_MIB, 0) / (64 * KIB), 0xffff)); // 64 KiB above 16 MiB
  cmos.set(0x38, 0x30); // boot order: third CD-ROM
  cmos.set(0x3d, 0x12); // first hard disk, second floppy
  const high = (memoryBytes - low) / (64 * KIB); // 64 KiB above 4 GiB
  cmos.set(0x5b, high & 0xff);
  cmos.set(0x5c, (high >>> 8) & 0xff);
  cmos.set(0x5d, (high >>> 16) & 0xff);
  cmos.set(0x5f, cpus - 1); // CPUs besides the first
  return cmos;
}

/** `value` in `size` bytes, little-endian. */
function little(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let rest = value;
  for (let i = 0; i < size; i++) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}
