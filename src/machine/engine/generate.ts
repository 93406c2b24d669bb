/** The interpreter's module, from the definitions: run at build time. */
import '../cpu/semantics/index.ts';
import { Forms } from '../emitter/form.ts';
import { isHot } from './hot.ts';
import { annotate, generateInterpreter as generate } from './interpreter.ts';

let annotated: Forms | undefined;

/** Every form, annotated: the same list, in the same order, that the module's handlers have. Made once; nobody changes it. */
export function allForms(): Forms {
  if (annotated) return annotated;
  annotated = Forms.all();
  annotate(annotated);
  return annotated;
}

/** The bytes of interpreter.wasm. */
export const generateInterpreter = (): Uint8Array => generate(allForms(), isHot);
