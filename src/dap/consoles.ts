/** The guest's consoles: as bytes for a terminal, or as lines in the debug console. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { toBase64 } from './base64.ts';
import type { Session } from './session.ts';

/** How the guest's bytes reach the client. */
export function consoleWriter(session: Session, where: 'terminal' | 'debugConsole'): (stream: string, bytes: Uint8Array) => void {
  if (where === 'terminal') return (stream, bytes) => session.send('exitpoint/console', { stream, base64: toBase64(bytes) });
  // A character may be cut in two between two stretches: each stream has its own decoder.
  const decoders = new Map<string, InstanceType<typeof TextDecoder>>();
  return (stream, bytes) => {
    let decoder = decoders.get(stream);
    if (decoder === undefined) decoders.set(stream, (decoder = new TextDecoder()));
    const output = decoder.decode(bytes, { stream: true });
    if (output !== '') session.send('output', { category: 'stdout', output } satisfies DebugProtocol.OutputEvent['body']);
  };
}
