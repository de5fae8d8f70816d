import { createHash } from "node:crypto";
import { isName } from "./validation/names.js";

const prefix = "queue_";
const checksumBytes = 3;

/** The id of a queue: its name, with a checksum that tells an id from the name of another queue. */
export function queueIdOf(name: string): string {
  const checksum = createHash("sha256").update(name).digest().subarray(0, checksumBytes);
  return prefix + Buffer.concat([checksum, Buffer.from(name)]).toString("base64url");
}

/** The name of a queue that is given by its id or by its name; undefined if it is neither. */
export function queueNameOf(idOrName: string): string | undefined {
  if (idOrName.startsWith(prefix)) {
    const name = Buffer.from(idOrName.slice(prefix.length), "base64url").toString("utf8", checksumBytes);
    if (isName(name) && queueIdOf(name) === idOrName) return name;
  }
  return isName(idOrName) ? idOrName : undefined;
}
