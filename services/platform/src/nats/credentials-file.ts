import { readFile } from "node:fs/promises";
import { type NatsCredentials, type NatsPassword, type NatsUser, natsUsers } from "./users.js";

/**
 * Reads what services prove themselves with at NATS. A file holds one of these:
 *
 * - a user and its password, as `runlane nats-config` mints them: `{"user":"queue","password":"…"}`;
 * - all users by name, as an embedded nats-server has them in `nats/credentials.json` of its data folder;
 * - NATS's own `.creds`: a signed JWT and its seed. It does not say which service it is for, so that must be said with the file: `queue=path`. The word may stand before the others, too;
 *   without it a `.creds` file serves the only service there is.
 *
 * @param given what stands behind `--nats-creds`, once or several times
 * @param services the services that need credentials
 * @throws Error that names the file and what is wrong with it, or the service that no file is for.
 */
export async function readNatsCredentials<S extends NatsUser>(given: readonly string[], services: readonly S[]): Promise<Record<S, NatsCredentials>> {
  const found = new Map<NatsUser, NatsCredentials>();
  for (const one of given) {
    const [, service, path = one] = /^(queue|scheduler|executor)=(.+)$/.exec(one) ?? [];
    for (const credentials of await readOne(path, (service ?? (services.length === 1 ? services[0] : undefined)) as NatsUser | undefined)) {
      if (service === undefined || credentials.user === service) found.set(credentials.user, credentials);
      else throw new Error(`--nats-creds ${one}: the file is for ${credentials.user}`);
    }
  }
  const missing = services.filter((service) => !found.has(service));
  if (missing.length > 0) {
    const others = found.size > 0 ? `; those given are for ${[...found.keys()].join(", ")}` : "";
    throw new Error(`--nats-creds has no credentials for ${missing.join(", ")}${others}`);
  }
  return Object.fromEntries(services.map((service) => [service, found.get(service)])) as Record<S, NatsCredentials>;
}

async function readOne(path: string, service: NatsUser | undefined): Promise<NatsCredentials[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new Error(`--nats-creds ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (text.includes("-----BEGIN NATS USER JWT-----")) {
    if (service === undefined) throw new Error(`--nats-creds ${path} does not say which service it is for: write queue=${path}, for instance`);
    return [{ user: service, creds: text }];
  }
  const passwords = passwordsIn(text);
  if (passwords.length === 0) {
    throw new Error(`--nats-creds ${path} holds no credentials: it must be a file of runlane nats-config, or a .creds file of NATS`);
  }
  // A file with all users serves the service that it was given for.
  return passwords.length > 1 && service !== undefined ? passwords.filter(({ user }) => user === service) : passwords;
}

function passwordsIn(text: string): NatsPassword[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return [];
  }
  if (isPassword(parsed)) return [parsed];
  return typeof parsed === "object" && parsed !== null ? Object.values(parsed).filter(isPassword) : [];
}

function isPassword(value: unknown): value is NatsPassword {
  if (typeof value !== "object" || value === null) return false;
  const { user, password } = value as Partial<NatsPassword>;
  return natsUsers.some((known) => known === user) && typeof password === "string" && password !== "";
}
