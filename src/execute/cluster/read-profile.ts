// A profile's file -> Profile. lhb's own form has `lhb-profile: 1`; a file without it is one of Snakemake's, whose `cluster:`
// is the submit command as text and whose other fields are Snakemake's options.
import { basename, dirname } from 'node:path';
import { error, type Diagnostic, type SourceRange } from '../../base/diagnostic.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { checkShape } from '../../workflow/schema.ts';
import { entryOf, fieldOf, textOf, type Entry, type Node } from '../../workflow/node.ts';
import { readYamlFile } from '../../workflow/read.ts';
import { builtInFile } from './find-profile.ts';
import type { ClusterTemplates, Profile, ProfileOption } from './profile.ts';
import { readCluster, readSubmitCommand } from './read-cluster.ts';
import { optionOfSnakemake } from './snakemake-options.ts';

/** Fields that are no options of the command line. */
const OWN_FIELDS = new Set(['lhb-profile', 'description', 'extends', 'cluster']);

/**
 * Reads a profile. Errors: of YAML, of its shape (store-schema/profile.schema.json), of its templates; all at once. Whether the
 * options are those of a command is for the command line to say.
 * @param name as it was asked for
 */
export function readProfile(name: string, file: string): Result<Profile> {
  const read = readYamlFile(file);
  if (!read.ok) return read;
  const { node } = read.value;
  if (node.kind !== 'map')
    return err([error('profile/shape', `the profile ${file} is no map of fields`, { at: node.at })]);
  const own = entryOf(node, 'lhb-profile');
  const problems = checkShape(node, 'profile');
  if (own && !(own.value.kind === 'scalar' && own.value.value === 1n)) {
    const hint = 'this lhb reads format 1';
    problems.push(error('profile/format', 'the profile has another format', { at: own.value.at, hint }));
  }
  if (problems.length > 0) return err(problems);
  const reader = new ProfileReader(own === undefined);
  for (const entry of node.entries) reader.readEntry(entry);
  const cluster = reader.cluster(node);
  if (reader.errors.length > 0) return err(reader.errors);
  return ok({ name, file, isSnakemake: own === undefined, source: read.value.file, cluster, ...reader.rest() });
}

type Numbers = { latencyWaitS?: number; maxJobsPerSecond?: number; maxSubmitted?: number; packS?: number };

class ProfileReader {
  readonly errors: Diagnostic[] = [];
  private readonly snakemake: boolean;
  private readonly options: ProfileOption[] = [];
  private readonly ignored: string[] = [];
  private readonly numbers: Numbers = {};

  constructor(snakemake: boolean) {
    this.snakemake = snakemake;
  }

  rest(): Pick<Profile, 'options' | 'ignored' | 'latencyWaitS' | 'maxJobsPerSecond' | 'maxSubmitted' | 'packS'> {
    const { latencyWaitS, maxJobsPerSecond, maxSubmitted, packS } = this.numbers;
    return { options: this.options, ignored: this.ignored, latencyWaitS, maxJobsPerSecond, maxSubmitted, packS };
  }

  readEntry({ key, keyAt, value }: Entry): void {
    const field = String(key);
    if (OWN_FIELDS.has(field)) return;
    switch (field) {
      case 'latency-wait':
        this.numbers.latencyWaitS = this.number(field, value);
        return;
      case 'max-jobs-per-second':
        this.numbers.maxJobsPerSecond = this.number(field, value);
        return;
      case 'max-submitted':
        this.numbers.maxSubmitted = this.number(field, value);
        return;
      case 'pack-seconds':
        this.numbers.packS = this.number(field, value);
        return;
      case 'default-resources':
        this.add(field, assignments(value, ''), keyAt);
        return;
      case 'set-resources':
        this.add(field, ruleAssignments(value), keyAt);
        return;
      case 'set-threads':
        this.add('set-resources', threads(value), keyAt);
        return;
      case 'resources':
        // Limits are written name=value; maps are resources of rules, as on the pages of Snakemake's users.
        if (value.kind === 'list' && value.items.every((item) => item.kind === 'scalar'))
          this.add(field, assignments(value, ''), keyAt);
        else this.add('set-resources', ruleAssignments(value), keyAt);
        return;
      default:
        this.readOption(field, value, keyAt);
    }
  }

  private readOption(field: string, value: Node, at: SourceRange): void {
    const meaning = this.snakemake ? optionOfSnakemake(field) : { kind: 'option' as const, long: field };
    switch (meaning.kind) {
      case 'template':
        return;
      case 'ignored':
        this.ignored.push(field);
        return;
      case 'option': {
        const items = value.kind === 'list' ? value.items : [value];
        const flag = value.kind === 'scalar' && typeof value.value === 'boolean' ? value.value : undefined;
        if (flag === false) return;
        this.add(meaning.long, flag ? [] : items.flatMap((item) => wordOf(item)), at);
        return;
      }
    }
  }

  private add(long: string, words: ProfileOption['words'], at: SourceRange): void {
    this.options.push({ long, words, at });
  }

  private number(field: string, node: Node): number {
    const value = node.kind === 'scalar' ? Number(node.value) : NaN;
    if (value >= 0) return value;
    this.errors.push(error('profile/value', `'${field}' of the profile must be a number from 0`, { at: node.at }));
    return 0;
  }

  cluster(node: Node): ClusterTemplates | undefined {
    const entry =
      entryOf(node, 'cluster') ?? (this.snakemake ? entryOf(node, 'cluster-generic-submit-cmd') : undefined);
    const base = textOf(fieldOf(node, 'extends'));
    const under = base === undefined ? undefined : builtInCluster(base);
    if (under && !under.ok) this.errors.push(...under.error);
    const from = under?.ok ? under.value : undefined;
    if (entry === undefined) return from;
    const text = textOf(entry.value);
    const read =
      text === undefined
        ? readCluster(entry.value, from)
        : readSubmitCommand(text, entry.value.at, fieldsOf(node), builtInCluster);
    if (read.ok) return read.value;
    this.errors.push(...read.error);
    return undefined;
  }
}

/** The templates of a built-in profile. */
function builtInCluster(name: string): Result<ClusterTemplates | undefined> {
  const profile = readProfile(name, builtInFile(name));
  return profile.ok ? ok(profile.value.cluster) : profile;
}

/** Snakemake's commands for what its submit command does not do, under the names of both of its generations. */
const fieldsOf = (node: Node): { status: Node | undefined; cancel: Node | undefined } => ({
  status: fieldOf(node, 'cluster-status') ?? fieldOf(node, 'cluster-generic-status-cmd'),
  cancel: fieldOf(node, 'cluster-cancel') ?? fieldOf(node, 'cluster-generic-cancel-cmd'),
});

type Word = ProfileOption['words'][number];

const wordOf = (node: Node): Word[] =>
  node.kind === 'scalar' && node.value !== null ? [{ text: String(node.value), at: node.at }] : [];

/** `name=value` of a list of such texts, of a list of one-key maps, or of a map; `prefix` is `rule:`. */
function assignments(node: Node, prefix: string): Word[] {
  if (node.kind === 'list') return node.items.flatMap((item) => assignments(item, prefix));
  if (node.kind === 'map')
    return node.entries.flatMap(({ key, value }) =>
      wordOf(value).map(({ text, at }) => ({ text: `${prefix}${String(key)}=${text}`, at })),
    );
  return wordOf(node).map(({ text, at }) => ({ text: `${prefix}${unquoted(text)}`, at }));
}

/** `time="01:00:00"`: the quotes are for Snakemake's Python, not part of the value. */
const unquoted = (text: string): string => text.replace(/^([^=]+)=(["'])(.*)\2$/s, '$1=$3');

/** `rule:name=value` of a map of maps, a list of such maps, or a list of such texts. */
function ruleAssignments(node: Node): Word[] {
  if (node.kind === 'list') return node.items.flatMap(ruleAssignments);
  if (node.kind === 'scalar') return wordOf(node).map(({ text, at }) => ({ text: unquoted(text), at }));
  return node.entries.flatMap(({ key, value }) => assignments(value, `${String(key)}:`));
}

/** `rule=N` -> `rule:cpus=N`. */
function threads(node: Node): Word[] {
  return assignments(node, '').map(({ text, at }) => ({ text: text.replace('=', ':cpus='), at }));
}

/** How a profile is called in messages. */
export const shownProfile = (profile: Profile): string =>
  /^config\.(v8\+\.)?ya?ml$/.test(basename(profile.file)) ? basename(dirname(profile.file)) : profile.name;
