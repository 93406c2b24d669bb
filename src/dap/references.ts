/** Memory references: `lin@1:0xfee00300` as vCPU1 sees it, `phys:0xfee00300` on the bus. One place has one spelling, for editors compare them as text. */
import { DebuggerError } from '../debugger/error.ts';
import type { MemoryPlace } from '../debugger/inspect/variable.ts';
import { parseNumber } from '../debugger/lexer.ts';

const HIGHEST = 2 ** 32 - 1;

/** An address as DAP spells numbers: `0x000fff00`. */
export const addressText = (address: number): string => `0x${address.toString(16).padStart(8, '0')}`;

/** An address as sentences spell it: `000FFF00h`. */
export const addressWords = (address: number): string => `${address.toString(16).toUpperCase().padStart(8, '0')}h`;

export const referenceTo = (place: MemoryPlace): string =>
  place.space === 'physical' ? `phys:${addressText(place.address)}` : `lin@${place.vcpu}:${addressText(place.address)}`;

/**
 * The place that a reference names; a plain number is a linear address of `vcpu`. Throws a DebuggerError.
 *
 * @param offset is added; the sum has to be an address again
 */
export function placeOf(reference: string, vcpu: number, vcpus: number, offset = 0): MemoryPlace {
  const match = /^(?:(phys):|lin(?:@(\d{1,4}))?:)?(.+)$/i.exec(reference.trim());
  const base = match === null ? undefined : parseNumber(match[3] as string);
  if (match === null || base === undefined || base > HIGHEST)
    throw new DebuggerError(`"${reference}" is no memory reference; right are phys:0xfee00300, lin@0:0x8000 and 0x8000.`);
  const address = base + offset;
  if (address < 0 || address > HIGHEST)
    throw new DebuggerError(`${reference} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)} is no address; right are 0 to 0xffffffff.`);
  if (match[1] !== undefined) return { space: 'physical', address };
  const of = match[2] === undefined ? vcpu : Number(match[2]);
  if (of >= vcpus) throw new DebuggerError(`"${reference}" is of vCPU${of}; there are vCPU0 to vCPU${vcpus - 1}.`);
  return { space: 'linear', vcpu: of, address };
}
