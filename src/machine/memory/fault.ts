/**
 * A fault met by TypeScript on behalf of an instruction: thrown where it is found and caught where generated code called. One object for all, so
 * that throwing allocates nothing.
 */
export const Vector = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
} as const;

export interface GuestFault {
  vector: number;
  /** -1: the exception has none. */
  errorCode: number;
}
export const guestFault: GuestFault = { vector: 0, errorCode: -1 };

/** Raises an exception of the guest. */
export function raise(vector: number, errorCode = -1): never {
  guestFault.vector = vector;
  guestFault.errorCode = errorCode;
  throw guestFault;
}
