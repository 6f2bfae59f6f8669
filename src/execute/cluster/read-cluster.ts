// `cluster:` of a profile -> templates.
import { error, type Diagnostic, type SourceRange } from '../../base/diagnostic.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { entryOf, fieldOf, textOf, type Node } from '../../workflow/node.ts';
import {
  CLUSTER_STATES,
  type ArrayTemplates,
  type ClusterState,
  type ClusterTemplates,
  type DetailTemplates,
  type EndPatterns,
  type StatusTemplates,
} from './profile.ts';
import { parseTemplate, type CommandTemplate } from './template.ts';

/** Every form in which a scheduler tells the id of a job. */
const ANY_ID = /(?:^Submitted batch job |^Your job(?:-array)? |^Job <)?([0-9]+(?:\[\])?(?:[._-][\w.-]+)?)/m;

/**
 * A map of templates, its shape checked by the schema.
 * @param base what stands where a field is missing
 */
export function readCluster(node: Node, base: ClusterTemplates | undefined): Result<ClusterTemplates> {
  const reader = new ClusterReader();
  const submit = reader.template(fieldOf(node, 'submit')) ?? base?.submit;
  if (submit === undefined && reader.errors.length === 0) {
    const hint = 'or `extends: slurm`, for what a built-in profile has';
    reader.errors.push(
      error('profile/shape', '`cluster` of the profile lacks the field `submit`', { at: node.at, hint }),
    );
  }
  const templates: ClusterTemplates = {
    submit: submit ?? { at: node.at, parts: [] },
    options: reader.templates(fieldOf(node, 'options'), base?.options),
    directives: entryOf(node, 'directives') ? reader.list(fieldOf(node, 'directives')) : (base?.directives ?? []),
    jobId: reader.pattern(fieldOf(node, 'job-id'), 'm') ?? base?.jobId ?? ANY_ID,
    array: entryOf(node, 'array') ? reader.array(fieldOf(node, 'array'), base?.array) : base?.array,
    status: entryOf(node, 'status') ? reader.status(fieldOf(node, 'status'), base?.status) : base?.status,
    details: entryOf(node, 'details') ? reader.details(fieldOf(node, 'details')) : base?.details,
    log: entryOf(node, 'log') ? reader.ends(fieldOf(node, 'log')) : (base?.log ?? new Map()),
    cancel: reader.template(fieldOf(node, 'cancel')) ?? base?.cancel,
    down: reader.pattern(fieldOf(node, 'down'), 'i') ?? base?.down,
    scratch: textOf(fieldOf(node, 'scratch')) ?? base?.scratch,
    printsToScheduler: base?.printsToScheduler ?? false,
  };
  return reader.errors.length > 0 ? err(reader.errors) : ok(templates);
}

/** Which built-in profile knows the scheduler of a submit command. */
function schedulerOf(command: string): string | undefined {
  if (/(?:^|[\s/;&|])sbatch(?:\s|$)/.test(command)) return 'slurm';
  if (/(?:^|[\s/;&|])bsub(?:\s|$)/.test(command)) return 'lsf';
  if (!/(?:^|[\s/;&|])qsub(?:\s|$)/.test(command)) return undefined;
  return /-l\s*\S*(?:select|nodes|walltime)=|-W\s/.test(command) ? 'pbs' : 'sge';
}

/**
 * The submit command of a Snakemake profile; the job script is put behind it. Where it calls a scheduler's own program, that
 * scheduler's profile knows how to ask and to cancel.
 * @param builtIn the templates of a built-in profile
 */
export function readSubmitCommand(
  text: string,
  at: SourceRange,
  others: { readonly status: Node | undefined; readonly cancel: Node | undefined },
  builtIn: (name: string) => Result<ClusterTemplates | undefined>,
): Result<ClusterTemplates> {
  const reader = new ClusterReader();
  const submit = reader.text(text.includes('{script}') ? text : `${text.trim()} {script}`, at);
  const known = schedulerOf(text);
  const base = known === undefined ? ok(undefined) : builtIn(known);
  if (!base.ok) return base;
  const from = base.value;
  const words = (node: Node | undefined, word: string): CommandTemplate | undefined => {
    const command = textOf(node);
    return node && command !== undefined ? reader.text(`${command.trim()} ${word}`, node.at) : undefined;
  };
  const asked = words(others.status, '{ids}');
  const status: StatusTemplates | undefined = asked && {
    command: asked,
    row: undefined,
    intervalS: 10,
    states: new Map<string, ClusterState>([
      ['running', 'running'],
      ['success', 'ended'],
      ['failed', 'failed'],
    ]),
    stuck: new Map(),
    held: new Map(),
  };
  if (submit === undefined || reader.errors.length > 0) return err(reader.errors);
  return ok({
    submit,
    options: new Map(),
    directives: from?.directives ?? [],
    jobId: ANY_ID,
    // The words of the command are the user's own: they name one job's log.
    array: undefined,
    status: status ?? from?.status,
    details: from?.details,
    log: from?.log ?? new Map(),
    cancel: words(others.cancel, '{ids}') ?? from?.cancel,
    down: from?.down,
    scratch: undefined,
    printsToScheduler: true,
  });
}

class ClusterReader {
  readonly errors: Diagnostic[] = [];

  text(text: string, at: SourceRange): CommandTemplate | undefined {
    const parsed = parseTemplate(text, at);
    if (parsed.ok) return parsed.value;
    this.errors.push(...parsed.error);
    return undefined;
  }

  template(node: Node | undefined): CommandTemplate | undefined {
    const text = textOf(node);
    return node && text !== undefined ? this.text(text, node.at) : undefined;
  }

  list(node: Node | undefined): readonly CommandTemplate[] {
    return node?.kind === 'list' ? node.items.flatMap((item) => this.template(item) ?? []) : [];
  }

  templates(
    node: Node | undefined,
    base: ReadonlyMap<string, CommandTemplate> | undefined,
  ): ReadonlyMap<string, CommandTemplate> {
    const found = new Map(base);
    for (const { key, value } of node?.kind === 'map' ? node.entries : []) {
      const template = this.template(value);
      if (template) found.set(String(key), template);
    }
    return found;
  }

  pattern(node: Node | undefined, flags: string): RegExp | undefined {
    const text = textOf(node);
    if (node === undefined || text === undefined) return undefined;
    try {
      return new RegExp(text, flags);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message.replace(/^Invalid regular expression: /, '') : '';
      this.errors.push(error('profile/pattern', `the profile has a pattern that is none: ${why}`, { at: node.at }));
      return undefined;
    }
  }

  ends(node: Node | undefined): EndPatterns {
    const found = new Map<'oom' | 'timeout' | 'node_fail' | 'cancelled', RegExp>();
    for (const name of ['oom', 'timeout', 'node_fail', 'cancelled'] as const) {
      const pattern = this.pattern(fieldOf(node, name), 'im');
      if (pattern) found.set(name, pattern);
    }
    return found;
  }

  private lacks(field: string, name: string, node: Node | undefined): undefined {
    const message = `\`cluster.${field}\` of the profile lacks the field \`${name}\``;
    const hint = 'or `extends: slurm`, for what a built-in profile has';
    this.errors.push(error('profile/shape', message, { at: node?.at, hint }));
    return undefined;
  }

  array(node: Node | undefined, base: ArrayTemplates | undefined): ArrayTemplates | undefined {
    const taskId = this.template(fieldOf(node, 'task-id')) ?? base?.taskId;
    const index = textOf(fieldOf(node, 'index')) ?? base?.index;
    if (taskId === undefined) return this.lacks('array', 'task-id', node);
    if (index === undefined) return this.lacks('array', 'index', node);
    return {
      option: this.template(fieldOf(node, 'option')) ?? base?.option,
      suffix: this.template(fieldOf(node, 'suffix')) ?? base?.suffix,
      first: numberOf(fieldOf(node, 'first'), base?.first ?? 0) === 1 ? 1 : 0,
      max: numberOf(fieldOf(node, 'max'), base?.max ?? 1000),
      index,
      inPaths: textOf(fieldOf(node, 'in-paths')) ?? base?.inPaths,
      taskId,
    };
  }

  status(node: Node | undefined, base: StatusTemplates | undefined): StatusTemplates | undefined {
    const command = this.template(fieldOf(node, 'command')) ?? base?.command;
    if (command === undefined) return this.lacks('status', 'command', node);
    return {
      command,
      row: this.pattern(fieldOf(node, 'row'), 'gms') ?? base?.row,
      intervalS: numberOf(fieldOf(node, 'interval'), base?.intervalS ?? 10),
      states: new Map([...(base?.states ?? []), ...statesOf(fieldOf(node, 'states'))]),
      stuck: new Map([...(base?.stuck ?? []), ...wordsOf(fieldOf(node, 'stuck'))]),
      held: new Map([...(base?.held ?? []), ...wordsOf(fieldOf(node, 'held'))]),
    };
  }

  details(node: Node | undefined): DetailTemplates | undefined {
    const command = this.template(fieldOf(node, 'command'));
    if (command === undefined) return undefined;
    return { command, exit: this.pattern(fieldOf(node, 'exit'), 'm'), ends: this.ends(node) };
  }
}

const numberOf = (node: Node | undefined, otherwise: number): number =>
  node?.kind === 'scalar' && (typeof node.value === 'bigint' || typeof node.value === 'number')
    ? Number(node.value)
    : otherwise;

function wordsOf(node: Node | undefined): ReadonlyMap<string, string> {
  const entries = node?.kind === 'map' ? node.entries : [];
  return new Map(entries.map(({ key, value }) => [String(key), textOf(value) ?? ''] as const));
}

function statesOf(node: Node | undefined): ReadonlyMap<string, ClusterState> {
  const known = new Map<string, ClusterState>();
  for (const [name, word] of wordsOf(node)) {
    const state = CLUSTER_STATES.find((each) => each === word);
    if (state !== undefined) known.set(name, state);
  }
  return known;
}
