import { createLogger } from "@runlane/platform";
import { expect, test } from "vitest";
import { logLineOf } from "./log-line.js";

test("a thread's line stands in the log under the process's name, with each field once", () => {
  const written: string[] = [];
  const log = createLogger({ name: "runlane-queue", env: {}, destination: { write: (line) => void written.push(line) } });
  const thread = createLogger({ name: "history", env: {}, destination: { write: (line) => logLineOf(log, line) } });
  thread.warn({ server: "127.0.0.1:4222", err: new Error("away") }, "connection to NATS lost");
  const line = JSON.parse(written[0]!);
  expect(line).toMatchObject({ level: "warn", name: "runlane-queue", thread: "history", server: "127.0.0.1:4222", msg: "connection to NATS lost" });
  expect(line.err.message).toBe("away");
  for (const field of ["level", "time", "pid", "name"]) expect(written[0]!.split(`"${field}":`), field).toHaveLength(2);
});
