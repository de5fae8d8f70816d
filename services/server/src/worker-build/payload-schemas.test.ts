import { expect, test } from "vitest";
import { declarableSchemas } from "./payload-schemas.js";

const taskOf = (id: string, kib?: number) => ({
  id,
  filePath: "a.ts",
  hasRetry: false,
  ...(kib === undefined ? {} : { payloadSchema: "x".repeat(kib * 1_024) }),
});

test("schemas are declared up to 512 KiB together; what is left out is named", () => {
  const nine = Array.from({ length: 9 }, (_, at) => taskOf(`task-${at}`, 60));
  const { tasks, warnings } = declarableSchemas([taskOf("none"), ...nine, taskOf("small", 1)]);
  expect(tasks.filter(({ payloadSchema }) => payloadSchema === undefined).map(({ id }) => id)).toEqual(["none", "task-8"]);
  expect(warnings).toEqual([expect.stringMatching(/left out: task-8$/)]);
});

test("most workers hear nothing of it", () => {
  const tasks = [taskOf("a", 64), taskOf("b")];
  expect(declarableSchemas(tasks)).toEqual({ tasks, warnings: [] });
});
