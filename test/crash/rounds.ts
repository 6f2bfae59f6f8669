// npm run test:crash -- [ROUNDS]: kills builds over and over, and looks after each kill at what is left (oracle.ts).
//
// A round is one SIGKILL, and what it needs: of the driver, of its process group, of everything at once (as a machine's
// OOM killer or `kill -9 -1` does), of one job, of one helper shell, at a named step, or of the helper between a job's last
// act and its exit marker. LHB_CRASH_SEED gives the seed; a fault prints it with all that was done, and the folder is kept.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { parseEvents, type Summary } from '../support/json.ts';
import { COMPILED_TESTS } from '../support/project.ts';
import { Random } from '../support/random.ts';
import { Rig, type Started } from '../support/rig.ts';
import { JobLog, type Run } from './job-log.ts';
import { Oracle } from './oracle.ts';
import { killIn, processesIn, runsIn } from './processes.ts';
import { StepCoverage, stepsOfBuilds } from './steps.ts';
import { Sweep, type Expected } from './sweep.ts';

const KINDS = ['driver', 'group', 'everything', 'job', 'helper', 'step', 'last act'] as const;
type Kind = (typeof KINDS)[number];
/** How often each kind comes up: steps are many. */
const WEIGHTS: Readonly<Record<Kind, number>> = {
  driver: 4,
  group: 2,
  everything: 2,
  job: 2,
  helper: 2,
  step: 12,
  'last act': 1,
};
const PRELOAD = join(COMPILED_TESTS, 'crash', 'kill-at-step.js');
const VERIFY_EVERY = 20;
/** Attempts at a round: the build may have been over when the kill came. */
const TRIES = 20;

const ROUNDS = Number(process.argv[2] ?? 300);
const SEED = Number(process.env['LHB_CRASH_SEED'] ?? Date.now() % 1_000_000);

class Rounds {
  readonly rig = new Rig();
  readonly history: string[] = [];
  readonly #begun = Date.now();
  readonly kills: Record<Kind, number> = {
    driver: 0,
    group: 0,
    everything: 0,
    job: 0,
    helper: 0,
    step: 0,
    'last act': 0,
  };
  readonly coverage = new StepCoverage(join(this.rig.base, 'steps'), stepsOfBuilds());
  readonly oracle: Oracle;
  readonly #random = new Random(SEED);
  readonly #sweep = new Sweep();
  readonly #log = new JobLog(join(this.rig.base, 'jobs.log'));
  readonly #ids = new Map<string, string>();
  /** Whether a build came to its end since the config was last changed. */
  #complete = false;

  constructor() {
    this.oracle = new Oracle(this.rig.dir, this.#log);
  }

  async round(index: number): Promise<void> {
    const kind = this.#pickKind();
    for (let attempt = 1; !(await this.#attempt(kind)); attempt++) {
      assert.ok(attempt < TRIES, `no kill by ${kind} in ${TRIES} attempts`);
    }
    this.kills[kind]++;
    if (this.#random.chance(0.55)) await this.#finish();
    if (index % VERIFY_EVERY === 0) await this.#verify();
    this.#noFaults();
  }

  async end(): Promise<void> {
    await this.#finish();
    await this.#verify();
    this.#noFaults();
  }

  #pickKind(): Kind {
    const bag = KINDS.flatMap((kind) => Array.from({ length: WEIGHTS[kind] }, () => kind));
    return this.#random.pick(bag);
  }

  /** A build that is killed, and a look at what is left. False where the build was over before. */
  async #attempt(kind: Kind): Promise<boolean> {
    const { rig, oracle } = this;
    const random = this.#random;
    const at = kind === 'step' ? this.coverage.next(random, (name) => this.#isLikely(name)) : undefined;
    if (at?.startsWith('rebuild:')) rig.remove('.lhb/index');
    const failing = at?.startsWith('attempt:') ?? false;
    if (failing) writeFileSync(join(rig.base, 'fail'), '');
    if (this.#complete || random.chance(0.3)) {
      this.#note(`edit ${this.#sweep.edit(random)}`);
      if (at?.startsWith('restore:') || random.chance(0.1)) this.#removeSome();
      this.#complete = false;
    }
    this.#sweep.write(rig);
    const jobs = this.#sweep.expected();
    const number = oracle.buildStarts(jobs);
    if (kind === 'last act') writeFileSync(join(rig.base, 'last-act'), '');
    this.#note(`build ${number}, to be killed: ${kind} ${at ?? ''}`);
    const build = this.#start(at);
    const done = await this.#kill(kind, build);
    const ended = await build.done;
    for (const name of ['fail', 'fail.done']) rmSync(join(rig.base, name), { force: true });
    const told = parseTold(ended.stdout);
    this.#note(`  ${done.what}; exit ${ended.code}; told ${told.length} built`);
    const wellEnded =
      kind === 'job' || kind === 'helper' || kind === 'last act' ? [0, 1] : failing ? [0, 1, 137] : [0, 137];
    checkEnd(ended, wellEnded);
    this.#complete = ended.code === 0;
    oracle.checkRuns();
    if (!done.hit) return false;
    // Sometimes the next build is there at once, and finds what still runs.
    if (ended.code === 137 && kind !== 'everything' && random.chance(0.5)) {
      await this.#finish();
      oracle.toldBefore(
        jobs.filter((job) => told.includes(this.#ids.get(job.action) ?? '')),
        number,
      );
      return true;
    }
    if (random.chance(0.3)) await sleep(random.below(400));
    oracle.checkRuns();
    const summary = await rig.summary();
    this.#learnIds(summary, jobs);
    oracle.told(jobs.filter((job) => told.includes(this.#ids.get(job.action) ?? '')));
    for (const run of done.runs()) oracle.killed(run, this.#ids.get(run.action));
    oracle.checkSummary(summary, jobs, false);
    if (random.chance(0.3)) await this.#query(jobs);
    // What a dead driver left running may be killed too.
    if (ended.code === 137 && random.chance(0.2)) this.#killOrphan();
    oracle.checkRuns();
    return true;
  }

  /** Steps of killed builds and of lost indexes need something that went wrong before. */
  #isLikely(name: string): boolean {
    if (/^(strays|launches:kept)/.test(name)) return existsSync(this.rig.path('.lhb/launches'));
    if (name.startsWith('rebuild:')) return this.rig.exists('.lhb/index');
    return true;
  }

  /** Outputs that someone removed come back from the store. */
  #removeSome(): void {
    const jobs = this.#sweep.expected();
    const dirs = jobs.map((job) => job.dir);
    const gone = this.#random.some(dirs, 1).filter((dir) => this.rig.exists(dir));
    this.rig.remove(...gone);
    this.oracle.outputsGone(jobs.filter((job) => gone.includes(job.dir)));
    this.#note(`removed ${gone.join(' ')}`);
  }

  /** A build that nobody disturbs: it needs no help, and all is right after it. */
  async #finish(): Promise<void> {
    const { rig, oracle } = this;
    this.#sweep.write(rig);
    const jobs = this.#sweep.expected();
    const number = oracle.buildStarts(jobs);
    this.#note(`build ${number}, to its end`);
    checkEnd(await this.#start(undefined).done, [0]);
    oracle.checkRuns();
    const summary = await rig.summary();
    this.#learnIds(summary, jobs);
    oracle.checkSummary(summary, jobs, true);
    assert.equal(processesIn(rig.dir), [], 'processes after a build');
    this.#complete = true;
  }

  async #verify(): Promise<void> {
    this.#note('verify');
    await this.rig.ok('verify');
  }

  #noFaults(): void {
    if (this.oracle.faults.length > 0) throw new Error(this.oracle.faults.join('\n'));
  }

  #note(text: string): void {
    this.history.push(`${((Date.now() - this.#begun) / 1000).toFixed(1)} s ${text}`);
  }

  #start(at: string | undefined): Started {
    const env = {
      NODE_OPTIONS: `--import=${PRELOAD}`,
      LHB_CRASH_STEPS: this.coverage.file,
      LHB_CRASH_AT: at,
    };
    return this.rig.start({ env, detached: true }, 'build', '-j', '4', '-k', '--json');
  }

  async #kill(kind: Kind, build: Started): Promise<Killed> {
    const { rig } = this;
    if (kind === 'step') {
      const { code } = await build.done;
      const hit = code === 137 && this.coverage.hit();
      return { what: hit ? 'killed' : 'not reached', hit, runs: () => [] };
    }
    if (kind === 'last act') {
      await build.done;
      const hit = existsSync(join(rig.base, 'last-act.done'));
      if (hit) rig.remove('../last-act.done');
      return { what: hit ? 'killed' : 'not reached', hit, runs: () => [] };
    }
    await this.#instant(build);
    switch (kind) {
      case 'driver':
        return { what: 'killed', hit: build.child.kill('SIGKILL') && !hasEnded(build), runs: () => [] };
      case 'group': {
        const hit = !hasEnded(build);
        if (hit && build.child.pid !== undefined) process.kill(-build.child.pid, 'SIGKILL');
        return { what: 'killed', hit, runs: () => [] };
      }
      case 'everything': {
        const hit = !hasEnded(build);
        const pids = new Set<number>();
        for (let left = processesIn(rig.dir); left.length > 0; left = processesIn(rig.dir)) {
          for (const pid of left) if (killIn(pid, rig.dir)) pids.add(pid);
        }
        return { what: `killed ${pids.size} processes`, hit, runs: () => this.#runsOf(pids) };
      }
      case 'job':
      case 'helper':
        return await this.#killOne(kind, build);
    }
  }

  /** A random moment: of the start of the program, or of its jobs. */
  async #instant(build: Started): Promise<void> {
    const random = this.#random;
    if (random.chance(0.25)) return void (await Promise.race([sleep(random.below(500)), build.done]));
    await this.#until(build, () => build.stdout().includes('"job-started"'));
    await Promise.race([sleep(random.below(random.pick([30, 200, 600]))), build.done]);
  }

  async #until(build: Started, condition: () => boolean): Promise<void> {
    while (!hasEnded(build) && !condition()) await sleep(2);
  }

  /** Kills one job that runs, or its helper. */
  async #killOne(kind: 'job' | 'helper', build: Started): Promise<Killed> {
    const { rig } = this;
    let open: readonly Run[] = [];
    await this.#until(build, () => {
      this.oracle.checkRuns();
      open = this.#log.open().filter((run) => runsIn(kind === 'job' ? run.pid : run.helper, rig.dir));
      return open.length > 0;
    });
    const run = open.length === 0 ? undefined : this.#random.pick(open);
    const pid = run && (kind === 'job' ? run.pid : run.helper);
    const hit = pid !== undefined && killIn(pid, rig.dir);
    return { what: `killed ${run?.action}`, hit, runs: () => (hit ? this.#runsOf(new Set([pid])) : []) };
  }

  /** Kills something that a dead driver left running: a job, or its helper. */
  #killOrphan(): void {
    const { rig } = this;
    const pids = processesIn(rig.dir);
    if (pids.length === 0) return;
    const pid = this.#random.pick(pids);
    if (!killIn(pid, rig.dir)) return;
    this.#note(`  then ${pid} of the orphans`);
    this.oracle.checkRuns();
    for (const run of this.#runsOf(new Set([pid]))) this.oracle.killed(run, this.#ids.get(run.action));
  }

  /** The runs that the death of these processes may have cut off: a job's own, and the last one of a helper. */
  #runsOf(pids: ReadonlySet<number>): readonly Run[] {
    const { runs } = this.#log;
    const helpers = [...pids].map((pid) => runs.findLast((run) => run.helper === pid));
    const jobs = [...pids].map((pid) => runs.findLast((run) => run.pid === pid));
    // A job that was forked a moment before its helper died has found init as its parent: nobody writes its marker.
    const orphaned = runs.filter((run) => run.helper === 1);
    return [...helpers, ...jobs, ...orphaned].filter((run) => run !== undefined);
  }

  /** One more query right after a kill: it works, whatever the state. */
  async #query(jobs: readonly Expected[]): Promise<void> {
    const job = this.#random.pick(jobs);
    const id = this.#ids.get(job.action) ?? '';
    const query = this.#random.pick([['why', id], ['ls'], ['jobs'], ['plan'], ['build', '-n'], ['summary', id]]);
    await this.rig.ok(...query);
  }

  #learnIds(summary: Summary, jobs: readonly Expected[]): void {
    const byDir = new Map(summary.jobs.map((job) => [job.dir, job.id]));
    for (const { action, dir } of jobs) this.#ids.set(action, byDir.get(dir) ?? '');
  }
}

type Killed = {
  readonly what: string;
  /** Whether anything was killed. */
  readonly hit: boolean;
  /** The runs that the kill may have cut off, asked for when all is quiet. */
  readonly runs: () => readonly Run[];
};

const hasEnded = (build: Started): boolean => build.child.exitCode !== null || build.child.signalCode !== null;

/** Ids of the jobs whose end was told; a line that was cut off does not count. */
function parseTold(stdout: string): string[] {
  const whole = stdout.slice(0, stdout.lastIndexOf('\n') + 1);
  const built = parseEvents(whole).filter((e) => e['event'] === 'job-finished' && e['result'] !== 'failed');
  return built.map((e) => e['id'] as string);
}

function checkEnd(ended: { code: number; stdout: string; stderr: string }, codes: readonly number[]): void {
  const { code, stdout, stderr } = ended;
  assert.ok(codes.includes(code), `exit ${code} for ${codes.join(' or ')}\n${stdout.slice(-4000)}\n${stderr}`);
  assert.not.match(stderr, /^\s+at .*:\d+:\d+\)?$/m);
}

/** What is counted as well: rounds are the tests of this suite, in the form in which uvu prints its figures. */
function figures(passed: number): string {
  return `  Total:     ${ROUNDS}\n  Passed:    ${passed}\n  Skipped:   0\n`;
}

async function main(): Promise<void> {
  const begun = Date.now();
  const rounds = new Rounds();
  let passed = 0;
  let fault: unknown;
  process.stdout.write(`${ROUNDS} rounds with LHB_CRASH_SEED=${SEED}\n`);
  try {
    for (; passed < ROUNDS; passed++) await rounds.round(passed + 1);
    await rounds.end();
    if (ROUNDS >= 300) assert.equal(rounds.coverage.never(), [], 'steps at which no build was killed');
  } catch (error) {
    fault = error;
    passed = Math.min(passed, ROUNDS - 1);
    const text = error instanceof Error ? error.stack : String(error);
    const log = existsSync(join(rounds.rig.base, 'jobs.log'))
      ? readFileSync(join(rounds.rig.base, 'jobs.log'), 'utf8')
      : '';
    writeFileSync(join(rounds.rig.base, 'history'), rounds.history.join('\n'));
    process.stdout.write(
      `\nround ${passed + 1} failed; again with LHB_CRASH_SEED=${SEED}; kept in ${rounds.rig.base}\n${text}\n` +
        `  ${rounds.history.slice(-20).join('\n  ')}\nthe last runs of jobs:\n${log.split('\n').slice(-40).join('\n')}\n`,
    );
  }
  await rounds.rig.close(fault === undefined);
  const kills = KINDS.map((kind) => `${kind} ${rounds.kills[kind]}`).join(', ');
  const { adopted, taken, reruns, losses, doubles, apart } = rounds.oracle.tally;
  process.stdout.write(
    `${passed} rounds in ${Math.round((Date.now() - begun) / 1000)} s; kills: ${kills}; steps: ${rounds.coverage.describe()}; ` +
      `adopted ${adopted}, taken ${taken}, reruns ${reruns}, losses ${losses}, doubles ${doubles}, apart ${apart}\n${figures(passed)}`,
  );
  process.exitCode = fault === undefined ? 0 : 1;
}

await main();
