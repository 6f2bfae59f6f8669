// What a second thread sees of outputs ahead of a plan.
import { mkdirSync, renameSync, statSync, truncateSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadWorkspace, openWorkspace, type Workspace } from '../../src/cli/workspace.ts';
import type { Job } from '../../src/graph/job.ts';
import { Ahead } from '../../src/plan/ahead.ts';
import { makePlan, type Step } from '../../src/plan/plan.ts';
import { ran, type Rig, rigTest } from '../support/rig.ts';

const WORKFLOW = `
  rules:
    make:
      for: { n: [1, 2, 3, 4, 5] }
      outputs: { out: "out-\${{ n }}.txt" }
      dir: made
      run: ${ran('make ${{ n }}')}; echo \${{ n }} > \${{ outputs.out }}
    use:
      for: { m: "\${{ make }}" }
      outputs: { tree: tree/ }
      run: mkdir -p \${{ outputs.tree }}/sub && cp \${{ m.outputs.out }} \${{ outputs.tree }}/sub
    fleeting:
      outputs: { a: a.txt, b: { path: b.txt, temp: true } }
      run: touch \${{ outputs.a }} \${{ outputs.b }}
`;

/** So large that a second thread pays; LMDB does not mind. */
const LARGE = 5_000_000;

async function withWorkspace(rig: Rig, ahead: boolean, action: (workspace: Workspace) => Promise<void>): Promise<void> {
  const at = { text: rig.dir, at: undefined };
  const loaded = loadWorkspace({ directory: at, configfiles: [], config: [] } as never);
  assert.ok(loaded.ok);
  if (!loaded.ok) return;
  const opened = openWorkspace(loaded.value, false, undefined, false, ahead);
  assert.ok(opened.ok);
  if (!opened.ok) return;
  try {
    await action(opened.value);
  } finally {
    await opened.value.close();
  }
}

/** Steps by the job's id, as far as they say something. */
function stepsOf({ graph, rebuilder }: Workspace): unknown[] {
  const said = ({ job, status, action, reasons, judgement: { key, trace, current, decision } }: Step): unknown => [
    job.id,
    status,
    action,
    decision,
    reasons,
    key?.key,
    trace && { ...trace, usage: trace.usage, host: trace.host },
    current?.actionKey,
  ];
  return [...makePlan(graph.jobs, rebuilder).steps.values()].map(said);
}

rigTest('outputs are seen ahead where they are the result that is held, and the plan is the same', async (rig) => {
  rig.workflow(WORKFLOW);
  await rig.ok('build');
  const data = rig.path('.lhb/index/data.mdb');
  assert.ok(statSync(data).size < LARGE);
  truncateSync(data, LARGE);
  // Edited, gone, one more file in a tree, and elsewhere.
  rig.remove('made/out-1.txt');
  rig.write('made/out-1.txt', 'other\n');
  rig.remove('made/out-2.txt');
  const trees: string[] = [];
  await withWorkspace(rig, false, async ({ graph }) => {
    await Promise.resolve();
    for (const job of graph.jobs) if (job.rule.name === 'use') trees.push(`${job.dir}/tree`);
  });
  mkdirSync(rig.path(`${trees[2]}/more`));
  rig.write(`${trees[3]}/sub/more.txt`, '');
  renameSync(rig.path(`${trees[4]}/sub`), rig.path(`${trees[4]}/bus`));
  let plain: unknown[] = [];
  await withWorkspace(rig, false, async (workspace) => {
    await Promise.resolve();
    plain = stepsOf(workspace);
  });
  await withWorkspace(rig, true, async (workspace) => {
    const { graph, records } = workspace;
    const seen = (job: Job): boolean => {
      const key = records.currentKey(job.id);
      return key !== undefined && records.hasSeen(job, key);
    };
    const until = Date.now() + 20_000;
    while (graph.jobs.filter(seen).length < 5 && Date.now() < until) await delay(10);
    // Nothing more comes.
    await delay(100);
    for (let i = 0; i < 100; i++) graph.jobs.every(seen);
    assert.equal(
      graph.jobs.filter(seen).map((job) => job.outputs[0]?.onDisk),
      ['made/out-3.txt', 'made/out-4.txt', 'made/out-5.txt', trees[0], trees[1]],
    );
    const [third] = graph.jobs.filter(seen);
    const [other] = graph.jobs;
    const key = other && records.currentKey(other.id);
    assert.ok(third && key);
    if (third && key) assert.not(records.hasSeen(third, key));
    assert.equal(stepsOf(workspace), plain);
  });
});

rigTest('for a small index no thread is started', async (rig) => {
  rig.workflow(WORKFLOW);
  await rig.ok('build');
  assert.is(Ahead.start(rig.path('.lhb/index'), rig.dir, 'tree'), undefined);
});

rigTest('a thread that is ended at once, or finds no index, is no harm', async (rig) => {
  rig.workflow(WORKFLOW);
  await rig.ok('build');
  const data = rig.path('.lhb/index/data.mdb');
  truncateSync(data, LARGE);
  for (let round = 0; round < 3; round++) {
    await withWorkspace(rig, true, async (workspace) => {
      await delay(round * 40);
      assert.is(stepsOf(workspace).length, 11);
    });
  }
  rig.write('none/data.mdb', 'x'.repeat(LARGE));
  const ahead = Ahead.start(rig.path('none'), rig.dir, 'tree');
  assert.ok(ahead);
  await delay(200);
  assert.not(ahead?.hasSeen('make_1' as never, 'k' as never, '.'));
  ahead?.end();
});

test.run();
