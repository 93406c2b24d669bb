/** Memory as bytes. Reading is looking: no device notices. Writing is an edit like any other. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Debugger } from '../debugger/debugger.ts';
import { DebuggerError } from '../debugger/error.ts';
import type { MemoryPlace } from '../debugger/inspect/variable.ts';
import type { Arguments } from './arguments.ts';
import { fromBase64, toBase64 } from './base64.ts';
import { edit } from './edit.ts';
import type { Answer, Handlers } from './handler.ts';
import { addressText, addressWords, placeOf } from './references.ts';
import type { Session } from './session.ts';

/** More than this at once is not read: a client asks again for the rest. */
const MOST = 1 << 20;
const PAGE = 4096;
/** The registers of the interrupt controllers lie this far apart, each in the first four bytes. */
const SLOT = 16;

/** A stretch within one page: where it is on the bus; `gpa` undefined: nothing is mapped there. */
interface Stretch {
  readonly gpa: number | undefined;
  readonly length: number;
}

/** A stretch of memory, taken apart into pages; it ends with the address space. */
function* stretches(it: Debugger, place: MemoryPlace, count: number): Iterable<Stretch> {
  for (let done = 0; done < count && place.address + done < 2 ** 32; ) {
    const address = place.address + done;
    const length = Math.min(count - done, PAGE - (address % PAGE));
    yield { gpa: place.space === 'physical' ? address : it.view.translate(place.vcpu, address), length };
    done += length;
  }
}

/** One byte of a device's registers, if it can be looked at; what lies between two registers is 0. */
function deviceByte(it: Debugger, vcpu: number, gpa: number): number | undefined {
  const into = gpa % SLOT;
  const value = it.machine.vm.mmio.peek(vcpu, gpa - into, 4);
  return value === undefined ? undefined : into < 4 ? (value >>> (8 * into)) & 0xff : 0;
}

/** Bytes of one stretch; a device's page may have holes. */
function bytesOf(it: Debugger, vcpu: number, { gpa, length }: Stretch): (number | undefined)[] {
  if (gpa === undefined) return Array<undefined>(length).fill(undefined);
  if (it.machine.memory.isBacked(gpa)) return [...it.machine.memory.readBytes(gpa, length)];
  return Array.from({ length }, (_, i) => deviceByte(it, vcpu, gpa + i));
}

/** What can be read of `count` bytes: up to the first that cannot; and how many after those cannot. */
function read(it: Debugger, vcpu: number, place: MemoryPlace, count: number): { bytes: number[]; unreadable: number } {
  const bytes: number[] = [];
  let unreadable = 0;
  for (const stretch of stretches(it, place, count))
    for (const byte of bytesOf(it, vcpu, stretch)) {
      if (byte === undefined) unreadable++;
      else if (unreadable > 0) return { bytes, unreadable };
      else bytes.push(byte);
    }
  // What lies beyond the last address cannot be read either.
  return { bytes, unreadable: count - bytes.length };
}

const vcpuOf = (session: Session, place: MemoryPlace): number => (place.space === 'linear' ? place.vcpu : session.focus);

function readMemory(session: Session, args: Arguments): Answer<DebugProtocol.ReadMemoryResponse['body']> {
  const it = session.debugger;
  const reference = args.text('memoryReference');
  const offset = args.optionalInteger('offset') ?? 0;
  const count = Math.min(args.integer('count', { min: 0 }), MOST);
  const place = placeOf(reference, session.focus, it.machine.cpus, offset);
  const { bytes, unreadable } = read(it, vcpuOf(session, place), place, count);
  session.seenMemory.read(reference, offset, count);
  return {
    body: {
      address: addressText(place.address),
      ...(bytes.length === 0 ? {} : { data: toBase64(Uint8Array.from(bytes)) }),
      ...(unreadable === 0 ? {} : { unreadableBytes: unreadable }),
    },
  };
}

/** The edits that write bytes at a place: as few as the page tables allow. What cannot be mapped ends them. */
function inputsFor(it: Debugger, place: MemoryPlace, bytes: Uint8Array, pageByPage: boolean): { gpa: number; bytes: Uint8Array }[] {
  const parts: { gpa: number; from: number; length: number }[] = [];
  let done = 0;
  for (const { gpa, length } of stretches(it, place, bytes.length)) {
    if (gpa === undefined) break;
    const last = parts.at(-1);
    if (!pageByPage && last !== undefined && last.gpa + last.length === gpa) last.length += length;
    else parts.push({ gpa, from: done, length });
    done += length;
  }
  return parts.map(({ gpa, from, length }) => ({ gpa, bytes: bytes.slice(from, from + length) }));
}

function writeMemory(session: Session, args: Arguments): Answer<DebugProtocol.WriteMemoryResponse['body']> {
  const it = session.standing;
  const place = placeOf(args.text('memoryReference'), session.focus, it.machine.cpus, args.optionalInteger('offset') ?? 0);
  const bytes = fromBase64(args.text('data'));
  const partial = args.flag('allowPartial');
  const inputs = inputsFor(it, place, bytes, partial);
  const mapped = inputs.reduce((sum, part) => sum + part.bytes.length, 0);
  if (mapped < bytes.length && !partial)
    throw new DebuggerError(`Nothing was written: nothing is mapped at ${addressWords(place.address + mapped)}.`);
  const device = inputs.find(({ gpa }) => deviceByte(it, vcpuOf(session, place), gpa) !== undefined && !it.machine.memory.isBacked(gpa));
  if (device !== undefined && !partial)
    throw new DebuggerError(
      `Nothing was written: ${addressWords(device.gpa)} is a device's. Its registers are set in the Variables view, or as lapic.tpr = 0x20.`,
    );
  let written = 0;
  let after = (): void => {};
  for (const input of inputs) {
    try {
      after = edit(session, [{ kind: 'memory', ...input }]);
    } catch (error) {
      if (partial && error instanceof DebuggerError) break;
      throw error;
    }
    written += input.bytes.length;
  }
  return { body: { bytesWritten: written }, after };
}

export const memoryHandlers: Handlers = { readMemory, writeMemory };
