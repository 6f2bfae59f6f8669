// The options that a profile gives: they stand before those of the command line, which win.
import { dirname, resolve } from 'node:path';
import { error, type Diagnostic } from '../base/diagnostic.ts';
import { didYouMean } from '../base/nearest.ts';
import { err, ok, type Result } from '../base/result.ts';
import { findProfile } from '../execute/cluster/find-profile.ts';
import type { Profile } from '../execute/cluster/profile.ts';
import { readProfile } from '../execute/cluster/read-profile.ts';
import type { Given } from './argv.ts';
import { findWorkflow } from './find-workflow.ts';
import type { CommonOptions, Word } from './invocation.ts';
import { commandOptions, findCommand, GLOBAL_OPTIONS } from './options-table.ts';

/** Options that say which file is read, and by whom: they cannot stand in one. */
const NOT_HERE = new Set([
  'profile',
  'cluster-config',
  'directory',
  'file',
  'help',
  'version',
  'summary',
  'detailed-summary',
]);

/**
 * The profile that a command line names, and its options as if they had been typed.
 * @param from the folder where one stands
 * @returns errors: no such profile, or what is wrong in it, options that are none included
 */
export function profileOptions(
  { text, at }: Word,
  common: CommonOptions,
  from: string,
): Result<{ profile: Profile; options: readonly Given[] }> {
  const workflow = findWorkflow(common);
  if (!workflow.ok) return workflow;
  const file = findProfile(text, at, { root: dirname(workflow.value), from: resolve(from), env: process.env });
  if (!file.ok) return file;
  const profile = readProfile(text, file.value);
  if (!profile.ok) return profile;
  const errors: Diagnostic[] = [];
  const known = [...commandOptions(findCommand('build') ?? raise()), ...GLOBAL_OPTIONS].filter(
    (o) => !NOT_HERE.has(o.long),
  );
  const options = profile.value.options.flatMap(({ long, words, at: place }): Given[] => {
    const option = known.find((each) => each.long === long || each.aliases?.includes(long));
    if (option === undefined) {
      const names = known.map((each) => each.long);
      const hint = didYouMean(long, names) ?? 'a profile holds options of lhb build by their long names, and `cluster`';
      errors.push(error('cli/unknown-option', `lhb build has no option '${long}'`, { at: place, hint }));
      return [];
    }
    if (option.value === 'none') return [{ option, value: undefined, at: place }];
    if (words.length === 0 && option.value !== 'count') {
      errors.push(error('cli/bad-value', `'${long}' of the profile needs a value`, { at: place }));
    }
    return words.map((value) => ({ option, value, at: place }));
  });
  return errors.length > 0 ? err(errors) : ok({ profile: profile.value, options });
}

function raise(): never {
  throw new Error('there is no command build');
}
