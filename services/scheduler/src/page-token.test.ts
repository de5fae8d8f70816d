import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, test } from "vitest";
import { pageStart, pageToken } from "./page-token.js";

const list = { method: "ListTasks", environment: "dev" };
const codeOf = (attempt: () => unknown) => {
  try {
    attempt();
    return undefined;
  } catch (error) {
    return ConnectError.from(error).code;
  }
};

test("a token leads to where its page ended, and is URL-safe", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (last) => {
      const token = pageToken(list, last);
      expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(pageStart(list, token)).toBe(last);
    }),
  );
});

test("no token leads to the first page", () => {
  expect(pageStart(list, "")).toBe("");
});

test("a token of another list, or a made-up one, is INVALID_ARGUMENT", () => {
  const token = pageToken(list, "task");
  for (const wrong of [
    pageToken({ ...list, environment: "prod" }, "task"),
    pageToken({ ...list, method: "ListRuns" }, "task"),
    `${token}A`,
    token.slice(1),
    "task",
    "?",
  ]) {
    expect(codeOf(() => pageStart(list, wrong))).toBe(Code.InvalidArgument);
  }
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (text) => {
      expect(codeOf(() => pageStart(list, text))).toBe(Code.InvalidArgument);
    }),
  );
});
