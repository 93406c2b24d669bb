/** illumos from 29 October 2020 to 8 January 2021: the host survives (13253), the IPI is still not delivered and the guest is ended. */
import { illumos202010 } from './illumos-2020-10.ts';
import type { Profile } from './profile.ts';

/** 13253 changed the instruction emulator alone: every rule of the local APIC is as before. */
export const illumos13253: Profile = {
  ...illumos202010,
  name: 'illumos-13253',
  title: 'host fixed, 29 Oct 2020',
  about: 'illumos right after 13253: such an ICR write leaves to userspace as INST_EMUL, where bhyve aborts the VM.',
  fallback: 'INST_EMUL',
};
