/** The rows of the view IPIs: each IPI, its targets, and what became of each, in words and signs. Pure. */
import type { IpiRow, IpisTree, IpiTargetRow, PlaceLink } from '../debugger/trees.ts';

export type Mark = 'reached' | 'refused' | 'none';

export interface IpiItem {
  /** Stable over refreshes: numbers name one record for ever. */
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly tooltip: string;
  readonly spoken: string;
  readonly mark: Mark;
  /** In the grammar of breakpoints: `ipi:SIPI->3=refused`. */
  readonly breakpoint: string;
  readonly context: 'ipi' | 'ipiTarget';
  /** The store that sent it. */
  readonly place?: PlaceLink;
  readonly children: readonly IpiItem[];
}

export interface IpisModel {
  readonly items: readonly IpiItem[];
  /** Beside the view's title: `7 sent · 2 refused`. */
  readonly description: string;
}

/** By fate: `✓`, `✕`, `–`. */
const SIGN: Readonly<Record<IpiTargetRow['fate'], string>> = { reached: '✓', refused: '✕', notSent: '✕', notAddressed: '–' };
const MARK: Readonly<Record<IpiTargetRow['fate'], Mark>> = {
  reached: 'reached',
  refused: 'refused',
  notSent: 'refused',
  notAddressed: 'none',
};

/** `FIXED 30` → `FIXED`: the first word is the delivery mode. */
const modeOf = (ipi: IpiRow): string => ipi.what.split(' ')[0] ?? '*';

/** Milliseconds with six places: `t 10.206 230 ms`. */
export function timeWords(timeNs: number): string {
  const ns = Math.round(timeNs);
  const below = String(ns % 1_000_000).padStart(6, '0');
  return `t ${Math.floor(ns / 1_000_000)}.${below.slice(0, 3)} ${below.slice(3)} ms`;
}

function targetItem(ipi: IpiRow, target: IpiTargetRow, index: number): IpiItem {
  const one = target.vcpus.length === 1 ? `->${target.vcpus[0]}` : '';
  const words = `${target.who} ${target.word}`;
  return {
    id: `i${ipi.number}/${target.vcpus[0] ?? index}/${target.fate}`,
    label: words,
    description: target.reason,
    tooltip: `${SIGN[target.fate]} ${words}${target.reason === '' ? '' : `: ${target.reason}`}`,
    spoken: `${words}${target.reason === '' ? '' : `, ${target.reason}`}`,
    mark: MARK[target.fate],
    breakpoint: `ipi:${modeOf(ipi)}${one}=${target.word === 'merged' ? 'merged' : target.fate}`,
    context: 'ipiTarget',
    ...(ipi.place === undefined ? {} : { place: ipi.place }),
    children: [],
  };
}

function ipiItem(ipi: IpiRow): IpiItem {
  const nobody = ipi.targets.every(({ fate }) => fate === 'notAddressed');
  const notSent = ipi.targets.some(({ fate }) => fate === 'notSent');
  const counts = [ipi.reached > 0 ? `✓ ${ipi.reached}` : '', ipi.refused > 0 ? `✕ ${ipi.refused}` : '', notSent ? '✕ not sent' : ''];
  const outcome = nobody ? '– nobody' : counts.filter((part) => part !== '').join(' ');
  const verdict = nobody ? '=nobody' : notSent ? '=notSent' : ipi.refused > 0 ? '=refused' : '';
  return {
    id: `i${ipi.number}`,
    label: `i#${ipi.number}  ${ipi.what}`,
    // A narrow view cuts the end off.
    description: `${outcome} · ${ipi.route}`,
    tooltip: `${ipi.sentence}\n\ni#${ipi.number} · e#${ipi.exit} · ${timeWords(ipi.timeNs)}${
      ipi.place === undefined ? '' : ` · ${ipi.place.file.slice(ipi.place.file.search(/[^/\\]*$/))}:${ipi.place.line}`
    }`,
    spoken: `i ${ipi.number}, ${ipi.sentence}`,
    mark: notSent || ipi.refused > 0 ? 'refused' : ipi.reached > 0 ? 'reached' : 'none',
    breakpoint: `ipi:${modeOf(ipi)}${verdict}`,
    context: 'ipi',
    ...(ipi.place === undefined ? {} : { place: ipi.place }),
    children: ipi.targets.map((target, index) => targetItem(ipi, target, index)),
  };
}

export function ipisModel(tree: IpisTree): IpisModel {
  return {
    items: tree.ipis.map(ipiItem),
    description: `${tree.sent} sent${tree.refusedTargets > 0 ? ` · ${tree.refusedTargets} refused` : ''}`,
  };
}
