// What tests of shared caches share: a workflow whose outputs are of every kind, two work trees, and raw access to what a
// cache holds, to change it behind the program's back.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { signV4 } from '../../src/cache/sigv4.ts';
import type { Ended, Rig, StartOptions } from './rig.ts';

/** A cache as tests see it. */
export type TestCache = {
  readonly url: string;
  /** Further fields of the cache in lhb.yaml. */
  readonly fields?: string;
  readonly env: Readonly<Record<string, string>>;
  /** How blobs are named there. */
  readonly blobName: (bytes: Uint8Array, b3: string) => string;
  /** Names of all entries: `ac/…`, `cas/…`. */
  list(): Promise<string[]>;
  read(name: string): Promise<Buffer>;
  write(name: string, bytes: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
};

/** Outputs of every kind, of a job a letter: a file that is executed, an empty one, one that is large, a tree with all that a tree can hold. */
export const big = (letter: string): Buffer => Buffer.alloc(100_000, letter);

export function kindsWorkflow(
  cache: Pick<TestCache, 'url' | 'fields'>,
  letters: readonly string[] = ['a', 'b'],
): string {
  return `
    caches: [{ name: lab, url: "${cache.url}", mode: rw${cache.fields ?? ''} }]
    config: { n: [${letters.join(', ')}] }
    rules:
      make:
        for: { n: "\${{ config.n }}" }
        outputs: { big: big.bin, program: run.sh, empty: empty.txt, tree: tree/, meta: { path: meta.json, ignore: [/time] } }
        run: |
          echo "make \${{ n }}" >> ran.log
          head -c 100000 /dev/zero | tr '\\0' \${{ n }} > \${{ outputs.big }}
          echo 'echo hello' > \${{ outputs.program }}; chmod +x \${{ outputs.program }}
          : > \${{ outputs.empty }}
          mkdir -p \${{ outputs.tree }}/sub \${{ outputs.tree }}/nothing
          echo \${{ n }} > \${{ outputs.tree }}/sub/x; ln -s sub/x \${{ outputs.tree }}/link; : > \${{ outputs.tree }}/zero
          cp \${{ outputs.big }} \${{ outputs.tree }}/copy; chmod +x \${{ outputs.tree }}/copy
          echo "{\\"a\\": 1, \\"time\\": $(date +%s%N)}" > \${{ outputs.meta }}
      join:
        inputs: { all: "\${{ make.map(m, m.outputs.meta) }}" }
        outputs: { table: table.txt }
        run: |
          echo join >> ran.log
          cat \${{ inputs.all }} > \${{ outputs.table }}
  `;
}

/** Builds in a second work tree; it must run exactly these jobs (by ran.log; undefined: any) and end with 0. */
export async function buildIn(
  rig: Rig,
  dir: string,
  ran: readonly string[] | undefined,
  options: StartOptions = {},
  ...args: string[]
): Promise<Ended> {
  const log = join(dir, 'ran.log');
  const before = existsSync(log) ? readFileSync(log, 'utf8').length : 0;
  const ended = await rig.lhbWith({ ...options, cwd: dir }, 'build', ...args);
  assert.is(ended.code, 0, ended.stdout + ended.stderr);
  const lines = existsSync(log) ? readFileSync(log, 'utf8').slice(before).split('\n').slice(0, -1).sort() : [];
  if (ran) assert.equal(lines, [...ran].sort(), `which jobs ran\n${ended.stderr}`);
  return ended;
}

/** A cache in files: a folder, or what a server keeps its entries in. */
export function filesCache(root: string, url: string, more: Partial<TestCache> = {}): TestCache {
  const all = (folder: string): string[] =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
          .sort()
      : [];
  return {
    url,
    env: {},
    blobName: (_, b3) => `cas/${b3.slice(0, 2)}/${b3}`,
    list: () => Promise.resolve([...all('ac'), ...all('cas')]),
    read: (name) => Promise.resolve(readFileSync(join(root, name))),
    write: (name, bytes) => {
      const path = join(root, name);
      mkdirSync(dirname(path), { recursive: true });
      if (existsSync(path)) chmodSync(path, 0o644);
      writeFileSync(path, bytes);
      return Promise.resolve();
    },
    remove: (name) => Promise.resolve(rmSync(join(root, name), { force: true })),
    ...more,
  };
}

export const shaOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A folder as a cache, made by `lhb cache init`. */
export async function folderCache(rig: Rig): Promise<TestCache> {
  const root = join(rig.base, 'cache');
  await rig.ok('cache', 'init', `dir:${root}`);
  return filesCache(root, `dir:${root}`);
}

export type S3Account = { readonly endpoint: string; readonly id: string; readonly secret: string };

/** One signed request to an S3 server. */
export async function s3Request(
  account: S3Account,
  method: string,
  path: string,
  body?: Uint8Array,
): Promise<Response> {
  const url = new URL(path, account.endpoint);
  const credentials = { accessKeyId: account.id, secretAccessKey: account.secret, sessionToken: undefined };
  const headers = signV4(
    { method, url, headers: {}, bodySha: shaOf(body ?? new Uint8Array()) },
    credentials,
    'us-east-1',
    new Date(),
  );
  return fetch(url, { method, headers, ...(body && { body: new Uint8Array(body) }) });
}

/** A bucket as a cache. */
export async function bucketCache(account: S3Account, bucket: string): Promise<TestCache> {
  let made = await s3Request(account, 'PUT', `/${bucket}`);
  // Swift answers 503 while its parts are still starting, or the machine is busy.
  for (let i = 0; made.status === 503 && i < 20; i++) {
    await delay(500);
    made = await s3Request(account, 'PUT', `/${bucket}`);
  }
  assert.ok(made.ok || made.status === 409, `bucket: ${made.status}`);
  const entry = (name: string): string => `/${bucket}/pre/${name}`;
  return {
    url: `s3://${bucket}/pre?endpoint=${account.endpoint}&region=us-east-1`,
    fields: ', trust: any',
    env: { AWS_ACCESS_KEY_ID: account.id, AWS_SECRET_ACCESS_KEY: account.secret },
    blobName: (bytes) => `cas/${shaOf(bytes)}`,
    list: async () => {
      const answer = await s3Request(account, 'GET', `/${bucket}`);
      return [...(await answer.text()).matchAll(/<Key>pre\/([^<]+)<\/Key>/g)].map(([, name = '']) => name).sort();
    },
    read: async (name) => Buffer.from(await (await s3Request(account, 'GET', entry(name))).arrayBuffer()),
    write: async (name, bytes) => {
      assert.ok((await s3Request(account, 'PUT', entry(name), bytes)).ok);
    },
    remove: async (name) => {
      await s3Request(account, 'DELETE', entry(name));
    },
  };
}
