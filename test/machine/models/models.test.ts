import { describe, expect, it } from 'vitest';
import { Outcome } from '../../../src/machine/ledger/records.ts';
import { bhyve } from '../../../src/machine/models/bhyve.ts';
import { MODELS, modelNamed } from '../../../src/machine/models/index.ts';
import { pc } from '../../../src/machine/models/pc.ts';
import { PROFILES } from '../../../src/machine/profiles/index.ts';
import { noMemory, type Op, rig } from '../vmm/fake-processor.ts';

const ports = (machine: ReturnType<typeof rig>['machine'], kernel: boolean): string[] =>
  machine.vm.ports
    .list()
    .filter((r) => r.kernel === kernel)
    .map((r) => `${r.first.toString(16)}+${r.count}`);
const inAt = (port: number, size = 1): { op: Op; value: () => number } => {
  let value = -1;
  return {
    op: {
      op: 'in',
      port,
      size,
      to: (v) => {
        value = v;
      },
    },
    value: () => value,
  };
};

describe('machine models', () => {
  it.each(MODELS.flatMap((model) => PROFILES.map((profile) => [model.name, profile.name, model, profile] as const)))(
    '%s can be built under %s',
    (_m, _p, model, profile) => {
      const { machine } = rig({ boot: [[], []] }, { model, profile });
      expect(machine.devices.length).toBeGreaterThan(10);
      expect(new Set(machine.stateful.map((p) => p.name)).size, 'names are unique').toBe(machine.stateful.length);
    },
  );
  it.each([...MODELS])('$name: saved and loaded, every part is as it was', (model) => {
    const { machine } = rig(
      {
        boot: [
          [
            { op: 'out', port: 0x43, value: 0x34 },
            { op: 'out', port: 0x40, value: 9 },
            { op: 'out', port: 0x40, value: 9 },
            { op: 'out', port: 0x3f9, value: 2 },
          ],
        ],
      },
      { model },
    );
    const fresh = machine.save();
    machine.run({ instructions: 10 });
    const later = machine.save();
    machine.load(fresh);
    expect(machine.save()).toEqual(fresh);
    machine.load(later);
    expect(machine.save()).toEqual(later);
  });
  it('are found by name', () => {
    expect(modelNamed('pc')).toBe(pc);
    expect(modelNamed('q35')).toBeUndefined();
  });
});

describe('model bhyve', () => {
  it('has bhyve’s thirteen in-kernel ports and the PM timer; everything else is userspace’s', () => {
    const { machine } = rig({ boot: [[]] });
    expect(ports(machine, true)).toEqual(['20+2', '40+4', '61+1', '70+2', 'a0+2', '408+1', '4d0+2']);
    expect(machine.vm.mmio.list().map((r) => [r.start, r.size, r.kernel])).toEqual([
      [0xfec00000, 0x1000, true],
      [0xfee00000, 0x1000, true],
    ]);
  });
  it('IRQ 0 goes to the 8259 and to I/O APIC pin 2, and the 8259 to LINT0', () => {
    const boot: Op[] = [
      ...[
        [0x20, 0x11],
        [0x21, 0x20],
        [0x21, 4],
        [0x21, 1],
        [0x21, 0xfe],
        [0x43, 0x34],
        [0x40, 100],
        [0x40, 0],
      ].map(([port, value]): Op => ({ op: 'out', port: port as number, value: value as number })),
      { op: 'sti' },
      { op: 'hlt' },
      { op: 'nop' },
    ];
    const { machine, processor } = rig({ boot: [boot] });
    machine.run({ instructions: 12 });
    expect(processor.log).toContain('inject 0 20');
  });
  it('CMOS says how much memory there is', () => {
    const [low, high] = [inAt(0x71), inAt(0x71)];
    const { machine } = rig(
      { boot: [[{ op: 'out', port: 0x70, value: 0x34 }, low.op, { op: 'out', port: 0x70, value: 0x35 }, high.op]] },
      { memoryBytes: 0x2230000 },
    );
    machine.run({ instructions: 4 });
    expect([low.value(), high.value()], '18 MiB and 192 KiB above 16 MiB, in units of 64 KiB').toEqual([0x23, 0x01]);
  });
  it('a ROM write and any other access where nobody is are dropped', () => {
    const { machine } = rig({ boot: [[{ op: 'store', gpa: 0xfffff000, value: 1 }]] });
    expect(machine.run({ instructions: 2 })).toBe('limit');
    expect(machine.ledger.exitAt(1)).toMatchObject({ outcome: Outcome.resumed });
  });
});

describe('model pc', () => {
  it('does not die of what bhyve dies of', () => {
    const word = inAt(0x21, 2);
    const boot: Op[] = [
      { op: 'out', port: 0x84, value: 1 },
      { op: 'in', port: 0xb2 },
      { op: 'in', port: 0x60, size: 4 },
      word.op,
      { op: 'in', port: 0x43 },
    ];
    const { machine } = rig({ boot: [boot] }, { model: pc });
    expect(machine.run({ instructions: 6 })).toBe('limit');
  });
  it('has the debug console at 402h: E9h to a read, and its bytes go to the console', () => {
    const present = inAt(0x402);
    const { machine } = rig(
      { boot: [[present.op, { op: 'out', port: 0x402, value: 0x48 }, { op: 'out', port: 0x3f8, value: 0x69 }]] },
      { model: pc },
    );
    const out: [string, number][] = [];
    machine.onConsole = (stream, byte) => out.push([stream, byte]);
    machine.run({ instructions: 4 });
    expect(present.value()).toBe(0xe9);
    expect(out).toEqual([
      ['debugcon', 0x48],
      ['serial', 0x69],
    ]);
  });
  it('the PIIX4’s PM block answers where the guest puts it, and nowhere where other chips are', () => {
    const at = (address: number, value: number, size = 4): Op[] => [
      { op: 'out', port: 0xcf8, value: 0x80000b00 | address, size: 4 },
      { op: 'out', port: 0xcfc, value, size },
    ];
    const before = inAt(0xb008, 4);
    const after = inAt(0xb008, 4);
    const moved = inAt(0xb008, 4);
    const boot = [before.op, ...at(0x40, 0xb001), ...at(0x80, 1, 1), after.op, ...at(0x40, 0x3c1), moved.op, inAt(0x3f8).op];
    const { machine } = rig({ boot: [boot] }, { model: pc });
    expect(machine.run({ instructions: 12 })).toBe('limit');
    expect(before.value()).toBe(0xffffffff);
    expect(after.value()).toBeLessThan(0x1000000);
    expect(moved.value()).toBe(0xffffffff);
    expect(machine.vm.ports.find(0x3f8)?.name).toBe('uart16550.com1');
  });
  it('A20 is open while port 92h or the keyboard controller says so', () => {
    const gate: boolean[] = [];
    const memory = { ...noMemory, setA20: (open: boolean) => gate.push(open) };
    const boot: Op[] = [
      { op: 'out', port: 0x92, value: 2 },
      { op: 'out', port: 0x64, value: 0xd1 },
      { op: 'out', port: 0x60, value: 0xdd },
      { op: 'out', port: 0x92, value: 0 },
    ];
    const { machine } = rig({ boot: [boot] }, { model: pc }, memory);
    machine.run({ instructions: 5 });
    expect(gate.at(-1)).toBe(false);
    expect(gate.slice(0, -1)).not.toContain(false);
  });
  it('PAM routes each segment of C0000h-FFFFFh to RAM or ROM, reads and writes apart', () => {
    const routes: string[] = [];
    const memory = {
      ...noMemory,
      route: (gpa: number, bytes: number, read: string, write: string, rom: number) =>
        routes.push(`${gpa.toString(16)}+${bytes.toString(16)} ${read} ${write} ${rom.toString(16)}`),
    };
    const pam = (register: number, value: number): Op[] => [
      { op: 'out', port: 0xcf8, value: 0x80000000 | (register & 0xfc), size: 4 },
      { op: 'out', port: 0xcfc + (register & 3), value },
    ];
    const { machine } = rig(
      { boot: [[...pam(0x59, 0x30), ...pam(0x5a, 0x22), ...pam(0x5e, 0x10)]] },
      { model: pc, rom: new Uint8Array(0x40000) },
      memory,
    );
    expect(routes, 'at reset').toContain('f0000+10000 rom none ffff0000');
    routes.length = 0;
    machine.run({ instructions: 7 });
    expect(routes).toEqual(['f0000+10000 ram ram 0', 'c0000+4000 none ram 0', 'c4000+4000 none ram 0', 'e4000+4000 ram none 0']);
  });
  it('a byte to port F4h ends the machine with an odd status', () => {
    const { machine } = rig({ boot: [[{ op: 'out', port: 0xf4, value: 3 }]] }, { model: pc });
    expect(machine.run({ instructions: 3 })).toMatchObject({ kind: 'guestExit', status: 7 });
    expect(bhyve.about).not.toBe(pc.about);
  });
});
