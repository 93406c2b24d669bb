/** Small guests for tests of the adapter, as source files that go away with the test. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

/** A file with this text; gives its path. */
export function file(name: string, content: string | Uint8Array): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'exitpoint-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const whole = path.join(folder, name);
  writeFileSync(whole, content);
  return whole;
}

/** A bootrom of 4 KiB whose 16 bytes at the reset vector are `code`. */
export const bootrom = (code: string, rest = ''): string =>
  `bits 16\norg 0xFFFFF000\n${rest}\n  times 0xFF0-($-$$) db 0\nstart:\n${code}\n  times 0x1000-($-$$) db 0\n`;

/** One vCPU that never ends. */
export const spinning = (): { program: string; cpus: number } => ({ program: file('spin.asm', bootrom('  jmp $')), cpus: 1 });
