import { join } from "node:path";
import { build } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";
import type { PageConfig, PageReport } from "./fixtures/browser/page.js";
import { browserFault, openPage } from "./support/chromium.js";
import { repository } from "./support/program.js";
import { TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";

let script: string;
let imports: unknown[];
beforeAll(async () => {
  const entryPoints = [join(repository, "test/fixtures/browser/page.ts")];
  const { outputFiles, metafile } = await build({
    entryPoints,
    bundle: true,
    write: false,
    metafile: true,
    platform: "browser",
    format: "esm",
    target: "es2022",
  });
  script = outputFiles[0]?.text ?? "";
  imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
});

const config = ({ httpAddress, secretKey }: TestServer): PageConfig => ({ baseUrl: httpAddress, secretKey });

test("the published contracts make a client for browsers, with nothing of Node", () => {
  expect(imports).toEqual([]);
  expect(script.includes("node:"), "an import of Node").toBe(false);
  expect(script.includes("createConnectTransport"), "a client").toBe(true);
});

describe.skipIf(browserFault())("a page in Chromium", () => {
  test("triggers a task, waits for it, watches it and reads errors, by Connect and by gRPC-Web", async () => {
    const server = await TestServer.start();
    new TestWorker(server, "tasks");
    const report = await openPage({ script, config: () => config(server) });
    const expected: PageReport = {
      waited: expect.arrayContaining(["COMPLETED"]),
      watched: "COMPLETED",
      output: { from: "a browser" },
      refusal: "RUN_NOT_FOUND",
    };
    expect(report).toEqual({ connect: expected, grpcWeb: expected });
  });

  test("of an origin that was not allowed gets no answer, and one that was gets it", async () => {
    const refused = await TestServer.start();
    const report = await openPage({ script, host: "app.test", config: () => config(refused) });
    expect(report).toEqual({ error: expect.stringContaining("Failed to fetch") });

    const allow = async (origin: string) => {
      const server = await TestServer.start({ args: ["--cors-origin", "https://other.test", "--cors-origin", origin] });
      new TestWorker(server, "tasks");
      return config(server);
    };
    expect(await openPage({ script, host: "app.test", config: allow })).toMatchObject({ connect: { watched: "COMPLETED" }, grpcWeb: { watched: "COMPLETED" } });
  });
});
