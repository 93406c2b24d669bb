/** The memory map as firmware gets it from a hypervisor: ranges of guest-physical addresses with a type (ACPI 6.5, "System Address Map Interfaces"). */

export const E820Type = { ram: 1, reserved: 2, acpi: 3, nvs: 4 } as const;
export type E820Type = (typeof E820Type)[keyof typeof E820Type];

export interface E820Entry {
  /** First address. */
  readonly base: number;
  /** Bytes, 1 or more. */
  readonly length: number;
  readonly type: E820Type;
}

/** RAM above 3 GiB goes to 4 GiB and up: below lie devices and the ROM. */
export const LOW_MEMORY_MAX = 0xc0000000;
const HIGH_MEMORY = 0x100000000;

const VGA = 0xa0000;
const ROM = 0xc0000;
const MEBIBYTE = 0x100000;

/** The RAM of a `pc`, in bytes: all of it from 0 up to 3 GiB, the rest from 4 GiB. Firmware cuts its own reservations out of it. */
export function pcMemoryMap(memoryBytes: number): E820Entry[] {
  const low = Math.min(memoryBytes, LOW_MEMORY_MAX);
  const map: E820Entry[] = [{ base: 0, length: low, type: E820Type.ram }];
  if (memoryBytes > low) map.push({ base: HIGH_MEMORY, length: memoryBytes - low, type: E820Type.ram });
  return map;
}

/** bhyve's map: as `pc`, with the VGA window (A0000h) and the ROM area (C0000h-FFFFFh) reserved. */
export function bhyveMemoryMap(memoryBytes: number): E820Entry[] {
  const [low, high] = pcMemoryMap(memoryBytes);
  const map: E820Entry[] = [
    { base: 0, length: VGA, type: E820Type.ram },
    { base: VGA, length: ROM - VGA, type: E820Type.reserved },
    { base: ROM, length: MEBIBYTE - ROM, type: E820Type.reserved },
  ];
  if (low && low.length > MEBIBYTE) map.push({ base: MEBIBYTE, length: low.length - MEBIBYTE, type: E820Type.ram });
  if (high) map.push(high);
  return map;
}

/** The map in the form of fw_cfg's `etc/e820`: 20 bytes each, base and length (64 bits) and type (32 bits), little-endian. */
export function encodeE820(map: readonly E820Entry[]): Uint8Array {
  const bytes = new Uint8Array(20 * map.length);
  const view = new DataView(bytes.buffer);
  const put64 = (at: number, value: number): void => {
    view.setUint32(at, value >>> 0, true);
    view.setUint32(at + 4, Math.floor(value / 0x100000000), true);
  };
  map.forEach(({ base, length, type }, i) => {
    put64(20 * i, base);
    put64(20 * i + 8, length);
    view.setUint32(20 * i + 16, type, true);
  });
  return bytes;
}
