import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exitpoint, type Output, type Setting } from './host.ts';

/** Port accesses: more than the ledger holds. */
const MANY = 70_000;

/** A ROM that stores an ICR value which only the kernels of 2020 send, before or behind a great many port accesses; or does not. */
const rom = (where: 'before' | 'behind' | 'nowhere'): string => {
  const store = 'mov dword [0xFEE00300], 0x000C8040';
  return `
bits 32
org 0xFFFFF000
start32: mov eax, 0x10
  mov ds, eax
  mov dword [0xFEE000F0], 0x1FF
  ${where === 'before' ? store : ''}
  mov ecx, ${MANY}
.loop: out 0x80, al
  dec ecx
  jnz .loop
  ${where === 'behind' ? store : ''}
  jmp $
gdt: dq 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
gdtr: dw 23
  dd gdt
bits 16
start16: o32 lgdt [cs:0xF000+gdtr-$$]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 0x08:start32
  times 0xFF0-($-$$) db 0
  jmp start16
  times 0x1000-($-$$) db 0
`;
};

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'exitpoint-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

function diff(where: Parameters<typeof rom>[0], setting: Setting = {}, ...more: string[]): Promise<Output> {
  const file = join(dir, `${where}.asm`);
  writeFileSync(file, rom(where));
  const profiles = ['--profile', 'illumos-2020-10', '--profile', 'illumos'];
  return exitpoint(['diff', file, '--cpus', '2', '--memory', '1M', '--timeout', '3ms', ...profiles, ...more], setting);
}
const flat = ({ stdout }: Output): string => stdout.replace(/\s+/g, ' ');

describe('diff of runs with more exits than the ledger holds', () => {
  it('finds a difference whose records are dropped before the end', async () => {
    const output = await diff('before');
    expect(flat(output)).toContain('before.asm:7 mov dword');
    expect(flat(output)).toContain('what differs: targets');
    expect(output.status).toBe(1);
  });
  it('finds one behind them all, and counts the exits that were alike', async () => {
    const output = await diff('behind');
    expect(flat(output)).toContain('behind.asm:12 mov dword');
    expect(flat(output)).toContain('70 001 exits before were alike');
    expect(output.status).toBe(1);
  });
  it('says so when there is none, and what was left aside', async () => {
    const output = await diff('nowhere');
    expect(flat(output)).toContain('NO DIFFERENCE ');
    expect(flat(output)).toMatch(/Exits RUN_STATE \(0 against [1-9][0-9]*\) are left aside/);
    expect(output.status).toBe(0);
    const { stdout } = await diff('nowhere', {}, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ parting: null, complete: true, alike: MANY + 1 });
  });
});

describe('diff', () => {
  it('tells on Ctrl-C how much was alike, and claims no more', async () => {
    const output = await diff('nowhere', { interrupt: true });
    expect(flat(output)).toContain('NO DIFFERENCE SO FAR');
    expect(flat(output)).toMatch(/[1-9][0-9 ]* exits were compared and alike under illumos-2020-10 and illumos when Ctrl-C ended/);
    expect(output.status).toBe(130);
    expect(JSON.parse((await diff('nowhere', { interrupt: true }, '--json')).stdout)).toMatchObject({ parting: null, complete: false });
  });
  it('of a profile with itself is refused', async () => {
    const file = join(dir, 'same.asm');
    writeFileSync(file, rom('nowhere'));
    const { status, stderr } = await exitpoint(['diff', file, '--profile', 'illumos', '--profile', 'illumos']);
    expect(stderr).toBe('exitpoint: diff needs two different profiles, but got illumos twice.\n');
    expect(status).toBe(2);
  });
});
