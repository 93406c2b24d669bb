/** Our own requests and events: their bodies have the types of src/debugger/. */
import type { ExitAction } from '../../src/debugger/breakpoints.ts';
import { read } from '../architecture/source.ts';
import { parseTypes, type Type } from './protocol-types.ts';
import type { Custom } from './protocol.ts';

/** Declarations of a contract file that has functions too: its interfaces up to the first of them. */
const interfaces = (file: string): string =>
  [...read(file).matchAll(/^export interface [\s\S]*?^\}/gm)].map(([declaration]) => declaration).join('\n');

const BODIES = `
  interface Changed { running: boolean; vcpu: number; timeNs: number; instructions: number; }
  interface Console { stream: string; base64: string; }
  interface Diagnostics { file: string; diagnostics: Diagnostic[]; }
  interface Diagnostic { line: number; column: number; length: number; severity: 'error' | 'warning'; message: string; }
  interface Continued { allThreadsContinued: boolean; }`;

const ACTIONS = ['off', 'break', 'log', 'both'] as const satisfies readonly ExitAction[];
const named = (name: string): Type => ({ kind: 'reference', name });

export const CUSTOM: Custom = {
  types: new Map([
    ...parseTypes(interfaces('src/debugger/trees.ts') + BODIES),
    ['ExitAction', { kind: 'union', of: ACTIONS.map((value) => ({ kind: 'literal', value })) }],
  ]),
  responses: {
    'exitpoint/exits': named('ExitsTree'),
    'exitpoint/ipis': named('IpisTree'),
    'exitpoint/setExit': undefined,
    'exitpoint/step': undefined,
    'exitpoint/continueAlone': named('Continued'),
  },
  events: {
    'exitpoint/changed': named('Changed'),
    'exitpoint/console': named('Console'),
    'exitpoint/diagnostics': named('Diagnostics'),
  },
};
