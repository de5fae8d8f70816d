import { chmodSync, existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryProject } from "../testing/temporary-project.js";
import { checkDataFolder, checkFsync, checkSecretKeyFile, fsyncFinding, spaceFinding } from "./data-folder-checks.js";
import { checkNatsServer, checkNode } from "./machine-checks.js";
import { checkPort, takenPort } from "./port-checks.js";

describe("the machine", () => {
  test("Node must be 20.19 or newer", () => {
    for (const fine of ["20.19.0", "22.0.0"]) expect(checkNode(fine)).toEqual({ level: "ok", words: `version ${fine}` });
    for (const old of ["18.20.4", "20.18.3"]) {
      expect(checkNode(old)).toEqual({ level: "fail", words: `version ${old} is too old`, advice: "install Node 20.19 or newer" });
    }
  });

  test("a nats-server that is missing fails, unless the server runs elsewhere", async () => {
    const missing = join(temporaryProject({}), "nats-server");
    const finding = await checkNatsServer(missing, {}, true);
    expect(finding).toMatchObject({ level: "fail", words: `--nats-server ${missing} cannot be used: it is not there` });
    expect(finding.advice).toContain("RUNLANE_NATS_SERVER");
    expect((await checkNatsServer(missing, {}, false)).level).toBe("ok");
  });

  test("a nats-server that is too old fails with both versions", async () => {
    const folder = temporaryProject({ "nats-server": "#!/bin/sh\necho nats-server: v2.9.0\n" });
    chmodSync(join(folder, "nats-server"), 0o755);
    const finding = await checkNatsServer(undefined, { RUNLANE_NATS_SERVER: join(folder, "nats-server") }, true);
    expect(finding.words).toContain("it is version 2.9.0, and 2.14.4 or newer is needed");
  });
});

describe("the data folder", () => {
  test("need not be there", async () => {
    const folder = join(temporaryProject({}), ".runlane");
    expect(await checkDataFolder(folder)).toEqual({ level: "ok", words: `none so far; a server makes ${folder}` });
    expect((await checkSecretKeyFile(folder)).level).toBe("ok");
    expect((await checkFsync(folder)).level).not.toBe("fail");
    expect(existsSync(folder)).toBe(false);
  });

  test("must be a folder, and is nobody else's business", async () => {
    const folder = temporaryProject({ file: "" });
    expect(await checkDataFolder(join(folder, "file"))).toMatchObject({ level: "fail", words: `${join(folder, "file")} is no folder` });
    chmodSync(folder, 0o755);
    expect(await checkDataFolder(folder)).toMatchObject({ level: "warn", advice: `chmod 700 ${folder}` });
    chmodSync(folder, 0o700);
    expect(await checkDataFolder(folder)).toEqual({ level: "ok", words: folder });
  });

  test("a key that others can read fails, with the mode and the remedy; the key itself stays unsaid", async () => {
    const folder = temporaryProject({ "secret-key": "rl_dev_x\n" });
    const file = join(folder, "secret-key");
    chmodSync(file, 0o644);
    const finding = await checkSecretKeyFile(folder);
    expect(finding).toMatchObject({ level: "fail", words: `others may read ${file} (mode 0644)`, advice: expect.stringContaining(`chmod 600 ${file}`) });
    chmodSync(file, 0o600);
    expect(await checkSecretKeyFile(folder)).toEqual({ level: "ok", words: `${file}, mode 0600` });
  });

  test("a probe of the disk leaves nothing behind", async () => {
    const folder = temporaryProject({});
    const before = readdirSync(folder);
    expect((await checkFsync(folder)).words).toMatch(/^an fsync takes [\d.]+ ms/);
    expect(readdirSync(folder)).toEqual(before);
  });

  test("a full or slow disk is named", () => {
    expect(spaceFinding(50 * 2 ** 20)).toMatchObject({ level: "fail", words: "only 50 MiB free: a server will soon refuse new runs" });
    expect(spaceFinding(500 * 2 ** 20)).toMatchObject({ level: "warn", words: "500 MiB free" });
    expect(spaceFinding(50 * 2 ** 30)).toEqual({ level: "ok", words: "50.0 GiB free" });
    expect(fsyncFinding(0.4)).toEqual({ level: "ok", words: "an fsync takes 0.40 ms" });
    expect(fsyncFinding(45)).toMatchObject({ level: "warn", words: expect.stringContaining("45 ms"), advice: expect.stringContaining("SSD") });
  });
});

describe("a port", () => {
  test("that somebody listens on is told with the process", async () => {
    const server = createServer();
    onTestFinished(() => void server.close());
    const port = await new Promise<number>((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)));
    const finding = await checkPort(port, undefined);
    expect(finding).toMatchObject({ level: "warn", words: expect.stringContaining(`process ${process.pid}`), advice: expect.stringContaining("--listen") });
    expect(await checkPort(port, process.pid)).toEqual({ level: "ok", words: `taken by the server of the data folder, process ${process.pid}` });
  });

  test("of a process that cannot be seen is taken all the same", () => {
    expect(takenPort(7_400, undefined, 1)).toMatchObject({ level: "warn", words: "taken by a process that cannot be seen from here" });
  });
});
