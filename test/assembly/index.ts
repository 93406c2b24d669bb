/** The encoding index for tests, made once per test file from the same generator that the build runs. */
import { loadEncodingIndex } from '../../src/machine/isa/encoding-index.ts';
import { generateEncodingIndex } from '../../src/machine/isa/generate-encoding-index.ts';

export const index = loadEncodingIndex(generateEncodingIndex());
