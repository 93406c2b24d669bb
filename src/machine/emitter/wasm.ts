/** A small WebAssembly binary writer: structured code with labels, and modules (WebAssembly Core Specification, "Binary Format"). */

export const I32 = 0x7f;
export const I64 = 0x7e;
export type Type = typeof I32 | typeof I64;
const VOID = 0x40;

export const Op = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  drop: 0x1a,
  select: 0x1b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  i32Load: 0x28,
  i64Load: 0x29,
  i32Load8U: 0x2d,
  i32Load16U: 0x2f,
  i32Store: 0x36,
  i64Store: 0x37,
  i32Store8: 0x3a,
  i32Store16: 0x3b,
  i32Const: 0x41,
  i64Const: 0x42,
  i32Eqz: 0x45,
  i32Eq: 0x46,
  i32Ne: 0x47,
  i32LtS: 0x48,
  i32LtU: 0x49,
  i64Ne: 0x52,
  i64Eq: 0x51,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i32And: 0x71,
  i32Or: 0x72,
  i32Shl: 0x74,
  i32ShrU: 0x76,
  i64Or: 0x84,
  i64ExtendU: 0xad,
} as const;

/** Where a branch may go: the nesting depth at which its block was opened. */
export type Label = number;

/** Growing code of one function body. */
export class Code {
  bytes = new Uint8Array(256);
  length = 0;
  depth = 0;

  u8(b: number): void {
    if (this.length === this.bytes.length) {
      const old = this.bytes;
      this.bytes = new Uint8Array(old.length * 2);
      this.bytes.set(old);
    }
    this.bytes[this.length++] = b;
  }
  /** Unsigned LEB128. */
  u32(value: number): void {
    let n = value >>> 0;
    for (; n > 0x7f; n >>>= 7) this.u8((n & 0x7f) | 0x80);
    this.u8(n);
  }
  /** Signed LEB128 of up to 64 bits. */
  s64(value: bigint): void {
    let n = value;
    for (; n > 63n || n < -64n; n >>= 7n) this.u8(Number(n & 0x7fn) | 0x80);
    this.u8(Number(n & 0x7fn));
  }
  /** i32.const. */
  i32(value: number): void {
    this.u8(Op.i32Const);
    let n = value | 0;
    for (; n > 63 || n < -64; n >>= 7) this.u8((n & 0x7f) | 0x80);
    this.u8(n & 0x7f);
  }
  i64(value: bigint): void {
    this.u8(Op.i64Const);
    this.s64(value);
  }
  op(op: number, ...immediates: number[]): void {
    this.u8(op);
    for (const n of immediates) this.u32(n);
  }

  /** Opens a block, loop or if; its label stays valid until the matching end(). */
  open(op: number, result: number = VOID): Label {
    this.u8(op);
    this.u8(result);
    return ++this.depth;
  }
  end(): void {
    this.u8(Op.end);
    this.depth--;
  }
  br(target: Label, op: number = Op.br): void {
    this.op(op, this.depth - target);
  }
  append(other: Code): void {
    for (let i = 0; i < other.length; i++) this.u8(other.bytes[i] as number);
  }
}

export interface FunctionType {
  params: Type[];
  results: Type[];
}
export interface FunctionBody {
  /** Index into the module's types. */
  type: number;
  locals: Type[];
  code: Code;
  export?: string;
}
export interface ModuleParts {
  types: FunctionType[];
  imports: [name: string, type: number][];
  functions: FunctionBody[];
  /** Imports "env".table; `first`: functions from that index on fill it from `offset` (none when < 0). */
  table?: { size: number; first: number };
}

/** The bytes of a module that imports "env".memory, "env".table (when `table` is given) and functions of "env". */
export function buildModule({ types, imports, functions, table }: ModuleParts): Uint8Array {
  const out = new Code();
  const section = (id: number, fill: (c: Code) => void): void => {
    const c = new Code();
    fill(c);
    out.u8(id);
    out.u32(c.length);
    out.append(c);
  };
  const name = (c: Code, s: string): void => {
    c.u32(s.length);
    for (let i = 0; i < s.length; i++) c.u8(s.charCodeAt(i));
  };
  for (const b of [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.u8(b);
  section(1, (c) => {
    c.u32(types.length);
    for (const t of types) {
      c.u8(0x60);
      for (const list of [t.params, t.results]) {
        c.u32(list.length);
        for (const x of list) c.u8(x);
      }
    }
  });
  section(2, (c) => {
    c.u32(imports.length + 1 + (table ? 1 : 0));
    const item = (n: string, ...description: number[]): void => {
      name(c, 'env');
      name(c, n);
      for (const d of description) c.u32(d);
    };
    for (const [n, t] of imports) item(n, 0, t);
    item('memory', 2, 0, 1);
    if (table) item('table', 1, 0x70, 0, table.size);
  });
  section(3, (c) => {
    c.u32(functions.length);
    for (const f of functions) c.u32(f.type);
  });
  section(7, (c) => {
    const exported = functions.flatMap((f, i) => (f.export ? [[f.export, imports.length + i] as const] : []));
    c.u32(exported.length);
    for (const [n, i] of exported) {
      name(c, n);
      c.u8(0);
      c.u32(i);
    }
  });
  if (table && table.first >= 0)
    section(9, (c) => {
      c.u32(1);
      c.u32(0);
      c.i32(0);
      c.u8(Op.end);
      c.u32(table.size);
      for (let i = 0; i < table.size; i++) c.u32(imports.length + table.first + i);
    });
  section(10, (c) => {
    c.u32(functions.length);
    for (const f of functions) {
      const body = new Code();
      body.u32(f.locals.length);
      for (const t of f.locals) {
        body.u32(1);
        body.u8(t);
      }
      body.append(f.code);
      body.u8(Op.end);
      c.u32(body.length);
      c.append(body);
    }
  });
  return out.bytes.slice(0, out.length);
}
