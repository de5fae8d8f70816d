import { create, type DescField, type DescMessage, type MessageInitShape, type MessageShape, ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";

/** How many messages stand in each other at most. */
const mostDepth = 6;

const texts = fc.oneof(
  fc.constantFrom("", "dev", "hello", "application/json", "task/hello", "\u{feff}é", "__proto__"),
  fc.string({ unit: "grapheme", maxLength: 60 }),
);
const bytes = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ minLength: 100, maxLength: 300 }));
const signed = (bits: bigint) => fc.bigInt({ min: -(2n ** (bits - 1n)), max: 2n ** (bits - 1n) - 1n });
const unsigned = (bits: bigint) => fc.bigInt({ min: 0n, max: 2n ** bits - 1n });
/** Numbers as they mostly are, so that not every message holds one that is beyond the common. */
const common = fc.bigInt({ min: 0n, max: 2n ** 21n });

/** Any message of a type, made of what its descriptor says: of a field that is added later, too. */
export function arbitraryMessage<D extends DescMessage>(schema: D): fc.Arbitrary<MessageShape<D>> {
  return messageInit(schema, 1).map((init) => create(schema, init as MessageInitShape<D>));
}

function messageInit(schema: DescMessage, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  for (const member of schema.members) {
    if (member.kind !== "oneof") {
      if (depth < mostDepth || !holdsMessages(member)) members[member.localName] = rarelyMissing(fieldValue(member, depth));
      continue;
    }
    const cases = member.fields
      .filter((field) => depth < mostDepth || !holdsMessages(field))
      .map((field) => fc.record({ case: fc.constant(field.localName), value: singleValue(field, depth) }));
    members[member.localName] = rarelyMissing(fc.oneof(...cases)).map((value) => value ?? { case: undefined });
  }
  return fc.record(members);
}

function rarelyMissing<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined, freq: 4 });
}

function holdsMessages(field: DescField): boolean {
  return field.message !== undefined;
}

function fieldValue(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.fieldKind === "list") return fc.array(singleValue(field, depth), { maxLength: 3, size: "max" });
  if (field.fieldKind !== "map") return singleValue(field, depth);
  return fc.dictionary(texts, singleValue(field, depth), { maxKeys: 2 });
}

function singleValue(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.message) return messageInit(field.message, depth + 1);
  if (field.enum) return fc.oneof(fc.constantFrom(...field.enum.values.map((value) => value.number)), fc.integer());
  return scalar(field.scalar ?? ScalarType.STRING);
}

function scalar(type: ScalarType): fc.Arbitrary<unknown> {
  const numbers = (values: fc.Arbitrary<bigint>) => fc.oneof(common, values).map(Number);
  switch (type) {
    case ScalarType.STRING:
      return texts;
    case ScalarType.BYTES:
      return bytes;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return numbers(unsigned(32n));
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return numbers(signed(32n));
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return fc.oneof(common, unsigned(64n));
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return fc.oneof(common, signed(64n));
    case ScalarType.FLOAT:
      return fc.float();
    case ScalarType.DOUBLE:
      return fc.double();
  }
}
