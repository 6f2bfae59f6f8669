// Resource values as Snakemake's users write them in flags and profiles: `attempt * 1000`, `max(2*input.size_mb, 1000)`.
// They are Python there; what is a formula over these names reads the same in CEL.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { RecordObject } from '../expr/types.ts';
import { inputPaths } from '../graph/inputs.ts';
import type { Job } from '../graph/job.ts';

/** The names that make such a text a formula. */
const NAMES = /\b(?:attempt|input\.size(?:_mb)?)\b/;
const FORMULA = /^[\w\s.+*/%(),<>=!?:'"-]+$/;

/** Is this text a formula of Snakemake's and not just text? */
export const isFormula = (text: string): boolean => NAMES.test(text) && FORMULA.test(text);

/** `input` in such a formula: `input.size_mb` is the size of all input files in MB (10^6 bytes), `input.size` in bytes. */
export class InputSize extends RecordObject {
  private readonly root: string;
  private readonly job: Job;

  constructor(root: string, job: Job) {
    super();
    this.root = root;
    this.job = job;
  }

  override has(name: string): boolean {
    return this.names().includes(name);
  }

  override names(): readonly string[] {
    return ['size', 'size_mb'];
  }

  /** Files that are not there yet count nothing. */
  override get(name: string): unknown {
    if (!this.has(name)) return undefined;
    const bytes = inputPaths(this.job).reduce((sum, path) => {
      const stat = statSync(join(this.root, path), { throwIfNoEntry: false });
      return sum + (stat?.isFile() ? stat.size : 0);
    }, 0);
    return name === 'size' ? BigInt(bytes) : bytes / 1e6;
  }
}
