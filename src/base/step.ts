// Named steps in a job's life, for the crash tests: a preload (`node --import`) may put a function on globalThis that is
// called at each of them, and ends the process there. Without one a step costs an empty call.
//
// In the order of a job's life:
//   outputs:removed  its old outputs are gone
//   launch:prepared  its folders, job.json and config.yaml are written
//   launch:before    so is its command
//   launch:noted     the launch is in `.lhb/launches`; the job cannot have begun
//   launch:started   its text went to the helper shell
//   capture:before   it ended well, its processes are gone, its inputs are as they were
//   blob:before-link, blob:named    before and after a blob gets its name
//   output:relinking an output that equals a blob is about to become a link to it
//   capture:after    its outputs are in the store
//   commit:before    the trace is made
//   log:appended     it is in the trace log
//   transaction:before, transaction:after   around the commit of the index, of this or of anything else on record
//   commit:after     the trace is on record
//   temp:dropped     a temp output that nobody needs any more is gone
// where a scheduler runs it, instead of launch:noted and launch:started:
//   submit:before    its script is written
//   submit:noted     what is to be submitted is in `.lhb/launches`; the scheduler cannot know it
//   submit:handed    the scheduler has it, and its id was printed
//   submit:done      so is the scheduler's id
// or, when its result is brought back from the store:
//   restore:linked   the outputs are in place, by links, where nothing stood
//   restore:staged   all bytes are out of the store, under temporary names
//   restore:placed   the outputs are in place
// or, when it failed:
//   attempt:before, attempt:after   around putting the failure on record
// and at the end of a build:
//   build:end        all jobs and helper shells have ended
//   launches:closed  `.lhb/launches` is gone, or holds only what was left alone
//   lock:released    the lock is free
// and at the beginning:
//   lock:gate        nobody else looks at the lock now
//   lock:noted       who takes it stands beside it
//   lock:taken       it is held
//   rebuild:made     an index that was lost has been made again, aside
// in `lhb gc`:
//   gc:records       some records that nothing refers to are gone
//   gc:blob          so are bytes that no record names
//   log:replaced     a trace log is written anew without them
// while a result goes to a shared folder:
//   cache:temporary-opened, cache:blob-written, cache:blob-named   bytes get a temporary name, are whole, get theirs
//   cache:blobs-published   all that the record names is there
//   cache:record-written, cache:record-linked, cache:record-published   around the record's name
// where an earlier build was killed:
//   strays:before, strays:after   around ending what must not run on
//   launches:kept    `.lhb/launches` is rewritten with what is taken over

const hook = (globalThis as { [key: symbol]: unknown })[Symbol.for('lhb.step')];

/** Tells the preload, if there is one, that this step has been reached. */
export const step: (name: string) => void = typeof hook === 'function' ? (hook as (name: string) => void) : () => {};
