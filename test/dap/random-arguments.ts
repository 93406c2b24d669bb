/** Arguments of requests that are right, at a boundary, or nonsense; with values that mean something where they can. */
import { Random } from '../silicon/random.ts';
import { sample } from './client.ts';
import { argumentsType, PROTOCOL } from './protocol.ts';
import { propertiesOf, resolve, type Type } from './protocol-types.ts';

export const PROGRAMS = ['icrlo', 'ipi-modes', 'lost-sipi', 'timer'].map(sample);
const noise = (bytes: number, below: number): Uint8Array => {
  const random = new Random(bytes);
  return Uint8Array.from({ length: bytes }, () => random.below(below));
};
/** Files that only these sessions have. */
export const FILES: Readonly<Record<string, Uint8Array>> = {
  'broken.asm': new TextEncoder().encode('bits 16\nstart: mov eax,, 5\nnop nop\njmp nowhere\n'),
  'empty.asm': new Uint8Array(0),
  'noise.asm': noise(400, 128),
  'noise.rom': noise(4096, 256),
  'odd.rom': Uint8Array.of(0x90, 0xeb, 0xfd),
};

const EXPRESSIONS = [
  ...['eax', 'eax == 5', 'lapic.icr_lo', 'lapic[1].svr.enabled', 'lapic.icr_lo:w', 'dword [esp+4]', 'wake_aps', 'ioapic.redtbl[2]', 'vcpu'],
  ...[
    'exit.code == MMIO_EMUL',
    'value & 0x20',
    'ipi.target == 3',
    'time > 10ms',
    'eax = 5',
    'lapic.tpr = 0x20',
    '.exits',
    '.ipis',
    '.why',
    '.help',
  ],
  ...[
    'exit:INST_EMUL',
    'exit:mmio',
    'ipi:SIPI->1=refused',
    'ipi:INIT',
    'io:0x80:w',
    'msr:0x1B:w',
    'mem:0x500+4:w',
    'wake_aps+2',
    '',
    '((',
    'eax +',
  ],
  ...[
    'lapic[99].icr_lo',
    'nowhere',
    '1/0',
    '5 % 0',
    '\0',
    '0x1FFFFFFFFF',
    'é🙂',
    'a'.repeat(5000),
    '['.repeat(500),
    `${'-'.repeat(500)}1`,
    '{eax} {lapic.icr_lo} {',
  ],
];
/** What can be looked at and set. */
const PLACES = [
  'eax',
  'ecx',
  'lapic.tpr',
  'lapic.svr.enabled',
  'lapic[1].icr_lo',
  'dword [0x500]',
  'byte [esp]',
  'ioapic.redtbl[2].low',
  'cpu[1].ebx',
  'cf',
];
const VALUES = ['5', '0x20', 'eax + 1', '1', '0', '0FFh', '-1', 'x'];
const CONTEXTS = ['repl', 'watch', 'hover', 'clipboard', 'variables', 'other'];
const NUMBERS = [
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  41,
  100,
  1000,
  -1,
  -5,
  4096,
  0x8000,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  -(2 ** 31),
  0.5,
  1e300,
];
const REFERENCES = [
  ...[
    'phys:0xfee00300',
    'phys:0x00000000',
    'lin@0:0xfffff000',
    'lin@1:0x8000',
    'lin@9:0x8000',
    '0xfffffff0',
    '0x500',
    '4294967295',
    'phys:0xffffffff',
  ],
  ...['', 'nonsense', 'lin@0:', '-1', '0x1000000000'],
];
const GARBAGE: readonly unknown[] = [
  null,
  true,
  '',
  'text',
  7,
  -1,
  1.5,
  [],
  {},
  [null],
  [[]],
  { a: 1 },
  [1, 'a', null],
  { __proto__: null, length: 3 },
];

/** A copy: what it becomes a part of may be changed. */
const garbage = (random: Random): unknown => structuredClone(random.pick(GARBAGE));

/** Arguments of launch, most of them right. */
export function attributes(random: Random): Record<string, unknown> {
  const all: Record<string, unknown> = { program: random.pick(PROGRAMS), stopOnEntry: random.chance(0.7), console: 'debugConsole' };
  const maybe = (name: string, right: readonly unknown[], p = 0.15): void => {
    if (random.chance(p)) all[name] = random.pick(right);
  };
  maybe('program', ['noise.rom', 'odd.rom', 'noise.rom', 'odd.rom', ...BAD_PROGRAMS], 0.12);
  maybe('stopOnApEntry', [true, false]);
  maybe('cpus', [1, 2, 4, 4, 8]);
  maybe('memory', ['1M', '16M', '2M', 5]);
  maybe('profile', ['illumos', 'illumos-13253', 'illumos-2020-10']);
  maybe('model', ['pc', 'bhyve']);
  maybe('seed', [0, 1, 2 ** 32 - 1]);
  maybe('slice', [1, 100, 1_000_000]);
  maybe('exits', [{ break: ['MMIO_EMUL'], log: ['*'] }, { break: ['idle'] }, { log: ['INOUT'] }]);
  maybe('ipis', [{ break: ['SIPI'], log: true }, { log: true }]);
  maybe('console', ['terminal']);
  maybe('noDebug', [true], 0.03);
  if (random.chance(0.1)) all[random.pick(Object.keys(all))] = structuredClone(random.pick(WRONG_ATTRIBUTES));
  if (random.chance(0.02)) all['prgram'] = 'x';
  return all;
}
const BAD_PROGRAMS = ['broken.asm', 'empty.asm', 'noise.asm', 'missing.asm', '', '/', 'untitled:x.asm'];
const WRONG_ATTRIBUTES = [...GARBAGE, 99, '1T', 'xen', { break: ['NOTHING'] }, { break: ['((('] }];

/** Makes arguments that have a request's declared types, with values that mean something where they can. */
export class Invention {
  readonly frames: number[] = [];
  readonly containers: number[] = [];
  readonly references: string[] = [...REFERENCES];
  readonly locations: number[] = [];
  readonly sources: number[] = [];
  readonly dataIds: string[] = ['lapic.icr_lo', 'lapic@1.svr', 'ioapic.redtbl[2]', 'nothing'];
  readonly names: string[] = ['ICR_LO', 'eax', 'SVR', 'none'];
  /** Variables that were shown, with what they were in. */
  readonly shown: { variablesReference: unknown; name: string }[] = [];

  constructor(private readonly random: Random) {}

  /** Remembers what a response has offered. */
  learn(value: unknown): void {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, property] of Object.entries(value)) {
      const keep = <T>(list: T[]): void => {
        if (list.length > 40) list.splice(0, 20);
        list.push(property as T);
      };
      if (name === 'variablesReference' && property !== 0) keep(this.containers);
      else if (/^(?:memoryReference|instructionPointerReference|instructionReference|address)$/.test(name)) keep(this.references);
      else if (/LocationReference$/.test(name)) keep(this.locations);
      else if (name === 'sourceReference') keep(this.sources);
      else if (name === 'dataId' && property !== null) keep(this.dataIds);
      else if (name === 'stackFrames' && Array.isArray(property)) for (const { id } of property) this.frames.push(id);
      else if (name === 'variables' && Array.isArray(property)) for (const v of property.slice(0, 5)) this.names.push(v.name);
      this.learn(property);
    }
  }

  arguments(command: string): unknown {
    const { random } = this;
    if (command === 'launch') return attributes(random);
    if (command === 'restart') return random.chance(0.5) ? {} : { arguments: attributes(random) };
    if (command === 'initialize')
      return { adapterID: 'exitpoint', ...(random.chance(0.1) ? { pathFormat: random.pick(['path', 'uri', 'x', 5]) } : {}) };
    if (random.chance(0.06)) return garbage(random);
    const shown = this.shown.slice(-60);
    if (/^(?:setVariable|dataBreakpointInfo)$/.test(command) && shown.length > 0 && random.chance(0.6))
      return { ...random.pick(shown), ...(command === 'setVariable' ? { value: random.pick(VALUES) } : {}) };
    if (/^(?:setExpression|evaluate)$/.test(command) && random.chance(0.5))
      return {
        expression: random.pick(PLACES),
        ...(command === 'setExpression' ? { value: random.pick(VALUES) } : { context: random.pick(CONTEXTS) }),
      };
    const type = argumentsType(command);
    if (type === undefined) return this.custom(command);
    const made = this.value(type, command, 0) as Record<string, unknown>;
    if (typeof made === 'object' && made !== null && random.chance(0.1)) {
      const names = Object.keys(made);
      if (names.length > 0) made[random.pick(names)] = garbage(random);
    }
    return made;
  }

  private custom(command: string): unknown {
    const { random } = this;
    switch (command) {
      case 'exitpoint/setExit':
        return { code: random.pick(['MMIO_EMUL', 'HLT', 'INOUT', 'nothing']), action: random.pick(['off', 'break', 'log', 'both', 'x']) };
      case 'exitpoint/step':
      case 'exitpoint/continueAlone':
        return {
          threadId: random.pick([1, 1, 2, 3, 99]),
          kind: random.pick(['in', 'over', 'out', 'up']),
          granularity: random.pick(['line', 'instruction', 'x']),
          alone: random.chance(0.5),
        };
      default:
        return random.chance(0.5) ? undefined : garbage(random);
    }
  }

  private value(of: Type, name: string, depth: number): unknown {
    const { random } = this;
    const type = resolve(PROTOCOL, of);
    switch (type.kind) {
      case 'string':
        return this.text(name);
      case 'number':
        return this.number(name);
      case 'boolean':
        return random.chance(0.5);
      case 'literal':
        return type.value;
      case 'union':
        return this.value(random.pick(type.of), name, depth);
      case 'array':
        return Array.from({ length: depth > 3 ? 0 : random.below(random.chance(0.02) ? 200 : 4) }, () =>
          this.value(type.of, name, depth + 1),
        );
      case 'object': {
        const own: Record<string, unknown> = {};
        // Alone is right rarely enough that it would keep other things from being tried.
        for (const [property, { type: its, optional }] of propertiesOf(PROTOCOL, type))
          if (!optional || random.chance(property === 'singleThread' ? 0.1 : 0.4)) own[property] = this.value(its, property, depth + 1);
        return own;
      }
      default:
        return garbage(random);
    }
  }

  private number(name: string): number {
    const { random } = this;
    const wild = random.chance(0.12);
    const known = (list: readonly number[]): number => (list.length > 0 && !wild ? random.pick(list.slice(-12)) : random.pick(NUMBERS));
    switch (name) {
      case 'threadId':
        return wild ? random.pick(NUMBERS) : 1 + random.below(4);
      case 'frameId':
        return known(this.frames);
      case 'variablesReference':
        return known(this.containers);
      case 'locationReference':
        return known(this.locations);
      case 'sourceReference':
        return known(this.sources);
      case 'line':
      case 'lines':
        return wild ? random.pick(NUMBERS) : 1 + random.below(190);
      case 'instructionCount':
      case 'count':
      case 'levels':
        return wild ? random.pick(NUMBERS) : random.below(100);
      case 'instructionOffset':
        return wild ? random.pick(NUMBERS) : random.below(100) - 50;
      default:
        return random.pick(NUMBERS);
    }
  }

  private text(name: string): string {
    const { random } = this;
    switch (name) {
      case 'path':
        return random.chance(0.8) ? random.pick(PROGRAMS) : random.pick([...Object.keys(FILES), '', 'nowhere.asm']);
      case 'memoryReference':
      case 'instructionReference':
        return random.pick(this.references);
      case 'dataId':
        return random.pick(this.dataIds);
      case 'mode':
        return random.pick(['any', 'bsp', 'aps', 'x']);
      case 'hitCondition':
        return random.pick(['3', '>5', '>=2', '%10', '0', '%0', 'x', '', '1e9']);
      case 'filters':
      case 'filterId':
        return random.pick(['fatal', 'lost-ipi', 'stuck', 'guest-exception', 'apic-error', 'mmio', 'pio', 'msr', 'idle', 'state', 'none']);
      case 'data':
        return random.pick(['AAAA', 'kJCQkA==', '', '*', 'A', Buffer.alloc(300, 0x90).toString('base64')]);
      case 'name':
        return random.chance(0.5) ? random.pick(this.names) : random.pick(EXPRESSIONS);
      default:
        return random.pick(EXPRESSIONS);
    }
  }
}
