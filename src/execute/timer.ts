// Timers that may lie further off than one of node's can (24.8 days).

const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls back once, after some milliseconds (at once where there are none left), unless cancelled. */
export function afterMs(ms: number, callback: () => void): { cancel(): void } {
  const due = performance.now() + ms;
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const left = due - performance.now();
    timer = left > MAX_TIMER_MS ? setTimeout(arm, MAX_TIMER_MS) : setTimeout(callback, Math.max(0, left));
  };
  arm();
  return { cancel: () => clearTimeout(timer) };
}
