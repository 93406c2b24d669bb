/**
 * Debug exit: a port by which a test guest ends the machine with a status (QEMU `isa-debug-exit`, usually port 501h or F4h; bhyve's `pc-testdev` has
 * it at F4h). The status handed on is (value × 2) + 1, so that no guest can claim success by it.
 */
import { Access, type Device, type InspectNode, type RegisterFacet } from './device.ts';
import { checkKind } from './validate.ts';

export interface IsaDebugExitWiring {
  /** The guest ends the machine; `status` is odd. */
  exit(status: number): void;
}

export type IsaDebugExitState = { kind: 'isadebug'; version: 1 };

export class IsaDebugExit implements Device<IsaDebugExitState>, RegisterFacet {
  readonly name = 'isadebug';

  constructor(
    // wiring
    private readonly wiring: IsaDebugExitWiring,
  ) {}

  read(offset: number, size: number): number {
    return this.peek(offset, size);
  }
  write(_offset: number, _size: number, value: number): number {
    this.wiring.exit(value * 2 + 1);
    return Access.ok;
  }
  peek(_offset: number, _size: number): number {
    return 0;
  }
  reset(): void {}
  save(): IsaDebugExitState {
    return { kind: 'isadebug', version: 1 };
  }
  load(state: IsaDebugExitState): void {
    checkKind(state, 'isadebug', 1);
  }
  inspect(): InspectNode {
    return { name: this.name, value: 'no state' };
  }
}
