/** The rows of the view VM Exits: what the debugger counted, as labels, descriptions and check marks. Pure. */
import type { ExitAction } from '../debugger/breakpoints.ts';
import type { ExitGroup, ExitRow, ExitsTree } from '../debugger/trees.ts';

export interface ExitItem {
  /** Stable over refreshes and sessions, so that what is expanded stays so. */
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly tooltip: string;
  /** For a screen reader: the whole row in words. */
  readonly spoken: string;
  /** Does it stop the machine? */
  readonly breaks: boolean;
  readonly logs: boolean;
  /** The codes that its box and its diamond are for. */
  readonly codes: readonly ExitRow[];
  /** In the grammar of breakpoints. */
  readonly breakpoint: string;
  /** Words by which menus choose: `exitGroup` or `exitCode`, then `log` or `quiet`, and `seen` where there is a place to show. */
  readonly context: string;
  /** Present for groups. */
  readonly group?: string;
  readonly open?: boolean;
  readonly children: readonly ExitItem[];
}

export interface ExitsModel {
  readonly items: readonly ExitItem[];
  /** Beside the view's title: `39 exits · 13 idle codes hidden`. */
  readonly description: string;
}

const breaks = (action: ExitAction): boolean => action === 'break' || action === 'both';
const logs = (action: ExitAction): boolean => action === 'log' || action === 'both';
const times = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
const idle = (row: ExitRow): boolean => row.count === 0 && row.action === 'off';

/** The action with its break or its log half set; the other half stays. */
export function withAction(action: ExitAction, change: { readonly break?: boolean; readonly log?: boolean }): ExitAction {
  const stop = change.break ?? breaks(action);
  const log = change.log ?? logs(action);
  return stop ? (log ? 'both' : 'break') : log ? 'log' : 'off';
}

function codeItem(row: ExitRow): ExitItem {
  const stop = breaks(row.action);
  const log = logs(row.action);
  const about = row.about === '' ? '' : `, ${row.about}`;
  return {
    id: `code:${row.code}`,
    label: row.code,
    description: [String(row.count), row.about, log ? '◆ logged' : ''].filter((part) => part !== '').join(' · '),
    tooltip: `${row.code}${about}: ${times(row.count, 'exit')}${row.last > 0 ? `, the newest e#${row.last}` : ''}. ${
      stop ? 'The machine stops at each' : 'The machine does not stop at them'
    }${log ? ', and each is logged in the Debug Console.' : '.'}`,
    spoken: `${row.code}${about}, ${times(row.count, 'exit')}${stop ? ', breaks' : ''}${log ? ', logged' : ''}`,
    breaks: stop,
    logs: log,
    codes: [row],
    breakpoint: `exit:${row.code}`,
    context: ['exitCode', log ? 'log' : 'quiet', ...(row.place === undefined ? [] : ['seen'])].join(' '),
    children: [],
  };
}

function groupItem(group: ExitGroup, idleShown: boolean): ExitItem {
  const some = (of: (action: ExitAction) => boolean): number => group.codes.filter(({ action }) => of(action)).length;
  const all = group.codes.length;
  // A box has two states: it is checked when every code is, and the words say the rest.
  const state = (count: number, word: string): string => (count === 0 ? '' : count === all ? word : `${count} of ${all} ${word}`);
  const log = some(logs);
  const stop = some(breaks);
  const children = group.codes.filter((row) => idleShown || !idle(row)).map(codeItem);
  const open = group.codes.some((row) => !idle(row));
  return {
    // The editor asks once per id whether a row is open: a group that gets its first code is another row to it, and opens.
    id: `group:${group.group}${open ? '' : children.length > 0 ? '/idle' : '/empty'}`,
    label: group.label,
    description: [String(group.count), log === 0 ? '' : `◆ ${state(log, 'logged')}`].filter((part) => part !== '').join(' · '),
    tooltip: `${group.label}: ${times(group.count, 'exit')} of ${times(all, 'code')}. The box and the diamond are for all of them.`,
    spoken: [group.label, times(group.count, 'exit'), state(stop, 'break'), state(log, 'logged')].filter((part) => part !== '').join(', '),
    breaks: all > 0 && stop === all,
    logs: all > 0 && log === all,
    codes: group.codes,
    breakpoint: `exit:${group.group}`,
    context: `exitGroup ${all > 0 && log === all ? 'log' : 'quiet'}`,
    group: group.group,
    open,
    children,
  };
}

/** @param idleShown also the codes that never happened and that nothing is asked for */
export function exitsModel(tree: ExitsTree, idleShown: boolean): ExitsModel {
  const groups = tree.groups
    .map((group) => ({ ...group, codes: group.codes.filter((row) => row.impossible !== true || !idle(row)) }))
    .filter(({ codes }) => codes.length > 0);
  const hidden = idleShown ? 0 : groups.reduce((sum, { codes }) => sum + codes.filter(idle).length, 0);
  return {
    items: groups.map((group) => groupItem(group, idleShown)),
    description: [times(tree.total, 'exit'), hidden === 0 ? '' : `${times(hidden, 'idle code')} hidden`]
      .filter((part) => part !== '')
      .join(' · '),
  };
}
