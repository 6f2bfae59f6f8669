// The help texts, set from the table of commands and options.
import { GLOBAL_OPTIONS, COMMANDS, findCommand, type CommandSpec, type OptionSpec } from './options-table.ts';

const INTRO = `lhb: incremental builds for parameter sweeps. What is still valid is never computed twice.

Usage: lhb COMMAND [SELECTOR…] [OPTION…]`;

/** The overview in groups; every command of the table but help and version stands in one. */
const COMMAND_GROUPS: readonly (readonly [title: string, commands: readonly string[]])[] = [
  ['Build', ['build', 'plan', 'forcerun', 'touch', 'restore']],
  ['Look', ['summary', 'why', 'show', 'logs', 'ls', 'graph', 'jobs']],
  ['Cluster', ['profile', 'cancel']],
  ['Share', ['cache', 'export', 'import']],
  ['Tidy up', ['gc', 'clean']],
  ['Check', ['lint', 'verify', 'help', 'version']],
];

const SELECTORS = `Selectors (of all these, the first that fits):
  tgt_3f9a0c55d1e2               a job's id; a unique beginning will do
  build_target                   a rule: all its jobs
  'runs/*/analysis.json'         an output path, or a glob over output paths
  "where:sampler.name=='hmc'"    a CEL expression over the job`;

const STARTING_POINTS: readonly (readonly [string, string])[] = [
  ['lhb build', 'bring everything up to date'],
  ['lhb build -n', 'what would be done, and why'],
  ['lhb summary', 'where every job stands'],
  ['lhb why tgt_3f9a', 'why a job would run'],
];

const EXIT_CODES = `Exit codes: 0 done, 1 a job failed, 2 usage or workflow error, 3 another build holds the lock,
  4 the store is damaged, 70 a bug of lhb, 130/143 interrupted`;

type Row = readonly [left: string, right: string];

/** Help on one command, or the overview: whole text with a newline at its end, at most 100 columns wide. */
export function helpText(topic?: string): string {
  const command = topic === undefined ? undefined : findCommand(topic);
  return (command ? commandHelp(command) : overview()).join('\n\n') + '\n';
}

function overview(): string[] {
  const rows = (names: readonly string[]): Row[] =>
    names.flatMap((name): Row[] => {
      const command = findCommand(name);
      return command ? [[usage(command).replace('lhb ', ''), command.help]] : [];
    });
  const width = columnWidth(COMMANDS.map((c): Row => [usage(c).replace('lhb ', ''), '']));
  return [
    INTRO,
    ...COMMAND_GROUPS.map(([title, names]) => section(title, rows(names), width)),
    section('Every command takes', GLOBAL_OPTIONS.map(optionRow)),
    SELECTORS,
    section('Start with', STARTING_POINTS),
    EXIT_CODES,
    'lhb COMMAND --help says more about a command.',
  ];
}

function commandHelp(command: CommandSpec): string[] {
  const parts = [`lhb ${command.name}: ${command.help}\n\nUsage: ${usage(command)} [OPTION…]`];
  const groups = [...command.groups, { title: 'Every command takes', options: GLOBAL_OPTIONS }];
  // `-f` of logs hides the global one.
  const taken = new Set(command.groups.flatMap((g) => g.options.map((o) => o.short)));
  const shown = groups.map(({ title, options }) => ({
    title,
    rows: options
      .filter((o) => o.help !== undefined)
      .map((o) => optionRow(options === GLOBAL_OPTIONS && taken.has(o.short) ? { ...o, short: '' } : o)),
  }));
  const width = columnWidth(shown.flatMap((s) => s.rows));
  parts.push(...shown.map((s) => section(s.title, s.rows, width)));
  if (command.positionals.startsWith('selector')) parts.push(SELECTORS);
  if (command.examples.length > 0) parts.push(section('Examples', command.examples));
  return parts;
}

function usage(command: CommandSpec): string {
  const words = {
    none: '',
    topic: ' [COMMAND]',
    selector: ' SELECTOR',
    selectors: ' [SELECTOR…]',
    'selectors+': ' SELECTOR…',
    'words+': /^(cache|profile)$/.test(command.name) ? ' COMMAND [WORD…]' : ' [SELECTOR…] FILE',
  };
  return `lhb ${command.name}${words[command.positionals]}`;
}

function optionRow(option: OptionSpec): Row {
  const short = option.short ? `-${option.short}, ` : '    ';
  return [`${short}--${option.long}${option.meta ? ` ${option.meta}` : ''}`, option.help ?? ''];
}

const columnWidth = (rows: readonly Row[]): number => Math.max(...rows.map(([left]) => left.length)) + 2;

function section(title: string, rows: readonly Row[], width = columnWidth(rows)): string {
  return [`${title}:`, ...rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`)].join('\n');
}
