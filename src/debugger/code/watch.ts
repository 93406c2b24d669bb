/**
 * Notices when the guest is about to execute code that it has copied out of its ROM, so that breakpoints on source lines get their addresses in the
 * copy before its first instruction runs.
 *
 * How to use it: while breakpoints on lines (or stepping by lines) need copies, keep `enabled` true. When a run comes back with RunStop.breakpoint, ask
 * `take()` first: true means that the machine stands before code of a page whose copies are new, whatever else is there. Find all addresses anew
 * (`Program.copiesOf`), set the processor's breakpoints, and run on; one that is at the very next instruction will stop that run. Only when `take()` is
 * false has an instruction breakpoint been reached. Runs that are not the user's (going back in time) belong into `quietly`: they are not stopped, and
 * `take()` after them tells whether addresses are to be found anew.
 */
import type { Processor } from '../../machine/cpu/processor.ts';
import type { Program } from './program.ts';

export class CodeWatch {
  private news = false;
  private quiet = false;

  /** @param program the program in that processor's memory (`Program.inMemory`) */
  constructor(
    private readonly processor: Processor,
    private readonly program: Program,
  ) {}

  get enabled(): boolean {
    return this.processor.onCode === this.asked;
  }
  /** Setting drops decoded code, so it costs a moment; setting what is set does nothing. Without source there is nothing to watch for. */
  set enabled(on: boolean) {
    if (on === this.enabled || this.program.copies === undefined) return;
    this.processor.onCode = on ? this.asked : undefined;
    if (on) this.lookAround();
  }

  /** Have copies been found (or lost) since this was asked last? */
  take(): boolean {
    const { news } = this;
    this.news = false;
    return news;
  }

  /** Does something during which the machine is not stopped for new code. */
  quietly<T>(work: () => T): T {
    const before = this.quiet;
    this.quiet = true;
    try {
      return work();
    } finally {
      this.quiet = before;
      if (this.enabled) this.lookAround();
    }
  }

  private readonly asked = (page: number): boolean => {
    if (this.program.copies?.executes(page) !== true) return false;
    this.news = true;
    return !this.quiet;
  };
  /** Where the vCPUs stand already, nobody will ask. */
  private lookAround(): void {
    const { processor } = this;
    const { selected } = processor;
    for (let vcpu = 0; vcpu < processor.vcpuCount; vcpu++) {
      processor.select(vcpu);
      if (this.program.copies?.executes((processor.csBase + processor.eip) >>> 0)) this.news = true;
    }
    processor.select(selected);
  }
}
