import { expect, test } from "vitest";
import { runlane } from "../testing/command-double.js";

const task = (id: string, more: object = {}) => ({ id, queue: `task/${id}`, maxAttempts: 3, version: "20261123.1", workerCount: 1, ...more });
/** A server that gives two tasks a page. */
const paged = (tasks: ReturnType<typeof task>[]) => ({
  listTasks({ pageToken }: { pageToken: string }) {
    const from = Number(pageToken);
    return { tasks: tasks.slice(from, from + 2), nextPageToken: from + 2 < tasks.length ? String(from + 2) : "" };
  },
});

test("shows the tasks of all pages as a table", async () => {
  const tasks = [task("a"), task("bb", { concurrencyLimit: 5, queue: "mail" }), task("c", { workerCount: 0 })];
  const { code, stdout, leftOpen } = await runlane(["tasks"], {}, "", paged(tasks));
  expect(code).toBe(0);
  expect(stdout.split("\n")).toEqual([
    "TASK  QUEUE   LIMIT  ATTEMPTS  VERSION     WORKERS",
    "a     task/a  -      3         20261123.1  1",
    "bb    mail    5      3         20261123.1  1",
    "c     task/c  -      3         20261123.1  0",
  ]);
  expect(leftOpen).toBe(false);
});

test("--json prints them as one array", async () => {
  const { stdout } = await runlane(["tasks", "--json"], {}, "", paged([task("a"), task("b"), task("c")]));
  expect(JSON.parse(stdout).map(({ id }: { id: string }) => id)).toEqual(["a", "b", "c"]);
  expect(JSON.parse(stdout)[0]).toEqual({ ...task("a"), description: "", filePath: "" });
});

test("--json shows a schema as JSON, and as its text if a stranger's worker declared one that is none", async () => {
  const { stdout } = await runlane(["tasks", "--json"], {}, "", paged([task("a", { payloadSchema: '{"type":"string"}' }), task("b", { payloadSchema: "{{" })]));
  expect(JSON.parse(stdout)).toMatchObject([{ payloadSchema: { type: "string" } }, { payloadSchema: "{{" }]);
});

test("no task is no error, and leaves standard output empty", async () => {
  const { code, stdout, stderr } = await runlane(["tasks"], {}, "", paged([]));
  expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
  expect(stderr).toContain("runlane dev");
});
