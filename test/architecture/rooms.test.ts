import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { importViolation, MACHINE, ROOMS } from './rooms.ts';
import { importsOf, ROOT, read, sourceFiles } from './source.ts';

describe('who may import whom', () => {
  test('a room imports only what its row of the table allows', () => {
    const violations = sourceFiles().flatMap((file) =>
      importsOf(read(file)).flatMap(({ specifier, typeOnly }) => {
        const why = importViolation(file.slice('src/'.length), specifier, typeOnly);
        return why === undefined ? [] : [`${file} imports ${specifier}: ${why}`];
      }),
    );
    expect(violations).toEqual([]);
  });

  test('every import names a file that exists', () => {
    const missing = sourceFiles().flatMap((file) =>
      importsOf(read(file))
        .filter(({ specifier }) => specifier.startsWith('.') && !fs.existsSync(path.join(ROOT, path.dirname(file), specifier)))
        .map(({ specifier }) => `${file} imports ${specifier}`),
    );
    expect(missing).toEqual([]);
  });

  test('every folder of src/ is a room and every folder of src/machine/ stands in its table', () => {
    const folders = (name: string): string[] =>
      fs
        .readdirSync(path.join(ROOT, name), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name);
    expect(folders('src').filter((name) => !(name in ROOMS))).toEqual([]);
    expect(folders('src/machine').filter((name) => !MACHINE.includes(name as never))).toEqual([]);
  });

  test('the tables of src/README.md name the same rooms in the same order', () => {
    const rows = [...read('src/README.md').matchAll(/^\| \*{0,2}`([\w-]+)\/`/gm)].map(([, name]) => name as string);
    expect(rows.filter((name) => name in ROOMS)).toEqual(Object.keys(ROOMS).filter((name) => rows.includes(name)));
    expect(rows.filter((name) => MACHINE.includes(name as never))).toEqual([...MACHINE]);
  });
});

describe('the rule itself', () => {
  const refused: [string, string, boolean, string][] = [
    ['machine/base/bits.ts', '../x86/icr.ts', false, 'machine/x86/ comes after machine/base/ in the table'],
    ['machine/base/bits.ts', '../x86/icr.ts', true, 'machine/x86/ comes after machine/base/ in the table'],
    ['machine/devices/vatpit.ts', '../vmm/bus.ts', false, 'machine/vmm/ comes after machine/devices/ in the table'],
    ['machine/vmm/bus.ts', '../../debugger/session.ts', true, 'machine/ may import nothing outside itself'],
    ['assembly/parser.ts', '../machine/ledger/verdict.ts', false, 'assembly/ may import machine/base, machine/x86, machine/isa'],
    ['machine/cpu/decode.ts', 'iced-x86', false, 'only machine/isa/ imports iced-x86'],
    ['debugger/session.ts', 'node:fs', true, 'only cli/ and files named node.ts touch Node'],
    ['worker/serve.ts', '@vscode/debugadapter', true, 'only dap/ imports @vscode/debugadapter'],
    ['dap/adapter.ts', '@vscode/debugprotocol', false, '@vscode/debugprotocol is no dependency that this room may have'],
    ['dap/adapter.ts', 'vscode', true, 'only extension/ imports vscode'],
    ['views/exits/main.ts', '../../debugger/session.ts', false, 'views/ may import machine/x86, types debugger, types machine/ledger'],
    ['machine/base/bits.ts', './other', false, './other names no .ts file'],
    ['machine/base/bits.ts', 'left-pad', false, 'left-pad is no dependency that this room may have'],
    ['helpers/a.ts', '../machine/base/bits.ts', false, 'helpers/ is no room of the table'],
    ['machine/vmm/vm.ts', '../machine.ts', true, 'machine/machine.ts stands above all folders of machine/'],
    ['machine/extra/a.ts', '../base/bits.ts', false, 'machine/extra is no folder of the table'],
    ['cli/main.ts', '../../test/helper.ts', false, '../../test/helper.ts leaves src/'],
  ];
  test.each(refused)('%s may not import %s (types only: %s)', (file, specifier, typeOnly, why) => {
    expect(importViolation(file, specifier, typeOnly)).toBe(why);
  });

  const allowed: [string, string, boolean][] = [
    ['machine/x86/icr.ts', '../base/bits.ts', false],
    ['machine/isa/decoder.ts', 'iced-x86', false],
    ['machine/models/pc.ts', '../vmm/vm.ts', false],
    ['machine/machine.ts', './models/model.ts', false],
    ['assembly/assembler.ts', '../machine/isa/encoder.ts', false],
    ['debugger/session.ts', '../machine/models/pc.ts', false],
    ['views/exits/main.ts', '../../debugger/session.ts', true],
    ['dap/adapter.ts', '@vscode/debugadapter', false],
    ['dap/adapter.ts', '@vscode/debugprotocol', true],
    ['worker/node.ts', 'node:worker_threads', false],
    ['cli/main.ts', 'node:fs', false],
    ['extension/panels.ts', '../views/protocol.ts', false],
  ];
  test.each(allowed)('%s may import %s (types only: %s)', (file, specifier, typeOnly) => {
    expect(importViolation(file, specifier, typeOnly)).toBeUndefined();
  });

  test('imports are found in every form and not in comments or strings', () => {
    const source = `
      import 'a';
      import type { B } from './b.ts';
      import { type C, type D } from './c.ts';
      import { type E, e } from './e.ts';
      import * as f from './f.ts'; export * from './g.ts';
      export type { H } from './h.ts';
      export {
        i,
        j,
      } from './i.ts';
      const k = await import('./k.ts'); const l = require("./l.ts");
      // import './comment.ts';
      /* import './comment.ts'; */
      const text = "import 'x'"; export const y = 'from';
    `;
    expect(importsOf(source).map(({ specifier, typeOnly }) => (typeOnly ? `type ${specifier}` : specifier))).toEqual([
      'a', 'type ./b.ts', 'type ./c.ts', './e.ts', './f.ts', './g.ts', 'type ./h.ts', './i.ts', './k.ts', './l.ts',
    ]); // biome-ignore format: one line is enough
  });
});
