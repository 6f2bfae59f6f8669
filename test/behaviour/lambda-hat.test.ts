// The example that ships with the program: built from nothing, twice, in two places.
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { counts, finishedCounts, parseSummary } from '../support/json.ts';
import { PROJECT } from '../support/project.ts';
import { rigTest, type Rig } from '../support/rig.ts';

/** Fields of JSON files that may differ from run to run: times, places and what was measured. */
const VOLATILE = new Set([
  'created_at',
  'hostname',
  'host',
  'wall_time',
  'wall_time_s',
  'wall_s',
  'duration_s',
  'elapsed_s',
]);

/** Copies the example without results, as a fresh clone has it. */
function clone(rig: Rig, name: string): string {
  const to = join(rig.base, name);
  const from = join(PROJECT, 'fixtures', 'lambda-hat');
  const results = new Set([join(from, 'runs'), join(from, '.lhb')]);
  cpSync(from, to, { recursive: true, filter: (source) => !results.has(source) });
  return to;
}

function stable(path: string): string {
  if (!path.endsWith('.json')) return readFileSync(path).toString('base64');
  return JSON.stringify(JSON.parse(readFileSync(path, 'utf8')), (key, value: unknown) =>
    VOLATILE.has(key) ? undefined : value,
  );
}

rigTest(
  'fixtures/lambda-hat: a first build builds all, a second nothing, and two clones agree',
  async (rig) => {
    const [one, two] = [clone(rig, 'one'), clone(rig, 'two')];
    const cwd = { cwd: rig.base };
    const begun = Date.now();
    const first = await rig.lhbWith(cwd, 'build', '-C', 'one', '--json');
    const seconds = (Date.now() - begun) / 1000;
    assert.is(first.code, 0, first.stderr);
    assert.ok(seconds < 180, `${seconds} s`);
    const { jobs } = parseSummary(JSON.parse((await rig.lhbWith(cwd, 'summary', '--json', '-C', 'one')).stdout));
    const byRule = (rule: string): number => jobs.filter((job) => job.rule === rule).length;
    assert.ok(
      byRule('build_target') >= 4 && byRule('run_sampler') >= 12,
      `${byRule('build_target')} targets, ${byRule('run_sampler')} runs`,
    );
    assert.equal(finishedCounts(first.stdout), counts({ built: jobs.length }));
    const again = await rig.lhbWith(cwd, 'build', '-C', 'one', '--json');
    assert.equal(finishedCounts(again.stdout), counts({ fresh: jobs.length }));

    const second = await rig.lhbWith(cwd, 'build', '-C', 'two', '-j', '1', '--json');
    assert.is(second.code, 0, second.stderr);
    const files = readdirSync(join(one, 'runs'), { recursive: true, encoding: 'utf8', withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(one, 'runs').length + 1));
    assert.ok(files.some((file) => file.endsWith('analysis.json')) && files.some((file) => file.endsWith('.svg')));
    assert.equal(Object.keys(rig.tree('runs', one)), Object.keys(rig.tree('runs', two)));
    const differing = files.filter((file) => stable(join(one, 'runs', file)) !== stable(join(two, 'runs', file)));
    assert.equal(differing, [], 'files that differ in more than volatile fields');
  },
  { timeoutS: 600 },
);

test.run();
