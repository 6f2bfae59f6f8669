// `lhb summary` where all is as the last build left it, told from its snapshot: the workflow is not read, and the index for
// details alone.
import { RESULT_FIELDS, STATE, TOLD, type Snapshot } from '../plan/snapshot.ts';
import { SUMMARY_COLUMNS, summaryCells } from '../report/summary-cells.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Invocation } from './invocation.ts';
import { standingOf, type Standing } from './quick-build.ts';
import type { Screen } from './screen.ts';

/** The exit code of a summary that is told; else undefined, with nothing said, or how the work tree stands to its snapshot. */
export async function quickSummary(
  { common, selectors, detailed }: Extract<Invocation, { command: 'summary' }>,
  screen: Screen,
): Promise<ExitCode | Standing | undefined> {
  const standing = standingOf(common);
  if (standing === undefined || selectors.length > 0 || screen.json) return standing;
  const { snapshot, changed } = standing;
  const both = STATE.wanted | STATE.fresh;
  if (changed.length > 0 || snapshot.states.some((state) => state !== both)) return standing;
  if (detailed) {
    if (snapshot.told.includes(TOLD.byWorkflow)) return standing;
    const { quickDetailed } = await import('./quick-detailed.ts');
    const found = await quickDetailed(standing);
    if (found === undefined) return standing;
    screen.details(found);
  } else screen.table(SUMMARY_COLUMNS, rows(snapshot));
  const count = snapshot.states.length;
  if (process.stdout.isTTY) screen.note(count === 0 ? '' : `${count} FRESH`);
  return EXIT.ok;
}

function* rows({ ids, rules, ruleOf, results }: Snapshot): Generator<string[]> {
  for (let job = 0; job < ruleOf.length; job++) {
    const [at = 0, seconds = 0, bytes = 0] = results.subarray(job * RESULT_FIELDS, (job + 1) * RESULT_FIELDS);
    yield summaryCells(ids.at(job), rules[ruleOf[job] ?? -1] ?? '', 'FRESH', 'none', { at, seconds, bytes }, '');
  }
}
