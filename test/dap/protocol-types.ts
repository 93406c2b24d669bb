/**
 * Reads TypeScript interfaces and checks values against them: as much of the language as @vscode/debugprotocol and our own contract files use
 * (interfaces, `extends`, unions, literals, arrays, object types, index signatures, aliases). What it cannot read is an error, never a guess.
 *
 * A value is JSON: what is undefined is not there. A property that no type has is a problem, unless an index signature or `any` allows it.
 */

export type Type =
  | { readonly kind: 'any' | 'string' | 'number' | 'boolean' | 'null' | 'undefined' }
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  | { readonly kind: 'union'; readonly of: readonly Type[] }
  | { readonly kind: 'array'; readonly of: Type }
  | { readonly kind: 'reference'; readonly name: string }
  | ObjectType;

export interface ObjectType {
  readonly kind: 'object';
  /** Interfaces that this one extends. */
  readonly bases: readonly string[];
  readonly properties: ReadonlyMap<string, { readonly type: Type; readonly optional: boolean }>;
  /** Of properties that are not named. */
  readonly index?: Type;
}

export type Types = ReadonlyMap<string, Type>;

const TOKEN =
  /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|(?<word>[A-Za-z_$][\w$]*)|(?<text>'[^'\n]*'|"[^"\n]*")|(?<number>-?\d+)|(?<mark>=>|[{}[\]()|?:;,=<>.&*])/y;

function tokens(source: string): string[] {
  const found: string[] = [];
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < source.length; ) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (match === null) throw new Error(`cannot read the types at: ${source.slice(at, at + 60)}`);
    if (match.groups?.['word'] ?? match.groups?.['text'] ?? match.groups?.['number'] ?? match.groups?.['mark']) found.push(match[0]);
  }
  return found;
}

/** The interfaces and type aliases of a source text that consists of them, imports, and at most one module around them. */
export function parseTypes(source: string): Map<string, Type> {
  const all = tokens(source);
  let at = 0;
  const types = new Map<string, Type>();
  const peek = (): string => all[at] ?? '';
  const take = (): string => all[at++] ?? '';
  const accept = (token: string): boolean => {
    if (peek() !== token) return false;
    at++;
    return true;
  };
  const expect = (token: string): void => {
    if (!accept(token)) throw new Error(`the types have ${all.slice(at, at + 8).join(' ')} where ${token} was expected`);
  };

  const members = (bases: readonly string[]): ObjectType => {
    const properties = new Map<string, { type: Type; optional: boolean }>();
    let index: Type | undefined;
    expect('{');
    while (!accept('}')) {
      if (accept('[')) {
        take();
        expect(':');
        expect('string');
        expect(']');
        expect(':');
        index = type();
      } else {
        if (peek() === 'readonly' && all[at + 1] !== ':' && all[at + 1] !== '?') take();
        const name = take().replace(/^['"]|['"]$/g, '');
        const optional = accept('?');
        expect(':');
        properties.set(name, { type: type(), optional });
      }
      if (!accept(';')) accept(',');
    }
    return { kind: 'object', bases, properties, ...(index === undefined ? {} : { index }) };
  };
  const single = (): Type => {
    if (accept('readonly')) return single();
    let result: Type;
    const token = peek();
    if (token === '{') result = members([]);
    else if (accept('(')) {
      result = type();
      expect(')');
    } else {
      take();
      if (/^['"]/.test(token)) result = { kind: 'literal', value: token.slice(1, -1) };
      else if (/^-?\d/.test(token)) result = { kind: 'literal', value: Number(token) };
      else if (token === 'true' || token === 'false') result = { kind: 'literal', value: token === 'true' };
      else if (token === 'string' || token === 'number' || token === 'boolean' || token === 'null' || token === 'undefined')
        result = { kind: token };
      else if (token === 'any' || token === 'unknown') result = { kind: 'any' };
      else if (/^\w/.test(token) && peek() !== '<') result = { kind: 'reference', name: token };
      else throw new Error(`the types have ${all.slice(at - 1, at + 7).join(' ')}, which this reader does not know`);
    }
    while (peek() === '[') {
      take();
      expect(']');
      result = { kind: 'array', of: result };
    }
    return result;
  };
  const type = (): Type => {
    accept('|');
    const of = [single()];
    while (accept('|')) of.push(single());
    return of.length === 1 ? of[0]! : { kind: 'union', of };
  };

  while (at < all.length) {
    if (accept('export') || accept('declare')) continue;
    if (accept('import')) {
      while (!accept(';')) take();
    } else if (accept('module')) {
      take();
      expect('{');
    } else if (accept('interface')) {
      const name = take();
      const bases: string[] = [];
      if (accept('extends'))
        do bases.push(take());
        while (accept(','));
      types.set(name, members(bases));
    } else if (accept('type')) {
      const name = take();
      expect('=');
      types.set(name, type());
      accept(';');
    } else if (!accept('}')) throw new Error(`the types have ${all.slice(at, at + 8).join(' ')} where a declaration was expected`);
  }
  return types;
}

/** The properties of an object type with those of its bases; what it declares itself goes before. */
export function propertiesOf(types: Types, type: ObjectType): Map<string, { readonly type: Type; readonly optional: boolean }> {
  const all = new Map<string, { readonly type: Type; readonly optional: boolean }>();
  for (const base of type.bases) {
    const declared = resolve(types, { kind: 'reference', name: base });
    if (declared.kind !== 'object') throw new Error(`${base} is extended and no interface`);
    for (const [name, property] of propertiesOf(types, declared)) all.set(name, property);
  }
  for (const [name, property] of type.properties) all.set(name, property);
  return all;
}

/** The type that a reference means. */
export function resolve(types: Types, type: Type): Exclude<Type, { kind: 'reference' }> {
  if (type.kind !== 'reference') return type;
  const named = types.get(type.name);
  if (named === undefined) throw new Error(`no type is called ${type.name}`);
  return resolve(types, named);
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
};

/**
 * What is wrong with a JSON value of a type: sentences that begin with the path; none when it fits.
 *
 * @param fractions whether numbers may have some; the protocol's may not, but for one
 */
export function mismatches(types: Types, of: Type, value: unknown, path: string, fractions = false): string[] {
  const type = resolve(types, of);
  switch (type.kind) {
    case 'any':
      return [];
    case 'string':
    case 'boolean':
      return typeof value === type.kind ? [] : [`${path} is ${shown(value)}, not a ${type.kind}`];
    case 'number':
      if (typeof value !== 'number') return [`${path} is ${shown(value)}, not a number`];
      return Number.isSafeInteger(value) || (Number.isFinite(value) && (fractions || path.endsWith('.percentage')))
        ? []
        : [`${path} is ${value}, not an integer`];
    case 'null':
      return value === null ? [] : [`${path} is ${shown(value)}, not null`];
    case 'undefined':
      return value === undefined ? [] : [`${path} is there`];
    case 'literal':
      return value === type.value ? [] : [`${path} is ${shown(value)}, not ${shown(type.value)}`];
    case 'union': {
      const tried = type.of.map((choice) => mismatches(types, choice, value, path, fractions));
      if (tried.some((problems) => problems.length === 0)) return [];
      // Of several object types, the one that fits best says most.
      const best = tried.reduce((a, b) => (b.length < a.length ? b : a));
      return tried.length > 1 && tried.every((problems) => problems.length === 1 && problems[0]?.startsWith(`${path} is `))
        ? [`${path} is ${shown(value)}, none of ${type.of.map(described).join(', ')}`]
        : best;
    }
    case 'array':
      return Array.isArray(value)
        ? value.flatMap((element, i) => mismatches(types, type.of, element, `${path}[${i}]`, fractions))
        : [`${path} is ${shown(value)}, not an array`];
    case 'object': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path} is ${shown(value)}, not an object`];
      const properties = propertiesOf(types, type);
      const there = Object.entries(value).filter(([, property]) => property !== undefined);
      const problems: string[] = [];
      for (const [name, { optional }] of properties)
        if (!optional && !there.some(([key]) => key === name)) problems.push(`${path}.${name} is missing`);
      for (const [name, property] of there) {
        const declared = properties.get(name)?.type ?? type.index;
        if (declared === undefined) problems.push(`${path}.${name} is no property of this type`);
        else problems.push(...mismatches(types, declared, property, `${path}.${name}`, fractions));
      }
      return problems;
    }
  }
}

const described = (type: Type): string =>
  type.kind === 'literal' ? shown(type.value) : type.kind === 'reference' ? type.name : type.kind === 'array' ? 'an array' : type.kind;
