// The options and arguments of each command, read into its Invocation.
import { error } from '../base/diagnostic.ts';
import { invariant } from '../base/invariant.ts';
import { didYouMean } from '../base/nearest.ts';
import { visible } from './argv.ts';
import type { UploadMode } from '../cache/uploads.ts';
import type {
  BuildOptions,
  CacheOptions,
  CommonOptions,
  GcOptions,
  GraphFormat,
  Invocation,
  Word,
} from './invocation.ts';
import { LATER_COMMANDS } from './options-elsewhere.ts';
import type { OptionReader } from './options-reader.ts';
import { COMMANDS, findCommand, type CommandSpec } from './options-table.ts';
import { readAge, readAssignment, readRuleAssignment, readSize } from './options-values.ts';
import { MOST_BUILDS } from '../store/layout.ts';

/** The options that every command takes, but for those that `earlyOptions` reads. */
export function readCommon(reader: OptionReader): Pick<CommonOptions, 'directory' | 'file' | 'config' | 'configfiles'> {
  return {
    directory: reader.last('directory'),
    file: reader.last('file'),
    config: reader.readAll('config', (word) => readAssignment('--config', word)),
    configfiles: reader.all('configfile'),
  };
}

function readBuild(reader: OptionReader, isPlan: boolean, verbose: boolean): BuildOptions {
  const dag = reader.flag('dag');
  const dryRun = isPlan || dag || reader.flag('dry-run');
  return {
    caches: readCacheOptions(reader),
    jobs: reader.number('jobs', 1),
    dryRun,
    reason: dryRun || verbose || reader.flag('reason'),
    dag,
    keepGoing: reader.flag('keep-going'),
    forceAll: reader.flag('forceall'),
    forcerun: reader.all('forcerun'),
    rerunIncomplete: reader.flag('rerun-incomplete'),
    until: reader.all('until'),
    omitFrom: reader.all('omit-from'),
    resources: reader.readAll('resources', (word) => readAssignment('--resources', word)),
    defaultResources: reader.readAll('default-resources', (word) => readAssignment('--default-resources', word)),
    setResources: reader.readAll('set-resources', readRuleAssignment),
    noTemp: reader.flag('notemp'),
    retries: reader.number('retries', 0),
    profileName: reader.last('profile') ?? reader.last('cluster-config'),
    profile: undefined,
    executor: readExecutor(reader),
    detach: reader.flag('detach'),
    wait: reader.flag('wait'),
    check: reader.flag('check'),
    watch: reader.flag('watch'),
  };
}

const UPLOAD_MODES: readonly UploadMode[] = ['background', 'wait', 'spool', 'none'];

function readCacheOptions(reader: OptionReader): CacheOptions {
  const none = reader.flag('no-cache') ? { text: 'off', at: reader.line } : undefined;
  const upload = reader.last('upload');
  const mode = UPLOAD_MODES.find((m) => m === upload?.text);
  if (upload !== undefined && mode === undefined) {
    const message = `--upload takes background, wait, spool or none, not '${visible(upload.text)}'`;
    reader.errors.push(error('cli/bad-value', message, { at: upload.at, hint: didYouMean(upload.text, UPLOAD_MODES) }));
  }
  return {
    choice: none ?? reader.last('cache'),
    refresh: reader.flag('cache-refresh'),
    offline: reader.flag('offline'),
    upload: mode ?? 'background',
  };
}

/** Reads what the command itself takes. The answer is a function, to be called once there are no errors. */
export function readInvocation(reader: OptionReader, command: CommandSpec, common: CommonOptions): () => Invocation {
  const selectors = readPositionals(reader, command);
  const one = (): Word => {
    const [selector] = selectors;
    invariant(selector, `${command.name} without a selector`);
    return selector;
  };
  const verbose = common.verbosity === 'verbose';
  switch (command.name) {
    case 'build':
    case 'plan': {
      const detailed = reader.flag('detailed-summary');
      const build = readBuild(reader, command.name === 'plan', verbose);
      if (detailed || reader.flag('summary')) return () => ({ command: 'summary', selectors, detailed, common });
      return () => ({ command: 'build', selectors, build, common });
    }
    case 'forcerun': {
      const build = readBuild(reader, false, verbose);
      return () => ({ command: 'forcerun', selectors, only: reader.flag('only'), build, common });
    }
    case 'summary':
      return () => ({ command: 'summary', selectors, detailed: reader.flag('detailed'), common });
    case 'why':
    case 'show': {
      const name = command.name;
      return () => ({ command: name, selector: one(), common });
    }
    case 'logs': {
      const attempt = reader.number('attempt', 1);
      return () => ({ command: 'logs', selector: one(), follow: reader.flag('follow'), attempt, common });
    }
    case 'graph': {
      const format = readFormat(reader);
      return () => ({ command: 'graph', selectors, rules: reader.flag('rules'), format, common });
    }
    case 'restore': {
      const caches = readCacheOptions(reader);
      return () => ({ command: 'restore', selectors, caches, common });
    }
    case 'cache': {
      const options = {
        common,
        caches: readCacheOptions(reader),
        group: reader.last('group'),
        maxSize: reader.last('max-size'),
        maxAge: reader.last('max-age'),
        rebuild: reader.last('rebuild'),
        yes: reader.flag('yes'),
        user: reader.flag('user'),
        dryRun: reader.flag('dry-run'),
      };
      return () => ({ command: 'cache', verb: one(), words: selectors.slice(1), ...options });
    }
    case 'export':
    case 'import': {
      const name = command.name;
      return () => ({ command: name, words: selectors, common });
    }
    case 'ls':
    case 'touch': {
      const name = command.name;
      return () => ({ command: name, selectors, common });
    }
    case 'gc': {
      const gc = readGc(reader);
      return () => ({ command: 'gc', gc, common });
    }
    case 'clean': {
      const clean = { yes: confirmed(reader), force: reader.flag('force') };
      return () => ({ command: 'clean', clean, selectors, common });
    }
    case 'cancel':
      return () => ({ command: 'cancel', selectors, common });
    case 'profile':
      return () => ({ command: 'profile', verb: one(), words: selectors.slice(1), common });
    case 'verify':
    case 'jobs':
    case 'lint':
    case 'version': {
      const name = command.name;
      return () => ({ command: name, common });
    }
    case 'help':
      return () => ({ command: 'help', topic: selectors[0]?.text, common });
    default:
      throw new Error(`a command of the table that is not read: ${command.name}`);
  }
}

function readExecutor(reader: OptionReader): BuildOptions['executor'] {
  const word = reader.last('executor');
  if (word === undefined) return undefined;
  const { text, at } = word;
  if (text === 'local' || text === 'cluster') return text;
  const hint = 'a scheduler is named by its profile: --profile slurm';
  reader.errors.push(error('cli/bad-value', `--executor takes local or cluster, not '${visible(text)}'`, { at, hint }));
  return undefined;
}

/** A dry run that is asked for wins. */
const confirmed = (reader: OptionReader): boolean => reader.flag('yes') && !reader.flag('dry-run');

const KEEP_BUILDS = 10;

function readGc(reader: OptionReader): GcOptions {
  const olderThan = reader.last('older-than');
  const maxSize = reader.last('max-size');
  const keepBuilds = reader.number('keep-builds', 0);
  const gc: GcOptions = {
    yes: confirmed(reader),
    keepBuilds: keepBuilds ?? KEEP_BUILDS,
    olderThanS: olderThan && reader.read(readAge('--older-than', olderThan)),
    maxBytes: maxSize && reader.read(readSize('--max-size', maxSize)),
    pin: reader.all('pin'),
    unpin: reader.all('unpin'),
    pins: reader.flag('pins'),
    forgetTree: reader.last('forget-tree'),
  };
  if (keepBuilds !== undefined && keepBuilds > MOST_BUILDS) {
    const at = reader.last('keep-builds')?.at;
    reader.errors.push(
      error('cli/bad-value', `--keep-builds is at most ${MOST_BUILDS}: of no more builds is kept what they looked at`, {
        at,
      }),
    );
  }
  const others = [gc.pin.length > 0, gc.unpin.length > 0, gc.pins, gc.forgetTree !== undefined];
  if (others.filter(Boolean).length > 1 || (gc.yes && others.includes(true))) {
    const message = '--pin, --unpin, --pins, --forget-tree and --yes are each for themselves';
    reader.errors.push(error('cli/usage', message, { at: reader.line }));
  }
  return gc;
}

function readFormat(reader: OptionReader): GraphFormat {
  const word = reader.last('format');
  const formats: readonly GraphFormat[] = ['dot', 'mermaid', 'json'];
  const known = formats.find((f) => f === word?.text);
  if (word === undefined) return 'dot';
  if (known) return known;
  const { at, text } = word;
  if (text === 'svg') {
    const hint = 'with Graphviz: lhb graph | dot -Tsvg';
    reader.errors.push(error('cli/not-yet', '--format svg is not in this version yet', { at, hint }));
  } else {
    const hint = didYouMean(text, formats);
    const message = `--format takes ${formats.slice(0, -1).join(', ')} or ${formats.at(-1)}, not '${visible(text)}'`;
    reader.errors.push(error('cli/bad-value', message, { at, hint }));
  }
  return 'dot';
}

function readPositionals(reader: OptionReader, command: CommandSpec): readonly Word[] {
  const words = reader.positionals;
  const most = { none: 0, topic: 1, selector: 1, selectors: Infinity, 'selectors+': Infinity, 'words+': Infinity }[
    command.positionals
  ];
  const extra = words[most];
  const name = `lhb ${command.name}`;
  if (extra !== undefined) {
    const takes =
      most === 0 ? 'takes no arguments' : `takes one ${command.positionals === 'topic' ? 'command' : 'selector'}`;
    reader.errors.push(error('cli/usage', `${name} ${takes}; '${visible(extra.text)}' is too much`, { at: extra.at }));
  }
  const needsOne = /^selector$|\+$/.test(command.positionals);
  if (command.positionals === 'words+' && words.length === 0) {
    const what = /^(cache|profile)$/.test(command.name) ? 'a command' : 'a file';
    reader.errors.push(error('cli/usage', `${name} needs ${what}`, { at: reader.line, hint: `see ${name} --help` }));
  } else if (needsOne && words.length === 0) {
    const hint = "a job's id, a rule, an output path or where:EXPR";
    // Where an option is wrong as well, its value may be what was meant as the selector.
    if (reader.errors.length === 0) {
      reader.errors.push(error('cli/usage', `${name} needs a selector`, { at: reader.line, hint }));
    }
  }
  const [topic] = words;
  if (command.positionals === 'topic' && topic !== undefined && !findCommand(topic.text)) {
    const later = LATER_COMMANDS.includes(topic.text);
    const message = later
      ? `lhb ${topic.text} is not in this version yet`
      : `there is no command '${visible(topic.text)}'`;
    const hint = didYouMean(
      topic.text,
      COMMANDS.map((c) => c.name),
    );
    reader.errors.push(
      error(later ? 'cli/not-yet' : 'cli/unknown-command', message, { at: topic.at, hint: later ? undefined : hint }),
    );
  }
  return words;
}
