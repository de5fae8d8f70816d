/** The kinds of hooks. `handleError` is `catchError`. */
export const hookKinds = [
  "middleware",
  "init",
  "onStart",
  "onStartAttempt",
  "onCancel",
  "onWait",
  "onResume",
  "onSuccess",
  "onError",
  "catchError",
  "onFailure",
  "onComplete",
  "cleanup",
] as const;

/** A kind of hook. */
export type HookKind = (typeof hookKinds)[number];

/** A hook with its types erased. */
export type Hook = (params: object) => unknown;

/** A hook for all tasks. */
export interface RegisteredHook {
  /** Given by whoever registered it. Another hook of the kind and name takes its place. */
  readonly name: string | undefined;
  readonly hook: Hook;
}

/** Hooks in the order of their registration. A kind without hooks has no entry. Plain data, because several copies of the SDK may read one. */
export type HookTable = { [kind in HookKind]?: RegisteredHook[] };

/** The hooks of one task; at most one of each kind. */
export type TaskHookTable = { readonly [kind in HookKind]?: Hook };

/** Adds a hook; one with the name of an earlier one takes that one's place, and the same function counts once. As in Trigger.dev. */
export function addHook(table: HookTable, kind: HookKind, added: RegisteredHook): void {
  const hooks = (table[kind] ??= []);
  const same = hooks.findIndex(({ name, hook }) => (added.name === undefined ? hook === added.hook : name === added.name));
  if (same === -1) hooks.push(added);
  else hooks[same] = added;
}

const key = Symbol.for("runlane.hooks.v1");

/** The hooks for all tasks of this process. Behind `Symbol.for`, because a task file and the worker may have different copies of the SDK. Empty until somebody registers one. */
export function globalHooks(): { table: HookTable | undefined } {
  const holder = globalThis as { [key]?: { table: HookTable | undefined } };
  holder[key] ??= { table: undefined };
  return holder[key];
}

/** The hooks among a task's options; undefined if there are none, which is what most tasks have. `handleError` goes as `catchError`. */
export function hooksAmong(options: { readonly [kind in HookKind | "handleError"]?: unknown }, where: string): TaskHookTable | undefined {
  let table: { [kind in HookKind]?: Hook } | undefined;
  for (const kind of hookKinds) {
    const hook = options[kind] ?? (kind === "catchError" ? options.handleError : undefined);
    if (hook === undefined) continue;
    if (typeof hook !== "function") throw new Error(`${where}: ${kind} must be a function`);
    table ??= {};
    table[kind] = hook as Hook;
  }
  return table;
}
