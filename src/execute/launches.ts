// What a driver has started, for the one after it should this one be killed: the file `launches` of the work tree, which
// only the holder of the build lock writes.
//
// The first line is `lhb launches 1`; each further one is a record in JSON, appended by one write before what it tells of
// can happen: a helper shell, the beginning of the jobs' temporary folders, a launch. A line that is cut off or of another
// form does not count. Nothing is written when a job ends, which is told by its exit marker, by what is on record of it, or
// by its process being gone. A build that ends well removes the file. (Rejected: a file a job, which costs 50 µs and more;
// a table of the index, whose commits come too late.)
import { randomBytes } from 'node:crypto';
import { closeSync, fsync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { writeAtomic } from '../fs/atomic-write.ts';
import { parseRelPath } from '../fs/rel-path.ts';
import { placeOf } from '../store/holder.ts';
import type { Launch } from './executor.ts';
import { hasProc, readStat } from './proc.ts';

const HEADER = 'lhb launches 1';

/** A helper shell, told from whatever process has its id later. */
export type Helper = {
  readonly pid: number;
  /** Its start in clock ticks since boot; 0 where unknown. */
  readonly ticks: number;
  /** `placeOf()` of its driver. */
  readonly place: string;
  readonly host: string;
};

/** How a scheduler knows a launch. */
export type Submitted = {
  /** In the comment or name that it was submitted with. */
  readonly key: string;
  /** The scheduler's id; undefined where the driver died before it was told. */
  readonly id: string | undefined;
  /** The number of its task in an array; undefined for a job of its own. */
  readonly index: number | undefined;
  /** The tokens of the launches, it among them, that the scheduler has as one job; undefined: it has one of its own. */
  readonly pack: readonly string[] | undefined;
};

/** A launch of a job, as it is noted before the job can start. */
export type Launched = {
  /** Names the launch; its exit marker carries it. */
  readonly token: string;
  readonly jobId: string;
  readonly rule: string;
  readonly attempt: number;
  readonly actionKey: string;
  /** The name of the executor that can tell what became of it. */
  readonly executor: string;
  /** The shell that runs it here; undefined for a job of a scheduler. */
  readonly helper: Helper | undefined;
  /** Undefined for a job that runs here, and for one that was never handed to its scheduler. */
  readonly submitted: Submitted | undefined;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  /** The job's TMPDIR, which no other job has; empty where the node makes it. */
  readonly tmpdir: string;
  /** From the workflow's folder. */
  readonly log: string;
  readonly gpus: readonly string[] | undefined;
  /** As Launch.place. */
  readonly place: string | undefined;
  /** CPU seconds of the helper's jobs before this one; undefined where unknown. */
  readonly cpuBefore: number | undefined;
  readonly resources: Readonly<Record<string, string | number>>;
  /** Whether it began, as far as its driver knew: one that waited for its turn may not have. */
  readonly begun: boolean;
};

/** What the file of an earlier driver holds. */
export type Earlier = {
  readonly helpers: readonly Helper[];
  /** How the paths of temporary folders begin, and the place of the driver that made them. */
  readonly scratches: readonly { readonly beginning: string; readonly place: string }[];
  /** In the order of their start. */
  readonly launches: readonly Launched[];
  /** Executors other than the local one, by name, with the files of their profiles. */
  readonly profiles: ReadonlyMap<string, string>;
};

/** Writes the file. The file is made with the first record; without a path nothing is kept. */
export class LaunchLog {
  readonly #file: string | undefined;
  readonly #prefix = randomBytes(5).toString('hex');
  readonly #place = placeOf();
  readonly #scratches = new Set<string>();
  #fd: number | undefined;
  #count = 0;
  #kept: string;

  /** @param kept lines for what an earlier driver started and is not settled (`linesFor`) */
  constructor(file: string | undefined, kept = '') {
    this.#file = file;
    this.#kept = kept;
    if (file === undefined) return;
    // An earlier driver's file gives way to what is left of it at one stroke.
    if (kept === '') rmSync(file, { force: true });
    else writeAtomic(file, `${HEADER}\n${kept}`);
  }

  addHelper(pid: number): void {
    const helper: Helper = { pid, ticks: readStat(pid)?.startTicks ?? 0, place: this.#place, host: hostname() };
    this.#append({ helper });
  }

  /** Before the first job that has its temporary folder there. */
  addScratch(beginning: string): void {
    if (this.#scratches.has(beginning)) return;
    this.#scratches.add(beginning);
    this.#append({ scratch: { beginning, place: this.#place } });
  }

  /** A token for a launch, that no other launch has. */
  newToken(): string {
    return `${this.#prefix}-${(this.#count++).toString(36)}`;
  }

  /** Before the job can start. */
  add(
    token: string,
    launch: Launch,
    more: Pick<Launched, 'executor' | 'startedAt' | 'tmpdir' | 'cpuBefore'> & Noted,
    helper: number | undefined,
  ): void {
    const { jobId, rule, attempt, actionKey, gpus, place, resources, logName } = launch;
    this.#append({
      launch: { token, jobId, rule, attempt, actionKey, log: logName, gpus, place, resources, ...more },
      helper,
    });
  }

  /** A job that waited for its turn has it. */
  addBegun(token: string): void {
    this.#append({ begun: token });
  }

  /** An executor by a profile, so that a later driver can ask its scheduler. */
  addProfile(name: string, file: string): void {
    this.#append({ profile: { name, file } });
  }

  /** Before the launches, already noted, are handed to a scheduler; the numbers are those of an array's tasks, one for all of a pack. */
  addSubmission(key: string, tasks: readonly (readonly [token: string, index: number | undefined])[]): void {
    this.#append({ submission: { key, tasks: tasks.map(([token, index]) => [token, index ?? null]) } });
  }

  /** What the scheduler calls a submission. */
  addSubmitted(key: string, id: string): void {
    this.#append({ submitted: { key, id } });
  }

  /** This driver leaves jobs behind: all that is noted stays, for the next one. */
  leave(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** A clean end: nothing runs any more but what was left alone, for which these lines stand. */
  close(left = ''): void {
    if (this.#file === undefined) return;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    if (left === '') rmSync(this.#file, { force: true });
    else if (left !== this.#kept || this.#count > 0) writeAtomic(this.#file, `${HEADER}\n${left}`);
  }

  #append(record: unknown): void {
    if (this.#file === undefined) return;
    const line = `${JSON.stringify(record)}\n`;
    if (this.#fd !== undefined) {
      writeSync(this.#fd, line);
      return;
    }
    this.#fd = openSync(this.#file, 'a');
    writeSync(this.#fd, this.#kept === '' ? `${HEADER}\n${line}` : line);
    // That the machine went down while a build ran is told by this file: it should outlive that. Nobody waits for it.
    fsync(this.#fd, () => {});
  }
}

/** The lines that keep these launches in the file of another driver. */
export function linesFor(earlier: Earlier, launches: readonly Launched[]): string {
  const scratches = earlier.scratches.filter((s) => launches.some((l) => l.tmpdir.startsWith(s.beginning)));
  const profiles = [...earlier.profiles].filter(([name]) => launches.some((l) => l.executor === name));
  const records = [
    ...scratches.map((scratch) => ({ scratch })),
    ...profiles.map(([name, file]) => ({ profile: { name, file } })),
    ...launches.flatMap(({ helper, submitted, ...launch }): unknown[] => {
      if (helper !== undefined) return [{ helper }, { launch, helper: helper.pid }];
      if (submitted === undefined) return [{ launch }];
      const { key, id, index, pack } = submitted;
      const tasks = (pack ?? [launch.token]).map((token) => [token, index ?? null]);
      return [{ launch }, { submission: { key, tasks } }, ...(id === undefined ? [] : [{ submitted: { key, id } }])];
    }),
  ];
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}

/** Does the process live, and is it the one that was noted? */
export function lives({ pid, ticks, place }: Helper): boolean {
  if (place !== placeOf()) return false;
  if (hasProc) {
    const stat = readStat(pid);
    return stat !== undefined && stat.startTicks === ticks && stat.state !== 'Z' && stat.state !== 'X';
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** What the file holds; nothing where there is none, or one of another version. */
export function readLaunches(file: string): Earlier {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // none
  }
  const [header, ...lines] = text.split('\n');
  const helpers = new Map<number, Helper>();
  const all: Helper[] = [];
  const scratches: { beginning: string; place: string }[] = [];
  const launches: (Omit<Launched, 'begun'> & Noted)[] = [];
  const profiles = new Map<string, string>();
  const submissions = new Map<string, Omit<Submitted, 'id'>>();
  const ids = new Map<string, string>();
  const begun = new Set<string>();
  if (header !== HEADER) return { helpers: all, scratches, launches: [], profiles };
  for (const line of lines) {
    const record = parse(line);
    if (record === undefined) continue;
    const scratch = record['scratch'];
    if (isScratch(scratch)) scratches.push(scratch);
    else if (isHelper(record['helper'])) {
      helpers.set(record['helper'].pid, record['helper']);
      all.push(record['helper']);
    } else if (isLaunch(record['launch'])) {
      const { helper: pid } = record;
      const helper = pid === undefined ? undefined : helpers.get(Number(pid));
      if (helper !== undefined || pid === undefined)
        launches.push({ ...record['launch'], helper, submitted: undefined });
    } else if (isSubmission(record['submission'])) {
      const { key, tasks } = record['submission'];
      const byIndex = new Map<number | null, string[]>();
      for (const [token, index] of tasks) byIndex.set(index, [...(byIndex.get(index) ?? []), token]);
      for (const [index, tokens] of byIndex) {
        const pack = tokens.length > 1 ? tokens : undefined;
        for (const token of tokens) submissions.set(token, { key, index: index ?? undefined, pack });
      }
    } else if (areTexts(record['submitted'], 'key', 'id')) ids.set(record['submitted'].key, record['submitted'].id);
    else if (isText(record['begun'])) begun.add(record['begun']);
    else if (areTexts(record['profile'], 'name', 'file')) profiles.set(record['profile'].name, record['profile'].file);
  }
  // Noted without a helper and without a submission: it was never started.
  const known = launches.flatMap((noted): Launched[] => {
    const launch = { ...noted, begun: noted.begun !== false || begun.has(noted.token) };
    const submission = launch.helper ? undefined : submissions.get(launch.token);
    if (submission) return [{ ...launch, submitted: { ...submission, id: ids.get(submission.key) } }];
    return launch.helper ? [launch] : [];
  });
  return { helpers: all, scratches, launches: known, profiles };
}

type Fields = Readonly<Record<string, unknown>>;

function parse(line: string): Fields | undefined {
  if (line === '') return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string';

function isHelper(value: unknown): value is Helper {
  if (!isFields(value)) return false;
  const { pid, ticks, place, host } = value;
  return isCount(pid) && pid > 1 && isCount(ticks) && isText(place) && isText(host);
}

function areTexts<Name extends string>(value: unknown, ...names: readonly Name[]): value is Record<Name, string> {
  return isFields(value) && names.every((name) => isText(value[name]) && value[name] !== '');
}

type Submission = { readonly key: string; readonly tasks: readonly (readonly [string, number | null])[] };

function isSubmission(value: unknown): value is Submission {
  if (!areTexts(value, 'key')) return false;
  const { tasks } = value as { tasks?: unknown };
  return (
    Array.isArray(tasks) &&
    tasks.every(
      (task: unknown) =>
        Array.isArray(task) && task.length === 2 && isText(task[0]) && (task[1] === null || isCount(task[1])),
    )
  );
}

/** The folders that begin so are removed: nothing but what lhb makes may be meant. */
function isScratch(value: unknown): value is { beginning: string; place: string } {
  if (!isFields(value) || !isText(value['beginning']) || !isText(value['place'])) return false;
  return /^\/(?:.*\/)?lhb-[0-9a-f]{10}-$/.test(value['beginning']);
}

/** `false` of one that was noted while it waited for its turn. */
type Noted = { readonly begun?: boolean | undefined };

function isLaunch(value: unknown): value is Omit<Launched, 'helper' | 'submitted' | 'begun'> & Noted {
  if (!isFields(value)) return false;
  const {
    token,
    jobId,
    rule,
    attempt,
    actionKey,
    executor,
    startedAt,
    tmpdir,
    log,
    gpus,
    place,
    cpuBefore,
    resources,
    begun,
  } = value;
  return (
    [token, jobId].every((name) => isText(name) && /^\w[\w.-]*$/.test(name)) &&
    [rule, actionKey, executor, tmpdir, log].every(isText) &&
    isCount(attempt) &&
    typeof startedAt === 'number' &&
    (gpus === undefined || (Array.isArray(gpus) && gpus.every(isText))) &&
    (place === undefined || (isText(place) && parseRelPath(place).ok)) &&
    (cpuBefore === undefined || typeof cpuBefore === 'number') &&
    (begun === undefined || typeof begun === 'boolean') &&
    isFields(resources) &&
    Object.values(resources).every((amount) => isText(amount) || typeof amount === 'number')
  );
}
