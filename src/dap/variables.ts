/** Scopes and variables: trees of the debugger, with handles. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Debugger } from '../debugger/debugger.ts';
import { DebuggerError } from '../debugger/error.ts';
import type { Variable } from '../debugger/inspect/variable.ts';
import { scopes } from '../debugger/inspect/scopes.ts';
import type { Arguments } from './arguments.ts';
import { edit } from './edit.ts';
import type { Answer, Handlers } from './handler.ts';
import { referenceTo } from './references.ts';
import type { Container, Session } from './session.ts';
import { sourceLine } from './sources.ts';

/** A variable that `name` stands for in a container. Throws a DebuggerError. */
export function containerVariable(session: Session, reference: number, name: string): Variable {
  const { variables } = session.containers.get(reference);
  const found = variables().find((v) => v.name === name);
  if (found === undefined) throw new DebuggerError(`There is no variable "${name}" in the variables reference ${reference}.`);
  return found;
}

/** A handle for what is in a variable, or 0: it is looked up again from the top whenever somebody asks, so that an edit shows. */
function childrenOf(session: Session, { name, children }: Variable, { vcpu, variables }: Container): number {
  if (children === undefined) return 0;
  return session.containers.create({
    vcpu,
    variables: () =>
      variables()
        .find((v) => v.name === name)
        ?.children?.() ?? [],
  });
}

/** What may be told of a variable besides its name and value, in every response that has one. */
export function details(
  session: Session,
  variable: Variable,
  container: Container,
): Pick<DebugProtocol.Variable, 'type' | 'variablesReference' | 'memoryReference' | 'valueLocationReference'> {
  const { type, memory, writer } = variable;
  const { client } = session;
  return {
    ...(type === undefined || !client.knowsTypes ? {} : { type }),
    variablesReference: childrenOf(session, variable, container),
    ...(memory === undefined || !client.knowsMemory ? {} : { memoryReference: referenceTo(memory) }),
    ...(writer === undefined ? {} : { valueLocationReference: session.locations.create(writer) }),
  };
}

function hintOf(session: Session, { dataId, edit: editable }: Variable): DebugProtocol.VariablePresentationHint {
  // A data breakpoint may be for one vCPU's register, or for that of all.
  const watched = dataId !== undefined && (session.watched.has(dataId) || session.watched.has(dataId.replace(/@\d+/, '')));
  const attributes = [...(editable === undefined ? ['readOnly'] : []), ...(watched ? ['hasDataBreakpoint'] : [])];
  return { kind: 'data', ...(attributes.length === 0 ? {} : { attributes }) };
}

function toDap(session: Session, variable: Variable, container: Container): DebugProtocol.Variable {
  const { name, value, expression, menu } = variable;
  return {
    name,
    value,
    ...details(session, variable, container),
    ...(expression === undefined ? {} : { evaluateName: expression }),
    presentationHint: hintOf(session, variable),
    // Not of the protocol: VS Code's own, for the context menu.
    ...(menu === undefined ? {} : { __vscodeVariableMenuContext: menu }),
  };
}

/** Of scopes that hold registers, one may say so. */
const REGISTERS = 'General';

function scopesOf(session: Session, args: Arguments): Answer<DebugProtocol.ScopesResponse['body']> {
  const it = session.standing;
  const { vcpu } = session.frameOf(args.integer('frameId'));
  session.focus = vcpu;
  return {
    body: {
      scopes: scopes(it, vcpu).map(({ name }) => ({
        name,
        variablesReference: session.containers.create({ vcpu, variables: () => scopeNamed(it, vcpu, name) }),
        expensive: false,
        ...(name === REGISTERS ? { presentationHint: 'registers' } : {}),
      })),
    },
  };
}

/** The variables of one scope of a vCPU. */
export const scopeNamed = (it: Debugger, vcpu: number, name: string): readonly Variable[] =>
  scopes(it, vcpu)
    .find((scope) => scope.name === name)
    ?.variables() ?? [];

function variables(session: Session, args: Arguments): Answer<DebugProtocol.VariablesResponse['body']> {
  session.mustStand();
  const container = session.containers.get(args.integer('variablesReference'));
  const filter = args.optionalWord('filter', ['indexed', 'named']);
  const start = args.optionalInteger('start', { min: 0 }) ?? 0;
  const count = args.optionalInteger('count', { min: 0 }) ?? 0;
  // Nothing here has an index: every child has a name.
  const all = filter === 'indexed' ? [] : container.variables();
  const part = all.slice(start, count === 0 ? undefined : start + count);
  return { body: { variables: part.map((variable) => toDap(session, variable, container)) } };
}

function setVariable(session: Session, args: Arguments): Answer<DebugProtocol.SetVariableResponse['body']> {
  session.mustStand();
  const reference = args.integer('variablesReference');
  const name = args.text('name');
  const text = args.text('value');
  const before = containerVariable(session, reference, name);
  if (before.edit === undefined) throw new DebuggerError(`${name} cannot be set.`);
  const after = edit(session, [before.edit(text)]);
  const container = session.containers.get(reference);
  const variable = containerVariable(session, reference, name);
  return { body: { value: variable.value, ...details(session, variable, container) }, after };
}

export const variableHandlers: Handlers = {
  scopes: scopesOf,
  variables,
  setVariable,
  locations: (session, args) => {
    session.mustStand();
    const { eip, csBase, vcpu } = session.locations.get(args.integer('locationReference'));
    const place = sourceLine(session, { linear: (csBase + eip) >>> 0, vcpu });
    return { body: { ...place, column: session.client.column(1) } satisfies DebugProtocol.LocationsResponse['body'] };
  },
};
