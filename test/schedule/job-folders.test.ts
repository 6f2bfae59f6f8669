import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { JobFolders } from '../../src/schedule/job-folders.ts';

const KEPT = 500;

type Rig = { own: string; folders: JobFolders; run: (id: string, leaves?: string) => void };

const test = suite<Rig>('job-folders');

test.before.each((rig) => {
  rig.own = mkdtempSync(join(tmpdir(), 'lhb-folders-'));
  rig.folders = new JobFolders(rig.own);
  rig.run = (id, leaves) => {
    const folder = join(rig.own, 'jobs', id);
    rig.folders.begin(folder);
    writeFileSync(join(folder, 'job.json'), id);
    if (leaves !== undefined) writeFileSync(join(folder, leaves), '');
    // As if it had been long ago.
    else utimesSync(folder, 1, 1);
    rig.folders.end(folder);
  };
});

test.after.each(({ own }) => rmSync(own, { recursive: true, force: true }));

const round = ({ run }: Rig, name: string, leavesLast?: string): void => {
  for (let n = 0; n < KEPT; n++) run(`${name}_${n}`, n === KEPT - 1 ? leavesLast : undefined);
};
const names = ({ own }: Rig): string[] => readdirSync(join(own, 'jobs'));

test('a folder goes from job to job, round after round', (rig) => {
  for (const name of ['a', 'b', 'c', 'd']) round(rig, name);
  assert.equal(names(rig).sort(), Array.from({ length: KEPT }, (_, n) => `d_${n}`).sort());
});

test('one into which a later job put a file stays, though it was seen to be plain before', (rig) => {
  for (const name of ['a', 'b']) round(rig, name);
  round(rig, 'c', 'mine');
  round(rig, 'd');
  assert.ok(existsSync(join(rig.own, 'jobs', `c_${KEPT - 1}`, 'mine')));
  assert.is(names(rig).length, KEPT + 1);
});

test('a job that failed has its folder again, and no other is lost for it', (rig) => {
  for (const name of ['a', 'b']) round(rig, name);
  const failed = join(rig.own, 'jobs', 'failed');
  rig.folders.begin(failed);
  writeFileSync(join(failed, 'mine'), '');
  rig.run('more');
  rig.run('failed', 'more');
  assert.equal(readdirSync(failed).sort(), ['job.json', 'mine', 'more']);
  for (const name of ['c', 'd']) round(rig, name);
  assert.not(names(rig).some((name) => name.startsWith('b_')));
});

test.run();
