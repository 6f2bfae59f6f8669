// Which jobs go to the scheduler by one call, and with what words.
import { createHash } from 'node:crypto';
import type { Diagnostic } from '../../base/diagnostic.ts';
import { error } from '../../base/diagnostic.ts';
import { didYouMean } from '../../base/nearest.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { quoteAt } from '../../expr/shell-quote.ts';
import type { Launch } from '../executor.ts';
import type { ClusterTemplates } from './profile.ts';
import { fillTemplate, namesIn, type CommandTemplate, type Filling, type Slot } from './template.ts';

/** What templates see that is not of one job alone: told apart from what is when jobs are put together. */
export type Frame = {
  readonly key: string;
  readonly script: string;
  readonly schedulerLog: string;
  readonly root: string;
  /** The first and last number of an array's tasks; undefined for one job. */
  readonly tasks: { readonly first: number; readonly last: number } | undefined;
};

/** What templates see of a job. */
export type Described = Pick<Launch, 'rule' | 'label' | 'jobId' | 'log' | 'attempt' | 'resources'>;

/** Names that a template may use, beside resources. */
const NAMES = [
  'rule',
  'wildcards',
  'jobid',
  'name',
  'key',
  'root',
  'log',
  'script',
  'scheduler_log',
  'options',
  'array',
  'threads',
  'attempt',
  'first',
  'last',
  'workdir',
];

/** Those by which one job differs from another of its rule. */
const OF_ONE_JOB = new Set(['wildcards', 'jobid', 'log', 'attempt']);

/** Resources that are times, in minutes. */
const TIME = /^(?:time|runtime|walltime)$/;

/** A name that every scheduler takes: letters, digits, `_`, `-`, `.`, beginning with a letter, not long. */
export function schedulerName(key: string, rule: string): string {
  return `lhb_${key}_${rule.replace(/[^\w.-]/g, '_')}`.slice(0, 60);
}

/** A resource as a template shows it. Times in minutes become HH:MM:SS, which every scheduler reads. */
function resourceText(name: string, value: string | number): Filling {
  if (name.endsWith('_extra'))
    return String(value)
      .split(/\s+/)
      .filter((word) => word !== '');
  if (typeof value === 'number' && TIME.test(name)) return clock(value);
  return String(value);
}

function clock(minutes: number): string {
  const seconds = Math.ceil(minutes * 60);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
}

/** The value of a name for a job; undefined: there is none. */
function valueOf(name: string, launch: Described, frame: Frame, templates: ClusterTemplates): Filling | undefined {
  const { resources } = launch;
  switch (name) {
    case 'rule':
      return launch.rule;
    case 'wildcards':
      return launch.label === '' ? launch.jobId : launch.label;
    case 'jobid':
      return launch.jobId;
    case 'name':
      return schedulerName(frame.key, launch.rule);
    case 'key':
      return `lhb:${frame.key}`;
    case 'root':
    case 'workdir':
      return frame.root;
    case 'log':
      return launch.log;
    case 'script':
      return frame.script;
    case 'scheduler_log':
      return frame.schedulerLog;
    case 'threads':
      return String(resources['cpus'] ?? 1);
    case 'attempt':
      return String(launch.attempt);
    case 'first':
      return frame.tasks && String(frame.tasks.first);
    case 'last':
      return frame.tasks && String(frame.tasks.last);
    case 'array':
      return frame.tasks && templates.array?.suffix ? filled(templates.array.suffix, launch, frame, templates) : '';
    case 'options':
      return { shell: optionWords(launch, frame, templates) };
    case 'time_minutes':
    case 'time_seconds': {
      const minutes = resources['time'] ?? resources['runtime'];
      if (typeof minutes !== 'number') return undefined;
      return String(Math.ceil(name === 'time_minutes' ? minutes : minutes * 60));
    }
    default: {
      const key = name.startsWith('resources.') ? name.slice('resources.'.length) : name;
      const value = resources[key];
      return value === undefined ? undefined : resourceText(key, value);
    }
  }
}

/** The words of `options` for what the job asks for, and those that make an array. */
function optionWords(launch: Described, frame: Frame, templates: ClusterTemplates): string {
  const words: string[] = [];
  for (const [resource, template] of templates.options) {
    const value = launch.resources[resource];
    if (value === undefined || value === '' || (value === 0 && resource === 'gpus')) continue;
    words.push(filled(template, launch, frame, templates));
  }
  if (frame.tasks && templates.array?.option) words.push(filled(templates.array.option, launch, frame, templates));
  return words.join(' ');
}

function filled(template: CommandTemplate, launch: Described, frame: Frame, templates: ClusterTemplates): string {
  const text = fillTemplate(
    template,
    (name) => valueOf(name, launch, frame, templates),
    () => undefined,
  );
  return text.ok ? text.value : '';
}

/** The submit command for jobs, of which the first stands for all. Errors: a name without a value. */
export function submitCommand(launch: Described, frame: Frame, templates: ClusterTemplates): Result<string> {
  return fillTemplate(
    templates.submit,
    (name) => valueOf(name, launch, frame, templates),
    (slot) => noValue(slot, launch),
  );
}

/** The lines at the head of the script. */
export const directiveLines = (launch: Described, frame: Frame, templates: ClusterTemplates): string[] =>
  templates.directives.map((template) => filled(template, launch, frame, templates));

function noValue(slot: Slot, { rule, resources }: Described): Diagnostic {
  const resource = slot.name.replace(/^resources\./, '');
  const known = [...NAMES, ...Object.keys(resources)];
  const message = `rule '${rule}': the submit command of the profile names {${slot.name}}, and the job has no resource ${resource}`;
  const hint =
    didYouMean(resource, known) ?? `give it one: --default-resources ${resource}=… or resources: { ${resource}: … }`;
  return error('profile/no-value', message, { at: slot.at, hint });
}

/** All that templates lack for a job, before anything is submitted. */
export function checkTemplates(launch: Described, templates: ClusterTemplates): Result<undefined> {
  const frame: Frame = { key: 'x', script: 'x', schedulerLog: 'x', root: '/', tasks: undefined };
  const made = submitCommand(launch, frame, templates);
  return made.ok ? ok(undefined) : err(made.error);
}

/** Jobs that can go out by one call have the same. */
export type Kind = {
  /** Undefined: the job goes alone, for the command names what is of one job. */
  readonly key: string | undefined;
  /** So many jobs of the scheduler's go out by one call at the most. */
  readonly most: number;
};

/** What can go out with a job: others of its rule, or of its pack, that would be submitted with the same words. */
export function kindOf(launch: Launch, templates: ClusterTemplates): Kind {
  const used = [templates.submit, ...templates.options.values(), ...templates.directives].flatMap(namesIn);
  const isOfOneJob = used.some(({ name }) => OF_ONE_JOB.has(name));
  const most = isOfOneJob ? 1 : (templates.array?.max ?? 1);
  const { pack } = launch;
  if (most === 1 && pack === undefined) return { key: undefined, most };
  const frame: Frame = { key: '', script: '', schedulerLog: '', root: '', tasks: undefined };
  if (pack === undefined) {
    const made = submitCommand(launch, frame, templates);
    return { key: made.ok ? `${launch.rule}\0${made.value}` : undefined, most };
  }
  // What differs within a pack is as that of its first job.
  const resources = withTimes(launch.resources, () => 1);
  const described = { ...launch, rule: pack.name, label: '', jobId: '', log: '', resources };
  const made = submitCommand(described, frame, templates);
  return { key: made.ok ? `pack ${pack.name}\0${made.value}` : undefined, most };
}

/**
 * Packs as templates see them: as the first job, but for the name, and the times of each pack's jobs, which are added; the
 * longest counts.
 */
export function packed(packs: readonly (readonly Launch[])[], first: Launch): Described {
  const sum = (members: readonly Launch[], time: string): number =>
    members.reduce((total, { resources }) => total + Number(resources[time] ?? 0), 0);
  const longest = (time: string): number => Math.max(...packs.map((members) => sum(members, time)));
  return { ...first, rule: first.pack?.name ?? first.rule, resources: withTimes(first.resources, longest) };
}

function withTimes(resources: Described['resources'], timeOf: (name: string) => number): Described['resources'] {
  const times = Object.keys(resources).filter((name) => TIME.test(name) && typeof resources[name] === 'number');
  return { ...resources, ...Object.fromEntries(times.map((name) => [name, timeOf(name)])) };
}

/** The id of a task, as the scheduler wants it. */
export function taskId(id: string, index: number | undefined, { array }: ClusterTemplates): string {
  if (index === undefined || array === undefined) return id;
  const [before = id, after = ''] = id.split(/\[\]/);
  const parts = array.taskId.parts.map((part) => {
    if (typeof part === 'string') return part;
    switch (part.name) {
      case 'id':
        return id;
      case 'id_before_bracket':
        return before;
      case 'id_after_bracket':
        return after;
      case 'index':
        return String(index);
      default:
        return '';
    }
  });
  return parts.join('');
}

/** A command about jobs by their ids. */
export function aboutJobs(template: CommandTemplate, ids: readonly string[]): string {
  const made = fillTemplate(
    template,
    (name) => (name === 'ids' ? ids : name === 'id' || name === 'jobid' ? (ids[0] ?? '') : ''),
    () => error('profile/no-value', ''),
  );
  return made.ok ? made.value : '';
}

/** The id in what a submit command printed. */
export function idOf(printed: string, pattern: RegExp): string | undefined {
  return pattern.exec(printed)?.[1];
}

/** A key for a submission, from the tokens of its launches: in the job's comment or name. */
export const submissionKey = (tokens: readonly string[]): string =>
  createHash('sha256').update(tokens.join(' ')).digest('hex').slice(0, 16);

/** A path as a word of the scheduler's shell. */
export const word = (text: string): string => quoteAt(text, 'bare');
