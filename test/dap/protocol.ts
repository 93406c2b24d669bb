/**
 * Whether a message is one of the Debug Adapter Protocol: against the types of @vscode/debugprotocol as they are installed, and against ours for the
 * custom requests and events. A message that nothing describes is a problem.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { mismatches, type ObjectType, parseTypes, propertiesOf, type Type, type Types } from './protocol-types.ts';

const installed = createRequire(import.meta.url).resolve('@vscode/debugprotocol/package.json');

/** The protocol's interfaces, by name. */
export const PROTOCOL: Types = parseTypes(fs.readFileSync(path.join(path.dirname(installed), 'lib/debugProtocol.d.ts'), 'utf8'));

/** The same with what VS Code reads besides: the `when` of a variable's context menu. */
const SENT: Types = new Map([...PROTOCOL, ['Variable', withProperty('Variable', '__vscodeVariableMenuContext')]]);

function withProperty(name: string, property: string): ObjectType {
  const type = PROTOCOL.get(name) as ObjectType;
  return { ...type, properties: new Map([...type.properties, [property, { type: { kind: 'string' }, optional: true }]]) };
}

/** A JSON value as it comes out of the pipe: what is undefined has gone, what is no number has become null. */
export const asJson = (message: unknown): unknown => JSON.parse(JSON.stringify(message));

export interface Message {
  readonly seq: number;
  readonly type: string;
  readonly [property: string]: unknown;
}

/** Bodies of our own requests and events, by their names (`exitpoint/exits`); `undefined` where there is none. */
export interface Custom {
  readonly types: Types;
  readonly responses: Readonly<Record<string, Type | undefined>>;
  readonly events: Readonly<Record<string, Type | undefined>>;
}

const interfaceName = (word: string, suffix: string): string => `${word.charAt(0).toUpperCase()}${word.slice(1)}${suffix}`;

const objectType = (name: string): ObjectType | undefined => {
  const type = PROTOCOL.get(name);
  return type?.kind === 'object' ? type : undefined;
};

/** Commands of the protocol that a client may send: those that have a request and a response. */
export const COMMANDS: readonly string[] = [...PROTOCOL.keys()]
  .filter((name) => name.endsWith('Request') && name !== 'Request')
  .map((name) => name.slice(0, -'Request'.length))
  .filter((name) => name !== 'RunInTerminal' && name !== 'StartDebugging')
  .map((name) => name.charAt(0).toLowerCase() + name.slice(1));

/** The type of a request's arguments; undefined when it has none. */
export const argumentsType = (command: string): Type | undefined =>
  objectType(interfaceName(command, 'Request'))?.properties.get('arguments')?.type;

/** Without a body of its own an interface says `any`; such a message carries none (an empty one does no harm). */
function unexpectedBody(type: ObjectType, message: Message): string[] {
  const body = message['body'];
  if (type.properties.has('body') || body === undefined) return [];
  return typeof body === 'object' && body !== null && Object.keys(body).length === 0 ? [] : ['body is there, and the protocol has none'];
}

/** References lie between 0 and 2³¹−1 where they are numbers, wherever they stand. */
function badReferences(value: unknown, at: string): string[] {
  if (Array.isArray(value)) return value.flatMap((element, i) => badReferences(element, `${at}[${i}]`));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, property]) =>
    /References?$/.test(name) && typeof property === 'number' && !(property >= 0 && property <= 0x7fff_ffff)
      ? [`${at}.${name} is ${property}, outside 0 to 2³¹−1`]
      : badReferences(property, `${at}.${name}`),
  );
}

/** What is wrong with a message that a debug adapter sends, by its form alone: sentences; none when it is right. */
export function messageProblems(raw: unknown, custom: Custom): string[] {
  const message = asJson(raw) as Message;
  if (typeof message !== 'object' || message === null) return [`a message is ${JSON.stringify(message)}`];
  switch (message.type) {
    case 'event': {
      const name = String(message['event']);
      const declared = objectType(interfaceName(name, 'Event'));
      if (declared !== undefined)
        return [
          ...mismatches(SENT, declared, message, name),
          ...unexpectedBody(declared, message),
          ...badReferences(message['body'], `${name}.body`),
        ];
      return customProblems(message, name, custom, custom.events, 'Event');
    }
    case 'response': {
      const name = String(message['command']);
      if (message['success'] === false) {
        const text = message['message'];
        const problems = mismatches(SENT, { kind: 'reference', name: 'ErrorResponse' }, message, name);
        return typeof text === 'string' && text.trim() !== '' ? problems : [...problems, `${name} fails without a message`];
      }
      const problems = message['message'] === undefined ? [] : [`${name} succeeds with the message ${JSON.stringify(message['message'])}`];
      const declared = objectType(interfaceName(name, 'Response'));
      if (declared !== undefined)
        return [
          ...problems,
          ...mismatches(SENT, declared, message, name),
          ...unexpectedBody(declared, message),
          ...badReferences(message['body'], `${name}.body`),
        ];
      return [...problems, ...customProblems(message, name, custom, custom.responses, 'Response')];
    }
    case 'request':
      return mismatches(SENT, { kind: 'reference', name: interfaceName(String(message['command']), 'Request') }, message, 'request');
    default:
      return [`a message has the type ${JSON.stringify(message.type)}`];
  }
}

function customProblems(
  message: Message,
  name: string,
  custom: Custom,
  bodies: Readonly<Record<string, Type | undefined>>,
  base: 'Event' | 'Response',
): string[] {
  if (!(name in bodies)) return [`${name} is no ${base.toLowerCase()} of the protocol, nor one of ours`];
  const { body, ...envelope } = message;
  const problems = mismatches(SENT, { kind: 'reference', name: base }, envelope, name);
  const type = bodies[name];
  if (type === undefined) return body === undefined ? problems : [...problems, `${name}.body is there, and ours has none`];
  return [...problems, ...mismatches(custom.types, type, body, `${name}.body`, true), ...badReferences(body, `${name}.body`)];
}

/** Names of the properties of an interface of the protocol, its bases' included. */
export const propertyNames = (name: string): readonly string[] => {
  const type = objectType(name);
  return type === undefined ? [] : [...propertiesOf(PROTOCOL, type).keys()];
};
