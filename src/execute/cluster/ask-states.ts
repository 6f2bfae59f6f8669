// What a scheduler says of jobs of an earlier driver, or of one that is on: for those who look.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Launched } from '../launches.ts';
import { matchRows } from './match-rows.ts';
import type { ClusterTemplates } from './profile.ts';
import { runSchedulerCommand } from './scheduler-command.ts';
import { statusRows } from './status-rows.ts';
import { aboutJobs, taskId } from './submission.ts';

export type Asked = { readonly state: string; readonly reason: string };

/** Who looks waits no longer than this for a scheduler. */
const LIMIT_MS = 20_000;

/** By token, with one call; undefined where the scheduler does not tell. */
export async function askStates(
  templates: ClusterTemplates,
  launches: readonly Launched[],
  root: string,
): Promise<ReadonlyMap<string, Asked> | undefined> {
  const { status, down } = templates;
  if (status?.row === undefined) return undefined;
  const jobs = launches.flatMap(({ token, submitted }) =>
    submitted ? [{ token, submission: submitted, index: submitted.index }] : [],
  );
  const ids = [...new Set(jobs.flatMap(({ submission }) => submission.id ?? []))];
  const answer = await runSchedulerCommand(aboutJobs(status.command, ids), { cwd: root, down, limitMs: LIMIT_MS });
  if (answer.kind !== 'ok') return undefined;
  const found = matchRows(statusRows(answer.stdout, status), jobs);
  const waits = new Set(
    launches.filter(({ submitted, log }) => submitted?.pack && !existsSync(join(root, log))).map(({ token }) => token),
  );
  return new Map(
    [...found].map(([{ token }, { state, shown, reason }]) => {
      if (state === 'running' && waits.has(token))
        return [token, { state: 'pending', reason: 'others of its pack run' }];
      return [token, { state: state ?? shown, reason }];
    }),
  );
}

/** The id of a launch at its scheduler, as people use it there. */
export const schedulerId = ({ submitted }: Launched, templates: ClusterTemplates): string | undefined =>
  submitted?.id && taskId(submitted.id, submitted.index, templates);
