// OpenStack Swift with its S3 API: signatures that are checked, and a user who may only read.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cacheSuite } from '../support/cache-suite.ts';
import { server, serverScript, serverTest } from '../support/servers.ts';
import { bucketCache, buildIn, kindsWorkflow, type TestCache } from '../support/shared.ts';

let buckets = 0;
const ALL = ['make a', 'make b', 'join'];

async function swiftCache(): Promise<TestCache & { bucket: string }> {
  const { address } = await server('swift');
  const bucket = `lhb-${++buckets}`;
  const cache = await bucketCache({ endpoint: address, id: 'lhb:writer', secret: 'writersecret' }, bucket);
  return { ...cache, bucket };
}

cacheSuite(
  'swift',
  () => swiftCache(),
  (title, body) => serverTest('swift', title, body),
);

serverTest('swift', 'swift: ls and stats list what the bucket has, page by page', async (rig) => {
  const cache = await swiftCache();
  rig.workflow(kindsWorkflow(cache));
  await buildIn(rig, rig.dir, ALL, { env: cache.env });
  const ls = await rig.lhbWith({ env: cache.env }, 'cache', 'ls');
  assert.is(ls.code, 0, ls.stderr);
  assert.is(ls.stdout.match(/^lab\tmake\t/gm)?.length, 2);
  assert.is(ls.stdout.match(/^lab\tjoin\t/gm)?.length, 1);
  assert.match((await rig.lhbWith({ env: cache.env }, 'cache', 'stats')).stdout, /lab\tmake\t2\t/);
  // More than one page of a thousand names; none of them is a record.
  for (let n = 0; n < 1001; n += 20) {
    const names = Array.from({ length: Math.min(20, 1001 - n) }, (_, i) => (n + i).toString(16).padStart(64, '0'));
    await Promise.all(names.map((name) => cache.write(`ac/${name}`, Buffer.from('no record'))));
  }
  const many = JSON.parse((await rig.lhbWith({ env: cache.env }, 'cache', 'ls', '--json')).stdout) as {
    records: { state: string }[];
  };
  assert.is(many.records.length, 1004);
  assert.is(many.records.filter(({ state }) => state === 'ok').length, 3);
  const denied = await rig.lhbWith({ env: { ...cache.env, AWS_SECRET_ACCESS_KEY: 'no' } }, 'cache', 'ls');
  assert.is(denied.code, 2);
  assert.match(denied.stderr, /cache lab: .* answers 403 \(SignatureDoesNotMatch\) to GET/);
});

serverTest('swift', 'swift: a prefix whose characters are escaped in URLs', async (rig) => {
  const cache = await swiftCache();
  rig.workflow(kindsWorkflow({ ...cache, url: cache.url.replace('/pre?', '/pre fix/ü+%25?') }));
  const second = rig.copy('second');
  await buildIn(rig, rig.dir, ALL, { env: cache.env });
  await buildIn(rig, second, [], { env: cache.env });
  assert.match((await rig.lhbWith({ env: cache.env }, 'cache', 'stats')).stdout, /lab\tmake\t2\t/);
});

serverTest('swift', 'swift: a bucket that does not exist', async (rig) => {
  const cache = await swiftCache();
  rig.workflow(kindsWorkflow({ ...cache, url: cache.url.replace(cache.bucket, 'nowhere') }));
  const says = /answers 404 \(NoSuchBucket\) to GET: there is no bucket of this name/;
  assert.match((await buildIn(rig, rig.dir, ALL, { env: cache.env })).stderr, says);
  assert.match((await rig.lhbWith({ env: cache.env }, 'cache', 'status')).stdout, says);
  const verified = await rig.lhbWith({ env: cache.env }, 'cache', 'verify');
  assert.is(verified.code, 2);
  assert.match(verified.stderr, says);
});

serverTest('swift', 'swift: profiles of ~/.aws, a reader, a wrong secret', async (rig) => {
  const cache = await swiftCache();
  const { address } = await server('swift');
  rig.workflow(kindsWorkflow(cache));
  rig.write(
    '../home/.aws/credentials',
    '[default]\naws_access_key_id = lhb:writer\naws_secret_access_key = writersecret\n',
  );
  rig.write(
    '../home/.aws/config',
    '[profile helper]\ncredential_process = echo \'{"Version": 1, "AccessKeyId": "lhb:reader", "SecretAccessKey": "readersecret"}\'\n',
  );
  const [second, third] = [rig.copy('second'), rig.copy('third')];
  const first = await buildIn(rig, rig.dir, ALL);
  assert.match(first.stderr, /3 uploaded/);
  serverScript('s3-grant-reader.sh', address, cache.bucket);
  await buildIn(rig, second, [], { env: { AWS_PROFILE: 'helper' } });
  const wrong = await buildIn(rig, third, ALL, { env: { ...cache.env, AWS_SECRET_ACCESS_KEY: 'no' } });
  assert.is(wrong.stderr.match(/^warning/gm)?.length, 1, wrong.stderr);
  assert.match(wrong.stderr, /answers 403 \(SignatureDoesNotMatch\) to GET: these credentials may not do that/);
  assert.not.match(wrong.stderr, /writersecret/);
});

test.run();
