/**
 * The one decoder of interrupt command register values: fields, and the sentence that says what the value asks for.
 *
 * Intel SDM vol. 3, "Interrupt Command Register (ICR)". What a VMM makes of the value is its profile's business.
 */
import { hex } from '../base/bits.ts';
import { DeliveryMode, decodeFields, type DecodedField, ICR_LO_FIELDS } from './apic.ts';

export const Shorthand = { NONE: 0, SELF: 1, ALL_INCLUDING_SELF: 2, ALL_EXCLUDING_SELF: 3 } as const;
export type Shorthand = (typeof Shorthand)[keyof typeof Shorthand];

/** The read-only delivery status bit of the low word. */
export const ICR_DELIVERY_STATUS = 1 << 12;

/** Allocation-free getters over the two words (xAPIC form). */
export const icrVector = (low: number): number => low & 0xff;
export const icrMode = (low: number): DeliveryMode => ((low >>> 8) & 7) as DeliveryMode;
export const icrLogical = (low: number): boolean => (low & (1 << 11)) !== 0;
export const icrAssert = (low: number): boolean => (low & (1 << 14)) !== 0;
export const icrLevelTriggered = (low: number): boolean => (low & (1 << 15)) !== 0;
export const icrShorthand = (low: number): Shorthand => ((low >>> 18) & 3) as Shorthand;
/** The destination field, bits 63:56. */
export const icrDestination = (high: number): number => high >>> 24;

const MODE_NAMES = ['FIXED', 'LOWPRIO', 'SMI', 'RR', 'NMI', 'INIT', 'SIPI', 'mode 7'] as const;

/** Short name of a delivery mode as an ICR knows it: FIXED, LOWPRIO, SMI, RR (mode 3, AMD's remote read), NMI, INIT, SIPI, mode 7. */
export const modeName = (mode: DeliveryMode): string => MODE_NAMES[mode];

export interface Icr {
  readonly low: number;
  readonly high: number;
  readonly vector: number;
  readonly mode: DeliveryMode;
  readonly modeName: string;
  readonly logical: boolean;
  readonly assert: boolean;
  readonly levelTriggered: boolean;
  readonly shorthand: Shorthand;
  /** Bits 63:56: counts only without a shorthand. */
  readonly destination: number;
}

/** Takes an ICR value apart. Both words are u32. */
export function decodeIcr(low: number, high: number): Icr {
  const mode = icrMode(low);
  return {
    low,
    high,
    vector: icrVector(low),
    mode,
    modeName: modeName(mode),
    logical: icrLogical(low),
    assert: icrAssert(low),
    levelTriggered: icrLevelTriggered(low),
    shorthand: icrShorthand(low),
    destination: icrDestination(high),
  };
}

/** What is sent: `FIXED 30`, `SIPI 08`, `INIT`, `INIT level de-assert`. */
export function icrWhat({ mode, modeName, vector, levelTriggered, assert }: Icr): string {
  const bare = mode === DeliveryMode.INIT || mode === DeliveryMode.NMI || mode === DeliveryMode.SMI;
  return `${modeName}${bare ? '' : ` ${hex(vector, 2)}`}${levelTriggered && !assert ? ' level de-assert' : ''}`;
}

/** To whom: `all excluding self`, `APIC ID 01`, `every APIC (destination FF)`, `logical destination 04`. */
export function icrWhom({ shorthand, destination, logical }: Icr): string {
  if (shorthand === Shorthand.SELF) return 'self';
  if (shorthand === Shorthand.ALL_INCLUDING_SELF) return 'all including self';
  if (shorthand === Shorthand.ALL_EXCLUDING_SELF) return 'all excluding self';
  if (destination === 0xff) return 'every APIC (destination FF)';
  return `${logical ? 'logical destination' : 'APIC ID'} ${hex(destination, 2)}`;
}

/** The whole value as a sentence: `INIT to all excluding self`. */
export function icrSentence(low: number, high: number): string {
  const icr = decodeIcr(low, high);
  return `${icrWhat(icr)} to ${icrWhom(icr)}`;
}

/** Fields of the low word, from bit 31 down, as they are drawn in a row; the vector is said to be unused where the mode ignores it. */
export function icrFieldRows(low: number): DecodedField[] {
  const mode = icrMode(low);
  const unused = mode === DeliveryMode.INIT || mode === DeliveryMode.NMI || mode === DeliveryMode.SMI;
  return decodeFields(ICR_LO_FIELDS, low).map((row) => (row.name === 'vector' && unused ? { ...row, text: `${row.text}, unused` } : row));
}
