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
    says: /did not send all of a record within/,
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

rigTest('variables that cannot be used cost a build its cache and nothing else, and are named', async (rig) => {
  const server = await MemoryServer.start();
  rig.atEnd(() => server.stop());
  const bucket = 's3://bucket/p?endpoint=http://cache.lab.test';
  const aws = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'sekret' };
  const cases: readonly [string, Record<string, string>, RegExp][] = [
    [server.url, { LHB_CACHE_TOKEN_LAB: 'sekret\nx' }, /LHB_CACHE_TOKEN_LAB has a line break or another character/],
    [server.url, { LHB_CACHE_TOKEN_LAB: 'sekret\u20ac' }, /LHB_CACHE_TOKEN_LAB has a line break or another character/],
    [bucket, { ...aws, AWS_ACCESS_KEY_ID: 'sekret\n' }, /AWS_ACCESS_KEY_ID has a line break/],
    [bucket, { ...aws, AWS_SESSION_TOKEN: 'sekret\r' }, /AWS_SESSION_TOKEN has a line break/],
    [bucket, { ...aws, AWS_REGION: 'a b' }, /'a b', of AWS_REGION or ~\/\.aws\/config, is no region/],
    [bucket, { ...aws, HTTP_PROXY: 'http://user:sekret%zz@127.0.0.1:1' }, /HTTP_PROXY has a % in the user or/],
    [bucket.replace('http', 'https'), { https_proxy: 'http://user:sekret%zz@127.0.0.1:1' }, /https_proxy has a % in/],
    [bucket, { ...aws, HTTP_PROXY: 'http://sekret:x' }, /HTTP_PROXY names no proxy: expected http:\/\/HOST:PORT/],
    [
      bucket,
      { ...aws, HTTP_PROXY: 'socks5://user:sekret@127.0.0.1:1' },
      /a proxy of the kind socks5:\/\/, which is not/,
    ],
    [bucket, { ...aws, HTTP_PROXY: 'user:sekret@127.0.0.1:1' }, /127\.0\.0\.1:1 refuses connections/],
  ];
  for (const [url, env, says] of cases) {
    rig.workflow(`
      caches: [{ name: lab, url: "${url}", mode: rw, trust: any }]
      rules: { a: { outputs: { o: o.txt }, run: "echo > \${{ outputs.o }}" } }
    `);
    for (const args of [
      ['build', '-F'],
      ['cache', 'status'],
    ]) {
      const { code, stdout, stderr } = await rig.lhbWith({ env }, ...args);
      assert.is(code, 0, stderr);
      assert.match(args[0] === 'build' ? stderr : stdout, says);
      assert.not.match(stdout + stderr, /sekret/);
    }
  }
});

rigTest('what cannot be read is not called well: verify, repair and status of a server in trouble', async (rig) => {
  const server = await troubled(rig, status(401));
  for (const command of ['verify', 'repair']) {
    const { stderr } = await rig.exits(2, 'cache', command);
    assert.match(stderr, /error\[cache\/failed\]: cache lab: .* answers 401 to GET: it wants other credentials/);
    assert.not.match(stderr, /all is well|goes on/);
  }
  assert.match(
    (await rig.ok('cache', 'status')).stdout,
    /\tany\t127\S+ answers 401 to GET: it wants other credentials\t0\n/,
  );
  assert.not.match((await rig.ok('cache', 'pull')).stderr, /the build/);
  // Records can be read and blobs can not; then one is of another length.
  server.misbehave = (request, response) => {
    if (!request.url?.startsWith('/cas/')) return 'answer';
    response.writeHead(500).end();
    return undefined;
  };
  assert.match((await rig.exits(2, 'cache', 'verify')).stderr, /cache lab: .* answers 500 to GET/);
  server.misbehave = () => 'answer';
  for (const [name, { length }] of server.entries)
    if (length === 100_000) server.entries.set(name, Buffer.from('short'));
  assert.match((await rig.exits(1, 'cache', 'verify')).stdout, /^lab\tblob\t[0-9a-f]{64}\tits bytes are others\t-$/m);
});

rigTest('--offline: no command on caches asks a server, and each says so', async (rig) => {
  const server = await troubled(rig, status(500));
  for (const command of ['push', 'pull', 'verify', 'repair']) {
    const { stderr } = await rig.ok('cache', command, '--offline');
    assert.match(stderr, /cache lab: not asked: --offline was given/);
  }
  assert.match((await rig.ok('cache', 'doctor', '--offline')).stdout, /lab\tserver\twarning\tnot asked/);
  assert.match((await rig.exits(2, 'cache', 'stats', '--offline')).stderr, /cache lab: not asked/);
  assert.match((await rig.ok('cache', 'status', '--offline')).stdout, /\tnot asked: --offline was given\t0\n/);
  assert.match((await rig.exits(2, 'cache', 'pull', 'ssh://h/d', '--offline')).stderr, /'ssh:\/\/h\/d' is not asked/);
  assert.equal(server.requests, []);
});

rigTest('a server that sends a body after HEAD, as it must not', async (rig) => {
  const server = await MemoryServer.start();
  rig.atEnd(() => server.stop());
  server.misbehave = (request) => {
    if (request.method !== 'HEAD') return 'answer';
    request.socket.write('HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nnot found');
    return undefined;
  };
  rig.workflow(kindsWorkflow({ url: server.url, fields: ', trust: any' }, LETTERS));
  const second = rig.copy('second');
  const { stderr } = await buildIn(rig, rig.dir, ALL);
  assert.match(stderr, /^cache: 5 uploaded$/m);
  assert.not.match(stderr, /warning/);
  await buildIn(rig, second, []);
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
