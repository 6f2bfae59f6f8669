// What jobs ask for, read from values and text, and what may run together.
import { availableParallelism, totalmem } from 'node:os';
import { invariant } from '../base/invariant.ts';
import { err, ok, type Result } from '../base/result.ts';
import { floatText, isList, isMap, type Value } from '../base/value.ts';

/** A resource as it is accounted and handed on: memory in MB (10^6 bytes), times in minutes, others as they are. */
export type ResourceValue = number | string;
export type Request = ReadonlyMap<string, ResourceValue>;

const WHOLE = new Set(['cpus', 'gpus']);
const TIMES = new Set(['time', 'runtime', 'walltime']);
const isMemory = (name: string): boolean => name === 'mem' || name.endsWith('_mb');

/**
 * Reads one resource; the error is half a sentence, to follow the resource's name.
 * `cpus` is a whole number from 1, `gpus` one from 0; `mem_mb` and other names that end in `_mb` are MB (10^6 bytes, as
 * Snakemake has it), rounded up to a whole number, or text such as `4GB`, `1.5GiB`; `time` is minutes, or text such as
 * `02:00:00`, `1-02:00`, `90m`. All others are any number or text.
 */
export function parseResource(name: string, value: Value): Result<ResourceValue, string> {
  if (value === null || typeof value === 'boolean' || isList(value) || isMap(value)) {
    return err(`must be a number or text, not ${describe(value)}`);
  }
  const given = typeof value === 'string' ? value.trim() : Number(value);
  const shown = typeof value === 'number' ? floatText(value) : typeof value === 'string' ? `'${value}'` : String(value);
  if (typeof given === 'number' && !Number.isFinite(given)) return err(`must be a finite number, not ${shown}`);
  if (WHOLE.has(name)) {
    const least = name === 'cpus' ? 1 : 0;
    const number = typeof given === 'number' ? given : plainNumber(given);
    if (number !== undefined && Number.isInteger(number) && number >= least) return ok(number);
    return err(`must be a whole number from ${least}, not ${shown}`);
  }
  if (isMemory(name)) {
    const megabytes = typeof given === 'number' ? given : parseSize(given);
    if (megabytes !== undefined && megabytes >= 0) return ok(Math.ceil(megabytes));
    return err(`must be a number of MB or a size such as 4GB, 500MB or 1.5GiB, not ${shown}`);
  }
  if (TIMES.has(name)) {
    const minutes = typeof given === 'number' ? given : parseTime(given, 60);
    if (typeof minutes === 'number' && minutes > 0) return ok(typeof given === 'number' ? minutes : minutes / 60);
    return err(`must be a number of minutes or a time such as 02:00:00, 1-02:00, 90m or 2h, not ${shown}`);
  }
  return ok(typeof given === 'number' ? given : String(value));
}

const describe = (value: Value): string =>
  value === null ? 'null' : isList(value) ? 'a list' : isMap(value) ? 'a map' : String(value);

const plainNumber = (text: string): number | undefined =>
  /^\d+(\.\d*)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;

const SIZE = /^(\d+(?:\.\d*)?)\s*([kmgtp]?)(i?)b?$/i;

/** MB (10^6 bytes): a bare number is MB, `G` and `GB` are 10^9 bytes, `GiB` 2^30; undefined for anything else. */
function parseSize(text: string): number | undefined {
  const number = plainNumber(text);
  if (number !== undefined) return number;
  const [, digits, unit = '', binary] = SIZE.exec(text) ?? [];
  if (digits === undefined || (unit === '' && binary !== '')) return undefined;
  const power = ' kmgtp'.indexOf(unit.toLowerCase() || ' ');
  return (Number(digits) * (binary === '' ? 1000 : 1024) ** power) / 1e6;
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ['s', 1],
  ['sec', 1],
  ['second', 1],
  ['m', 60],
  ['min', 60],
  ['minute', 60],
  ['h', 3600],
  ['hr', 3600],
  ['hour', 3600],
  ['d', 86400],
  ['day', 86400],
  ['w', 604800],
  ['week', 604800],
]);

/** Seconds, or undefined; `bare` is the seconds that a number without a unit counts by. */
function parseTime(text: string, bare: number): number | undefined {
  const number = plainNumber(text);
  if (number !== undefined) return number * bare;
  const days = /^(\d+)-(\d+)(?::(\d\d?))?(?::(\d\d?))?$/.exec(text);
  if (days !== null) {
    const [, d, h, m = '0', s = '0'] = days;
    return Number(d) * 86400 + Number(h) * 3600 + Number(m) * 60 + Number(s);
  }
  const clock = /^(?:(\d+):)?(\d+):(\d\d?)$/.exec(text);
  if (clock !== null) {
    const [, h = '0', m, s] = clock;
    return Number(h) * 3600 + Number(m) * 60 + Number(s);
  }
  let seconds = 0;
  let rest = text.toLowerCase();
  while (rest !== '') {
    const [all, digits, word] = /^(\d+(?:\.\d*)?)\s*([a-z]+)\s*/.exec(rest) ?? [];
    const unit = UNITS.get(word ?? '') ?? UNITS.get(word?.replace(/s$/, '') ?? '');
    if (all === undefined || unit === undefined) return undefined;
    seconds += Number(digits) * unit;
    rest = rest.slice(all.length);
  }
  return text === '' ? undefined : seconds;
}

/**
 * A duration in seconds, for `timeout:`: a number (or text that is one) is seconds; text as Slurm writes times (`MM:SS`,
 * `HH:MM:SS`, `D-HH`, `D-HH:MM`, `D-HH:MM:SS`) or with units (`90s`, `30m`, `6h`, `2d`, `1h30m`).
 */
export function parseDuration(value: Value): Result<number, string> {
  let seconds: number | undefined;
  if (typeof value === 'string') seconds = parseTime(value.trim(), 1);
  else if (typeof value === 'number' || typeof value === 'bigint') seconds = Number(value);
  if (seconds !== undefined && Number.isFinite(seconds) && seconds > 0) return ok(seconds);
  const shown = typeof value === 'number' ? floatText(value) : typeof value === 'bigint' ? String(value) : undefined;
  const not = typeof value === 'string' ? `'${value}'` : (shown ?? describe(value));
  return err(`must be a number of seconds or a time such as 6h, 90m or 01:30:00, not ${not}`);
}

export type Shortage = { readonly name: string; readonly asked: number; readonly limit: number };

// so that ten times 0.1 fit into 1
const SLACK = 1e-9;

/**
 * What is in use of what there is. A resource without a limit is free, and so is one given as text. `cpus` alone give
 * way: a job that asks for more than the limit is granted the limit, and runs alone: beside jobs that do not say how many
 * they need, neither.
 */
export class ResourcePool {
  readonly #limits: ReadonlyMap<string, number>;
  readonly #used = new Map<string, number>();
  /** Requests that are taken, and how many of these run alone. */
  #taken = 0;
  #alone = 0;

  constructor(limits: ReadonlyMap<string, number>) {
    this.#limits = limits;
  }

  /** The cpus that a job gets (LHB_CPUS): what it asks for, but never more than the limit; 1 where it does not say. */
  grantedCpus(request: Request): number {
    const asked = request.get('cpus');
    return Math.min(typeof asked === 'number' ? asked : 1, this.#limits.get('cpus') ?? Infinity);
  }

  /** Whether the request can be taken now. */
  fits(request: Request): boolean {
    if (this.#alone > 0 || (this.#taken > 0 && this.excessCpus(request) !== undefined)) return false;
    for (const [name, amount, limit] of this.#accounted(request)) {
      if ((this.#used.get(name) ?? 0) + amount > limit + SLACK * Math.max(1, limit)) return false;
    }
    return true;
  }

  /** Before: `fits(request)`. */
  take(request: Request): void {
    invariant(this.fits(request), 'resources were taken that are not there');
    this.hold(request);
  }

  /** Takes it whether or not it fits: for a job that runs already. */
  hold(request: Request): void {
    for (const [name, amount] of this.#accounted(request)) this.#used.set(name, (this.#used.get(name) ?? 0) + amount);
    this.#taken++;
    if (this.excessCpus(request) !== undefined) this.#alone++;
  }

  /** Gives back what `take` took, with the same request. */
  give(request: Request): void {
    for (const [name, amount, limit] of this.#accounted(request)) {
      const left = (this.#used.get(name) ?? 0) - amount;
      const slack = SLACK * Math.max(1, limit);
      invariant(left >= -slack, `more ${name} was given back than taken`);
      this.#used.set(name, left <= slack ? 0 : left);
    }
    invariant(this.#taken > 0, 'resources were given back that nobody had taken');
    this.#taken--;
    if (this.excessCpus(request) !== undefined) this.#alone--;
  }

  /** Equal for two requests of which, now and ever, either both fit or none. */
  signature(request: Request): string {
    const asked = [...this.#accounted(request)].map(([name, amount]) => `${name}=${amount}`);
    return `${asked.join(' ')}${this.excessCpus(request) === undefined ? '' : ' alone'}`;
  }

  /** What the request asks for beyond what there will ever be, `cpus` left out: an error before anything starts. */
  neverFits(request: Request): Shortage[] {
    const shortages: Shortage[] = [];
    for (const [name, asked, limit] of this.#accounted(request)) {
      if (asked > limit + SLACK * Math.max(1, limit)) shortages.push({ name, asked, limit });
    }
    return shortages;
  }

  /** The request's cpus where they are more than the limit: the job runs alone, and a warning names both numbers. */
  excessCpus(request: Request): Shortage | undefined {
    const asked = request.get('cpus');
    const limit = this.#limits.get('cpus');
    if (typeof asked !== 'number' || limit === undefined || asked <= limit) return undefined;
    return { name: 'cpus', asked, limit };
  }

  /**
   * Name, amount and limit of what counts. A job that does not say how many cpus it needs counts none, as in Snakemake:
   * `-j` alone then says how many such jobs run at once, be it more than there are cores.
   */
  *#accounted(request: Request): Generator<[string, number, number]> {
    for (const [name, limit] of this.#limits) {
      const asked = request.get(name);
      if (typeof asked !== 'number' || asked <= 0) continue;
      yield [name, name === 'cpus' ? Math.min(asked, limit) : asked, limit];
    }
  }
}

/**
 * What this machine has: cores that this process may use, memory in MB (a control group's limit where it is smaller) and
 * the GPUs counted by the caller (execute/gpus.ts). `--resources` is put over it, name by name.
 */
export function machineLimits(gpus: number): Map<string, number> {
  // libuv reads the limits of control groups, version 1 and 2; without one it answers 0 or a number beyond all memory
  const limit = process.constrainedMemory();
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return new Map([
    ['cpus', availableParallelism()],
    ['mem_mb', Math.floor(memory / 1e6)],
    ['gpus', gpus],
  ]);
}
