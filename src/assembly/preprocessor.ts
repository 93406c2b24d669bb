/** The preprocessor: %define and %undef. Every other directive is refused by name. */
import type { Span } from './diagnostic.ts';
import type { Lexer, Token } from './lexer.ts';

interface Macro {
  /** null for an object-like macro. */
  readonly parameters: readonly string[] | null;
  readonly body: readonly Token[];
}

/** A line may not expand to more tokens than this. */
const MAXIMUM_TOKENS = 20_000;
const MAXIMUM_NESTING = 100;

/** Directives that hold a block whose lines mean nothing without them. */
const BLOCKS = new Map([
  ['macro', 'endmacro'],
  ['imacro', 'endmacro'],
  ['rmacro', 'endmacro'],
  ['irmacro', 'endmacro'],
  ['rep', 'endrep'],
  ['comment', 'endcomment'],
]);

/** Takes lines from the lexer and hands them on with %define carried out; directive lines are used up here. */
export class Preprocessor {
  readonly #lexer: Lexer;
  readonly #problem: (span: Span, message: string) => void;
  readonly #macros = new Map<string, Macro>();
  #budget = 0;

  constructor(lexer: Lexer, problem: (span: Span, message: string) => void) {
    this.#lexer = lexer;
    this.#problem = problem;
  }

  /** The next line that is not a directive, or null at the end of the text. */
  nextLine(): Token[] | null {
    for (;;) {
      const line = this.#lexer.nextLine();
      if (line === null) return null;
      const [first, second] = line;
      if (first?.kind === 'operator' && (first.text === '%' || first.text === '%%') && second !== undefined) {
        this.#directive(line, first, second);
        continue;
      }
      if (this.#macros.size === 0 || !line.some((t) => t.kind === 'name' && this.#macros.has(t.text))) return line;
      return this.#expandLine(line);
    }
  }

  #directive(line: readonly Token[], percent: Token, name: Token): void {
    const span = { start: percent.start, end: name.end };
    const word = name.text.toLowerCase();
    if (name.kind !== 'name') {
      this.#problem(span, 'expected the name of a directive after %');
    } else if (word === 'define') {
      this.#define(line, span);
    } else if (word === 'undef') {
      const macro = line[2];
      if (macro?.kind === 'name') this.#macros.delete(macro.text);
      else this.#problem(span, '%undef takes the name of a macro');
    } else {
      this.#problem(span, `%${name.text} is not supported yet`);
      const end = BLOCKS.get(word);
      if (end !== undefined) this.#skipBlock(word, end);
    }
  }

  #skipBlock(open: string, close: string): void {
    for (let depth = 1; depth > 0; ) {
      const line = this.#lexer.nextLine();
      if (line === null) return;
      if (line[0]?.kind !== 'operator' || line[0].text !== '%') continue;
      const word = line[1]?.text.toLowerCase();
      if (word === open) depth++;
      if (word === close) depth--;
    }
  }

  #define(line: readonly Token[], span: Span): void {
    const name = line[2];
    if (name?.kind !== 'name') {
      this.#problem(span, '%define takes a name and what it stands for');
      return;
    }
    const open = line[3];
    if (open?.text !== '(' || open.kind !== 'operator' || open.start !== name.end) {
      this.#macros.set(name.text, { parameters: null, body: line.slice(3, -1) });
      return;
    }
    const parameters: string[] = [];
    let i = 4;
    for (; ; i += 2) {
      const parameter = line[i];
      const separator = line[i + 1];
      if (parameter?.text === ')' && parameters.length === 0) break;
      if (parameter?.kind !== 'name' || separator === undefined || (separator.text !== ',' && separator.text !== ')')) {
        this.#problem(parameter ?? span, `the parameters of ${name.text} are names between commas, closed by )`);
        return;
      }
      parameters.push(parameter.text);
      if (separator.text === ')') {
        i++;
        break;
      }
    }
    this.#macros.set(name.text, { parameters, body: line.slice(i + 1, -1) });
  }

  #expandLine(line: readonly Token[]): Token[] {
    this.#budget = MAXIMUM_TOKENS;
    const out: Token[] = [];
    this.#expand(line, out, new Set(), null);
    if (this.#budget < 0) {
      this.#problem(
        { start: line[0]?.start ?? 0, end: line.at(-1)?.start ?? 0 },
        `the macros on this line expand to more than ${MAXIMUM_TOKENS} tokens`,
      );
      return [line.at(-1) as Token];
    }
    return out;
  }

  /** Expands `tokens` into `out`; a macro is not expanded within itself. `use` is the span that expanded tokens bear. */
  #expand(tokens: readonly Token[], out: Token[], active: ReadonlySet<string>, use: Span | null): void {
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i] as Token;
      if (--this.#budget < 0) return;
      const macro = token.kind === 'name' && !active.has(token.text) ? this.#macros.get(token.text) : undefined;
      if (macro === undefined || active.size >= MAXIMUM_NESTING) {
        out.push(use === null ? token : { ...token, start: use.start, end: use.end });
        continue;
      }
      const within = new Set(active).add(token.text);
      const span = use ?? { start: token.start, end: token.end };
      if (macro.parameters === null) {
        this.#expand(macro.body, out, within, span);
        continue;
      }
      const call = argumentsOf(tokens, i + 1);
      const empty = call?.list.length === 1 && call.list[0]?.length === 0 && macro.parameters.length === 0;
      if (call === null || (!empty && call.list.length !== macro.parameters.length)) {
        // Without its arguments it is an ordinary name.
        out.push(use === null ? token : { ...token, start: use.start, end: use.end });
        continue;
      }
      const given = new Map(macro.parameters.map((p, n) => [p, call.list[n] ?? []]));
      const body: Token[] = [];
      for (const t of macro.body) {
        const replacement = t.kind === 'name' ? given.get(t.text) : undefined;
        if (replacement === undefined) body.push(t);
        else this.#expand(replacement, body, active, null);
        if ((this.#budget -= replacement?.length ?? 1) < 0) return;
      }
      this.#expand(body, out, within, span);
      i = call.end;
    }
  }
}

/** The arguments of a macro call that begins at `from`, and the index of its closing parenthesis; null if there is no call. */
function argumentsOf(tokens: readonly Token[], from: number): { list: Token[][]; end: number } | null {
  if (tokens[from]?.kind !== 'operator' || tokens[from]?.text !== '(') return null;
  const list: Token[][] = [[]];
  let depth = 1;
  for (let i = from + 1; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    if (token.kind === 'operator') {
      if (token.text === '(') depth++;
      if (token.text === ')' && --depth === 0) return { list, end: i };
      if (token.text === ',' && depth === 1) {
        list.push([]);
        continue;
      }
    }
    if (token.kind === 'end') return null;
    list.at(-1)?.push(token);
  }
  return null;
}
