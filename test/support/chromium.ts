import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./temporary-folder.js";

/** Why no browser can be used here, or undefined if one can. */
export function browserFault(): string | undefined {
  return spawnSync("chromium", ["--version"]).error ? "chromium is not installed" : undefined;
}

/** A page to be opened. */
export interface Page {
  /** Its code, a module. */
  script: string;
  /** Name of the host that it comes from; the browser is told that it is this machine. Default 127.0.0.1. */
  host?: string;
  /** What it is told as config.json, once its origin is known. */
  config(origin: string): Promise<unknown> | unknown;
}

/** Opens a page in Chromium, and resolves with what it POSTs to `report`. */
export async function openPage({ script, host = "127.0.0.1", config }: Page): Promise<unknown> {
  let told: (report: unknown) => void = () => {};
  const report = new Promise<unknown>((resolve) => {
    told = resolve;
  });
  const pages: Record<string, () => unknown> = {
    "GET /": () => '<!doctype html><script type="module" src="page.js"></script>',
    "GET /page.js": () => script,
    "GET /config.json": async () => JSON.stringify(await config(origin)),
  };
  const types: Record<string, string> = { "/": "text/html", "/page.js": "text/javascript", "/config.json": "application/json" };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const answer = pages[`${request.method} ${request.url}`];
    if (answer) response.writeHead(200, { "content-type": types[request.url ?? ""] }).end(await answer());
    else if (request.url === "/report") {
      response.end();
      told(JSON.parse(Buffer.concat(chunks).toString()));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://${host}:${(server.address() as AddressInfo).port}`;
  // Ended by a program of its own, should the test be killed.
  const flags = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    `--host-resolver-rules=MAP ${host} 127.0.0.1`,
  ];
  const browser = spawn("timeout", ["-k", "1", "60", "chromium", ...flags, `--user-data-dir=${temporaryFolder()}`, origin], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  browser.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = new Promise<never>((_, reject) => browser.once("close", () => reject(new Error(`the browser ended before the page reported:\n${said}`))));
  onTestFinished(async () => {
    browser.kill("SIGTERM");
    await ended.catch(() => {});
    server.closeAllConnections();
    server.close();
  });
  return await Promise.race([report, ended]);
}
