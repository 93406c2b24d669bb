/** Runs one job of a campaign in a thread of its own, where it may hang without anybody waiting for it. */
import { parentPort, workerData } from 'node:worker_threads';
import { type EncodingIndexData, loadEncodingIndex } from '../../src/machine/isa/encoding-index.ts';
import { Campaign, type Job, runJob } from './campaign.ts';

export interface WorkerData {
  readonly interpreter: Uint8Array;
  readonly encodings: EncodingIndexData;
  readonly job: Job;
  /** Shared: the seed that runs, how many are done. */
  readonly progress: Int32Array;
}

const { interpreter, encodings, job, progress } = workerData as WorkerData;
const campaign = new Campaign(interpreter, loadEncodingIndex(encodings));
parentPort?.postMessage(
  runJob(
    campaign,
    job,
    (seed, done) => {
      Atomics.store(progress, 0, seed);
      Atomics.store(progress, 1, done);
    },
    () => performance.now(),
  ),
);
