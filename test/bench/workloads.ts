/** The nine workloads. What a unit of scale is stands at the head of each source file. */

export interface Workload {
  readonly name: string;
  /** Source file in guests/, without `.c`. */
  readonly source: string;
  readonly defines: readonly string[];
  /** A short run: a few million instructions. What both machines compute at this scale is compared; timed runs are longer. */
  readonly scale: number;
  /** What the project aims at: our speed over that of QEMU -icount. */
  readonly aim?: number;
}

export const WORKLOADS: readonly Workload[] = [
  { name: 'alu', source: 'alu', defines: [], scale: 200, aim: 0.12 },
  { name: 'crypt', source: 'crypt', defines: [], scale: 1 },
  { name: 'copy', source: 'copy', defines: [], scale: 60 },
  { name: 'sort', source: 'sort', defines: [], scale: 1, aim: 0.25 },
  { name: 'chase 64 MB', source: 'chase', defines: ['NODES=1048576'], scale: 100 },
  { name: 'chase 64 KB', source: 'chase', defines: ['NODES=1024'], scale: 400 },
  { name: 'self-IPI', source: 'apic', defines: [], scale: 50, aim: 1 },
  { name: 'int 80h', source: 'int80', defines: [], scale: 200 },
  { name: 'rep movs', source: 'copy', defines: ['REP_MOVS'], scale: 100 },
];

/** What one run of a workload gave. */
export interface Run {
  /** The guest's checksum, as it printed it. */
  readonly sum: string;
  /** Instructions of the whole run (Exitpoint) or of the timed part (QEMU): the difference of two runs means the same. */
  readonly instructions: number;
  /** User and system time of the process, in seconds. */
  readonly cpuSeconds: number;
}
