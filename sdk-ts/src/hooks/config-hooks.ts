import { registerHook } from "./global-hooks.js";
import { globalHooks, type Hook, type HookKind } from "./hook-table.js";

/** Name of the hooks that a config brings, as in Trigger.dev. */
const configName = "config";

/** Hooks that a config has as keys. */
export const configHookKinds = ["init", "onStart", "onSuccess", "onFailure"] as const satisfies readonly HookKind[];

/** A config's module. */
export interface ConfigModule {
  readonly default?: unknown;
  /** Goes as a `catchError` for all tasks. */
  readonly handleError?: unknown;
}

/** Registers the hooks of a config's module: those of its default export, and an exported `handleError`. To be called before any task file is loaded, so that they come first. */
export function registerConfigHooks(module: ConfigModule): void {
  for (const [kind, hook] of configHooks(module)) registerHook(kind, hook, configName);
}

/** The same where task files are loaded already: puts them before the hooks that are there. Returns how to take them away again. */
export function hooksOfConfig(module: ConfigModule): () => void {
  const holder = globalHooks();
  const added = configHooks(module);
  for (const [kind, hook] of added) {
    holder.table ??= {};
    holder.table[kind] = [{ name: configName, hook }, ...(holder.table[kind] ?? [])];
  }
  return () => {
    for (const [kind, hook] of added) if (holder.table) holder.table[kind] = (holder.table[kind] ?? []).filter((other) => other.hook !== hook);
  };
}

function configHooks(module: ConfigModule): [kind: HookKind, hook: Hook][] {
  const config = (module.default ?? {}) as { readonly [kind in HookKind]?: unknown };
  const given: [HookKind, unknown][] = [...configHookKinds.map((kind): [HookKind, unknown] => [kind, config[kind]]), ["catchError", module.handleError]];
  return given.filter((hook): hook is [HookKind, Hook] => typeof hook[1] === "function");
}
