/** Real firmware images for tests: files of Debian packages, fetched when they are first asked for. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
// biome-ignore lint/correctness/useImportExtensions: it is plain JavaScript, which Node runs without a build
import { fetchPackage } from './fetch.mjs';

/** A file of a Debian package. */
export interface PackageFile {
  readonly package: string;
  /** Path inside the package, `usr/share/seabios/bios.bin`. */
  readonly path: string;
}

/** SeaBIOS as Debian builds it: for machines with a 256 KiB ROM, and the smaller 128 KiB build (fewer drivers, no Xen). */
export const SEABIOS_256K: PackageFile = { package: 'seabios', path: 'usr/share/seabios/bios-256k.bin' };
export const SEABIOS_128K: PackageFile = { package: 'seabios', path: 'usr/share/seabios/bios.bin' };

/** The file's path on this machine. Rejects with a one-sentence Error when the package cannot be had. */
export async function firmwarePath(file: PackageFile): Promise<string> {
  return join(await fetchPackage(file.package), file.path);
}

/** The file's bytes. Rejects with a one-sentence Error when the package cannot be had or does not contain it. */
export async function firmware(file: PackageFile): Promise<Uint8Array> {
  const path = await firmwarePath(file);
  try {
    return new Uint8Array(await readFile(path));
  } catch {
    throw new Error(`the Debian package ${file.package} has no file ${file.path}; its layout must have changed`);
  }
}
