/** The directory that holds the unpacked files of a Debian package; downloads it the first time. Rejects with a one-sentence Error when it cannot. */
export function fetchPackage(name: string): Promise<string>;
