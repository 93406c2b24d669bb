/** The source tree as the architecture tests see it: files, their code without comments and strings, what they import. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '../..');

const LEFT_OUT = new Set(['node_modules', 'dist', '.git', '.cache', 'coverage']);

function walk(folder: string, into: string[]): string[] {
  for (const entry of fs.readdirSync(path.join(ROOT, folder), { withFileTypes: true })) {
    const name = path.posix.join(folder, entry.name);
    if (LEFT_OUT.has(entry.name)) continue;
    if (entry.isDirectory()) walk(name, into);
    else if (entry.isFile()) into.push(name);
  }
  return into;
}

/** Every file that belongs to the project (what git tracks or would track; without git, what lies there), relative to the root, sorted. */
export function projectFiles(): string[] {
  let files: string[];
  try {
    const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    files = listed.split('\n').filter((name) => name !== '' && fs.existsSync(path.join(ROOT, name)));
  } catch {
    files = walk('.', []);
  }
  return files.sort();
}

/** Every TypeScript file under src/. */
export const sourceFiles = (): string[] =>
  walk('src', [])
    .filter((name) => name.endsWith('.ts'))
    .sort();

export const read = (name: string): string => fs.readFileSync(path.join(ROOT, name), 'utf8');

/** May a `/` after this text begin a regular expression? (After a value it divides.) */
function expressionMayStart(before: string): boolean {
  const text = before.trimEnd();
  return text === '' || /[([{,;=:!&|?+\-*%<>~^}]$/.test(text) || /\b(return|typeof|case|of|in|yield|await|throw|new)$/.test(text);
}

/**
 * TypeScript source with its comments blanked and, with `strings`, the text of strings and regular expressions too. Line breaks and columns stay.
 * What stands in `${…}` of a template is code and stays.
 */
export function stripped(source: string, { strings }: { strings: boolean }): string {
  let out = '';
  let at = 0;
  const blank = (text: string): string => text.replace(/[^\n]/g, ' ');
  /** Open braces of code inside `${…}`, one entry for each template that is open. */
  const templates: number[] = [];

  const template = (): void => {
    // At the first character of a template's text: up to its end or to a `${`.
    let text = '';
    while (at < source.length) {
      if (source[at] === '\\') {
        text += source.slice(at, at + 2);
        at += 2;
      } else if (source[at] === '`') {
        out += `${strings ? blank(text) : text}\``;
        at++;
        return;
      } else if (source.startsWith('${', at)) {
        out += `${strings ? blank(text) : text}\${`;
        at += 2;
        templates.push(0);
        return;
      } else text += source[at++];
    }
    out += text;
  };

  while (at < source.length) {
    const c = source[at] as string;
    const token = (pattern: RegExp): string => {
      pattern.lastIndex = at;
      return pattern.exec(source)?.[0] ?? '';
    };
    const comment = token(/\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y);
    if (comment !== '') {
      out += blank(comment);
      at += comment.length;
      continue;
    }
    const literal =
      token(/'(?:[^'\\\n]|\\[\s\S])*'?|"(?:[^"\\\n]|\\[\s\S])*"?/y) ||
      (c === '/' && expressionMayStart(out) ? token(/\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y) : '');
    if (literal !== '') {
      out += strings ? literal[0] + blank(literal.slice(1, -1)) + literal.slice(-1) : literal;
      at += literal.length;
      continue;
    }
    at++;
    out += c;
    if (c === '`') template();
    else if (templates.length > 0 && c === '{') templates[templates.length - 1] = (templates.at(-1) as number) + 1;
    else if (templates.length > 0 && c === '}') {
      const open = templates.pop() as number;
      if (open === 0) template();
      else templates.push(open - 1);
    }
  }
  return out;
}

export interface Import {
  /** As written: `../base/bits.ts`, `node:fs`, `iced-x86`. */
  specifier: string;
  /** Only types come over it: nothing of it is left after the compiler. */
  typeOnly: boolean;
}

/** Everything a module imports, re-exports or loads, type imports included. */
export function importsOf(source: string): Import[] {
  const code = stripped(source, { strings: false });
  const found: Import[] = [];
  for (const [, keyword, type, clause, specifier] of code.matchAll(
    /(?:^|[;}\n])\s*(import|export)\s+(type\s+)?([\w*{][^'";]*?\sfrom\s*)?['"]([^'"\n]+)['"]/g,
  )) {
    if (keyword === 'export' && clause === undefined) continue;
    const names = clause
      ?.match(/^\{([^}]*)\}\s*from\s*$/)?.[1]
      ?.split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
    found.push({
      specifier: specifier as string,
      typeOnly: type !== undefined || (names !== undefined && names.length > 0 && names.every((name) => name.startsWith('type '))),
    });
  }
  for (const [, specifier] of code.matchAll(/\b(?:import|require)\s*\(\s*['"`]([^'"`\n]+)['"`]/g))
    found.push({ specifier: specifier as string, typeOnly: false });
  return found;
}
