/** What the views ask for, and what they choose. */
import type { ExitAction } from '../debugger/breakpoints.ts';
import { exitsTree, ipisTree } from '../debugger/trees.ts';
import type { Handlers } from './handler.ts';

const ACTIONS = ['off', 'break', 'log', 'both'] as const satisfies readonly ExitAction[];

export const viewHandlers: Handlers = {
  'exitpoint/exits': (session) => ({ body: exitsTree(session.debugger) }),
  'exitpoint/ipis': (session) => ({ body: ipisTree(session.debugger) }),
  'exitpoint/setExit': (session, args) => {
    const code = args.text('code');
    const action = args.word('action', ACTIONS);
    session.debugger.breakpoints.setExits({ [code]: action });
    return {};
  },
};
