// Commands that the test starts, watches and ends itself, so that no test sleeps. A gate is a fifo: the job says that it
// has started, then reads a line from the fifo, which the test writes when it wants the job to go on: its exit code.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Rig } from './rig.ts';

/** Gates by name, in the folder `gates` of a rig. */
export class Gates {
  readonly #rig: Rig;
  readonly #fifos = new Map<string, number>();

  constructor(rig: Rig, names: readonly string[]) {
    this.#rig = rig;
    mkdirSync(rig.path('gates'), { recursive: true });
    for (const name of names) {
      const file = join(rig.path('gates'), name);
      execFileSync('mkfifo', [file]);
      // Open for both, so that neither side's open waits and lines stay until a job reads them.
      this.#fifos.set(name, openSync(file, constants.O_RDWR | constants.O_NONBLOCK));
    }
    rig.atEnd(() => {
      for (const fifo of this.#fifos.values()) closeSync(fifo);
      this.#fifos.clear();
    });
  }

  /** Shell text: says that the job is there, waits for `open`, ends with the code given there unless it is 0. */
  static command(name: string): string {
    return `echo "+${name}" >> gates/log; read -r code < gates/${name}; echo "-${name}" >> gates/log; [ "$code" = 0 ] || exit "$code"`;
  }

  /** Names in the order in which jobs came to their gates. */
  started(): readonly string[] {
    return this.#log()
      .filter((line) => line.startsWith('+'))
      .map((line) => line.slice(1));
  }

  /** Waits until `count` jobs have come to their gates, ended ones included. */
  async reached(count: number): Promise<readonly string[]> {
    await this.#rig.until(`${count} jobs at their gates`, () => this.started().length >= count);
    return this.started();
  }

  /** Lets the job at this gate (or the next that comes to it) go on, to end with `code`. */
  open(name: string, code = 0): void {
    const fifo = this.#fifos.get(name);
    if (fifo === undefined) throw new Error(`no gate ${name}`);
    writeSync(fifo, `${code}\n`);
  }

  /** How many jobs stood between start and end at once, at most. */
  peak(): number {
    let now = 0;
    let most = 0;
    for (const line of this.#log()) {
      now += line.startsWith('+') ? 1 : -1;
      most = Math.max(most, now);
    }
    return most;
  }

  #log(): readonly string[] {
    const file = this.#rig.path('gates/log');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  }
}
