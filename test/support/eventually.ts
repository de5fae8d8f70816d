/**
 * Waits until `probe` answers something other than undefined or false, and returns it. What it throws meanwhile is taken for "not yet"; the last of it is the cause if
 * time runs out.
 *
 * @param what names the condition in the error
 * @param within milliseconds, default 30,000: on a busy machine much comes late, and a limit costs nothing when it comes
 */
export async function eventually<T>(what: string, probe: () => T | undefined | false | Promise<T | undefined | false>, within = 30_000): Promise<T> {
  const deadline = performance.now() + within;
  let cause: unknown;
  do {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await new Promise((wake) => setTimeout(wake, 20));
  } while (performance.now() < deadline);
  throw new Error(`waited ${within} ms in vain: ${what}`, { cause });
}
