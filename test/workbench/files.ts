/** What the folder that is opened in the workbench has in it. */
import { ROOT } from '../architecture/source.ts';
import fs from 'node:fs';
import path from 'node:path';

const sample = (name: string): string => fs.readFileSync(path.join(ROOT, 'samples', name), 'utf8');

/** A ROM that greets on COM1 and halts. */
const SERIAL = `bits 16
org 0xF000
start:  mov     dx, 0x3F8
        mov     si, text
.next:  cs lodsb
        test    al, al
        jz      .done
        out     dx, al
        jmp     .next
.done:  cli
        hlt
        jmp     .done
text:   db      "Hello from the guest", 13, 10, 0
        times 0xFF0-($-$$) db 0
        jmp     start
        times 0x1000-($-$$) db 0
`;

const BROKEN = `bits 16
org 0xF000
start:  mov     ax, nowhere
        mvo     bx, ax
        times 0xFF0-($-$$) db 0
        jmp     start
        times 0x1000-($-$$) db 0
`;

export const FILES = {
  'icrlo.asm': sample('icrlo.asm'),
  'ipi-modes.asm': sample('ipi-modes.asm'),
  'serial.asm': SERIAL,
  'broken.asm': BROKEN,
} as const;

/** The 1-based number of the only line of a file that contains a text. */
export function lineOf(file: keyof typeof FILES, text: string): number {
  const lines = FILES[file].split('\n').flatMap((line, i) => (line.includes(text) ? [i + 1] : []));
  if (lines.length !== 1) throw new Error(`"${text}" is on ${lines.length} lines of ${file}`);
  return lines[0]!;
}
