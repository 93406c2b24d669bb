/** Beginning and end of a session: initialize, launch, configurationDone, restart, terminate, disconnect. */
import { baseName } from '../debugger/code/file-names.ts';
import { Listings } from '../debugger/code/listing.ts';
import { type Configuration, exitActions, type Launched } from '../debugger/configuration.ts';
import type { Debugger } from '../debugger/debugger.ts';
import { AssemblyFailure, DebuggerError } from '../debugger/error.ts';
import type { Arguments } from './arguments.ts';
import { setEarly } from './breakpoints.ts';
import { capabilities } from './capabilities.ts';
import type { Answer, Handlers } from './handler.ts';
import { listen } from './listening.ts';
import { finish, follow } from './running.ts';
import type { Session } from './session.ts';
import { tellStop } from './stops.ts';

type Attributes = Readonly<Record<string, unknown>>;

/** The squiggles of the program's source: none, when it is as it should be. */
function tellDiagnostics(session: Session, file: string, diagnostics: AssemblyFailure['diagnostics']): void {
  session.send('exitpoint/diagnostics', {
    file,
    diagnostics: diagnostics.map(({ line, column, length, severity, message }) => ({ line, column, length, severity, message })),
  });
}

/** What was launched, as the command line's header says it. */
function header(configuration: Configuration, { machine, program }: Debugger): string {
  const { memoryBytes, model, profile, seed } = configuration;
  const { cpus } = machine;
  return [
    baseName(program.file),
    `${cpus} vCPU${cpus === 1 ? '' : 's'}`,
    `${memoryBytes / 2 ** 20} MiB`,
    model,
    profile,
    `seed ${seed}`,
  ].join(' · ');
}

async function build(session: Session, attributes: Attributes): Promise<{ configuration: Configuration; launched: Launched }> {
  const configuration = session.services.parseConfiguration(attributes);
  try {
    const launched = await session.services.launch(configuration);
    if (session.over) {
      launched.debugger.dispose();
      throw new DebuggerError('The session has ended.');
    }
    tellDiagnostics(session, launched.program.file, launched.warnings);
    return { configuration, launched };
  } catch (error) {
    if (error instanceof AssemblyFailure) tellDiagnostics(session, configuration.program, error.diagnostics);
    throw error;
  }
}

/** The choices of a configuration that are breakpoints. */
function choose({ breakpoints }: Debugger, configuration: Configuration, earlier: Configuration | undefined): void {
  const differs = (part: (c: Configuration) => unknown): boolean =>
    earlier === undefined || JSON.stringify(part(configuration)) !== JSON.stringify(part(earlier));
  // What was chosen in a view since the last launch holds, unless the configuration now says something else.
  if (differs((c) => c.exits)) breakpoints.setExits(exitActions(configuration));
  if (differs((c) => c.ipis)) breakpoints.setIpis(configuration.ipis);
  breakpoints.stopOnApEntry = configuration.stopOnApEntry;
}

/** A machine stands: it becomes the one that the session is about. */
function stand(session: Session, configuration: Configuration, { debugger: it }: Launched): void {
  const earlier = session.change({ debugger: it, configuration, listings: new Listings(it), begun: false });
  // What becomes of breakpoints in a source that has changed is told as well.
  listen(session, it, configuration);
  if (earlier !== undefined) it.breakpoints.adopt(earlier.debugger.breakpoints);
  if (!configuration.noDebug) choose(it, configuration, earlier?.configuration);
  earlier?.debugger.dispose();
  session.say(`Exitpoint · ${header(configuration, it)}`);
}

/** The machine's first stop, or its start: once it stands, and the client has configured. */
function begin(session: Session): void {
  const { run, configured } = session;
  if (run === undefined || !configured || run.begun) return;
  const { configuration, debugger: it } = run;
  run.begun = true;
  if (configuration.stopOnEntry && !configuration.noDebug) tellStop(session, it.entry());
  else void follow(session, it, it.continue());
}

async function launch(session: Session, args: Arguments): Promise<Answer> {
  if (session.over) throw new DebuggerError('The session has ended.');
  if (session.launching !== undefined) throw new DebuggerError('The session has been launched already; restart launches again.');
  session.attributes = args.all;
  const building = build(session, session.attributes).then(({ configuration, launched }) => stand(session, configuration, launched));
  session.launching = building.catch(() => {
    // A failed launch may be repeated.
    session.launching = undefined;
  });
  await building;
  return {
    after: () => {
      session.send('initialized');
      setEarly(session);
      begin(session);
    },
  };
}

async function restart(session: Session, args: Arguments): Promise<Answer> {
  const before = session.debugger;
  const given = args.optionalRecord('arguments')?.all ?? session.attributes;
  if (session.restarting) throw new DebuggerError('A restart is under way already.');
  session.restarting = true;
  try {
    const { configuration, launched } = await build(session, given);
    if (session.run?.debugger !== before) {
      launched.debugger.dispose();
      throw new DebuggerError('The session has ended.');
    }
    session.attributes = given;
    stand(session, configuration, launched);
  } finally {
    session.restarting = false;
  }
  return { after: () => begin(session) };
}

export const launchHandlers: Handlers = {
  initialize: (session, args) => {
    if (session.initialized) throw new DebuggerError('initialize has come before; a session begins once.');
    const format = args.optionalText('pathFormat');
    if (format !== undefined && format !== 'path' && format !== 'uri') args.refuse('pathFormat', 'path or uri is needed.');
    session.client.introduce(args);
    session.initialized = true;
    return { body: capabilities() };
  },
  launch,
  attach: () => {
    throw new DebuggerError('There is nothing to attach to: Exitpoint launches the machine itself.');
  },
  configurationDone: (session) => {
    if (session.configured) throw new DebuggerError('configurationDone has come before.');
    session.configured = true;
    return { after: () => begin(session) };
  },
  restart,
  terminate: (session) => ({ after: () => finish(session) }),
  disconnect: (session, args) => {
    args.flag('restart');
    // Whoever launched the machine cannot leave it behind: it goes whatever `terminateDebuggee` says.
    args.flag('terminateDebuggee');
    return { after: () => session.leave() };
  },
};
