import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCommand } from '../../src/cli/args.ts';
import { NAMES } from '../../src/cli/main.ts';
import { ATTRIBUTES, attributesSchema } from '../../src/debugger/attributes.ts';
import { exitActions, parseConfiguration } from '../../src/debugger/configuration.ts';
import { DebuggerError } from '../../src/debugger/error.ts';
import { seedBelow } from '../seed.ts';

const launch = (attributes: object = {}) => parseConfiguration({ program: 'a.asm', ...attributes });
const problem = (args: unknown): string => {
  try {
    parseConfiguration(args);
  } catch (error) {
    if (error instanceof DebuggerError) return error.message;
    throw error;
  }
  throw new Error(`${JSON.stringify(args)} was taken`);
};
const wrong = (attributes: object): string => problem({ program: 'a.asm', ...attributes });

describe('a launch', () => {
  it('needs a program alone; everything else is as on the command line', () => {
    const command = parseCommand(['run', 'a.asm'], NAMES);
    if (command.kind !== 'run') throw new Error(command.kind);
    const { memory, model, profile, seed: usualSeed, slice } = command.options;
    expect(launch()).toEqual({
      program: 'a.asm',
      cpus: undefined,
      memoryBytes: memory,
      model,
      profile,
      seed: usualSeed,
      slice,
      stopOnEntry: true,
      stopOnApEntry: false,
      exits: { break: [], log: [] },
      ipis: { break: [], log: false },
      console: 'terminal',
      noDebug: false,
    });
  });
  it('takes every attribute', () => {
    const all = {
      cpus: 4,
      memory: '1G',
      model: 'pc',
      profile: 'illumos-13253',
      seed: 0,
      slice: 1_000_000,
      stopOnEntry: false,
      stopOnApEntry: true,
      exits: { break: ['inst_emul', 'FATAL'], log: ['VM_EXITCODE_HLT', '*'] },
      ipis: { break: ['SIPI->3=refused', '*=notSent', 'FIXED if ipi.vector == 30h'], log: true },
      console: 'debugConsole',
      noDebug: true,
    };
    const { memory, ...rest } = all;
    expect(launch(all)).toEqual({
      ...rest,
      program: 'a.asm',
      memoryBytes: 2 ** 30,
      exits: { break: ['INST_EMUL', 'fatal'], log: ['HLT', '*'] },
    });
    expect(memory).toBe('1G');
  });
  it('measures memory in MiB when it is a number, and as --memory does when it is a text', () => {
    expect([1, 3072, '1M', '3G', '128MiB', '1048576', ' 2gb '].map((memory) => launch({ memory }).memoryBytes / 2 ** 20)).toEqual([
      1, 3072, 1, 3072, 128, 1, 2048,
    ]);
  });
  it('lets pass what VS Code adds of its own', () => {
    const { program } = launch({
      type: 'exitpoint',
      request: 'launch',
      name: 'Run',
      __sessionId: 'x',
      __configurationTarget: 6,
      __anything: {},
      preLaunchTask: 'build',
      postDebugTask: 'clean',
      internalConsoleOptions: 'neverOpen',
      suppressMultipleSessionWarning: true,
      debugServer: 4711,
      presentation: { group: 'a' },
      serverReadyAction: {},
      env: {},
      noDebug: false,
      windows: {},
      osx: {},
      linux: {},
    });
    expect(program).toBe('a.asm');
  });
  it('leaves an attribute that is undefined at its default', () => {
    expect(launch(Object.fromEntries(Object.keys(ATTRIBUTES).map((name) => [name, name === 'program' ? 'a.asm' : undefined])))).toEqual(
      launch(),
    );
  });
});

describe('what a launch refuses, and why', () => {
  it.each<[string, unknown, string]>([
    ['no attributes', undefined, 'A launch wants its attributes as an object, but got undefined.'],
    ['a list of them', [], 'A launch wants its attributes as an object, but got a list.'],
    ['no program', {}, 'Launch attribute program is missing; give the path of a bootrom (.rom, .bin, .fd) or its source (.asm).'],
    [
      'an empty program',
      { program: ' ' },
      'Launch attribute program: " " is not possible; give the path of a bootrom (.rom, .bin, .fd) or its source (.asm).',
    ],
    [
      'a program that is no text',
      { program: null },
      'Launch attribute program: null is not possible; give the path of a bootrom (.rom, .bin, .fd) or its source (.asm).',
    ],
    ['a mistyped attribute', { program: 'a', stopOnEnty: true }, 'There is no launch attribute "stopOnEnty". Did you mean stopOnEntry?'],
    [
      'an attribute that is like none',
      { program: 'a', quux: 1 },
      `There is no launch attribute "quux". Attributes are: ${Object.keys(ATTRIBUTES).join(', ')}.`,
    ],
  ])('%s', (_, args, sentence) => {
    expect(problem(args)).toBe(sentence);
  });

  const cpus = 'give a number of vCPUs from 1 to 32, the limit of profile illumos.';
  const memory = 'give 1M to 3G, in whole megabytes, for example 128M, or a number of MiB.';
  it.each<[object, string]>([
    [{ cpus: 0 }, `Launch attribute cpus: 0 is not possible; ${cpus}`],
    [{ cpus: 33 }, `Launch attribute cpus: 33 is not possible; ${cpus}`],
    [{ cpus: 1.5 }, `Launch attribute cpus: 1.5 is not possible; ${cpus}`],
    [{ cpus: '4' }, `Launch attribute cpus: "4" is not possible; ${cpus}`],
    [{ memory: '4G' }, `Launch attribute memory: "4G" is not possible; ${memory}`],
    [{ memory: 0.5 }, `Launch attribute memory: 0.5 is not possible; ${memory}`],
    [{ memory: 4096 }, `Launch attribute memory: 4096 is not possible; ${memory}`],
    [{ memory: '' }, `Launch attribute memory: "" is not possible; ${memory}`],
    [{ memory: {} }, `Launch attribute memory: an object is not possible; ${memory}`],
    [{ model: 'bhive' }, 'Launch attribute model: "bhive" is not possible. Did you mean bhyve?'],
    [{ model: 1 }, 'Launch attribute model: 1 is not possible. Possible are: bhyve, pc.'],
    [{ profile: 'ilumos' }, 'Launch attribute profile: "ilumos" is not possible. Did you mean illumos?'],
    [{ profile: 'kvm' }, 'Launch attribute profile: "kvm" is not possible. Possible are: illumos-2020-10, illumos-13253, illumos.'],
    [{ seed: -1 }, 'Launch attribute seed: -1 is not possible; give a number from 0 to 4294967295.'],
    [{ seed: 2 ** 32 }, 'Launch attribute seed: 4294967296 is not possible; give a number from 0 to 4294967295.'],
    [{ slice: 0 }, 'Launch attribute slice: 0 is not possible; give a number of instructions from 1 to 1000000.'],
    [{ slice: 1_000_001 }, 'Launch attribute slice: 1000001 is not possible; give a number of instructions from 1 to 1000000.'],
    [{ stopOnEntry: 'yes' }, 'Launch attribute stopOnEntry: "yes" is not possible; give true or false.'],
    [{ stopOnApEntry: 1 }, 'Launch attribute stopOnApEntry: 1 is not possible; give true or false.'],
    [{ noDebug: 'x' }, 'Launch attribute noDebug: "x" is not possible; give true or false.'],
    [
      { console: 'integratedTerminal' },
      'Launch attribute console: "integratedTerminal" is not possible. Possible are: terminal, debugConsole.',
    ],
    [{ exits: ['HLT'] }, 'Launch attribute exits: a list is not possible; give an object, for example { "break": ["INST_EMUL"] }.'],
    [{ exits: { breaks: [] } }, 'Launch attribute exits has no part "breaks". Did you mean break?'],
    [{ ipis: { trace: true } }, 'Launch attribute ipis has no part "trace". Parts are: break, log.'],
    [{ exits: { break: 'HLT' } }, 'Launch attribute exits.break: "HLT" is not possible; give a list of texts, for example ["INST_EMUL"].'],
    [{ exits: { log: ['HLT', 5] } }, 'Launch attribute exits.log[1]: 5 is not possible; give a text, for example "INST_EMUL".'],
    [{ exits: { break: ['HALT'] } }, 'Launch attribute exits.break: "HALT" is no exit code or group. Did you mean HLT?'],
    [{ ipis: { break: ['SIPI=lost'] } }, 'Launch attribute ipis.break: "lost" is no verdict. Did you mean refused?'],
    [{ cpus: 2, ipis: { break: ['SIPI->2'] } }, 'Launch attribute ipis.break: There is no vCPU 2; 0 to 1 are.'],
    [{ ipis: { log: 'all' } }, 'Launch attribute ipis.log: "all" is not possible; give true or false.'],
    [{ ipis: true }, 'Launch attribute ipis: true is not possible; give an object, for example { "break": ["*=refused"] }.'],
  ])('%j', (attributes, sentence) => {
    expect(wrong(attributes)).toBe(sentence);
  });
  it('a value in one short sentence, however long it is', () => {
    const sentence = wrong({ model: 'x'.repeat(100_000) });
    expect(sentence.length).toBeLessThan(200);
    expect(wrong({ [`y${'x'.repeat(100_000)}`]: 1 }).length).toBeLessThan(400);
  });
  it('anything at all with nothing but a DebuggerError', () => {
    const names = fc.constantFrom(...Object.keys(ATTRIBUTES), 'exits.break', '__proto__', 'constructor');
    const values = fc.oneof(fc.anything(), fc.record({ break: fc.anything(), log: fc.anything() }), fc.array(fc.string()));
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.dictionary(names, values)), (args) => {
        try {
          parseConfiguration(args);
        } catch (error) {
          expect(error).toBeInstanceOf(DebuggerError);
          expect((error as Error).message).toMatch(/^[A-Z].*[.?]$/s);
        }
      }),
      { seed: seedBelow(2 ** 31), numRuns: 2_000 },
    );
  });
});

describe('exits', () => {
  it('become actions by code: groups are taken apart, and what is in both lists stops and logs', () => {
    expect(exitActions(launch({ exits: { break: ['HLT', 'msr'], log: ['idle'] } }))).toEqual({
      HLT: 'both',
      PAUSE: 'log',
      MONITOR: 'log',
      MWAIT: 'log',
      RDMSR: 'break',
      WRMSR: 'break',
    });
    expect(exitActions(launch())).toEqual({});
  });
});

describe('the attributes', () => {
  it('are those that package.json offers an editor', () => {
    const { contributes } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    const [debuggers] = contributes?.debuggers ?? [];
    const wanted = JSON.parse(JSON.stringify(attributesSchema()));
    expect(
      debuggers?.configurationAttributes?.launch,
      `contributes.debuggers[0].configurationAttributes.launch of package.json has to be:\n${JSON.stringify(wanted, null, 2)}`,
    ).toEqual(wanted);
  });
  it('have defaults that a launch takes, and that are what it takes without them', () => {
    const defaults = Object.entries(attributesSchema().properties)
      .filter(([name]) => name !== 'program')
      .flatMap(([name, attribute]) => ('default' in attribute ? [[name, attribute.default]] : []));
    expect(launch(Object.fromEntries(defaults))).toEqual(launch());
  });
  it('are documented, each enumeration value too', () => {
    for (const { markdownDescription, enum: words = [], enumDescriptions = [] } of Object.values(attributesSchema().properties)) {
      expect(markdownDescription).toMatch(/^[A-Z].*\.$/);
      expect(enumDescriptions.length).toBe(words.length);
    }
  });
});
