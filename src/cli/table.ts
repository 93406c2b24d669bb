/** Text in columns, with colours that take no room. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the terminal's own escape sequences
const ESCAPES = /\x1b\[[0-9;]*m/g;

/** How many columns a text takes. All signs used here are one column wide. */
export const visible = (text: string): number => [...text.replace(ESCAPES, '')].length;

export const padEnd = (text: string, width: number): string => text + ' '.repeat(Math.max(width - visible(text), 0));
export const padStart = (text: string, width: number): string => ' '.repeat(Math.max(width - visible(text), 0)) + text;

/** Cuts to `width` columns, `ellipsis` included; colours are dropped from a text that is cut. */
export function cut(text: string, width: number, ellipsis: string): string {
  if (visible(text) <= width) return text;
  return [...text.replace(ESCAPES, '')].slice(0, Math.max(width - ellipsis.length, 0)).join('') + ellipsis;
}

/** Lays rows out in columns, each as wide as its widest cell, `gap` blanks between. `right`: indexes of columns aligned to the right. */
export function table(rows: readonly (readonly string[])[], gap = 3, right: readonly number[] = []): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, visible(cell))));
  return rows.map((row) =>
    row
      .map((cell, i) =>
        right.includes(i) ? padStart(cell, widths[i] as number) : i === row.length - 1 ? cell : padEnd(cell, widths[i] as number),
      )
      .join(' '.repeat(gap))
      .trimEnd(),
  );
}

/** Breaks a text between words into lines of at most `width` columns. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && visible(line) + 1 + visible(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines;
}

/** A count with thin groups: 105 330. */
export const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ' ');
