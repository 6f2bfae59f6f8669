// Which row of a scheduler's answer is about which job.
import type { StatusRow } from './status-rows.ts';

/** A job as it was submitted. */
export type SubmittedJob = {
  readonly submission: { readonly key: string; readonly id: string | undefined };
  /** Its number in an array. */
  readonly index: number | undefined;
};

/**
 * By key where the scheduler shows it, since ids are given out again after a crash; else by id.
 * @param onId is told the id of a submission of which it was not known
 */
export function matchRows<Job extends SubmittedJob>(
  rows: readonly StatusRow[],
  jobs: Iterable<Job>,
  onId: (submission: Job['submission'], id: string) => void = () => {},
): Map<Job, StatusRow> {
  const bySubmission = new Map<string, { submission: Job['submission']; jobs: Job[] }>();
  for (const job of jobs) {
    const { submission } = job;
    const known = bySubmission.get(submission.key) ?? { submission, jobs: [] as Job[] };
    known.jobs.push(job);
    bySubmission.set(submission.key, known);
  }
  const all = [...bySubmission.values()];
  const byId = new Map(
    all.flatMap((each) => (each.submission.id === undefined ? [] : [[withoutServer(each.submission.id), each]])),
  );
  const found = new Map<Job, StatusRow>();
  for (const row of rows) {
    const [key] = /[0-9a-f]{16}/.exec(row.key) ?? [];
    const about = key === undefined ? byId.get(withoutServer(row.id)) : bySubmission.get(key);
    if (about === undefined) continue;
    if (about.submission.id === undefined) onId(about.submission, row.id);
    const tasks = row.tasks && new Set(row.tasks);
    for (const job of about.jobs)
      if (job.index === undefined || tasks === undefined || tasks.has(job.index)) found.set(job, row);
  }
  return found;
}

/** PBS cuts long ids off where it lists them. */
const withoutServer = (id: string): string => id.split('.')[0] ?? id;
