import { checkDataFolder, checkDiskSpace, checkFsync, checkSecretKeyFile } from "./data-folder-checks.js";
import { type Finding, fail, ok, skip } from "./finding.js";
import { checkNatsServer, checkNode } from "./machine-checks.js";
import { checkMemoryLimits } from "./memory-limit-check.js";
import { checkPort, defaultPorts } from "./port-checks.js";
import { aliasFinding, checkConfig, importsAlias, installedPackage, sdkFinding, taskFilesFinding } from "./project-checks.js";
import type { Scene } from "./scene.js";
import { checkAddress, clockFinding, keyFinding, reachFinding, versionFinding, workersFinding } from "./server-checks.js";

/** Something to look at. */
export interface Check {
  /** For programs; does not change. */
  readonly id: string;
  /** For people. */
  readonly title: string;
  look(scene: Scene): Finding | Promise<Finding>;
}

const local = (look: Check["look"]): Check["look"] => {
  return (scene) => (scene.isLocal ? look(scene) : skip("the server runs elsewhere"));
};

/** Everything that `runlane doctor` looks at, in this order. */
export const checks: readonly Check[] = [
  { id: "node", title: "Node", look: () => checkNode(process.versions.node) },
  { id: "nats-server", title: "nats-server", look: ({ options, isLocal }) => checkNatsServer(options.natsServer, options.env, isLocal) },
  { id: "data-folder", title: "data folder", look: local(({ dataPath }) => checkDataFolder(dataPath)) },
  { id: "secret-key", title: "secret key file", look: local(({ dataPath }) => checkSecretKeyFile(dataPath)) },
  { id: "disk-space", title: "disk space", look: local(({ dataPath }) => checkDiskSpace(dataPath)) },
  { id: "fsync", title: "disk speed", look: local(({ dataPath }) => checkFsync(dataPath)) },
  ...defaultPorts.map((port): Check => ({ id: `port-${port}`, title: `port ${port}`, look: local(({ serverPid }) => checkPort(port, serverPid)) })),
  { id: "address", title: "server address", look: ({ target }) => checkAddress(target) },
  { id: "server", title: "server", look: async (scene) => reachFinding(errorOf(await scene.answer()), scene.target) },
  { id: "key", title: "secret key", look: async (scene) => keyFinding(errorOf(await scene.answer()), scene.keySource, scene.target) },
  {
    id: "clock",
    title: "clock",
    look: async (scene) => {
      const answer = await scene.answer();
      return answer instanceof Error ? unreached : clockFinding(answer.aheadMs);
    },
  },
  {
    id: "version",
    title: "version",
    look: async (scene) => {
      const answer = await scene.answer();
      const { version } = scene.options;
      return answer instanceof Error ? ok(`the command is ${version}`) : versionFinding(version, answer.version);
    },
  },
  {
    id: "sdk",
    title: "@runlane/sdk",
    look: ({ project, options }) =>
      sdkFinding(installedPackage(project.folder, "@runlane/sdk"), installedPackage(project.folder, "@trigger.dev/sdk"), options.version),
  },
  {
    id: "alias",
    title: "@trigger.dev/sdk",
    look: async (scene) => {
      const built = await scene.build();
      const imported = built instanceof Error ? /@trigger\.dev\/sdk/.test(built.message) : importsAlias(built.inputs);
      return aliasFinding(installedPackage(scene.project.folder, "@trigger.dev/sdk"), imported);
    },
  },
  { id: "config", title: "config", look: ({ project }) => checkConfig(project) },
  { id: "memory-limits", title: "memory of machines", look: () => checkMemoryLimits() },
  { id: "task-files", title: "task files", look: async (scene) => taskFilesFinding(await scene.build()) },
  {
    id: "workers",
    title: "workers",
    look: async (scene) => {
      const answer = await scene.answer();
      if (answer instanceof Error) return unreached;
      const built = await scene.build();
      return workersFinding(answer.tasks, built instanceof Error ? undefined : built.manifest.tasks.map(({ id }) => id));
    },
  },
];

const unreached = skip("the server did not answer");

function errorOf(answer: unknown): unknown {
  return answer instanceof Error ? answer : undefined;
}

/** What a check found. */
export interface CheckResult extends Finding {
  readonly id: string;
  readonly title: string;
}

/** Looks at everything, one after the other; yields each result as it comes. A check that breaks down is a failure of what it looks at. */
export async function* examine(scene: Scene, table: readonly Check[] = checks): AsyncGenerator<CheckResult, void, undefined> {
  for (const { id, title, look } of table) {
    let finding: Finding;
    try {
      finding = await look(scene);
    } catch (error) {
      finding = fail(error instanceof Error ? error.message : String(error), "this could not be looked at");
    }
    yield { id, title, ...finding };
  }
}
