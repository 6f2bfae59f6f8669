// Named steps in a job's life, for the crash tests: a preload (`node --import`) may put a function on globalThis that is
// called at each of them, and ends the process there. Without one a step costs an empty call.
//
// In the order of a job's life:
//   launch:before    its files are written, its old outputs are gone
//   launch:noted     the launch is in `.lhb/launches`; the job cannot have begun
//   launch:started   its text went to the helper shell
//   capture:before   it ended well, its processes are gone, its inputs are as they were
//   capture:after    its outputs are in the store
//   commit:before    the trace is made
//   commit:after     the trace is on record
// or, when it failed:
//   attempt:before, attempt:after   around putting the failure on record
// and at the end of a build:
//   build:end        all jobs and helper shells have ended
//   launches:closed  `.lhb/launches` is gone, or holds only what was left alone
// and at the beginning, where an earlier build was killed:
//   strays:before, strays:after   around ending what must not run on
//   launches:kept    `.lhb/launches` is rewritten with what is taken over

const hook = (globalThis as { [key: symbol]: unknown })[Symbol.for('lhb.step')];

/** Tells the preload, if there is one, that this step has been reached. */
export const step: (name: string) => void = typeof hook === 'function' ? (hook as (name: string) => void) : () => {};
