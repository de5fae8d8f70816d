import { expect, test } from "vitest";
import { isStatusInRange } from "./status-range.js";

test.each<[string, number[], number[]]>([
  ["all", [200, 404, 599], []],
  ["429", [429], [428, 430, 4]],
  ["5xx", [500, 599], [499, 600]],
  ["42x", [420, 429], [419, 430, 500]],
  ["500-599", [500, 550, 599], [499, 600]],
  ["500 - 502", [501], [503]],
  ["429,408,409,5xx", [429, 408, 409, 503], [404, 428]],
  ["401, 403-404 ,42x", [401, 403, 404, 425], [402, 405]],
  ["", [], [200, 500]],
  ["xxx", [], [200, 500]],
  ["many", [], [200, 500]],
])("%s", (range, inside, outside) => {
  expect(inside.filter((status) => !isStatusInRange(status, range))).toEqual([]);
  expect(outside.filter((status) => isStatusInRange(status, range))).toEqual([]);
});
