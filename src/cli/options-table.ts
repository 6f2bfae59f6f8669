// Every command and option of lhb, as data: argv.ts splits the command line by it, options.ts types it, help.ts prints it.

/**
 * What follows an option: nothing; one word; a number that may be left out; `name=value` words (a word that is none ends
 * them); or selectors, until the next option or `--`.
 */
export type ValueKind = 'none' | 'word' | 'count' | 'assignments' | 'selectors';

export type OptionSpec = {
  readonly long: string;
  readonly short?: string;
  /** Other long names, for fingers that know Snakemake; not in the help. */
  readonly aliases?: readonly string[];
  readonly value: ValueKind;
  /** How the value is called in the help. */
  readonly meta?: string;
  /** One line; an option without it is not in the help. */
  readonly help?: string;
  /** Named in the spec, but of a later version: using it is an error that says so. */
  readonly later?: true;
};

export type OptionGroup = { readonly title: string; readonly options: readonly OptionSpec[] };

export type Positionals = 'none' | 'selectors' | 'selectors+' | 'selector' | 'topic' | 'words+';

export type CommandSpec = {
  readonly name: string;
  readonly help: string;
  readonly positionals: Positionals;
  readonly groups: readonly OptionGroup[];
  readonly examples: readonly (readonly [line: string, meaning: string])[];
};

export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { long: 'directory', short: 'C', value: 'word', meta: 'DIR', help: 'start looking for lhb.yaml in DIR' },
  { long: 'file', short: 'f', value: 'word', meta: 'FILE', help: 'the workflow file' },
  { long: 'config', value: 'assignments', meta: 'A.B=VALUE…', help: 'set fields of the config (YAML values)' },
  { long: 'configfile', value: 'word', meta: 'FILE', help: 'merge FILE over the config; may be repeated' },
  { long: 'json', value: 'none', help: 'print JSON (build: a line an event)' },
  { long: 'no-color', value: 'none', help: 'no colour; so do NO_COLOR=1 and a pipe (FORCE_COLOR=1 keeps it)' },
  { long: 'quiet', short: 'q', value: 'none', help: 'only failures, warnings and the last line' },
  { long: 'verbose', short: 'v', value: 'none', help: 'also reasons, and fresh, restored and skipped jobs' },
  { long: 'help', short: 'h', value: 'none', help: 'this help' },
  { long: 'version', value: 'none', help: 'the version' },
];

const WHAT: OptionGroup = {
  title: 'What to build',
  options: [
    { long: 'forceall', short: 'F', value: 'none', help: 'rerun all selected jobs and what they need' },
    {
      long: 'forcerun',
      short: 'R',
      value: 'selectors',
      meta: 'SELECTOR…',
      help: 'rerun these and all downstream (-- ends the list)',
    },
    {
      long: 'rerun-incomplete',
      aliases: ['ri'],
      value: 'none',
      help: 'only what failed or was cut off last time, and what it needs',
    },
    { long: 'until', short: 'U', value: 'selectors', meta: 'SELECTOR…', help: 'go no further than these' },
    {
      long: 'omit-from',
      short: 'O',
      value: 'selectors',
      meta: 'SELECTOR…',
      help: 'leave these out, and all downstream',
    },
    { long: 'check', value: 'none', help: 'rerun fresh jobs and compare their bytes' },
  ],
};

const SHOW: OptionGroup = {
  title: 'Look first',
  options: [
    { long: 'dry-run', short: 'n', aliases: ['dryrun'], value: 'none', help: 'say what would be done and why' },
    { long: 'reason', short: 'r', value: 'none', help: 'print why each job runs (on by default in -n)' },
    { long: 'dag', value: 'none', help: 'print the graph as dot, and nothing else' },
  ],
};

/** Of commands that remove something. */
const CONFIRM: readonly OptionSpec[] = [
  { long: 'yes', short: 'y', value: 'none', help: 'remove it' },
  { long: 'dry-run', short: 'n', aliases: ['dryrun'], value: 'none', help: 'only say what would go (the default)' },
];

const SUMMARY_FLAGS: OptionGroup = {
  title: 'Where things stand',
  options: [
    { long: 'summary', value: 'none', help: 'the same as lhb summary' },
    { long: 'detailed-summary', value: 'none', help: 'the same as lhb summary --detailed' },
  ],
};

const HOW: OptionGroup = {
  title: 'How to run',
  options: [
    { long: 'jobs', short: 'j', value: 'count', meta: '[N]', help: 'jobs at once; all cores without N or flag' },
    { long: 'keep-going', short: 'k', value: 'none', help: 'after a failure, build what does not need it' },
    { long: 'retries', value: 'word', meta: 'N', help: "attempts after the first, where a rule doesn't say" },
    { long: 'resources', value: 'assignments', meta: 'NAME=N…', help: 'limits for all jobs together' },
    { long: 'default-resources', value: 'assignments', meta: 'NAME=V…', help: "for rules that don't say" },
    { long: 'set-resources', value: 'assignments', meta: 'RULE:NAME=V…', help: 'over what a rule says' },
    { long: 'notemp', aliases: ['nt'], value: 'none', help: 'keep temporary outputs' },
    { long: 'wait', value: 'none', help: "wait for another build's lock" },
    { long: 'watch', value: 'none', help: 'build again whenever a file that counts changes' },
    {
      long: 'profile',
      value: 'word',
      meta: 'NAME|PATH',
      help: 'options and a scheduler: slurm, sge, pbs, lsf or your own',
    },
    { long: 'cluster-config', value: 'word', meta: 'PATH', help: 'the same as --profile PATH' },
    {
      long: 'executor',
      value: 'word',
      meta: 'WHERE',
      help: 'local: run jobs here, whatever the profile says; or cluster',
    },
    { long: 'detach', value: 'none', help: 'hand over to the scheduler what is ready, and leave' },
  ],
};

const CACHES: OptionGroup = {
  title: 'Shared caches',
  options: [
    { long: 'cache', value: 'word', meta: 'NAME[:r|:rw],…', help: 'these caches alone, in this order; off: none' },
    { long: 'no-cache', value: 'none', help: 'the same as --cache off' },
    { long: 'offline', value: 'none', help: 'ask nothing over the network; what is to be uploaded waits' },
  ],
};

const UPLOADS: OptionGroup = {
  title: 'What goes there',
  options: [
    { long: 'cache-refresh', value: 'none', help: 'take no results, and replace those that are there' },
    { long: 'upload', value: 'word', meta: 'WHEN', help: 'background (default), wait, spool (later) or none' },
  ],
};

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'build',
    help: 'bring the selected jobs and what they need up to date',
    positionals: 'selectors',
    groups: [SHOW, WHAT, HOW, CACHES, UPLOADS, SUMMARY_FLAGS],
    examples: [
      ['lhb build -j 4', 'everything, four jobs at once'],
      ["lhb build 'runs/targets/*/meta.json'", 'the jobs that make these outputs'],
      ['lhb build "where:sampler.name==\'hmc\'" -k', 'by a CEL expression; carry on after failures'],
      ['lhb build -R build_target -j 4', 'rerun a rule and all downstream of it'],
      ['lhb build --resources mem_mb=32000 cpus=8', 'stay within 32 GB and 8 cores'],
      ['lhb build -n --dag | dot -Tpng > dag.png', 'a picture of the graph'],
    ],
  },
  {
    name: 'plan',
    help: 'what build would do, and why (the same as build -n)',
    positionals: 'selectors',
    groups: [WHAT, HOW, CACHES, UPLOADS],
    examples: [['lhb plan --config lr=0.1', 'what one setting would change']],
  },
  {
    name: 'summary',
    help: 'one line a job: where it stands',
    positionals: 'selectors',
    groups: [
      {
        title: 'Options',
        options: [{ long: 'detailed', value: 'none', help: 'also outputs, keys, commands, resources, hosts, logs' }],
      },
    ],
    examples: [['lhb summary --detailed | grep FAILED', 'the jobs that failed']],
  },
  {
    name: 'forcerun',
    help: 'rerun the selected jobs and everything downstream',
    positionals: 'selectors+',
    groups: [
      {
        title: 'Which',
        options: [
          { long: 'only', value: 'none', help: 'rerun just these, then build what their new bytes made stale' },
        ],
      },
      SHOW,
      WHAT,
      HOW,
      CACHES,
      UPLOADS,
    ],
    examples: [
      ['lhb forcerun tgt_3f9a -n', 'how many jobs that would be'],
      ['lhb forcerun tgt_3f9a --only', 'that target alone'],
    ],
  },
  {
    name: 'why',
    help: 'why a job would run, or last ran',
    positionals: 'selector',
    groups: [],
    examples: [['lhb why run_51c0', 'what differs from the result on record']],
  },
  {
    name: 'show',
    help: "one job's record",
    positionals: 'selector',
    groups: [],
    examples: [['lhb show tgt_3f9a0c55d1e2', 'config, parts of the key, outputs, times']],
  },
  {
    name: 'logs',
    help: "one job's log",
    positionals: 'selector',
    groups: [
      {
        title: 'Options',
        options: [
          { long: 'follow', short: 'f', value: 'none', help: 'print what is added, until the job ends' },
          { long: 'attempt', value: 'word', meta: 'N', help: 'an earlier log: N counts from the oldest' },
        ],
      },
    ],
    examples: [['lhb logs tgt_3f9a -f', 'follow a running job']],
  },
  {
    name: 'ls',
    help: 'outputs by path, for scripts',
    positionals: 'selectors',
    groups: [],
    examples: [['lhb ls run_sampler | xargs du -ch', 'the size of all runs']],
  },
  {
    name: 'graph',
    help: 'the graph of jobs, or of rules',
    positionals: 'selectors',
    groups: [
      {
        title: 'Options',
        options: [
          { long: 'rules', value: 'none', help: 'one node a rule' },
          { long: 'format', value: 'word', meta: 'FORMAT', help: 'dot (default), mermaid or json' },
        ],
      },
    ],
    examples: [['lhb graph --rules --format mermaid', 'for a README']],
  },
  {
    name: 'touch',
    help: 'accept the outputs on disk as current',
    positionals: 'selectors+',
    groups: [],
    examples: [['lhb touch build_target', 'after a change of code that cannot matter']],
  },
  {
    name: 'restore',
    help: 'bring outputs back from the store or a shared cache',
    positionals: 'selectors+',
    groups: [CACHES],
    examples: [["lhb restore 'figures/*'", 'outputs that were deleted or edited']],
  },
  {
    name: 'verify',
    help: 'check every blob and record of the store, and repair it where possible',
    positionals: 'none',
    groups: [
      {
        title: 'Options',
        options: [{ long: 'repair', value: 'none', help: 'said or not, what can be given back is given back' }],
      },
    ],
    examples: [['lhb verify', 'exit code 4 while damage is left']],
  },
  {
    name: 'gc',
    help: 'drop results from the store that nothing refers to',
    positionals: 'none',
    groups: [
      { title: 'Do it', options: CONFIRM },
      {
        title: 'How much',
        options: [
          { long: 'keep-builds', value: 'word', meta: 'N', help: 'keep what the last N builds looked at (default 10)' },
          { long: 'older-than', value: 'word', meta: 'AGE', help: 'only what was not used for so long: 30d, 12h, 2w' },
          { long: 'max-size', value: 'word', meta: 'SIZE', help: 'only until the store has at most this size: 50GB' },
        ],
      },
      {
        title: 'What is kept',
        options: [
          { long: 'pin', value: 'selectors', meta: 'SELECTOR…', help: 'keep the results of these jobs for good' },
          { long: 'unpin', value: 'selectors', meta: 'SELECTOR…', help: 'no longer' },
          { long: 'pins', value: 'none', help: 'list what is pinned' },
          { long: 'forget-tree', value: 'word', meta: 'PATH', help: 'a work tree that is gone for good' },
        ],
      },
    ],
    examples: [
      ['lhb gc', 'what would go, and why the rest stays'],
      ['lhb gc --older-than 30d --yes', 'remove what was not used for a month'],
      ['lhb gc --pin figures', 'keep the results behind the figures'],
    ],
  },
  {
    name: 'clean',
    help: 'remove outputs of jobs that are no longer in the workflow',
    positionals: 'selectors',
    groups: [
      {
        title: 'Options',
        options: [
          ...CONFIRM,
          { long: 'force', value: 'none', help: 'also files that were edited since they were made' },
        ],
      },
    ],
    examples: [
      ['lhb clean', 'which files would go'],
      ['lhb clean --yes', 'remove them; the store keeps their bytes'],
    ],
  },
  {
    name: 'cache',
    help: 'shared caches: status, doctor, ls, push, pull, verify, gc, …',
    positionals: 'words+',
    groups: [
      CACHES,
      {
        title: 'Options',
        options: [
          { long: 'group', value: 'word', meta: 'GROUP', help: 'init: the group that shares the folder' },
          { long: 'max-size', value: 'word', meta: 'SIZE', help: 'gc: keep so much, as 200G' },
          { long: 'max-age', value: 'word', meta: 'DAYS', help: 'gc: drop what nobody used for so long, as 30d' },
          { long: 'yes', short: 'y', value: 'none', help: 'gc: drop it (without, only said)' },
          { long: 'rebuild', value: 'word', meta: 'SELECTOR', help: 'verify: run this job again and compare' },
          { long: 'user', value: 'none', help: 'trust, revoke: for this user, not for the workflow' },
          { long: 'cache-refresh', value: 'none', help: 'push: replace what is there' },
          { long: 'dry-run', short: 'n', value: 'none', help: 'push, pull, repair: say what would be done' },
        ],
      },
    ],
    examples: [
      ['lhb cache init dir:/proj/lab/lhb-cache --group lab', 'a folder for a team'],
      ['lhb cache status', 'which caches there are, and how they are'],
      ['lhb cache doctor', 'tries what builds do, and says what to mend'],
      ['lhb cache ls lab', 'what a cache has'],
      ['lhb cache push lab; lhb cache pull lab train', 'send, or fetch, results without a build'],
      ['lhb cache push ssh://host/proj/cache', 'the same over ssh, with rsync'],
      ['lhb cache verify lab; lhb cache repair lab', 'check all that is there; replace what is bad'],
      ['lhb cache gc lab --max-size 200G --yes', 'clean a folder up'],
      ['lhb cache keygen', 'a key that signs what you upload'],
      ['lhb cache trust alice.pub; lhb cache revoke 12ab…', 'whose results are taken'],
    ],
  },
  {
    name: 'export',
    help: 'results as a file: lhb export [SELECTOR…] FILE.tar',
    positionals: 'words+',
    groups: [],
    examples: [['lhb export train results.tar', 'the results of a rule']],
  },
  {
    name: 'import',
    help: 'take in results that export wrote',
    positionals: 'words+',
    groups: [],
    examples: [['lhb import results.tar', 'the next build restores them']],
  },
  {
    name: 'jobs',
    help: 'what is running, here and on the cluster',
    positionals: 'none',
    groups: [],
    examples: [['lhb jobs', 'on a cluster: also why a job waits']],
  },
  {
    name: 'cancel',
    help: 'end jobs that a killed or detached build left running',
    positionals: 'selectors',
    groups: [],
    examples: [
      ['lhb cancel', 'all of them'],
      ['lhb cancel run_sampler', 'those of a rule'],
    ],
  },
  {
    name: 'profile',
    help: 'cluster profiles: list, show, init',
    positionals: 'words+',
    groups: [],
    examples: [
      ['lhb profile list', 'which there are, and where'],
      ['lhb profile show slurm', 'a profile as it is'],
      ['lhb profile init slurm', 'a copy in profiles/slurm, to be changed'],
      ['lhb profile import ~/.config/snakemake/slurm', "Snakemake's, which also runs where it is"],
    ],
  },
  { name: 'lint', help: 'warnings about the workflow', positionals: 'none', groups: [], examples: [] },
  { name: 'help', help: 'help about a command', positionals: 'topic', groups: [], examples: [] },
  { name: 'version', help: 'the version', positionals: 'none', groups: [], examples: [] },
];

/** The options of a command, without the global ones. */
export const commandOptions = (command: CommandSpec): OptionSpec[] => command.groups.flatMap((group) => group.options);

export const findCommand = (name: string): CommandSpec | undefined => COMMANDS.find((c) => c.name === name);
