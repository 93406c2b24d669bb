/** The A20 gate of a PC: address line 20 is free while the keyboard controller or port 92h says so. */
import { checkState, type Stateful } from '../base/state.ts';
import type { Pin } from '../devices/device.ts';
import type { GuestMemory } from './model.ts';

export type A20State = { kind: 'a20'; version: 1; keyboard: boolean; port92: boolean };

export class A20Gate implements Stateful<A20State> {
  private byKeyboard = true;
  private byPort92 = false;

  constructor(private readonly memory: Pick<GuestMemory, 'setA20'>) {}

  readonly keyboard: Pin = (open) => {
    this.byKeyboard = open;
    this.drive();
  };
  readonly port92: Pin = (open) => {
    this.byPort92 = open;
    this.drive();
  };

  save(): A20State {
    return { kind: 'a20', version: 1, keyboard: this.byKeyboard, port92: this.byPort92 };
  }
  load(state: A20State): void {
    checkState(state.kind === 'a20' && state.version === 1, 'a20', `${state.kind} ${state.version}`, 'a20 1');
    for (const key of ['keyboard', 'port92'] as const)
      checkState(typeof state[key] === 'boolean', `a20.${key}`, state[key], 'true or false');
    this.byKeyboard = state.keyboard;
    this.byPort92 = state.port92;
    this.drive();
  }

  private drive(): void {
    this.memory.setA20(this.byKeyboard || this.byPort92);
  }
}
