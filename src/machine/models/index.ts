/** The machine models there are. */
import { bhyve } from './bhyve.ts';
import type { MachineModel } from './model.ts';
import { pc } from './pc.ts';

export const MODELS: readonly MachineModel[] = [bhyve, pc];

/** What is built when nothing else is asked for. */
export const DEFAULT_MODEL: MachineModel = bhyve;

/** The model of that name, or undefined. */
export const modelNamed = (name: string): MachineModel | undefined => MODELS.find((m) => m.name === name);
