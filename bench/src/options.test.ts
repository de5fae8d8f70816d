import { expect, test } from "vitest";
import { readOptions } from "./options.js";

const known = ["ack", "wait", "idle"];

test("without options everything is measured once, on disk, in one process", () => {
  expect(readOptions([], known)).toEqual({ workloads: known, sync: "always", shape: "one", peers: [], runs: 1, json: false });
});

test("workloads are run in the order in which they are named", () => {
  expect(readOptions(["--workloads", "idle,ack", "--sync", "lazy", "--runs", "5", "--json", "--peers", "bullmq"], known)).toEqual({
    workloads: ["idle", "ack"],
    sync: "lazy",
    shape: "one",
    peers: ["bullmq"],
    runs: 5,
    json: true,
  });
});

test.each([
  [["--workloads", "ack,wiat"], 'there is no workload "wiat"'],
  [["--sync", "never"], "--sync is always or lazy"],
  [["--shape", "three", "--sync", "lazy"], "--shape three has --sync always"],
  [["--shape", "seven"], "--shape is one or three"],
  [["--peers", "temporal"], "--peers is bullmq"],
  [["--runs", "0"], "--runs is a whole number"],
  [["--fast"], "--fast"],
])("%j is refused", (args, words) => expect(() => readOptions(args, known)).toThrow(words));
