// Where no job may write: into lhb's own folder and the store, and over the files that the workflow is read from.
import { relative, resolve } from 'node:path';
import { error } from '../base/diagnostic.ts';
import { isInside } from '../fs/rel-path.ts';
import type { Expander } from './expand.ts';
import type { Job } from './job.ts';

const OWN = '.lhb';
/** Logs may lie here. */
const LOGS = '.lhb/logs';

/** Notes an error for each rule that has an output or a log there. */
export function checkReservedPlaces(expander: Expander, jobs: readonly Job[]): void {
  const { workflow } = expander;
  const store = relative(workflow.root, workflow.store);
  const folders = store === '' || store.startsWith('..') ? [OWN] : [OWN, store];
  const read = new Set([...workflow.filesRead, relative(workflow.root, resolve(workflow.root, workflow.file.name))]);
  const told = new Set<string>();
  // Where the rule places none, the log lies among lhb's own.
  const readLogs = [...read].some((path) => isInside(LOGS, path));
  for (const job of jobs) {
    for (const output of job.outputs) {
      const path = job.pathOf(output);
      const folder = folders.find((each) => isInside(each, path) || (output.tree && isInside(path, each)));
      const problem = folder ? `${folder}/ is lhb's own` : read.has(path) ? 'the workflow is read from it' : undefined;
      if (problem) tell(job, `output '${output.name}'`, path, problem, output.spec.at);
    }
    if (job.rule.log === undefined && !readLogs) continue;
    const { log } = job;
    if ((isInside(OWN, log) && !isInside(LOGS, log)) || read.has(log)) {
      tell(
        job,
        '`log`',
        log,
        read.has(log) ? 'the workflow is read from it' : `${OWN}/ is lhb's own`,
        job.rule.log?.at,
      );
    }
  }

  function tell(job: Job, what: string, path: string, problem: string, at: Job['rule']['at'] | undefined): void {
    const name = `${job.rule.name} ${what}`;
    if (told.has(name)) return;
    told.add(name);
    expander.errors.push(
      error('graph/bad-path', `rule '${job.rule.name}': ${what}: ${path} cannot be written by a job: ${problem}`, {
        at: at ?? job.rule.at,
        hint: 'choose another path',
      }),
    );
  }
}
