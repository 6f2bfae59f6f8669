// Restores from shared caches: small jobs of one file and of ten, from a folder and, where nginx is installed, from a server;
// beside them what `cp -r` of the same outputs takes, what the local store alone takes, and a bare program that does the same
// file operations and requests (restore-floor.mjs). Medians of five in turns.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median, progress, putAside, run } from './measure.mjs';
import { LHB, PROJECT } from './tools.mjs';

const SERVERS = join(PROJECT, 'test', 'support', 'cache-servers');
const FLOOR = [process.execPath, join(PROJECT, 'bench', 'restore-floor.mjs')];
// Not an import that the linter follows: it would take its types from what is compiled.
const { recordKey } = await import(join(PROJECT, 'dist', 'src', 'cache', 'record.js'));
const ROUNDS = [1, 2, 3, 4, 5];
const FILES = [1, 10];

const YAML = (url, jobs, files) => `lhb: 1
caches: [{ name: c, url: "${url}", mode: rw, trust: any }]
rules:
  a:
    for: { i: "\${{ range(0, ${jobs}) }}" }
    outputs: { o: [${Array.from({ length: files }, (_, n) => `o${n}.txt`).join(', ')}] }
    run: "for f in \${{ outputs.o }}; do echo \${{ i }} $f > $f; done"
`;

/**
 * @param root an empty folder; @param jobs how many
 * @returns rows `{ what, files, seconds }`: of each kind `restored`, `alone`, `floor` and `copied`
 */
export async function caches(root, jobs) {
  const env = { HOME: root, LHB_CACHE_AUTH_C: 'writer:writer' };
  const seconds = async (argv, cwd) => (await run(argv, { cwd, env })).seconds;
  const rows = [];
  const measure = async (what, url) => {
    for (const files of FILES)
      rows.push({ what, files, seconds: await restores({ root, seconds, what, url, jobs, files }) });
  };
  await seconds([...LHB, 'cache', 'init', `dir:${root}/cache`], root);
  await measure('folder', `dir:${root}/cache`);
  if (['/usr/sbin/nginx', '/usr/bin/nginx'].some((path) => existsSync(path))) {
    const state = join(root, 'nginx');
    await seconds(['bash', join(SERVERS, 'nginx-dav-up.sh'), state, '39180'], root);
    try {
      await measure('nginx', 'http://127.0.0.1:39180/bench');
    } finally {
      await seconds(['bash', join(SERVERS, 'nginx-dav-down.sh'), state], root);
    }
  }
  return rows;
}

/** Fills a cache, and restores all from it into new work trees. Nothing is deleted meanwhile: see putAside. */
async function restores({ root, seconds, what, url, jobs, files }) {
  progress(`caches: ${what}, ${files} files a job`);
  const folder = (name) => {
    const path = join(root, `${what}-${files}-${name}`);
    mkdirSync(path);
    return path;
  };
  const tree = (name) => {
    const path = folder(name);
    writeFileSync(join(path, 'lhb.yaml'), YAML(url, jobs, files));
    return path;
  };
  const first = tree('first');
  await seconds([...LHB, 'build', '-q'], first);
  writeFileSync(join(root, 'JOBS.json'), JSON.stringify(keysOf(first)));
  const found = { copied: [], restored: [], floor: [], alone: [] };
  for (const n of ROUNDS) {
    found.copied.push(await seconds(['cp', '-r', 'runs', join(root, `${what}-${files}-copy${n}`)], first));
    found.restored.push(await seconds([...LHB, 'build', '-q'], tree(`tree${n}`)));
    found.floor.push(await seconds([...FLOOR, folder(`floor${n}`), url, String(files)], root));
  }
  for (const _n of ROUNDS) {
    putAside(join(first, 'runs'));
    found.alone.push(await seconds([...LHB, 'build', '-q', '--cache', 'off'], first));
  }
  return Object.fromEntries(Object.entries(found).map(([name, times]) => [name, median(times)]));
}

/** Under which a cache has the results of a work tree, by its trace log. */
function keysOf(folder) {
  const traces = join(folder, '.lhb', 'traces');
  const text = readdirSync(traces)
    .map((name) => readFileSync(join(traces, name), 'utf8'))
    .join('');
  return [...new Set([...text.matchAll(/"actionKey":"([0-9a-f]{64})"/g)].map(([, key]) => recordKey('', key)))];
}
