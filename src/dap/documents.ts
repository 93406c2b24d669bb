/** Texts without a file, by `sourceReference`: listings, and why a vCPU runs no code. The same text keeps its number for the whole session. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Listing } from '../debugger/code/listing.ts';
import { DebuggerError } from '../debugger/error.ts';

interface Document {
  readonly source: DebugProtocol.Source;
  readonly text: string;
  readonly listing: Listing | undefined;
}

export class Documents {
  private readonly list: Document[] = [];
  private readonly byText = new Map<string, Document>();

  /** @param onNew a text that was not there before */
  constructor(private readonly onNew: (source: DebugProtocol.Source) => void) {}

  /** All that were shown so far. */
  get sources(): readonly DebugProtocol.Source[] {
    return this.list.map(({ source }) => source);
  }

  /** Listings are named as source files are: an editor then highlights them, and takes breakpoints there. */
  listing(listing: Listing): DebugProtocol.Source {
    return this.add(`${listing.name}.asm`, listing.text, 'disassembled from memory', listing);
  }
  note(name: string, text: string): DebugProtocol.Source {
    return this.add(name, text, 'no code runs here');
  }

  text(reference: number): string {
    return this.get(reference).text;
  }
  /** Throws a DebuggerError for a text that is no listing. */
  listingOf(reference: number): Listing {
    const { listing, source } = this.get(reference);
    if (listing === undefined) throw new DebuggerError(`There is no code in "${source.name}".`);
    return listing;
  }
  source(reference: number): DebugProtocol.Source {
    return this.get(reference).source;
  }

  private get(reference: number): Document {
    const document = this.list[reference - 1];
    if (document === undefined) throw new DebuggerError(`There is no source ${reference}.`);
    return document;
  }
  private add(name: string, text: string, origin: string, listing?: Listing): DebugProtocol.Source {
    const key = `${name}\n${text}`;
    let document = this.byText.get(key);
    if (document === undefined) {
      document = { source: { name, sourceReference: this.list.length + 1, origin }, text, listing };
      this.list.push(document);
      this.byText.set(key, document);
      this.onNew(document.source);
    }
    return document.source;
  }
}
