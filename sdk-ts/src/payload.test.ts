import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import { isLarge, maxMetadataBytes, payloadOf, plainValueOfPayload, valueOfPayload } from "./payload.js";

/** As it arrives: a view into the frame that brought it. */
function arrived(sent: Payload): Payload {
  const frame = Buffer.concat([Buffer.from("before"), sent.data, Buffer.from("after")]);
  return { ...sent, data: new Uint8Array(frame.buffer, frame.byteOffset + 6, sent.data.length) };
}

const sent = (value: unknown) => payloadOf(value, "the value")!;
const roundTrip = (value: unknown) => valueOfPayload(arrived(sent(value)));
const plain = (value: unknown) => plainValueOfPayload(arrived(sent(value)));
const textOf = ({ data }: Payload) => Buffer.from(data).toString();

test("whatever JSON can say comes back as it was, and nothing stands beside it", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const json = JSON.stringify(value);
      // JSON has a -0 that it does not give back.
      fc.pre(isDeepStrictEqual(JSON.parse(json), value));
      expect(textOf(sent(value))).toBe(json);
      expect(sent(value).metadata).toEqual({});
      expect(roundTrip(value)).toEqual(value);
    }),
  );
});

test("undefined is no value, and comes back as undefined", () => {
  expect(payloadOf(undefined, "value")).toBeUndefined();
  expect(valueOfPayload(undefined)).toBeUndefined();
  expect(valueOfPayload({ contentType: "application/json", data: new Uint8Array() } as Payload)).toBeUndefined();
  expect([roundTrip(null), roundTrip("a string"), roundTrip("")]).toEqual([null, "a string", ""]);
});

test("without a content type it is JSON; another one is refused", () => {
  const data = Buffer.from("[1]");
  expect(valueOfPayload({ contentType: "", data, metadata: {} } as unknown as Payload)).toEqual([1]);
  expect(() => valueOfPayload({ contentType: "application/cbor", data, metadata: {} } as unknown as Payload)).toThrow("application/cbor");
});

describe("a rich value", () => {
  const at = new Date("2026-01-02T03:04:05.678Z");
  // What it is, and how other languages read it.
  const values: [name: string, value: unknown, plain: unknown][] = [
    ["a Date", { at }, { at: "2026-01-02T03:04:05.678Z" }],
    ["a Date alone", at, "2026-01-02T03:04:05.678Z"],
    [
      "a Map",
      new Map<unknown, unknown>([
        ["a", at],
        [{ key: 1 }, new Set([1])],
      ]),
      [
        ["a", "2026-01-02T03:04:05.678Z"],
        [{ key: 1 }, [1]],
      ],
    ],
    ["a Set", new Set([1, "a", at]), [1, "a", "2026-01-02T03:04:05.678Z"]],
    ["a BigInt", 12345678901234567890n, "12345678901234567890"],
    ["a RegExp", /a\/[.]b/giu, "/a\\/[.]b/giu"],
    ["a field that is undefined", { a: undefined, b: 1 }, { b: 1 }],
    ["an item that is undefined", [undefined, 1], [null, 1]],
    ["undefined far below", { list: [{ x: undefined, at }] }, { list: [{ at: "2026-01-02T03:04:05.678Z" }] }],
    ["numbers that JSON lacks", [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0], ["NaN", "Infinity", "-Infinity", "-0"]],
    ["a URL", new URL("https://example.com/a?b=c"), "https://example.com/a?b=c"],
    [
      "bytes",
      { buffer: Buffer.from("bytes"), view: new Uint8Array([1, 2]), floats: new Float32Array([1.5]) },
      { buffer: "Ynl0ZXM=", view: [1, 2], floats: [1.5] },
    ],
    ["keys with dots and backslashes", { "a.b": at, "c\\": { ".": 1n } }, { "a.b": "2026-01-02T03:04:05.678Z", "c\\": { ".": "1" } }],
  ];
  test.each(values)("comes back as it was: %s", (_, value, plainly) => {
    const back = roundTrip(value);
    expect(isDeepStrictEqual(back, value)).toBe(true);
    expect(plain(value)).toEqual(plainly);
    expect(JSON.parse(textOf(sent(value)))).toEqual(plainly);
    expect(Object.keys(sent(value).metadata)).toEqual(["superjson"]);
  });

  test("an Error comes back with name, message, stack and causes", () => {
    const error = new RangeError("too far", { cause: new TypeError("no number") });
    const back = roundTrip({ error }) as { error: RangeError };
    expect(back.error).toBeInstanceOf(Error);
    expect([back.error.name, back.error.message, back.error.stack]).toEqual(["RangeError", "too far", error.stack]);
    expect(back.error.cause).toBeInstanceOf(Error);
    expect(back.error.cause).toMatchObject({ name: "TypeError", message: "no number" });
    expect(plain({ error })).toMatchObject({ error: { name: "RangeError", message: "too far", cause: { name: "TypeError" } } });
  });

  test("circles and shared objects come back as such; other languages read a null, and a copy", () => {
    const shared = { at };
    const value: Record<string, unknown> = { a: shared, b: [shared] };
    value.self = value;
    const back = roundTrip(value) as { a: unknown; b: unknown[]; self: unknown };
    expect(back.self).toBe(back);
    expect(back.b[0]).toBe(back.a);
    expect(back.a).toEqual(shared);
    expect(plain(value)).toEqual({ a: { at: at.toISOString() }, b: [{ at: at.toISOString() }], self: null });
  });

  test("objects that a Set shares with others are not mixed up", () => {
    const [one, two, three] = [{ is: 1 }, { is: 2 }, { is: 3 }];
    const value = {
      one,
      two,
      three,
      set: new Set([one, two, three]),
      map: new Map([
        [two, one],
        [one, two],
      ]),
    };
    const back = roundTrip(value) as typeof value;
    expect(isDeepStrictEqual(back, value)).toBe(true);
    expect([...back.set].map(({ is }) => is)).toEqual([1, 2, 3]);
    expect([...back.map.values()]).toEqual([one, two]);
    expect([...back.map.values()][0]).toBe(back.one);
  });

  test("instances of classes are what JSON makes of them", () => {
    class Order {
      readonly id = 1;
      toJSON() {
        return { order: this.id };
      }
    }
    expect(roundTrip({ order: new Order() })).toEqual({ order: { order: 1 } });
    expect(sent({ order: new Order() }).metadata).toEqual({});
  });

  test("what cannot be written is an error that says so", () => {
    const set = new Set<unknown>();
    set.add(set);
    const throwing = {
      get broken() {
        throw new Error("in a getter");
      },
    };
    expect(() => sent(() => {})).toThrow("the value cannot be written as JSON: it is a function");
    expect(() => sent(Symbol("s"))).toThrow("the value cannot be written as JSON: it is a symbol");
    expect(() => sent(throwing)).toThrow("the value cannot be written as JSON: in a getter");
    expect(() => sent({ toJSON: () => JSON.parse("{") })).toThrow("the value cannot be written as JSON: ");
    expect(() => sent(set)).toThrow("part of");
    expect(() => sent({ constructor: 1, at })).toThrow("constructor");
    expect(roundTrip({ constructor: 1, prototype: 2 })).toEqual({ constructor: 1, prototype: 2 });
  });

  test("round trip, whatever it is", () => {
    const key = fc.string().filter((name) => !["__proto__", "constructor", "prototype"].includes(name));
    const { value: richValue } = fc.letrec((tie) => ({
      leaf: fc.oneof(
        fc.string(),
        fc.double(),
        fc.bigInt(),
        fc.boolean(),
        fc.constantFrom(null, undefined),
        fc.date({ noInvalidDate: true }),
        fc.uint8Array(),
        fc.webUrl().map((url) => new URL(url)),
        fc.constantFrom(/a.b/g, /\//),
      ),
      value: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        tie("leaf"),
        fc.array(tie("value")),
        fc.dictionary(key, tie("value"), { noNullPrototype: true }),
        fc.array(tie("value")).map((items) => new Set(items)),
        fc.array(fc.tuple(tie("value"), tie("value"))).map((entries) => new Map(entries)),
        // The same object in several places.
        fc.tuple(tie("value"), key).map(([item, name]) => ({ [name]: item, twice: [item, { again: item }] })),
      ),
    }));
    fc.assert(
      fc.property(richValue, (value) => {
        fc.pre(value !== undefined);
        const back = roundTrip(value);
        if (!isDeepStrictEqual(back, value)) expect(back).toStrictEqual(value);
        expect(sharing(back)).toEqual(sharing(value));
        // Complete without what stands beside it, and the same for whoever does not look there.
        expect(() => JSON.parse(textOf(sent(value)))).not.toThrow();
      }),
      { numRuns: 500 },
    );
  });
});

/** Which objects outside of Sets and keys are the same: their paths, numbered by object. */
function sharing(root: unknown): string[] {
  const numbers = new Map<object, number>();
  const found: string[] = [];
  const walk = (value: unknown, path: string): void => {
    if (typeof value !== "object" || value === null) return;
    const known = numbers.get(value);
    found.push(`${path} ${known ?? numbers.size}`);
    if (known !== undefined) return;
    numbers.set(value, numbers.size);
    const children = value instanceof Map ? [...value.values()] : value instanceof Set || ArrayBuffer.isView(value) ? [] : value;
    for (const [name, item] of Object.entries(children)) walk(item, `${path}/${name}`);
  };
  walk(root, "");
  return found;
}

describe("metadata", () => {
  const dates = (count: number) => Array.from({ length: count }, (_, at) => new Date(at));

  test("counts into the limit of what travels with its run", () => {
    const few = sent({ text: "x".repeat(131_010), at: new Date(0) });
    expect(few.data.length).toBeLessThan(131_072);
    expect(isLarge(few)).toBe(true);
    expect(isLarge(sent({ text: "x".repeat(131_000) }))).toBe(false);
  });

  test("beyond 32 KiB goes with the value, as superjson and Trigger.dev write it", () => {
    const many = sent(dates(5_000));
    expect([many.contentType, many.metadata]).toEqual(["application/super+json", {}]);
    expect(JSON.parse(textOf(many)).json[1]).toBe("1970-01-01T00:00:00.001Z");
    expect(valueOfPayload(many)).toEqual(dates(5_000));
    expect((plainValueOfPayload(many) as string[])[1]).toBe("1970-01-01T00:00:00.001Z");
    const some = sent(dates(1_000));
    expect(some.contentType).toBe("application/json");
    expect(some.metadata.superjson!.length).toBeLessThanOrEqual(maxMetadataBytes);
  });
});

describe("what strangers may send", () => {
  const received = (json: string, meta: unknown): Payload => ({
    $typeName: "runlane.v1.Payload",
    contentType: "application/json",
    data: Buffer.from(json),
    metadata: { superjson: typeof meta === "string" ? meta : JSON.stringify(meta) },
  });

  test("metadata that is none is an error", () => {
    for (const meta of ["{", "null", "7", { values: { a: ["nothing"] } }, { values: { a: [["class", "Secret"]] } }, { values: { a: [["custom", "x"]] } }]) {
      expect(() => valueOfPayload(received('{"a":1}', meta))).toThrow();
    }
    expect(() => valueOfPayload({ ...received("7", "{}"), contentType: "application/super+json" })).toThrow("application/super+json");
  });

  test("reaches no prototype", () => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    const paths = ["__proto__.polluted", "constructor.prototype.polluted", "a.__proto__.polluted", "toString.polluted", "hasOwnProperty"];
    for (const path of paths) {
      for (const meta of [
        { values: { [path]: ["Date"] }, v: 1 },
        { values: { [path]: ["Date"] } },
        { referentialEqualities: { a: [path] }, v: 1 },
        { referentialEqualities: [[path]], v: 1 },
      ]) {
        try {
          valueOfPayload(received('{"a":{"b":1}}', meta));
        } catch {}
      }
    }
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect("polluted" in {} || "polluted" in Object.prototype.toString).toBe(false);
    const back = valueOfPayload(received('{"__proto__":{"polluted":1},"at":"1970-01-01T00:00:00.000Z"}', { values: { at: ["Date"] }, v: 1 }));
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect((back as { polluted?: number }).polluted).toBeUndefined();
  });
});
