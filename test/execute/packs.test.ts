// Which jobs go out by one call, in packs and alone, and when; packs in the file of launches.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { builtInFile } from '../../src/execute/cluster/find-profile.ts';
import type { ClusterTemplates } from '../../src/execute/cluster/profile.ts';
import { readProfile } from '../../src/execute/cluster/read-profile.ts';
import { kindOf, packed } from '../../src/execute/cluster/submission.ts';
import { newTask, type Task } from '../../src/execute/cluster/task.ts';
import { WaitingLine } from '../../src/execute/cluster/waiting-line.ts';
import type { Launch, Pack } from '../../src/execute/executor.ts';
import { LaunchLog, linesFor, readLaunches } from '../../src/execute/launches.ts';

const read = readProfile('slurm', builtInFile('slurm'));
assert.ok(read.ok && read.value.cluster);
const SLURM = (read.ok ? read.value.cluster : undefined) as ClusterTemplates;

function launch(jobId: string, pack?: Pack, resources: Launch['resources'] = { cpus: 1 }): Launch {
  return {
    jobId,
    rule: 'r',
    attempt: 1,
    place: undefined,
    label: jobId,
    actionKey: 'k',
    resources,
    command: { kind: 'argv', wrapper: [], argv: ['true'] },
    cwd: '/w',
    inherited: {},
    env: {},
    log: `/w/${jobId}.log`,
    logName: `${jobId}.log`,
    jobDir: `/w/${jobId}`,
    timeoutS: undefined,
    scratch: '/tmp',
    gpus: undefined,
    pack,
  };
}

let count = 0;
function waiting(line: WaitingLine, of: Launch, nowMs = 0): Task {
  const { jobId, jobDir, rule, log } = of;
  const from = { token: `t-${count++}`, jobId, jobDir, rule, log, launch: of, timeoutS: undefined, startedAt: 0 };
  const { task } = newTask(from);
  line.add(task, kindOf(of, SLURM), nowMs);
  return task;
}

const sizes = (packs: readonly (readonly Task[])[]): number[] => packs.map(({ length }) => length);

test('full packs go out at once, as many as one call may take; one that is not full waits for a second', () => {
  const line = new WaitingLine();
  for (let i = 0; i < 147; i++) waiting(line, launch(`j${i}`, { name: 'g', share: 1 / 49 }));
  for (let i = 0; i < 10; i++) waiting(line, launch(`k${i}`, { name: 'g', share: 1 / 49 }));
  assert.equal(sizes(line.next(2, 0)), [49, 49]);
  assert.equal(sizes(line.next(9, 0)), [49]);
  assert.equal(sizes(line.next(9, 900)), []);
  assert.is(line.size, 10);
  assert.equal(sizes(line.next(9, 1100)), [10]);
});

test('a pack does not wait for ever while others come', () => {
  const line = new WaitingLine();
  for (let ms = 0; ms < 6000; ms += 500) waiting(line, launch(`j${ms}`, { name: 'g', share: 1 / 49 }), ms);
  assert.equal(sizes(line.next(9, 5600)), [12]);
});

test('jobs by their recorded times fill a pack as far as they go', () => {
  const line = new WaitingLine();
  for (const share of [0.4, 0.4, 0.4, 0.1, 0.5]) waiting(line, launch(`j${share}`, { name: 'g', share }));
  assert.equal(sizes(line.next(9, 5000)), [2, 3]);
});

test('jobs go together that are submitted with the same words, but for the times of packs', () => {
  const pack = { name: 'g', share: 0.1 };
  const key = (resources: Launch['resources'], of?: Pack): string | undefined =>
    kindOf(launch('j', of, resources), SLURM).key;
  assert.is(key({ time: 5 }, pack), key({ time: 7 }, pack));
  assert.is.not(key({ time: 5 }), key({ time: 7 }));
  assert.is.not(key({ mem_mb: 5 }, pack), key({ mem_mb: 7 }, pack));
  assert.is.not(key({}, pack), key({}));
  const [a, b, c] = [5, 7, 1].map((time) => launch('j', pack, { time, mem_mb: 3 }));
  assert.ok(a && b && c);
  if (!a || !b || !c) return;
  assert.equal(packed([[a, b], [c]], a).resources, { time: 12, mem_mb: 3 });
  assert.is(packed([[a, b]], a).rule, 'g');
});

test('a job that waits is taken back; alone it goes without waiting', () => {
  const line = new WaitingLine();
  const first = waiting(line, launch('a'));
  waiting(line, launch('b'));
  assert.ok(line.remove(first));
  assert.not(line.remove(first));
  assert.equal(sizes(line.next(9, 0)), [1]);
  assert.is(line.size, 0);
});

test('a later driver knows which launches are one job for the scheduler', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lhb-launches-'));
  try {
    const file = join(folder, 'launches');
    const log = new LaunchLog(file);
    const tokens = ['a', 'b', 'c', 'd'].map((id) => {
      const token = log.newToken();
      log.add(token, launch(id), { executor: 'slurm', startedAt: 1, tmpdir: '', cpuBefore: undefined }, undefined);
      return token;
    });
    const numbers = [0, 0, 0, 1];
    log.addSubmission(
      'k',
      tokens.map((token, i) => [token, numbers[i]]),
    );
    log.leave();
    const packs = (): (readonly string[] | undefined)[] =>
      readLaunches(file).launches.map(({ submitted }) => submitted?.pack);
    const three = tokens.slice(0, 3);
    assert.equal(packs(), [three, three, three, undefined]);
    const earlier = readLaunches(file);
    new LaunchLog(file, linesFor(earlier, earlier.launches.slice(1))).leave();
    assert.equal(packs(), [three, three, undefined], 'one that is not wanted is packed with them still');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
