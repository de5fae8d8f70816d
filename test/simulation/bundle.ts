import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { repository } from "../support/program.js";
import type { Order, Report } from "./program.js";

const engine = "services/queue/src/engine/";

/**
 * Bundles the simulation with the engine's sources, so that they run as fast as they do in a server. With `patched`, files of the engine are read from that folder instead, which has the
 * repository's layout.
 */
export async function bundle(outfile: string, patched?: string): Promise<string> {
  await build({
    entryPoints: [join(repository, "test/simulation/program.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
    conditions: ["@runlane/source"],
    logLevel: "silent",
    plugins: [
      {
        name: "patched engine",
        setup({ onLoad }) {
          if (!patched) return;
          onLoad({ filter: /[/\\]services[/\\]queue[/\\]src[/\\]engine[/\\][^/\\]+\.ts$/ }, async ({ path }) => ({
            contents: await readFile(join(patched, relative(repository, path)), "utf8"),
            loader: "ts",
          }));
        },
      },
    ],
  });
  return outfile;
}

/** The folder of the engine's sources in the repository. */
export const engineFolder = engine;

/** Plays seeds in as many threads as there are cores; stops each at its first failure. */
export async function playAll(program: string, order: Omit<Order, "stride">, threads = Math.max(1, availableParallelism())): Promise<Report> {
  const reports = await Promise.all(
    Array.from({ length: threads }, (_, i) => inThread(program, { ...order, first: order.first + i, seeds: order.seeds - i, stride: threads })),
  );
  return {
    played: reports.reduce((sum, { played }) => sum + played, 0),
    events: reports.reduce((sum, { events }) => sum + events, 0),
    failures: reports.flatMap(({ failures }) => failures),
  };
}

function inThread(program: string, order: Order): Promise<Report> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(program, { workerData: order });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}
