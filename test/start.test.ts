import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "./support/eventually.js";
import { alive, descendants } from "./support/processes.js";
import { Program, repository } from "./support/program.js";
import { temporaryFolder } from "./support/temporary-folder.js";

// `npm start`, on what is installed and built already.
function start(...args: string[]): Program {
  const program = new Program(join(repository, "scripts/start.mjs"), ["--data", temporaryFolder(), ...args], {
    // By default HTTP is on the next port, which may be somebody else's.
    env: { RUNLANE_HTTP_LISTEN: "127.0.0.1:0" },
  });
  onTestFinished(async () => void (await program.stop()));
  return program;
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((listening) => probe.listen(0, "127.0.0.1", listening));
  const address = probe.address();
  await new Promise((closed) => probe.close(closed));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

test("npm start -- --once runs the examples and ends with 0", async () => {
  const program = start("--once", "--listen", `127.0.0.1:${await freePort()}`);
  expect(await program.ended, program.output).toBe(0);
  for (const task of ["hello", "flaky", "word-index", "checksum-tree"]) expect(program.stdout).toMatch(new RegExp(`${task} .*COMPLETED`));
  expect(program.stdout).toMatch(/flaky .*COMPLETED attempt 3/);
});

test.each(["SIGINT", "SIGKILL"] as const)("npm start, ended by %s, leaves no process behind", async (signal) => {
  const program = start("--listen", `127.0.0.1:${await freePort()}`);
  await program.until("it stays", () => program.stdout.includes("Ctrl-C"), 60_000);
  const children = await program.until("server, nats-server, launcher and supervisor are there", () => {
    const found = descendants(program.pid);
    return found.length >= 4 && found;
  });

  program.signal(signal);
  await program.ended;
  await eventually("every process is gone", () => !children.some(alive));
});

test("a taken port is an error that names it and says what to do", async () => {
  const taken = createServer();
  await new Promise<void>((listening) => taken.listen(0, "127.0.0.1", listening));
  onTestFinished(() => void taken.close());
  const address = taken.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;

  const program = start("--listen", `127.0.0.1:${port}`);
  expect(await program.ended).toBe(1);
  expect(program.stderr).toContain(`127.0.0.1:${port} is taken`);
  expect(program.stderr).toContain("--listen");
});
