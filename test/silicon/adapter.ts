import type { Environment } from './environment.ts';

/** What one instruction did, as far as `CpuUnderTest.step` can tell. */
export interface Step {
  /** Vector of the exception that the instruction raised, or undefined: it completed, or one iteration of its REP did. */
  readonly exception?: number;
  /** Its error code; 0 if it has none. */
  readonly error?: number;
  /** Set when it did something that no vector does: asked for a port, halted, reset the processor. Says what, for the report. */
  readonly unexpected?: string;
}

/**
 * The processor that vectors are replayed on. In front of every vector: `enter` if the environment changed, memory by `code` and `data`,
 * then the registers. An exception leaves `eip` and the registers as they are when its handler would begin, but those that delivering it
 * changes (EIP, ESP, EFLAGS and the stack) as the exception found them.
 */
export interface CpuUnderTest {
  /** Segments and paging of an environment at privilege level 3. */
  enter(environment: Environment): void;
  /** The code window: these bytes at this offset, those beyond its end dropped, and NOP everywhere else. */
  code(offset: number, bytes: Uint8Array): void;
  /** The data window's memory, WINDOW bytes, of which the hole and the read-only page are part: written directly, whatever paging says. */
  readonly data: Uint8Array;
  /** @param eip offset in CS. */
  setState(registers: Uint32Array, eip: number, flags: number): void;
  /** Executes one instruction, or one iteration of a repeated string instruction. */
  step(): Step;
  readRegisters(into: Uint32Array): void;
  /** Selectors of ES CS SS DS FS GS. */
  readSegments(into: Uint16Array): void;
  readonly eip: number;
  readonly flags: number;
  readonly cr2: number;
}
