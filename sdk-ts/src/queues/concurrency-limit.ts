import { taskRegistry } from "../runtime/task-registry.js";
import { refuseUnsupported } from "../unsupported.js";
import { checkSlots, isName, nameRule } from "./limit-rules.js";

/** How many runs may execute at once: of each concurrency key (runs without one share a limit), and over all keys. Each is 0 to 100,000; one that is left out does not limit. */
export interface ConcurrencyShape {
  /** Runs of each `concurrencyKey`. */
  perKey?: number;
  /** Runs altogether. */
  total?: number;
}

/** What `concurrencyLimit` takes. */
export interface ConcurrencyLimitOptions extends ConcurrencyShape {
  /** 1 to 128 characters of letters, digits and "_-./:"; names that begin with "task/" are those of tasks' own limits. */
  name: string;
}

/** A limit that tasks share; as it was given. */
export type ConcurrencyLimit = ConcurrencyLimitOptions;

/** What a task says of its concurrency: at most one limit of its own, and at most two that it shares, by themselves or by their names. */
export type TaskConcurrency = ConcurrencyShape | ConcurrencyLimit | string | (ConcurrencyShape | ConcurrencyLimit | string)[];

/** What a task's concurrency comes to. */
export interface DeclaredConcurrency extends ConcurrencyShape {
  /** Names of the limits that it shares. */
  readonly limits: readonly string[];
}

/** Marks what `concurrencyLimit` returns, as Trigger.dev does. */
const tag = Symbol.for("trigger.dev/concurrencyLimit");
const mostNamed = 2;

/**
 * Declares a limit that tasks share: all runs that hold it take their slots from it, whatever their queues. Workers find it when the module is loaded.
 *
 * ```ts
 * export const openai = concurrencyLimit({ name: "openai", total: 25 });
 * export const summarise = task({ id: "summarise", concurrency: [{ total: 5 }, openai], run: … });
 * ```
 *
 * @throws Error for a name or a number that breaks its rule.
 */
export function concurrencyLimit(options: ConcurrencyLimitOptions): ConcurrencyLimit {
  const where = `concurrencyLimit ${JSON.stringify(options.name)}`;
  refuseUnsupported(where, options, ["name", "perKey", "total"] satisfies (keyof ConcurrencyLimitOptions)[]);
  if (!isName(options.name) || options.name.startsWith("task/")) throw new Error(`${where}: the name of a limit ${nameRule}, and does not begin with "task/"`);
  checkShape(where, options);
  taskRegistry().concurrencyLimits.push({ name: options.name, perKey: options.perKey, total: options.total });
  return Object.defineProperty(options, tag, { value: true });
}

/** What a task's `concurrency` comes to. @throws Error for more limits than it may have, or one that breaks its rule. `where` begins the message. */
export function declaredConcurrency(where: string, given: TaskConcurrency): DeclaredConcurrency {
  const all = Array.isArray(given) ? given : [given];
  const own = all.filter((limit) => typeof limit !== "string" && !("name" in limit)) as ConcurrencyShape[];
  if (own.length > 1) throw new Error(`${where}: concurrency has at most one limit of its own; give shared ones a name with concurrencyLimit()`);
  const shared = all.flatMap((limit) => (typeof limit === "string" ? [limit] : "name" in limit ? [limit.name] : []));
  const [inline = {}] = own;
  refuseUnsupported(`${where}: concurrency`, inline, ["perKey", "total"] satisfies (keyof ConcurrencyShape)[]);
  checkShape(`${where}: concurrency`, inline);
  return { perKey: inline.perKey, total: inline.total, limits: limitNames(where, shared) };
}

/** Names of shared limits. @throws Error for more than two, or what can be no name. `where` begins the message. */
export function limitNames(where: string, given: string | readonly string[]): string[] {
  const names = typeof given === "string" ? [given] : [...given];
  if (names.length > mostNamed) throw new Error(`${where}: concurrency names at most ${mostNamed} limits`);
  for (const name of names) if (typeof name !== "string" || !isName(name)) throw new Error(`${where}: concurrency: the name of a limit ${nameRule}`);
  return names;
}

function checkShape(where: string, { perKey, total }: ConcurrencyShape): void {
  checkSlots(`${where}: perKey`, perKey);
  checkSlots(`${where}: total`, total);
}
