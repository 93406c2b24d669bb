/**
 * The instruction emulator's context, one per vCPU: which request of which instruction waits for whom (illumos `struct vie`).
 *
 * An instruction that touches a device is executed again and again until every request it makes is DONE; the answers are kept here, so a device is
 * never read twice for one instruction. Defect 13253 is about this state: a device handler that returned "to userspace" left no request PENDING,
 * and `vie_exitinfo` found nothing to tell userspace.
 */
import { Request, type Requests } from '../cpu/processor.ts';
import { ExitCode } from '../ledger/exitcode.ts';
import { Errno, INOUT, type VmEntry, type VmExit } from './vmexit.ts';

/** Status flags (`VIES_*`), numbered as since illumos 13686. */
export const VIES = {
  INIT: 0x001,
  MMIO: 0x002,
  INOUT: 0x004,
  OTHER: 0x008,
  INST_FETCH: 0x010,
  INST_DECODE: 0x020,
  PENDING_MMIO: 0x040,
  PENDING_INOUT: 0x080,
  REPEAT: 0x100,
  USER_FALLBACK: 0x200,
  COMPLETE: 0x400,
} as const;

/** What `vie_exitinfo` found. */
export const ExitInfoResult = {
  /** The exit has been filled in. */
  ok: 0,
  /** An MMIO emulation with neither request PENDING: `panic("bad pending MMIO state")`. */
  badPendingMmio: 1,
} as const;
export type ExitInfoResult = (typeof ExitInfoResult)[keyof typeof ExitInfoResult];

interface MmioRequest {
  state: number;
  gpa: number;
  bytes: number;
  data: number;
  dataHigh: number;
}

const mmioRequest = (): MmioRequest => ({ state: Request.NONE, gpa: 0, bytes: 0, data: 0, dataHigh: 0 });

/** The emulation of one vCPU's current instruction. */
export class Vie {
  status = 0;
  readonly mmioRead = mmioRequest();
  readonly mmioWrite = mmioRequest();
  /** The port request: state, and its answer in `eax`. */
  readonly inout = { state: Request.NONE as number, port: 0, bytes: 0, flags: 0, eax: 0 };
  readonly bytes = new Uint8Array(15);
  valid = 0;

  /** Forgets the instruction (`vie_reset`). */
  reset(): void {
    this.status = 0;
    this.mmioRead.state = this.mmioWrite.state = this.inout.state = Request.NONE;
    this.valid = 0;
  }

  initMmio(): void {
    this.reset();
    this.status = VIES.INIT | VIES.MMIO;
  }

  /** @param flags a set of INOUT bits */
  initInout(port: number, bytes: number, flags: number, eax: number): void {
    this.reset();
    this.status = VIES.INIT | VIES.INOUT;
    const { inout } = this;
    inout.port = port;
    inout.bytes = bytes;
    inout.flags = flags;
    inout.eax = eax;
  }

  /** Does userspace owe an answer, or the guest its life? (`vie_pending`) */
  get pending(): boolean {
    return (this.status & (VIES.PENDING_MMIO | VIES.PENDING_INOUT | VIES.USER_FALLBACK)) !== 0;
  }

  /** A kernel device answered. */
  mmioDone(read: boolean, gpa: number, bytes: number, data: number, dataHigh: number): void {
    setRequest(read ? this.mmioRead : this.mmioWrite, Request.DONE, gpa, bytes, data, dataHigh);
  }

  /** No kernel device owns the address (ESRCH): userspace is to be asked. */
  mmioPending(read: boolean, gpa: number, bytes: number, data: number, dataHigh: number): void {
    setRequest(read ? this.mmioRead : this.mmioWrite, Request.PENDING, gpa, bytes, data, dataHigh);
    this.status |= VIES.PENDING_MMIO;
  }

  inoutDone(eax: number): void {
    this.inout.state = Request.DONE;
    this.inout.eax = eax;
  }

  inoutPending(): void {
    this.inout.state = Request.PENDING;
    this.status |= VIES.PENDING_INOUT;
  }

  /** The emulation is to be given up (since 13253): the next exit is INST_EMUL. */
  userFallback(): void {
    this.status |= VIES.USER_FALLBACK;
  }

  /** Fills in the exit that is due (`vie_exitinfo`). */
  exitInfo(exit: VmExit): ExitInfoResult {
    if (this.status & VIES.USER_FALLBACK) {
      this.fallbackExitInfo(exit);
      return ExitInfoResult.ok;
    }
    if (this.status & VIES.INOUT) {
      // The request's state is not looked at here: a handler's -1 of 2020 goes out as if userspace were to answer.
      exit.code = ExitCode.INOUT;
      exit.port = this.inout.port;
      exit.bytes = this.inout.bytes;
      exit.flags = this.inout.flags & INOUT.IN;
      exit.eax = this.inout.eax;
      return ExitInfoResult.ok;
    }
    const request =
      this.mmioRead.state === Request.PENDING ? this.mmioRead : this.mmioWrite.state === Request.PENDING ? this.mmioWrite : undefined;
    if (request === undefined) return ExitInfoResult.badPendingMmio;
    exit.code = ExitCode.MMIO;
    exit.gpa = request.gpa;
    exit.bytes = request.bytes;
    exit.read = request === this.mmioRead;
    exit.data = request.data;
    exit.dataHigh = request.dataHigh;
    return ExitInfoResult.ok;
  }

  /** Makes the exit INST_EMUL with the bytes fetched, none for a port access (`vie_fallback_exitinfo`). */
  fallbackExitInfo(exit: VmExit): void {
    exit.code = ExitCode.INST_EMUL;
    exit.instruction.fill(0);
    exit.instruction.set(this.bytes.subarray(0, this.valid));
    exit.valid = this.valid;
  }

  /** Takes userspace's answer to an MMIO request (`vie_fulfill_mmio`): 0, or EINVAL when none waits or it answers another. */
  fulfillMmio(entry: VmEntry): number {
    const read = this.mmioRead.state === Request.PENDING;
    const write = this.mmioWrite.state === Request.PENDING;
    if ((this.status & VIES.PENDING_MMIO) === 0 || read === write) return Errno.EINVAL;
    const request = read ? this.mmioRead : this.mmioWrite;
    if (entry.read !== read || entry.bytes !== request.bytes || entry.gpa !== request.gpa) return Errno.EINVAL;
    if (read) {
      request.data = entry.data;
      request.dataHigh = entry.dataHigh;
    }
    request.state = Request.DONE;
    this.status &= ~VIES.PENDING_MMIO;
    return 0;
  }

  /** Takes userspace's answer to a port request (`vie_fulfill_inout`): 0, or EINVAL. */
  fulfillInout(entry: VmEntry): number {
    const { port, bytes, flags } = this.inout;
    if ((this.status & VIES.PENDING_INOUT) === 0) return Errno.EINVAL;
    if (entry.port !== port || entry.bytes !== bytes || entry.flags !== (flags & INOUT.IN)) return Errno.EINVAL;
    this.inoutDone(entry.eax);
    this.status &= ~VIES.PENDING_INOUT;
    return 0;
  }

  /** Lays the answers where the processor finds them when it executes the instruction again. */
  publish(requests: Requests): void {
    const { read, write, inout } = requests;
    read.state = this.mmioRead.state;
    read.gpa = this.mmioRead.gpa;
    read.size = this.mmioRead.bytes;
    read.value = this.mmioRead.data;
    read.valueHigh = this.mmioRead.dataHigh;
    write.state = this.mmioWrite.state;
    write.gpa = this.mmioWrite.gpa;
    write.size = this.mmioWrite.bytes;
    inout.state = this.inout.state;
    inout.value = this.inout.eax;
  }
}

const setRequest = (request: MmioRequest, state: number, gpa: number, bytes: number, data: number, dataHigh: number): void => {
  request.state = state;
  request.gpa = gpa;
  request.bytes = bytes;
  request.data = data;
  request.dataHigh = dataHigh;
};
