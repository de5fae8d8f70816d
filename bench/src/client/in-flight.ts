/** Calls `act` with 0 to `count` - 1, in order, with `most` calls under way at once: each answer begins the next call. Fails with the first that fails. */
export async function inFlight(count: number, most: number, act: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: Math.min(most, count) }, lane));
}
