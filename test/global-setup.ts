/**
 * Before any test: dist/interpreter.wasm and dist/encoding-index.json belong to the source as it stands. When one cannot be generated it is absent,
 * so the tests that need it fail, and those of a single chip or table still run.
 */
import { build } from '../esbuild.mjs';

export async function setup(): Promise<void> {
  try {
    const written = await build({ generatedOnly: true });
    if (written.length > 0) console.error(`built ${written.join(', ')}`);
  } catch (error) {
    console.error(`not generated: ${error instanceof Error ? error.message : String(error)}`);
  }
}
