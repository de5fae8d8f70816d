import { pathToFileURL } from "node:url";
import { registerConfigHooks } from "../hooks/config-hooks.js";
import { type RegisteredTask, taskRegistry } from "../runtime/task-registry.js";

/** A task file that threw while it was loaded. */
export interface ImportFailure {
  readonly module: string;
  readonly error: unknown;
}

/** The tasks that a process can run, by id. */
export interface TaskLibrary {
  readonly tasks: ReadonlyMap<string, RegisteredTask>;
  /** Modules that could not be loaded; what they declare is missing from `tasks`. */
  readonly failures: readonly ImportFailure[];
}

/**
 * Imports the bundles one after another, and finds the tasks that they registered. Never rejects: a module that throws leaves the others' tasks usable. Of two tasks with
 * one id the first counts; a build with both does not come about. `configModule` comes first, so that its hooks do.
 */
export async function loadTasks(modules: readonly string[], configModule?: string): Promise<TaskLibrary> {
  const failures: ImportFailure[] = [];
  if (configModule !== undefined) {
    try {
      registerConfigHooks(await import(pathToFileURL(configModule).href));
    } catch (error) {
      // Tasks without the hooks that they count on would do harm.
      return { tasks: new Map(), failures: [{ module: configModule, error }] };
    }
  }
  for (const module of modules) {
    try {
      await import(pathToFileURL(module).href);
    } catch (error) {
      failures.push({ module, error });
    }
  }
  const tasks = new Map<string, RegisteredTask>();
  for (const task of taskRegistry().tasks) if (!tasks.has(task.id)) tasks.set(task.id, task);
  return { tasks, failures };
}
