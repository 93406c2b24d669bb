/** What the debugger tells of while its machine runs, as events. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Configuration } from '../debugger/configuration.ts';
import type { Debugger, LogLine } from '../debugger/debugger.ts';
import { breakpointNow } from './breakpoints.ts';
import { consoleWriter } from './consoles.ts';
import type { Session } from './session.ts';
import { sourceLine } from './sources.ts';
import { tellChanged } from './stops.ts';

export function listen(session: Session, it: Debugger, configuration: Configuration): void {
  const ours = (): boolean => session.run?.debugger === it;
  const write = consoleWriter(session, configuration.console);
  it.listeners = {
    onLog: (line) => ours() && log(session, line),
    onConsole: (stream, bytes) => ours() && write(stream, bytes),
    onBreakpoint: (id) => {
      const breakpoint = ours() ? breakpointNow(session, id) : undefined;
      if (breakpoint !== undefined)
        session.send('breakpoint', { reason: 'changed', breakpoint } satisfies DebugProtocol.BreakpointEvent['body']);
    },
    onProgress: () => ours() && tellChanged(session),
  };
}

function log(session: Session, { text, vcpu, at }: LogLine): void {
  session.say(text, sourceLine(session, { linear: (at.csBase + at.eip) >>> 0, vcpu }));
}
