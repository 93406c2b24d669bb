/** What it means when a stream of the command line cannot be written any more. */
import { Status } from './errors.ts';

/** What the system said, in words where it has some: `no space left on device (ENOSPC)`. */
const problem = ({ code, message }: NodeJS.ErrnoException): string => {
  const words = /^[A-Z0-9]+: (.*?), /.exec(message)?.[1];
  return words === undefined ? (code ?? message) : `${words} (${code})`;
};

/** The status to end with, and a line for stderr, where there is somebody left to read it. */
export function writeError(error: NodeJS.ErrnoException, stream: 'stdout' | 'stderr'): { readonly status: Status; readonly line: string } {
  // Whoever reads our output may have seen enough (`| head`); that is no success of the run, nor a failure to speak of.
  if (error.code === 'EPIPE') return { status: Status.closedPipe, line: '' };
  return { status: Status.failed, line: stream === 'stderr' ? '' : `exitpoint: stdout cannot be written: ${problem(error)}.\n` };
}
