// Large results over real servers: memory stays small, and what was cut off is gone on with. LHB_LARGE_MB says how large the
// file is: 3072 by default, less in CI. Over 512 MiB it travels in parts.
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Rig } from '../support/rig.ts';
import { server, serverTest } from '../support/servers.ts';
import { bucketCache, type TestCache } from '../support/shared.ts';

const MIB = Number(process.env['LHB_LARGE_MB'] ?? 3072);
const MOST_RSS_MB = 200;
const TIMEOUT_S = 1200;

const workflow = (cache: Pick<TestCache, 'url'>): string => `
  link: hardlink
  caches: [{ name: lab, url: "${cache.url}", mode: rw, trust: any }]
  rules:
    large:
      outputs: { o: o.bin }
      run: head -c $((${MIB} * 1048576)) /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 > \${{ outputs.o }} 2> /dev/null
`;

/** Runs the program; gives its peak memory in MB (10^6 bytes). */
async function peak(
  rig: Rig,
  cwd: string,
  env: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<{ mb: number; stderr: string }> {
  const file = join(rig.base, 'rss');
  rig.write(
    'rss.mjs',
    `import fs from 'node:fs'; process.on('exit', () => fs.writeFileSync(${JSON.stringify(file)}, String(process.resourceUsage().maxRSS)));`,
  );
  const ended = await rig.lhbWith({ cwd, env: { ...env, NODE_OPTIONS: `--import=${rig.path('rss.mjs')}` } }, ...args);
  assert.is(ended.code, 0, ended.stderr);
  return { mb: (Number(readFileSync(file, 'utf8')) * 1024) / 1e6, stderr: ended.stderr };
}

async function upAndDown(rig: Rig, cache: Pick<TestCache, 'url' | 'env'>): Promise<void> {
  rig.workflow(workflow(cache));
  const second = rig.copy('second');
  const began = Date.now();
  const up = await peak(rig, rig.dir, cache.env, 'build', '--upload=wait');
  const middle = Date.now();
  assert.match(up.stderr, /cache: 1 uploaded/);
  // Space for two copies is enough.
  rmSync(rig.path('.lhb'), { recursive: true });
  rmSync(rig.path('runs'), { recursive: true });
  // A pull is never given up for being slow, as a build may do for a job that is quick to run.
  const down = await peak(rig, second, cache.env, 'cache', 'pull');
  const end = Date.now();
  assert.match(down.stderr, /^pulled 1 result/m);
  const build = await rig.lhbWith({ cwd: second, env: cache.env }, 'build');
  assert.match(build.stderr, /^restored 1 in/m);
  const figures = `${MIB} MiB: built and sent in ${(middle - began) / 1000} s with ${up.mb.toFixed(0)} MB, fetched in ${(end - middle) / 1000} s with ${down.mb.toFixed(0)} MB`;
  process.stdout.write(`${figures}\n`);
  assert.ok(up.mb < MOST_RSS_MB && down.mb < MOST_RSS_MB, figures);
  const [output = ''] = readdirSync(join(second, 'runs'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('o.bin'),
  );
  assert.is(statSync(join(second, 'runs', output)).size, MIB * 1048576);
}

const nginx = async (instance: string): Promise<Pick<TestCache, 'url' | 'env'>> => ({
  url: `http://127.0.0.1:${(await server('nginx')).port}/${instance}`,
  env: { LHB_CACHE_AUTH_LAB: 'writer:writer' },
});

serverTest(
  'nginx',
  `nginx: ${MIB} MiB up and down in little memory`,
  async (rig) => upAndDown(rig, await nginx('large')),
  TIMEOUT_S,
);

serverTest(
  'swift',
  `swift: ${MIB} MiB up and down in little memory`,
  async (rig) => {
    const { address } = await server('swift');
    await upAndDown(rig, await bucketCache({ endpoint: address, id: 'lhb:writer', secret: 'writersecret' }, 'large'));
  },
  TIMEOUT_S,
);

serverTest(
  'nginx',
  'nginx: an upload that was killed is finished by the next build, without sending again what came',
  async (rig) => {
    const { state } = await server('nginx');
    const cache = await nginx('killed');
    rig.workflow(workflow(cache));
    const second = rig.copy('second');
    const sent = (): string[] => {
      const folder = join(state, 'data', 'killed', 'cas');
      return existsSync(folder) ? readdirSync(folder) : [];
    };
    const started = rig.start({ env: cache.env }, 'build');
    for (let i = 0; sent().length === 0 && i < 3000; i++) await delay(100);
    started.child.kill('SIGKILL');
    await started.done;
    const before = sent();
    const next = await rig.lhbWith({ env: cache.env }, 'build');
    assert.is(next.code, 0, next.stderr);
    assert.match(next.stderr, /cache: 1 uploaded/);
    const log = readFileSync(join(state, 'log', 'access.log'), 'utf8');
    for (const name of before)
      assert.is(
        log.split('\n').filter((line) => line.includes(`PUT /killed/cas/${name}`) && / 20[14] /.test(line)).length,
        1,
      );
    assert.match((await rig.lhbWith({ cwd: second, env: cache.env }, 'cache', 'pull')).stderr, /pulled 1 result/);
  },
  TIMEOUT_S,
);

test.run();
