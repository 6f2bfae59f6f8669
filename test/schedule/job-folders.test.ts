import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { JobFolders } from '../../src/schedule/job-folders.ts';

const KEPT = 500;

class Rig {
  readonly own = mkdtempSync(join(tmpdir(), 'lhb-folders-'));
  readonly folders = new JobFolders(this.own);

  path(id: string): string {
    return join(this.own, 'jobs', id);
  }

  /** A job that ends well, long ago but where it leaves a file. */
  run(id: string, leaves?: string): void {
    this.folders.begin(this.path(id));
    writeFileSync(join(this.path(id), 'job.json'), id);
    if (leaves === undefined) utimesSync(this.path(id), 1, 1);
    else writeFileSync(join(this.path(id), leaves), '');
    this.folders.end(this.path(id));
  }

  round(name: string, leavesLast?: string): void {
    for (let n = 0; n < KEPT; n++) this.run(`${name}_${n}`, n === KEPT - 1 ? leavesLast : undefined);
  }

  names(): string[] {
    return readdirSync(join(this.own, 'jobs'));
  }
}

function folderTest(name: string, run: (rig: Rig) => void): void {
  test(name, () => {
    const rig = new Rig();
    try {
      run(rig);
    } finally {
      rmSync(rig.own, { recursive: true, force: true });
    }
  });
}

folderTest('a folder goes from job to job, round after round', (rig) => {
  for (const name of ['a', 'b', 'c', 'd']) rig.round(name);
  assert.equal(rig.names().sort(), Array.from({ length: KEPT }, (_, n) => `d_${n}`).sort());
});

folderTest('one into which a later job put a file stays, though it was seen to be plain before', (rig) => {
  for (const name of ['a', 'b']) rig.round(name);
  rig.round('c', 'mine');
  rig.round('d');
  assert.ok(existsSync(join(rig.path(`c_${KEPT - 1}`), 'mine')));
  assert.is(rig.names().length, KEPT + 1);
});

folderTest('to begin in a folder that is there takes nothing from others', (rig) => {
  rig.folders.begin(rig.path('failed'));
  writeFileSync(join(rig.path('failed'), 'mine'), '');
  for (let n = 0; n < KEPT; n++) rig.run(`a_${n}`, 'command');
  rig.folders.begin(rig.path('failed'));
  assert.ok(existsSync(join(rig.path('a_0'), 'command')));
});

folderTest('a job that failed has its folder again, and no other is lost for it', (rig) => {
  for (const name of ['a', 'b']) rig.round(name);
  rig.folders.begin(rig.path('failed'));
  writeFileSync(join(rig.path('failed'), 'mine'), '');
  rig.run('more');
  rig.run('failed', 'more');
  assert.equal(readdirSync(rig.path('failed')).sort(), ['job.json', 'mine', 'more']);
  for (const name of ['c', 'd']) rig.round(name);
  assert.not(rig.names().some((name) => name.startsWith('b_')));
});

test.run();
