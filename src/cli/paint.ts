/** Colours and signs of the terminal. No meaning is carried by colour alone: a sign or a word goes with it. */

export interface Paint {
  readonly colour: boolean;
  readonly unicode: boolean;
  /** Columns to fill; at most 100. */
  readonly width: number;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  blue(text: string): string;
  cyan(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
  underline(text: string): string;
  /** ✓ ✕ – · → and the lines of the exit chain, or their ASCII forms. */
  readonly sign: Readonly<
    Record<'yes' | 'no' | 'none' | 'dot' | 'arrow' | 'line' | 'bar' | 'branch' | 'last' | 'ellipsis' | 'micro', string>
  >;
}

const UNICODE: Paint['sign'] = {
  yes: '✓',
  no: '✕',
  none: '–',
  dot: '·',
  arrow: '→',
  line: '─',
  bar: '│',
  branch: '├',
  last: '└',
  ellipsis: '…',
  micro: 'µ',
};
const ASCII: Paint['sign'] = {
  yes: 'ok',
  no: 'x',
  none: '-',
  dot: '-',
  arrow: '->',
  line: '-',
  bar: '|',
  branch: '+',
  last: '+',
  ellipsis: '...',
  micro: 'u',
};

/** What decides about colour and signs: the stream and the environment. */
export interface Terminal {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}
type Environment = Readonly<Record<string, string | undefined>>;

/** Colour: on a terminal, unless NO_COLOR is set (to anything but '') or TERM is dumb; FORCE_COLOR forces it. */
export function wantsColour(stream: Terminal, env: Environment): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '') return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return stream.isTTY === true && env.TERM !== 'dumb';
}

/** Signs beyond ASCII: where the locale says UTF-8, or on a Windows terminal that is known to show them. */
export function wantsUnicode(env: Environment, platform: string): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  if (/utf-?8/i.test(locale)) return true;
  if (locale !== '') return false;
  return platform === 'darwin' || (platform === 'win32' && (env.WT_SESSION !== undefined || env.TERM_PROGRAM === 'vscode'));
}

export function paintFor(stream: Terminal, env: Environment, platform: string): Paint {
  return makePaint(wantsColour(stream, env), wantsUnicode(env, platform), Math.min(Math.max(stream.columns ?? 100, 40), 100));
}

export function makePaint(colour: boolean, unicode: boolean, width = 100): Paint {
  const style = (on: number, off: number) => (text: string) => (colour && text !== '' ? `\x1b[${on}m${text}\x1b[${off}m` : text);
  return {
    colour,
    unicode,
    width,
    red: style(31, 39),
    green: style(32, 39),
    yellow: style(33, 39),
    // The bright one: plain blue can hardly be read on black.
    blue: style(94, 39),
    cyan: style(36, 39),
    dim: style(90, 39),
    bold: style(1, 22),
    underline: style(4, 24),
    sign: unicode ? UNICODE : ASCII,
  };
}
