// Builds that are killed: what their jobs left running, and what they left on disk.
import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Gates } from '../support/fake-command.ts';
import { parseEvents } from '../support/json.ts';
import { ran, rigTest } from '../support/rig.ts';

rigTest('what a killed build left running of another version of a job writes no more', async (rig) => {
  // Two processes that take no notice of TERM; one of them has left the session.
  const stubborn = `trap "" TERM; echo $$ >> pids; while [ ! -e go ]; do sleep 0.02; done; echo late > out/o.txt`;
  const rule = (run: string): string => `
    rules:
      r:
        dir: out
        outputs: { o: o.txt }
        run: |
${run.replaceAll(/^/gm, '          ')}
  `;
  rig.workflow(rule(`sh -c '${stubborn}' &\nsetsid sh -c '${stubborn}' &\necho scratch > "$TMPDIR/left"\nwait`));
  const build = rig.start({}, 'build');
  const pids = (): number[] => (rig.exists('pids') ? rig.read('pids').trim().split('\n').map(Number) : []);
  await rig.until('both processes', () => pids().length === 2);
  build.child.kill('SIGKILL');
  await build.done;
  rig.workflow(rule('ps -o stat= -p "$(paste -sd, pids)" | grep -v Z >> both || true\necho good > ${{ outputs.o }}'));
  const { stderr } = await rig.ok('build');
  assert.match(stderr, 'the run that a killed build left is ended: what it is made from is not as it was');
  assert.is(rig.read('both'), '', 'the old one has ended before the new one starts');
  assert.equal(pids().filter(alive), []);
  rig.write('go', '');
  assert.is(rig.read('out/o.txt'), 'good\n');
  assert.equal(readdirSync(rig.path('.lhb/tmp')), [], 'temporary folders of the killed build');
});

rigTest('a job whose end was told is on record, whenever the build is killed', async (rig) => {
  rig.workflow(`
    rules:
      r: { for: { n: "\${{ range(0, 60) }}" }, outputs: { o: o.txt }, run: 'echo half > \${{ outputs.o }}; ${ran('${{ n }}')}; echo \${{ n }} > \${{ outputs.o }}' }
  `);
  const told = new Set<string>();
  for (const count of [1, 7, 20]) {
    const build = rig.start({}, 'build', '-j', '3', '--json');
    await rig.until(`${count} jobs`, () => finishedIds(build.stdout(), 'built').length >= count);
    build.child.kill('SIGKILL');
    const { stdout } = await build.done;
    for (const id of finishedIds(stdout, 'built')) {
      assert.not(told.has(id), `${id} was built twice`);
      told.add(id);
    }
    const fresh = (await rig.summary()).jobs.filter((job) => job.status === 'FRESH').map((job) => job.id);
    assert.equal(
      [...told].filter((id) => !fresh.includes(id)),
      [],
    );
  }
  await rig.ok('build', '-j', '3');
  for (const { outputs } of (await rig.summary()).jobs)
    assert.match(readFileSync(rig.path(outputs[0]?.path ?? ''), 'utf8'), /^\d+\n$/);
  await rig.ok('verify');
});

rigTest('who holds the lock is told with pid and host', async (rig) => {
  const gates = new Gates(rig, ['g']);
  rig.workflow(`
    rules: { r: { outputs: { o: o.txt }, run: '${Gates.command('g')}; echo > \${{ outputs.o }}' } }
  `);
  const build = rig.start({}, 'build');
  await gates.reached(1);
  const refused = await rig.exits(3, 'build');
  assert.match(refused.stderr, new RegExp(`\\b${build.child.pid}\\b`));
  assert.match(refused.stderr, hostname());
  gates.open('g');
  await build.done;
});

rigTest('a place for the store that cannot be written is an error of the user, not a bug', async (rig) => {
  rig.workflow(`rules: { r: { outputs: { o: o.txt }, run: '${ran('r')}; echo > \${{ outputs.o }}' } }`);
  rig.write('.lhb', 'a file');
  const ended = await rig.lhb('build');
  assert.ok(ended.code === 2 || ended.code === 4, `exit ${ended.code}: ${ended.stderr}`);
  assert.match(ended.stderr, '.lhb');
  assert.equal(rig.ranSince(), []);
});

/** Ids of the jobs whose end was told; a line that was cut off does not count. */
function finishedIds(stdout: string, result: string): string[] {
  const whole = stdout.slice(0, stdout.lastIndexOf('\n') + 1);
  const finished = parseEvents(whole).filter((e) => e['event'] === 'job-finished' && e['result'] === result);
  return finished.map((e) => e['id'] as string);
}

function alive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test.run();
