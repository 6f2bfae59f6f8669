// A temp folder with a workflow in it, and the real program to run there. Folder layout: BASE/work is the workflow's
// folder, BASE/home is HOME. The folder goes when the test passes, and stays (its path printed) when it fails.
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cleanEnv } from './env.ts';
import { parseSummary, type Summary, type SummaryJob } from './json.ts';
import { PROGRAM } from './project.ts';

/** What a run of the program left: exit code (or 128 + signal number as a shell has it) and both streams. */
export type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** How to start the program: variables on top of the cleaned environment (undefined removes one), folder, stdin. */
export type StartOptions = {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** In a process group of its own, whose id is the child's. */
  readonly detached?: boolean;
};

/** A program that runs still. `done` settles when it has ended. */
export type Started = {
  readonly child: ChildProcess;
  readonly done: Promise<Ended>;
  stdout(): string;
  stderr(): string;
};

/** A temp folder with a workflow, and the program. Paths are relative to the workflow's folder. */
export class Rig {
  readonly base: string;
  dir: string;
  readonly home: string;
  /** Of every start of the program. */
  variables: Readonly<Record<string, string>> = {};
  #ranSeen = 0;
  readonly #children = new Set<ChildProcess>();
  readonly #cleanups: (() => void)[] = [];

  constructor() {
    this.base = realpathSync(mkdtempSync(join(tmpdir(), 'lhb-rig-')));
    this.dir = join(this.base, 'work');
    this.home = join(this.base, 'home');
    mkdirSync(this.dir);
    mkdirSync(this.home);
  }

  path(path: string): string {
    return join(this.dir, path);
  }

  /** Writes a file, its folders with it. An output that is read only is written all the same, in place. */
  write(path: string, text: string): void {
    const file = this.path(path);
    mkdirSync(dirname(file), { recursive: true });
    if (existsSync(file)) chmodSync(file, 0o644);
    writeFileSync(file, text);
  }

  append(path: string, text: string): void {
    appendFileSync(this.path(path), text);
  }

  /** Writes lhb.yaml; the common indentation is taken off and `lhb: 1` put on top where it is missing. */
  workflow(text: string): void {
    const plain = dedent(text);
    this.write('lhb.yaml', /^lhb:/m.test(plain) ? plain : `lhb: 1\n${plain}`);
  }

  /** Replaces one piece of text in a file; it must be there. */
  edit(path: string, from: string, to: string): void {
    const text = this.read(path);
    assert.ok(text.includes(from), `${path} has no ${JSON.stringify(from)}`);
    this.write(
      path,
      text.replace(from, () => to),
    );
  }

  read(path: string): string {
    return readFileSync(this.path(path), 'utf8');
  }

  exists(path: string): boolean {
    return existsSync(this.path(path));
  }

  remove(...paths: string[]): void {
    for (const path of paths) rmSync(this.path(path), { recursive: true });
  }

  /** Moves the workflow's folder to another name beside it. */
  move(name: string): void {
    const to = join(this.base, name);
    renameSync(this.dir, to);
    this.dir = to;
  }

  /** Copies what is in the workflow's folder (without store and `except`) to a new one beside it; gives its path. */
  copy(name: string, except: readonly string[] = []): string {
    const to = join(this.base, name);
    const skipped = new Set([...except, '.lhb', 'ran.log'].map((path) => this.path(path)));
    cpSync(this.dir, to, { recursive: true, filter: (source) => !skipped.has(source) });
    return to;
  }

  /** Starts the program and comes back at once. */
  start(options: StartOptions, ...args: string[]): Started {
    const env = cleanEnv({ HOME: this.home, ...this.variables, ...options.env });
    const cwd = options.cwd ?? this.dir;
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      cwd,
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: options.detached ?? false,
    });
    this.#children.add(child);
    const text = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text.out += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text.err += chunk));
    child.stdin.on('error', () => {});
    child.stdin.end(options.stdin ?? '');
    const done = new Promise<Ended>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        this.#children.delete(child);
        const number = signal === null ? 0 : 128 + constants.signals[signal];
        resolve({ code: code ?? number, stdout: text.out, stderr: text.err });
      });
    });
    return { child, done, stdout: () => text.out, stderr: () => text.err };
  }

  /** Runs the program to its end. A bug of the program (exit 70, a stack trace) fails the test wherever it shows. */
  async lhbWith(options: StartOptions, ...args: string[]): Promise<Ended> {
    const ended = await this.start(options, ...args).done;
    const trace = /^\s+at .*(dist\/(src|bundle)\/|node_modules\/|node:internal).*:\d+:\d+\)?$/m.test(ended.stderr);
    assert.ok(ended.code !== 70 && !trace, `lhb ${args.join(' ')}: a bug of the program\n${ended.stderr}`);
    return ended;
  }

  async lhb(...args: string[]): Promise<Ended> {
    return this.lhbWith({}, ...args);
  }

  /** Runs the program; its exit code must be `code`. */
  async exits(code: number, ...args: string[]): Promise<Ended> {
    const ended = await this.lhb(...args);
    const said = `lhb ${args.join(' ')}: exit ${ended.code} for ${code}\n${ended.stdout.slice(-4000)}\n${ended.stderr.slice(-4000)}`;
    assert.ok(ended.code === code, said);
    return ended;
  }

  async ok(...args: string[]): Promise<Ended> {
    return this.exits(0, ...args);
  }

  /** `lhb ARGS` (default: build) must succeed, and exactly these jobs must have run, by what they left in ran.log. */
  async runs(expected: readonly string[], ...args: string[]): Promise<Ended> {
    const ended = await this.ok(...(args.length === 0 ? ['build'] : args));
    assert.equal(this.ranSince(), [...expected].sort(), `lhb ${args.join(' ') || 'build'}: which jobs ran`);
    return ended;
  }

  /** The document of a query with `--json`. */
  async json(...args: string[]): Promise<unknown> {
    const ended = await this.ok(...args, '--json');
    const parsed: unknown = JSON.parse(ended.stdout);
    return parsed;
  }

  /** `lhb summary --json` (or another command that gives the same document), checked. */
  async summary(...args: string[]): Promise<Summary> {
    return parseSummary(await this.json(...(args.length === 0 ? ['summary'] : args)));
  }

  /** The one job that a selector finds. */
  async job(selector: string): Promise<SummaryJob> {
    const { jobs } = await this.summary('summary', selector);
    assert.is(jobs.length, 1, `jobs of ${selector}: ${jobs.map((job) => job.id).join(', ')}`);
    const [job] = jobs;
    if (job === undefined) throw new Error('unreachable');
    return job;
  }

  /** The lines that jobs have put into ran.log since the last call, in order. */
  ranInOrder(): readonly string[] {
    const lines = this.exists('ran.log') ? this.read('ran.log').split('\n').slice(0, -1) : [];
    const since = lines.slice(this.#ranSeen);
    this.#ranSeen = lines.length;
    return since;
  }

  /** The same, sorted. */
  ranSince(): readonly string[] {
    return [...this.ranInOrder()].sort();
  }

  /** Every file below a folder: path → mode and digest; links → target; folders that are empty too. */
  tree(path: string, root = this.dir): Readonly<Record<string, string>> {
    const entries = readdirSync(join(root, path), { recursive: true, encoding: 'utf8' }).sort();
    return Object.fromEntries(entries.flatMap((entry) => describe(join(root, path), entry)));
  }

  /** Waits for a condition that another process brings about. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const end = Date.now() + 30_000;
    while (!condition()) {
      if (Date.now() > end) throw new Error(`waited 30 s for ${what}`);
      await delay(10);
    }
  }

  /** Does something when the test has ended, however it ended. */
  atEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  /** Ends what still runs and, if asked, removes the folder. */
  async close(remove: boolean): Promise<void> {
    for (const cleanup of this.#cleanups) cleanup();
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      if ((await Promise.race([gone, delay(7_000, 'still there', { ref: false })])) === 'still there')
        child.kill('SIGKILL');
    }
    if (remove) rmSync(this.base, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Defines a test with a rig of its own and a time limit (default 120 s: machines are slow at times). */
export function rigTest(
  name: string,
  body: (rig: Rig) => Promise<void>,
  options: { readonly timeoutS?: number } = {},
): void {
  test(name, async () => {
    const rig = new Rig();
    const timeoutS = options.timeoutS ?? 120;
    const timer = new AbortController();
    let passed = false;
    try {
      const late = delay(timeoutS * 1000, undefined, { signal: timer.signal }).then(
        () => Promise.reject(new Error(`not done after ${timeoutS} s`)),
        () => {},
      );
      const run = body(rig);
      await Promise.race([run, late.then(() => run)]);
      passed = true;
    } finally {
      timer.abort();
      await rig.close(passed);
      if (!passed) process.stdout.write(`\n"${name}" failed; its folder is kept: ${rig.base}\n`);
    }
  });
}

/** The command with which a job leaves its name in ran.log; put it first. `name` may hold expressions. */
export function ran(name: string): string {
  return `echo "${name}" >> ran.log`;
}

/** Takes the common indentation off every line, and the empty first line. */
export function dedent(text: string): string {
  const lines = text.replace(/^\n/, '').split('\n');
  const indents = lines.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length);
  const indent = Math.min(...indents);
  return `${lines
    .map((line) => line.slice(indent).trimEnd())
    .join('\n')
    .trimEnd()}\n`;
}

function describe(folder: string, entry: string): [string, string][] {
  const path = join(folder, entry);
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return [[entry, `-> ${readlinkSync(path)}`]];
  if (stat.isDirectory()) return readdirSync(path).length === 0 ? [[`${entry}/`, 'empty folder']] : [];
  const digest = createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16);
  return [[entry, `${(stat.mode & 0o111) === 0 ? 'file' : 'program'} ${digest}`]];
}
