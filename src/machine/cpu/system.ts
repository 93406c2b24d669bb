/** What the system instructions do that are TypeScript's: control and debug registers, flags, descriptor-table registers. */
import { raise, Vector } from '../memory/fault.ts';
import type { Paging } from '../memory/paging.ts';
import { LDTR, State, TR } from '../state/layout.ts';
import { Cr0, Cr4, Flag, Rights, SYSTEM_FLAGS, type Window } from './window.ts';

const CR0_WRITABLE = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD | Cr0.PG;
const CR4_WRITABLE = Cr4.TSD | Cr4.DE | Cr4.PSE | Cr4.MCE | Cr4.PGE | Cr4.PCE;
const PAGING_BITS0 = Cr0.PG | Cr0.WP | Cr0.PE;
const PAGING_BITS4 = Cr4.PSE | Cr4.PGE;

export class SystemRegisters {
  constructor(
    private readonly window: Window,
    private readonly paging: Paging,
  ) {}

  requirePrivilege(): void {
    if (this.window.cpl !== 0) raise(Vector.GP, 0);
  }
  /** MOV to CRn (SDM vol. 2, "MOV—Move to/from Control Registers"). */
  writeControl(n: number, value: number): void {
    this.requirePrivilege();
    if (n === 0) this.writeCr0(value);
    else if (n === 2) this.window.setControl(2, value);
    else if (n === 3) {
      this.window.setControl(3, value);
      this.paging.flush(false);
    } else this.writeCr4(value);
  }
  private writeCr0(value: number): void {
    const { window } = this;
    if ((value & Cr0.PG && !(value & Cr0.PE)) || (value & Cr0.NW && !(value & Cr0.CD))) raise(Vector.GP, 0);
    const next = ((value & CR0_WRITABLE) | Cr0.ET) >>> 0;
    const changed = next ^ window.control(0);
    window.setControl(0, next);
    if (changed & PAGING_BITS0) this.paging.flush(true);
    if (changed & Cr0.PE) window.updateRanges();
  }
  private writeCr4(value: number): void {
    const { window } = this;
    if (value & ~CR4_WRITABLE) raise(Vector.GP, 0);
    const changed = value ^ window.control(4);
    window.setControl(4, value);
    if (changed & PAGING_BITS4) this.paging.flush(true);
  }
  /** LMSW sets PE, MP, EM, TS; it cannot clear PE. */
  loadMachineStatus(value: number): void {
    this.requirePrivilege();
    const cr0 = this.window.control(0);
    this.writeCr0((cr0 & ~0xe) | (value & 0xf));
  }
  clearTaskSwitched(): void {
    this.requirePrivilege();
    this.window.setControl(0, this.window.control(0) & ~Cr0.TS);
  }
  /** DR4 and DR5 are DR6 and DR7 unless CR4.DE is set. */
  private debugIndex(n: number): number {
    this.requirePrivilege();
    if (n !== 4 && n !== 5) return n;
    if (this.window.control(4) & Cr4.DE) raise(Vector.UD);
    return n + 2;
  }
  readDebug(n: number): number {
    return this.window.view.getInt32(State.debug + this.debugIndex(n) * 4, true);
  }
  writeDebug(n: number, value: number): void {
    const index = this.debugIndex(n);
    const fixed = index === 6 ? (value & 0xe00f) | 0xffff0ff0 : index === 7 ? (value & 0xffff2bff) | 0x400 : value;
    this.window.view.setInt32(State.debug + index * 4, fixed, true);
  }
  /** POPF's part that needs privilege; the arithmetic flags are generated code's. */
  setFlags(value: number, size: number): void {
    const { window } = this;
    const iopl = (window.system & Flag.IOPL) >>> 12;
    let changeable: number = SYSTEM_FLAGS & ~(Flag.VM | Flag.VIF | Flag.VIP | Flag.RF);
    if (size === 16) changeable &= 0xffff;
    if (window.cpl > 0) changeable &= ~Flag.IOPL;
    if (window.cpl > iopl) changeable &= ~Flag.IF;
    window.system = (window.system & ~(changeable | Flag.RF)) | (value & changeable);
  }
  /** CLI, STI: may this level change IF? */
  requireIopl(): void {
    if (this.window.cpl > (this.window.system & Flag.IOPL) >>> 12) raise(Vector.GP, 0);
  }
  /** May this level use the port? By IOPL, else by the TSS's I/O permission bitmap (SDM vol. 1, "I/O Permission Bit Map"). */
  requirePort(port: number, bytes: number, read16: (linear: number) => number): void {
    const { window } = this;
    if (!window.protectedMode || window.cpl <= (window.system & Flag.IOPL) >>> 12) return;
    const limit = window.limit(TR);
    if ((window.rights(TR) & Rights.unusable) !== 0 || (window.rights(TR) & 8) === 0 || limit < 103) raise(Vector.GP, 0);
    const at = read16((window.base(TR) + 102) >>> 0) + (port >>> 3);
    if (at + 1 > limit) raise(Vector.GP, 0);
    const bits = read16((window.base(TR) + at) >>> 0) >>> (port & 7);
    if (bits & ((1 << bytes) - 1)) raise(Vector.GP, 0);
  }
  loadTable(gdt: boolean, limit: number, base: number): void {
    this.requirePrivilege();
    const { view } = this.window;
    view.setInt32(gdt ? State.gdtrLimit : State.idtrLimit, limit, true);
    view.setInt32(gdt ? State.gdtrBase : State.idtrBase, base, true);
  }
  /** SGDT, SIDT, SLDT, STR: what goes into scratch. `which` as Helper.readSystem has it. */
  readSystem(which: number): void {
    const { view } = this.window;
    if (which >= 2) {
      if (!this.window.protectedMode) raise(Vector.UD);
      view.setInt32(State.scratch, this.window.selector(which === 2 ? LDTR : TR), true);
      return;
    }
    view.setInt32(State.scratch, view.getInt32(which === 0 ? State.gdtrLimit : State.idtrLimit, true), true);
    view.setInt32(State.scratch + 4, view.getInt32(which === 0 ? State.gdtrBase : State.idtrBase, true), true);
  }
}
