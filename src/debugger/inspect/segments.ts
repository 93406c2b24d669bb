/** Segment registers with what is cached of their descriptors, and the descriptor tables. Intel SDM vol. 3, "Protected-Mode Memory Management". */
import { hex } from '../../machine/base/bits.ts';
import type { Debugger } from '../debugger.ts';
import { dotted, type Look, read, registerVariable } from './look.ts';
import { group, line, optional, word } from './registers.ts';
import type { Variable } from './variable.ts';

const NAMES = ['cs', 'ss', 'ds', 'es', 'fs', 'gs'] as const;
const PRESENT = 0x80;
const SEGMENT = 0x10;
const CODE = 8;
const BIG = 0x4000;
const GRANULAR = 0x8000;
const UNUSABLE = 0x10000;
/** Entries of a table that are shown at once. */
const ENTRIES = 256;

/** Access rights as VMX keeps them: bits 7:0 type, S, DPL, P; 15:12 AVL, L, D/B, G; 16 unusable. */
interface Descriptor {
  readonly base: number;
  /** In bytes, inclusive. */
  readonly limit: number;
  readonly rights: number;
}

const SYSTEM_TYPES = [
  'reserved', '16-bit TSS, available', 'LDT', '16-bit TSS, busy', '16-bit call gate', 'task gate', '16-bit interrupt gate', '16-bit trap gate',
  'reserved', '32-bit TSS, available', 'reserved', '32-bit TSS, busy', '32-bit call gate', 'reserved', '32-bit interrupt gate', '32-bit trap gate',
] as const; // biome-ignore format: two rows of eight, by type

const dpl = (rights: number): number => (rights >>> 5) & 3;

/** `code, execute/read`, `data, read/write`, `32-bit TSS, busy`. */
export function segmentType(rights: number): string {
  if ((rights & SEGMENT) === 0) return SYSTEM_TYPES[rights & 15] as string;
  const accessed = rights & 1 ? '' : ', not accessed';
  if (rights & CODE) return `code, execute${rights & 2 ? '/read' : ' only'}${rights & 4 ? ', conforming' : ''}${accessed}`;
  return `data, read${rights & 2 ? '/write' : ' only'}${rights & 4 ? ', expand-down' : ''}${accessed}`;
}

const sizeWords = (rights: number): string => ((rights & SEGMENT) === 0 ? '' : rights & BIG ? '32-bit' : '16-bit');

const limitWords = (limit: number): string => (limit === 0xffffffff ? '4 GiB' : `limit ${hex(limit, limit > 0xffff ? 8 : 4)}`);

/** The descriptor at a linear address, or undefined where nothing can be read. */
function descriptorAt(
  { view }: Debugger,
  vcpu: number,
  linear: number,
): (Descriptor & { readonly low: number; readonly high: number }) | undefined {
  const low = view.peek(vcpu, linear >>> 0, 4);
  const high = view.peek(vcpu, (linear + 4) >>> 0, 4);
  if (low === undefined || high === undefined) return undefined;
  const raw = (low & 0xffff) | (high & 0xf0000);
  const rights = (high >>> 8) & 0xf0ff;
  return {
    low,
    high,
    base: ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0,
    limit: rights & GRANULAR ? ((raw << 12) | 0xfff) >>> 0 : raw,
    rights,
  };
}

const inProtectedMode = (look: Look): boolean => (read(look, 'cr0') & 1) !== 0 && (read(look, 'eflags') & 0x20000) === 0;

const cached = (look: Look, name: string): Descriptor => ({
  base: read(look, `${name}.base`),
  limit: read(look, `${name}.limit`),
  rights: read(look, `${name}.access`),
});

/** How what is cached differs from what the table (in real mode: the selector) would give now; '' when it does not. */
function mismatch(look: Look, name: string, selector: number, now: Descriptor): string {
  if (!inProtectedMode(look)) {
    const usual = (selector << 4) >>> 0;
    return name.endsWith('r') || now.base === usual ? '' : `base is not selector × 16 (${word(usual)})`;
  }
  if ((now.rights & UNUSABLE) !== 0 || (selector & 0xfffc) === 0) return '';
  const local = (selector & 4) !== 0;
  const table = local ? 'ldtr' : 'gdtr';
  if ((selector & 0xfff8) + 7 > read(look, `${table}.limit`))
    return `selector ${hex(selector, 4)} is beyond the ${local ? 'LDT' : 'GDT'}'s limit`;
  const entry = descriptorAt(look.debugger, look.vcpu, read(look, `${table}.base`) + (selector & 0xfff8));
  if (entry === undefined) return `the ${local ? 'LDT' : 'GDT'} cannot be read`;
  const differing = [
    entry.base === now.base ? '' : `base ${word(entry.base)}`,
    entry.limit === now.limit ? '' : `limit ${word(entry.limit)}`,
    // Who loads a segment may set its accessed bit; RPL and DPL of what is cached stay.
    ((entry.rights ^ now.rights) & ~1) === 0 ? '' : `${segmentType(entry.rights)}${entry.rights & PRESENT ? '' : ', not present'}`,
  ].filter((part) => part !== '');
  return differing.length === 0 ? '' : `the table now says ${differing.join(', ')}`;
}

/** What an edit of a segment register does besides. */
function afterEdit(look: Look, name: string): string | undefined {
  if (name.endsWith('r')) return 'an edit changes the selector alone, not what is cached of its descriptor';
  return inProtectedMode(look) ? 'an edit loads the descriptor as well' : 'an edit sets the base as well: selector × 16';
}

function segment(look: Look, name: string): Variable {
  const selector = read(look, name);
  const now = cached(look, name);
  const { base, limit, rights } = now;
  const unusable = (rights & UNUSABLE) !== 0;
  const wrong = mismatch(look, name, selector, now);
  const said = unusable
    ? 'null: cannot be used'
    : [`base ${word(base)}`, limitWords(limit), sizeWords(rights), segmentType(rights), `DPL ${dpl(rights)}`].filter(Boolean).join(', ');
  return registerVariable(look, name, {
    said: `${said}${wrong === '' ? '' : `  ⚠ ${wrong}`}`,
    ...optional('type', afterEdit(look, name)),
    children: () => [
      line('index', `${selector >>> 3} of the ${selector & 4 ? 'LDT' : 'GDT'}`, `RPL ${selector & 3}`),
      registerVariable(look, `${name}.base`, { name: 'base' }),
      registerVariable(look, `${name}.limit`, { name: 'limit' }),
      registerVariable(look, `${name}.access`, {
        name: 'access',
        said:
          dotted(
            segmentType(rights),
            sizeWords(rights),
            `DPL ${dpl(rights)}`,
            rights & PRESENT ? '' : 'not present',
            unusable && 'unusable',
          ) ?? '',
        type: 'bits 3:0 type · 4 S · 6:5 DPL · 7 P · 14 D/B · 15 G · 16 unusable',
      }),
      ...(wrong === '' ? [] : [line('differs', wrong)]),
    ],
  });
}

function descriptors(look: Look, base: number, limit: number): readonly Variable[] {
  const shown: Variable[] = [];
  for (let offset = 0; offset + 7 <= limit && offset < 8 * ENTRIES; offset += 8) {
    const entry = descriptorAt(look.debugger, look.vcpu, base + offset);
    if (entry === undefined) break;
    const { low, high, rights } = entry;
    if (low === 0 && high === 0) continue;
    const words = [
      rights & PRESENT ? '' : 'not present',
      segmentType(rights),
      (rights & 0x1f) === 2 || (rights & SEGMENT) !== 0 ? `base ${word(entry.base)}` : '',
      (rights & SEGMENT) !== 0 ? limitWords(entry.limit) : '',
      sizeWords(rights),
      `DPL ${dpl(rights)}`,
    ];
    shown.push({
      name: hex(offset, 2),
      value: `${word(high)}_${word(low)}  ${words.filter(Boolean).join(', ')}`,
      memory: at(look, base + offset),
    });
  }
  return shown;
}

function gates(look: Look, base: number, limit: number): readonly Variable[] {
  const shown: Variable[] = [];
  const size = inProtectedMode(look) ? 8 : 4;
  for (let vector = 0; vector < 256 && size * vector + size - 1 <= limit; vector++) {
    const linear = base + size * vector;
    const low = look.debugger.view.peek(look.vcpu, linear >>> 0, 4);
    const high = size === 4 ? 0 : look.debugger.view.peek(look.vcpu, (linear + 4) >>> 0, 4);
    if (low === undefined || high === undefined) break;
    if (low === 0 && high === 0) continue;
    const offset = size === 4 ? low & 0xffff : ((high & 0xffff0000) | (low & 0xffff)) >>> 0;
    const rights = (high >>> 8) & 0xff;
    const target = `${hex(low >>> 16, 4)}:${hex(offset, size === 4 ? 4 : 8)}`;
    const { program } = look.debugger;
    const label = program.labelAt(size === 4 ? (low >>> 16) * 16 + offset : offset);
    const where = label?.offset === 0 ? `${target} ${label.name}` : target;
    shown.push({
      name: hex(vector, 2),
      value: size === 4 ? where : `${where}  ${segmentType(rights)}, DPL ${dpl(rights)}${rights & PRESENT ? '' : ', not present'}`,
      memory: at(look, linear),
    });
  }
  return shown;
}

const at = ({ vcpu }: Look, linear: number): NonNullable<Variable['memory']> => ({ space: 'linear', vcpu, address: linear >>> 0 });

function table(look: Look, name: 'gdtr' | 'idtr', entries: typeof descriptors): Variable {
  const base = read(look, `${name}.base`);
  const limit = read(look, `${name}.limit`);
  return {
    ...group(name.toUpperCase(), `base ${word(base)}, limit ${hex(limit, 4)}`, () => [
      registerVariable(look, `${name}.base`, { name: 'base' }),
      registerVariable(look, `${name}.limit`, { name: 'limit' }),
      group('entries', name === 'gdtr' ? `${Math.floor((limit + 1) / 8)}` : 'by vector', () => entries(look, base, limit)),
    ]),
    memory: at(look, base),
    ...optional('expression', `${name}.base`),
  };
}

export const segments = (look: Look): readonly Variable[] => [
  ...NAMES.map((name) => segment(look, name)),
  table(look, 'gdtr', descriptors),
  table(look, 'idtr', gates),
  segment(look, 'ldtr'),
  segment(look, 'tr'),
];
