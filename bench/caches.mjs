// Measures restores from shared caches: `npm run bench:caches [JOBS]`, 1000 small jobs by default, of one file and of ten.
// Beside them stands what `cp -r` of the same outputs takes, and in brackets how many times that is. nginx is measured where
// it is installed. Medians of five.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));
const LHB = [process.execPath, join(PROJECT, 'bin', 'lhb.js')];
const SERVERS = join(PROJECT, 'test', 'support', 'cache-servers');
const jobs = Number(process.argv[2] ?? 1000);
const base = mkdtempSync(join(tmpdir(), 'lhb-bench-'));
const env = { ...process.env, HOME: base, LHB_CACHE_AUTH_C: 'writer:writer', NODE_EXTRA_CA_CERTS: '' };

function run(argv, cwd) {
  const began = performance.now();
  const { status, stderr } = spawnSync(argv[0], argv.slice(1), { cwd, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
  return (performance.now() - began) / 1000;
}

const median = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];

const ROUNDS = [1, 2, 3, 4, 5];

const YAML = (url, files) => `lhb: 1
caches: [{ name: c, url: "${url}", mode: rw, trust: any }]
rules:
  a:
    for: { i: "\${{ range(0, ${jobs}) }}" }
    outputs: { o: [${Array.from({ length: files }, (_, n) => `o${n}.txt`).join(', ')}] }
    run: "for f in \${{ outputs.o }}; do echo \${{ i }} $f > $f; done"
`;

/**
 * Fills a cache, and restores all from it into new work trees; tells the time of a restore and that of `cp -r`, in turns.
 * Nothing is removed meanwhile: ext4 is slow to make files where others were just removed.
 */
function restores(name, url, files) {
  const tree = (n) => {
    const folder = join(base, `${name}-${files}-${n}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'lhb.yaml'), YAML(url, files));
    return folder;
  };
  const first = tree('first');
  run([...LHB, 'build', '-q'], first);
  const found = { restored: [], copied: [], alone: [] };
  for (const n of ROUNDS) {
    found.copied.push(run(['cp', '-r', 'runs', join(base, `${name}-${files}-copy${n}`)], first));
    found.restored.push(run([...LHB, 'build', '-q'], tree(n)));
  }
  for (const _n of ROUNDS) {
    rmSync(join(first, 'runs'), { recursive: true });
    found.alone.push(run([...LHB, 'build', '-q', '--cache', 'off'], first));
  }
  const [restored, copied, alone] = [median(found.restored), median(found.copied), median(found.alone)];
  const times = (seconds) => `${seconds.toFixed(2)} s (${(seconds / copied).toFixed(1)})`;
  console.log(
    `${name}: ${jobs} jobs of ${files} files: restored in ${times(restored)}; from the store alone in ${times(alone)}; cp -r ${copied.toFixed(2)} s`,
  );
}

try {
  run([...LHB, 'cache', 'init', `dir:${base}/cache`], base);
  for (const files of [1, 10]) restores('folder', `dir:${base}/cache`, files);
  if (['/usr/sbin/nginx', '/usr/bin/nginx'].some((path) => existsSync(path))) {
    const state = join(base, 'nginx');
    run(['bash', join(SERVERS, 'nginx-dav-up.sh'), state, '39180'], base);
    try {
      for (const files of [1, 10]) restores('nginx', 'http://127.0.0.1:39180/bench', files);
    } finally {
      run(['bash', join(SERVERS, 'nginx-dav-down.sh'), state], base);
    }
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
