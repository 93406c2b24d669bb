import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { visible } from '../../src/cli/table.ts';
import { exitpoint, root, sample } from './host.ts';

let directory = '';
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
};
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'exitpoint-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('run', () => {
  it('writes the console to stdout, what happened to stderr, and ends with status 0 when the guest halts', async () => {
    const { status, stdout, stderr } = await exitpoint(['run', sample('timer'), '--memory', '1M']);
    expect(stdout).toBe(
      'one-shot: one interrupt ... ok\nperiodic: five, then stopped ... ok\nmasked: counts in silence ... ok\ndivide by 16: 16 times as long ... ok\n',
    );
    expect(stderr).toMatch(
      /ended {3}✓ halted at timer\.asm:86 after .*\n {8}Every active vCPU halted with interrupts disabled\.\nexits {3}\d+: MMIO_EMUL \d+, INOUT \d+, HLT \d+\nIPIs {4}0\n$/,
    );
    expect(status).toBe(0);
  });
  it('says of each vCPU why nothing can happen any more, and what became of a lost SIPI', async () => {
    const { status, stderr } = await exitpoint(['run', sample('lost-sipi'), '--cpus', '2', '--memory', '1M']);
    expect(stderr).toContain('– stuck at lost-sipi.asm:');
    expect(stderr).toContain('vCPU1 was never started');
    expect(stderr.replace(/\s+/g, ' ')).toContain('refused by vCPU1: not waiting for SIPI: run state HALT.');
    expect(status).toBe(0);
  });
  it('ends with status 3 when the VM aborts, and names the line', async () => {
    const { status, stderr } = await exitpoint(['run', sample('icrlo'), '--cpus', '4', '--memory', '1M']);
    expect(stderr).toContain('✕ VM abort at icrlo.asm:165');
    expect(stderr).toContain('IPIs    7: 9 reached, 2 refused');
    expect(status).toBe(3);
  });
  it('shows the panic of the host with its call chain', async () => {
    const { status, stderr } = await exitpoint(['run', sample('icrlo'), '--cpus', '4', '--memory', '1M', '--profile', 'illumos-2020-10']);
    expect(stderr).toContain('✕ host panic at icrlo.asm:41');
    expect(stderr).toContain('panic: bad pending MMIO state\n          vm_handle_mmio_emul');
    expect(status).toBe(3);
  });
  it('ends as soon as every --expect is printed, with 0, and with 1 when one never is', async () => {
    const found = await exitpoint(['run', sample('timer'), '--memory', '1M', '--expect', 'periodic', '--expect', 'one-shot']);
    expect([found.status, found.stdout]).toEqual([0, 'one-shot: one interrupt ... ok\nperiodic']);
    const missing = await exitpoint(['run', sample('timer'), '--memory', '1M', '--expect', 'masked', '--expect', 'never']);
    expect(missing.status).toBe(1);
    expect(missing.stderr).toContain('missing ✕ the console never showed "never"');
  });
  it('ends with 1 at a --fail-text', async () => {
    const { status, stdout, stderr } = await exitpoint(['run', sample('timer'), '--memory', '1M', '--fail-text', 'ok']);
    expect([status, stdout]).toEqual([1, 'one-shot: one interrupt ... ok']);
    expect(stderr).toContain('The text of --fail-text was printed: "ok".');
  });
  it('ends with 42 when --timeout has passed, in virtual time', async () => {
    const { status, stderr } = await exitpoint(['run', sample('timer'), '--memory', '1M', '--timeout', '1ms']);
    expect(stderr).toMatch(/✕ timeout after 1 ms of virtual time/);
    expect(status).toBe(42);
  });
  it('says where each vCPU is, and what it does, when the time is over', async () => {
    const { stderr } = await exitpoint(['run', sample('icrlo'), '--cpus', '4', '--memory', '1M', '--timeout', '100us']);
    expect(stderr).toMatch(/vCPU0 halted; next is CS:EIP 0008:[0-9A-F]{8}, icrlo\.asm:\d+\n +vCPU1 waits for SIPI\n/);
    const { stdout } = await exitpoint(['run', sample('lost-sipi'), '--memory', '1M', '--timeout', '100us', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      ended: {
        kind: 'timeout',
        details: [expect.stringMatching(/^vCPU0 runs at CS:EIP .*lost-sipi\.asm:\d+: /), 'vCPU1 was never started'],
      },
      vcpus: [{ state: 'running' }, { state: 'never started' }],
    });
  });
  it('takes the number of vCPUs from the source, and says so, unless --cpus is given', async () => {
    const { stderr } = await exitpoint(['run', sample('lost-sipi'), '--memory', '1M']);
    expect(stderr).toMatch(/^2 vCPUs, for .*lost-sipi\.asm says "EXPECT: cpus 2"; --cpus N gives another number\.\n.* 2 vCPUs /);
    const given = await exitpoint(['run', sample('lost-sipi'), '--memory', '1M', '--cpus', '1']);
    expect(given.stderr).toMatch(/^Exitpoint .* 1 vCPU /);
    const many = file('many.asm', 'bits 16\norg 0xFFFFFFF0\nhlt\n; EXPECT: cpus 99\ntimes 16-($-$$) db 0\n');
    expect((await exitpoint(['run', many, '--memory', '1M'])).stderr).toMatch(/^Exitpoint .* 1 vCPU /);
  });
  it('counts an IPI that addresses nobody among the lost ones', async () => {
    const words = ['run', sample('icrlo'), '--cpus', '2', '--memory', '1M', '--timeout', '20ms'];
    const { stderr } = await exitpoint(words);
    expect(stderr).toContain('IPIs    3: 2 reached, 1 to nobody\n');
    expect(stderr).toMatch(/✕ i#2 +icrlo\.asm:45 vCPU0 sent SIPI 09 to APIC ID 03, edge, assert; nobody is addressed\./);
    expect(JSON.parse((await exitpoint([...words, '--json'])).stdout)).toMatchObject({ ipis: { toNobody: 1, lost: [{ ipi: 2 }] } });
  });
  it('says of a cross line who refused first, and names targets of one fate together', async () => {
    const { stderr } = await exitpoint(['run', sample('icrlo'), '--memory', '1M']);
    expect(stderr.replace(/\s+/g, ' ')).toContain('refused by vCPU3: already running; reached vCPU1, 2: started at 0800:0000, taken');
  });
  it('lists twelve lost IPIs, and counts the others', async () => {
    const { stderr } = await exitpoint(['run', sample('ipi-modes'), '--memory', '1M']);
    expect(stderr.match(/✕ i#/g)).toHaveLength(12);
    expect(stderr).toContain('and 1 more; --trace ipis shows all');
  });
  it('prints the warnings of the assembler, and runs', async () => {
    const warned = file('warned.asm', 'bits 16\norg 0xFFFFFFF0\nmov al, 0x1234\nhlt\ntimes 16-($-$$) db 0\n');
    const { status, stderr } = await exitpoint(['run', warned, '--memory', '1M']);
    expect(stderr).toMatch(/^.*warned\.asm:3:\d+: warning: [^\n]+\nExitpoint /);
    expect(status).toBe(0);
  });
  it('begins every line of the trace on a line of its own, on a terminal, and leaves the lines of the console whole', async () => {
    const { screen } = await exitpoint(['run', sample('timer'), '--memory', '1M', '--trace', 'exits'], { terminal: true });
    for (const line of screen.split('\n')) expect(line.indexOf(' ms  e#'), line).toBeLessThan(20);
    expect(screen).toContain('\none-shot: one interrupt ... ok\n');
  });
  it('ends with 130 and the summary at Ctrl-C', async () => {
    const spin = file('spin.asm', `bits 16\norg 0xFFFFFFF0\nstart: jmp start\ntimes 16-($-$$) db 0\n`);
    const { status, stderr } = await exitpoint(['run', spin, '--memory', '1M'], { interrupt: true });
    expect(stderr).toMatch(/– interrupted after .*\n[^]*exits {3}0\nIPIs {4}0/);
    expect(stderr.replace(/\s+/g, ' ')).toContain('4080 bytes were added in front. Real bhyve refuses such a file.');
    expect(status).toBe(130);
  });
  it('gives the summary as JSON on stdout with --json', async () => {
    const { status, stdout, stderr } = await exitpoint(['run', sample('icrlo'), '--cpus', '4', '--memory', '1M', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      status: 3,
      cpus: 4,
      profile: 'illumos',
      schema: 1,
      slice: null,
      ended: { kind: 'vm-abort', how: null, where: 'icrlo.asm:165' },
      vcpus: [
        { vcpu: 0, state: 'halted', where: 'icrlo.asm:67' },
        { vcpu: 1, state: 'running', runState: 'INIT|RUN', cs: 8, where: 'icrlo.asm:165' },
        { vcpu: 2 },
        { vcpu: 3 },
      ],
      exits: { count: 45 },
      ipis: { count: 7, byVerdict: { reached: 9, refused: 2 } },
    });
    expect([status, stderr]).toEqual([3, '']);
  });
  it('traces exits and IPIs, with the lines of code that the guest has copied to RAM', async () => {
    const { stderr } = await exitpoint(['run', sample('icrlo'), '--cpus', '4', '--memory', '1M', '--trace', 'exits,ipis']);
    const lines = stderr.split('\n').filter((l) => /^ +\d+\.\d{3} \d{3} ms/.test(l));
    expect(lines.length).toBe(45 + 7);
    expect(lines.some((l) => /e#\d+ +icrlo\.asm:109 +INOUT +vCPU1 wrote 91h to port 80h\./.test(l))).toBe(true);
    expect(
      lines.some((l) =>
        /i#1 +icrlo\.asm:41 +INIT +vCPU0 sent INIT to all excluding self, edge, assert; reached vCPU1, 2, 3: INIT\./.test(l),
      ),
    ).toBe(true);
  });
  it('gives the same output for the same seed', async () => {
    const words = ['run', sample('icrlo'), '--cpus', '4', '--memory', '1M', '--trace', 'exits', '--seed', '7'];
    expect(await exitpoint(words)).toEqual(await exitpoint(words));
  });
});

describe('--break', () => {
  it.each([
    ['ipi:*=refused', 'icrlo.asm:48', 'refused by vCPU3: already running'],
    ['ipi:FIXED=softwareDisabled', 'icrlo.asm:63', 'LAPIC software-disabled, SVR bit 8 clear (SVR = 000000FF)'],
    ['ipi:SIPI->1', 'icrlo.asm:48', 'started at 0800:0000'],
    ['lapic.icr_lo:w if value in (0x4400, 0x4200)', 'icrlo.asm:59', 'vCPU0 stored 00004400h to ICR_LO: NMI to APIC ID 01'],
    ['lapic@2.svr.enable', 'icrlo.asm:130', 'vCPU2 stored 000001FFh to SVR'],
    ['lapic.icr_lo.mode if value == SIPI', 'icrlo.asm:45', 'SIPI 09 to APIC ID 03'],
    ['io:0x80:w if value == 91h', 'icrlo.asm:109', 'vCPU1 wrote 91h to port 80h'],
    ['vector:0x30', 'icrlo.asm:146', 'vCPU2 was delivered vector 30'],
    ['exit:HLT hits 3', 'icrlo.asm:142', 'vCPU1 halted'],
    ['exit:fatal', 'icrlo.asm:165', 'opcode 87 is not emulated on MMIO'],
    ['exit:MMIO_EMUL if lapic[1].svr.enable && vcpu == 2', 'icrlo.asm:130', 'vCPU2 stored 000001FFh to SVR'],
    ['icrlo.asm:55 if byte [ready] == 2 && esp == 6FFCh', 'icrlo.asm:55', 'vCPU0 is about to execute mov dword [LAPIC+ICR_LO], 0x00004830'],
    ['wake_aps', 'icrlo.asm:41', 'vCPU0 is about to execute mov dword [LAPIC+ICR_LO], 0x000C4500'],
    ['F000:FFF0', 'icrlo.asm:218', 'vCPU0 is about to execute jmp start16'],
    ['0x8010 hits 2', 'icrlo.asm:109', 'vCPU2 is about to execute out 0x80, al'],
  ])('%s stops at %s and says why', async (expression, where, why) => {
    const { status, stderr } = await exitpoint(['run', sample('icrlo'), '--cpus', '4', '--memory', '1M', '--break', expression]);
    expect(stderr).toContain(`– breakpoint at ${where} `);
    expect(stderr.replace(/\s+/g, ' ')).toContain(`${expression}: `);
    expect(stderr.replace(/\s+/g, ' ')).toContain(why);
    expect(status).toBe(0);
  });
  it('that is never met changes nothing, and the summary says so', async () => {
    const words = ['run', sample('icrlo'), '--cpus', '4', '--memory', '1M'];
    const plain = await exitpoint(words);
    for (const never of ['exit:TASK_SWITCH', 'wake_aps if 0', 'exit:* if 0', 'ipi:* if 0', 'vector:0x99'])
      expect(await exitpoint([...words, '--break', never]), never).toMatchObject({
        status: plain.status,
        stdout: plain.stdout,
        stderr: `${plain.stderr}break   never met: ${never}\n`,
      });
  });
});

describe('bad input', () => {
  const cases: [string, () => string[], RegExp][] = [
    ['no such file', () => ['run', join(directory, 'none.rom')], /^exitpoint: There is no file .*none\.rom\.\n$/],
    ['a directory', () => ['run', directory], /^exitpoint: .* is a directory; give a bootrom/],
    [
      'a device',
      () => ['run', '/dev/null'],
      /^exitpoint: \/dev\/null is no regular file; give a bootrom \(\.rom, \.bin, \.fd\) or its source \(\.asm\)\.\n$/,
    ],
    ['an empty ROM', () => ['run', file('empty.rom', '')], /^exitpoint: .*empty\.rom: the ROM image is empty; .*\n$/],
    [
      'a ROM above 16 MiB',
      () => ['run', file('big.rom', new Uint8Array((16 << 20) + 16))],
      /^exitpoint: .*big\.rom is 16777232 bytes long; a boot ROM has at most 16777216 \(16 MiB\)\.\n$/,
    ],
    [
      'a size that is no multiple of 16',
      () => ['run', file('odd.rom', new Uint8Array(100))],
      /^exitpoint: .*odd\.rom: the ROM image is 100 bytes long; it must be a multiple of 16, .*\n$/,
    ],
    [
      'an unknown break expression',
      () => ['run', sample('timer'), '--break', 'exit:INST_EMU'],
      /^exitpoint: --break exit:INST_EMU: "INST_EMU" is no exit code or group\. Did you mean INST_EMUL\?\n$/,
    ],
    [
      'an unknown name in a condition',
      () => ['run', sample('timer'), '--break', 'exit:HLT if eaz'],
      /^exitpoint: --break .*There is no "eaz"\. Did you mean eax\?\n$/,
    ],
    [
      '33 vCPUs',
      () => ['run', sample('timer'), '--cpus', '33'],
      /^exitpoint: --cpus 33: .* from 1 to 32, the limit of profile illumos\.\n$/,
    ],
    ['an unknown command', () => ['rn'], /^exitpoint: There is no command "rn"\. Did you mean run\? /],
    [
      'errors of the assembler',
      () => ['run', file('bad.asm', 'bits 32\nmov eax, [\n  foo bar\n')],
      /^.*bad\.asm:2:\d+: error: [^\n]+\n.*bad\.asm:3:3: error: 'foo' [^\n]+\n$/,
    ],
  ];
  it.each(cases)('%s is answered in one line each, with status 2', async (_, words, message) => {
    const { status, stdout, stderr } = await exitpoint(words());
    expect(stderr).toMatch(message);
    expect([status, stdout]).toEqual([2, '']);
  });
});

describe('diff', () => {
  const words = (a: string, b: string, name: string, cpus: number): string[] => [
    'diff',
    sample(name),
    '--cpus',
    String(cpus),
    '--memory',
    '1M',
    '--profile',
    a,
    '--profile',
    b,
  ];
  it('shows where two ledgers part, both sides of it, with status 1', async () => {
    const { status, stdout } = await exitpoint(words('illumos-13253', 'illumos', 'icrlo', 4));
    expect(stdout).toContain('icrlo.asm:41   mov dword [LAPIC+ICR_LO], 0x000C4500');
    expect(stdout).toContain('what differs: finalCode, returned, outcome, targets');
    expect(stdout.replace(/\s+/g, ' ')).toContain('reached vCPU3: INIT');
    expect(status).toBe(1);
  });
  it('finds one IPI with another fate among many', async () => {
    const { stdout } = await exitpoint(words('illumos-2020-10', 'illumos', 'ipi-modes', 4));
    expect(stdout).toContain('what differs: targets');
    expect(stdout).toContain('FIXED 40 level de-assert to all excluding self');
  });
  it('says so when there is none, with status 0, whatever a profile calls its own exits', async () => {
    const { status, stdout } = await exitpoint(words('illumos-2020-10', 'illumos', 'timer', 1));
    expect(stdout).toContain('NO DIFFERENCE');
    expect(status).toBe(0);
  });
  it('gives JSON with --json', async () => {
    const { stdout } = await exitpoint([...words('illumos-2020-10', 'illumos', 'icrlo', 4), '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      parting: { vcpu: 0, alike: 5, a: { exit: 6, where: 'icrlo.asm:41' }, b: { exit: 9 } },
      a: { ended: 'host panic' },
      b: { ended: 'VM abort' },
    });
  });
});

describe('demo', () => {
  it('shows the store, three hypervisors side by side, the rest of the run and the summary, in at most 100 columns', async () => {
    const { status, stdout, stderr } = await exitpoint(['demo']);
    for (const text of [
      'icrlo.asm:41   mov     dword [LAPIC+ICR_LO], 0x000C4500',
      'ICR_LO 0x000C4500   INIT to all excluding self',
      '31:20         19:18',
      'illumos-2020-10              illumos-13253                illumos',
      'C7 /0  mov m32, imm32',
      'bad pending MMIO state',
      'NONE, yet an exit is due',
      'USER_FALLBACK',
      'DONE',
      '✕ HOST PANIC',
      '✕ exit INST_EMUL',
      '✓ guest goes on',
      '✓ INIT, HALT → INIT',
      '✓ vCPU1, 2 started at 0800:0000  ✕ vCPU3 refused: already running',
      'INST_EMUL  ✕ xchg [LAPIC+TPR], eax: opcode 87 is not emulated on MMIO',
      'the ledgers part at icrlo.asm:41',
      'three things to look at in the firmware: lines 48, 63 and 165',
    ])
      expect(stdout).toContain(text);
    for (const line of stdout.split('\n')) expect(visible(line), line).toBeLessThanOrEqual(100);
    expect(stdout).toMatch(/illumos-2020-10 +✕ host panic +icrlo\.asm:41 +6 +1 +0 +0 +3\n/);
    expect(stdout).toMatch(/illumos-13253 +✕ VM abort +icrlo\.asm:41 +6 +1 +0 +0 +3\n/);
    expect(stdout).toMatch(/illumos +✕ VM abort +icrlo\.asm:165 +45 +7 +9 +2 +0\n/);
    expect([status, stderr]).toEqual([0, '']);
  });
  it('keeps to 100 columns wherever it was installed', async () => {
    const { stdout } = await exitpoint(['demo'], { sample: `${root}${'./'.repeat(50)}samples/icrlo.asm` });
    expect(stdout).toContain('icrlo.asm:41   mov     dword');
    for (const line of stdout.split('\n')) expect(visible(line), line).toBeLessThanOrEqual(100);
  });
  it('says the same in ASCII and with colours', async () => {
    const plain = await exitpoint(['demo'], { unicode: false });
    expect(plain.stdout).toMatch(/^[\x20-\x7e\n]*$/);
    for (const line of plain.stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
    const coloured = await exitpoint(['demo'], { colour: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the terminal's own escape sequences
    expect(coloured.stdout.replace(/\x1b\[\d+m/g, '')).toBe((await exitpoint(['demo'])).stdout);
  });
  it("stops at --break under today's illumos", async () => {
    const { status, stderr } = await exitpoint(['demo', '--break', 'ipi:*=refused']);
    expect(stderr).toContain('– breakpoint at icrlo.asm:48 ');
    expect(status).toBe(0);
  });
});

describe('help', () => {
  it('is there for everything and for each command, and fits into 100 columns', async () => {
    for (const words of [
      [],
      ['--help'],
      ['run', '--help'],
      ['diff', '--help'],
      ['demo', '--help'],
      ['help', 'conditions'],
      ['help', 'json'],
    ]) {
      const { status, stdout } = await exitpoint(words);
      expect(status).toBe(0);
      expect(stdout).toContain('exitpoint');
      for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
    }
    expect((await exitpoint(['--version'])).stdout).toBe('exitpoint 1.2.3\n');
  });
});
