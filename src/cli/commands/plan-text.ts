// What `lhb plan` and `build -n` print.
import type { Plan, Step } from '../../plan/plan.ts';
import { countStatuses, jobJson, reasonsText } from '../../report/job-report.ts';
import type { Column } from '../../report/table.ts';
import { describePlan } from '../../report/wording.ts';
import { rowsOf, type Screen } from '../screen.ts';

const COLUMNS: readonly Column[] = [
  { title: 'plan', tone: (cell) => (cell === 'run' ? 'yellow' : cell === 'restore' ? 'cyan' : 'dim') },
  { title: 'rule' },
  { title: 'id' },
  { title: 'label' },
  { title: 'reason' },
];

/**
 * The steps that a build would take, with their reasons; then how many there are of each.
 * @param others how many jobs beside those of the plan are fresh
 */
export function printPlan(screen: Screen, plan: Plan, others = 0): void {
  const steps = [...plan.steps.values()];
  if (screen.json) {
    screen.document({ jobs: steps.map(jobJson), counts: countStatuses(steps) });
    return;
  }
  const shown = steps.filter((step) => step.action !== 'none' || screen.verbose);
  if (shown.length > 0) screen.table(COLUMNS, rowsOf(shown, row));
  const counts = countActions(steps);
  screen.note(describePlan({ ...counts, none: counts.none + others }));
}

function row(step: Step): string[] {
  const { job, action, reasons } = step;
  return [action, job.rule.name, job.id, job.label || '-', reasonsText(reasons) || '-'];
}

export function countActions(steps: Iterable<Step>): Record<Step['action'], number> {
  const counts = { none: 0, restore: 0, run: 0, check: 0 };
  for (const { action } of steps) counts[action]++;
  return counts;
}
