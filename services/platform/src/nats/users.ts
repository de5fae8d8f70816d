import { randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { streams, subjects } from "./subjects.js";

/** Who connects to NATS: one user a service. There is no administrator. */
export type NatsUser = "queue" | "scheduler" | "executor";

/** All of them. */
export const natsUsers: readonly NatsUser[] = ["queue", "scheduler", "executor"];

/** A user and its password: what Runlane mints. */
export interface NatsPassword {
  readonly user: NatsUser;
  readonly password: string;
}

/** A user whose rights an operator has signed: the text of a `.creds` file of NATS. */
export interface NatsSigned {
  /** Which service it is for; the JWT itself names an account's user. */
  readonly user: NatsUser;
  readonly creds: string;
}

/** What a user proves itself with. */
export type NatsCredentials = NatsPassword | NatsSigned;

/** Passwords of every user. */
export type NatsCredentialSet = Readonly<Record<NatsUser, NatsPassword>>;

/** Subjects that a user may publish to and subscribe to; everything else is refused. */
export interface NatsPermissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** What a service that owns nothing needs: the internal transport and the owner directory. */
const caller = (user: NatsUser): NatsPermissions => ({
  publish: [subjects.allCalls, "_INBOX.>", "$JS.API.INFO", `$JS.API.DIRECT.GET.${streams.owners}.${subjects.allClaims}`],
  subscribe: [subjects.allCalls, subjects.allOwners, `${subjects.inbox(user)}.>`],
});

/** Putting and getting payloads. Removing them, and making their stream, is the owner's. */
const payloadRights = [subjects.allPayloads, `$JS.API.DIRECT.GET.${streams.payloads}`, `$JS.API.STREAM.MSG.GET.${streams.payloads}`];

/**
 * Permissions of every user. Only owners (`queue`) may publish to logs: whoever appends to a log becomes its writer. Nobody but NATS itself may answer an
 * append, and nobody hears the answers to another user.
 */
export const natsPermissions: Readonly<Record<NatsUser, NatsPermissions>> = {
  queue: {
    publish: [subjects.allLogs, subjects.allPayloads, subjects.allSnapshots, subjects.allClaims, subjects.allCalls, "_INBOX.>", "$JS.API.>"],
    subscribe: [subjects.allCalls, subjects.allOwners, `${subjects.inbox("queue")}.>`, `${subjects.logInbox}.>`],
  },
  scheduler: { ...caller("scheduler"), publish: [...caller("scheduler").publish, ...payloadRights] },
  executor: caller("executor"),
};

/** Reads the users' passwords from `credentials.json` in `folder`; mints them, once, if there are none. The file is its owner's alone (0600). */
export async function natsCredentials(folder: string): Promise<NatsCredentialSet> {
  const path = join(folder, "credentials.json");
  const stored = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (stored !== undefined) {
    const known = JSON.parse(stored) as Partial<NatsCredentialSet>;
    if (known.queue && known.scheduler && known.executor) return { queue: known.queue, scheduler: known.scheduler, executor: known.executor };
  }
  const minted: NatsCredentialSet = { queue: mint("queue"), scheduler: mint("scheduler"), executor: mint("executor") };
  await writePrivately(path, `${JSON.stringify(minted, null, 2)}\n`);
  return minted;
}

function mint(user: NatsUser): NatsPassword {
  return { user, password: randomBytes(24).toString("base64url") };
}

/** Replaces a file in one step, readable by its owner alone. */
export async function writePrivately(path: string, text: string): Promise<void> {
  const draft = `${path}.draft`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, path);
}
