import { crc32, inflateRawSync } from "node:zlib";

const endOfDirectory = 0x06054b50;
const directoryEntry = 0x02014b50;
const localHeader = 0x04034b50;

/**
 * Reads one file out of a zip archive (a Python wheel is one). Knows what wheels use: stored or deflated entries below 4 GiB, no encryption.
 *
 * @param {Buffer} archive the whole archive
 * @param {(name: string) => boolean} wanted says which entry; the first that it accepts is read
 * @returns {Buffer | undefined} the file's bytes, undefined if no entry was wanted
 * @throws {Error} if the archive is damaged
 */
export function readZipEntry(archive, wanted) {
  // The directory's end record comes last, followed by a comment of at most 65,535 bytes.
  let end = archive.length - 22;
  const lowest = Math.max(0, end - 0xffff);
  while (end >= lowest && archive.readUInt32LE(end) !== endOfDirectory) end--;
  if (end < lowest) throw new Error("not a zip archive: it has no central directory");

  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    if (archive.readUInt32LE(at) !== directoryEntry) throw new Error("damaged zip archive: bad directory entry");
    const nameLength = archive.readUInt16LE(at + 28);
    const name = archive.toString("utf8", at + 46, at + 46 + nameLength);
    if (wanted(name)) return entryAt(archive, at, name);
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  return undefined;
}

/** Reads the entry whose directory record stands at `at`. */
function entryAt(archive, at, name) {
  const method = archive.readUInt16LE(at + 10);
  const checksum = archive.readUInt32LE(at + 16);
  const packedLength = archive.readUInt32LE(at + 20);
  const header = archive.readUInt32LE(at + 42);
  if (archive.readUInt32LE(header) !== localHeader) throw new Error(`damaged zip archive: ${name} has no header`);
  const start = header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28);
  const packed = archive.subarray(start, start + packedLength);
  if (method !== 0 && method !== 8) throw new Error(`zip archive: ${name} is packed by method ${method}, which is not supported`);
  const bytes = method === 8 ? inflateRawSync(packed) : packed;
  if (crc32(bytes) !== checksum) throw new Error(`damaged zip archive: ${name} has the wrong checksum`);
  return bytes;
}
