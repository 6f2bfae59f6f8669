import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { DiagnosticError } from '../../src/base/diagnostic.ts';
import { evaluate, evaluateText } from '../../src/expr/template.ts';
import type { Template } from '../../src/expr/types.ts';
import { ruleReferences } from '../../src/workflow/references.ts';
import { pointedAt, load, ruleOf, valueOf, yaml } from './support.ts';

const text = (template: Template | undefined, names: Readonly<Record<string, unknown>> = {}): string =>
  template ? evaluateText(template, new Map(Object.entries(names))) : '';

const FULL = `
lhb: 1
config: config.yaml
output: \${{ config.out }}/all
rules:
  build_target:
    prefix: tgt
    for: { target: "\${{ config.targets }}", n: [1, 2] }
    where: target.depth < n && n != 5
    config:
      - conf/base.yaml
      - { file: "conf/\${{ target.model }}.yaml", at: model.net }
      - { set: { seed: "\${{ n }}" }, extend: false }
    unkeyed: [runtime, a.b]
    inputs: { data: data/x.csv, more: [a, "b\${{ n }}"], db: { path: big.db, keyed: false } }
    dir: \${{ output }}/t/\${{ job.id }}
    outputs:
      meta: { path: meta.json, ignore: [/created_at], temp: true }
      parts: { path: [a.txt, b.txt] }
      plots: plots/
    code: ["src/**/*.py"]
    env: { A: "1", B: 2, C: true }
    keep_env: [CUDA_*]
    resources: { cpus: 4, mem_mb: "\${{ 8000 * attempt }}", time: "02:00:00" }
    retries: 2
    retry_on: [exit, oom]
    timeout: 6h
    priority: "\${{ n }}"
    temp: true
    cache: false
    group: { name: g, size: 5 }
    localrule: true
    scratch: /tmp
    log: logs/\${{ job.id }}.log
    shell: [bash, -eu]
    run: >
      python x.py
      --dir \${{ job.dir }}
  all:
    inputs: { targets: "\${{ build_target }}" }
  listed:
    outputs: [a.txt, b/]
    run: [touch, "\${{ outputs[0] }}", 3, 1.0]
default: [all]
`;
const FILES = { 'lhb.yaml': FULL, 'config.yaml': 'out: runs\ntargets: [{model: small, depth: 1}]\n' };

test('every field of a rule is read', () => {
  const workflow = valueOf(load(FILES));
  assert.is(workflow.output, 'runs/all');
  assert.equal(workflow.filesRead, ['lhb.yaml', 'config.yaml']);
  assert.equal(
    workflow.default?.map((rule) => rule.name),
    ['all'],
  );
  assert.equal([...workflow.rules.keys()], ['build_target', 'all', 'listed']);
  const rule = workflow.rules.get('build_target');
  assert.ok(rule);
  assert.is(pointedAt({ at: rule.at } as never), 'build_target');
  assert.is(rule.prefix, 'tgt');
  assert.equal(
    rule.for.map((axis) => axis.name),
    ['target', 'n'],
  );
  assert.is(rule.where?.source, 'target.depth < n && n != 5');
  assert.equal(
    rule.config?.map((layer) => [layer.kind, layer.under, layer.extend]),
    [
      ['file', [], true],
      ['file', ['model', 'net'], true],
      ['set', [], false],
    ],
  );
  assert.equal(rule.unkeyed, ['runtime', 'a.b']);
  assert.equal(
    rule.inputs.map((input) => [input.name, input.keyed]),
    [
      ['data', true],
      ['more', true],
      ['db', false],
    ],
  );
  assert.equal(
    rule.inputs.map((input) => evaluate(input.value, new Map([['n', 7n]]))),
    ['data/x.csv', ['a', 'b7'], 'big.db'],
  );
  assert.equal(
    rule.outputs.map((o) => [o.name, o.path.kind, o.ignore, o.temp]),
    [
      ['meta', 'constant', ['/created_at'], true],
      ['parts', 'list', [], false],
      ['plots', 'constant', [], false],
    ],
  );
  assert.is(rule.outputsAreList, false);
  assert.equal(
    rule.code.map((code) => text(code)),
    ['src/**/*.py'],
  );
  assert.equal(
    rule.env.map((v) => [v.name, text(v.value)]),
    [
      ['A', '1'],
      ['B', '2'],
      ['C', 'true'],
    ],
  );
  assert.equal(rule.keepEnv, ['CUDA_*']);
  assert.equal(
    rule.resources.map((r) => [r.name, evaluate(r.value, new Map([['attempt', 2n]]))]),
    [
      ['cpus', 4n],
      ['mem_mb', 16000n],
      ['time', '02:00:00'],
    ],
  );
  assert.is(rule.retries?.kind === 'constant' && rule.retries.value, 2n);
  assert.equal([...rule.retryOn].sort(), ['exit', 'oom']);
  assert.is(text(rule.timeout), '6h');
  assert.is(text(rule.priority, { n: 3n }), '3');
  assert.equal([rule.temp, rule.cache, rule.localrule, rule.group], [true, false, true, { name: 'g', size: 5 }]);
  assert.is(text(rule.scratch), '/tmp');
  assert.equal(
    rule.shell?.map((word) => text(word)),
    ['bash', '-eu'],
  );
  const job = new Map([
    ['id', 'tgt_1'],
    ['dir', 'd'],
  ]);
  assert.is(text(rule.log, { job }), 'logs/tgt_1.log');
  assert.is(rule.run?.kind === 'script' && text(rule.run.text, { job }), 'python x.py --dir d\n');
});

test('outputs may be a list, run an argv with numbers as they are written', () => {
  const rule = valueOf(load(FILES)).rules.get('listed');
  assert.equal([rule?.outputsAreList, rule?.outputs.map((o) => o.name)], [true, ['0', '1']]);
  const words = rule?.run?.kind === 'argv' ? rule.run.items.slice(2).map((item) => text(item)) : [];
  assert.equal(words, ['3', '1.0']);
});

test('a rule with nothing but a command has the defaults', () => {
  const rule = ruleOf('  a: { run: "true" }\n');
  assert.equal(
    [rule.prefix, rule.for, rule.config, rule.outputs, rule.temp, rule.cache, rule.group, rule.retries, rule.keepEnv],
    ['a', [], undefined, [], false, true, undefined, undefined, undefined],
  );
  assert.equal(rule.retryOn, ['oom', 'timeout', 'node_fail', 'exit']);
});

test('a workflow without much has the defaults', () => {
  const workflow = valueOf(load('lhb: 1\nrules: {a: {run: x}}'));
  assert.equal([workflow.output, workflow.link, workflow.caches, workflow.default], ['runs', 'auto', [], undefined]);
  assert.is(workflow.store, join(workflow.root, '.lhb'));
  assert.is(basename(workflow.file.name), 'lhb.yaml');
});

test('store may be absolute, at home, or an expression', () => {
  const store = (value: string): string => valueOf(load(`lhb: 1\nstore: ${value}\nrules: {a: {run: x}}`)).store;
  assert.is(store('/big/store'), '/big/store');
  assert.is(store('~/store'), join(homedir(), 'store'));
  assert.is(store('${{ env.HOME }}/s'), '/home/ann/s');
});

test('defaults lie under every rule, maps deeply, and give way to it', () => {
  const workflow = valueOf(
    load(`
lhb: 1
defaults: { env: { A: "1", B: "2" }, resources: { cpus: 4 }, retries: 1, code: [x.py] }
rules:
  a: { run: x }
  b: { run: x, env: { B: "3", C: "4" }, retries: 5, code: [y.py] }
`),
  );
  const shown = (name: string): unknown[] => {
    const rule = workflow.rules.get(name);
    return [
      rule?.env.map((v) => v.name + text(v.value)),
      text(rule?.retries),
      rule?.code.map((c) => text(c)),
      rule?.resources.length,
    ];
  };
  assert.equal(shown('a'), [['A1', 'B2'], '1', ['x.py'], 1]);
  assert.equal(shown('b'), [['A1', 'B3', 'C4'], '5', ['y.py'], 1]);
});

test('included files add rules, after those of the workflow, in the order of names', () => {
  const workflow = valueOf(
    load({
      'lhb.yaml': 'lhb: 1\ninclude: [rules/*.yaml]\nrules: {z: {run: x}}',
      'rules/b.yaml': 'rules: {b: {run: x}}',
      'rules/a.yaml': 'rules: {a: {inputs: {b: "${{ b }}"}}}',
    }),
  );
  assert.equal([...workflow.rules.keys()], ['z', 'a', 'b']);
  assert.equal(workflow.filesRead, ['lhb.yaml', 'rules/a.yaml', 'rules/b.yaml']);
});

test('merge keys, anchors in x- fields, and expressions over several lines work', () => {
  const workflow = valueOf(
    load(`
lhb: 1
x-common: &common
  env: { A: "1" }
rules:
  a:
    <<: *common
    run: |
      echo \${{ ['a',
        'b'] }}
`),
  );
  const rule = workflow.rules.get('a');
  assert.is(rule?.env.length, 1);
  assert.is(rule?.run?.kind === 'script' && text(rule.run.text), 'echo a b\n');
});

test('`where` is CEL with or without ${{ }}, or true or false', () => {
  const where = (value: string): unknown =>
    ruleOf(`  a:\n    run: x\n    for: { i: [1] }\n    where: ${value}\n`).where?.evaluate(new Map([['i', 1n]]));
  assert.equal(
    [where('i == 1'), where('${{ i > 1 }}'), where('"i in [1, 2]"'), where('false')],
    [true, false, true, false],
  );
});

test('texts that are the same for all jobs may use config, env and output', () => {
  const workflow = valueOf(
    load(
      'lhb: 1\nconfig: {p: q, skip: [a]}\nrules: {a: {run: x, prefix: "p_${{ config.p }}", group: "g${{ env.SCALE }}"}}',
    ),
  );
  const rule = workflow.rules.get('a');
  assert.equal([rule?.prefix, rule?.group?.name], ['p_q', 'g3']);
});

test('an error inside folded, quoted and block text points at the expression', () => {
  const shown = (yamlText: string): string => {
    const rule = ruleOf(`  a:\n    run: ${yamlText}\n    outputs: { o: x }\n`);
    const run = rule.run?.kind === 'script' ? rule.run.text : undefined;
    try {
      evaluate(
        run as Template,
        new Map<string, unknown>([
          ['outputs', new Map([['o', 'x']])],
          ['config', new Map()],
        ]),
      );
    } catch (problem) {
      if (problem instanceof DiagnosticError) return problem.diagnostics.map(pointedAt).join();
      throw problem;
    }
    return '';
  };
  const found = [
    '>\n      a  ${{ outputs.o }} b\n\n      ${{ config.nope }} c',
    '|\n      "a" ${{ outputs.o }}\n        ${{ config.nope }}',
    '"a\\tb\\u0041 \\"x\\" ${{ config.nope }}"',
    "'it''s ''x'' ${{ config.nope }}'",
    'a\n      b   ${{ config.nope }}',
  ].map(shown);
  for (const place of found) assert.match(place, /^(config\.)?nope$/, found.join(' / '));
});

test('ruleReferences gives the rules that expressions name, in every field', () => {
  const workflow = valueOf(
    load(`
lhb: 1
rules:
  a: { run: x }
  b: { run: x }
  c: { run: x }
  d: { run: x }
  e:
    for: { x: "\${{ a }}" }
    where: size(b) > 0
    inputs: { i: "\${{ c.filter(d, d.id != '') }}" }
    run: echo \${{ x.id }}
`),
  );
  const rule = workflow.rules.get('e');
  assert.ok(rule);
  assert.equal([...ruleReferences(rule, workflow.rules.keys())].sort(), ['a', 'b', 'c']);
});

test('config files are data: no expressions in them', () => {
  const config = valueOf(
    load({ 'lhb.yaml': 'lhb: 1\nconfig: c.yaml\nrules: {a: {run: x}}', 'c.yaml': 'a: ${x}\nb: ${{ y }}\n' }),
  ).config;
  assert.equal(config, yaml('a: ${x}\nb: "${{ y }}"'));
});

test.run();
