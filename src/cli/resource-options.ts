// --resources, --default-resources, --set-resources -> limits and overrides.
import { error, type Diagnostic } from '../base/diagnostic.ts';
import { didYouMean } from '../base/nearest.ts';
import { err, ok, type Result } from '../base/result.ts';
import { visibleGpus } from '../execute/gpus.ts';
import { compileText } from '../expr/template.ts';
import type { Template } from '../expr/types.ts';
import type { ResourceOverrides } from '../schedule/allotment.ts';
import { parseResource } from '../schedule/resources.ts';
import { isFormula } from '../schedule/snakemake-values.ts';
import type { Assignment, BuildOptions } from './invocation.ts';
import type { Loaded } from './workspace.ts';

/** The machine's limits with `--resources` put over them. */
export function limitsFrom(machine: Map<string, number>, given: readonly Assignment[]): Result<Map<string, number>> {
  const limits = new Map(machine);
  const errors: Diagnostic[] = [];
  for (const { name, value, at } of given) {
    const number = Number(value);
    const whole = Number.isSafeInteger(number) ? BigInt(number) : number;
    const parsed = parseResource(name, value.trim() !== '' && Number.isFinite(number) ? whole : value);
    if (parsed.ok && typeof parsed.value === 'number') {
      // A GPU that is not there cannot be handed out, whatever the limit.
      limits.set(name, name === 'gpus' ? Math.min(parsed.value, machine.get(name) ?? 0) : parsed.value);
    } else {
      const problem = parsed.ok ? `must be a number, not '${value}'` : parsed.error;
      errors.push(error('cli/bad-value', `--resources ${name} ${problem}`, { at }));
    }
  }
  return errors.length > 0 ? err(errors) : ok(limits);
}

/**
 * The GPUs that jobs may use, as CUDA_VISIBLE_DEVICES names them. Where none are found, `--resources gpus=N` says how many
 * there are: not every driver tells.
 */
export async function gpusFor(
  given: readonly Assignment[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string[]> {
  const found = await visibleGpus(env);
  if (found.length > 0 || env['CUDA_VISIBLE_DEVICES'] !== undefined) return found;
  const told = Number(given.findLast(({ name }) => name === 'gpus')?.value ?? 0);
  return Number.isInteger(told) && told > 0 && told <= MOST_GPUS
    ? Array.from({ length: told }, (_, i) => String(i))
    : [];
}

const MOST_GPUS = 1024;

/** `--default-resources` and `--set-resources` as templates: a number, text, `${{ … }}`, or a formula of Snakemake's. */
export function overridesFrom(loaded: Loaded, options: BuildOptions): Result<ResourceOverrides> {
  const errors: Diagnostic[] = [];
  const template = ({ value, at }: Assignment): Template | undefined => {
    const compiled = compileText(isFormula(value) ? `\${{ ${value} }}` : value, at, loaded.engine);
    if (!compiled.ok) {
      errors.push(...compiled.error);
      return undefined;
    }
    const { value: made } = compiled;
    const number = Number(value);
    if (made.kind !== 'constant' || value.trim() === '' || !Number.isFinite(number)) return made;
    return { ...made, value: Number.isSafeInteger(number) ? BigInt(number) : number };
  };
  const defaults = options.defaultResources.flatMap((given) => {
    const value = template(given);
    return value ? [{ name: given.name, value }] : [];
  });
  const rules = loaded.workflow.rules;
  const sets = options.setResources.flatMap((given) => {
    if (!rules.has(given.rule)) {
      if (options.profile?.isSnakemake && given.at.file === options.profile.source) return [];
      const hint = didYouMean(given.rule, rules.keys()) ?? `the rules are ${[...rules.keys()].join(', ')}`;
      errors.push(
        error('cli/usage', `--set-resources names rule '${given.rule}', which is not there`, { at: given.at, hint }),
      );
      return [];
    }
    const value = template(given);
    return value ? [{ rule: given.rule, name: given.name, value }] : [];
  });
  return errors.length > 0 ? err(errors) : ok({ defaults, sets });
}
