/** Reads the `; EXPECT:` lines of a sample; samples/README.md says what they mean. */

export type Expectation =
  | { readonly kind: 'end'; readonly end: string; readonly line: number | undefined }
  | { readonly kind: 'endNote'; readonly text: string }
  | { readonly kind: 'console'; readonly text: string }
  | { readonly kind: 'exits'; readonly code: string | undefined; readonly count: number }
  | { readonly kind: 'ipis'; readonly count: number }
  | {
      readonly kind: 'ipi';
      readonly number: number;
      readonly what: string;
      readonly targets: readonly { readonly vcpu: number; readonly verdict: string; readonly reason: string | undefined }[];
    };

export interface Expectations {
  readonly cpus: number;
  /** By profile name; `*` is written out. */
  readonly byProfile: ReadonlyMap<string, readonly Expectation[]>;
}

const fail = (line: string): never => {
  throw new Error(`"${line}" is no expectation; samples/README.md says which there are`);
};

function parseOne(text: string, line: string): Expectation {
  const [, word, rest = ''] = /^([\w-]+)\s*(.*)$/.exec(text) ?? fail(line);
  switch (word) {
    case 'end': {
      const [, end, at] =
        /^(host-panic|vm-abort|run-failed|stuck|suspended (?:reset|power-off|halt|triple-fault))(?: line ([0-9]+))?$/.exec(rest) ??
        fail(line);
      return { kind: 'end', end: end as string, line: at === undefined ? undefined : Number(at) };
    }
    case 'end-note':
      return { kind: 'endNote', text: JSON.parse(rest) as string };
    case 'console':
      return { kind: 'console', text: JSON.parse(rest) as string };
    case 'exits': {
      const [, code, count] = /^(?:([A-Z_]+) )?([0-9]+)$/.exec(rest) ?? fail(line);
      return { kind: 'exits', code, count: Number(count) };
    }
    case 'ipis':
      return { kind: 'ipis', count: Number((/^[0-9]+$/.exec(rest) ?? fail(line))[0]) };
    case 'ipi': {
      const [, number, what, list] = /^([0-9]+) ([A-Z]+(?: [0-9A-F]{2})?): (.+)$/.exec(rest) ?? fail(line);
      const targets = (list as string).split(', ').map((t) => {
        const [, vcpu, verdict, reason] = /^vCPU([0-9]+) (\w+)(?: (\w+))?$/.exec(t) ?? fail(line);
        return { vcpu: Number(vcpu), verdict: verdict as string, reason };
      });
      return { kind: 'ipi', number: Number(number), what: what as string, targets };
    }
    default:
      return fail(line);
  }
}

/** All expectations of a source text. Throws an Error that quotes a line it does not understand. */
export function parseExpectations(source: string, profiles: readonly string[]): Expectations {
  const byProfile = new Map<string, Expectation[]>(profiles.map((p) => [p, []]));
  let cpus = 0;
  for (const [line, text = ''] of source.matchAll(/^; EXPECT: (.*)$/gm)) {
    const count = /^cpus ([0-9]+)$/.exec(text);
    if (count) {
      cpus = Number(count[1]);
      continue;
    }
    const [, names, what] = /^([\w*, -]+?): (.*)$/.exec(text) ?? fail(line);
    const expectation = parseOne(what as string, line);
    for (const name of names === '*' ? profiles : (names as string).split(/,\s*/)) (byProfile.get(name) ?? fail(line)).push(expectation);
  }
  if (cpus === 0) throw new Error('there is no "; EXPECT: cpus N"');
  return { cpus, byProfile };
}
