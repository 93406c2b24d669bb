/** Debian's SeaBIOS on model `pc`: it brings its processors up, or meets what illumos was in 2020. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ExitCode } from '../../src/machine/ledger/exitcode.ts';
import { Outcome, RequestState } from '../../src/machine/ledger/records.ts';
import { Reason, Verdict } from '../../src/machine/ledger/verdict.ts';
import { Machine } from '../../src/machine/machine.ts';
import { pc } from '../../src/machine/models/pc.ts';
import { processorFactory } from '../../src/machine/processor-kit.ts';
import { profileNamed } from '../../src/machine/profiles/index.ts';
import type { Profile } from '../../src/machine/profiles/profile.ts';
import type { End } from '../../src/machine/vmm/end.ts';
import { firmware, firmwarePath, SEABIOS_128K, SEABIOS_256K } from './firmware.ts';
import { consoleOnQemu, qemuInstalled } from './qemu-console.ts';

const factory = processorFactory(new Uint8Array(readFileSync(new URL('../../dist/interpreter.wasm', import.meta.url))));
const MEMORY = 128 << 20;
/** Some ten times what it takes. */
const INSTRUCTIONS = 400_000_000;
const LAST = 'No bootable device.';
const ICR_LO = 0xfee00300;
const INIT_TO_OTHERS = 0x000c4500;
/** MOV dword [FEE00300h], 000C4500h. */
const THE_STORE = [0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x00, 0x45, 0x0c, 0x00];

const images = [
  ['bios-256k.bin', SEABIOS_256K],
  ['bios.bin', SEABIOS_128K],
] as const;

interface Options {
  readonly profile: string;
  readonly cpus: number;
  readonly seed?: number;
  readonly slice?: number;
}

/** Runs until it has said its last word, or ended. */
function boot(rom: Uint8Array, { profile, ...options }: Options): { machine: Machine; text: string; end: End | undefined } {
  const machine = new Machine({ model: pc, profile: profileNamed(profile) as Profile, memoryBytes: MEMORY, rom, ...options }, factory);
  let text = '';
  machine.onConsole = (stream, byte) => {
    if (stream !== 'debugcon') return;
    text += String.fromCharCode(byte);
    if (text.endsWith(LAST)) machine.requestStop();
  };
  const stop = machine.run({ instructions: INSTRUCTIONS });
  return { machine, text, end: typeof stop === 'string' ? undefined : stop };
}

function expectBooted(cpus: number, { text, end }: ReturnType<typeof boot>): void {
  expect(end).toBeUndefined();
  expect(text).toContain(`Found ${cpus} cpu(s) max supported ${cpus} cpu(s)\n`);
  expect(text.endsWith(LAST)).toBe(true);
}

describe.each(images)('SeaBIOS, %s', (_name, image) => {
  it.each([1, 2, 4, 16])('finds %i processors under today’s illumos, and nothing to boot', async (cpus) => {
    const booted = boot(await firmware(image), { profile: 'illumos', cpus });
    expectBooted(cpus, booted);
    if (cpus === 1) return;
    // INIT reached every other processor, and STARTUP started it.
    const { ledger } = booted.machine;
    const reached = (number: number): number =>
      ledger.ipiAt(number)?.targets.filter((t) => t.verdict === Verdict.reached && t.takenNs >= 0).length ?? 0;
    expect(ledger.ipiAt(1)?.icrLow).toBe(INIT_TO_OTHERS);
    expect(ledger.ipiAt(2)?.icrLow).toBe(0x000c4610);
    expect([reached(1), reached(2)]).toEqual([cpus - 1, cpus - 1]);
  });

  it('panics the host of 2020 by its store of 000C4500h to the ICR', async () => {
    const { machine, end } = boot(await firmware(image), { profile: 'illumos-2020-10', cpus: 2 });
    expect(end).toMatchObject({ kind: 'hostPanic', vcpu: 0, message: 'bad pending MMIO state' });
    if (end?.kind !== 'hostPanic') return;
    expect(end.chain.map((f) => f.replace(/\+0x[0-9a-f]+$/, ''))).toEqual([
      'vm_handle_mmio_emul',
      'vm_run',
      'vmmdev_do_ioctl',
      'vmm_ioctl',
      'cdev_ioctl',
      'spec_ioctl',
      'fop_ioctl',
      'ioctl',
    ]);
    const { ledger } = machine;
    const exit = ledger.exitAt(end.exit);
    expect(end.exit).toBe(ledger.exitCount);
    expect(exit).toMatchObject({
      code: ExitCode.MMIO_EMUL,
      address: ICR_LO,
      size: 4,
      write: true,
      value: INIT_TO_OTHERS,
      device: 'vlapic',
      outcome: Outcome.hostPanic,
    });
    expect([...(exit?.bytes ?? [])].slice(0, THE_STORE.length)).toEqual(THE_STORE);
    expect(exit?.eip).toBe(end.eip);
    const ipi = ledger.ipiAt(exit?.ipi ?? 0);
    expect(ipi).toMatchObject({ exit: end.exit, icrLow: INIT_TO_OTHERS, icrHigh: 0 });
    expect(ipi?.targets.map((t) => [t.vcpu, t.verdict, t.reason])).toEqual([
      [0, Verdict.notAddressed, Reason.senderExcluded],
      [1, Verdict.notSent, Reason.notHandled],
    ]);
  });

  it('ends with INST_EMUL and the bytes of the store under the fix of 13253', async () => {
    const { machine, end } = boot(await firmware(image), { profile: 'illumos-13253', cpus: 2 });
    expect(end?.kind).toBe('aborted');
    if (end?.kind !== 'aborted') return;
    const exit = machine.ledger.exitAt(end.exit);
    expect(exit).toMatchObject({
      code: ExitCode.MMIO_EMUL,
      finalCode: ExitCode.INST_EMUL,
      address: ICR_LO,
      value: INIT_TO_OTHERS,
      request: RequestState.USER_FALLBACK,
    });
    const bytes = THE_STORE.map((b) => `0x${b.toString(16).padStart(2, '0')}`).join(' ');
    expect(end.printed).toContain(`Failed to emulate instruction sequence [ ${bytes}`);
    expect(machine.ledger.ipiAt(exit?.ipi ?? 0)?.targets[1]).toMatchObject({ verdict: Verdict.notSent });
  });
});

describe('SeaBIOS on four processors', () => {
  it.each([997, 1000, 5000, 10_000, 100_000])('finds them whatever the slice: %i instructions', async (slice) => {
    expectBooted(4, boot(await firmware(SEABIOS_128K), { profile: 'illumos', cpus: 4, slice }));
  });

  it.each([1, 2, 0x12345678, 0xffffffff])('finds them whatever the seed: %i', async (seed) => {
    expectBooted(4, boot(await firmware(SEABIOS_128K), { profile: 'illumos', cpus: 4, seed, slice: 997 }));
  });

  it('comes to the same state and ledger each time', async () => {
    const rom = await firmware(SEABIOS_128K);
    const [first, second] = [0, 1].map(() => boot(rom, { profile: 'illumos', cpus: 4, seed: 7 }));
    expect(second?.text).toBe(first?.text);
    expect(second?.machine.clock.instructions).toBe(first?.machine.clock.instructions);
    expect(second?.machine.ledger.digestText).toBe(first?.machine.ledger.digestText);
    const [a, b] = [first?.machine.save() ?? [], second?.machine.save() ?? []];
    expect(a.length).toBeGreaterThan(10);
    a.forEach((part, i) => {
      // Large arrays are compared as bytes: deep comparison of megabytes takes minutes.
      if (part.name === 'memory') expect(Buffer.compare(content(part.state), content(b[i]?.state))).toBe(0);
      else if (part.name !== 'ledger') expect(b[i]).toEqual(part);
    });
  });
});

const content = (state: unknown): Uint8Array => (state as { content: Uint8Array }).content;

/** Lines that only one of the two machines makes SeaBIOS print, and why. */
const ONLY_ON_QEMU = [
  // its PIIX3 has an IDE function, and it cannot be left out; model pc has none
  /^PCI: map device bdf=00:01\.1 {2}bar 4/,
  /^PCI: init bdf=00:01\.1 id=8086:7010$/,
  /^ATA controller [12] at /,
];
const ONLY_HERE = [
  // bhyve's CPU has ten variable MTRRs, QEMU's eight: with them, SeaBIOS's list of MSRs to set on every processor is three too short
  /^WARNING - Unable to allocate resource at wrmsr_smp:35!$/,
];
/** Numbers that follow from that, or from tables: the IDE function is a fourth PCI function with sixteen ports, and an HPET has an ACPI table. */
const FOLLOWING: readonly (readonly [RegExp, string])[] = [
  [/^Found [34] PCI devices/, 'Found N PCI devices'],
  [/^PCI: IO: c000 - (bfff|c00f)$/, 'PCI: IO: c000 - X'],
  [/^(Copying MPTABLE from 0x[0-9a-f]+)\/[0-9a-f]+ /, '$1/X '],
  [/^ACPI DSDT=0x[0-9a-f]+$/, 'ACPI DSDT=X'],
  [/^(Space available for UMB: .*-)[0-9a-f]+$/, '$1X'],
];
const comparable = (text: string, without: readonly RegExp[]): string[] =>
  text
    .trimEnd()
    .split('\n')
    .filter((line) => !without.some((r) => r.test(line)))
    .map((line) => FOLLOWING.reduce((l, [from, to]) => l.replace(from, to), line));

describe.skipIf(!qemuInstalled()).each(images)('SeaBIOS, %s, on one processor', (_name, image) => {
  it('prints what it prints on QEMU, line by line', async () => {
    const { text } = boot(await firmware(image), { profile: 'illumos', cpus: 1 });
    const onQemu = await consoleOnQemu(await firmwarePath(image), LAST);
    const here = comparable(text, ONLY_HERE);
    expect(here).toEqual(comparable(onQemu, ONLY_ON_QEMU));
    expect(here.length).toBeGreaterThan(50);
  });
});
