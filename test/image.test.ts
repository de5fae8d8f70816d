import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { runlane } from "./support/command-line.js";
import { eventually } from "./support/eventually.js";
import { NatsServer } from "./support/nats-server.js";
import { Program, repository, runlaneCommand } from "./support/program.js";
import { temporaryFolder } from "./support/temporary-folder.js";

// There is no container engine where these tests run. They hold Dockerfile and docker-compose.yml against what they refer to, and execute what a container would.

/** A service of a composition, as far as these tests look at it. */
interface Service {
  build?: { target: string };
  image?: string;
  user?: string;
  command: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
}

const composition: { services: Record<string, Service>; volumes: Record<string, unknown> } = parse(
  readFileSync(join(repository, "docker-compose.yml"), "utf8"),
  { merge: true },
);
const service = (name: string): Service => {
  const found = composition.services[name];
  if (!found) throw new Error(`there is no service ${name}`);
  return found;
};
/** Instructions of the Dockerfile, with continued lines joined. */
const instructions = readFileSync(join(repository, "Dockerfile"), "utf8")
  .replaceAll("\\\n", " ")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => line.split(/\s+/));
const stages = instructions.filter(([word]) => word === "FROM").map(([, image, , name]) => ({ image, name }));

test("the image is built of files that are there, on stages that are there, and runs as an ordinary user", () => {
  const tracked = execFileSync("git", ["ls-files"], { cwd: repository, encoding: "utf8" }).split("\n");
  for (const [word, ...args] of instructions) {
    const from = args.find((arg) => arg.startsWith("--from="))?.slice("--from=".length);
    if (word !== "COPY") continue;
    if (from !== undefined) expect(stages.map((stage) => stage.name)).toContain(from);
    else
      for (const source of args.slice(0, -1))
        expect(
          tracked.some((file) => file === source || file.startsWith(`${source}/`)),
          source,
        ).toBe(true);
  }
  const runlaneStage = instructions.findIndex((words) => words.join(" ").endsWith("AS runlane"));
  const after = instructions.slice(runlaneStage);
  expect(after.filter(([word]) => word === "USER")).toEqual([["USER", "node"]]);
  // What is built without a target is the server's image.
  expect(stages.at(-1)).toEqual({ image: "runlane", name: undefined });
});

test("nats-server is the same everywhere, by a tag that does not move, and new enough", () => {
  const images = [...stages, ...Object.values(composition.services)].flatMap(({ image }) => (image?.startsWith("nats:") ? [image] : []));
  expect(images).toHaveLength(2);
  const [, version = ""] = /^nats:(\d+\.\d+\.\d+)-alpine$/.exec(images[0] ?? "") ?? [];
  expect(images[1]).toBe(images[0]);
  const [, oldest = ""] = /oldestNatsServer = "(.+)"/.exec(readFileSync(join(repository, "scripts/nats-server.mjs"), "utf8")) ?? [];
  expect(oldest).not.toBe("");
  expect(version.localeCompare(oldest, "en", { numeric: true }), `${version} and ${oldest}`).toBeGreaterThanOrEqual(0);
});

test("the composition refers to nothing that is not there, and gives each service its own credentials only", () => {
  for (const [name, { build, volumes = [], depends_on = {} }] of Object.entries(composition.services)) {
    if (build) expect(stages.map((stage) => stage.name)).toContain(build.target);
    for (const volume of volumes) expect(Object.keys(composition.volumes)).toContain(volume.split(":")[0]);
    for (const other of Object.keys(depends_on)) expect(Object.keys(composition.services), name).toContain(other);
  }
  for (const name of ["scheduler", "queue", "executor"]) {
    expect(service(name).volumes?.filter((volume) => volume.includes("credentials"))).toEqual([`${name}-credentials:/credentials:ro`]);
    expect(service(name).volumes?.some((volume) => volume.startsWith("setup:"))).toBe(false);
  }
});

test("what the composition's containers execute is a Runlane that runs tasks", async () => {
  const root = temporaryFolder();
  for (const folder of ["bin", "setup", "nats", "queue", "credentials/scheduler", "credentials/queue", "credentials/executor"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  writeFileSync(join(root, "bin/runlane"), `#!/bin/sh\nexec "${process.execPath}" "${runlaneCommand}" "$@"\n`, { mode: 0o755 });
  // Folders of containers are folders of the test, ports are any, and files keep their owner. A dollar is written twice for docker compose.
  const script = (service("setup").command[0] ?? "")
    .replaceAll("$$", "$")
    .replaceAll(/(?<=[\s"])\/(setup|nats|queue|credentials|data)(?=[\s"/])/g, `${root}/$1`)
    .replaceAll(/0\.0\.0\.0:\d+/g, "127.0.0.1:0")
    .replaceAll(" -o node -g node", "")
    .replaceAll("chown node:node", "chown $(id -u)");
  execFileSync("sh", ["-ec", script], { env: { ...process.env, PATH: `${join(root, "bin")}:${process.env.PATH}` } });
  const nats = await NatsServer.start(join(root, "nats/nats-server.conf"), onTestFinished, undefined, join(root, "setup/nats-external"));

  const env = { RUNLANE_SECRET_KEY: "rl_dev_of_the_composition", RUNLANE_LISTEN: "127.0.0.1:0", RUNLANE_HTTP_LISTEN: "127.0.0.1:0" };
  const place = (file: string): { address: string; httpAddress: string } => JSON.parse(readFileSync(join(root, file), "utf8"));
  for (const name of ["queue", "scheduler", "executor"]) {
    const data = join(root, `data-${name}`);
    mkdirSync(data);
    const args = service(name).command.map((arg) =>
      arg
        .replace("nats://nats:4222", nats.url)
        .replace("/credentials/", `${root}/credentials/${name}/`)
        .replace(/^\/data$/, data),
    );
    const program = new Program(runlaneCommand, args, { cwd: data, env: name === "queue" ? { ...env, RUNLANE_SECRET_KEY: undefined } : env });
    onTestFinished(async () => void (await program.stop()));
  }
  const [scheduler, executor] = ["data-scheduler/server.json", "data-executor/server-executor.json"];
  await eventually(
    "it is ready",
    async () => (await fetch(`${place(scheduler!).httpAddress}/readyz`)).ok && (await fetch(`${place(executor!).httpAddress}/readyz`)).ok,
  );

  const addresses = { RUNLANE_ADDRESS: place(scheduler!).address, RUNLANE_WORKER_ADDRESS: place(executor!).address };
  expect(Object.keys(service("worker").environment ?? {}).sort()).toEqual([...Object.keys(addresses), "RUNLANE_SECRET_KEY"].sort());
  // The worker's own: the last CMD before the stage ends.
  const worker = instructions.slice(instructions.findIndex((words) => words.at(-1) === "example-worker")).find(([word]) => word === "CMD");
  const workerArgs: string[] = JSON.parse(worker?.slice(1).join(" ") ?? "[]");
  const program = new Program(runlaneCommand, workerArgs, { cwd: join(repository, "examples"), env: { ...env, ...addresses } });
  onTestFinished(async () => void (await program.stop()));
  const { stdout, stderr, code } = await runlane(["trigger", "hello", '{"name":"you"}', "--wait"], { env: { ...env, ...addresses } });
  expect([code, stdout.trim()], stderr).toEqual([0, '"Hello, you!"']);
});
