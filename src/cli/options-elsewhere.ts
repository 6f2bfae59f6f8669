// Names that are not there: commands of later versions, and what other tools call things, for better errors.

/** Commands of the spec that are not there yet. */
export const LATER_COMMANDS: readonly string[] = [
  'diff',
  'table',
  'rekey',
  'report',
  'ui',
  'promote',
  'config',
  'init',
  'doctor',
  'completion',
];

/** What people type who come from other tools -> the command that does it. */
export const OTHER_COMMAND_NAMES: ReadonlyMap<string, string> = new Map([
  ['run', 'build'],
  ['make', 'build'],
  ['all', 'build'],
  ['repro', 'build'],
  ['rerun', 'forcerun'],
  ['status', 'summary'],
  ['list', 'ls'],
  ['log', 'logs'],
  ['dag', 'graph'],
  ['explain', 'why'],
  ['checkout', 'restore'],
  ['prune', 'gc'],
]);

/** Options of Snakemake under other names -> what to do instead. */
export const OTHER_OPTION_NAMES: ReadonlyMap<string, string> = new Map([
  ['--cores', 'use -j N'],
  ['-c', 'use -j N'],
  ['--snakefile', 'use -f FILE'],
  ['-s', 'use -f FILE'],
  ['-d', 'use -C DIR'],
  ['--force', 'use -R SELECTOR'],
  ['--printshellcmds', 'use lhb summary --detailed, which has each command'],
  ['-p', 'use lhb summary --detailed, which has each command'],
  ['--unlock', 'not needed: a build takes over the lock of one that died'],
  ['--touch', 'use lhb touch SELECTOR'],
  ['-t', 'use lhb touch SELECTOR'],
  ['--lint', 'use lhb lint'],
  ['--rulegraph', 'use lhb graph --rules'],
  ['-D', 'use lhb summary --detailed'],
  ['-S', 'use lhb summary'],
  ['--restart-times', 'use --retries N'],
  ['-T', 'use --retries N'],
  ['--rerun-triggers', 'not needed: contents count, never times; lhb why says what changed'],
]);
