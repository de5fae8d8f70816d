import { currentRunRuntime } from "../runtime/run-runtime.js";

/** Names a value of the type `T`; made by `locals.create`. */
export interface LocalsKey<T> {
  readonly id: string;
  readonly __type: symbol;
  /** Carries the type; never there. */
  readonly __valueType?: T;
}

/**
 * Values of one attempt, shared by its middleware, its hooks and its `run`. Each attempt begins without any, and no other sees them, though many share a process.
 *
 * ```ts
 * const Db = locals.create<Database>("db");
 * tasks.middleware("db", async ({ next }) => {
 *   const db = locals.set(Db, await connect());
 *   try {
 *     await next();
 *   } finally {
 *     await db.close();
 *   }
 * });
 * // in run: locals.getOrThrow(Db)
 * ```
 */
export const locals = {
  /** A key. Keys with one id are the same, in whichever file they are made. */
  create: <T>(id: string): LocalsKey<T> => ({ id, __type: Symbol.for(id) }),

  /** The value; undefined if there is none, and outside a run. */
  get: <T>(key: LocalsKey<T>): T | undefined => currentRunRuntime()?.scope.locals.get(key.__type) as T | undefined,

  /**
   * The value.
   *
   * @throws Error if there is none.
   */
  getOrThrow: <T>(key: LocalsKey<T>): T => {
    const value = locals.get(key);
    if (value === undefined) throw new Error(`Local with id ${key.id} not found`);
    return value;
  },

  /** Sets the value and returns it. Outside a run nothing keeps it, as in Trigger.dev. */
  set: <T>(key: LocalsKey<T>, value: T): T => {
    currentRunRuntime()?.scope.locals.set(key.__type, value);
    return value;
  },
};
