import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { errorsOf, load, ruleErrors } from './support.ts';

const RULES: readonly (readonly [name: string, text: string, expected: readonly string[]])[] = [
  [
    'an unknown field',
    '  train:\n    ouputs: { m: m.json }\n    run: x\n',
    ["2:5 workflow/unknown-field: rule 'train' has no field 'ouputs' | did you mean 'outputs'?"],
  ],
  [
    'a field of another tool, once',
    '  a: { cmd: x, outputs: [b] }\n',
    ["1:8 workflow/unknown-field: rule 'a' has no field 'cmd' | the command is `run`"],
  ],
  [
    'a field with two letters swapped, which is the command',
    '  a: { rnu: x, outputs: [b] }\n',
    ["1:8 workflow/unknown-field: rule 'a' has no field 'rnu'"],
  ],
  [
    'a value of the wrong type',
    '  a: { run: { x: 1 } }\n',
    ["1:13 workflow/type: `run` of rule 'a' must be text or a list, found a map"],
  ],
  ['an empty value', '  a:\n    run:\n', ["2:5 workflow/type: `run` of rule 'a' is empty, expected text or a list"]],
  [
    'an empty text and an empty list',
    '  a: { run: "" }\n  b: { run: [] }\n',
    [
      "1:8 workflow/value: `run` of rule 'a' is empty, expected text or a list",
      "2:8 workflow/value: `run` of rule 'b' is empty, expected text or a list",
    ],
  ],
  ['a rule that is no map', '  a: 3\n', ["1:6 workflow/type: rule 'a' must be a map, found 3"]],
  [
    'an unknown field deep down',
    '  a: { run: x, group: { name: g, sze: 3 } }\n',
    ["1:34 workflow/unknown-field: `group` of rule 'a' has no field 'sze' | did you mean 'size'?"],
  ],
  [
    'a missing field',
    '  a: { run: x, inputs: { i: { keyed: false } } }\n',
    ["1:26 workflow/missing-field: `inputs.i` of rule 'a' lacks the field 'path'"],
  ],
  [
    'a misspelt required field, once',
    '  a: { run: x, inputs: { i: { paht: y } } }\n',
    ["1:31 workflow/unknown-field: `inputs.i` of rule 'a' has no field 'paht' | did you mean 'path'?"],
  ],
  [
    'a value that is none of those allowed',
    '  a: { run: x, retry_on: [timout] }\n',
    [
      "1:27 workflow/value: `retry_on[0]` of rule 'a' must be oom, timeout, node_fail or exit, found the text 'timout' | did you mean 'timeout'?",
    ],
  ],
  [
    'text for a number',
    '  a: { run: x, retries: many }\n',
    [
      "1:25 workflow/value: `retries` of rule 'a' must be a whole number from 0, or an expression that gives one, found the text 'many'",
    ],
  ],
  [
    'a negative number',
    '  a: { run: x, retries: -1 }\n',
    [
      "1:25 workflow/value: `retries` of rule 'a' must be a whole number from 0, or an expression that gives one, found -1",
    ],
  ],
  [
    'text for true or false',
    '  a: { run: x, temp: yes }\n',
    ["1:22 workflow/type: `temp` of rule 'a' must be true or false, found the text 'yes'"],
  ],
  [
    'a shell that is a command',
    '  a: { run: x, shell: bash -c }\n',
    [
      "1:23 workflow/type: `shell` of rule 'a' must be a list, found the text 'bash -c' | the command is `run`; `shell` is the program that runs it: [bash, -eu]",
    ],
  ],
  [
    'inputs without names',
    '  a: { run: x, inputs: [y] }\n',
    [
      "1:24 workflow/type: `inputs` of rule 'a' must be a map, found a list | give each input a name: inputs: { data: … }",
    ],
  ],
  [
    'a layer with file and set',
    '  a: { run: x, config: [{ file: y, set: {} }] }\n',
    ["1:25 workflow/value: `config[0]` of rule 'a' must have either `file` or `set`, found both | make it two layers"],
  ],
  [
    'a layer with neither',
    '  a: { run: x, config: [{ at: y }] }\n',
    ["1:25 workflow/value: `config[0]` of rule 'a' must have either `file` or `set`, found neither"],
  ],
  [
    'a layer that is a map to be set',
    '  a: { run: x, config: [{ lr: 1 }] }\n',
    ["1:27 workflow/unknown-field: `config[0]` of rule 'a' has no field 'lr' | known fields: file, set, at, extend"],
  ],
  [
    '`for` over a map',
    '  a: { run: x, for: { i: { b: 1 } } }\n',
    ["1:26 workflow/type: `for.i` of rule 'a' must be a list or an expression that gives one, found a map"],
  ],
  [
    '`for` over text',
    '  a: { run: x, for: { i: foo } }\n',
    ["1:26 workflow/value: `for.i` of rule 'a' must be a list or an expression that gives one, found the text 'foo'"],
  ],
  [
    '`for` over text with an expression',
    '  a: { run: x, for: { i: "a${{ 1 }}" } }\n',
    [
      "1:26 workflow/type: rule 'a': the `for` name 'i' must be a list, and this is text with an expression in it | write one expression that gives a list, or a list: [a, b]",
    ],
  ],
  [
    'outputs without a command',
    '  a: { outputs: [x] }\n',
    [
      "1:3 workflow/no-run: rule 'a' has outputs, and no `run` that makes them | add the command as `run`; a file that nobody makes is named in `inputs` of the rules that read it",
    ],
  ],
  [
    'a rule without anything',
    '  a: {}\n',
    [
      "1:3 workflow/empty-rule: rule 'a' has neither `run` nor `inputs` | add the command as `run`, or `inputs` to make the rule a name for them",
    ],
  ],
  [
    'an output path that leads out',
    '  a: { run: x, outputs: { o: ../b, p: /c } }\n',
    [
      "1:30 workflow/value: rule 'a': output 'o': '../b' leads out of its folder | output paths lie below the job's folder, `dir`",
      "1:39 workflow/value: rule 'a': output 'p': '/c' is absolute, where a relative path is expected | output paths lie below the job's folder, `dir`",
    ],
  ],
  [
    'an ignored field that is no JSON pointer',
    '  a: { run: x, outputs: { o: { path: y, ignore: [a.b] } } }\n',
    ["1:50 workflow/value: rule 'a': 'a.b' in `ignore` of output 'o' is no JSON pointer | write '/a/b'"],
  ],
  [
    'dotted paths with holes',
    '  a: { run: x, unkeyed: [b..c], config: [{ set: {}, at: .d }] }\n',
    [
      "1:57 workflow/dotted-path: rule 'a': '.d' in `at` is no dotted path | write it as a.b.c",
      "1:26 workflow/dotted-path: rule 'a': 'b..c' in `unkeyed` is no dotted path | write it as a.b.c",
    ],
  ],
  [
    'a timeout that is no time',
    '  a: { run: x, timeout: soon }\n',
    [
      "1:25 workflow/value: `timeout` of rule 'a' must be a time, found the text 'soon' | write seconds as a number, or 90m, 6h, 02:00:00, 1-02:00",
    ],
  ],
  [
    'a prefix of a wrong form',
    '  a: { run: x, prefix: 3x }\n',
    ["1:24 workflow/value: `prefix` of rule 'a' must be a letter, then letters, digits and _, found the text '3x'"],
  ],
  [
    'a name that is no prefix',
    '  _a: { run: x }\n',
    ["1:3 workflow/prefix: rule '_a' needs a `prefix`: its name does not begin with a letter, as ids must"],
  ],
  [
    'a prefix used twice',
    '  a: { run: x }\n  b: { run: x, prefix: a }\n',
    [
      "2:3 workflow/prefix: rule 'b' has the prefix 'a', which rule 'a' has already | give one of them another `prefix`",
    ],
  ],
  [
    'names that cannot be names',
    '  x-y: { run: x, prefix: p }\n  job: { run: x }\n  a: { run: x, for: { in: [1], env: [1], job: [1] }, inputs: { config: y }, outputs: { "a b": z } }\n',
    [
      "1:3 workflow/name: the rule name 'x-y' must be letters, digits and _, and not begin with a digit | write it as x_y",
      "2:3 workflow/name: the rule name 'job' is a name that expressions have already",
      "3:88 workflow/name: rule 'a': the output name 'a b' must be letters, digits and _, and not begin with a digit | write it as a_b",
      "3:23 workflow/name: rule 'a': the `for` name 'in' is a reserved word of CEL",
      "3:32 workflow/name: rule 'a': the `for` name 'env' is a name that expressions have already",
      "3:42 workflow/name: rule 'a': the `for` name 'job' is a name that expressions have already",
      "3:64 workflow/name: rule 'a': the input name 'config' is a name that expressions have already",
    ],
  ],
  [
    "a `for` name that is a rule's name",
    '  a: { run: x, for: { b: [1] } }\n  b: { run: x }\n',
    ["1:23 workflow/name: rule 'a': the `for` name 'b' is a rule's name already"],
  ],
  [
    'an unknown name',
    '  train: { run: "x ${{ trian }}" }\n',
    ["1:24 workflow/unknown-name: rule 'train': there is no `trian`, which `run` uses | did you mean 'train'?"],
  ],
  [
    '`job` before its turn',
    '  a: { run: x, for: { i: "${{ [job.id] }}" }, where: job.id != "", inputs: { x: "${{ job.dir }}" } }\n',
    [
      "1:32 workflow/not-yet-known: rule 'a': `job` is not known yet in the `for` name 'i' | the `for` name 'i' may use config, env, output and rules' names",
      "1:54 workflow/not-yet-known: rule 'a': `job` is not known yet in `where` | `where` may use config, env, output, i and rules' names",
      "1:86 workflow/not-yet-known: rule 'a': `job` is not known yet in `inputs` | `inputs` may use config, env, output, i and rules' names",
    ],
  ],
  [
    'a `for` name before its turn',
    '  a: { run: x, for: { i: "${{ j.l }}", j: [{ l: [1] }] } }\n',
    [
      "1:31 workflow/not-yet-known: rule 'a': `j` is not known yet in the `for` name 'i' | `for` names are worked out from top to bottom: move 'j' above 'i'",
    ],
  ],
  [
    'fields of the job before their turn',
    '  a: { run: x, dir: "d/${{ job.dir }}", outputs: { o: "${{ job.outputs.o }}" } }\n',
    [
      "1:28 workflow/not-yet-known: rule 'a': `job.dir` is not known yet in `dir` | `dir` may use config, env, output, job, inputs and rules' names",
      "1:60 workflow/not-yet-known: rule 'a': `job.outputs` is not known yet in `outputs` | `outputs` may use config, env, output, job, inputs and rules' names",
    ],
  ],
  [
    '`attempt` and `resources` before their turn',
    '  a: { run: x, dir: "${{ attempt }}", resources: { cpus: "${{ resources.x }}" } }\n',
    [
      "1:26 workflow/not-yet-known: rule 'a': `attempt` is not known yet in `dir` | `dir` may use config, env, output, job, inputs and rules' names",
      "1:63 workflow/not-yet-known: rule 'a': `resources` is not known yet in `resources` | `resources` may use config, env, output, job, inputs, outputs, attempt and rules' names",
    ],
  ],
  [
    "a job's name where all jobs share the text",
    '  a: { run: x, for: { i: [1] }, unkeyed: ["a.${{ i }}", "${{ job.id }}"] }\n',
    [
      "1:50 workflow/not-yet-known: rule 'a': `i` is not known yet in `unkeyed` | `unkeyed` is the same for all jobs of a rule: it may use config, env and output",
      "1:62 workflow/not-yet-known: rule 'a': `job` is not known yet in `unkeyed` | `unkeyed` is the same for all jobs of a rule: it may use config, env and output",
    ],
  ],
  [
    'an expression in a key',
    '  a: { run: x, config: [{ set: { "${{ env.HOME }}": 1 } }] }\n',
    [
      '1:34 workflow/value: expressions stand in values, not in keys | let one expression give the whole map: ${{ {name: value} }}',
    ],
  ],
  [
    '`where` with text around an expression',
    '  a: { run: x, where: "${{ true }} x" }\n',
    [
      '1:23 workflow/value: `where` must be one expression, with or without ${{ }} | write one expression: where: a.x == 1 && b.y < 2',
    ],
  ],
];

for (const [name, text, expected] of RULES) {
  test(`tells ${name}`, () => assert.equal(ruleErrors(text), expected));
}

test('a mistake in an expression has its place in folded text', () => {
  const [message = ''] = ruleErrors('  a:\n    run: >\n      python x.py\n      --x ${{ 1 + }} y\n');
  assert.match(message, /^4:\d+ expr\/syntax: /);
});

const WORKFLOWS: readonly (readonly [name: string, text: string, expected: readonly string[]])[] = [
  [
    'no version',
    'rules: {a: {run: x}}',
    ["1:1 workflow/missing-version: the workflow does not say its format version | add the line 'lhb: 1' at the top"],
  ],
  [
    'a newer version, and nothing else',
    'lhb: 2\nnew: 1',
    ['1:6 workflow/version: the workflow has format 2, and this lhb reads format 1 | a newer lhb is needed'],
  ],
  [
    'a version that is none',
    'lhb: "1"\nrules: {}',
    ["1:6 workflow/version: `lhb`, the format version, must be 1, found '\"1\"' | write 'lhb: 1'"],
  ],
  ['an empty file', '', ["1:1 workflow/type: the workflow is empty | begin with the line 'lhb: 1'"]],
  [
    'a list',
    '- a',
    ["1:1 workflow/type: the workflow must be a map with `lhb` and `rules` | begin with the line 'lhb: 1'"],
  ],
  ['no rules', 'lhb: 1\n', ['1:1 workflow/missing-field: the workflow has no rules | add one below `rules:`']],
  [
    'an unknown field at the top',
    'lhb: 1\nruels: {}\nrules: {a: {run: x}}',
    ["2:1 workflow/unknown-field: the workflow has no field 'ruels' | did you mean 'rules'?"],
  ],
  [
    'an unknown default',
    'lhb: 1\ndefault: [trian]\nrules: {train: {run: x}}',
    ["2:11 workflow/unknown-rule: `default` names the rule 'trian', which does not exist | did you mean 'train'?"],
  ],
  [
    'a wrong link',
    'lhb: 1\nlink: hard\nrules: {a: {run: x}}',
    ["2:7 workflow/value: `link` must be auto, reflink, hardlink or copy, found the text 'hard'"],
  ],
  [
    'a wrong cache',
    'lhb: 1\ncaches: [{ name: a b, url: "dir:/x", mode: w }, { name: c }]\nrules: {a: {run: x}}',
    [
      "2:18 workflow/value: `caches[0].name` must be letters, digits, _ . and -, found the text 'a b'",
      "2:44 workflow/value: `caches[0].mode` must be r or rw, found the text 'w'",
      "2:49 workflow/missing-field: `caches[1]` lacks the field 'url'",
    ],
  ],
  [
    'an output root outside',
    'lhb: 1\noutput: /data\nrules: {a: {run: x}}',
    [
      "2:9 workflow/value: `output`: '/data' is absolute, where a relative path is expected | outputs lie below the workflow's folder",
    ],
  ],
  [
    'an include without a match',
    'lhb: 1\ninclude: [r/*.yaml]\nrules: {a: {run: x}}',
    ["2:11 workflow/include: `include`: 'r/*.yaml' matches no file | patterns are from the workflow's folder"],
  ],
  [
    'a mistake in defaults, once for all rules',
    'lhb: 1\ndefaults: { env: { A: "${{ nope }}" }, rnu: x }\nrules: {a: {run: x}, b: {run: x}}',
    [
      "2:40 workflow/unknown-field: `defaults` has no field 'rnu'",
      "2:28 workflow/unknown-name: rule 'a': there is no `nope`, which `env` uses | `env` may use config, env, output, job, inputs, outputs, attempt, resources and rules' names",
    ],
  ],
];

for (const [name, text, expected] of WORKFLOWS) {
  test(`tells ${name}`, () => assert.equal(errorsOf(load(text)), expected));
}

test('a rule defined twice, in two files, is told with both places', () => {
  const result = load({
    'lhb.yaml': 'lhb: 1\ninclude: r.yaml\nrules: {a: {run: x}}',
    'r.yaml': 'rules:\n  a: {run: y}\n',
  });
  assert.equal(errorsOf(result), ["2:3 workflow/duplicate-rule: the rule 'a' is defined twice"]);
  const related = result.ok ? undefined : result.error[0]?.related?.[0];
  assert.is(related?.message, 'first defined here');
  assert.match(related?.at.file.name ?? '', /lhb\.yaml$/);
});

test('an included file holds rules alone', () => {
  const files = { 'lhb.yaml': 'lhb: 1\ninclude: r.yaml\n', 'r.yaml': 'config: {}\nrules: {a: {run: y}}\n' };
  assert.equal(errorsOf(load(files)), [
    "1:1 workflow/unknown-field: an included file has no field 'config' | it may hold `rules` alone",
  ]);
});

test('mistakes of all files and parts are told together', () => {
  const result = load({
    'lhb.yaml':
      'lhb: 1\nconfig: c.yaml\ninclude: r.yaml\noutput: ../x\nrules:\n  a: { runn: x }\n  b: { run: "${{ nope }}" }\n',
    'c.yaml': 'a: [1\n',
    'r.yaml': 'rules: {c: {}}\n',
  });
  const codes = new Set(errorsOf(result).map((line) => line.split(':')[1]?.replace(/^\d+ /, '')));
  const expected = [
    'workflow/empty-rule',
    'workflow/unknown-field',
    'workflow/unknown-name',
    'workflow/value',
    'yaml/syntax',
  ];
  assert.equal(codes, new Set(expected));
});

test.run();
