// What a restore from a shared cache cannot go below: a bare Node program that fetches the record of each job, which holds the
// small file itself, and does for it the file operations of lhb: the bytes into a store, and a link to them where they belong.
// No workflow, keys, signatures, checks, index. caches.mjs runs it: `node bench/restore-floor.mjs FOLDER CACHE FILES`, the folder
// empty, CACHE `dir:PATH` or a server's address, FILES how many a job has. JOBS.json in the folder above names the records.
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';

const [root, cache, count] = process.argv.slice(2);
const files = Number(count);
const list = join(dirname(root ?? ''), 'JOBS.json');
if (cache === undefined || !(files > 0) || !fs.existsSync(root) || !fs.existsSync(list)) {
  console.error(
    'expected an empty folder beside JOBS.json, a cache, and how many files a job has: node bench/restore-floor.mjs FOLDER CACHE FILES (npm run bench -- --only caches runs it)',
  );
  process.exit(2);
}
const keys = JSON.parse(fs.readFileSync(list, 'utf8'));
for (const name of ['tmp', 'blobs', 'runs']) fs.mkdirSync(join(root, name));
const log = fs.openSync(join(root, 'log'), 'a');
const TRACE = `${'t'.repeat(1300)}\n`;
const BYTES = Buffer.from('12 o0.txt\n');
const shards = new Set();

function take(key) {
  const folder = `${root}/runs/${key}`;
  const shard = `${root}/blobs/${key.slice(0, 2)}`;
  if (!shards.has(shard)) fs.mkdirSync(shard);
  shards.add(shard);
  for (let n = 0; n < files; n++) {
    const temporary = `${root}/tmp/${key}`;
    const fd = fs.openSync(temporary, 'wx', 0o600);
    fs.writeSync(fd, BYTES);
    fs.futimesSync(fd, 1, 1);
    fs.fchmodSync(fd, 0o444);
    fs.closeSync(fd);
    fs.renameSync(temporary, `${shard}/${key}${n}`);
  }
  fs.mkdirSync(folder);
  for (let n = 0; n < files; n++) {
    fs.linkSync(`${shard}/${key}${n}`, `${folder}/o${n}.txt`);
    fs.lstatSync(`${folder}/o${n}.txt`);
  }
  fs.writeSync(log, TRACE);
}

if (cache.startsWith('dir:')) {
  const folder = cache.slice('dir:'.length);
  for (const key of keys) {
    fs.readFileSync(`${folder}/ac/${key.slice(0, 2)}/${key}`);
    take(key);
  }
} else {
  const { Agent, get } = await import('node:http');
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const fetch = (key) =>
    new Promise((resolve, reject) => {
      get(`${cache}/ac/${key}`, { agent, auth: 'writer:writer' }, (answer) => {
        if (answer.statusCode !== 200) reject(new Error(`${key}: ${answer.statusCode}`));
        answer.resume().on('end', () => resolve(take(key)));
      }).on('error', reject);
    });
  await Promise.all(keys.map(fetch));
  agent.destroy();
}
