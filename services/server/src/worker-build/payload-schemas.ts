import type { IndexedTask } from "@runlane/sdk/worker";

/** Bytes that the JSON Schemas of a worker's tasks may have together; the server refuses a worker with more. */
const maxBytes = 512 * 1_024;

/** Tasks with as many of their JSON Schemas as a worker may declare, the first first, and a warning that names the tasks whose schemas are left out. They are for people to look at: nothing fails without. */
export function declarableSchemas(tasks: readonly IndexedTask[]): { readonly tasks: readonly IndexedTask[]; readonly warnings: readonly string[] } {
  let bytes = 0;
  const without: string[] = [];
  const declarable = tasks.map((task) => {
    const length = Buffer.byteLength(task.payloadSchema ?? "");
    if (bytes + length <= maxBytes) {
      bytes += length;
      return task;
    }
    without.push(task.id);
    return { ...task, payloadSchema: undefined };
  });
  const warnings = without.length === 0 ? [] : [`the JSON Schemas of all tasks have more than 512 KiB together; left out: ${without.join(", ")}`];
  return { tasks: declarable, warnings };
}
