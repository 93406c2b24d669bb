/**
 * The whole ICR matrix: 8 delivery modes × 4 shorthands × 4 trigger/level pairs × 3 profiles, against a table written down here on its own.
 *
 * A row of the table is `mode shorthand` and the outcome for E0 E1 L0 L1 (edge/level triggered, bit 14). Sender vCPU 0, four vCPUs, vector 31h,
 * ICR_HI = 01000000h (destination vCPU 1). D: delivered · N: accepted, nothing happens (mode) · I: rejected · d: level de-assert, nothing ·
 * c: INIT with bit 14 clear, nothing · A: armed by raw id · !: handler returns -1.
 */
import { describe, expect, it } from 'vitest';
import { Access } from '../../../src/machine/devices/device.ts';
import { Reason, Verdict } from '../../../src/machine/ledger/verdict.ts';
import { PROFILES } from '../../../src/machine/profiles/index.ts';
import { Rig } from './vlapic-rig.ts';

const MODES = ['Fixed', 'LowestPriority', 'SMI', 'mode 3', 'NMI', 'INIT', 'STARTUP', 'mode 7'];
const SHORTHANDS = ['none', 'self', 'allIncl', 'allExcl'];

const OLD = `
0 none DDDD
0 self DDDD
0 allIncl DDDD
0 allExcl DDDD
1 none !!!!
1 self !!!!
1 allIncl !!!!
1 allExcl !!!!
2 none !!!!
2 self !!!!
2 allIncl !!!!
2 allExcl !!!!
3 none !!!!
3 self !!!!
3 allIncl !!!!
3 allExcl !!!!
4 none DDDD
4 self DDDD
4 allIncl DDDD
4 allExcl DDDD
5 none cAdA
5 self cAdA
5 allIncl cAdA
5 allExcl cAdA
6 none AAAA
6 self AAAA
6 allIncl AAAA
6 allExcl AAAA
7 none !!!!
7 self !!!!
7 allIncl !!!!
7 allExcl !!!!`;
const NOW = `
0 none DDdD
0 self DDdD
0 allIncl DDdD
0 allExcl DDdD
1 none NNdN
1 self IIII
1 allIncl IIII
1 allExcl NNdN
2 none NNdN
2 self IIII
2 allIncl IIII
2 allExcl NNdN
3 none NNII
3 self IIII
3 allIncl IIII
3 allExcl IIII
4 none DDdD
4 self IIII
4 allIncl IIII
4 allExcl DDdD
5 none cDdD
5 self IIII
5 allIncl IIII
5 allExcl cDdD
6 none DDDD
6 self IIII
6 allIncl IIII
6 allExcl DDDD
7 none IIII
7 self IIII
7 allIncl IIII
7 allExcl IIII`;
const TABLES: Readonly<Record<string, string>> = { 'illumos-2020-10': OLD, 'illumos-13253': OLD, illumos: NOW };
const NAMED: Readonly<Record<string, readonly number[]>> = { none: [1], self: [0], allIncl: [0, 1, 2, 3], allExcl: [1, 2, 3] };
const NOT_SENT: Readonly<Record<string, number>> = {
  N: Reason.modeUnsupported,
  I: Reason.invalidCombination,
  d: Reason.levelDeassert,
  c: Reason.initLevelBitClear,
  '!': Reason.notHandled,
};

interface Cell {
  readonly mode: number;
  readonly shorthand: string;
  readonly trigger: number;
  readonly level: number;
  readonly outcome: string;
}
const cells = (table: string): Cell[] =>
  table
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [mode, shorthand, row] = line.split(' ') as [string, string, string];
      return [...row].map((outcome, i) => ({ mode: Number(mode), shorthand, trigger: i >> 1, level: i & 1, outcome }));
    });

describe.each(PROFILES.map((p) => [p.name, p] as const))('ICR matrix, %s', (name, profile) => {
  const all = cells(TABLES[name] as string);
  it('has 128 cells', () => expect(all).toHaveLength(128));

  it.each(MODES.map((title, mode) => [title, mode] as const))(
    '%s: every shorthand, trigger and level has the outcome of the table',
    (_, mode) => {
      for (const cell of all.filter((c) => c.mode === mode)) {
        const rig = new Rig(profile).enableAll();
        const low = (SHORTHANDS.indexOf(cell.shorthand) << 18) | (cell.trigger << 15) | (cell.level << 14) | (mode << 8) | 0x31;
        if (mode === 6 && cell.outcome === 'A') rig.ipi(0, 0x01000000, 0x4500);
        rig.log.length = 0;
        const { code, record } = rig.ipi(0, 0x01000000, low | (1 << 12));
        const where = `${low.toString(16)} ${cell.outcome}`;

        expect(rig.r(0, 0x300), `${where}: reads back with delivery status clear`).toBe(low);
        expect(code, where).toBe(cell.outcome === '!' ? Access.toUserspace : Access.ok);
        expect(rig.lastIpi, where).toBe(record.number);
        expect(record.targets, where).toHaveLength(4);
        const named = cell.outcome === 'A' ? [1] : (NAMED[cell.shorthand] as readonly number[]);
        for (const target of record.targets) {
          const hit = named.includes(target.vcpu);
          const verdict = !hit ? Verdict.notAddressed : cell.outcome in NOT_SENT ? Verdict.notSent : Verdict.reached;
          expect(target.verdict, `${where} vCPU${target.vcpu}`).toBe(verdict);
          if (verdict === Verdict.notSent) expect(target.reason, where).toBe(NOT_SENT[cell.outcome]);
          if (verdict === Verdict.notAddressed) expect([Reason.idMismatch, Reason.senderExcluded], where).toContain(target.reason);
        }
        const asked =
          cell.outcome === 'D'
            ? named.map((v) => ({ 0: `notify ${v}`, 4: `nmi ${v}`, 5: `init ${v}`, 6: `sipi ${v} 31` })[mode])
            : cell.outcome === 'A' && mode === 6
              ? ['spinup 1 31000']
              : [];
        expect(rig.log, where).toEqual(asked);
        if (mode === 0 && cell.outcome === 'D') for (const v of named) expect(rig.r(v, 0x210), where).toBe(1 << 17);
        else for (const lapic of rig.lapics) expect([...lapic.irr], where).toEqual(new Array(8).fill(0));
      }
    },
  );
});
