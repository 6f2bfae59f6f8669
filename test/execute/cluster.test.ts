// Profiles, templates and what schedulers answer, without a scheduler. What LSF prints is taken from IBM's documentation of
// Spectrum LSF 10.1 (bsub, bjobs -o, bkill); PBS's from the guide of OpenPBS 20 and its qstat.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { builtInFile } from '../../src/execute/cluster/find-profile.ts';
import { matchRows } from '../../src/execute/cluster/match-rows.ts';
import type { ClusterTemplates, Profile } from '../../src/execute/cluster/profile.ts';
import { readProfile } from '../../src/execute/cluster/read-profile.ts';
import { statusRows } from '../../src/execute/cluster/status-rows.ts';
import {
  aboutJobs,
  checkTemplates,
  idOf,
  submitCommand,
  taskId,
  type Frame,
} from '../../src/execute/cluster/submission.ts';
import { PROJECT } from '../support/project.ts';

function builtIn(name: string): ClusterTemplates {
  const read = readProfile(name, builtInFile(name));
  assert.ok(read.ok && read.value.cluster);
  return read.value.cluster as ClusterTemplates;
}

/** Reads a profile's text. */
function profile(text: string): Profile | string {
  const folder = mkdtempSync(join(tmpdir(), 'lhb-profile-'));
  try {
    const file = join(folder, 'config.yaml');
    writeFileSync(file, text);
    const read = readProfile('x', file);
    return read.ok ? read.value : read.error.map(({ message }) => message).join('\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What is wrong with a profile's text. */
function mistake(text: string): string {
  const made = profile(text);
  return typeof made === 'string' ? made : 'nothing is wrong';
}

const JOB = {
  rule: 'train',
  label: "n=1,what='a b'",
  jobId: 'train_0123456789ab',
  log: '/w/.lhb/logs/train/x.log',
  attempt: 2,
  resources: { cpus: 4, mem_mb: 2000, time: 90, queue: 'long' },
} as const;

const KEY = '0123456789abcdef';

const frame = (tasks?: Frame['tasks']): Frame => ({
  key: KEY,
  script: '/w/job.sh',
  schedulerLog: '/w/log',
  root: '/w',
  tasks: tasks ?? undefined,
});

function command(
  templates: ClusterTemplates,
  tasks?: Frame['tasks'],
  resources: Record<string, string | number> = JOB.resources,
): string {
  const made = submitCommand({ ...JOB, resources }, frame(tasks), templates);
  return made.ok ? made.value : made.error.map(({ message }) => message).join('\n');
}

test('submit commands of the built-in profiles, of a job and of an array', () => {
  const name = `lhb_${KEY}_train`;
  assert.is(
    command(builtIn('slurm'), undefined, { ...JOB.resources, partition: 'p q', gpus: 0 }),
    `sbatch --parsable --job-name=${name} --chdir=/w --output=/w/log --partition='p q' --cpus-per-task=4 --mem=2000M --time=01:30:00 /w/job.sh`,
  );
  assert.match(command(builtIn('slurm'), { first: 0, last: 9 }), / --array=0-9 \/w\/job\.sh$/);
  assert.is(
    command(builtIn('sge'), { first: 1, last: 5 }),
    `qsub -terse -N ${name} -wd /w -j y -o /w/log -q long -pe smp 4 -l h_vmem=2000M -l h_rt=01:30:00 -t 1-5 /w/job.sh`,
  );
  assert.is(
    command(builtIn('pbs')),
    `qsub -N ${name} -j oe -o /w/log -q long -l select=1:ncpus=4:mem=2000mb -l walltime=01:30:00 /w/job.sh`,
  );
  assert.is(
    command(builtIn('lsf'), { first: 1, last: 20 }),
    `bsub -J ${name}'[1-20]' -Jd lhb:${KEY} -cwd /w -o /w/log -q long -n 4 -R 'span[hosts=1]' -M 2000 -R 'rusage[mem=2000]' -W 90 sh /w/job.sh`,
  );
});

test('Snakemake templates: names, quoting, and what has no value', () => {
  const made = profile(
    'cluster: |\n  sbatch\n    --mem={resources.mem_mb}\n    --job-name=s-{rule}-{wildcards}\n    -c {threads} --comment "{log}"\n',
  );
  assert.ok(typeof made === 'object' && made.cluster);
  assert.is(
    command(made.cluster as ClusterTemplates),
    `sbatch --mem=2000 --job-name=s-train-'n=1,what='\\''a b'\\''' -c 4 --comment "/w/.lhb/logs/train/x.log" /w/job.sh`,
  );
  const other = profile('cluster: sbatch --account={resources.acount}\n');
  assert.ok(typeof other === 'object' && other.cluster);
  const checked = checkTemplates({ ...JOB, resources: { account: 'a' } }, other.cluster as ClusterTemplates);
  assert.not(checked.ok);
  assert.match(
    checked.ok ? '' : (checked.error[0]?.message ?? ''),
    /rule 'train'.*\{resources\.acount\}.*no resource acount/,
  );
  assert.match(checked.ok ? '' : (checked.error[0]?.hint ?? ''), /account/);
});

test('the printed pages of Snakemake are read: both styles of cluster, the list of maps', () => {
  for (const name of ['folded', 'literal', 'gpu-resources']) {
    const file = join(PROJECT, 'fixtures/snakemake-profiles', `${name}.yaml`);
    const read = readProfile(name, file);
    assert.ok(read.ok, readFileSync(file, 'utf8'));
    if (!read.ok) continue;
    assert.is(read.value.isSnakemake, true);
    const sets = read.value.options.filter(({ long }) => long === 'set-resources').flatMap(({ words }) => words);
    if (name === 'gpu-resources') assert.ok(sets.some(({ text }) => text === 'run_sampler:gres=gpu:1'));
    if (name === 'folded') assert.ok(sets.some(({ text }) => text === 'build_target:mem_mb=8000'));
  }
});

test('a profile that extends another changes what it says, and no more', () => {
  const made = profile(
    'lhb-profile: 1\nextends: slurm\ncluster: { status: { interval: 3, states: { XX: lost } }, cancel: "c {ids}" }\n',
  );
  assert.ok(typeof made === 'object' && made.cluster);
  const { status, cancel } = made.cluster as ClusterTemplates;
  assert.is(status?.intervalS, 3);
  assert.equal([status?.states.get('XX'), status?.states.get('OOM')], ['lost', 'oom']);
  assert.is(cancel && aboutJobs(cancel, ['1', '2']), 'c 1 2');
});

test('mistakes in profiles are told', () => {
  assert.match(mistake('lhb-profile: 2\n'), /another format/);
  assert.match(mistake('lhb-profile: 1\ncluster: { submit: "x {script" }\n'), /no \}/);
  assert.match(
    mistake('lhb-profile: 1\ncluster: { submit: "x {script}", status: { interval: 3 } }\n'),
    /lacks the field `command`/,
  );
  assert.match(mistake('lhb-profile: 1\nextends: slurm\ncluster: { job-id: "(" }\n'), /pattern/);
});

test('ids that submit commands print', () => {
  const id = (name: string, printed: string): string | undefined => idOf(printed, builtIn(name).jobId);
  assert.is(id('slurm', '15;lhb\n'), '15');
  assert.is(id('slurm', 'Submitted batch job 2\n'), '2');
  assert.is(id('sge', '5.1-20:1\n'), '5');
  assert.is(id('sge', 'Your job-array 7.1-3:1 ("x") has been submitted\n'), '7');
  assert.is(id('pbs', '1234[].server\n'), '1234[].server');
  assert.is(id('lsf', 'Job <1234> is submitted to queue <normal>.\n'), '1234');
  assert.is(id('slurm', 'sbatch: error: nothing\n'), undefined);
});

test('rows of squeue, with arrays, reasons and keys; an id that was given out again is told by its key', () => {
  const { status } = builtIn('slurm');
  assert.ok(status);
  const rows = status
    ? statusRows(
        `8_3|R|None|lhb:${KEY}\n9|PD|PartitionTimeLimit|lhb:fedcba9876543210\n10|F|NonZeroExitCode|(null)\n`,
        status,
      )
    : [];
  assert.equal(
    rows.map(({ id, tasks, state, reason }) => [id, tasks, state, reason]),
    [
      ['8', [3], 'running', 'None'],
      ['9', undefined, 'pending', 'PartitionTimeLimit'],
      ['10', undefined, 'failed', 'NonZeroExitCode'],
    ],
  );
  const submission = { key: KEY, id: '9' };
  const [at3, at4] = [3, 4].map((index) => ({ submission, index }));
  const found = matchRows(rows, [at3 ?? { submission, index: 0 }, at4 ?? { submission, index: 0 }]);
  assert.equal(
    [...found].map(([{ index }, row]) => [index, row.state]),
    [[3, 'running']],
  );
  const ids: string[] = [];
  matchRows(rows, [{ submission: { key: KEY, id: undefined }, index: 3 }], (_, id) => ids.push(id));
  assert.equal(ids, ['8']);
});

test('rows of qstat -xml, waiting tasks in one row', () => {
  const { status } = builtIn('sge');
  const xml = (state: string, tasks: string): string =>
    `<job_list state="running">\n<JB_job_number>12</JB_job_number>\n<JAT_prio>0.5</JAT_prio>\n<JB_name>lhb_${KEY}_train</JB_name>\n<JB_owner>root</JB_owner>\n<state>${state}</state>\n<slots>1</slots>\n${tasks}</job_list>\n`;
  const rows = status
    ? statusRows(xml('r', '<tasks>3</tasks>\n') + xml('qw', '<tasks>14-20:2</tasks>\n') + xml('Eqw', ''), status)
    : [];
  assert.equal(
    rows.map(({ tasks, state }) => [tasks, state]),
    [
      [[3], 'running'],
      [[14, 16, 18, 20], 'pending'],
      [undefined, 'pending'],
    ],
  );
});

test('rows of bjobs, and the id of an element of an array', () => {
  const lsf = builtIn('lsf');
  const rows = lsf.status
    ? statusRows(
        `123|4|RUN|-|lhb:${KEY}\n124|0|PEND|New job is waiting for scheduling;|lhb:fedcba9876543210\n125|0|EXIT|-|-\n126|0|DONE|-|-\n`,
        lsf.status,
      )
    : [];
  assert.equal(
    rows.map(({ id, state }) => [id, state]),
    [
      ['123', 'running'],
      ['124', 'pending'],
      ['125', 'failed'],
      ['126', 'ended'],
    ],
  );
  const single = { submission: { key: 'fedcba9876543210', id: '124' }, index: undefined };
  assert.is(matchRows(rows, [single]).get(single)?.state, 'pending');
  assert.is(taskId('123', 4, lsf), '123[4]');
  assert.ok(lsf.down?.test('Failed in an LSF library call: Slave LIM configuration is not ready yet'));
  assert.ok(lsf.log.get('oom')?.test('TERM_MEMLIMIT: job killed after reaching LSF memory usage limit.'));
});

test('rows of qstat -x -t of PBS, and the id of an element of an array', () => {
  const pbs = builtIn('pbs');
  const rows = pbs.status
    ? statusRows(
        `Job id            Name             User              Time Use S Queue\n----------------  ---------------- ----------------  -------- - -----\n12[3].server      lhb_0123456789ab root   00:00:00 R workq\n13.server         other            root              00:00:01 F workq\n`,
        pbs.status,
      )
    : [];
  assert.equal(
    rows.map(({ id, state }) => [id, state]),
    [
      ['12[].server', 'running'],
      ['13.server', 'ended'],
    ],
  );
  assert.equal(rows[0]?.tasks, [3]);
  const third = { submission: { key: KEY, id: '12[].server.example.org' }, index: 3 };
  assert.is(matchRows(rows, [third]).get(third)?.state, 'running', 'by its id, since the name is cut off');
  assert.is(taskId('12[].server', 3, pbs), '12[3].server');
});

test.run();
