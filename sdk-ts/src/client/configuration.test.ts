import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ApiClientMissingError, configure, presentConfiguration, resolveTarget, resolveWorkerTarget } from "./configuration.js";

let root: string;
let inner: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "runlane-configuration-"));
  inner = join(root, "a", "b");
  mkdirSync(inner, { recursive: true });
});

afterEach(() => {
  rmSync(root, { recursive: true });
  configure({});
});

function dataFolder(folder: string, files: { key?: string; server?: string }) {
  const path = join(folder, ".runlane");
  mkdirSync(path);
  if (files.key !== undefined) writeFileSync(join(path, "secret-key"), files.key);
  if (files.server !== undefined) writeFileSync(join(path, "server.json"), files.server);
}

const server = (address: string) => JSON.stringify({ address, pid: 1 });

test("what is configured wins over the environment, RUNLANE_* over TRIGGER_*, and all over the data folder", () => {
  dataFolder(root, { key: "rl_dev_folder\n", server: server("http://127.0.0.1:1") });
  const trigger = { TRIGGER_API_URL: "http://127.0.0.1:2", TRIGGER_SECRET_KEY: "rl_dev_trigger" };
  const runlane = { RUNLANE_ADDRESS: "http://127.0.0.1:3", RUNLANE_SECRET_KEY: "rl_dev_runlane" };
  const configured = { baseURL: "http://127.0.0.1:4", secretKey: "rl_dev_configured" };
  expect(resolveTarget({}, {}, inner)).toEqual({ address: "http://127.0.0.1:1", secretKey: "rl_dev_folder" });
  expect(resolveTarget({}, trigger, inner)).toEqual({ address: "http://127.0.0.1:2", secretKey: "rl_dev_trigger" });
  expect(resolveTarget({}, { ...trigger, ...runlane }, inner)).toEqual({ address: "http://127.0.0.1:3", secretKey: "rl_dev_runlane" });
  expect(resolveTarget(configured, { ...trigger, ...runlane }, inner)).toEqual({ address: "http://127.0.0.1:4", secretKey: "rl_dev_configured" });
  expect(resolveTarget({ ...configured, accessToken: "rl_dev_token" }, {}, inner).secretKey).toBe("rl_dev_token");
});

test("a worker connects to the executors' address if there is one, and to the server's otherwise", () => {
  dataFolder(root, { key: "rl_dev_folder", server: server("http://127.0.0.1:1") });
  expect(resolveWorkerTarget({}, inner).address).toBe("http://127.0.0.1:1");
  expect(resolveWorkerTarget({ RUNLANE_ADDRESS: "http://127.0.0.1:2" }, inner).address).toBe("http://127.0.0.1:2");
  const both = { RUNLANE_ADDRESS: "http://127.0.0.1:2", RUNLANE_WORKER_ADDRESS: "http://127.0.0.1:3" };
  expect(resolveWorkerTarget(both, inner)).toEqual({ address: "http://127.0.0.1:3", secretKey: "rl_dev_folder" });
  expect(resolveTarget({}, both, inner).address).toBe("http://127.0.0.1:2");
});

test("the nearest data folder counts", () => {
  dataFolder(root, { key: "rl_dev_far", server: server("http://127.0.0.1:1") });
  dataFolder(join(root, "a"), { key: "rl_dev_near" });
  expect(resolveTarget({}, {}, inner)).toEqual({ address: "http://127.0.0.1:7400", secretKey: "rl_dev_near" });
});

test.each(["", "{", "null", "[]", '{"address":7}'])("a server.json of %j counts as none", (content) => {
  dataFolder(root, { key: "rl_dev_folder", server: content });
  expect(resolveTarget({}, {}, inner).address).toBe("http://127.0.0.1:7400");
});

test("the key of a data folder is not sent to other machines", () => {
  dataFolder(root, { key: "rl_dev_folder" });
  expect(() => resolveTarget({ baseURL: "https://runlane.example.com" }, {}, inner)).toThrow(ApiClientMissingError);
  expect(resolveTarget({ baseURL: "http://localhost:7400" }, {}, inner).secretKey).toBe("rl_dev_folder");
});

test("without a key the error says where one may be put", () => {
  expect(() => resolveTarget({}, {}, inner)).toThrow(ApiClientMissingError);
  expect(() => resolveTarget({}, {}, inner)).toThrow(/http:\/\/127\.0\.0\.1:7400.*RUNLANE_SECRET_KEY.*configure/);
});

test("configure replaces what was configured before", () => {
  configure({ secretKey: "a", baseURL: "http://host:1" });
  configure({ secretKey: "b" });
  expect(presentConfiguration()).toEqual({ secretKey: "b" });
});

test("configure refuses what is no address, and options that have no effect so far", () => {
  expect(() => configure({ baseURL: "localhost:7400" })).toThrow("is not the address of a Runlane server");
  expect(() => configure({ previewBranch: "main" } as object)).toThrow("configure: not yet supported: previewBranch");
  expect(() => configure({ requestOptions: { retry: {} } as object })).toThrow("configure: requestOptions: not yet supported: retry");
});
