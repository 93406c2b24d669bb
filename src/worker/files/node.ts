/** Files of the computer under Node: what cannot be read is said in one sentence. */
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DebuggerError } from '../../debugger/error.ts';
import { BOOTROM_MAX_BYTES } from '../../machine/boot/bootrom.ts';

const RIGHT = 'give a bootrom (.rom, .bin, .fd) or its source (.asm)';

/** Is it a URI that Node cannot read, such as `vscode-vfs://…` or `untitled:…`? (One letter before the colon is a drive.) */
export const isForeign = (path: string): boolean => /^[a-z][a-z0-9+.-]+:/i.test(path) && !/^file:/i.test(path);

/** The bytes of a bootrom or source by its path or file: URI. Throws a DebuggerError. */
export function readInput(file: string): Uint8Array {
  try {
    const path = /^file:/i.test(file) ? fileURLToPath(file) : file;
    const info = fs.statSync(path);
    if (info.isDirectory()) throw new DebuggerError(`${file} is a directory; ${RIGHT}.`);
    if (!info.isFile()) throw new DebuggerError(`${file} is no regular file; ${RIGHT}.`);
    if (info.size > BOOTROM_MAX_BYTES)
      throw new DebuggerError(`${file} is ${info.size} bytes long; a boot ROM has at most ${BOOTROM_MAX_BYTES} (16 MiB).`);
    return fs.readFileSync(path);
  } catch (error) {
    if (error instanceof DebuggerError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new DebuggerError(`There is no file ${file}.`);
    if (code === 'EACCES' || code === 'EPERM') throw new DebuggerError(`${file} may not be read.`);
    throw new DebuggerError(`${file} cannot be read: ${code ?? String(error)}.`);
  }
}
