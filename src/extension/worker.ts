/** The far end of the pipe as the adapter sees it (debugger/host.ts says what goes over it): each main starts it in its own way. */

export interface WorkerListeners {
  onMessage(message: unknown): void;
  /** The worker has ended by itself: why, in a sentence, or undefined when it ended as asked. */
  onEnd(why: string | undefined): void;
}

export interface WorkerHandle {
  postMessage(message: unknown): void;
  /** Ends it, whatever it is doing. */
  terminate(): void;
}

export type StartWorker = (listeners: WorkerListeners) => Promise<WorkerHandle>;
