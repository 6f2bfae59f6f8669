// Options that stand in profiles of Snakemake's, and what they are here.

export type Meaning =
  | { readonly kind: 'option'; readonly long: string }
  /** Read with `cluster:`. */
  | { readonly kind: 'template' }
  /** It means nothing here, or is what lhb does anyway. */
  | { readonly kind: 'ignored' };

const OPTIONS: ReadonlyMap<string, string> = new Map([
  ['jobs', 'jobs'],
  ['cores', 'jobs'],
  ['keep-going', 'keep-going'],
  ['restart-times', 'retries'],
  ['retries', 'retries'],
  ['reason', 'reason'],
  ['quiet', 'quiet'],
  ['verbose', 'verbose'],
  ['notemp', 'notemp'],
  ['configfile', 'configfile'],
  ['configfiles', 'configfile'],
  ['config', 'config'],
]);

const TEMPLATES: ReadonlySet<string> = new Set([
  'cluster-status',
  'cluster-cancel',
  'cluster-generic-submit-cmd',
  'cluster-generic-status-cmd',
  'cluster-generic-cancel-cmd',
]);

/** What a field of a Snakemake profile is here. */
export function optionOfSnakemake(field: string): Meaning {
  const name = field.replaceAll('_', '-');
  const long = OPTIONS.get(name);
  if (long !== undefined) return { kind: 'option', long };
  return TEMPLATES.has(name) ? { kind: 'template' } : { kind: 'ignored' };
}
