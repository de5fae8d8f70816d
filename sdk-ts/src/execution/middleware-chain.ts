import type { Hook } from "../hooks/hook-table.js";

/**
 * Calls each middleware around the next, and `inner` in the middle, at most once. Resolves when all of them have ended, and `inner` too, if it was reached.
 *
 * @throws what a middleware throws. `inner` must not.
 */
export async function throughMiddleware(hooks: readonly Hook[], params: object, inner: () => Promise<void>): Promise<void> {
  let begun: Promise<void> | undefined;
  const step = (index: number): Promise<void> => {
    const hook = hooks[index];
    if (hook === undefined) return (begun ??= inner());
    let next: Promise<void> | undefined;
    // Async, so that what it throws at once is a rejection like others.
    return (async () => void (await hook({ ...params, next: () => (next ??= step(index + 1)) })))();
  };
  try {
    await step(0);
  } finally {
    // A middleware need not await `next`.
    await begun;
  }
}
