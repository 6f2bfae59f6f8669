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
  assert.match(wrong.stderr, /answers 403 to GET: these credentials may not do that/);
  assert.not.match(wrong.stderr, /writersecret/);
});

test.run();
