import { createRequire } from "node:module";
import { join } from "node:path";
import type { IndexedTask, TaskIndex } from "@runlane/sdk/worker";
import { askNode } from "./ask-node.js";
import { WorkerBuildError } from "./worker-build-error.js";

/** How bundles are loaded. */
export interface IndexSettings {
  /** Added to the environment. */
  readonly env?: Record<string, string> | undefined;
  /** Conditions of imports, besides Node's own. */
  readonly conditions?: readonly string[] | undefined;
}

/**
 * Loads bundles in a process of their own, with the project's copy of the SDK, and asks which tasks, queues and limits they declare.
 *
 * @param modules absolute paths
 * @param sources the file that each was made from, for messages
 * @throws WorkerBuildError if one cannot be loaded, or two tasks have one id
 */
export async function indexTasks(
  folder: string,
  modules: readonly string[],
  sources: readonly string[],
  { env, conditions = [] }: IndexSettings = {},
): Promise<Omit<TaskIndex, "failures">> {
  const flags = conditions.map((condition) => `--conditions=${condition}`);
  const { answer, words, end } = await askNode(folder, [...flags, resolveSdk(folder, "@runlane/sdk/worker/task-index"), ...modules], env);
  // Exit code 13, for instance, is Node's for a module that awaits for ever.
  if (answer === "") throw new WorkerBuildError(`the task files cannot be loaded: their process ended ${end}\n${words}`.trimEnd());
  const index = JSON.parse(answer) as TaskIndex;
  if (index.failures.length > 0) {
    const failures = index.failures.map(({ module, message }) => `${sources[modules.indexOf(module)]} cannot be loaded:\n${message}`);
    throw new WorkerBuildError(failures.join("\n\n"));
  }
  checkIds(index.tasks);
  return index;
}

/**
 * A program of the SDK that the tasks import: of the project's copy, else of the command's own.
 *
 * The copy that the project has under Trigger.dev's name comes first. Somebody put it there, while `@runlane/sdk` beside it may have come with the command.
 */
export function resolveSdk(folder: string, specifier: `@runlane/sdk/${string}`): string {
  const project = createRequire(join(folder, "package.json"));
  return (
    resolved(project, specifier.replace("@runlane/sdk", "@trigger.dev/sdk")) ??
    resolved(project, specifier) ??
    createRequire(import.meta.url).resolve(specifier)
  );
}

/** Undefined if it is not there; Trigger.dev's own package has no such program. */
function resolved(from: NodeJS.Require, specifier: string): string | undefined {
  try {
    return from.resolve(specifier);
  } catch {
    return undefined;
  }
}

function checkIds(tasks: readonly IndexedTask[]): void {
  const files = new Map<string, string[]>();
  for (const { id, filePath } of tasks) files.set(id, [...(files.get(id) ?? []), filePath]);
  const twice = [...files].filter(([, paths]) => paths.length > 1);
  if (twice.length === 0) return;
  const lines = twice.map(([id, paths]) => `  "${id}" in ${paths.join(" and ")}`);
  throw new WorkerBuildError(`the id of a task must be its own, and these are declared more than once:\n${lines.join("\n")}`);
}
