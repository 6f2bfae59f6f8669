// Servers in trouble: builds end as they would without a cache, with right outputs, and lose no more than is promised.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { setTimeout as delay } from 'node:timers/promises';
import { MemoryServer, type Misbehaviour } from '../support/memory-server.ts';
import { rigTest, type Rig } from '../support/rig.ts';
import { buildIn, kindsWorkflow } from '../support/shared.ts';

const LETTERS = ['a', 'b', 'c', 'd'];
const ALL = [...LETTERS.map((letter) => `make ${letter}`), 'join'];
/** What failures of a cache may cost a build, and what a slow machine may add (s). */
const BOUND_S = 10;
const SLACK_S = 6;

/** A server that has all results, which misbehaves from now on. */
async function troubled(rig: Rig, misbehave: (server: MemoryServer) => Misbehaviour): Promise<MemoryServer> {
  const server = await MemoryServer.start();
  rig.atEnd(() => server.stop());
  rig.workflow(kindsWorkflow({ url: server.url, fields: ', trust: any' }, LETTERS));
  await buildIn(rig, rig.dir, ALL, { env: AUTH });
  server.requests.length = 0;
  server.misbehave = misbehave(server);
  return server;
}

const AUTH = { LHB_CACHE_AUTH_LAB: 'user:secret' };

type Trouble = {
  readonly name: string;
  readonly misbehave: (server: MemoryServer) => Misbehaviour;
  /** What is said, once; undefined: nothing. */
  readonly says: RegExp | undefined;
};

const status =
  (code: number, headers: Record<string, string> = {}): Trouble['misbehave'] =>
  () =>
  (request, response) => {
    request.resume();
    response.writeHead(code, headers).end();
  };

/** Only blobs are in trouble. */
const blobsOnly =
  (bad: Misbehaviour): Trouble['misbehave'] =>
  () =>
  (request, response, stored) => {
    if (request.method !== 'GET' || !request.url?.startsWith('/cas/')) return 'answer';
    bad(request, response, stored);
    return undefined;
  };

const TROUBLES: readonly Trouble[] = [
  { name: 'a server that never answers', misbehave: () => () => {}, says: /did not answer within/ },
  {
    name: 'a server that refuses connections',
    misbehave: (server) => (server.stop(), () => {}),
    says: /refuses connections/,
  },
  {
    name: 'a server that resets connections',
    misbehave: () => (request) => void request.socket.resetAndDestroy(),
    says: /broke the connection/,
  },
  ...[401, 403].map((code): Trouble => ({
    name: `status ${code}`,
    misbehave: status(code),
    says: new RegExp(`answers ${code} to`),
  })),
  ...[429, 500, 503].map((code): Trouble => ({
    name: `status ${code}`,
    misbehave: status(code),
    says: new RegExp(`answers ${code} to`),
  })),
  {
    name: 'a redirect',
    misbehave: status(302, { location: 'http://127.0.0.1:9/elsewhere' }),
    says: /a redirect to http:\/\/127\.0\.0\.1:9, which is not followed/,
  },
  {
    name: 'blobs that are cut short',
    misbehave: blobsOnly((_, response, stored) => {
      response.writeHead(200, { 'content-length': stored?.length ?? 0 });
      response.write(stored?.subarray(0, 1000), () => response.destroy());
    }),
    says: /broke/,
  },
  {
    name: 'blobs that stop in the middle',
    misbehave: blobsOnly((_, response, stored) => {
      response.writeHead(200, { 'content-length': stored?.length ?? 0 });
      response.write(stored?.subarray(0, 1000));
    }),
    says: /come more slowly than they are made/,
  },
  {
    name: 'records that trickle',
    misbehave: () => (request, response, stored) => {
      if (!request.url?.startsWith('/ac/')) return 'answer';
      response.writeHead(200, { 'content-length': stored?.length ?? 100 });
      void (async () => {
        for (const byte of stored ?? []) {
          if (response.destroyed) return;
          response.write(Buffer.of(byte));
          await delay(300, undefined, { ref: false });
        }
      })();
      return undefined;
    },
    says: /a record did not come within/,
  },
  {
    name: 'records without end',
    misbehave: () => (request, response) => {
      if (!request.url?.startsWith('/ac/')) return 'answer';
      response.writeHead(200);
      const more = (): void =>
        void (response.destroyed || response.write(Buffer.alloc(1 << 20), () => setImmediate(more)));
      more();
      return undefined;
    },
    says: /sent more than 67108864 bytes|did not come within/,
  },
  {
    name: 'packed bytes',
    misbehave: () => (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('bomb'),
    says: /sent gzip where raw bytes were asked for/,
  },
];

for (const { name, misbehave, says } of TROUBLES) {
  rigTest(`${name}: the build ends well, and little time is lost`, async (rig) => {
    const server = await troubled(rig, misbehave);
    const [without, second] = [rig.copy('without'), rig.copy('second')];
    const began = Date.now();
    await buildIn(rig, without, ALL, {}, '--no-cache');
    const middle = Date.now();
    const { stderr } = await buildIn(rig, second, name.startsWith('blobs') ? undefined : ALL, { env: AUTH });
    const lost = (Date.now() - middle - (middle - began)) / 1000;
    assert.ok(lost < BOUND_S + SLACK_S, `${lost} s lost`);
    if (says) assert.match(stderr, says);
    assert.ok((stderr.match(/^warning: cache lab/gm) ?? []).length <= 1, stderr);
    assert.not.match(stderr, /secret/);
    assert.equal(Object.keys(rig.tree('runs', second)), Object.keys(rig.tree('runs', without)));
    assert.ok(server.requests.length < 60, `${server.requests.length} requests`);
  });
}

rigTest('a server that dies in the middle of a transfer', async (rig) => {
  await troubled(rig, (one) => {
    let blobs = 0;
    return (request, response, stored) => {
      if (request.method !== 'GET' || !request.url?.startsWith('/cas/') || ++blobs < 3) return 'answer';
      response.writeHead(200, { 'content-length': stored?.length ?? 0 });
      response.write(stored?.subarray(0, 500), () => one.stop());
      return undefined;
    };
  });
  const second = rig.copy('second');
  const ended = await rig.lhbWith({ cwd: second, env: AUTH }, 'build');
  assert.is(ended.code, 0, ended.stderr);
  assert.equal(Object.keys(rig.tree('runs', second)), Object.keys(rig.tree('runs')));
});

rigTest('the exit code is that of a build without a cache, of a failed job too', async (rig) => {
  const server = await MemoryServer.start();
  rig.atEnd(() => server.stop());
  server.misbehave = status(500)(server);
  rig.workflow(`
    caches: [{ name: lab, url: "${server.url}", mode: rw, trust: any }]
    rules: { a: { outputs: { o: o.txt }, run: exit 3 } }
  `);
  await rig.exits(1, 'build');
});

rigTest('what could not be sent is sent by the next build', async (rig) => {
  const server = await MemoryServer.start();
  rig.atEnd(() => server.stop());
  rig.workflow(kindsWorkflow({ url: server.url, fields: ', trust: any' }, LETTERS));
  const second = rig.copy('second');
  server.misbehave = status(503)(server);
  assert.match((await buildIn(rig, rig.dir, ALL)).stderr, /^cache: 5 to upload later$/m);
  assert.match((await rig.ok('cache', 'status')).stdout, /lab\t.*503.*\t5\n/);
  server.misbehave = () => 'answer';
  assert.match((await buildIn(rig, rig.dir, [])).stderr, /^cache: 5 uploaded$/m);
  await buildIn(rig, second, []);
  assert.not.match((await buildIn(rig, rig.dir, [])).stderr, /cache:/);
});

test.run();
