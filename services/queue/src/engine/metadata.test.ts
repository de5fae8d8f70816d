import { create } from "@bufbuild/protobuf";
import { type MetadataOperation, MetadataOperationSchema, MetadataTarget } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { describe, expect, it, test } from "vitest";
import { EngineHarness, type HarnessWorker, item } from "../testing/engine-harness.js";
import { decideCancel } from "./decide-cancel.js";
import { changedMetadata } from "./metadata.js";
import type { RunRecord } from "./run-record.js";
import { runMessageOf } from "./view.js";

type Change = [kind: NonNullable<MetadataOperation["operation"]["case"]>, key: string, value: unknown, target?: MetadataTarget];

const operation = ([kind, key, value, target]: Change): MetadataOperation =>
  create(MetadataOperationSchema, {
    key,
    target: target ?? MetadataTarget.UNSPECIFIED,
    operation: { case: kind, value: kind === "increment" || kind === "delete" ? value : JSON.stringify(value) } as MetadataOperation["operation"],
  });
const payload = (value: unknown) => ({
  $typeName: "runlane.v1.Payload" as const,
  contentType: "application/json",
  data: new TextEncoder().encode(JSON.stringify(value)),
  metadata: {},
});
const jsonOf = (data: Uint8Array | undefined) => data && JSON.parse(new TextDecoder().decode(data));
const after = (before: unknown, ...changes: Change[]) =>
  jsonOf(changedMetadata(before === undefined ? undefined : payload(before), changes.map(operation)).data);

describe("an operation", () => {
  test.each<[string, unknown, Change, unknown]>([
    ["sets a key", undefined, ["set", "a", 1], { a: 1 }],
    ["sets a path, and makes what is missing on the way", {}, ["set", "$.a.b[1]['c d']", true], { a: { b: [null, { "c d": true }] } }],
    ["takes a key with dots as one key", {}, ["set", "a.b", 1], { "a.b": 1 }],
    ["deletes a key", { a: 1, b: 2 }, ["delete", "a", true], { b: 2 }],
    ["deletes from a list", { a: [1, 2, 3] }, ["delete", "$.a[1]", true], { a: [1, 3] }],
    ["appends to a list", { a: [1] }, ["append", "a", { x: 1 }], { a: [1, { x: 1 }] }],
    ["makes a list of what is none", { a: 1 }, ["append", "a", 2], { a: [1, 2] }],
    ["makes a list of nothing", {}, ["append", "$.a.b", 2], { a: { b: [2] } }],
    ["removes what is equal, whatever the order of its keys", { a: [{ x: 1, y: [2] }, { x: 1 }] }, ["remove", "a", { y: [2], x: 1 }], { a: [{ x: 1 }] }],
    ["removes nothing from what is no list", { a: 1 }, ["remove", "a", 1], { a: 1 }],
    ["increments a number", { a: 1.5 }, ["increment", "a", -2], { a: -0.5 }],
    ["counts what is missing as 0", {}, ["increment", "$.a.b", 3], { a: { b: 3 } }],
    ["replaces everything", { a: 1 }, ["replace", "", { b: 2 }], { b: 2 }],
    ["sees no inherited keys", {}, ["increment", "toString", 1], { toString: 1 }],
  ])("%s", (_, before, change, expected) => {
    expect(after(before, change)).toEqual(expected);
  });

  test.each<[string, Change]>([
    ["__proto__", ["set", "__proto__", 1]],
    ["constructor in a path", ["set", "$.a.constructor.b", 1]],
    ["prototype in quotes", ["set", "$.a['prototype']", 1]],
    ["half a path", ["set", "$.a[", 1]],
    ["a huge index", ["set", "$.a[99999999]", 1]],
    ["a list as everything", ["replace", "", [1]]],
    ["a number that is none", ["increment", "a", Number.NaN]],
    ["too much", ["set", "a", "x".repeat(256 * 1024)]],
  ])("is refused: %s", (_, change) => {
    expect(() => after({ a: {} }, change)).toThrow(expect.objectContaining({ name: "MetadataFault" }));
  });

  it("is refused if it nests more deeply than anybody can write", () => {
    const deep = create(MetadataOperationSchema, { key: "a", operation: { case: "set", value: "[".repeat(100_000) + "]".repeat(100_000) } });
    expect(() => changedMetadata(undefined, [deep])).toThrow(expect.objectContaining({ name: "MetadataFault" }));
  });
});

describe("the command", () => {
  const world = () => {
    const harness = new EngineHarness();
    const worker = harness.connect({ id: "w", tasks: ["t"] });
    const [root] = harness.trigger("t", 1, { tags: ["a", " ", "a"], metadata: '{"count":1}' });
    const start = (parent: RunRecord) => {
      worker.send({ commands: [{ token: tokens.get(parent)!, commandId: 99, command: { case: "trigger", value: { items: [item("t")] } } }] });
      const child = harness.run(harness.durable.nextRun - 1);
      tokens.set(child, worker.accept()[0]!.token);
      return child;
    };
    const tokens = new Map<RunRecord, Uint8Array>();
    const [assignment] = worker.accept();
    tokens.set(root!, assignment!.token);
    const update = (run: RunRecord, commandId: number, changes: Change[], addTags: string[] = []) =>
      answers(worker, { token: tokens.get(run)!, commandId, command: { case: "updateRun" as const, value: { addTags, metadata: changes.map(operation) } } });
    const metadata = (run: RunRecord) => jsonOf(runMessageOf(harness.volatile, run, harness.now).metadata?.data);
    return { harness, worker, root: root!, assignment: assignment!, start, tokens, update, metadata };
  };
  const answers = (worker: HarnessWorker, command: object) =>
    worker.send({ commands: [command] }).flatMap(({ commandOutcomes }) => commandOutcomes.map(({ error }) => error?.message ?? "done"));

  it("changes the run, its parent and its root; a run without a parent is both", () => {
    const { root, start, update, metadata, assignment } = world();
    expect([assignment.settings?.tags, jsonOf(assignment.settings?.metadata?.data)]).toEqual([["a"], { count: 1 }]);
    const child = start(root);
    const grandchild = start(child);
    const everywhere = (value: number): Change[] => [
      ["set", "self", value],
      ["increment", "parent", value, MetadataTarget.PARENT],
      ["increment", "count", value, MetadataTarget.ROOT],
    ];
    expect(update(grandchild, 1, everywhere(2))).toEqual(["done"]);
    expect(update(root, 1, everywhere(5))).toEqual(["done"]);
    expect([grandchild, child, root].map(metadata)).toEqual([{ self: 2 }, { parent: 2 }, { self: 5, parent: 5, count: 8 }]);
  });

  it("counts once, however often it comes", () => {
    const { root, update, metadata } = world();
    for (let i = 0; i < 3; i++) expect(update(root, 7, [["increment", "count", 1]])).toEqual(["done"]);
    expect(metadata(root)).toEqual({ count: 2 });
  });

  it("does all of it or nothing, and says why", () => {
    const { root, start, update, metadata } = world();
    const child = start(root);
    const said = update(
      child,
      1,
      [
        ["increment", "count", 1, MetadataTarget.PARENT],
        ["set", "__proto__", 1],
      ],
      ["b"],
    );
    expect(said[0]).toContain("__proto__");
    expect([metadata(root), metadata(child), child.extras?.tags ?? []]).toEqual([{ count: 1 }, undefined, []]);
  });

  it("leaves a parent alone that has ended", () => {
    const { root, start, tokens, worker, update, metadata } = world();
    const child = start(root);
    worker.succeed(tokens.get(root)!);
    expect(
      update(child, 1, [
        ["set", "late", 1, MetadataTarget.PARENT],
        ["set", "mine", 1],
      ]),
    ).toEqual(["done"]);
    expect([metadata(root), metadata(child)]).toEqual([{ count: 1 }, { mine: 1 }]);
  });

  it("is still heard of a cancelled run, until the worker says that its code has ended", () => {
    const { harness, root, tokens, worker, update, metadata } = world();
    harness.step((step) => decideCancel(step, root, "by you"));
    expect(update(root, 1, [["increment", "count", 1]])).toEqual(["done"]);
    worker.send({ cancelConfirmed: [tokens.get(root)!] });
    expect(update(root, 2, [["increment", "count", 1]])[0]).toContain("the attempt is over");
    expect(metadata(root)).toEqual({ count: 2 });
  });

  it("adds tags to ten, and tells who watches", () => {
    const { harness, root, update } = world();
    harness.volatile.changes.set(root.number, ["watcher"]);
    const many = Array.from({ length: 12 }, (_, i) => `tag${i}`);
    const heard: string[][] = [];
    const { step } = harness;
    harness.step = (decision) => {
      const outbox = step.call(harness, decision);
      for (const { changes } of outbox.notices.get("watcher")?.messages ?? []) for (const { tags } of changes) heard.push(tags);
      return outbox;
    };
    expect(update(root, 1, [], ["", ...many])).toEqual(["done"]);
    expect(heard).toEqual([["a", ...many.slice(0, 9)]]);
    expect(update(root, 2, [], ["x".repeat(129)])[0]).toContain("128");
  });
});
