// Named steps in a job's life, for the crash tests: a preload (`node --import`) may put a function on globalThis that is
// called at each of them, and ends the process there. Without one a step costs a property look-up.

const hook = (globalThis as { [key: symbol]: unknown })[Symbol.for('lhb.step')];

/** Tells the preload, if there is one, that this step has been reached. */
export const step: (name: string) => void = typeof hook === 'function' ? (hook as (name: string) => void) : () => {};
