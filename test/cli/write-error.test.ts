import { describe, expect, it } from 'vitest';
import { writeError } from '../../src/cli/write-error.ts';

const error = (code: string, message: string): NodeJS.ErrnoException => Object.assign(new Error(message), { code });

describe('a stream that cannot be written', () => {
  it('because its reader has closed it ends everything silently, with the status of SIGPIPE and never with success', () => {
    expect(writeError(error('EPIPE', 'EPIPE: broken pipe, write'), 'stdout')).toEqual({ status: 141, line: '' });
    expect(writeError(error('EPIPE', 'EPIPE: broken pipe, write'), 'stderr')).toEqual({ status: 141, line: '' });
  });
  it('for any other reason ends with status 1, and one line that names it', () => {
    expect(writeError(error('ENOSPC', 'ENOSPC: no space left on device, write'), 'stdout')).toEqual({
      status: 1,
      line: 'exitpoint: stdout cannot be written: no space left on device (ENOSPC).\n',
    });
    expect(writeError(error('EIO', 'odd'), 'stdout').line).toBe('exitpoint: stdout cannot be written: EIO.\n');
  });
  it('has nobody to tell when it is stderr itself', () => {
    expect(writeError(error('ENOSPC', 'ENOSPC: no space left on device, write'), 'stderr')).toEqual({ status: 1, line: '' });
  });
});
