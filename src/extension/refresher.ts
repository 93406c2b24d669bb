/** Does some work when asked, but not more often than so many times a second, and never twice at once. The last wish is always fulfilled. */
export class Refresher {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #busy = false;
  #again = false;
  #over = false;
  #readyAt = 0;

  /**
   * @param intervalMs from the end of one piece of work to the beginning of the next
   * @param work must not reject
   */
  constructor(
    private readonly work: () => Promise<void>,
    private readonly intervalMs = 200,
  ) {}

  request(): void {
    if (this.#over) return;
    if (this.#busy) this.#again = true;
    else if (this.#timer === undefined) this.#timer = setTimeout(() => void this.#run(), Math.max(0, this.#readyAt - Date.now()));
  }

  dispose(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    this.#timer = undefined;
    this.#busy = true;
    try {
      await this.work();
    } finally {
      this.#busy = false;
      this.#readyAt = Date.now() + this.intervalMs;
      if (this.#again) {
        this.#again = false;
        this.request();
      }
    }
  }
}
