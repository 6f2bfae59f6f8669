// Part of `npm run build`: runs a few commands of the bundle in a folder of its own, and writes what V8 compiled meanwhile
// beside the chunks. Nothing depends on it but time: where it fails, the build goes on.
//
// It starts itself again for the run, so that what the commands print goes nowhere.
const { spawnSync } = require('node:child_process');
const { mkdirSync, mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { CACHE, load, scripts } = require('../../bin/load.js');

/** Something of all that workflows usually have. */
const WORKFLOW = `lhb: 1
config: conf/base.yaml
rules:
  train:
    for: { seed: "\${{ range(1, 3) }}" }
    config:
      - file: conf/base.yaml
      - { set: { seed: "\${{ seed }}", kind: "\${{ seed > 1 ? 'a' : 'b' }}" } }
    dir: \${{ output }}/\${{ job.id }}
    outputs: { model: model.txt, plots: plots/ }
    code: ["code/**/*.txt"]
    resources: { cpus: "\${{ seed > 100 ? 4 : 1 }}", mem_mb: 1 }
    run: cp \${{ job.config_file }} \${{ outputs.model }} && echo "\${{ seed }}" > \${{ outputs.plots }}/a.txt
  table:
    for: { kind: ["a", "b"] }
    inputs: { models: "\${{ train.filter(t, t.config.kind == kind).map(t, t.outputs.model) }}" }
    outputs: { table: table.txt }
    run: cat \${{ inputs.models }} > \${{ outputs.table }}
`;

/** What most people type most of the time. */
const COMMANDS = [
  '--version',
  'help',
  'build -h',
  'build -n',
  'build -q',
  'build',
  'summary',
  'summary --detailed',
  'why where:true',
];

if (process.argv[2] === undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'lhb-code-cache-'));
  // Without the caches that whoever builds this has for other work.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('LHB_'));
  const env = { ...Object.fromEntries(own), HOME: folder, XDG_CONFIG_HOME: folder };
  const run = spawnSync(process.execPath, [__filename, folder], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  rmSync(folder, { recursive: true, force: true });
  if (run.status !== 0) process.stderr.write(`no code cache was written: lhb will start more slowly\n${run.stderr}`);
} else void warmUp(process.argv[2]);

/** Makes a work tree, and goes there. */
function enterTree(folder, caches) {
  for (const sub of ['conf', 'code']) mkdirSync(join(folder, sub), { recursive: true });
  writeFileSync(join(folder, 'conf/base.yaml'), 'steps: 10\nname: base # a comment\nlist: [1, 2.5, "three"]\n');
  writeFileSync(join(folder, 'code/a.txt'), 'a\n');
  writeFileSync(join(folder, 'lhb.yaml'), WORKFLOW.replace('rules:', `${caches}rules:`));
  process.chdir(folder);
}

async function warmUp(folder) {
  const { main } = load('main.cjs');
  const run = async (...commands) => {
    for (const command of commands) await main(command.split(' '));
  };
  enterTree(join(folder, 'alone'), '');
  await run(...COMMANDS);
  // What one has shared another takes over; outputs that are gone come back.
  const caches = `caches: [{ name: c, url: "dir:${folder}/cache", mode: rw, trust: any }]\n`;
  await run(`cache init dir:${folder}/cache`);
  enterTree(join(folder, 'first'), caches);
  await run('build');
  enterTree(join(folder, 'second'), caches);
  await run('build');
  rmSync('runs', { recursive: true });
  await run('build');
  const parts = [...scripts].map(([name, script]) => [name, script.createCachedData()]);
  let at = 0;
  const table = JSON.stringify(parts.map(([name, { length }]) => [name, (at += length) - length, length]));
  const head = String(table.length).padStart(8, '0') + table;
  writeFileSync(CACHE, Buffer.concat([Buffer.from(head), ...parts.map(([, bytes]) => bytes)]));
  process.exitCode = 0;
}
