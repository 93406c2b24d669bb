/**
 * What became of an IPI at each of its targets, and why: one enumeration for every surface.
 * (Reached: IRR set, NMI or INIT pended, or started at VV00:0000.)
 */
export const Verdict = {
  /** IRR bit set; NMI or INIT pended; or started by a SIPI. */
  reached: 0,
  /** Already pending there (IRR bit or NMI flag set): two became one. */
  merged: 1,
  /** Addressed, but not taken; the reason says why. */
  refused: 2,
  /** The destination does not name this vCPU; the reason says whether by id or by LDR. */
  notAddressed: 3,
  /** The whole ICR value has no effect here, so no target saw anything. */
  notSent: 4,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** Why a verdict is what it is. Every `refused`, `notAddressed` and `notSent` has one other than `none`. */
export const Reason = {
  none: 0,
  // notAddressed
  idMismatch: 1,
  ldrMismatch: 2,
  ldrZero: 3,
  dfrInvalid: 4,
  senderExcluded: 5,
  notActive: 6,
  // refused
  notWaitingForSipi: 10,
  alreadyRunning: 11,
  softwareDisabled: 12,
  hardwareDisabled: 13,
  vectorBelow16: 14,
  // notSent
  invalidCombination: 20,
  levelDeassert: 21,
  initLevelBitClear: 22,
  modeUnsupported: 23,
  illegalVector: 24,
  notHandled: 25,
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];
