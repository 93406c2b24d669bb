/** The interpreter's module, compiled once for all machines that are built from the same bytes: compiling it costs more than building the rest. */

const modules = new WeakMap<Uint8Array, WebAssembly.Module>();

/** The module of these bytes, which must not change any more. @throws WebAssembly.CompileError for bytes that are no module */
export function compiled(bytes: Uint8Array): WebAssembly.Module {
  const known = modules.get(bytes);
  if (known) return known;
  // The browser's own types refuse bytes that might be shared with another thread; these are not.
  const module = new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
  modules.set(bytes, module);
  return module;
}
