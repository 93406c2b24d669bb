/** A client of the debug adapter protocol, over whatever carries messages. */
import type { DebugProtocol } from '@vscode/debugprotocol';

/** A request was refused: what the response said. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

export class Client {
  /** All events so far. */
  readonly events: DebugProtocol.Event[] = [];
  private readonly pending = new Map<number, (response: DebugProtocol.Response) => void>();
  private waiting: { readonly event: string; resolve(event: DebugProtocol.Event): void }[] = [];
  private sequence = 0;
  /** Events before this one have been waited for. */
  private seen = 0;

  constructor(private readonly post: (message: object) => void) {}

  /** What the adapter has sent. */
  receive(message: object): void {
    const { type } = message as DebugProtocol.ProtocolMessage;
    if (type === 'response') {
      const response = message as DebugProtocol.Response;
      this.pending.get(response.request_seq)?.(response);
      this.pending.delete(response.request_seq);
    } else if (type === 'event') {
      const event = message as DebugProtocol.Event;
      this.events.push(event);
      const waiter = this.waiting.find((w) => w.event === event.event);
      if (waiter === undefined) return;
      this.waiting = this.waiting.filter((w) => w !== waiter);
      this.seen = this.events.length;
      waiter.resolve(event);
    } else throw new Error(`this is no message of an adapter: ${JSON.stringify(message)}`);
  }

  /** The response's body. Rejects with a Refused when it is no success. */
  request(command: string, args: object = {}): Promise<Record<string, unknown>> {
    const seq = ++this.sequence;
    return new Promise((resolve, reject) => {
      this.pending.set(seq, ({ success, message, body }) => (success ? resolve(body ?? {}) : reject(new Refused(message))));
      this.post({ seq, type: 'request', command, arguments: args });
    });
  }

  /** The next event of that name that nobody has waited for yet: one that has come, or one to come. */
  event(name: string): Promise<DebugProtocol.Event> {
    const index = this.events.findIndex((e, i) => i >= this.seen && e.event === name);
    if (index >= 0) {
      this.seen = index + 1;
      return Promise.resolve(this.events[index] as DebugProtocol.Event);
    }
    return new Promise((resolve) => this.waiting.push({ event: name, resolve }));
  }

  /** From nothing to the first stop; gives it. */
  async launch(attributes: object): Promise<DebugProtocol.Event> {
    await this.request('initialize', { adapterID: 'exitpoint' });
    const launched = this.request('launch', attributes);
    await Promise.race([this.event('initialized'), launched]);
    await this.request('configurationDone');
    await launched;
    return this.event('stopped');
  }
}
