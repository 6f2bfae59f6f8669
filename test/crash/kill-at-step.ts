// A preload (`node --import`) for the program under test: ends the process by SIGKILL at the n-th time that a named step
// (src/base/step.ts) is reached, and notes the names that it comes by.
//   LHB_CRASH_AT     NAME=N: the step to die at, counted from 1; without it nobody dies
//   LHB_CRASH_STEPS  a file that takes a line `reached NAME` at the first time of each name, and `killed NAME`
import { appendFileSync } from 'node:fs';

const { LHB_CRASH_AT: at, LHB_CRASH_STEPS: file } = process.env;
// It is about this process, not about what it starts.
delete process.env['LHB_CRASH_AT'];
delete process.env['LHB_CRASH_STEPS'];

if (file !== undefined) {
  const [name, count] = /^(.+)=(\d+)$/.exec(at ?? '')?.slice(1) ?? [];
  const times = new Map<string, number>();
  (globalThis as { [key: symbol]: unknown })[Symbol.for('lhb.step')] = (step: string): void => {
    const time = (times.get(step) ?? 0) + 1;
    times.set(step, time);
    if (time === 1) appendFileSync(file, `reached ${step}\n`);
    if (step !== name || time !== Number(count)) return;
    appendFileSync(file, `killed ${step}\n`);
    process.kill(process.pid, 'SIGKILL');
  };
}
