import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, createContextValues, createHandlerContext } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TaskService } from "#gen/runlane/v1/task_service_pb.js";
import { reasonOf } from "../errors.js";
import { createAuthenticator } from "./authenticator.js";
import { principalKey, principalOf } from "./principal.js";
import { secretKeyOf } from "./secret-key.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "runlane-auth-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("the secret key", () => {
  test("is minted once, into a file that only its owner may read", async () => {
    const { key, environment } = await secretKeyOf(folder, {});
    expect(key).toMatch(/^rl_dev_[\w-]{32}$/);
    expect(environment).toBe("dev");
    expect(await secretKeyOf(folder, {})).toEqual({ key, environment });
    expect((await stat(join(folder, "secret-key"))).mode & 0o777).toBe(0o600);
    expect((await readFile(join(folder, "secret-key"), "utf8")).trim()).toBe(key);
  });

  test("is the same for all that mint it at the same time, and no draft stays", async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, () => secretKeyOf(folder, {})));
    expect(new Set(keys.map(({ key }) => key)).size).toBe(1);
    expect(await readdir(folder)).toEqual(["secret-key"]);
  });

  test("is adopted from RUNLANE_SECRET_KEY, and kept for local clients", async () => {
    await secretKeyOf(folder, {});
    expect(await secretKeyOf(folder, { RUNLANE_SECRET_KEY: "tr_dev_mine" })).toEqual({ key: "tr_dev_mine", environment: "dev" });
    expect((await secretKeyOf(folder, {})).key).toBe("tr_dev_mine");
    expect((await stat(join(folder, "secret-key"))).mode & 0o777).toBe(0o600);
  });

  test("in a file that others could read is made private", async () => {
    await writeFile(join(folder, "secret-key"), "by-hand\n", { mode: 0o644 });
    await chmod(join(folder, "secret-key"), 0o644);
    expect((await secretKeyOf(folder, {})).key).toBe("by-hand");
    expect((await stat(join(folder, "secret-key"))).mode & 0o777).toBe(0o600);
  });

  test.each(["two words", "ü", "x".repeat(257)])("is refused if it cannot be sent as metadata: %s", async (key) => {
    await expect(secretKeyOf(folder, { RUNLANE_SECRET_KEY: key })).rejects.toThrow("RUNLANE_SECRET_KEY holds no secret key");
  });

  test("in an empty file is refused, by the file's name", async () => {
    await writeFile(join(folder, "secret-key"), "");
    await expect(secretKeyOf(folder, {})).rejects.toThrow(join(folder, "secret-key"));
  });
});

describe("the authenticator", () => {
  const authenticate = createAuthenticator([
    { key: "rl_dev_one", environment: "dev" },
    { key: "rl_prod_two", environment: "prod" },
  ]);
  const reason = (authorization: string | undefined) => {
    try {
      authenticate(authorization);
    } catch (error) {
      expect((error as ConnectError).code).toBe(Code.Unauthenticated);
      return reasonOf(error);
    }
    return undefined;
  };

  test("knows whose key it is", () => {
    expect(authenticate("Bearer rl_dev_one")).toEqual({ environment: "dev" });
    expect(authenticate("bearer rl_prod_two")).toEqual({ environment: "prod" });
  });

  test("tells a missing key from a wrong one", () => {
    for (const missing of [undefined, "", "Bearer", "Bearer ", "Basic abc", "rl_dev_one"]) expect(reason(missing)).toBe("MISSING_KEY");
    for (const wrong of ["Bearer rl_dev_on", "Bearer rl_dev_onee", "Bearer RL_DEV_ONE", "Bearer \u00fc"]) expect(reason(wrong)).toBe("INVALID_KEY");
  });
});

test("a handler learns who calls, or that nobody was authenticated", () => {
  const init = { service: TaskService, method: TaskService.method.listTasks, protocolName: "grpc", requestMethod: "POST", url: "" };
  const known = createHandlerContext({ ...init, contextValues: createContextValues().set(principalKey, { environment: "dev" }) });
  expect(principalOf(known)).toEqual({ environment: "dev" });
  expect(() => principalOf(createHandlerContext(init))).toThrow(ConnectError);
});
