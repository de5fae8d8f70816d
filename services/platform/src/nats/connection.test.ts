import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { connectNats } from "./connection.js";
import { silent } from "./nats.fixture.js";

let server: Server | undefined;
afterEach(() => server?.close());

/** A nats-server of some API level: says who it is, and answers the one request of a new connection. */
async function serverOfLevel(version: string, level: number): Promise<string> {
  server = createServer((socket) => {
    socket.write(`INFO ${JSON.stringify({ server_id: "x", version, max_payload: 1_048_576, headers: true, proto: 1, jetstream: true })}\r\n`);
    socket.on("data", (bytes) => {
      for (const line of bytes.toString().split("\r\n")) {
        if (line === "PING") socket.write("PONG\r\n");
        const [, reply] = /^PUB \$JS\.API\.INFO (\S+) /.exec(line) ?? [];
        const answer = JSON.stringify({ api: { level } });
        if (reply) socket.write(`MSG ${reply} 1 ${answer.length}\r\n${answer}\r\n`);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return `nats://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
}

const connect = (servers: string, timeoutMs = 20_000) => connectNats({ servers, user: "queue", password: "x", name: "test", logger: silent, timeoutMs });

test("a server whose JetStream is too old is refused, with its version", async () => {
  await expect(connect(await serverOfLevel("2.10.27", 0))).rejects.toThrow(/2\.14\.4 or newer is needed.*2\.10\.27.*level 0, 4 is needed/);
});

test("one that is new enough is accepted", async () => {
  const link = await connect(await serverOfLevel("2.14.4", 4));
  expect(link.up).toBe(true);
  const events: string[] = [];
  link.watch((event) => events.push(event));
  await link.close();
  await expect.poll(() => events).toEqual(["closed"]);
});

test("nobody there is an error that names the address", async () => {
  await expect(connect("nats://127.0.0.1:1", 200)).rejects.toThrow(/cannot connect to NATS at nats:\/\/127\.0\.0\.1:1/);
});
