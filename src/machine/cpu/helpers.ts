/** What definitions call in TypeScript: the numbers by which generated code names them. Answers other than a status are left in State.scratch. */
export const Helper = {
  /** a: slot of the selector, b: selector, c: 1 when the stack pointer is loaded with SS, so that nothing needs to be held off. */
  loadSegment: 1,
  /** a: selector, b: offset, c: operand size in bits. */
  farJump: 2,
  /** a: selector | operand size in bits << 16, b: offset, c: next EIP. */
  farCall: 3,
  /** a: operand size in bits, b: bytes to drop. */
  farReturn: 4,
  /** a: operand size in bits. */
  interruptReturn: 5,
  /** INT n, INT3. a: vector, b: next EIP. */
  softwareInterrupt: 6,
  /** a: slot of the control register, b: value. */
  writeControl: 7,
  /** a: number of the debug register. */
  readDebug: 8,
  /** a: number of the debug register, b: value. */
  writeDebug: 9,
  /** a: limit, b: base. */
  loadGdt: 10,
  loadIdt: 11,
  /** a: selector. */
  loadLdt: 12,
  loadTask: 13,
  /** a: linear address. */
  invalidatePage: 14,
  /** a: port, b: size in bits. */
  input: 15,
  /** a: port, b: size in bits, c: value. */
  output: 16,
  /** As input and output; b: size in bits, | 100h when repeated. */
  stringInput: 17,
  stringOutput: 18,
  cpuid: 19,
  readMsr: 20,
  writeMsr: 21,
  readTsc: 22,
  /** CLI, STI. */
  clearInterrupts: 23,
  setInterrupts: 24,
  /** POPF's part that needs privilege. a: new flags, b: operand size in bits. */
  setFlags: 25,
  clearTaskSwitched: 26,
  /** a: low 16 bits of CR0. */
  loadMachineStatus: 27,
  /** Faults with #GP(0) unless CPL is 0. */
  privileged: 28,
  /** a: 0 GDTR, 1 IDTR (limit, base); 2 LDTR, 3 TR (selector). */
  readSystem: 29,
} as const;
export type Helper = (typeof Helper)[keyof typeof Helper];
