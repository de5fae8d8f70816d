import { writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { taskRegistry } from "../runtime/task-registry.js";
import { isError } from "./failure.js";
import { payloadSchemaText } from "./payload-schema.js";
import { indexedLimits, indexedTask, type TaskIndex, taskFileHook } from "./task-index.js";

// Loads the bundles of a build and writes a TaskIndex, as JSON, to pipe 3; started as `node task-index-main.js <bundle>...`. A process of its own, because it runs the user's code.
const registry = taskRegistry();
const { tasks } = registry;
/** The source file that is being evaluated, and the task from which on it declares; bundles call the hook at the top of each source file. */
const files: { file: string; from: number }[] = [];
(globalThis as Record<symbol, unknown>)[taskFileHook] = (file: string) => files.push({ file, from: tasks.length });

const index: TaskIndex = { tasks: [], failures: [] };
for (const module of process.argv.slice(2)) {
  try {
    await import(pathToFileURL(module).href);
  } catch (error) {
    index.failures.push({ module, message: isError(error) ? (error.stack ?? error.message) : String(error) });
  }
}
index.tasks.push(
  ...(await Promise.all(tasks.map(async (task, at) => indexedTask(task, files.findLast(({ from }) => from <= at)?.file ?? "", await payloadSchemaText(task))))),
);
Object.assign(index, indexedLimits(registry));
writeSync(3, JSON.stringify(index));
// Task files may have opened what keeps a process alive.
process.exit(0);
