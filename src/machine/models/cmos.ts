/** The CMOS bytes in which a PC's firmware finds the size of its memory. */

const SIXTEEN_MIB = 0x1000000;
const UNIT = 0x10000;

/** As bhyve fills them in: 64 KiB units above 16 MiB at 34h-35h; nothing above 4 GiB at 5Bh-5Dh. @param memoryBytes RAM, at most 3 GiB */
export const memoryCmos = (memoryBytes: number): [index: number, value: number][] => {
  const units = Math.min(Math.floor(Math.max(memoryBytes - SIXTEEN_MIB, 0) / UNIT), 0xffff);
  return [
    [0x34, units & 0xff],
    [0x35, units >>> 8],
    [0x5b, 0],
    [0x5c, 0],
    [0x5d, 0],
  ];
};
