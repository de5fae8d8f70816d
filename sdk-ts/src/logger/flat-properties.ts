/** Properties of a line, at most. As in Trigger.dev. */
const mostProperties = 256;
/** Characters of a value, at most. As in Trigger.dev. */
const mostCharacters = 131_072;
const mostDepth = 32;

/** A property of a line. */
export type FlatValue = string | number | boolean | null;

/**
 * Properties as a flat list: `{ user: { ids: [7] } }` is `user.ids.[0]` with the value 7, as Trigger.dev names it. Never throws, whatever it is given: a circle is "(circular)", a getter that
 * throws is left out, and so is what is undefined or a function.
 */
export function flatProperties(properties: object): [string, FlatValue][] {
  const flat: [string, FlatValue][] = [];
  add(flat, "", properties, []);
  return flat;
}

/** Properties as they stand behind a line's message: ` user.ids.[0]=7 name="two words"`; empty for none. */
export function propertyText(properties: object | undefined): string {
  if (properties === undefined || properties === null) return "";
  return flatProperties(properties)
    .map(([name, value]) => ` ${name}=${typeof value === "string" && !/^[\w.:/@+-]+$/.test(value) ? JSON.stringify(value) : String(value)}`)
    .join("");
}

function add(flat: [string, FlatValue][], name: string, value: unknown, above: readonly object[]): void {
  if (flat.length >= mostProperties || value === undefined || typeof value === "function") return;
  if (typeof value !== "object" || value === null) flat.push([name || "value", primitive(value)]);
  else if (value instanceof Date) flat.push([name, Number.isNaN(value.getTime()) ? "(no date)" : value.toISOString()]);
  else if (above.includes(value)) flat.push([name, "(circular)"]);
  else if (above.length >= mostDepth) flat.push([name, "(deeper)"]);
  else {
    const path = [...above, value];
    for (const [key, inner] of entriesOf(value)) add(flat, name === "" ? key : `${name}.${key}`, inner, path);
  }
}

function primitive(value: unknown): FlatValue {
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  return String(value).slice(0, mostCharacters);
}

function entriesOf(value: object): [string, unknown][] {
  if (Array.isArray(value)) return value.map((item, index) => [`[${index}]`, item]);
  if (value instanceof Set) return [...value].map((item, index) => [`[${index}]`, item]);
  if (value instanceof Map) return [...value].map(([key, item]) => [String(key), item]);
  const own: [string, unknown][] =
    value instanceof Error
      ? [
          ["name", value.name],
          ["message", value.message],
          ["stack", value.stack],
        ]
      : [];
  for (const key of Object.keys(value)) {
    try {
      own.push([key, (value as Record<string, unknown>)[key]]);
    } catch {
      // A getter's own trouble is no reason to lose the line.
    }
  }
  return own;
}
