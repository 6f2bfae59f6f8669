// The named steps of the program (`step('NAME')` in the source), and at which of them builds have been killed.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../support/project.ts';
import type { Random } from '../support/random.ts';

/** Every name in the source, sorted. */
export function allSteps(): readonly string[] {
  const root = join(PROJECT, 'src');
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...readFileSync(join(root, file), 'utf8').matchAll(/(?<![\w.])step\('([^']+)'\)/g)])
    .map((match) => match[1] ?? '');
  return [...new Set(names)].sort();
}

/** Those by which these builds come: test/behaviour/collect.test.ts kills gc at its own, test/cache/publishing.test.ts uploads. */
export const stepsOfBuilds = (): readonly string[] =>
  allSteps().filter((name) => !/^(gc|cache):/.test(name) && name !== 'log:replaced');

/** Chooses the step to kill at next: the one with the fewest kills and misses so far. */
export class StepCoverage {
  /** The file that the preload writes to. */
  readonly file: string;
  readonly #kills: Map<string, number>;
  readonly #tries: Map<string, number>;
  #current = '';
  #read = 0;

  constructor(file: string, names: readonly string[]) {
    this.file = file;
    this.#kills = new Map(names.map((name) => [name, 0]));
    this.#tries = new Map(names.map((name) => [name, 0]));
  }

  /** NAME=N for the preload. `likely` says whether a build that comes now may come by a step. */
  next(random: Random, likely: (name: string) => boolean): string {
    const choice = [...this.#tries].filter(([name]) => likely(name));
    const least = Math.min(...choice.map(([, tries]) => tries));
    this.#current = random.pick(choice.filter(([, tries]) => tries === least))[0];
    this.#tries.set(this.#current, least + 1);
    return `${this.#current}=${1 + random.below(random.pick([1, 1, 1, 4, 12]))}`;
  }

  /** Was the last build killed by the preload? */
  hit(): boolean {
    const text = this.#text();
    const hit = text.slice(this.#read).includes(`killed ${this.#current}\n`);
    this.#read = text.length;
    if (hit) this.#kills.set(this.#current, (this.#kills.get(this.#current) ?? 0) + 1);
    return hit;
  }

  #text(): string {
    return existsSync(this.file) ? readFileSync(this.file, 'utf8') : '';
  }

  /** Steps at which nothing was killed. */
  never(): readonly string[] {
    return [...this.#kills].filter(([, kills]) => kills === 0).map(([name]) => name);
  }

  describe(): string {
    return `${this.#kills.size - this.never().length} of ${this.#kills.size}`;
  }
}
