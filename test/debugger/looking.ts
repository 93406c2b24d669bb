/** A sample in a whole machine, stopped where a test wants it, as the views see it. */
import { readFileSync } from 'node:fs';
import { assemble } from '../../src/assembly/assembler.ts';
import type { Breakpoints, ExitAction } from '../../src/debugger/breakpoints.ts';
import { loadProgram } from '../../src/debugger/code/program.ts';
import type { Debugger } from '../../src/debugger/debugger.ts';
import { scopes } from '../../src/debugger/inspect/scopes.ts';
import type { Variable } from '../../src/debugger/inspect/variable.ts';
import { Subject } from '../../src/debugger/subject.ts';
import { Machine } from '../../src/machine/machine.ts';
import { modelNamed } from '../../src/machine/models/index.ts';
import { processorFactory } from '../../src/machine/processor-kit.ts';
import { profileNamed } from '../../src/machine/profiles/index.ts';
import type { Input } from '../../src/machine/timeline/inputs.ts';
import { Timeline } from '../../src/machine/timeline/timeline.ts';
import { index } from '../assembly/index.ts';

const interpreter = new Uint8Array(readFileSync(new URL('../../dist/interpreter.wasm', import.meta.url)));

export interface Options {
  readonly profile?: string;
  readonly cpus?: number;
  readonly seed?: number;
  readonly slice?: number;
  /** Exits that the ledger holds. */
  readonly exits?: number;
  /** Makes another source of the sample's. */
  readonly change?: (source: string) => string;
}

/** The part of a debugger that looking needs, without its run control. */
export interface Bench {
  readonly dbg: Debugger;
  readonly machine: Machine;
  /** Runs until exit `e#number` has its outcome, or to the end. */
  toExit(number: number): void;
  /** Runs so many instructions. */
  run(instructions: number): void;
  edit(input: Input): void;
  back(instructions: number): void;
  readonly actions: Map<string, ExitAction>;
}

export function bench(
  file: string,
  { profile = 'illumos', cpus = 4, seed = 42, slice = 10_000, exits = 65_536, change = (source) => source }: Options = {},
): Bench {
  const source = readFileSync(new URL(`../../samples/${file}`, import.meta.url), 'utf8');
  const bytes = new TextEncoder().encode(change(source));
  const { program } = loadProgram(`samples/${file}`, bytes, (text, name) => assemble(text, name, { index }));
  const machine = new Machine(
    {
      model: modelNamed('bhyve')!,
      profile: profileNamed(profile)!,
      cpus,
      memoryBytes: 1 << 20,
      rom: program.image,
      seed,
      slice,
      ledger: { exits },
    },
    processorFactory(interpreter),
  );
  const timeline = new Timeline(machine);
  const view = new Subject(machine);
  const actions = new Map<string, ExitAction>();
  let generation = 1;
  const dbg = {
    machine,
    program: program.inMemory((address, bytes) => machine.memory.readBytes(address, bytes)),
    timeline,
    view,
    breakpoints: { exitAction: (code: string) => actions.get(code) ?? 'off' } as Partial<Breakpoints> as Breakpoints,
    stop: undefined,
    get generation() {
      return generation;
    },
    position: (vcpu: number) => view.position(vcpu),
  } as Partial<Debugger> as Debugger;
  return {
    dbg,
    machine,
    actions,
    toExit(number) {
      generation++;
      machine.observers.onExit = (done) => done >= number && machine.requestStop();
      while (machine.end === undefined && machine.ledger.exitCount < number) timeline.run({ instructions: 1_000_000 });
      machine.observers.onExit = undefined;
    },
    run(instructions) {
      generation++;
      timeline.run({ instructions });
    },
    edit(input) {
      generation++;
      timeline.input(input);
    },
    back(instructions) {
      generation++;
      timeline.back(instructions);
    },
  };
}

/** The variables of a scope. */
export function scope({ dbg }: Bench, vcpu: number, name: string): readonly Variable[] {
  const found = scopes(dbg, vcpu).find((s) => s.name === name);
  if (found === undefined) throw new Error(`no scope "${name}"`);
  return found.variables();
}

/** The variable at a path of names. */
export function at(b: Bench, vcpu: number, name: string, ...path: readonly string[]): Variable {
  let variables = scope(b, vcpu, name);
  let variable: Variable | undefined;
  for (const step of path) {
    variable = variables.find((v) => v.name === step);
    if (variable === undefined) throw new Error(`no variable "${step}"; there are ${variables.map((v) => v.name).join(', ')}`);
    variables = variable.children?.() ?? [];
  }
  return variable as Variable;
}

/** A scope as text, for reading. */
export function text(variables: readonly Variable[], depth = 1, indent = ''): string {
  return variables
    .map((v) => {
      const below = depth > 1 && v.children ? `\n${text(v.children(), depth - 1, `${indent}  `)}` : '';
      return `${indent}${v.name}: ${v.value}${below}`;
    })
    .join('\n');
}
