/**
 * `npm run bench [-- --quick] [-- --sessions] [-- NAME…]`: what a user of the debugger waits for (that alone with `--sessions`); and nine bare-metal
 * workloads on the interpreter, in this process, and beside it on QEMU's deterministic mode (`-icount shift=0`) where that is installed. What is compared
 * is CPU time, user and system, of the same ROM in the same run of this program.
 *
 * Each figure of a workload is the difference of a short run and one long enough to measure: starting up, filling memory and compiling cancel out. Exit
 * status 1 when the two machines do not compute the same, when a guest does not end by itself, when memory is above its limit, or when a user waits longer
 * than he shall.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { tell } from './figures.ts';
import { activate, sessions } from './sessions.ts';
import { runOnExitpoint } from './exitpoint.ts';
import { buildRom, installTools, withScale } from './guests.ts';
import { qemuInstalled, runOnQemu } from './qemu.ts';
import { type Run, WORKLOADS, type Workload } from './workloads.ts';

const FOLDER = path.resolve('.cache/bench');
/** 4 vCPUs with 128 MiB shall stay below this, in MiB. */
const RESIDENT_LIMIT_MIB = 350;

interface Options {
  quick: boolean;
  resident: boolean;
  activate: boolean;
  sessions: boolean;
  workloads: readonly Workload[];
}

function parse(args: readonly string[]): Options {
  const names = args.filter((arg) => !arg.startsWith('--'));
  const wrong =
    args.find((arg) => arg.startsWith('--') && !['--quick', '--sessions', '--resident', '--activate'].includes(arg)) ??
    names.find((name) => !WORKLOADS.some((w) => w.name === name));
  if (wrong !== undefined)
    throw new Error(`${wrong}: there are --quick, --sessions and the workloads ${WORKLOADS.map(({ name }) => `"${name}"`).join(', ')}`);
  return {
    quick: args.includes('--quick'),
    resident: args.includes('--resident'),
    activate: args.includes('--activate'),
    sessions: args.includes('--sessions'),
    workloads: names.length === 0 ? WORKLOADS : WORKLOADS.filter(({ name }) => names.includes(name)),
  };
}

/** How often each thing in a debug session is done. */
const TIMES = 50;

/** How long a timed run has to take, in CPU seconds, and how often it is repeated; the best counts, for what disturbs a run only makes it slower. */
const EFFORT = { quick: { seconds: 0.4, repetitions: 1 }, full: { seconds: 2, repetitions: 3 } } as const;
type Effort = (typeof EFFORT)[keyof typeof EFFORT];

/** Runs a machine at ever larger scales until a run is long enough; gives the MIPS of what it took longer than the short one. */
function mips(run: (scale: number) => Run, short: Run, shortScale: number, { seconds, repetitions }: Effort): number {
  let scale = shortScale;
  let fastest = 0;
  for (let done = 0; done < repetitions; ) {
    const long = run(scale);
    const took = long.cpuSeconds - short.cpuSeconds;
    if (took < seconds) {
      // Where nothing could be measured yet, a factor of ten; else to a little more than needed.
      scale = Math.ceil(scale * Math.max(2, took < seconds / 10 ? 10 : (seconds / took) * 1.3));
      continue;
    }
    fastest = Math.max(fastest, (long.instructions - short.instructions) / 1e6 / took);
    done++;
  }
  return fastest;
}

const columns = (cells: readonly string[]): string => cells.map((cell, i) => (i === 0 ? cell.padEnd(12) : cell.padStart(15))).join('');
const figure = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0));

/** Peak resident memory of a fresh process that runs a workload on 4 vCPUs with 128 MiB, in MiB. */
function residentMib(): number {
  const { stdout, stderr, status } = spawnSync(process.execPath, [process.argv[1] as string, '--resident'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the run that measures memory failed: ${stderr.trim()}`);
  return Number(stdout) / 1024;
}

function measure({ quick, workloads }: Options): boolean {
  installTools();
  const withQemu = qemuInstalled();
  const effort = quick ? EFFORT.quick : EFFORT.full;
  let failed = false;
  console.log(
    `Guest MIPS per CPU second${withQemu ? '' : '; qemu-system-i386 is not installed, so there is nothing to compare with'}. Node ${process.versions.node}.`,
  );
  console.log(columns(['', 'Exitpoint', ...(withQemu ? ['QEMU -icount', 'ratio', 'aim'] : [])]));
  for (const workload of workloads) {
    const folder = path.join(FOLDER, workload.name.replaceAll(' ', '-'));
    const rom = buildRom(workload, folder);
    const here = (scale: number): Run => runOnExitpoint(withScale(rom, scale));
    const there = (scale: number): Run => runOnQemu(withScale(rom, scale), folder);
    const short = here(workload.scale);
    const ours = mips(here, short, workload.scale, effort);
    const row = [workload.name, figure(ours)];
    if (withQemu) {
      const shortThere = there(workload.scale);
      if (shortThere.sum !== short.sum) {
        console.error(`${workload.name}: the guest computed ${short.sum} here and ${shortThere.sum} on QEMU`);
        failed = true;
      }
      const qemu = mips(there, shortThere, workload.scale, effort);
      row.push(figure(qemu), (ours / qemu).toFixed(2), workload.aim === undefined ? '' : `${workload.aim} or more`);
    }
    console.log(columns(row));
  }
  const resident = residentMib();
  console.log(`Resident memory, 4 vCPUs and 128 MiB: ${resident.toFixed(0)} MiB (aim: below ${RESIDENT_LIMIT_MIB}).`);
  return !failed && resident < RESIDENT_LIMIT_MIB;
}

/** A run for its memory: every page of the guest's RAM that a workload of 64 MB touches. */
function reside(): void {
  const workload = WORKLOADS.find(({ name }) => name === 'chase 64 MB') as Workload;
  runOnExitpoint(withScale(buildRom(workload, path.join(FOLDER, 'resident')), 10), 4);
  process.stdout.write(String(process.resourceUsage().maxRSS));
}

try {
  const options = parse(process.argv.slice(2));
  if (options.resident) reside();
  else if (options.activate) await activate();
  else {
    let met = true;
    if (options.sessions || options.workloads === WORKLOADS)
      met = tell(`Debug sessions, ms; each ${TIMES} times. Node ${process.versions.node}.`, await sessions(TIMES));
    if (!options.sessions) met = measure(options) && met;
    process.exitCode = met ? 0 : 1;
  }
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
