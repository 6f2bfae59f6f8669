// lhb gc --pin, --unpin, --pins: results that gc never takes.
import { error, type Diagnostic } from '../../base/diagnostic.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { formatCount, formatTime } from '../../report/format.ts';
import type { Column } from '../../report/table.ts';
import { putPin, readPins, removePin, type Pin } from '../../store/pins.ts';
import type { Trace } from '../../store/trace.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions, Word } from '../invocation.ts';
import { earlierJob, fail, planOf, withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';
import { underLock } from '../under-lock.ts';
import type { Workspace } from '../workspace.ts';

const COLUMNS: readonly Column[] = [
  { title: 'id' },
  { title: 'rule' },
  { title: 'pinned' },
  { title: 'state' },
  { title: 'label' },
];

export const listPins = (common: CommonOptions, screen: Screen): Promise<ExitCode> =>
  withWorkspace(common, screen, false, ({ layout, index }) => {
    const { pins, unreadable } = readPins(layout);
    const isThere = (pin: Pin): boolean => index.getTrace(pin.actionKey) !== undefined;
    if (screen.json) screen.document({ pins: pins.map((pin) => ({ ...pinJson(pin), on_record: isThere(pin) })) });
    else if (pins.length > 0) {
      const rows = pins.map((pin) => [
        pin.jobId,
        pin.rule,
        formatTime(pin.pinnedAt),
        isThere(pin) ? 'on record' : 'lost',
        pin.label || '-',
      ]);
      screen.table(COLUMNS, rows);
    } else screen.note('nothing is pinned');
    for (const path of unreadable) screen.note(`${path} is no pin that can be read`);
    return EXIT.ok;
  });

/** Pins the result that holds now of each selected job; else what the work tree holds of it, else its last one. */
export const pin = (common: CommonOptions, selectors: readonly Word[], screen: Screen): Promise<ExitCode> =>
  underLock(
    common,
    screen,
    (workspace) => {
      const found = resultsOf(workspace, selectors);
      if (!found.ok) return fail(screen, found.error);
      const pinnedAt = Date.now() / 1000;
      const pins = found.value.map(({ actionKey, jobId, rule, label }) => ({
        actionKey,
        jobId,
        rule,
        label,
        pinnedAt,
      }));
      for (const each of pins) putPin(workspace.layout, each);
      if (screen.json) screen.document({ pinned: pins.map(pinJson) });
      screen.note(`pinned ${formatCount(pins.length, 'result')}`);
      return EXIT.ok;
    },
    (workspace) => resultsOf(workspace, selectors),
  );

function resultsOf(workspace: Workspace, selectors: readonly Word[]): Result<Trace[]> {
  const found = new Map<string, Trace>();
  const errors: Diagnostic[] = [];
  for (const selector of selectors) {
    const planned = planOf(workspace, [selector]);
    if (!planned.ok) {
      const earlier = earlierJob(workspace, selector, planned.error);
      if (earlier.ok) found.set(earlier.value.actionKey, earlier.value);
      else errors.push(...earlier.error);
      continue;
    }
    for (const job of planned.value.jobs) {
      const judgement = planned.value.plan.steps.get(job)?.judgement;
      const key = (judgement?.trace ?? judgement?.current)?.actionKey;
      const trace = key === undefined ? workspace.records.newest(job.id) : workspace.index.getTrace(key);
      if (trace) found.set(trace.actionKey, trace);
      else
        errors.push(error('gc/no-result', `${job.rule.name} ${job.id} has no result on record`, { at: selector.at }));
    }
  }
  return errors.length > 0 ? err(errors) : ok([...found.values()]);
}

/** Takes every pin of the selected jobs away. */
export const unpin = (common: CommonOptions, selectors: readonly Word[], screen: Screen): Promise<ExitCode> =>
  underLock(
    common,
    screen,
    (workspace) => {
      const found = pinsOf(workspace, selectors);
      if (!found.ok) return fail(screen, found.error);
      for (const { actionKey } of found.value) removePin(workspace.layout, actionKey);
      if (screen.json) screen.document({ unpinned: found.value.map(pinJson) });
      screen.note(`unpinned ${formatCount(found.value.length, 'result')}`);
      return EXIT.ok;
    },
    (workspace) => pinsOf(workspace, selectors),
  );

function pinsOf(workspace: Workspace, selectors: readonly Word[]): Result<Pin[]> {
  const { pins } = readPins(workspace.layout);
  const found = new Set<Pin>();
  const errors: Diagnostic[] = [];
  for (const selector of selectors) {
    const selected = workspace.select([selector]);
    const ids = new Set<string>(selected.ok ? [...selected.value].map((job) => job.id) : []);
    // A pinned job need not be in the workflow any more, nor on record.
    const named = pins.filter(({ jobId, rule }) => {
      return selected.ok
        ? ids.has(jobId)
        : rule === selector.text || (selector.text !== '' && jobId.startsWith(selector.text));
    });
    if (named.length === 0) {
      const message = `no result of '${selector.text}' is pinned`;
      errors.push(error('select/nothing', message, { at: selector.at, hint: '`lhb gc --pins` lists what is' }));
    }
    for (const each of named) found.add(each);
  }
  return errors.length > 0 ? err(errors) : ok([...found]);
}

const pinJson = ({ actionKey, jobId, rule, label, pinnedAt }: Pin): Record<string, unknown> => ({
  id: jobId,
  rule,
  label,
  action_key: actionKey,
  pinned_at: new Date(pinnedAt * 1000).toISOString(),
});
