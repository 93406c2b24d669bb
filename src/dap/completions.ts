/** What may be written at the caret of the debug console: names, constants, labels, commands. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { CONSTANTS } from '../debugger/constants.ts';
import { scopeOf } from '../debugger/inspect/number.ts';
import type { Arguments } from './arguments.ts';
import { COMMANDS } from './console-commands.ts';
import type { Answer } from './handler.ts';
import type { Session } from './session.ts';

type Item = DebugProtocol.CompletionItem;

/** An editor shows no more than a few; the caret narrows it down. */
const MOST = 500;

/** What may follow `path` (`lapic.`, or nothing) and begins with `segment`: one step of each name. */
function* steps(names: Iterable<string>, path: string, segment: string): Iterable<string> {
  const seen = new Set<string>();
  const written = `${path}${segment}`.toLowerCase();
  for (const name of names) {
    if (!name.toLowerCase().startsWith(written)) continue;
    const [step = ''] = name.slice(path.length).split('.');
    if (step === '' || seen.has(step)) continue;
    seen.add(step);
    yield step;
  }
}

export function completions(session: Session, args: Arguments): Answer<DebugProtocol.CompletionsResponse['body']> {
  const { client } = session;
  const it = session.debugger;
  const lines = args.text('text').split('\n');
  const line = args.optionalInteger('line', { min: client.firstLine });
  const text = lines[line === undefined ? lines.length - 1 : client.ourLine(line) - 1] ?? '';
  const caret = Math.min(client.ourColumn(args.integer('column', { min: client.firstColumn })) - 1, text.length);
  const vcpu = session.vcpuOfFrame(args);
  const before = text.slice(0, caret);

  const command = /^\s*(\.\w*)$/.exec(before)?.[1];
  if (command !== undefined) {
    const found = Object.entries(COMMANDS).filter(([name]) => name.startsWith(command));
    const at = place(client.column(caret - command.length + 1), command);
    return { body: { targets: found.map(([label, { about }]) => ({ label, type: 'keyword', detail: about, ...at })) } };
  }
  // Only what follows the last dot is replaced: an index before it stays, `lapic[1].icr_lo`.
  const [, dotted = '', segment = ''] = /((?:[A-Za-z_]\w*(?:\[[^\]]*\]|@\d+)?\.)*)([A-Za-z_]\w*)?$/.exec(before) ?? [];
  const path = dotted.replace(/\[[^\]]*\]|@\d+/g, '');
  const at = place(client.column(caret - segment.length + 1), segment);
  const targets: Item[] = [];
  const add = (names: Iterable<string>, type: DebugProtocol.CompletionItemType): void => {
    for (const label of steps(names, path, segment)) targets.push({ label, type, ...at });
  };
  add(scopeOf({ debugger: it, vcpu }).names(), 'variable');
  if (path === '') {
    add(it.program.symbols(), 'reference');
    add(
      [...CONSTANTS.keys()].map((name) => name.toUpperCase()),
      'enum',
    );
  }
  return { body: { targets: targets.slice(0, MOST) } };
}

const place = (start: number, replaced: string): Pick<Item, 'start' | 'length'> => ({ start, length: replaced.length });
