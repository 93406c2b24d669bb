/** Words that begin with a dot, for the debug console: the views as text. */
import { exitsTree, ipisTree } from '../debugger/trees.ts';
import type { Debugger } from '../debugger/debugger.ts';
import { DebuggerError } from '../debugger/error.ts';
import { suggest } from '../debugger/nearest.ts';

interface Command {
  readonly about: string;
  readonly say: (it: Debugger) => string;
}

/** At most this many IPIs are listed. */
const LISTED = 20;

function exits(it: Debugger): string {
  const { total, groups } = exitsTree(it);
  const lines = [`${total} exit${total === 1 ? '' : 's'}`];
  for (const { label, count, codes } of groups) {
    if (count === 0) continue;
    lines.push(`${label}: ${count}`);
    for (const { code, count: n, last, about } of codes)
      if (n > 0) lines.push(`  ${code.padEnd(12)} ${String(n).padStart(8)}  last e#${last}${about === '' ? '' : `  ${about}`}`);
  }
  return lines.join('\n');
}

function ipis(it: Debugger): string {
  const { sent, refusedTargets, ipis: newest } = ipisTree(it);
  const lines = [`${sent} IPI${sent === 1 ? '' : 's'}, ${refusedTargets} refused target${refusedTargets === 1 ? '' : 's'}`];
  for (const { number, sentence } of newest.slice(0, LISTED).reverse()) lines.push(`i#${number}  ${sentence}`);
  return lines.join('\n');
}

function why({ stop, running }: Debugger): string {
  if (running) return 'The machine is running.';
  if (stop === undefined) return 'The machine has not stopped yet.';
  const details = stop.exception?.details ?? '';
  return [stop.headline, stop.sentence, ...(details === '' ? [] : [details])].join('\n');
}

const HELP = `An expression is evaluated: eax, lapic.icr_lo, lapic[2].icr_lo.mode, dword [esp+4], wake_aps. A vCPU's own are those of the selected frame.
  expression,x  ,d  ,b      in hexadecimal, decimal, binary
  eax = 5                   sets a register, a field or memory`;

const VIEWS: Readonly<Record<string, Command>> = {
  '.exits': { about: 'VM exits by group and code', say: exits },
  '.ipis': { about: `the newest ${LISTED} IPIs and what became of them`, say: ipis },
  '.why': { about: 'why the machine stopped, with all details', say: why },
};

export const COMMANDS: Readonly<Record<string, Command>> = {
  '.help': {
    about: 'what can be typed here',
    say: () => [HELP, ...Object.entries(COMMANDS).map(([name, { about }]) => `  ${name.padEnd(24)}  ${about}`)].join('\n'),
  },
  ...VIEWS,
};

/** Throws a DebuggerError for a word that is no command. */
export function runCommand(it: Debugger, word: string): string {
  const name = word.toLowerCase();
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined)
    throw new DebuggerError(`There is no command ${word}.${suggest(name, Object.keys(COMMANDS), { Commands: Object.keys(COMMANDS) })}`);
  return command.say(it);
}
