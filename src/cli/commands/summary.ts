// lhb summary: one line a job, where it stands and why.
import { countStatuses, detailedRow, jobJson, summaryRow } from '../../report/job-report.ts';
import { SUMMARY_COLUMNS } from '../../report/summary-cells.ts';
import type { Step } from '../../plan/plan.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions, Word } from '../invocation.ts';
import { fail, planOf, shownCommand, withWorkspace } from '../query.ts';
import type { Standing } from '../quick-build.ts';
import { rowsOf, type Screen } from '../screen.ts';

/** @param standing how the work tree stands to the snapshot of the last build, where that counts */
export const summary = (
  common: CommonOptions,
  selectors: readonly Word[],
  detailed: boolean,
  screen: Screen,
  standing: Standing | undefined,
): Promise<ExitCode> =>
  withWorkspace(common, screen, false, (workspace) => {
    const planned = planOf(workspace, selectors, standing);
    if (!planned.ok) return fail(screen, planned.error);
    const { plan, jobs } = planned.value;
    const steps = jobs.flatMap((job) => plan.steps.get(job) ?? []);
    if (screen.json) {
      const command = (i: number): string | null => {
        const step = steps[i];
        return step ? (shownCommand(workspace, step.job) ?? null) : null;
      };
      const rows = steps.map((step, i) => (detailed ? { ...jobJson(step), command: command(i) } : jobJson(step)));
      screen.document({ jobs: rows, counts: countStatuses(steps) });
      return EXIT.ok;
    }
    if (detailed) {
      const row = (step: Step): string[] => detailedRow(step, shownCommand(workspace, step.job) ?? '');
      screen.details(rowsOf(steps, row));
    } else screen.table(SUMMARY_COLUMNS, rowsOf(steps, summaryRow));
    const counts = Object.entries(countStatuses(steps)).map(([status, count]) => `${count} ${status}`);
    if (process.stdout.isTTY) screen.note(counts.join(', '));
    return EXIT.ok;
  });
