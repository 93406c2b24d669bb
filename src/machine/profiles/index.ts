/** The profiles there are, in the order of history. */
import { illumos } from './illumos.ts';
import { illumos13253 } from './illumos-13253.ts';
import { illumos202010 } from './illumos-2020-10.ts';
import type { Profile } from './profile.ts';

export const PROFILES: readonly Profile[] = [illumos202010, illumos13253, illumos];

/** What a machine runs under when nothing else is asked for. */
export const DEFAULT_PROFILE: Profile = illumos;

/** The profile of that name, or undefined. */
export const profileNamed = (name: string): Profile | undefined => PROFILES.find((p) => p.name === name);
