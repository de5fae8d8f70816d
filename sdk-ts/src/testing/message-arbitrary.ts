import { create, type DescField, type DescMessage, type MessageShape, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";

/** How deep messages are nested in each other; Failure, for one, may hold another. */
const maxDepth = 3;

/**
 * Messages of a type, made from its descriptor: every field may be there, of every kind, and in each message many are. A field that is added to the contract is in them
 * at once, and so fails whatever test says that a hand codec reads or writes all that there is.
 */
export function messageArbitrary<T extends DescMessage>(desc: T): fc.Arbitrary<MessageShape<T>> {
  return initArbitrary(desc, 0).map((init) => create<DescMessage>(desc, init) as MessageShape<T>);
}

function initArbitrary(desc: DescMessage, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  for (const member of desc.members) {
    if (member.kind === "oneof") {
      const cases = member.fields.filter((field) => depth < maxDepth || !field.message);
      const arbitraries = cases.map((field) => fc.record({ case: fc.constant(field.localName), value: fieldArbitrary(field, depth) }));
      members[member.localName] = fc.oneof(fc.constant({ case: undefined }), ...arbitraries.map((arbitrary) => ({ weight: 4, arbitrary })));
    } else if (depth < maxDepth || !member.message) {
      const arbitrary = fieldArbitrary(member, depth);
      members[member.localName] = member.presence === FeatureSet_FieldPresence.IMPLICIT ? arbitrary : fc.option(arbitrary, { nil: undefined, freq: 8 });
    }
  }
  return fc.record(members);
}

function fieldArbitrary(field: DescField, depth: number): fc.Arbitrary<unknown> {
  switch (field.fieldKind) {
    case "message":
      return initArbitrary(field.message, depth + 1).map((init) => create<DescMessage>(field.message, init));
    case "enum":
      return fc.constantFrom(...field.enum.values.map(({ number }) => number));
    case "scalar":
      return scalarArbitrary(field.scalar);
    case "map":
      return fc.dictionary(text, field.mapKind === "scalar" ? scalarArbitrary(field.scalar) : fc.constant(undefined), { maxKeys: 3 });
    case "list": {
      const { listKind } = field;
      if (listKind === "message")
        return fc.array(
          initArbitrary(field.message, depth + 1).map((init) => create<DescMessage>(field.message, init)),
          { maxLength: 3 },
        );
      return fc.array(listKind === "enum" ? fc.constantFrom(...field.enum.values.map(({ number }) => number)) : scalarArbitrary(field.scalar), {
        maxLength: 3,
      });
    }
  }
}

// protobuf-es, unlike others, drops a byte order mark that a string begins with.
const text = fc.oneof(fc.string({ unit: "binary", maxLength: 60 }), fc.string({ maxLength: 200 })).filter((value) => !value.startsWith("\uFEFF"));

function scalarArbitrary(scalar: ScalarType): fc.Arbitrary<unknown> {
  switch (scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 100, maxLength: 20_000, size: "max" }));
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return fc.float();
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.maxSafeNat().map(BigInt));
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.maxSafeNat().map(BigInt));
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return fc.nat(2 ** 32 - 1);
    default:
      return fc.integer();
  }
}
