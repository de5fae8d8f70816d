import { describe, expect, test } from "vitest";
import { type EventFilter, eventFilterMatches } from "./event-filter.js";

const body = {
  name: "Rate limit",
  code: 429,
  retry: true,
  nothing: null,
  tags: ["a", "b"],
  error: { type: "rate_limit", depth: { n: 1 } },
  items: [
    { id: "x", n: 1 },
    { id: "y", n: 2 },
  ],
};

describe("a body fits", () => {
  test.each<[string, EventFilter]>([
    ["an empty pattern", {}],
    ["one of several texts", { name: ["Other", "Rate limit"] }],
    ["one of several numbers", { code: [429, 503] }],
    ["a boolean", { retry: [true] }],
    ["an object inside", { error: { type: ["rate_limit"], depth: { n: [1] } } }],
    ["one object of a list", { items: { id: ["y"], n: [2] } }],
    ["$startsWith", { name: [{ $startsWith: "Rate" }] }],
    ["$endsWith", { name: [{ $endsWith: "limit" }] }],
    ["$ignoreCaseEquals", { name: [{ $ignoreCaseEquals: "RATE LIMIT" }] }],
    ["$exists", { name: [{ $exists: true }], missing: [{ $exists: false }] }],
    ["$isNull", { nothing: [{ $isNull: true }], name: [{ $isNull: false }] }],
    ["$anythingBut a value", { name: [{ $anythingBut: "Other" }] }],
    ["$anythingBut several values", { code: [{ $anythingBut: [400, 404] }] }],
    ["$gt, $gte, $lt and $lte, all of them", { code: [{ $gt: 428 }, { $gte: 429 }, { $lt: 430 }, { $lte: 429 }] }],
    ["$between", { code: [{ $between: [429, 500] }] }],
    ["$includes", { tags: [{ $includes: "b" }] }],
    ["$not, of a value and of a list", { name: [{ $not: "Other" }], tags: [{ $not: "c" }] }],
  ])("%s", (_, filter) => {
    expect(eventFilterMatches(body, filter)).toBe(true);
  });
});

describe("a body does not fit", () => {
  test.each<[string, EventFilter]>([
    ["another text", { name: ["Other"] }],
    ["a number that is a text there", { name: [429] }],
    ["one key of two", { name: ["Rate limit"], code: [500] }],
    ["a key of an object that is not there", { missing: { type: [{ $exists: false }] } }],
    ["two objects of a list that fit half each", { items: { id: ["x"], n: [2] } }],
    ["$startsWith of a number", { code: [{ $startsWith: "4" }] }],
    ["$endsWith", { name: [{ $endsWith: "Rate" }] }],
    ["$ignoreCaseEquals", { name: [{ $ignoreCaseEquals: "rate limits" }] }],
    ["$exists", { missing: [{ $exists: true }] }],
    ["$isNull of what is not there", { missing: [{ $isNull: true }] }],
    ["$anythingBut", { code: [{ $anythingBut: [429] }] }],
    ["$gt of the same", { code: [{ $gt: 429 }] }],
    ["$lt of a text", { name: [{ $lt: 7 }] }],
    ["$between", { code: [{ $between: [430, 500] }] }],
    ["$includes of a text", { name: [{ $includes: "Rate" }] }],
    ["$not of a list with it", { tags: [{ $not: "a" }] }],
    ["$not of an object", { error: [{ $not: "a" }] }],
    ["one condition of two", { code: [{ $gt: 1 }, { $lt: 2 }] }],
    ["what every object inherits", { constructor: [{ $exists: true }] }],
  ])("%s", (_, filter) => {
    expect(eventFilterMatches(body, filter)).toBe(false);
  });
});

test("null fits the empty pattern only", () => {
  expect([eventFilterMatches(null, {}), eventFilterMatches(null, { a: [{ $exists: false }] })]).toEqual([true, false]);
});
