/** Debian's nasm as the reference, and what differs from it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble, formatDiagnostic } from '../../src/assembly/assembler.ts';
import { index } from './index.ts';

/** The version line of the installed nasm, or null if there is none. */
export function nasmVersion(): string | null {
  const run = spawnSync('nasm', ['-v'], { encoding: 'utf8' });
  return run.status === 0 ? run.stdout.trim() : null;
}

/** What nasm makes of a text: bytes and the offset of each line from its listing; or its error messages. */
export function nasm(source: string): { bytes: Uint8Array; offsets: Map<number, number> } | { errors: string } {
  const folder = mkdtempSync(join(tmpdir(), 'exitpoint-nasm-'));
  try {
    writeFileSync(join(folder, 'a.asm'), source);
    const run = spawnSync('nasm', ['-w-all', '-f', 'bin', '-o', 'a.bin', '-l', 'a.lst', 'a.asm'], {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    if (run.status !== 0) return { errors: run.error === undefined ? run.stderr : `nasm cannot be started: ${run.error.message}` };
    const offsets = new Map<number, number>();
    for (const line of readFileSync(join(folder, 'a.lst'), 'latin1').split('\n')) {
      const m = /^\s*(\d+) ([0-9A-F]{8}) /.exec(line);
      if (m !== null && !offsets.has(Number(m[1]))) offsets.set(Number(m[1]), Number.parseInt(m[2] as string, 16));
    }
    return { bytes: new Uint8Array(readFileSync(join(folder, 'a.bin'))), offsets };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const shown = (bytes: Uint8Array): string =>
  Buffer.from(bytes.subarray(0, 24)).toString('hex').toUpperCase() + (bytes.length > 24 ? '…' : '');

/** The first difference between ours and nasm's, in words, or null if the images are the same byte for byte. */
export function difference(source: string, file: string): string | null {
  const ours = assemble(source, file, { index });
  const errors = ours.diagnostics.filter((d) => d.severity === 'error');
  const reference = nasm(source);
  const text = source.split('\n');
  if ('errors' in reference) {
    const line = Number(/a\.asm:(\d+): error/.exec(reference.errors)?.[1] ?? 0);
    return `nasm refuses ${file}:\n  ${reference.errors
      .split('\n')
      .filter((l) => l.includes('error'))
      .slice(0, 5)
      .join('\n  ')}\n  line: ${text[line - 1] ?? ''}`;
  }
  if (errors.length > 0)
    return `ours refuses ${file}:\n  ${errors
      .slice(0, 5)
      .map((d) => `${formatDiagnostic(d)}\n    ${text[d.line - 1] ?? ''}`)
      .join('\n  ')}`;
  const length = Math.max(ours.bytes.length, reference.bytes.length);
  for (let i = 0; i < length; i++) {
    if (ours.bytes[i] === reference.bytes[i]) continue;
    const starts = [...reference.offsets].sort((a, b) => b[1] - a[1]);
    const at = starts.find(([, offset]) => offset <= i) ?? [0, 0];
    const next = starts.filter(([, offset]) => offset > at[1]).at(-1)?.[1] ?? reference.bytes.length;
    const entry = ours.lines.entryAt(i);
    const mine = entry === null ? '(nothing)' : shown(ours.bytes.subarray(entry.offset, entry.offset + entry.length));
    const line = entry === null ? '' : `${entry.line}: ${text[entry.line - 1] ?? ''}`;
    return `${file}: first difference at offset ${i}\n  ours:  line ${line}\n         ${mine}\n  nasm:  line ${at[0]}: ${text[at[0] - 1] ?? ''}\n         ${shown(reference.bytes.subarray(at[1], next))}`;
  }
  return null;
}
