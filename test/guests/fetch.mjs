/**
 * Fetches Debian packages by name and unpacks them, without installing, for tests that run real guests: `node test/guests/fetch.mjs seabios…`.
 * They are kept in node_modules/.cache/exitpoint/guests/NAME and never committed. Needs apt-get and dpkg.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const cache = fileURLToPath(new URL('../../node_modules/.cache/exitpoint/guests/', import.meta.url));

/**
 * The directory that holds the unpacked files of a Debian package (`usr/share/…` in it); downloads it the first time.
 * @param {string} name package name, `seabios`
 * @returns {Promise<string>}
 */
export async function fetchPackage(name) {
  if (!/^[a-z0-9][a-z0-9+.-]+$/.test(name)) throw new Error(`"${name}" is not the name of a Debian package; one looks like "seabios"`);
  const target = join(cache, name);
  if (existsSync(target)) return target;
  await mkdir(cache, { recursive: true });
  const scratch = await mkdtemp(join(cache, '.fetch-'));
  try {
    await tool(
      'apt-get',
      ['download', name],
      scratch,
      `cannot download the Debian package ${name} (is the package list there? apt-get update fetches it)`,
    );
    const archive = (await readdir(scratch)).find((file) => file.endsWith('.deb'));
    if (!archive) throw new Error(`apt-get download ${name} succeeded but left no .deb file`);
    const unpacked = join(scratch, 'unpacked');
    await tool('dpkg', ['-x', join(scratch, archive), unpacked], scratch, `cannot unpack ${archive}`);
    await rename(unpacked, target).catch((error) => {
      // Another test was faster: its copy is as good.
      if (!existsSync(target)) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return target;
}

/** Runs a tool; its failure becomes one sentence that begins with `failure`. */
async function tool(command, args, cwd, failure) {
  try {
    await run(command, args, { cwd, timeout: 120_000 });
  } catch (error) {
    if (error.code === 'ENOENT') throw new Error(`${failure}: ${command} is not on this machine; a Debian or Ubuntu system has it`);
    const line =
      String(error.stderr ?? '')
        .split('\n')
        .find((text) => text.startsWith('E:')) ?? error.message.split('\n')[0];
    throw new Error(`${failure}: ${line}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  if (names.length === 0) {
    process.stderr.write('usage: node test/guests/fetch.mjs PACKAGE…\n');
    process.exitCode = 2;
  }
  for (const name of names) {
    try {
      process.stdout.write(`${await fetchPackage(name)}\n`);
    } catch (error) {
      process.stderr.write(`${error.message}\n`);
      process.exitCode = 1;
    }
  }
}
