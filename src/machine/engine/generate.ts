/** The interpreter's module, from the definitions: run at build time. */
import '../cpu/semantics/index.ts';
import { Forms } from '../emitter/form.ts';
import { isHot } from './hot.ts';
import { annotate, generateInterpreter as generate } from './interpreter.ts';

/** Every form, annotated: the same list, in the same order, that the module's handlers have. */
export function allForms(): Forms {
  const forms = Forms.all();
  annotate(forms);
  return forms;
}

/** The bytes of interpreter.wasm. */
export const generateInterpreter = (): Uint8Array => generate(allForms(), isHot);
