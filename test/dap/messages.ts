/** Messages to try a validator on: right ones, and what makes them wrong. */
import { argumentsType, COMMANDS, type Message, PROTOCOL } from './protocol.ts';
import { propertiesOf, resolve, type Type } from './protocol-types.ts';

/** A value of a type, made from its declaration: with everything optional, or with nothing. */
export function sample(of: Type, full: boolean, depth = 0): unknown {
  const type = resolve(PROTOCOL, of);
  switch (type.kind) {
    case 'any':
    case 'string':
      return 'text';
    case 'number':
      return 7;
    case 'boolean':
      return true;
    case 'null':
    case 'undefined':
      return null;
    case 'literal':
      return type.value;
    case 'union':
      return sample(type.of[0]!, full, depth);
    case 'array':
      return depth > 6 ? [] : [sample(type.of, full, depth + 1)];
    case 'object': {
      const properties = [...propertiesOf(PROTOCOL, type)].filter(([, { optional }]) => !optional || (full && depth < 5));
      return Object.fromEntries(properties.map(([name, property]) => [name, sample(property.type, full, depth + 1)]));
    }
  }
}

const lowerFirst = (word: string): string => word.charAt(0).toLowerCase() + word.slice(1);

/** For each event and each response of the protocol: one message with everything it may have, one with what it must have. */
export function rightMessages(): { readonly definition: string; readonly message: Message }[] {
  const definitions = [...PROTOCOL.keys()].filter((name) => /.(?:Event|Response)$/.test(name) && name !== 'ErrorResponse');
  const made = definitions.flatMap((definition) =>
    [true, false].map((full) => {
      const type = resolve(PROTOCOL, { kind: 'reference', name: definition });
      const own = type.kind === 'object' ? type.properties.get('body') : undefined;
      const body = own === undefined || (own.optional && !full) ? {} : { body: sample(own.type, full) };
      const message = definition.endsWith('Event')
        ? { seq: 3, type: 'event', event: lowerFirst(definition.slice(0, -'Event'.length)), ...body }
        : {
            seq: 3,
            type: 'response',
            request_seq: 2,
            success: true,
            command: lowerFirst(definition.slice(0, -'Response'.length)),
            ...body,
          };
      return { definition, message: message as Message };
    }),
  );
  const failure = { seq: 3, type: 'response', request_seq: 2, success: false, command: 'launch', message: 'no such file' };
  return [
    ...made,
    { definition: 'ErrorResponse', message: { ...failure, body: {} } },
    { definition: 'ErrorResponse', message: { ...failure, body: { error: { id: 1, format: 'no {file}', variables: { file: 'a.asm' } } } } },
  ];
}

/** A request's arguments as its declaration has them; undefined when it has none. */
export const sampleArguments = (command: string, full: boolean): unknown => {
  const type = argumentsType(command);
  return type === undefined ? undefined : sample(type, full);
};

export { COMMANDS };

/** Every message that differs from a right one in one place of its body: a property of another type, one that is missing. */
export function mutants(message: Message): { readonly what: string; readonly message: Message; readonly removed: boolean }[] {
  const found: { what: string; message: Message; removed: boolean }[] = [];
  const visit = (value: unknown, path: readonly (string | number)[]): void => {
    if (typeof value !== 'object' || value === null) {
      for (const other of [12.5, 'text', false, null, { a: 1 }, [1]])
        if (typeof other !== typeof value || other === 12.5) found.push(changed(message, path, other));
      return;
    }
    for (const [name, property] of Array.isArray(value) ? [...value.entries()] : Object.entries(value)) {
      visit(property, [...path, name]);
      if (!Array.isArray(value)) found.push(changed(message, [...path, name], undefined));
    }
    for (const other of ['text', 5, null]) found.push(changed(message, path, other));
  };
  for (const name of Object.keys(message))
    if (!['type', 'event', 'command', 'success'].includes(name)) {
      visit(message[name], [name]);
      found.push(changed(message, [name], undefined));
    }
  return found;
}

function changed(message: Message, path: readonly (string | number)[], to: unknown) {
  const copy = structuredClone(message);
  let inside = copy as unknown as Record<string | number, unknown>;
  for (const name of path.slice(0, -1)) inside = inside[name] as Record<string | number, unknown>;
  const last = path[path.length - 1]!;
  if (to === undefined) delete inside[last];
  else inside[last] = to;
  return { what: `${path.join('.')} = ${JSON.stringify(to)}`, message: copy, removed: to === undefined };
}
