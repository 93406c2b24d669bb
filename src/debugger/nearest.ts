/** Suggestions for mistyped words. */

/** Edit distance (insert, delete, replace, swap of neighbours each 1), case ignored. */
function distance(a: string, b: string): number {
  const rows: number[][] = [];
  for (let i = 0; i <= a.length; i++) {
    const row: number[] = [i];
    for (let j = 1; j <= b.length; j++) {
      if (i === 0) {
        row.push(j);
        continue;
      }
      const above = rows[i - 1] as number[];
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((above[j] as number) + 1, (row[j - 1] as number) + 1, (above[j - 1] as number) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, ((rows[i - 2] as number[])[j - 2] as number) + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return (rows[a.length] as number[])[b.length] as number;
}

/** The candidate closest to `word`, or undefined when none is close: at most a third of its letters (and at least one) may differ. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.slice(0, 64).toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const lower = candidate.toLowerCase();
    const d = lower.startsWith(wanted) && wanted.length >= 3 ? 1 - 1 / (1 + lower.length - wanted.length) : distance(wanted, lower);
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  return best;
}

/** ` Did you mean X?`, or '' when nothing is close. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const best = nearest(word, candidates);
  return best === undefined ? '' : ` Did you mean ${best}?`;
}

/** ` Did you mean X?`; when nothing is close, all there is: ` Groups are: a, b.` for the list `Groups`. */
export function suggest(word: string, candidates: Iterable<string>, lists: Readonly<Record<string, Iterable<string>>>): string {
  const near = didYouMean(word, candidates);
  if (near !== '') return near;
  return Object.entries(lists)
    .map(([what, names]) => ` ${what} are: ${[...names].join(', ')}.`)
    .join('');
}
