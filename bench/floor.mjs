// What a clean build cannot go below as it is promised: a bare Node program that does for each job the file operations of lhb,
// in its order, and hands it to a helper shell, and does nothing else. No workflow, keys, hashes, index; no thought for errors.
// `node bench/floor.mjs FOLDER JOBS`, the folder empty; `npm run bench -- --only main` runs it too.
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { jobsOf, SAMPLERS, targetsFor, writeConfigs } from './graph.mjs';

const [root, wanted] = process.argv.slice(2);
if (root === undefined || !(Number(wanted) > 0) || !fs.existsSync(root)) {
  console.error('expected an empty folder and a number of jobs: node bench/floor.mjs FOLDER JOBS');
  process.exit(2);
}
process.chdir(root);
const graph = { targets: targetsFor(Number(wanted)), samplers: SAMPLERS };
writeConfigs(root, graph);

const JOB_FILE = `${JSON.stringify({ text: 'x'.repeat(930) })}\n`;
const LAUNCH = `${'l'.repeat(376)}\n`;
const TRACE = `${'t'.repeat(1560)}\n`;
const lstat = (path) => fs.lstatSync(path, { throwIfNoEntry: false });

for (const name of ['jobs', 'logs', 'tmp', 'blobs', 'runs']) fs.mkdirSync(name);
const launches = fs.openSync('launches', 'a');
const log = fs.openSync('log', 'a');
const done = [];
const ready = [];

class Helper {
  constructor() {
    this.child = spawn('/bin/sh', [], { detached: true, stdio: ['pipe', 'ignore', 'ignore', 'pipe'] });
    this.child.stdio[3].setEncoding('latin1').on('data', (text) => {
      if (text.includes('e ')) this.end();
    });
    this.next();
  }

  next() {
    const job = ready.pop();
    if (job === undefined) return this.child.stdin.end();
    this.job = job;
    const { id, folder, from, to } = job;
    for (const path of [`jobs/${id}`, folder, to, `logs/${id}`]) lstat(path);
    fs.mkdirSync(folder, { recursive: true });
    const old = done.length > 500 ? done.shift() : undefined;
    if (old === undefined) fs.mkdirSync(`jobs/${id}`);
    else {
      fs.readdirSync(`jobs/${old}`);
      fs.renameSync(`jobs/${old}`, `jobs/${id}`);
    }
    const file = fs.openSync(`jobs/${id}/job.json`, fs.constants.O_WRONLY | fs.constants.O_CREAT);
    fs.writeSync(file, JOB_FILE);
    fs.closeSync(file);
    fs.writeSync(launches, LAUNCH);
    this.child.stdin.write(
      `{ (exec cp ${from} ${to}) </dev/null >>logs/${id} 2>&1 3>&-\ns=$?\n{ echo "$s"; times; } >>jobs/${id}/exit\necho "e $s" >&3\n}\n`,
    );
  }

  end() {
    const { id, folder, to, from, below } = this.job;
    fs.readFileSync('/proc/loadavg');
    for (const path of ['tmp', from, folder, to]) lstat(path);
    fs.utimesSync(to, 1, 1);
    fs.chmodSync(to, 0o444);
    fs.readFileSync(to);
    const blob = `blobs/${from.startsWith('conf') ? id : from.split('/')[1]}`;
    if (lstat(blob) === undefined) fs.linkSync(to, blob);
    else {
      fs.linkSync(blob, `tmp/${id}`);
      fs.renameSync(`tmp/${id}`, to);
    }
    fs.statSync(to);
    fs.statfsSync('.');
    fs.writeSync(log, TRACE);
    done.push(id);
    ready.push(...below);
    this.next();
  }
}

for (let t = graph.targets - 1; t >= 0; t--) {
  const to = `runs/t${t}/meta.json`;
  const below = SAMPLERS.map((s) => {
    const folder = `runs/t${t}/run_${s}`;
    return { id: `run_${t}_${s}`, folder, from: to, to: `${folder}/analysis.json`, below: [] };
  });
  ready.push({ id: `t${t}`, folder: `runs/t${t}`, from: `conf/t${t}.yaml`, to, below });
}
const helpers = [new Helper(), new Helper()];
await Promise.all(helpers.map(({ child }) => new Promise((resolve) => child.on('close', resolve))));
if (done.length === 0 || lstat(`runs/t${graph.targets - 1}/run_s8/analysis.json`) === undefined)
  throw new Error(`the floor made less than ${jobsOf(graph.targets, SAMPLERS)} jobs`);
