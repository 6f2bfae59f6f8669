// The folders of jobs that ended well become those of later jobs.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { asMap, parseEvents } from '../support/json.ts';
import { rigTest, type Rig } from '../support/rig.ts';

const KEPT = 500;
const JOBS = 560;

const workflow = (run: string): string => `lhb: 1
config: { n: [${Array.from({ length: JOBS }, (_, n) => n).join(', ')}] }
rules:
  r:
    for: { n: "\${{ config.n }}" }
    dir: \${{ 'out/' + string(n) }}
    outputs: { o: o.json }
    run: |
      ${run}
`;

const idIn = (text: string): unknown => asMap(JSON.parse(text))['id'];

/** Every folder that is there holds the job.json of its own job. */
function checkFolders(rig: Rig): string[] {
  const ids = readdirSync(rig.path('.lhb/jobs'));
  for (const id of ids) {
    const text = readFileSync(rig.path(`.lhb/jobs/${id}/job.json`), 'utf8');
    assert.is(idIn(text), id);
  }
  return ids;
}

rigTest('of jobs that ended well the last folders stay, each with its own files', async (rig) => {
  rig.write('lhb.yaml', workflow('cp "$LHB_JOB" ${{ outputs.o }}'));
  await rig.ok('build', '-j4');
  const left = checkFolders(rig).length;
  assert.ok(left >= KEPT && left <= KEPT + 2 * 4 + 1, `${left}`);
  const ids = Array.from({ length: JOBS }, (_, n) => idIn(rig.read(`out/${n}/o.json`)));
  assert.is(new Set(ids).size, JOBS, 'each job found its own job.json');
  assert.match((await rig.ok('build')).stderr, /nothing to do/);
});

rigTest('a job.json that a job made its output is not written over', async (rig) => {
  rig.write('lhb.yaml', workflow('ln "$LHB_JOB" ${{ outputs.o }}'));
  await rig.ok('build', '-j4');
  const ids = Array.from({ length: JOBS }, (_, n) => idIn(rig.read(`out/${n}/o.json`)));
  assert.is(new Set(ids).size, JOBS);
  assert.match((await rig.ok('build')).stderr, /nothing to do/);
});

rigTest('what a job put into its folder stays there', async (rig) => {
  rig.write('lhb.yaml', workflow('touch "$(dirname "$LHB_JOB")/mine"; cp "$LHB_JOB" ${{ outputs.o }}'));
  await rig.ok('build', '-j4');
  assert.is(checkFolders(rig).length, JOBS);
});

rigTest('a forced job has its folder again, and a failed one keeps it', async (rig) => {
  rig.write('lhb.yaml', workflow('test ! -e fail && cp "$LHB_JOB" ${{ outputs.o }}'));
  await rig.ok('build', '-j4');
  const [first = ''] = Array.from({ length: JOBS }, (_, n) => String(idIn(rig.read(`out/${n}/o.json`)))).filter(
    (id) => !rig.exists(`.lhb/jobs/${id}`),
  );
  await rig.ok('forcerun', first);
  assert.is(idIn(rig.read(`.lhb/jobs/${first}/job.json`)), first);
  writeFileSync(rig.path('fail'), '');
  await rig.lhb('forcerun', first);
  assert.ok(rig.exists(`.lhb/jobs/${first}/job.sh`));
});

rigTest('a kill while folders change hands loses no result and takes none for another', async (rig) => {
  rig.write('lhb.yaml', workflow('cp "$LHB_JOB" ${{ outputs.o }}'));
  const builtIn = (stdout: string): string[] => {
    const whole = stdout.slice(0, stdout.lastIndexOf('\n') + 1);
    const built = parseEvents(whole).filter((e) => e['event'] === 'job-finished' && e['result'] === 'built');
    return built.map((e) => e['id'] as string);
  };
  const build = rig.start({}, 'build', '-j3', '--json');
  await rig.until('530 jobs', () => builtIn(build.stdout()).length >= 530);
  build.child.kill('SIGKILL');
  const told = builtIn((await build.done).stdout);
  const again = builtIn((await rig.ok('build', '-j3', '--json')).stdout);
  assert.equal(
    again.filter((id) => told.includes(id)),
    [],
  );
  const ids = Array.from({ length: JOBS }, (_, n) => idIn(rig.read(`out/${n}/o.json`)));
  assert.is(new Set(ids).size, JOBS);
  checkFolders(rig);
});

test.run();
