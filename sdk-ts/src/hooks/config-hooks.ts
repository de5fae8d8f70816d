import { registerHook } from "./global-hooks.js";
import type { Hook, HookKind } from "./hook-table.js";

/** Name of the hooks that a config brings, as in Trigger.dev. */
const configName = "config";

/** Hooks that a config has as keys. */
export const configHookKinds = ["init", "onStart", "onSuccess", "onFailure"] as const satisfies readonly HookKind[];

/** Registers the hooks of a config's module: those of its default export, and an exported `handleError`. To be called before any task file is loaded, so that they come first. */
export function registerConfigHooks(module: { readonly default?: unknown; readonly handleError?: unknown }): void {
  const config = (module.default ?? {}) as { readonly [kind in HookKind]?: unknown };
  for (const kind of configHookKinds) add(kind, config[kind]);
  add("catchError", module.handleError);
}

function add(kind: HookKind, hook: unknown): void {
  if (typeof hook === "function") registerHook(kind, hook as Hook, configName);
}
