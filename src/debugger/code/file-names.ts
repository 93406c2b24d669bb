/** Names of files, each a path or a URI: which mean the same file, and how one is called for short. */

interface Name {
  /** What its segments are relative to: '' for a relative path. */
  readonly root: string;
  readonly segments: readonly string[];
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone % is itself
  }
};

function parse(name: string): Name {
  const uri = /^([a-z][a-z0-9+.-]+):\/\/([^/?#]*)([^?#]*)/i.exec(name);
  let path = uri === null ? name : decoded(uri[3] as string);
  const scheme = uri?.[1]?.toLowerCase() ?? 'file';
  let root = uri === null ? '' : `${scheme}://${decoded(uri[2] as string).toLowerCase()}`;
  if (scheme === 'file') path = path.replace(/\\/g, '/');
  const drive = /^\/?([a-z]):(?=\/)/i.exec(path);
  if (scheme === 'file' && drive !== null) {
    // Windows tells no case apart.
    path = path.slice(drive[0].length).toLowerCase();
    root = `file://${(drive[1] as string).toLowerCase()}:`;
  } else if (root === '' && path.startsWith('/')) root = 'file://';
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..' && segments.length > 0 && segments.at(-1) !== '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return { root, segments };
}

/**
 * Do they? Absolute paths and URIs do when they are equal (`file:///a/b.asm` is `/a/b.asm`); a relative path, of which it is not known what it is
 * relative to, when its last part is, in any case.
 */
export function sameFile(a: string, b: string): boolean {
  const [one, other] = [parse(a), parse(b)];
  if (one.root === '' || other.root === '') return one.segments.at(-1)?.toLowerCase() === other.segments.at(-1)?.toLowerCase();
  return one.root === other.root && one.segments.join('/') === other.segments.join('/');
}

/** A name's last part. */
export const baseName = (name: string): string => decoded(name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1));
