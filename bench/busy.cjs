// Loaded before lhb by main-thread.mjs: fills the heap if asked, and says at the end how long the main thread was at work.
const { readFileSync, writeFileSync } = require('node:fs');

const ballastMb = Number(process.env.LHB_BENCH_BALLAST_MB ?? 0);
// Numbers with fractions: V8 keeps 8 bytes for each, in its own heap.
globalThis.lhbBenchBallast = Array.from({ length: ballastMb / 8 }, () =>
  Array.from({ length: 1_000_000 }, Math.random),
);
const before = onCpu();

process.on('exit', () => {
  writeFileSync(
    process.env.LHB_BENCH_BUSY,
    JSON.stringify({ cpuMs: onCpu() - before, heapMb: process.memoryUsage().heapUsed / 1e6 }),
  );
});

/** Milliseconds that the main thread has been on a processor: Linux counts them by thread. */
function onCpu() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    // Elsewhere all threads together.
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }
}
