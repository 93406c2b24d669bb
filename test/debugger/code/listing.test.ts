/** Listings: text for code without source, whose lines can be found and stay. */
import { describe, expect, it } from 'vitest';
import { type Listing, Listings } from '../../../src/debugger/code/listing.ts';
import { loadProgram } from '../../../src/debugger/code/program.ts';
import { Random } from '../../machine/devices/random.ts';
import { seedBelow } from '../../seed.ts';
import { assembled, type Board, board, sampleProgram } from './board.ts';

const icrlo = sampleProgram('icrlo');
const rom = loadProgram('/firmware/icrlo.rom', icrlo.image, assembled).program;
const romBoard = (): Board => board(rom, { cpus: 4 });
const lineAt = (listing: Listing, linear: number): string | undefined => listing.text.split('\n')[(listing.lineOf(linear) ?? 0) - 1];

describe('a listing', () => {
  it('has address, bytes and instruction of each line, and says where the size changes', () => {
    const b = romBoard();
    const listing = new Listings(b).at(0, 0xfffffff0, 16);
    expect(listing.name).toBe('FFFFF000–FFFFFFFF');
    expect(lineAt(listing, 0xfffff04f)).toBe('FFFFF04F  C7050003E0FE00450C00    mov dword [FEE00300h], 000C4500h');
    expect(lineAt(listing, 0xfffffff0)).toBe('FFFFFFF0  E9F3F3                  jmp F3E6h');
    const separators = listing.text.split('\n').filter((line) => line.startsWith('; ──'));
    expect(separators[0]).toBe('; ── 32-bit code ──');
    expect(separators).toContain('; ── 16-bit code ──');
  });
  it('has labels where the source has them', () => {
    const b = board(icrlo);
    expect(lineAt(new Listings(b).at(0, 0xfffff000), 0xfffff04f)).toMatch(/ mov dword \[FEE00300h\], 000C4500h +; wake_aps$/);
  });
  it('shows each byte of its page once', () => {
    const b = romBoard();
    const listing = new Listings(b).at(0, 0xfffff000);
    let bytes = 0;
    for (const line of listing.text.split('\n')) {
      const filling = /^[0-9A-F]{8} {2}[0-9A-F]{2}… +times ([0-9]+) db /.exec(line);
      const plain = /^[0-9A-F]{8} {2}((?:[0-9A-F]{2})+) /.exec(line);
      bytes += filling ? Number(filling[1]) : plain ? (plain[1] as string).length / 2 : 0;
    }
    expect(bytes).toBe(4096);
  });
  it('finds the line of an address, and the address of a line, for breakpoints', () => {
    const b = romBoard();
    const listing = new Listings(b).at(0, 0xfffff000);
    const line = listing.lineOf(0xfffff04f)!;
    expect(listing.addressOf(line)).toEqual({ linear: 0xfffff04f, line });
    expect(listing.lineOf(0xfffff050)).toBe(line);
    expect(listing.addressOf(1)).toEqual({ linear: 0xfffff000, line: 3 });
    expect(listing.codeLines(1, 4)).toEqual([3, 4]);
    expect(listing.lineOf(0xffffefff)).toBeUndefined();
    expect(listing.addressOf(100_000)).toBeUndefined();
  });
  it('keeps its lines from stop to stop, as long as the code stays', () => {
    const b = romBoard();
    const listings = new Listings(b);
    const first = listings.at(0, 0xfffffff0, 16);
    b.runTo('FFFFF10C');
    expect(listings.at(0, 0xfffff10c, 32)).toBe(first);
    b.runTo('FFFFF09E');
    expect(listings.at(0, 0xfffff09e, 32)).toBe(first);
  });
  it('is another one, under another key, when the bytes have changed', () => {
    const b = romBoard();
    const listings = new Listings(b);
    const before = listings.at(0, 0x8000);
    b.runTo('00008006');
    const after = listings.at(1, 0x8006, 16);
    expect(after.key).not.toBe(before.key);
    expect(lineAt(after, 0x8006)).toBe('00008006  0FA2                    cpuid');
    expect(listings.at(1, 0x8000)).toBe(after);
  });
  it('is another one when code is executed that it showed as something else', () => {
    const b = romBoard();
    b.machine.memory.writeBytes(0xa000, new Uint8Array([0xb8, 0x90, 0x90, 0x90, 0xf4, 0xc3]));
    const listings = new Listings(b);
    const before = listings.at(0, 0xa000, 32);
    expect(before.shows(0xa004, 32)).toBe(false);
    const after = listings.at(0, 0xa004, 32);
    expect(after.key).not.toBe(before.key);
    expect(lineAt(after, 0xa004)).toMatch(/^0000A004 {2}F4 +hlt$/);
    expect(listings.at(0, 0xa004, 32)).toBe(after);
  });
  it('says where no memory is', () => {
    const b = romBoard();
    const listing = new Listings(b).at(0, 0xfee00300);
    expect(listing.text).toBe('; FEE00000–FEE00FFF\n; no memory is here\n');
    expect(listing.lineOf(0xfee00300)).toBeUndefined();
  });
  const seed = seedBelow(2 ** 31);
  it(`of any bytes has a line for each address of its page (seed ${seed})`, () => {
    const random = new Random(seed);
    const b = romBoard();
    for (let i = 0; i < 6; i++) {
      const page = new Uint8Array(0x1000);
      const kind = random.below(3);
      for (let k = 0; k < page.length; k++)
        page[k] = kind === 0 ? random.below(256) : random.below(40) === 0 ? random.below(256) : kind * 255;
      b.machine.memory.writeBytes(0x30000 + i * 0x1000, page);
      const listing = new Listings(b).at(0, 0x30000 + i * 0x1000 + random.below(0x1000), random.below(2) === 0 ? 16 : 32);
      let last = 0;
      for (let at = 0; at < 0x1000; at++) {
        const line = listing.lineOf(0x30000 + i * 0x1000 + at)!;
        expect(line).toBeGreaterThanOrEqual(last);
        last = line;
      }
      expect(last).toBe(listing.text.trimEnd().split('\n').length);
    }
  });
});
