/** The files that lie next to the bundle: what the build makes besides it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { EncodingIndexData } from '../machine/isa/encoding-index.ts';
import { UsageError } from './errors.ts';

export interface Assets {
  /** The interpreter, a WebAssembly module. */
  readonly interpreter: Uint8Array<ArrayBuffer>;
  /** What the assembler can encode. */
  readonly encodings: () => EncodingIndexData;
}

/** Where the bundle lies: dist/. */
const beside = (name: string, base: string): string => fileURLToPath(new URL(name, base));

function read(file: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(file));
  } catch {
    throw new UsageError(`${file} is missing; build it with: node esbuild.mjs`);
  }
}

/** Reads them. `base`: the URL of the bundle. */
export function loadAssets(base: string): Assets {
  return {
    interpreter: read(beside('./interpreter.wasm', base)),
    encodings: () => JSON.parse(new TextDecoder().decode(read(beside('./encoding-index.json', base)))) as EncodingIndexData,
  };
}
