// Several at once in one work tree: builds that wait for each other, and queries beside a build.
import { statSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { test } from 'uvu';
import { finishedCounts, parseSummary, type Summary } from '../support/json.ts';
import { ran, rigTest, type Ended, type Rig, type Started } from '../support/rig.ts';

rigTest('of eight builds that wait for each other each job runs once', async (rig) => {
  rig.workflow(`
    rules:
      r: { for: { n: "\${{ range(0, 12) }}" }, outputs: { o: o.txt }, run: '${ran('r ${{ n }}')}; sleep 0.1; echo > \${{ outputs.o }}' }
      s: { for: { up: "\${{ r }}" }, outputs: { o: o.txt }, run: '${ran('s ${{ up.n }}')}; cat \${{ up.outputs.o }} > \${{ outputs.o }}' }
  `);
  const builds = Array.from({ length: 8 }, () => rig.start({}, 'build', '--wait', '-j', '2', '--json'));
  const ended = await Promise.all(builds.map((build) => build.done));
  for (const { code, stderr } of ended) assert.is(code, 0, stderr);
  const all = Array.from({ length: 12 }, (_, n) => [`r ${n}`, `s ${n}`]).flat();
  assert.equal(rig.ranSince(), all.sort());
  const built = ended.map(({ stdout }) => finishedCounts(stdout)['built'] ?? 0);
  assert.is(
    built.reduce((sum, count) => sum + count, 0),
    24,
  );
  await rig.ok('verify');
});

const MANY = 2000;
/** And one that ends when the test lets it. */
const ALL = MANY + 1;

rigTest(
  'queries beside a build wait for nothing and see whole transactions; without its index no job runs again',
  async (rig) => {
    rig.write('in.txt', 'text\n');
    rig.workflow(`
    rules:
      a: { for: { n: "\${{ range(0, ${MANY / 2}) }}" }, outputs: { o: o.txt }, run: 'cp in.txt \${{ outputs.o }}' }
      b: { for: { up: "\${{ a }}" }, outputs: { o: o.txt }, run: 'cp \${{ up.outputs.o }} \${{ outputs.o }}' }
      last: { priority: -1, outputs: { o: o.txt }, run: 'while ! test -e go; do sleep 0.05; done; cp in.txt \${{ outputs.o }}' }
  `);
    const first = (await rig.summary()).jobs[0]?.id ?? '';
    const build = rig.start({}, 'build', '-j', '2', '--json');
    await rig.until('the first jobs', () => build.stdout().includes('"job-finished"'));
    const queries = [['summary'], ['why', first], ['show', first], ['ls'], ['jobs'], ['plan', 'a']];
    let beside = 0;
    for (let n = 0; isRunning(build); n++) {
      const query = queries[n % queries.length] ?? [];
      const ended = await rig.ok(...query, '--json');
      if (isRunning(build)) beside++;
      if (n + 1 === 2 * queries.length) rig.write('go', '');
      if (query[0] === 'summary') checkSummary(rig, ended);
    }
    assert.ok(beside >= queries.length, `${beside} queries came to their end while the build ran`);
    const ended = await build.done;
    assert.is(ended.code, 0, ended.stderr);
    assert.is(finishedCounts(ended.stdout)['built'], ALL);

    rig.remove('.lhb/index');
    const again = finishedCounts((await rig.ok('build', '--json')).stdout);
    assert.equal([again['built'], again['fresh']], [0, ALL]);
  },
);

const isRunning = ({ child }: Started): boolean => child.exitCode === null && child.signalCode === null;

/** What a query saw in the middle of a build: each job once, and what is fresh has its outputs. */
function checkSummary(rig: Rig, ended: Ended): void {
  const summary: Summary = parseSummary(JSON.parse(ended.stdout));
  assert.is(summary.jobs.length, ALL);
  const counted = Object.values(summary.counts).reduce((sum, count) => sum + count, 0);
  assert.is(counted, ALL);
  const other = summary.jobs.filter(({ status }) => !['NEW', 'RUNNING', 'FRESH'].includes(status));
  assert.equal(
    other.map(({ id, status }) => `${id} ${status}`),
    [],
  );
  for (const { status, outputs } of summary.jobs) {
    if (status !== 'FRESH') continue;
    assert.is(outputs.length, 1);
    for (const { path, size } of outputs) assert.is(statSync(rig.path(path)).size, size);
  }
}

test.run();
