import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { ApiClientMissingError } from "@runlane/sdk";
import type { Task } from "@runlane/sdk/gen/runlane/v1/task_service_pb.js";
import { describe, expect, test } from "vitest";
import { temporaryProject } from "../testing/temporary-project.js";
import { checks, examine } from "./checks.js";
import { aliasFinding, installedPackage, sdkFinding } from "./project-checks.js";
import { Scene } from "./scene.js";
import { checkAddress, clockFinding, keyFinding, reachFinding, targetOf, versionFinding, workersFinding } from "./server-checks.js";

const named = { address: "http://runlane.example.com", source: "RUNLANE_ADDRESS", named: true, overruled: [] };
const found = { address: "http://127.0.0.1:7400", source: "the default", named: false, overruled: [] };

describe("the server", () => {
  test("its address comes from the first that names one, and what does not count is said", () => {
    const folder = { path: "/app/.runlane", secretKey: "k", address: "http://127.0.0.1:7500" };
    expect(targetOf(undefined, {}, undefined)).toEqual(found);
    expect(targetOf(undefined, {}, folder)).toMatchObject({ address: "http://127.0.0.1:7500", source: "/app/.runlane/server.json", named: false });
    const both = targetOf(undefined, { RUNLANE_ADDRESS: "http://a", TRIGGER_API_URL: "http://b" }, folder);
    expect(both).toEqual({ address: "http://a", source: "RUNLANE_ADDRESS", named: true, overruled: ["TRIGGER_API_URL", "/app/.runlane/server.json"] });
    const words = "http://a, by RUNLANE_ADDRESS; TRIGGER_API_URL and /app/.runlane/server.json say otherwise, and do not count";
    expect(checkAddress(both)).toMatchObject({ level: "warn", words });
    expect(targetOf("http://c", { RUNLANE_ADDRESS: "http://a" }, folder)).toMatchObject({ source: "--address", overruled: [] });
  });

  test("an address that is none fails with the place that it stands in", () => {
    const finding = checkAddress({ ...named, address: "localhost" });
    expect(finding).toMatchObject({ level: "fail", words: expect.stringMatching(/^RUNLANE_ADDRESS: "localhost" is not the address/) });
  });

  test("that is away fails if somebody named it, and is only to think about otherwise", () => {
    const away = new ConnectError("could not be reached", Code.Unavailable);
    expect(reachFinding(away, named)).toMatchObject({ level: "fail", words: "could not be reached" });
    expect(reachFinding(away, found)).toMatchObject({ level: "warn", advice: expect.stringContaining("runlane dev") });
    expect(reachFinding(new ApiClientMissingError("no key"), found)).toMatchObject({ level: "warn", words: "none has run here so far" });
    expect(reachFinding(new ConnectError("broken", Code.Internal), named)).toMatchObject({ level: "fail", words: "it answers with an error: broken" });
  });

  test("that refuses the key is there; the key fails, with the place that it came from", () => {
    const refused = new ConnectError("the key is not one of this server's", Code.Unauthenticated);
    expect(reachFinding(refused, named).level).toBe("ok");
    expect(keyFinding(refused, "RUNLANE_SECRET_KEY", named)).toMatchObject({
      level: "fail",
      words: "refused, from RUNLANE_SECRET_KEY: the key is not one of this server's",
      advice: expect.stringContaining("secret-key"),
    });
    expect(keyFinding(undefined, undefined, named)).toMatchObject({ level: "fail", words: "there is no secret key" });
    expect(keyFinding(undefined, undefined, found).level).toBe("skip");
    expect(keyFinding(new ConnectError("away", Code.Unavailable), "RUNLANE_SECRET_KEY", named).level).toBe("skip");
  });

  test("clocks may differ by seconds, not by more", () => {
    expect(clockFinding(1_200).level).toBe("ok");
    expect(clockFinding(-90_000)).toMatchObject({ level: "warn", words: "the server's is 90 s behind this one" });
    expect(clockFinding(90_000).words).toBe("the server's is 90 s ahead of this one");
    expect(clockFinding(undefined).level).toBe("skip");
  });

  test("versions should be the same", () => {
    expect(versionFinding("1.2.0", "1.2.0")).toEqual({ level: "ok", words: "command and server are 1.2.0" });
    expect(versionFinding("1.2.0", "1.3.0")).toMatchObject({ level: "warn", words: "the command is 1.2.0, the server 1.3.0" });
    expect(versionFinding("1.2.0", undefined).level).toBe("warn");
  });

  test("tasks of this project without a worker are named", () => {
    const task = (id: string, workerCount: number) => ({ id, workerCount }) as Task;
    expect(workersFinding([], ["a"])).toMatchObject({ level: "warn", words: "none has ever been connected" });
    expect(workersFinding([task("a", 0)], ["a"])).toMatchObject({ level: "warn", words: expect.stringContaining("none is connected") });
    expect(workersFinding([task("a", 1), task("b", 0)], ["a", "b"])).toMatchObject({ level: "warn", words: "no worker has b of this project" });
    expect(workersFinding([task("a", 2), task("b", 0)], ["a"])).toEqual({ level: "ok", words: "1 of 2 known tasks have one" });
  });
});

describe("the project", () => {
  const own = { name: "@runlane/sdk", version: "1.0.0", folder: "/app/node_modules/@runlane/sdk" };

  test("a package is found in the folder and above, under the name that it gives itself", () => {
    const folder = temporaryProject({ "node_modules/@trigger.dev/sdk/package.json": '{ "name": "@runlane/sdk", "version": "9.9.9" }', "src/a.ts": "" });
    expect(installedPackage(join(folder, "src"), "@trigger.dev/sdk")).toMatchObject({ name: "@runlane/sdk", version: "9.9.9" });
    expect(installedPackage(folder, "@runlane/nothing")).toBeUndefined();
  });

  test("an SDK of another version is named, and so is none", () => {
    expect(sdkFinding(own, undefined, "1.0.0").level).toBe("ok");
    expect(sdkFinding(own, undefined, "1.1.0")).toMatchObject({ level: "warn", advice: "npm install @runlane/sdk@1.1.0" });
    expect(sdkFinding(undefined, undefined, "1.0.0")).toMatchObject({ level: "warn", words: expect.stringContaining("not installed") });
    expect(sdkFinding(undefined, own, "1.0.0").level).toBe("ok");
  });

  test("Trigger.dev's own SDK fails if task files import it", () => {
    const theirs = { ...own, name: "@trigger.dev/sdk", version: "4.4.0" };
    const advice = expect.stringContaining("@trigger.dev/sdk@npm:@runlane/sdk");
    expect(aliasFinding(own, true)).toEqual({ level: "ok", words: "leads to @runlane/sdk" });
    expect(aliasFinding(theirs, true)).toMatchObject({ level: "fail", words: expect.stringContaining("Trigger.dev's own (4.4.0)"), advice });
    expect(aliasFinding(theirs, false).level).toBe("warn");
    expect(aliasFinding(undefined, true)).toMatchObject({ level: "fail", words: "task files import it, and it is not installed", advice });
    expect(aliasFinding(undefined, false).level).toBe("ok");
  });
});

describe("all of it", () => {
  const away = () => Promise.reject(new ConnectError("could not be reached", Code.Unavailable));
  const sceneOf = (cwd: string, env: NodeJS.ProcessEnv = {}) => Scene.enter({ cwd, env, dirs: [], version: "1.0.0", connect: away });
  const look = async (cwd: string, env?: NodeJS.ProcessEnv) => {
    const results = [];
    for await (const result of examine(await sceneOf(cwd, env))) results.push(result);
    return new Map(results.map((result) => [result.id, result]));
  };

  test("in a project with a broken config and no server, each says what is the matter, and no build is left", async () => {
    const folder = temporaryProject({ "runlane.config.ts": "throw new Error('in the config');", "trigger/a.ts": "", "package.json": "{}" });
    mkdirSync(join(folder, ".runlane"), { mode: 0o700 });
    writeFileSync(join(folder, ".runlane/secret-key"), "rl_dev_x\n", { mode: 0o600 });
    const results = await look(folder);
    expect(results.size).toBe(checks.length);
    expect(results.get("config")).toMatchObject({ level: "fail", words: expect.stringContaining("in the config") });
    expect(results.get("task-files")?.level).toBe("fail");
    expect(results.get("server")).toMatchObject({ level: "warn", words: "no server runs: could not be reached" });
    expect(results.get("workers")?.level).toBe("skip");
    expect(results.get("data-folder")?.level).toBe("ok");
    expect(readdirSync(join(folder, "node_modules/.cache/runlane"))).toEqual([]);
  });

  test("of a server elsewhere, nothing of this machine's disk and ports is looked at", async () => {
    const results = await look(temporaryProject({}), { RUNLANE_ADDRESS: "https://runlane.example.com", RUNLANE_SECRET_KEY: "rl_dev_x" });
    for (const id of ["data-folder", "secret-key", "disk-space", "fsync", "port-7400", "port-7401"]) expect(results.get(id)?.level).toBe("skip");
    expect(results.get("server")?.level).toBe("fail");
    expect(results.get("task-files")?.level).toBe("warn");
  });

  test("a check that breaks down fails, and the others go on", async () => {
    const table = [
      { id: "a", title: "a", look: () => Promise.reject(new Error("unheard of")) },
      { id: "b", title: "b", look: () => ({ level: "ok" as const, words: "fine" }) },
    ];
    const findings = [];
    for await (const { level, words } of examine(await sceneOf(temporaryProject({})), table)) findings.push([level, words]);
    expect(findings).toEqual([
      ["fail", "unheard of"],
      ["ok", "fine"],
    ]);
  });
});
