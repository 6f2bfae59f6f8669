// Many things at once, but not all.

/** What does its work without waiting hands over to timers and signals after so many milliseconds. */
const TURN_MS = 15;

/**
 * Does `action` for each item, at most `limit` at a time, begun in order. The first failure is thrown when those that were
 * begun have ended; no more are begun then.
 * @returns the results in the items' order
 */
export async function concurrently<T, R>(
  items: readonly T[],
  limit: number,
  action: (item: T) => Promise<R> | R,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  let turn = performance.now();
  const run = async (): Promise<void> => {
    for (let i = next++; i < items.length && failure === undefined; i = next++) {
      try {
        results[i] = await action(items[i] as T);
      } catch (error) {
        failure ??= { error };
      }
      if (performance.now() - turn < TURN_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      turn = performance.now();
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, run));
  if (failure !== undefined) throw failure.error;
  return results;
}
