/** Profiles as data. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_PROFILE, PROFILES, profileNamed } from '../../../src/machine/profiles/index.ts';
import { illumos } from '../../../src/machine/profiles/illumos.ts';
import { illumos13253 } from '../../../src/machine/profiles/illumos-13253.ts';
import { illumos202010 } from '../../../src/machine/profiles/illumos-2020-10.ts';

const has = (vie: typeof illumos.vie, map: string, opcode: number): boolean => vie.some((o) => o.map === map && o.opcode === opcode);

describe('profiles', () => {
  it('are found by name', () => {
    for (const profile of PROFILES) expect(profileNamed(profile.name)).toBe(profile);
    expect(profileNamed('bhyve')).toBeUndefined();
    expect(DEFAULT_PROFILE).toBe(illumos);
  });
  it('are data only: they survive being written down and read back', () => {
    for (const profile of PROFILES) expect(JSON.parse(JSON.stringify(profile))).toEqual(profile);
  });
  it('answer the same rules', () => {
    const ids = Object.keys(illumos.rules).sort();
    for (const profile of PROFILES) expect(Object.keys(profile.rules).sort()).toEqual(ids);
  });
  it('allow 32 vCPUs', () => expect(PROFILES.map((p) => p.maxVcpus)).toEqual([32, 32, 32]));
  it('13253 changed what becomes of the fallback, and nothing else', () => {
    const { name, title, about, fallback, ...rest } = illumos13253;
    expect(illumos202010).toMatchObject(rest);
    expect([illumos202010.fallback, fallback, illumos.fallback]).toEqual(['panic', 'INST_EMUL', 'void']);
    expect([illumos202010.title, title, illumos.title]).toEqual(['before the fix', 'host fixed, 29 Oct 2020', 'today']);
    expect([name, about.length > 0]).toEqual(['illumos-13253', true]);
  });
});

describe('opcodes that the instruction emulator decodes', () => {
  it('in 2020: no TEST m8, IMUL, CLTS or MOV CR; today all of them', () => {
    for (const [map, opcode] of [
      ['one', 0xf6],
      ['0F', 0xaf],
      ['0F', 0x06],
      ['0F', 0x20],
      ['0F', 0x22],
    ] as const) {
      expect(has(illumos202010.vie, map, opcode)).toBe(false);
      expect(has(illumos.vie, map, opcode)).toBe(true);
    }
  });
  it('never: XCHG, op m,r, INC, NOT, LODS, CMPS, SCAS, MOV A0/A2, MOVSX m16', () => {
    for (const opcode of [0x86, 0x87, 0x01, 0x09, 0x21, 0x29, 0x31, 0xfe, 0xa0, 0xa2, 0xac, 0xad, 0xa6, 0xa7, 0xae, 0xaf]) {
      for (const { vie } of PROFILES) expect(has(vie, 'one', opcode), opcode.toString(16)).toBe(false);
    }
    expect(has(illumos.vie, '0F', 0xbf)).toBe(false);
  });
  it('groups list the digits that are accepted', () => {
    const digits = (map: string, opcode: number) => illumos.vie.find((o) => o.map === map && o.opcode === opcode)?.digits;
    expect([
      digits('one', 0x83),
      digits('one', 0xf7),
      digits('one', 0x8f),
      digits('one', 0xff),
      digits('0F', 0xba),
      digits('0F', 0xae),
      digits('one', 0xc7),
    ]).toEqual([[1, 4, 7], [0], [0], [6], [4], [7], undefined]);
  });
  it('no opcode is listed twice', () => {
    for (const { vie } of PROFILES) expect(new Set(vie.map((o) => `${o.map} ${o.opcode}`)).size).toBe(vie.length);
  });
});
