/** The nine workloads, and how long to let them run. What a unit of scale is stands at the head of each source file. */

export interface Workload {
  readonly name: string;
  /** Source file in guests/, without `.c`. */
  readonly source: string;
  readonly defines: readonly string[];
  /** Scale for about a second on an interpreter: 30 to 340 million instructions. */
  readonly scale: number;
  /** How much longer QEMU's run is, so that both take a second or more. */
  readonly qemuTimes: number;
  /** What the project aims at: our speed over that of QEMU -icount. */
  readonly aim?: number;
}

export const WORKLOADS: readonly Workload[] = [
  { name: 'alu', source: 'alu', defines: [], scale: 21_000, qemuTimes: 10, aim: 0.12 },
  { name: 'crypt', source: 'crypt', defines: [], scale: 60, qemuTimes: 10 },
  { name: 'copy', source: 'copy', defines: [], scale: 6_600, qemuTimes: 8 },
  { name: 'sort', source: 'sort', defines: [], scale: 60, qemuTimes: 5, aim: 0.25 },
  { name: 'chase 64 MB', source: 'chase', defines: ['NODES=1048576'], scale: 5_000, qemuTimes: 1 },
  { name: 'chase 64 KB', source: 'chase', defines: ['NODES=1024'], scale: 40_000, qemuTimes: 4 },
  { name: 'self-IPI', source: 'apic', defines: [], scale: 3_000, qemuTimes: 1, aim: 1 },
  { name: 'int 80h', source: 'int80', defines: [], scale: 10_000, qemuTimes: 1 },
  { name: 'rep movs', source: 'copy', defines: ['REP_MOVS'], scale: 10_000, qemuTimes: 1 },
];

/** What one run of a workload gave. */
export interface Run {
  /** The guest's checksum, as it printed it. */
  readonly sum: string;
  /** Instructions of the whole run (Exitpoint) or of the timed part (QEMU); of two runs, the difference means the same. */
  readonly instructions: number;
  /** User and system time of the process, in seconds. */
  readonly cpuSeconds: number;
}
