import { describe, expect, it } from 'vitest';
import { type Names, parseCommand, type RunOptions } from '../../src/cli/args.ts';
import { UsageError } from '../../src/cli/errors.ts';

const names: Names = {
  profiles: [
    { name: 'illumos-2020-10', maxVcpus: 32 },
    { name: 'illumos-13253', maxVcpus: 32 },
    { name: 'illumos', maxVcpus: 32 },
  ],
  defaultProfile: 'illumos',
  models: ['bhyve', 'pc'],
  defaultModel: 'bhyve',
};
const run = (...words: string[]): RunOptions => {
  const command = parseCommand(['run', 'x.rom', ...words], names);
  if (command.kind !== 'run') throw new Error(command.kind);
  return command.options;
};
const problem = (...words: string[]): string => {
  try {
    parseCommand(words, names);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error(`${words.join(' ')} was taken`);
};

describe('the command line', () => {
  it("runs a file with one vCPU, 128 MiB, the model bhyve, today's illumos and seed 42 unless told otherwise", () => {
    expect(run()).toMatchObject({
      file: 'x.rom',
      cpus: 1,
      memory: 128 << 20,
      model: 'bhyve',
      profile: 'illumos',
      seed: 42,
      slice: undefined,
      timeoutNs: Number.POSITIVE_INFINITY,
      breaks: [],
      json: false,
    });
  });
  it('takes every option, with = or a blank', () => {
    const options = run(
      '--cpus=4',
      '--memory',
      '1G',
      '--model',
      'pc',
      '--profile',
      'illumos-13253',
      '--seed',
      '0x10',
      '--slice',
      '100',
      '--timeout',
      '500us',
      '--json',
    );
    expect(options).toMatchObject({
      cpus: 4,
      memory: 2 ** 30,
      model: 'pc',
      profile: 'illumos-13253',
      seed: 16,
      slice: 100,
      timeoutNs: 500_000,
      json: true,
    });
  });
  it('takes --break, --expect and --fail-text several times', () => {
    expect(
      run('--break', 'exit:HLT', '--break', 'io:0x80', '--expect', 'a', '--expect', '--b'.slice(2), '--fail-text', 'no'),
    ).toMatchObject({
      breaks: ['exit:HLT', 'io:0x80'],
      expect: ['a', 'b'],
      failText: ['no'],
    });
  });
  it('takes --trace with a comma', () => {
    expect([...run('--trace', 'exits,ipis').trace]).toEqual(['exits', 'ipis']);
  });
  it('shows help for everything and for a command, and the version', () => {
    expect(parseCommand([], names)).toEqual({ kind: 'help', topic: undefined });
    expect(parseCommand(['run', '--help'], names)).toEqual({ kind: 'help', topic: 'run' });
    expect(parseCommand(['help', 'diff'], names)).toEqual({ kind: 'help', topic: 'diff' });
    expect(parseCommand(['help', 'conditions'], names)).toEqual({ kind: 'help', topic: 'conditions' });
    expect(parseCommand(['help', 'help'], names)).toEqual({ kind: 'help', topic: undefined });
    expect(parseCommand(['demo', '-h'], names)).toEqual({ kind: 'help', topic: 'demo' });
    expect(parseCommand(['--version'], names)).toEqual({ kind: 'version' });
  });
  it('lets npm start run another command, for npm start is demo', () => {
    expect(parseCommand(['demo', 'run', 'x.rom'], names)).toMatchObject({ kind: 'run', options: { file: 'x.rom' } });
    expect(parseCommand(['demo', '--break', 'ipi:*=refused'], names)).toEqual({ kind: 'demo', options: { breaks: ['ipi:*=refused'] } });
  });
  it('compares two profiles', () => {
    expect(parseCommand(['diff', 'x.asm', '--profile', 'illumos', '--profile', 'illumos-13253'], names)).toMatchObject({
      kind: 'diff',
      options: { profiles: ['illumos', 'illumos-13253'] },
    });
  });
});

describe('a wrong command line', () => {
  it.each([
    [['rum', 'x.rom'], 'There is no command "rum". Did you mean run? Commands are: run, diff, demo, dap, help.'],
    [['x.rom'], 'There is no command "x.rom". To run a file: exitpoint run x.rom. Commands are: run, diff, demo, dap, help.'],
    [['--cpus', '4'], 'A command comes first: run, diff, demo, dap, help; found --cpus.'],
    [['run'], 'run needs a file: exitpoint run FILE, a bootrom (.rom, .bin, .fd) or its source (.asm).'],
    [['run', 'a', 'b'], 'run takes one file, but got a and b.'],
    [['run', 'a', '--cpu', '4'], 'run has no option --cpu. Did you mean --cpus?'],
    [
      ['run', 'a', '-x'],
      'run has no option -x. Options are: --cpus, --memory, --model, --profile, --seed, --slice, --break, --timeout, --expect, --fail-text, --trace, --json, --help, --version.',
    ],
    [['demo', '--frob'], 'demo has no option --frob. Options are: --break, --help, --version.'],
    [['run', 'a', '--cpus'], '--cpus needs a value: --cpus N, a number of vCPUs.'],
    [['run', 'a', '--cpus', '--json'], '--cpus needs a value: --cpus N, a number of vCPUs.'],
    [['run', 'a', '--timeout'], '--timeout needs a value: --timeout TIME, for example 500us, 10ms or 2s.'],
    [['run', 'a', '--expect', ''], '--expect "" is empty: give --expect TEXT, what the console must show.'],
    [['run', 'a', '--fail-text='], '--fail-text "" is empty: give --fail-text TEXT, what the console must not show.'],
    [['run', ''], 'run "": the name of the file is empty; give a bootrom (.rom, .bin, .fd) or its source (.asm).'],
    [['run', 'a', '--cpus', '0'], '--cpus 0: give a number of vCPUs from 1 to 32, the limit of profile illumos.'],
    [['run', 'a', '--cpus', '33'], '--cpus 33: give a number of vCPUs from 1 to 32, the limit of profile illumos.'],
    [['run', 'a', '--cpus', 'x'], '--cpus x: give a number of vCPUs from 1 to 32, the limit of profile illumos.'],
    [['run', 'a', '--cpus', '1', '--cpus', '2'], '--cpus is given twice: 1 and 2.'],
    [['run', 'a', '--memory', '4G'], '--memory 4G: give 1M to 3G, in whole megabytes, for example 128M.'],
    [['run', 'a', '--memory', '100'], '--memory 100: give 1M to 3G, in whole megabytes, for example 128M.'],
    [
      ['run', 'a', '--profile', 'illumo'],
      'There is no profile "illumo". Did you mean illumos? Profiles are: illumos-2020-10, illumos-13253, illumos.',
    ],
    [['run', 'a', '--model', 'q35'], 'There is no model "q35". Models are: bhyve, pc.'],
    [['run', 'a', '--timeout', '500'], '--timeout 500: give a time in ns, us, ms or s, for example 500us, 10ms or 2s.'],
    [['run', 'a', '--timeout', 'soon'], '--timeout soon: give a time in ns, us, ms or s, for example 500us, 10ms or 2s.'],
    [['run', 'a', '--timeout', '1m'], '--timeout 1m: give a time in ns, us, ms or s, for example 500us, 10ms or 2s.'],
    [['run', 'a', '--timeout', '0s'], '--timeout 0s: a time from 1ns to 9007199s is possible.'],
    [['run', 'a', '--timeout', '9999999999s'], '--timeout 9999999999s: a time from 1ns to 9007199s is possible.'],
    [['run', 'a', '--seed', '-1'], '--seed -1: give a number from 0 to 4294967295.'],
    [['run', 'a', '--slice', '0'], '--slice 0: give a number of instructions from 1 to 1000000.'],
    [['run', 'a', '--trace', 'exit'], '--trace exit: give exits, ipis or exits,ipis. Did you mean exits?'],
    [['run', 'a', '--json=yes'], '--json takes no value, but got "yes".'],
    [['diff', 'a'], 'diff needs two profiles, but got 0: --profile A --profile B.'],
    [['diff', 'a', '--profile', 'illumos'], 'diff needs two profiles, but got 1: --profile A --profile B.'],
    [
      ['diff', '--profile', 'illumos', '--profile', 'illumos-13253'],
      'diff needs a file: exitpoint diff FILE, a bootrom (.rom, .bin, .fd) or its source (.asm).',
    ],
    [['demo', 'x.rom'], 'demo takes no file, but got x.rom. To run a file: exitpoint run x.rom'],
    [['help', 'rn'], 'There is no help on "rn". Did you mean run? There is on: run, diff, demo, dap, conditions, json.'],
  ])('%j is answered in one line', (words, message) => {
    expect(problem(...words)).toBe(message);
    expect(message).not.toContain('\n');
  });
});
