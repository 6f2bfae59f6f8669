// Outputs that several jobs have. The jobs of a rule mostly share them all or none, so each pair of declarations is one error.
import { error, type Diagnostic } from '../base/diagnostic.ts';
import type { Producer } from './graph.ts';
import type { Job, JobOutput } from './job.ts';

type Clash = { readonly path: string; readonly job: Job; readonly output: JobOutput; readonly first: Producer };

/** How many jobs of a clash are named. */
const NAMED = 3;

/** Collects clashes of output paths. */
export class OutputsTwice {
  private clashes: Clash[] = [];

  /** Notes that `job` has an output whose path `first` has already. */
  add(clash: Clash): void {
    this.clashes.push(clash);
  }

  /** The errors since the last call: one for each two declarations, about the first path of theirs that clashed. */
  take(): Diagnostic[] {
    const found: Clash[][] = [];
    for (const clash of this.clashes) {
      const same = found.find(
        ([a]) => a?.output.spec === clash.output.spec && a.first.output.spec === clash.first.output.spec,
      );
      if (same === undefined) found.push([clash]);
      else if (same[0]?.path === clash.path) same.push(clash);
    }
    this.clashes = [];
    return found.flatMap((clashes) => describe(clashes) ?? []);
  }
}

function describe(clashes: readonly Clash[]): Diagnostic | undefined {
  const [clash] = clashes;
  if (clash === undefined) return undefined;
  const { path, job, output, first } = clash;
  const sameSpec = first.output.spec === output.spec;
  const related = sameSpec ? [] : [{ message: 'the other', at: first.output.spec.at }];
  if (job === first.job) {
    const message = `rule '${job.rule.name}' has the output ${path} twice`;
    return error('graph/output-twice', message, { at: output.spec.at, related, hint: 'give one of them another path' });
  }
  const ids = [first.job.id, ...clashes.map((c) => c.job.id)];
  const count = ids.length === 2 ? 'two' : String(ids.length);
  const message = `${count} jobs have the output ${path}: ${listed(ids)}`;
  const hint = sameSpec
    ? 'put ${{ job.id }} or a `for` name into the path or into `dir`'
    : 'give one of them another path or another `dir`';
  return error('graph/output-twice', message, { at: output.spec.at, related, hint });
}

function listed(ids: readonly string[]): string {
  if (ids.length > NAMED) return `${ids.slice(0, NAMED).join(', ')} and ${ids.length - NAMED} more`;
  return `${ids.slice(0, -1).join(', ')} and ${ids.at(-1)}`;
}
