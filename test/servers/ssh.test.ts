// Results over ssh, by rsync, to a folder in the layout of a `dir:` cache.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { serverTest } from '../support/servers.ts';
import { buildIn, kindsWorkflow } from '../support/shared.ts';

const ALL = ['make a', 'make b', 'join'];

serverTest('sshd', 'sshd: push and pull, and the folder is a cache', async (rig, { state }) => {
  const root = join(rig.base, 'far');
  mkdirSync(root);
  const env = { LHB_SSH: `ssh -F ${join(state, 'ssh_config')}` };
  rig.workflow(kindsWorkflow({ url: 'dir:/nowhere' }).replace(/caches: .*/, ''));
  const [second, third] = [rig.copy('second'), rig.copy('third')];
  await buildIn(rig, rig.dir, ALL);
  const pushed = await rig.lhbWith({ env }, 'cache', 'push', `ssh://cache${root}`);
  assert.is(pushed.code, 0, pushed.stderr);
  assert.match(pushed.stderr, /pushed 3 results/);
  const pulled = await rig.lhbWith({ cwd: second, env }, 'cache', 'pull', `ssh://cache${root}`);
  assert.is(pulled.code, 0, pulled.stderr);
  assert.match(pulled.stderr, /pulled 3 results/);
  await buildIn(rig, second, []);
  assert.equal(rig.tree('runs', second), rig.tree('runs'));
  await buildIn(rig, third, [], {}, '--cache', `dir:${root}`);
  assert.match((await rig.lhbWith({ env }, 'cache', 'push', 'ssh://cache/nowhere/at/all')).stderr, /rsync failed/);
});

test.run();
