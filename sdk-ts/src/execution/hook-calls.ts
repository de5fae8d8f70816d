import { globalHooks, type Hook, type HookKind, type TaskHookTable } from "../hooks/hook-table.js";
import type { AttemptScope } from "../runtime/attempt-scope.js";

/** Kinds of which the task's own hook comes first: it knows most of its errors. */
const taskFirst = new Set<HookKind>(["catchError", "onError"]);

const none: readonly Hook[] = [];

/** Looks up the hooks of an attempt, at each moment anew: more of them may be registered while it runs. */
export class HookCalls {
  readonly #own: TaskHookTable | undefined;
  readonly #host: { readonly leftBehind: AttemptScope | undefined };

  /** `host` has the attempt's scope, if there is one so far. */
  constructor(own: TaskHookTable | undefined, host: { readonly leftBehind: AttemptScope | undefined }) {
    this.#own = own;
    this.#host = host;
  }

  /** True if there are hooks of any kind. */
  get any(): boolean {
    return this.#own !== undefined || globalHooks().table !== undefined || this.#host.leftBehind?.hooks !== undefined;
  }

  /** The hooks of a kind, in the order in which they are called. */
  of(kind: HookKind): readonly Hook[] {
    const own = this.#own?.[kind];
    const common = globalHooks().table?.[kind];
    const late = this.#host.leftBehind?.hooks?.[kind];
    if (common === undefined && late === undefined) return own === undefined ? none : [own];
    const others = [...(common ?? []), ...(late ?? [])].map(({ hook }) => hook);
    if (own === undefined) return others;
    return taskFirst.has(kind) ? [own, ...others] : [...others, own];
  }
}
