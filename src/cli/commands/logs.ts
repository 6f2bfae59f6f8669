// lhb logs: one job's log, followed live with -f.
import { join, relative } from 'node:path';
import { error } from '../../base/diagnostic.ts';
import { parseRelPath } from '../../fs/rel-path.ts';
import { statOf } from '../../fs/stat-signature.ts';
import { pipeText, readText, terminalLog } from '../log-stream.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions, Word } from '../invocation.ts';
import { fail, findKnown, withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';
import { readHolder } from '../../store/lock.ts';
import { runningLaunches } from '../../execute/orphans.ts';
import { workLayout } from '../../store/layout.ts';

export async function logs(
  common: CommonOptions,
  selector: Word,
  options: { follow: boolean; attempt: number | undefined },
  screen: Screen,
): Promise<ExitCode> {
  let file = '';
  let root = '';
  let id: string = '';
  let isRunning = (): boolean => false;
  const code = await withWorkspace(common, screen, false, (workspace) => {
    const found = findKnown(workspace, selector);
    if (!found.ok) return fail(screen, found.error);
    const log = 'job' in found.value ? found.value.job.log : found.value.record.log;
    if (!parseRelPath(log).ok) {
      const message = `the log of ${selector.text} on record, ${log}, is no path inside the workflow's folder`;
      return fail(screen, [error('cli/no-log', message, { at: selector.at })]);
    }
    const jobId = 'job' in found.value ? found.value.job.id : found.value.record.jobId;
    id = jobId;
    root = workspace.workflow.root;
    file = join(root, log) + (options.attempt === undefined ? '' : `.${options.attempt}`);
    const attempt = workspace.records.attempt(jobId);
    const build = attempt?.state === 'begun' ? attempt.build : undefined;
    const work = workLayout(root);
    const runsOn = (): boolean => runningLaunches(work).some(({ launch }) => launch.jobId === jobId);
    isRunning = () => (build !== undefined && readHolder(work)?.build === build) || runsOn();
    return EXIT.ok;
  });
  if (code !== EXIT.ok) return code;
  const stats = statOf(file);
  const isThere = stats?.isFile() === true;
  if (!isThere && !(stats === undefined && options.follow && isRunning())) {
    return fail(screen, [
      error(
        'cli/no-log',
        `${selector.text} has no log${options.attempt === undefined ? ' yet' : ` of attempt ${options.attempt}`}`,
        {
          at: selector.at,
          hint: 'it has not run here',
        },
      ),
    ]);
  }
  if (screen.json) {
    // One document, so with -f only when the job has ended.
    const text = await readText(file, options.follow ? isRunning : undefined);
    screen.document({ id, path: relative(root, file), text });
  } else if (process.stdout.isTTY) {
    const terminal = terminalLog(process.stdout);
    await pipeText(file, terminal, options.follow ? isRunning : undefined);
    await new Promise<void>((resolve) => terminal.end(resolve));
  } else await pipeText(file, process.stdout, options.follow ? isRunning : undefined);
  return EXIT.ok;
}
