/**
 * The port bus and the memory bus as a VMM has them: which handler owns an address, and on which side of the kernel boundary it lives.
 *
 * A handler in the kernel answers inside VM_RUN; any other access leaves to userspace, which looks in its own table. Both kinds lie in one map
 * here, so that two owners of one address cannot be configured. Sources: illumos `vmm_ioport.c`, `vm_service_mmio_*` of `vmm.c`, bhyve's
 * `inout.c` and `mem.c`.
 */
import { allOnes, truncate } from '../base/bits.ts';
import { IntervalMap } from '../base/interval-map.ts';
import { Access, type RegisterFacet } from '../devices/device.ts';

/** A run of ports with one owner. */
export interface PortRange {
  /** The owner's name, as the ledger shows it. */
  readonly name: string;
  readonly first: number;
  readonly count: number;
  readonly facet: RegisterFacet;
  /** What the first port is to the facet; 0 when absent. */
  readonly offset?: number;
  /** Does the kernel part of the VMM answer? */
  readonly kernel: boolean;
  /** Sizes the owner accepts, as a sum of 1, 2 and 4. Another size is what bhyve's userspace dies of. Absent: all. */
  readonly sizes?: number;
  /** Registered for IN or for OUT alone; the other direction is what bhyve's userspace dies of. Absent: both. */
  readonly direction?: 'in' | 'out';
}

/** A stretch of guest-physical memory with one owner. */
export interface MmioRange {
  readonly name: string;
  readonly start: number;
  readonly size: number;
  /** One facet for all vCPUs, or one for each (the LAPIC page: everyone sees its own). */
  readonly facet: RegisterFacet | readonly RegisterFacet[];
  readonly kernel: boolean;
  /** How 8 bytes are moved: as two halves (absent), or as one access whose upper half reads 0 (bhyve's LAPIC). */
  readonly wide?: 'zeroExtended';
}

/** The 65,536 ports. */
export class PortBus {
  private readonly ranges = new IntervalMap<PortRange>();

  /** @throws OverlapError when a port has an owner already. */
  add(range: PortRange): void {
    this.ranges.add(range.first, range.count, range.name, range);
  }
  /** As add, for what the guest itself moves about: false, and nothing changed, when a port has an owner already or lies beyond FFFFh. */
  tryAdd(range: PortRange): boolean {
    if (range.first + range.count > 0x10000 || !this.ranges.isFree(range.first, range.count)) return false;
    this.add(range);
    return true;
  }
  /** Takes the range that starts at `first` away. */
  remove(first: number): void {
    this.ranges.remove(first);
  }
  /** The owner of a port, or undefined: nobody. */
  find(port: number): PortRange | undefined {
    return this.ranges.find(port);
  }
  list(): readonly PortRange[] {
    return this.ranges.list().map((r) => r.value);
  }

  /** May userspace's handler take this access at all? bhyve aborts the VM when it may not. */
  accepts(range: PortRange, size: number, write: boolean): boolean {
    if (range.sizes !== undefined && (range.sizes & size) === 0) return false;
    return range.direction === undefined || (range.direction === 'out') === write;
  }

  /** IN from a range that owns `port`: the value, or a negative Access code. */
  read(range: PortRange, port: number, size: number): number {
    return range.facet.read(port - range.first + (range.offset ?? 0), size);
  }

  /** OUT to a range that owns `port`: Access.ok, or a negative Access code. */
  write(range: PortRange, port: number, size: number, value: number): number {
    return range.facet.write(port - range.first + (range.offset ?? 0), size, truncate(value, size));
  }

  /** What IN would read, without side effects, or undefined when the register cannot be looked at. */
  peek(port: number, size: number): number | undefined {
    const range = this.find(port);
    if (range === undefined) return allOnes(size);
    const value = range.facet.peek?.(port - range.first + (range.offset ?? 0), size);
    return value === undefined || value < 0 ? undefined : value;
  }
}

/** Guest-physical addresses that are neither RAM nor readable ROM. */
export class MmioBus {
  private readonly ranges = new IntervalMap<MmioRange>();
  /** Upper half of the last 8-byte read. */
  high = 0;

  /** @throws OverlapError when an address has an owner already. */
  add(range: MmioRange): void {
    this.ranges.add(range.start, range.size, range.name, range);
  }
  find(gpa: number): MmioRange | undefined {
    return this.ranges.find(gpa);
  }
  list(): readonly MmioRange[] {
    return this.ranges.list().map((r) => r.value);
  }

  /** Reads 1, 2, 4 or 8 bytes as `vcpu`: the low 32 bits or a negative Access code; the upper half of 8 bytes is left in `high`. */
  read(range: MmioRange, vcpu: number, gpa: number, size: number): number {
    const facet = facetOf(range, vcpu);
    const offset = gpa - range.start;
    this.high = 0;
    if (size !== 8) return facet.read(offset, size);
    const low = facet.read(offset, 4);
    if (low < 0 || range.wide === 'zeroExtended') return low;
    const high = facet.read(offset + 4, 4);
    if (high < 0 && high !== Access.absent) return high;
    this.high = high < 0 ? 0xffffffff : high;
    return low;
  }

  /** Writes 1, 2, 4 or 8 bytes as `vcpu`: Access.ok or a negative Access code. */
  write(range: MmioRange, vcpu: number, gpa: number, size: number, low: number, high: number): number {
    const facet = facetOf(range, vcpu);
    const offset = gpa - range.start;
    if (size !== 8) return facet.write(offset, size, truncate(low, size));
    // The LAPIC is offered the whole store, and its own rule about sizes answers it.
    if (range.wide === 'zeroExtended') return facet.write(offset, 8, low);
    const code = facet.write(offset, 4, low);
    return code < 0 ? code : facet.write(offset + 4, 4, high);
  }

  /** What a read would give, without side effects, or undefined when the register cannot be looked at. */
  peek(vcpu: number, gpa: number, size: number): number | undefined {
    const range = this.find(gpa);
    if (range === undefined) return undefined;
    const value = facetOf(range, vcpu).peek?.(gpa - range.start, size);
    return value === undefined || value < 0 ? undefined : value;
  }
}

const facetOf = (range: MmioRange, vcpu: number): RegisterFacet =>
  Array.isArray(range.facet) ? ((range.facet as readonly RegisterFacet[])[vcpu] as RegisterFacet) : (range.facet as RegisterFacet);
