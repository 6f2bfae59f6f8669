import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { localTest } from './local-rig.ts';

const node = (script: string): { command: { kind: 'argv'; wrapper: string[]; argv: string[] } } => ({
  command: { kind: 'argv', wrapper: [], argv: [process.execPath, '-e', script] },
});
const linux = process.platform === 'linux';

/**
 * The least of three figures, the first below `enough` ending it. A processor that its host stopped for seconds had them
 * as CPU time of whatever ran: once is no news of lhb.
 */
async function least(enough: number, figure: () => Promise<number>): Promise<number> {
  let found = Infinity;
  for (let i = 0; i < 3 && found >= enough; i++) found = Math.min(found, await figure());
  return found;
}

localTest('wall time and CPU time of a busy job, and of its children', async (rig) => {
  const busy = 'const end = process.cpuUsage().user + 300e3; while (process.cpuUsage().user < end);';
  const { usage } = await rig.run('', node(busy));
  assert.ok(usage.wallS >= 0.29 && usage.wallS < 60, `wall ${usage.wallS}`);
  const most = usage.wallS * availableParallelism() + 0.02;
  assert.ok((usage.cpuS ?? 0) >= 0.29 && (usage.cpuS ?? 0) <= most, `cpu ${usage.cpuS}, wall ${usage.wallS}`);
  assert.ok(Math.abs(usage.finishedAt - usage.startedAt - usage.wallS) < 1e-6);
  assert.ok(Math.abs(usage.finishedAt - Date.now() / 1000) < 60);
  const child = `require('child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(busy)}])`;
  const ofChild = (await rig.run('', node(child))).usage;
  assert.ok((ofChild.cpuS ?? 0) >= 0.29, `cpu of a child ${ofChild.cpuS}`);
});

localTest('a job that sleeps uses no CPU, and not that of the job before', async (rig) => {
  await rig.run('', node('const end = process.cpuUsage().user + 200e3; while (process.cpuUsage().user < end);'));
  const cpu = await least(0.1, async () => {
    const { usage } = await rig.run('sleep 0.2');
    assert.ok(usage.wallS >= 0.2);
    return usage.cpuS ?? 1;
  });
  assert.ok(cpu < 0.1, `cpu ${cpu}`);
});

localTest('peak memory of a process, though it had it only for a moment', async (rig) => {
  if (!linux) return;
  const script = `let b = Buffer.alloc(200e6, 1); b = undefined; gc(); const t = Date.now(); while (Date.now() - t < 300);`;
  const argv = [process.execPath, '--expose-gc', '-e', script];
  const { usage } = await rig.run('', { command: { kind: 'argv', wrapper: [], argv } });
  assert.ok((usage.maxRssMb ?? 0) > 220 && (usage.maxRssMb ?? 0) < 400, `peak ${usage.maxRssMb}`);
});

localTest('the memory of all processes of the tree is added', async (rig) => {
  if (!linux) return;
  const hold = `require('fs').writeFileSync('have' + process.argv[1], ''); const b = Buffer.alloc(100e6, 1); setTimeout(() => b, 1500)`;
  await rig.run('sleep 0.1');
  const { usage } = await rig.run(
    `setsid '${process.execPath}' -e "${hold}" 1 & '${process.execPath}' -e "${hold}" 2 & wait`,
  );
  assert.ok(existsSync(rig.path('have1')) && existsSync(rig.path('have2')));
  assert.ok((usage.maxRssMb ?? 0) > 240 && (usage.maxRssMb ?? 0) < 500, `peak ${usage.maxRssMb}`);
});

localTest(
  'sampling is cheap',
  async (rig) => {
    if (!linux) return;
    const share = await least(0.3, async () => {
      const jobs = Array.from({ length: 8 }, () => rig.start('sleep 2; :'));
      const before = process.cpuUsage();
      const begin = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const { user, system } = process.cpuUsage(before);
      const taken = (user + system) / 1000 / (performance.now() - begin);
      for (const job of jobs) job.cancel();
      await Promise.all(jobs.map((job) => job.done));
      return taken;
    });
    assert.ok(share < 0.3, `watching 8 jobs takes ${share} of a core`);
    console.log(`\n  8 running jobs: ${(share * 100).toFixed(1)} % of a core in the first 1.5 s`);
  },
  { slots: 8 },
);

test.run();
