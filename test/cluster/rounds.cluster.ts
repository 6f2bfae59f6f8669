// Builds on a real Slurm whose driver is killed at a random instant, while its controller is stopped, crashes or forgets
// jobs. Afterwards every job has run once and every result is there.
//
// `npm run test:cluster -- 100`: so many rounds (default 10). LHB_CLUSTER_SEED gives the seed, which a failure prints.
import { execFile } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clusterTest, quickProfile, type Cluster } from '../support/cluster/cluster.ts';
import { COMPILED_TESTS } from '../support/project.ts';
import { Random } from '../support/random.ts';
import type { Ended, Rig, Started } from '../support/rig.ts';

const ROUNDS = Number(process.argv.find((word) => /^\d+$/.test(word)) ?? 10);
const SEED = Number(process.env['LHB_CLUSTER_SEED'] ?? Date.now() % 1_000_000);
const PRELOAD = join(COMPILED_TESTS, 'crash', 'kill-at-step.js');
const STEPS = ['submit:before', 'submit:noted', 'submit:handed', 'submit:done', 'capture:before', 'commit:before'];
/** Builds after one that was cut short by what a crashed controller does. */
const MOST_MORE = 3;
const TARGETS = 5;
const JOBS = TARGETS * 3;

const WORKFLOW = `
  config: { salt: 0 }
  rules:
    target:
      for: { n: "\${{ range(0, ${TARGETS}) }}" }
      outputs: { o: o.txt }
      config: [{ set: { n: "\${{ n }}", salt: "\${{ config.salt }}" } }]
      run: |
        echo "begin \${{ job.id }}" >> ran.log
        sleep 0.\${{ n % 4 }}
        echo "\${{ config.salt }} \${{ n }}" > \${{ outputs.o }}
        echo "end \${{ job.id }}" >> ran.log
    sample:
      for: { from: "\${{ target }}", s: [1, 2] }
      outputs: { o: o.txt }
      run: |
        echo "begin \${{ job.id }}" >> ran.log
        sleep 0.\${{ s }}
        cat \${{ from.outputs.o }} > \${{ outputs.o }}
        echo "end \${{ job.id }}" >> ran.log
`;

type Outage = 'none' | 'stopped' | 'crashed';

class Rounds {
  readonly rig: Rig;
  readonly cluster: Cluster;
  readonly random = new Random(SEED);
  readonly history: string[] = [];
  /** What came about, for the last line. */
  readonly counts = { kills: 0, stopped: 0, crashed: 0, packed: 0, 'builds more': 0 };
  #refused = 0;
  #hasCrashed = false;

  constructor(rig: Rig, cluster: Cluster) {
    this.rig = rig;
    this.cluster = cluster;
    quickProfile(rig, 'quick', 'slurm');
  }

  async round(index: number): Promise<void> {
    const { random, rig } = this;
    const outage: Outage = random.chance(0.25) ? random.pick(['stopped', 'crashed'] as const) : 'none';
    // A node that has not what its controller believes is one that failed.
    const build = [`--config`, `salt=${index}`, '--profile', 'quick', '--retries', '2'];
    rig.ranSince();
    this.#refused = this.#refusals();
    // What is packed counts in no key.
    const isPacked = random.chance(0.3);
    if (isPacked) this.counts.packed++;
    if (outage !== 'none') this.counts[outage]++;
    rig.workflow(isPacked ? WORKFLOW.replace('sample:', 'sample:\n      group: { name: g, size: 3 }') : WORKFLOW);
    const kills = 1 + random.below(3);
    for (let kill = 0; kill < kills; kill++) {
      const at = random.chance(0.4) ? random.pick(STEPS) : undefined;
      const started = this.#start(at, build);
      const afterMs = 100 + random.below(2500);
      if (at === undefined) await this.#kill(started, afterMs);
      else await Promise.race([started.done, sleep(8000)]).then(() => started.child.kill('SIGKILL'));
      const ended = await started.done;
      if (ended.code === 137) this.counts.kills++;
      this.#note(`round ${index}: killed ${at ?? `after ${afterMs} ms`}; exit ${ended.code}; outage ${outage}`);
      assert.ok([0, 137].includes(ended.code) || (ended.code === 1 && this.#hasRefused()), said(ended));
      if (kill === 0) await this.#outage(outage);
      else if (random.chance(0.3)) await sleep(random.below(1500));
    }
    const last = await this.#lastBuild(build);
    assert.ok(last.code === 0, `the last build: ${said(last)}`);
    this.#check(index, outage, last);
    const again = await rig.ok('build', '-n', ...build.slice(0, 2), '--json');
    assert.not.match(again.stdout, /"plan":"run"/, 'nothing is left to run');
  }

  /**
   * A controller that crashed gives out ids twice. Nodes then refuse the second job of an id and, since jobs are not to be
   * queued again, have it cancelled, with the whole array where the id is also an array's. So the build may have to go on.
   */
  async #lastBuild(build: readonly string[]): Promise<Ended> {
    for (let more = MOST_MORE; ; more--) {
      const last = await this.rig.lhb('build', ...build);
      const ends = last.stderr.match(/^\[.*\] failed .*$/gm) ?? [];
      const failures = ends.filter((line) => !line.includes('tried again'));
      const isSchedulers = failures.every((line) => /cancelled \(CANCELLED\)|its node failed/.test(line));
      if (last.code !== 1 || !isSchedulers || !this.#hasRefused() || more === 0) return last;
      this.counts['builds more']++;
      this.#note(`nodes refused jobs of ids that they had; ${failures.length} jobs were cancelled`);
    }
  }

  #hasRefused(): boolean {
    return this.#refusals() > this.#refused;
  }

  /** How often a node has refused a job, by its log. */
  #refusals(): number {
    return ['n1', 'n2']
      .map((node) => readFileSync(join(this.cluster.dir, `log/slurmd.${node}.log`), 'utf8'))
      .reduce((count, log) => count + log.split('not able to requeue it, cancelling job').length - 1, 0);
  }

  /**
   * What someone has to do after a crash, again and again until `over`: such nodes are drained until they are told to go on, and
   * what the controller takes for running, and is not, comes to light when nodes report anew.
   */
  async operate(over: AbortSignal): Promise<void> {
    for (let turn = 0; !over.aborted; turn++) {
      await sleep(3000, undefined, { signal: over }).catch(() => {});
      if (over.aborted || !this.#hasCrashed) continue;
      try {
        const drained = await this.#ask('sinfo', '-h', '-N', '-t', 'drain', '-o', '%N');
        for (const node of new Set(drained.split('\n').filter(Boolean)))
          await this.#ask('scontrol', 'update', `nodename=${node}`, 'state=resume');
        if (turn % 5 === 0) await this.#ask('scontrol', 'reconfigure');
      } catch {
        // The controller is down just now.
      }
    }
  }

  async #ask(program: string, ...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(program, args, { env: { ...process.env, ...this.cluster.env } });
    return stdout;
  }

  #check(index: number, outage: Outage, last: Ended): void {
    const lines = this.rig.ranInOrder();
    const count = (word: string): Map<string, number> => {
      const counts = new Map<string, number>();
      for (const line of lines) if (line.startsWith(word)) counts.set(line, (counts.get(line) ?? 0) + 1);
      return counts;
    };
    for (const word of ['begin', 'end']) {
      const counts = count(word);
      // A controller that crashed may itself start anew what it had started just before; nothing of it gets to an end.
      if ((outage === 'crashed' || this.#hasRefused()) && word === 'begin') continue;
      const twice = [...counts].filter(([, times]) => times > 1).map(([line]) => line);
      assert.equal(twice, [], `round ${index}: ran twice; the last build said\n${last.stderr}`);
      assert.is(counts.size, JOBS, `round ${index}: jobs with '${word}'`);
    }
  }

  #start(at: string | undefined, build: readonly string[]): Started {
    const env =
      at === undefined
        ? {}
        : {
            NODE_OPTIONS: `--import=${PRELOAD}`,
            LHB_CRASH_AT: `${at}=${1 + this.random.below(2)}`,
            LHB_CRASH_STEPS: join(this.rig.base, 'steps'),
          };
    return this.rig.start({ env }, 'build', ...build);
  }

  async #kill(started: Started, afterMs: number): Promise<void> {
    await Promise.race([started.done, sleep(afterMs)]);
    started.child.kill('SIGKILL');
  }

  async #outage(outage: Outage): Promise<void> {
    if (outage === 'none') return;
    // A submission of this very moment is lost when the controller crashes, and its id given out again.
    this.#hasCrashed ||= outage === 'crashed';
    this.cluster.stop('slurmctld', outage === 'crashed');
    await sleep(this.random.below(outage === 'stopped' ? 5000 : 500));
    this.cluster.up();
  }

  #note(line: string): void {
    this.history.push(line);
    appendFileSync(join(this.rig.base, 'history'), `${line}\n`);
  }
}

const said = ({ code, stdout, stderr }: Ended): string => `exit ${code}\n${stdout}\n${stderr}`;

clusterTest(
  `${ROUNDS} rounds of a killed driver, LHB_CLUSTER_SEED=${SEED}`,
  'slurm',
  async (rig, cluster) => {
    const rounds = new Rounds(rig, cluster);
    const begun = Date.now();
    const over = new AbortController();
    const operator = rounds.operate(over.signal);
    try {
      for (let i = 1; i <= ROUNDS; i++) await rounds.round(i);
    } catch (problem) {
      process.stdout.write(`${rounds.history.slice(-8).join('\n')}\n`);
      throw problem;
    } finally {
      over.abort();
      await operator;
    }
    const counts = Object.entries(rounds.counts).map(([what, times]) => `${what} ${times}`);
    process.stdout.write(`${ROUNDS} rounds in ${Math.round((Date.now() - begun) / 1000)} s: ${counts.join(', ')}\n`);
  },
  { timeoutS: 120 + ROUNDS * 90, options: ['--min-job-age', '20'] },
);

test.run();
