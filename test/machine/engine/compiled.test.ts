import { describe, expect, it } from 'vitest';
import { compiled } from '../../../src/machine/engine/compiled.ts';

/** The smallest module: magic number and version. */
const EMPTY = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

describe('the compiled interpreter', () => {
  it('is compiled once for the same bytes', () => {
    const bytes = Uint8Array.from(EMPTY);
    expect(compiled(bytes)).toBe(compiled(bytes));
    expect(compiled(Uint8Array.from(EMPTY))).not.toBe(compiled(bytes));
  });

  it('is refused when it is no module', () => {
    expect(() => compiled(Uint8Array.of(1, 2, 3))).toThrow(WebAssembly.CompileError);
  });
});
