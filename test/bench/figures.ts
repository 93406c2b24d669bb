/** Times of one thing done many times, and the line that tells of them. */

export interface Figure {
  readonly name: string;
  /** In ms. */
  readonly times: readonly number[];
  /** What the named quantile has to stay below, in ms. */
  readonly aim: { readonly quantile: 'median' | 'p95'; readonly ms: number };
}

/** The value that `fraction` of all are not above. */
export function quantile(times: readonly number[], fraction: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * fraction) - 1)] as number;
}
const median = (times: readonly number[]): number => quantile(times, 0.5);
const p95 = (times: readonly number[]): number => quantile(times, 0.95);

const columns = (cells: readonly string[]): string => cells.map((cell, i) => (i === 0 ? cell.padEnd(32) : cell.padStart(10))).join('');
const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 0);

/** Prints a table; gives whether every aim is met. */
export function tell(title: string, figures: readonly Figure[]): boolean {
  console.log(title);
  console.log(columns(['', 'median', 'p95', 'aim']));
  let met = true;
  for (const { name, times, aim } of figures) {
    const [middle, high] = [median(times), p95(times)];
    const good = (aim.quantile === 'median' ? middle : high) < aim.ms;
    console.log(`${columns([name, ms(middle), ms(high)])}     ${aim.quantile} below ${aim.ms}${good ? '' : ': MISSED'}`);
    met &&= good;
  }
  return met;
}
