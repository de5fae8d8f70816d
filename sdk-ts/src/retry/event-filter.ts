/** A condition on one value. An object with several of them asks for all. */
export type ContentFilter =
  /** A text that ends so. */
  | { $endsWith: string }
  /** A text that begins so. */
  | { $startsWith: string }
  /** A text that is this one, upper and lower case aside. */
  | { $ignoreCaseEquals: string }
  /** There is a value, or there is none. */
  | { $exists: boolean }
  /** The value is null, or is not. */
  | { $isNull: boolean }
  /** Anything but this, or but one of these. */
  | { $anythingBut: string | number | boolean | string[] | number[] | boolean[] }
  | { $gt: number }
  | { $lt: number }
  | { $gte: number }
  | { $lte: number }
  /** From the first to the second number, both included. */
  | { $between: [number, number] }
  /** A list with this value in it. */
  | { $includes: string | number | boolean }
  /** A value that is not this one, or a list without it. */
  | { $not: string | number | boolean };

/** What a value must be: one of these, or all of these conditions. */
export type EventMatcher = string[] | number[] | boolean[] | ContentFilter[];

/**
 * A pattern for JSON: every key that it has must match. An object stands for an object inside; where the value is a list of objects, one of them must match. The grammar is Trigger.dev's.
 *
 * ```ts
 * { error: { code: [{ $startsWith: "rate_" }], status: [429, 503] } }
 * ```
 */
export interface EventFilter {
  [key: string]: EventMatcher | EventFilter;
}

/** Whether a value fits a pattern. An empty pattern fits everything. */
export function eventFilterMatches(value: unknown, filter: EventFilter): boolean {
  return Object.entries(filter).every(([key, pattern]) => {
    // Of nothing no key can match, not even one that asks for its absence.
    if (value === undefined || value === null) return false;
    const inner = typeof value === "object" && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
    if (Array.isArray(pattern)) return matcherMatches(inner, pattern);
    return Array.isArray(inner) ? inner.some((item) => eventFilterMatches(item, pattern)) : eventFilterMatches(inner, pattern);
  });
}

function matcherMatches(value: unknown, matcher: readonly (string | number | boolean | ContentFilter)[]): boolean {
  const conditions = matcher.filter((item) => typeof item === "object");
  if (conditions.length < matcher.length) return (matcher as readonly unknown[]).includes(value);
  return conditions.every((condition) => Object.entries(condition).every(([operator, operand]) => operators[operator]?.(value, operand as never) ?? true));
}

type Operator = (value: unknown, operand: never) => boolean;

const text =
  (test: (value: string, operand: string) => boolean): Operator =>
  (value, operand: string) =>
    typeof value === "string" && test(value, operand);
const number =
  <T>(test: (value: number, operand: T) => boolean): Operator =>
  (value, operand: T) =>
    typeof value === "number" && test(value, operand);

const operators: Record<string, Operator> = {
  $endsWith: text((value, end) => value.endsWith(end)),
  $startsWith: text((value, start) => value.startsWith(start)),
  $ignoreCaseEquals: text((value, other) => value.localeCompare(other, undefined, { sensitivity: "accent" }) === 0),
  $exists: (value, wanted: boolean) => (value !== undefined) === wanted,
  $isNull: (value, wanted: boolean) => (value === null) === wanted,
  $anythingBut: (value, refused: unknown) => (Array.isArray(refused) ? !refused.includes(value) : refused !== value),
  $gt: number((value, least: number) => value > least),
  $lt: number((value, most: number) => value < most),
  $gte: number((value, least: number) => value >= least),
  $lte: number((value, most: number) => value <= most),
  $between: number((value, [least, most]: [number, number]) => value >= least && value <= most),
  $includes: (value, wanted: unknown) => Array.isArray(value) && value.includes(wanted),
  $not(value, refused: unknown) {
    if (Array.isArray(value)) return !value.includes(refused);
    return ["string", "number", "boolean"].includes(typeof value) && value !== refused;
  },
};
