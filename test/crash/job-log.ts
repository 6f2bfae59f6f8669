// What jobs say of themselves in jobs.log (sweep.ts): every run of every action, in the order of their starts.
import { existsSync, readFileSync } from 'node:fs';

export type Run = {
  readonly action: string;
  readonly pid: number;
  readonly helper: number;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  /** Undefined: it runs still, or was cut off. */
  endedAt: number | undefined;
  /** The number of the build that started it. */
  readonly build: number;
  /** Why it may have to run again, though it came to its end. */
  excuse: 'killed' | 'dropped' | undefined;
};

export class JobLog {
  readonly runs: Run[] = [];
  /** Inputs that a job found cut off: there must be none. */
  readonly torn: string[] = [];
  readonly #file: string;
  #read = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** Reads what is new; starts in it belong to `build`. Gives the runs that began. */
  readOn(build: number): readonly Run[] {
    const text = existsSync(this.#file) ? readFileSync(this.#file, 'utf8') : '';
    const end = text.lastIndexOf('\n') + 1;
    const lines = text.slice(this.#read, end).split('\n').slice(0, -1);
    this.#read = end;
    const begun: Run[] = [];
    for (const line of lines) {
      const [, word, pid, helper, time, action = ''] = /^(\S+) (\d+) (\d+) ([\d.]+) (.*)$/.exec(line) ?? [];
      const own = this.runs.findLast((run) => run.pid === Number(pid) && run.action === action);
      if (word === 'start') {
        begun.push({
          action,
          pid: Number(pid),
          helper: Number(helper),
          startedAt: Number(time),
          endedAt: undefined,
          build,
          excuse: undefined,
        });
        this.runs.push(...begun.slice(-1));
      } else if (word === 'end' && own !== undefined) own.endedAt = Number(time);
      else if (word === 'last-act' && own !== undefined) own.excuse = 'killed';
      else this.torn.push(line);
    }
    return begun;
  }

  /** The runs that have not said their end. */
  open(): readonly Run[] {
    return this.runs.filter((run) => run.endedAt === undefined && run.excuse === undefined);
  }
}
