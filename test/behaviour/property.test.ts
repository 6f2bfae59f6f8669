// Random graphs, random edits, deletions, edits of outputs, failures, kills of builds, and damage to the store. After each
// step a build must leave what a clean build would make, must have run exactly the jobs whose action has no result yet, be
// it in part before it was killed, and a second one must run nothing.
// LHB_PROPERTY_CASES says how many cases, LHB_PROPERTY_SEED from which seed on.
import { chmodSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../support/random.ts';
import { randomEdit, randomModel, STEP, workflowText, type Model } from '../support/random-workflow.ts';
import { Rig } from '../support/rig.ts';
import { closure, simulate, type SimulatedJob } from '../support/simulator.ts';

const CASES = Number(process.env['LHB_PROPERTY_CASES'] ?? 40);
const SEED = Number(process.env['LHB_PROPERTY_SEED'] ?? 1);
const STEPS = 2;

/** A case that goes on: the model, what has been done (for the message), and which actions have a result on record. */
class Case {
  readonly rig = new Rig();
  readonly random: Random;
  readonly history: string[] = [];
  model: Model;
  readonly #earlier: Model[] = [];
  /** Action → the texts of its outputs. */
  readonly #seen = new Map<string, readonly string[]>();
  /** Texts of outputs that were edited in place, and of blobs that were: links share their bytes, so reruns are allowed. */
  readonly #suspect = new Set<string>();

  constructor(seed: number) {
    this.random = new Random(seed);
    this.model = randomModel(this.random);
  }

  write(): void {
    this.rig.write('lhb.yaml', workflowText(this.model));
    this.rig.write('config.yaml', `${JSON.stringify(this.model.config, undefined, 1)}\n`);
    // Once: shells read a script as they go, and jobs of a killed build may still be at it.
    if (!this.rig.exists('step.sh')) this.rig.write('step.sh', STEP);
    for (const [path, text] of Object.entries(this.model.files)) this.rig.write(path, text);
  }

  /** Changes the model or what is on disk. */
  disturb(): void {
    const { random, rig } = this;
    this.#earlier.push(structuredClone(this.model));
    const kind = random.below(15);
    if (kind < 6) {
      const edits = 1 + random.below(4);
      for (let i = 0; i < edits; i++) this.history.push(`edit ${randomEdit(random, this.model)}`);
    } else if (kind < 7) {
      this.model = structuredClone(random.pick(this.#earlier));
      this.history.push('back to an earlier workflow');
    } else if (kind < 8) {
      const rule = random.pick(this.model.rules);
      this.model.files[`code/${rule.name}.txt`] = `FAIL\ncode ${random.below(3)}\n`;
      this.history.push(`${rule.name} fails`);
    } else if (kind < 9 && random.chance(0.3) && !this.#hasGlob()) {
      if (rig.exists('.lhb')) rig.remove('.lhb');
      this.#seen.clear();
      this.history.push('the store is lost');
    } else if (kind === 11) {
      this.#disturbIndex();
    } else if (kind === 12) {
      this.#disturbBlob();
    } else if (kind === 13 && rig.exists('.lhb/traces')) {
      rig.remove('.lhb/traces');
      this.history.push('the trace log is lost');
    } else {
      this.#disturbOutputs();
    }
  }

  /** Without records a glob matches leftovers of older jobs, as files that no job made: such workflows keep their store. */
  #hasGlob(): boolean {
    return this.model.rules.some((rule) => rule.links.some((link) => link.how === 'glob'));
  }

  /** Without its index, or with one that is damaged, lhb knows all results that it knew. */
  #disturbIndex(): void {
    const { random, rig } = this;
    if (!rig.exists('.lhb/index/data.mdb')) return;
    const file = rig.path('.lhb/index/data.mdb');
    const { size } = statSync(file);
    const how = random.pick(['lost', 'cut short', 'garbage', 'flipped']);
    if (how === 'lost') rig.remove('.lhb/index');
    else if (how === 'cut short') truncateSync(file, random.below(size));
    else if (how === 'garbage') writeFileSync(file, Buffer.alloc(size, random.pick(['x', '\0'])));
    else {
      const bytes = readFileSync(file);
      const at = random.below(size);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      writeFileSync(file, bytes);
    }
    this.history.push(`the index is ${how}`);
  }

  /** The output with these bytes may share them with the blob, and no result with them can be restored. */
  #disturbBlob(): void {
    const { random, rig } = this;
    if (!rig.exists('.lhb/blobs')) return;
    const blobs = readdirSync(rig.path('.lhb/blobs'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(rig.path(join('.lhb/blobs', name))).isFile(),
    );
    if (blobs.length === 0) return;
    const blob = join('.lhb/blobs', random.pick(blobs.sort()));
    const text = rig.read(blob);
    this.#suspect.add(text);
    if (random.chance(0.5)) rig.remove(blob);
    else {
      chmodSync(rig.path(blob), 0o644);
      writeFileSync(
        rig.path(blob),
        text.replace(/^./, (first) => (first === '!' ? '?' : '!')),
      );
    }
    this.history.push(`the blob of ${JSON.stringify(text)} is ${rig.exists(blob) ? 'flipped' : 'lost'}`);
  }

  #disturbOutputs(): void {
    const { random, rig } = this;
    const present = simulate(this.model).filter((job) => job.result !== undefined && rig.exists(job.dir));
    if (present.length === 0) return;
    if (random.chance(0.2)) {
      rig.remove('out');
      this.history.push('all outputs deleted');
      return;
    }
    const job = random.pick(present);
    const files = Object.keys(job.result?.files ?? {}).filter((file) => rig.exists(`${job.dir}/${file}`));
    const file = files.length === 0 ? undefined : `${job.dir}/${random.pick(files)}`;
    if (file === undefined || random.chance(0.3)) {
      rig.remove(job.dir);
      this.history.push(`${job.dir} deleted`);
    } else if (random.chance(0.4)) {
      rig.remove(file);
      this.history.push(`${file} deleted`);
    } else {
      const before = rig.read(file);
      const inPlace = random.chance(0.3);
      if (inPlace) this.#suspect.add(before);
      else rig.remove(file);
      rig.write(file, random.chance(0.5) ? 'edited\n' : before.replaceAll(/[0-9a-f]/g, '7'));
      this.history.push(`${file} edited ${inPlace ? 'in place' : 'by replacing it'}`);
    }
  }

  /** Builds all or one rule, and checks what ran, what it made, and that a second build runs nothing. */
  async build(): Promise<void> {
    const { rig, random } = this;
    const rule = random.chance(0.2) ? random.pick(this.model.rules).name : undefined;
    const jobs = closure(simulate(this.model), rule);
    const failing = jobs.some((job) => job.result === undefined);
    const args = ['build', ...(rule === undefined ? [] : [rule]), '-j', String(1 + random.below(4)), '-k'];
    this.history.push(`lhb ${args.join(' ')}`);
    if (jobs.length === 0 && rule !== undefined) return;

    const killed = random.chance(0.2);
    if (killed) await this.#kill(args);
    const ended = await rig.exits(failing ? 1 : 0, ...args);
    const must = jobs.filter(
      (job) => !this.#seen.has(job.action) && job.upstream.every((up) => up.result !== undefined),
    );
    const may = new Set(jobs.filter((job) => this.#isSuspect(job)).map((job) => job.name));
    this.#checkRan(must, may, killed, ended.stderr);
    for (const job of jobs) if (job.result !== undefined) this.#seen.set(job.action, this.#texts(job));
    this.#checkOutputs(jobs);

    await rig.exits(failing ? 1 : 0, ...args);
    const again = rig.ranSince();
    const failed = jobs.filter(
      (job) => job.result === undefined && job.upstream.every((up) => up.result !== undefined),
    );
    assert.equal(again, failed.map((job) => job.name).sort(), 'a second build runs nothing but what fails');
  }

  #texts(job: SimulatedJob): readonly string[] {
    return Object.entries(job.result?.files ?? {}).map(([file, text]) => {
      const path = `${job.dir}/${file}`;
      return file === 'm.json' && this.rig.exists(path) ? this.rig.read(path) : text;
    });
  }

  #isSuspect(job: SimulatedJob): boolean {
    return (this.#seen.get(job.action) ?? []).some((text) => this.#suspect.has(text));
  }

  /** A build whose driver is killed at some moment, or was done before; its jobs run on. */
  async #kill(args: readonly string[]): Promise<void> {
    const { random, rig } = this;
    const build = rig.start({}, ...args);
    const atJobs = random.chance(0.7);
    const begun = (): boolean => build.stderr().includes('] started') || build.child.exitCode !== null;
    if (atJobs) await rig.until('a first job', begun);
    await Promise.race([sleep(random.below(atJobs ? 200 : 600)), build.done]);
    build.child.kill('SIGKILL');
    const { code } = await build.done;
    this.history.push(`  killed before, exit ${code}`);
  }

  /**
   * @param may jobs that may have run as well
   * @param twice the build was killed and begun again: a job that failed in the first one was tried once more in the second
   */
  #checkRan(must: readonly SimulatedJob[], may: ReadonlySet<string>, twice: boolean, stderr: string): void {
    const names = must.map((job) => job.name).sort();
    const failing = new Set(must.filter((job) => job.result === undefined).map((job) => job.name));
    const ran = this.rig
      .ranSince()
      .filter((name, i, all) => !(twice && (failing.has(name) || may.has(name)) && all[i - 1] === name));
    const needless = ran.filter((name) => !may.has(name) || names.includes(name));
    assert.equal(needless, names, `which jobs ran\n${stderr.slice(-1500)}`);
  }

  #checkOutputs(jobs: readonly SimulatedJob[]): void {
    for (const job of jobs) {
      for (const [file, text] of Object.entries(job.result?.files ?? {})) {
        const path = `${job.dir}/${file}`;
        if (file === 'x.txt' && !this.rig.exists(path)) continue;
        assert.ok(this.rig.exists(path), `${path} is missing`);
        const found = this.rig.read(path);
        if (file === 'm.json') assert.match(found, `"v": "${text}"}`, path);
        else assert.is(found, text, path);
      }
    }
  }

  /** The snapshot of the last build spares a query work, and changes nothing in its answer. */
  async query(): Promise<void> {
    this.history.push('lhb summary');
    for (const args of [['summary'], ['summary', '--detailed', '--json']]) {
      const told = await this.rig.lhbWith({}, ...args);
      const asked = await this.rig.lhbWith({ env: { LHB_NO_SNAPSHOT: '1' } }, ...args);
      assert.equal([told.code, told.stdout], [asked.code, asked.stdout]);
    }
  }

  /** A real clean build in a fresh folder makes what the simulator says, which is what the incremental one left. */
  async clean(): Promise<void> {
    const jobs = simulate(this.model);
    if (jobs.some((job) => job.result === undefined)) return;
    this.rig.dir = this.rig.copy('clean', ['out']);
    this.history.push('a clean build elsewhere');
    await this.rig.ok('build', '-j', '4');
    this.#checkOutputs(jobs);
  }
}

async function runCase(index: number): Promise<void> {
  const one = new Case(SEED * 100_003 + index);
  let passed = false;
  try {
    one.write();
    await one.build();
    for (let step = 0; step < STEPS; step++) {
      one.disturb();
      one.write();
      if (index % 3 === 0) await one.query();
      await one.build();
    }
    if (index % 10 === 0) await one.clean();
    passed = true;
  } catch (error) {
    const done = `case ${index}, again with LHB_PROPERTY_SEED=${SEED} LHB_PROPERTY_ONLY=${index}; kept in ${one.rig.base}\n  ${one.history.join('\n  ')}`;
    throw error instanceof Error ? Object.assign(error, { message: `${error.message}\n${done}` }) : error;
  } finally {
    await one.rig.close(passed);
  }
}

const only = process.env['LHB_PROPERTY_ONLY'];
const indices = only === undefined ? Array.from({ length: CASES }, (_, i) => i) : [Number(only)];
const started = new Map<number, Promise<unknown>>();

/** Starts a case unless it has been started; never rejects, gives the error instead. */
async function start(index: number | undefined): Promise<unknown> {
  if (index === undefined) return undefined;
  const running = started.get(index) ?? runCase(index).catch((error: unknown) => error);
  started.set(index, running);
  return running;
}

indices.forEach((index, position) => {
  test(`incremental builds equal clean ones: case ${index} of seed ${SEED}`, async () => {
    // Two at a time: the next one runs while this one is waited for.
    const current = start(index);
    void start(indices[position + 1]);
    const error = await current;
    if (error !== undefined) throw error;
  });
});

test.run();
