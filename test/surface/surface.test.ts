import * as runlane from "@runlane/sdk";
import * as runlaneV3 from "@runlane/sdk/v3";
import * as genuine from "trigger.dev-sdk";
import * as genuineV3 from "trigger.dev-sdk/v3";
import { describe, expect, test } from "vitest";
import { namesNotYet } from "./moving-page.js";
import { type NameKind, publicNames } from "./public-names.js";

/** A task and a task with a schema, for what users call on them; both packages make them alike. */
function tasksOf({ task, schemaTask }: { task: (options: never) => object; schemaTask: (options: never) => object }): Map<string, NameKind> {
  const options = { id: "surface", description: "d", jsonSchema: { type: "object" }, schema: (value: unknown) => value, run: async () => 1 };
  const { schema: _, ...plain } = options;
  return new Map([
    ...publicNames(task(plain as never), "myTask"),
    ...publicNames(schemaTask({ ...options, id: "surface-schema", jsonSchema: undefined } as never), "mySchemaTask"),
  ]);
}

const theirs = new Map([...publicNames(genuine), ...tasksOf(genuine)]);
const ours = new Map([...publicNames(runlane), ...tasksOf(runlane)]);
const listed = namesNotYet();
const isListed = (name: string) => listed.some((other) => name === other || name.startsWith(`${other}.`));

describe("what @trigger.dev/sdk exports", () => {
  test("is in @runlane/sdk, or on the page's list of what is not yet", () => {
    expect([...theirs.keys()].filter((name) => !ours.has(name) && !isListed(name))).toEqual([]);
  });

  test("is of the same kind in both", () => {
    const kinds = [...theirs].filter(([name]) => ours.has(name)).map(([name, kind]) => ({ name, kind }));
    expect(kinds.map(({ name }) => ({ name, kind: ours.get(name) }))).toEqual(kinds);
  });

  test("is the same under /v3", () => {
    expect([...publicNames(genuineV3).keys()].sort()).toEqual([...publicNames(genuine).keys()].sort());
    expect([...publicNames(runlaneV3).keys()].sort()).toEqual([...publicNames(runlane).keys()].sort());
  });
});

describe("the page's list of what is not yet", () => {
  test("names nothing that is there by now", () => {
    expect(listed.filter((name) => ours.has(name))).toEqual([]);
  });

  test("names nothing twice, and nothing that @trigger.dev/sdk does not have", () => {
    expect(listed.filter((name, index) => !theirs.has(name) || listed.indexOf(name) !== index)).toEqual([]);
  });
});
