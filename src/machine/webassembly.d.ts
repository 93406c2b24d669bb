/**
 * The part of the WebAssembly JavaScript Interface that the machine uses. The pure rooms compile with `lib: ["ES2022"]` and `types: []`, which
 * know nothing of WebAssembly; taking the DOM's library for it would let the wall clock, timers and the console in with it.
 */
declare namespace WebAssembly {
  type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128' | 'anyfunc' | 'externref';
  type ImportExportKind = 'function' | 'global' | 'memory' | 'table' | 'tag';

  interface MemoryDescriptor {
    /** In pages of 64 KiB. */
    initial: number;
    maximum?: number;
  }
  class Memory {
    constructor(descriptor: MemoryDescriptor);
    /** A new object after each growth: the old one is then detached. */
    readonly buffer: ArrayBuffer;
    /** Grows by `pages`; gives the size before, in pages. Throws a RangeError when it cannot. */
    grow(pages: number): number;
  }

  interface TableDescriptor {
    element: 'anyfunc' | 'externref';
    initial: number;
    maximum?: number;
  }
  class Table {
    constructor(descriptor: TableDescriptor, value?: unknown);
    readonly length: number;
    // biome-ignore lint/suspicious/noExplicitAny: what lies in a table is an exported function of any type, or a host value
    get(index: number): any;
    set(index: number, value?: unknown): void;
    grow(by: number, value?: unknown): number;
  }

  interface GlobalDescriptor {
    value: ValueType;
    mutable?: boolean;
  }
  class Global<T = unknown> {
    constructor(descriptor: GlobalDescriptor, value?: T);
    value: T;
    valueOf(): T;
  }

  type ImportValue = CallableFunction | Memory | Table | Global | number | bigint;
  type Imports = Record<string, Record<string, ImportValue>>;
  type Exports = Record<string, ExportValue>;
  // biome-ignore lint/suspicious/noExplicitAny: an export's type is the module's, which only its writer knows
  type ExportValue = any;

  interface ModuleExportDescriptor {
    kind: ImportExportKind;
    name: string;
  }
  interface ModuleImportDescriptor {
    kind: ImportExportKind;
    module: string;
    name: string;
  }
  /** Compiles synchronously; throws a CompileError. Refused by browsers on their main thread above a few KiB, not in workers. */
  class Module {
    constructor(bytes: ArrayBufferView | ArrayBuffer);
    static exports(module: Module): ModuleExportDescriptor[];
    static imports(module: Module): ModuleImportDescriptor[];
    static customSections(module: Module, name: string): ArrayBuffer[];
  }
  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Exports;
  }

  function validate(bytes: ArrayBufferView | ArrayBuffer): boolean;

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}
}
