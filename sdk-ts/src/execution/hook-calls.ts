import { globalHooks, type Hook, type HookKind, type TaskHookTable } from "../hooks/hook-table.js";
import type { AttemptScope } from "../runtime/attempt-scope.js";

/** Kinds of which the task's own hook comes first: it knows most of its errors. */
const taskFirst = new Set<HookKind>(["catchError", "onError"]);

const none: readonly Hook[] = [];

/** What the hooks of an attempt hang on. */
export interface HookHost {
  /** The attempt's scope, if there is one so far. */
  readonly leftBehind: AttemptScope | undefined;
  /** Hears of each hook when it is called. Default: nobody does. */
  readonly onHook?: ((kind: HookKind) => void) | undefined;
}

/** Looks up the hooks of an attempt, at each moment anew: more of them may be registered while it runs. */
export class HookCalls {
  readonly #own: TaskHookTable | undefined;
  readonly #host: HookHost;

  constructor(own: TaskHookTable | undefined, host: HookHost) {
    this.#own = own;
    this.#host = host;
  }

  /** True if there are hooks of any kind. */
  get any(): boolean {
    return this.#own !== undefined || globalHooks().table !== undefined || this.#host.leftBehind?.hooks !== undefined;
  }

  /** The hooks of a kind, in the order in which they are called. */
  of(kind: HookKind): readonly Hook[] {
    const { onHook } = this.#host;
    const hooks = this.#lookUp(kind);
    if (onHook === undefined) return hooks;
    return hooks.map((hook) => (params) => {
      onHook(kind);
      return hook(params);
    });
  }

  #lookUp(kind: HookKind): readonly Hook[] {
    const own = this.#own?.[kind];
    const common = globalHooks().table?.[kind];
    const late = this.#host.leftBehind?.hooks?.[kind];
    if (common === undefined && late === undefined) return own === undefined ? none : [own];
    const others = [...(common ?? []), ...(late ?? [])].map(({ hook }) => hook);
    if (own === undefined) return others;
    return taskFirst.has(kind) ? [own, ...others] : [...others, own];
  }
}
