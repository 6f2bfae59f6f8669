import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { helpText } from '../../src/cli/help.ts';
import type { BuildOptions, Invocation, Word } from '../../src/cli/invocation.ts';
import { earlyOptions, parseArgv } from '../../src/cli/options.ts';
import { COMMANDS, commandOptions } from '../../src/cli/options-table.ts';

function parse(...argv: string[]): Invocation {
  const result = parseArgv(argv, {});
  if (!result.ok) throw new Error(result.error.map((e) => e.message).join('\n'));
  return result.value;
}

function build(...argv: string[]): { selectors: string[] } & BuildOptions {
  const invocation = parse('build', ...argv);
  if (invocation.command !== 'build') throw new Error(`a ${invocation.command}`);
  return { selectors: texts(invocation.selectors), ...invocation.build };
}

/** Errors as `message [the text that the caret points at]`, with the hint behind `--`. */
function errors(...argv: string[]): string[] {
  const result = parseArgv(argv, {});
  if (result.ok) throw new Error(`no error: ${JSON.stringify(result.value)}`);
  return result.error.map((e) => {
    const pointed = e.at?.file.text.slice(e.at.start, e.at.end) ?? '';
    return `${e.message} [${pointed}]${e.hint === undefined ? '' : ` -- ${e.hint}`}`;
  });
}

const texts = (words: readonly Word[]): string[] => words.map((w) => w.text);

const pairs = (list: readonly { name: string; value: string }[]): string[] => list.map((a) => `${a.name}|${a.value}`);

test('-j takes a number that follows, and nothing else', () => {
  assert.is(build().jobs, undefined);
  assert.is(build('-j').jobs, undefined);
  for (const argv of [['-j', '4'], ['-j4'], ['-j=4'], ['--jobs', '4'], ['--jobs=4'], ['-nj4'], ['-nj', '4']]) {
    assert.is(build(...argv).jobs, 4, argv.join(' '));
  }
  assert.equal(build('-j', 'train').selectors, ['train']);
  assert.is(build('-j', 'train').jobs, undefined);
  assert.equal(build('-j', '4', 'train').selectors, ['train']);
  assert.equal(build('-j', '--', '12').selectors, ['12']);
  assert.is(build('-j', '2', '-j', '8').jobs, 8);
});

test('what stands where -j takes a number is told so', () => {
  const behind = (...argv: string[]): (string | undefined)[] => {
    const parsed = parse('build', ...argv);
    return parsed.command === 'build' ? parsed.selectors.map((word) => word.behind) : [];
  };
  assert.equal(behind('-j', 'two', 'a'), ['-j', undefined]);
  assert.equal(behind('--jobs', 'two'), ['--jobs']);
  assert.equal(behind('-nj', '2x'), ['-j']);
  assert.equal(behind('-j', '2', 'a'), [undefined]);
  assert.equal(behind('-j', '-n', 'a'), [undefined]);
  assert.equal(behind('-j', '--', 'a'), [undefined]);
  assert.equal(errors('build', '-jtwo'), ["option '-j' needs a whole number, not 'two' [-jtwo]"]);
  assert.equal(errors('build', '-j', '-1'), ["lhb build has no option '-1' [-1] -- -j takes a whole number, from 1"]);
  assert.match(errors('build', '-n', '-1').join('\n'), /no option '-1' \[-1\] -- see lhb build --help/);
});

test('words that look like numbers stay text', () => {
  const numbers = ['1e5', '123456789012345678', '0x10', '007', '1.0'];
  assert.equal(build(...numbers).selectors, numbers);
  assert.equal(texts(build('-R', '1e5', '-U', '1e6', '-O', '12').forcerun), ['1e5']);
  assert.equal(texts(build('-U', '1e6').until), ['1e6']);
  const show = parse('show', '123456789012');
  assert.is(show.command === 'show' && show.selector.text, '123456789012');
  assert.equal(texts([parse('-C', '1e3', 'lint').common.directory!]), ['1e3']);
});

test('short flags combine, and mean what the long ones mean', () => {
  const short = build('-nrkF');
  assert.equal(short, build('-n', '-r', '-k', '-F'));
  assert.equal(short, build('--dry-run', '--reason', '--keep-going', '--forceall'));
  assert.ok(short.dryRun && short.reason && short.keepGoing && short.forceAll);
});

test('a dry run gives reasons, and --dag is one', () => {
  assert.is(build().reason, false);
  assert.is(build('-r').dryRun, false);
  assert.is(build('-n').reason, true);
  assert.is(build('--dag').dryRun, true);
  const plan = parse('plan', 'x');
  assert.equal(plan, { ...plan, command: 'build' });
  assert.ok(plan.command === 'build' && plan.build.dryRun);
});

test('a word without = ends --resources, --config and their like', () => {
  const o = build('--resources', 'mem_mb=32000', 'cpus=8', 'train', '--default-resources', 'partition=normal');
  assert.equal(pairs(o.resources), ['mem_mb|32000', 'cpus|8']);
  assert.equal(pairs(o.defaultResources), ['partition|normal']);
  assert.equal(o.selectors, ['train']);
  const config = parse('build', '--config', 'a.b=1', 'c=[1,2]', "where:x=='y'", '--config', 'd==', 'runs/n=5/o.json');
  assert.equal(pairs(config.common.config), ['a.b|1', 'c|[1,2]', 'd|=']);
  assert.ok(config.command === 'build');
  assert.equal(config.command === 'build' && texts(config.selectors), ["where:x=='y'", 'runs/n=5/o.json']);
  const [set] = build('--set-resources', 'train:mem_mb=attempt * 1000').setResources;
  assert.equal([set?.rule, set?.name, set?.value], ['train', 'mem_mb', 'attempt * 1000']);
});

test('selectors after -R are its own, until an option or --', () => {
  const o = build('-R', 'a', 'b', '-j', '4', 'c', '--forcerun', 'd', '--', 'e');
  assert.equal(texts(o.forcerun), ['a', 'b', 'd']);
  assert.equal(o.selectors, ['c', 'e']);
  assert.is(o.jobs, 4);
});

test('options may stand before the command', () => {
  const o = parse('-C', 'dir', '-n', '-f', 'w.yaml', 'build', 'x');
  assert.is(o.command, 'build');
  assert.is(o.common.directory?.text, 'dir');
  assert.is(o.common.file?.text, 'w.yaml');
  assert.ok(o.command === 'build' && o.build.dryRun);
  assert.is(parse('--config', 'a=1', 'summary').command, 'summary');
});

test('-f is --follow behind logs, and --file elsewhere', () => {
  const logs = parse('-f', 'w.yaml', 'logs', '-f', 'x', '--attempt', '2');
  assert.ok(logs.command === 'logs' && logs.follow && logs.attempt === 2);
  assert.is(logs.common.file?.text, 'w.yaml');
  assert.is(parse('ls', '-f', 'w.yaml').common.file?.text, 'w.yaml');
});

test('build --summary is summary', () => {
  const summary = parse('build', '--summary', 'x');
  assert.ok(summary.command === 'summary' && !summary.detailed);
  const detailed = parse('build', '--detailed-summary');
  assert.ok(detailed.command === 'summary' && detailed.detailed);
});

test('an option has its place for later errors', () => {
  const { directory } = parse('lint', '-C', 'my dir').common;
  assert.is(directory?.at.file.name, 'command line');
  assert.is(directory?.at.file.text, "lhb lint -C 'my dir'");
  assert.is(directory?.at.file.text.slice(directory.at.start, directory.at.end), "'my dir'");
});

test('colour: flag before environment', () => {
  const color = (env: Record<string, string>, ...argv: string[]): string => earlyOptions(argv, env).color;
  assert.is(color({}), 'auto');
  assert.is(color({ NO_COLOR: '1', FORCE_COLOR: '1' }), 'never');
  assert.is(color({ NO_COLOR: '' }), 'auto');
  assert.is(color({ FORCE_COLOR: '1' }), 'always');
  assert.is(color({ FORCE_COLOR: '0' }), 'never');
  assert.is(color({ FORCE_COLOR: '1' }, 'build', '--no-color'), 'never');
  assert.is(parse('build', '--no-color').common.color, 'never');
});

test('the last of -q and -v counts', () => {
  assert.is(parse('build', '-q', '-v').common.verbosity, 'verbose');
  assert.is(parse('-v', 'build', '-q').common.verbosity, 'quiet');
  assert.is(parse('build').common.verbosity, 'normal');
});

test('--json is known though the rest is wrong', () => {
  assert.is(earlyOptions(['biuld', '--json'], {}).json, true);
  assert.is(earlyOptions(['build', '--', '--json'], {}).json, false);
});

test('nothing at all is help; -h wins over mistakes', () => {
  assert.equal(parse().command, 'help');
  const help = parse('plan', '--bogus', '-h');
  assert.ok(help.command === 'help' && help.topic === 'plan');
  const topic = parse('help', 'build');
  assert.ok(topic.command === 'help' && topic.topic === 'build');
  assert.is(parse('--version').command, 'version');
});

test('all mistakes of a line are shown, in its order', () => {
  assert.equal(errors('build', '--jbos', '4', '--retries', 'x', '-Z'), [
    "lhb build has no option '--jbos' [--jbos] -- did you mean '--jobs'?",
    "--retries needs a whole number, from 0, not 'x' [x]",
    "lhb build has no option '-Z' [-Z] -- see lhb build --help",
  ]);
});

test('wrong commands', () => {
  assert.equal(errors('biuld', '-j'), ["there is no command 'biuld' [biuld] -- did you mean 'build'?"]);
  assert.equal(errors('status'), ["there is no command 'status' [status] -- did you mean 'summary'?"]);
  assert.equal(errors('diff', 'a', '--x'), ['lhb diff is not in this version yet [diff]']);
  assert.equal(errors('help', 'ui'), ['lhb ui is not in this version yet [ui]']);
  assert.equal(errors('-j', '4'), ["no command is given [lhb -j 4] -- did you mean 'lhb build -j 4'?"]);
  assert.equal(errors('runs/*/x'), [
    "there is no command 'runs/*/x' ['runs/*/x'] -- to build a job: lhb build 'runs/*/x'",
  ]);
});

test('wrong options and values', () => {
  const cases: [string[], string][] = [
    [['build', '--cores', '4'], "lhb build has no option '--cores' [--cores] -- use -j N"],
    [
      ['summary', '-n'],
      "lhb summary has no option '-n' [-n] -- it is an option of lhb build, lhb forcerun, lhb gc, lhb clean, lhb cache",
    ],
    [
      ['-n', 'ls'],
      "lhb ls has no option '--dry-run' [-n] -- it is an option of lhb build, lhb forcerun, lhb gc, lhb clean, lhb cache",
    ],
    [['build', '-j0'], "--jobs needs a whole number, from 1, not '0' [-j0]"],
    [['build', '--jobs=x'], "--jobs needs a whole number, from 1, not 'x' [--jobs=x]"],
    [['build', '-n=1'], "option '-n' takes no value [-n=1]"],
    [['build', '-R'], "option '-R' needs at least one selector [-R]"],
    [['build', '-R', '-j', '4'], "option '-R' needs at least one selector [-R]"],
    [['build', '--config', 'lr'], "option '--config' needs NAME=VALUE, not 'lr' [lr]"],
    [['build', '--resources', '=1'], "option '--resources' needs NAME=VALUE, not '=1' [=1]"],
    [['build', '--set-resources', 'mem=1'], "--set-resources needs RULE:NAME=VALUE, not 'mem=1' [mem=1]"],
    [['build', '-C'], "option '-C' needs a value, DIR [-C]"],
    [
      ['build', '--executor', 'slurm'],
      "--executor takes local or cluster, not 'slurm' [slurm] -- a scheduler is named by its profile: --profile slurm",
    ],
    [
      ['build', '--upload', 'spol'],
      "--upload takes background, wait, spool or none, not 'spol' [spol] -- did you mean 'spool'?",
    ],
    [['cache'], 'lhb cache needs a command [lhb cache] -- see lhb cache --help'],
    [['graph', '--format', 'md'], "--format takes dot, mermaid or json, not 'md' [md]"],
    [
      ['graph', '--format', 'svg'],
      '--format svg is not in this version yet [svg] -- with Graphviz: lhb graph | dot -Tsvg',
    ],
    [['show', 'a', 'b'], "lhb show takes one selector; 'b' is too much [b]"],
    [['lint', 'x'], "lhb lint takes no arguments; 'x' is too much [x]"],
    [['touch'], "lhb touch needs a selector [lhb touch] -- a job's id, a rule, an output path or where:EXPR"],
  ];
  for (const [argv, expected] of cases) assert.equal(errors(...argv), [expected], argv.join(' '));
});

test('what this version has of later options is taken', () => {
  assert.equal(build('--executor', 'local'), { ...build(), executor: 'local' });
});

test('options of shared caches', () => {
  const { caches } = build('--cache', 'lab:rw,web', '--cache-refresh', '--offline', '--upload', 'spool');
  assert.equal(
    { ...caches, choice: caches.choice?.text },
    { choice: 'lab:rw,web', refresh: true, offline: true, upload: 'spool' },
  );
  assert.is(build('--no-cache').caches.choice?.text, 'off');
  assert.is(build().caches.choice, undefined);
});

test('control characters of the command line never reach the terminal', () => {
  const [first = ''] = errors('build', '--x\u001b[31m\n');
  assert.not(first.includes('\u001b') || first.includes('\n'));
  assert.match(first, '\\u001b[31m');
});

test('gc and clean say what would go unless --yes is given, and -n wins', () => {
  const gc = (...argv: string[]) => {
    const parsed = parse('gc', ...argv);
    assert.ok(parsed.command === 'gc');
    return parsed.gc;
  };
  assert.equal([gc().yes, gc('-y').yes, gc('--yes', '-n').yes], [false, true, false]);
  assert.equal([gc().keepBuilds, gc('--keep-builds', '3').keepBuilds], [10, 3]);
  const ages = ['90s', '30m', '12h', '30d', '2w', '1y', '1.5d'];
  assert.equal(
    ages.map((age) => gc('--older-than', age).olderThanS),
    [90, 1800, 43_200, 2_592_000, 1_209_600, 31_536_000, 129_600],
  );
  const sizes = ['5', '50GB', '500M', '1.5 tb', '20GiB', '1k'];
  assert.equal(
    sizes.map((size) => gc('--max-size', size).maxBytes),
    [5, 50e9, 500e6, 1.5e12, 20 * 1024 ** 3, 1000],
  );
  assert.equal(texts(gc('--pin', 'a', 'b').pin), ['a', 'b']);
  for (const [option, value] of [
    ['--older-than', '30'],
    ['--older-than', 'd'],
    ['--max-size', 'GB'],
    ['--max-size', '5iB'],
    ['--keep-builds', '31'],
  ] as const)
    assert.is(errors('gc', option, value).length, 1, `${option} ${value}`);
  assert.is(errors('gc', '--pins', '--yes').length, 1);
  const clean = parse('clean', 'a', '--yes', '--force');
  assert.ok(clean.command === 'clean' && clean.clean.yes && clean.clean.force);
});

test('names of the prototype are options like any other', () => {
  for (const name of ['--__proto__', '--constructor=1', '--toString']) assert.is(errors('build', name).length, 1);
});

test('what users of Snakemake type', () => {
  const glob = 'runs/targets/*/run_sgld_*/analysis.json';
  assert.equal(build(glob, '-j', '8').selectors, [glob]);
  assert.equal(texts(build('--forcerun', glob, '-j', '8').forcerun), [glob]);
  assert.equal(pairs(build('-j', '4', '--resources', 'mem_mb=32000').resources), ['mem_mb|32000']);
  assert.equal(build(glob, '-j', '2', '--resources', 'cpus=8').selectors, [glob]);
  assert.ok(build('-n', '--dag').dag);
  assert.ok(build('-n', '-r').reason);
  assert.ok(build('--rerun-incomplete', '-j', '4').rerunIncomplete);
  assert.equal(pairs(build('-j', '100', '--default-resources', 'partition=normal').defaultResources), [
    'partition|normal',
  ]);
  const forcerun = parse('forcerun', 'tgt_xxxxxx', '--only', '-n');
  assert.ok(forcerun.command === 'forcerun' && forcerun.only && forcerun.build.dryRun);
});

test('help names every option that it offers in one line, and fits a terminal', () => {
  for (const command of COMMANDS) {
    const text = helpText(command.name);
    for (const option of commandOptions(command)) {
      const lines = text.split('\n').filter((line) => line.includes(`--${option.long} `));
      assert.is(
        lines.some((line) => line.includes(option.help ?? '\0')),
        option.help !== undefined,
        option.long,
      );
    }
  }
  for (const text of [helpText(), ...COMMANDS.map((c) => helpText(c.name))]) {
    assert.ok(Math.max(...text.split('\n').map((line) => line.length)) <= 100);
  }
  for (const command of COMMANDS) assert.match(helpText(), `  ${command.name}`);
});

test('every example of the help is a command line that parses', () => {
  for (const command of COMMANDS) {
    for (const [line] of command.examples) {
      const words = line.replace(/ [|>].*/, '').match(/"[^"]*"|'[^']*'|[^ ]+/g) ?? [];
      parse(...words.slice(1).map((w) => w.replace(/^(["'])(.*)\1$/, '$2')));
    }
  }
});

test.run();
