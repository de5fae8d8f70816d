import fc from "fast-check";
import { expect, test } from "vitest";
import { queueIdOf, queueNameOf } from "./queue-id.js";

const names = fc.stringMatching(/^[A-Za-z0-9_\-./:]{1,128}$/);

test("a queue is found by its id as by its name", () => {
  fc.assert(
    fc.property(names, (name) => {
      const id = queueIdOf(name);
      expect(id).toMatch(/^queue_[A-Za-z0-9_-]+$/);
      expect([queueNameOf(id), queueNameOf(name)]).toEqual([name, name]);
    }),
  );
});

test("a name that merely looks like an id is a name", () => {
  expect(queueNameOf("queue_mail")).toBe("queue_mail");
  expect(queueNameOf(`queue_${Buffer.from("123mail").toString("base64url")}`)).toBe("queue_MTIzbWFpbA");
});

test("what is neither is nothing", () => {
  for (const text of ["", "a b", "ü", "x".repeat(129)]) expect(queueNameOf(text)).toBeUndefined();
});
