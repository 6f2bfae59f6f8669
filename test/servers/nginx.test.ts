// nginx with WebDAV PUT, in Bazel's layout.
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cacheSuite } from '../support/cache-suite.ts';
import { server, serverTest } from '../support/servers.ts';
import { buildIn, filesCache, kindsWorkflow, shaOf, type TestCache } from '../support/shared.ts';

let instances = 0;

/** A part of the server of its own. */
async function nginxCache(more: { port?: number; auth?: string } = {}): Promise<TestCache> {
  const { port, state } = await server('nginx');
  const instance = `i${++instances}`;
  return filesCache(join(state, 'data', instance), `http://127.0.0.1:${port + (more.port ?? 0)}/${instance}`, {
    fields: ', trust: any',
    env: { LHB_CACHE_AUTH_LAB: more.auth ?? 'writer:writer' },
    blobName: (bytes) => `cas/${shaOf(bytes)}`,
  });
}

const ALL = ['make a', 'make b', 'join'];

cacheSuite(
  'nginx',
  () => nginxCache(),
  (title, body) => serverTest('nginx', title, body),
);

serverTest('nginx', 'nginx: who may only read takes results, and builds go on', async (rig) => {
  const cache = await nginxCache();
  rig.workflow(kindsWorkflow(cache));
  const [reader, stranger] = [rig.copy('reader'), rig.copy('stranger')];
  await buildIn(rig, rig.dir, ALL, { env: cache.env });
  const read = await buildIn(rig, reader, [], { env: { LHB_CACHE_AUTH_LAB: 'reader:reader' } });
  assert.not.match(read.stderr, /warning/);
  // What is new cannot be sent: said once.
  rig.write('../reader/lhb.yaml', rig.read('lhb.yaml').replace('[a, b]', '[a, b, c, d]'));
  const more = await buildIn(rig, reader, ['make c', 'make d', 'join'], {
    env: { LHB_CACHE_AUTH_LAB: 'reader:reader' },
  });
  assert.is(more.stderr.match(/^warning/gm)?.length, 1, more.stderr);
  assert.match(more.stderr, /cache lab: .* answers 401 to PUT/);
  const refused = await buildIn(rig, stranger, ALL, { env: {} });
  assert.is(refused.stderr.match(/^warning/gm)?.length, 1, refused.stderr);
  assert.match(refused.stderr, /answers 401 to GET/);
});

serverTest('nginx', 'nginx: credentials from netrc; none in any output or file', async (rig) => {
  const cache = await nginxCache();
  rig.workflow(kindsWorkflow(cache));
  rig.write('../home/.netrc', 'machine 127.0.0.1 login writer password writer\n');
  const second = rig.copy('second');
  const said = await buildIn(rig, rig.dir, ALL, { env: {} }, '-v');
  assert.match(said.stderr, /3 uploaded/);
  await buildIn(rig, second, []);
  const secret = Buffer.from('writer:writer').toString('base64');
  for (const name of await cache.list()) assert.not.ok((await cache.read(name)).includes(secret));
  assert.not.match(said.stderr + said.stdout, new RegExp(secret));
});

serverTest('nginx', 'nginx: 8 kB a second: large results are given up for a rerun, with little lost', async (rig) => {
  const cache = await nginxCache();
  const letters = ['a', 'b', 'c', 'd'];
  rig.workflow(kindsWorkflow(cache, letters));
  const second = rig.copy('second');
  const all = [...letters.map((letter) => `make ${letter}`), 'join'];
  await buildIn(rig, rig.dir, all, { env: cache.env });
  rig.write(
    '../second/lhb.yaml',
    rig.read('lhb.yaml').replace(/127\.0\.0\.1:(\d+)/, (_, port) => `127.0.0.1:${Number(port) + 1}`),
  );
  const began = Date.now();
  await buildIn(rig, second, all.slice(0, -1), { env: {} });
  const slow = (Date.now() - began) / 1000;
  assert.ok(slow < 15, `${slow} s`);
});

serverTest('nginx', 'nginx: a second cache that is nearer is filled from the one further out', async (rig) => {
  const [near, far] = [await nginxCache(), await nginxCache()];
  const both = (text: string): string =>
    text.replace(
      /caches: .*/,
      `caches: [{ name: lab, url: "${near.url}", mode: rw, trust: any }, { name: far, url: "${far.url}", mode: r, trust: any }]`,
    );
  rig.workflow(kindsWorkflow(far));
  const [second, third] = [rig.copy('second'), rig.copy('third')];
  await buildIn(rig, rig.dir, ALL, { env: cache_(far) });
  rig.write('../second/lhb.yaml', both(rig.read('lhb.yaml')));
  const build = await buildIn(rig, second, [], { env: { ...near.env, LHB_CACHE_AUTH_FAR: 'reader:reader' } });
  assert.match(build.stderr, /cache: 0 local, 3 far/);
  rig.write('../third/lhb.yaml', rig.read('lhb.yaml').replace(far.url, near.url));
  await buildIn(rig, third, [], { env: near.env });
});

const cache_ = (cache: TestCache): Record<string, string> => ({ ...cache.env });

test.run();
