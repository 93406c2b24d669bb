/** The directory of a zip file (APPNOTE.TXT, "Central directory structure"). */

const END = 0x06054b50;
const ENTRY = 0x02014b50;

/**
 * What a zip file contains: names, and sizes in bytes as they are and as they are packed. Throws an Error for bytes that are no zip file.
 * @param {Buffer} zip
 */
export function entriesOf(zip) {
  let end = zip.length - 22;
  while (end >= 0 && zip.readUInt32LE(end) !== END) end--;
  if (end < 0) throw new Error('this is no zip file: it has no central directory');
  const count = zip.readUInt16LE(end + 10);
  const entries = [];
  for (let i = 0, at = zip.readUInt32LE(end + 16); i < count; i++) {
    if (zip.readUInt32LE(at) !== ENTRY) throw new Error(`this is no zip file: entry ${i} of its central directory is none`);
    const [nameLength, extraLength, commentLength] = [zip.readUInt16LE(at + 28), zip.readUInt16LE(at + 30), zip.readUInt16LE(at + 32)];
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength);
    entries.push({ name, bytes: zip.readUInt32LE(at + 24), packed: zip.readUInt32LE(at + 20) });
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}
