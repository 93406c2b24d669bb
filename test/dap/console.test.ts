import { describe, expect, test } from 'vitest';
import { type Body, Client } from './client.ts';
import { bootrom, file } from './guest.ts';

/** Writes bytes to the first serial port, which has nothing to be waited for, and halts. */
function guest(bytes: readonly number[], more: object): object {
  const code = `  jmp near begin\n`;
  const rest = `begin:\n  mov dx, 0x3F8\n${bytes.map((b) => `  mov al, ${b}\n  out dx, al\n`).join('')}  cli\n.end: hlt\n  jmp .end\n`;
  return { program: file('console.asm', bootrom(code, rest)), cpus: 1, stopOnEntry: false, ...more };
}

const said = (client: Client, name: string): Body[] =>
  client.conversation.received.filter(({ event }) => event === name).map(({ body }) => body as Body);

describe('what the guest writes to its console', () => {
  const euro = [0xe2, 0x82, 0xac, 0x0a];

  test('goes to a terminal as bytes', async () => {
    const client = Client.inProcess();
    await client.launched(guest(euro, { console: 'terminal' }));
    const parts = said(client, 'exitpoint/console');
    expect(new Set(parts.map(({ stream }) => stream))).toEqual(new Set(['serial']));
    expect(parts.map(({ base64 }) => Buffer.from(base64 as string, 'base64').toString('hex')).join('')).toBe('e282ac0a');
    expect(said(client, 'output').some(({ category }) => category === 'stdout')).toBe(false);
  });

  test('goes to the debug console as text, when that is asked for', async () => {
    const client = Client.inProcess();
    await client.launched(guest(euro, { console: 'debugConsole' }));
    const parts = said(client, 'output').filter(({ category }) => category === 'stdout');
    expect(parts.map(({ output }) => output).join('')).toBe('€\n');
    expect(said(client, 'exitpoint/console')).toEqual([]);
  });
});
