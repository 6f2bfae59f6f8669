// Measures restores from shared caches: `npm run bench:caches [JOBS]`, 1000 small jobs by default. Beside them stands what
// `cp -r` of the same outputs takes. nginx is measured where it is installed. Medians of three.
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

function median(measure) {
  const times = [1, 2, 3].map(measure).sort((a, b) => a - b);
  return times[1];
}

/** Fills a cache, and restores all from it into a new work tree; gives the time of a restore and that of `cp -r`. */
function restores(name, url) {
  const [first, second] = ['first', 'second'].map((tree) => join(base, `${name}-${tree}`));
  for (const folder of [first, second]) {
    mkdirSync(folder);
    writeFileSync(
      join(folder, 'lhb.yaml'),
      `lhb: 1
caches: [{ name: c, url: "${url}", mode: rw, trust: any }]
rules:
  a: { for: { i: "\${{ range(0, ${jobs}) }}" }, outputs: { o: o.txt }, run: "echo \${{ i }} > \${{ outputs.o }}" }
`,
    );
  }
  run([...LHB, 'build', '-q'], first);
  const restored = median(() => {
    for (const path of ['.lhb', 'runs']) rmSync(join(second, path), { recursive: true, force: true });
    return run([...LHB, 'build', '-q'], second);
  });
  const copied = median((n) => run(['cp', '-r', join(second, 'runs'), join(base, `${name}-copy${n}`)], base));
  console.log(
    `${name}: ${jobs} jobs restored in ${restored.toFixed(2)} s; cp -r ${copied.toFixed(2)} s; ${(restored / copied).toFixed(1)} times`,
  );
}

try {
  run([...LHB, 'cache', 'init', `dir:${base}/cache`], base);
  restores('folder', `dir:${base}/cache`);
  if (['/usr/sbin/nginx', '/usr/bin/nginx'].some((path) => existsSync(path))) {
    const state = join(base, 'nginx');
    run(['bash', join(SERVERS, 'nginx-dav-up.sh'), state, '39180'], base);
    try {
      restores('nginx', 'http://127.0.0.1:39180/bench');
    } finally {
      run(['bash', join(SERVERS, 'nginx-dav-down.sh'), state], base);
    }
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
