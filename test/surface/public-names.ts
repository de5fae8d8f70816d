/** What a name stands for at run time. */
export type NameKind = "class" | "function" | "object" | "value";

/** Members that languages and base classes give, which nobody calls by name. */
const innate = new Set(["constructor", "length", "name", "prototype"]);

/**
 * Every name that code may reach from a module: its exports, the members of exported objects, and members of those. Members of a class are left out, for they come with it.
 *
 * @param root what `exported` is reached by, as "myTask" for a task: comes before each name. Default: nothing.
 */
export function publicNames(exported: object, root = ""): Map<string, NameKind> {
  const names = new Map<string, NameKind>();
  const visit = (value: object, path: string): void => {
    for (const name of memberNames(value)) {
      const member: unknown = Reflect.get(value, name);
      const kind = kindOf(member);
      const memberPath = path === "" ? name : `${path}.${name}`;
      names.set(memberPath, kind);
      if (kind === "object") visit(member as object, memberPath);
    }
  };
  visit(exported, root);
  return names;
}

/** Of an object and of the classes that it is made by; those that are private by convention are left out. */
function memberNames(value: object): string[] {
  const names = new Set<string>();
  for (let owner = value; owner !== null && owner !== Object.prototype; owner = Object.getPrototypeOf(owner)) {
    for (const name of Object.getOwnPropertyNames(owner)) if (!innate.has(name) && !name.startsWith("_")) names.add(name);
  }
  return [...names];
}

function kindOf(value: unknown): NameKind {
  if (typeof value === "function") return /^class\b/.test(Function.prototype.toString.call(value)) ? "class" : "function";
  return typeof value === "object" && value !== null && !Array.isArray(value) ? "object" : "value";
}
