import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nkeys } from "@nats-io/transport-node";
import { expect, onTestFinished, test, vi } from "vitest";
import { connectNats } from "./connection.js";
import { readNatsCredentials } from "./credentials-file.js";
import { natsServerBinary, silent } from "./nats.fixture.js";
import { natsPermissions } from "./users.js";

type KeyPair = ReturnType<typeof nkeys.createUser>;

/** Signs a claim as NATS's tools do. */
function sign(signer: KeyPair, subject: string, type: "operator" | "account" | "user", claim: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = { jti: subject, iat: 1_700_000_000, iss: signer.getPublicKey(), name: type, sub: subject, nats: { ...claim, type, version: 2 } };
  const text = `${encode({ typ: "JWT", alg: "ed25519-nkey" })}.${encode(body)}`;
  return `${text}.${Buffer.from(signer.sign(new TextEncoder().encode(text))).toString("base64url")}`;
}

test("a service proves itself with a .creds file that an operator has signed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "runlane-signed-"));
  const [operator, system, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createAccount(), nkeys.createUser()];
  const none = -1;
  const limits = { subs: none, conn: none, leaf: none, imports: none, exports: none, data: none, payload: none, wildcards: true };
  const store = { mem_storage: none, disk_storage: none, streams: none, consumer: none };
  const { publish, subscribe } = natsPermissions.queue;
  const jwt = sign(account, user.getPublicKey(), "user", { pub: { allow: publish }, sub: { allow: subscribe }, subs: none, data: none, payload: none });
  await writeFile(
    join(folder, "nats.conf"),
    `listen: "127.0.0.1:-1"
ports_file_dir: "${folder}"
jetstream { store_dir: "${join(folder, "store")}" }
operator: ${sign(operator, operator.getPublicKey(), "operator", {})}
resolver: MEMORY
system_account: ${system.getPublicKey()}
resolver_preload: {
  ${system.getPublicKey()}: ${sign(operator, system.getPublicKey(), "account", { limits })}
  ${account.getPublicKey()}: ${sign(operator, account.getPublicKey(), "account", { limits: { ...limits, ...store } })}
}
`,
  );
  const creds = join(folder, "queue.creds");
  const seed = new TextDecoder().decode(user.getSeed());
  await writeFile(
    creds,
    `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
  );
  const server = spawn(await natsServerBinary(), ["-c", join(folder, "nats.conf")], { stdio: "ignore" });
  onTestFinished(async () => {
    server.kill("SIGKILL");
    if (server.exitCode === null && server.signalCode === null) await once(server, "exit");
    await rm(folder, { recursive: true, force: true });
  });
  const url = await vi.waitFor(
    async () => {
      const file = (await readdir(folder)).find((name) => name.endsWith(".ports"));
      return JSON.parse(await readFile(join(folder, file ?? ""), "utf8")).nats[0] as string;
    },
    { timeout: 30_000 },
  );

  const { queue } = await readNatsCredentials([creds], ["queue"]);
  const link = await connectNats({ servers: url, ...queue, name: "test", logger: silent });
  const heard = vi.fn();
  link.connection.subscribe("runlane.call.test", { callback: (_, message) => heard(message.string()) });
  link.connection.publish("runlane.call.test", "hello");
  await vi.waitFor(() => expect(heard).toHaveBeenCalledWith("hello"));
  await link.close();
  await expect(connectNats({ servers: url, user: "queue", password: "wrong", name: "test", logger: silent, timeoutMs: 2_000 })).rejects.toThrow(
    "cannot connect",
  );
});
