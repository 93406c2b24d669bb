/** Reads a bootrom or assembles its source, and says in one line what is wrong with it. */
import { relative } from 'node:path';
import { formatDiagnostic } from '../assembly/assembler.ts';
import { type Assemble, loadProgram, type Program } from '../debugger/code/program.ts';
import { AssemblyFailure, DebuggerError } from '../debugger/error.ts';
import { readInput } from '../worker/files/node.ts';
import { AssemblyError, UsageError } from './errors.ts';

/** A path as short as it can be shown. */
export function shortPath(file: string): string {
  const short = relative('', file);
  return short === '' || short.startsWith('..') ? file : short;
}

/** Reads a bootrom, or assembles it when the file is a .asm; hands what the assembler warns of to `warn`. Throws a UsageError. */
export function loadRom(file: string, assemble: Assemble, warn: (line: string) => void = () => {}): Program {
  try {
    const { program, warnings } = loadProgram(file, readInput(file), assemble);
    for (const warning of warnings) warn(formatDiagnostic(warning));
    return program;
  } catch (error) {
    if (error instanceof AssemblyFailure) throw new AssemblyError(error.diagnostics.map(formatDiagnostic).join('\n'));
    if (error instanceof DebuggerError) throw new UsageError(error.message);
    throw error;
  }
}
