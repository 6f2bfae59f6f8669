// Which jobs a workflow has, with which config, folders, inputs, outputs and edges.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { asList, asMap, asText, type Json } from '../support/json.ts';
import { ran, rigTest, type Rig } from '../support/rig.ts';

/** Builds, and gives the words that each job has put into ran.log, sorted. */
async function built(rig: Rig): Promise<readonly string[]> {
  await rig.ok('build');
  return rig.ranSince();
}

/** The workflow must be an error, which says all of this; nothing may have been written. */
async function refused(rig: Rig, workflow: string, ...said: readonly (string | RegExp)[]): Promise<void> {
  rig.workflow(workflow);
  const before = rig.tree('.');
  const ended = await rig.exits(2, 'build');
  for (const text of said) assert.match(ended.stderr, text);
  assert.equal(
    Object.keys(rig.tree('.')).filter((path) => !path.startsWith('.lhb')),
    Object.keys(before).filter((path) => !path.startsWith('.lhb')),
    'nothing is written',
  );
}

rigTest(
  'for makes the product, the first name outermost; later names see earlier ones; lists by expression',
  async (rig) => {
    rig.workflow(`
    config: { xs: [1, 2], extra: { 1: [a], 2: [b, c] } }
    rules:
      r:
        for: { x: "\${{ config.xs }}", y: [p, "\${{ 'q' + text(x) }}"], z: "\${{ range(0, x) }}" }
        outputs: { o: o.txt }
        run: ${ran('${{ x }}-${{ y }}-${{ z }}')}; echo > \${{ outputs.o }}
  `);
    assert.equal(await built(rig), ['1-p-0', '1-q1-0', '2-p-0', '2-p-1', '2-q2-0', '2-q2-1']);
    const order = (await rig.summary()).jobs.map((job) => job.id);
    assert.is(new Set(order).size, 6);
  },
);

rigTest('where leaves entries out, with and without the braces', async (rig) => {
  rig.workflow(`
    rules:
      a: { for: { x: [1, 2, 3] }, where: x > 1, outputs: { o: o.txt }, run: '${ran('a${{ x }}')}; echo > \${{ outputs.o }}' }
      b:
        for: { job1: "\${{ a }}", y: [1, 2] }
        where: \${{ job1.config.x == y || y == 1 && job1.x == 3 }}
        outputs: { o: o.txt }
        run: ${ran('b${{ job1.x }}${{ y }}')}; echo > \${{ outputs.o }}
  `);
  assert.equal(await built(rig), ['a2', 'a3', 'b22', 'b31']);
});

rigTest('a value of for that is no list is an error that names rule and name', async (rig) => {
  const rule = (value: string): string => `
    rules: { r: { for: { x: ${value} }, outputs: { o: o.txt }, run: 'true' } }
  `;
  await refused(rig, rule('"${{ 5 }}"'), /\br\b/, /\bx\b/);
  await refused(rig, rule('text'), /lhb\.yaml:\d+:\d+/);
});

rigTest('the config of a job: the for bindings by default, a job as a map of id, dir, config, outputs', async (rig) => {
  rig.workflow(`
    rules:
      a: { for: { x: [1] }, dir: a, outputs: { o: o.txt }, run: 'cp \${{ job.config_file }} \${{ outputs.o }}' }
      b:
        for: { up: "\${{ a }}", y: [{ deep: [1.0, null] }] }
        dir: b
        outputs: { o: o.json }
        config: [{ set: { up: "\${{ up }}", y: "\${{ y }}" } }]
        run: cp \${{ job.file }} \${{ outputs.o }}
  `);
  await rig.ok('build');
  assert.is(rig.read('a/o.txt').trim(), 'x: 1');
  const job = asMap(JSON.parse(rig.read('b/o.json')));
  const up = asMap(asMap(job['config'])['up']);
  assert.equal(Object.keys(up).sort(), ['config', 'dir', 'id', 'outputs']);
  assert.match(asText(up['id']), /^a_[0-9a-f]{12}$/);
  assert.is(up['dir'], 'a');
  assert.equal(up['config'], { x: 1 });
  assert.equal(up['outputs'], { o: 'a/o.txt' });
  assert.equal(asMap(job['config'])['y'], { deep: [1.0, null] });
});

rigTest('layers: files, at, set; maps merge deeply, lists and scalars are replaced, later wins', async (rig) => {
  rig.write('base.yaml', 'a: { b: 1, c: [1, 2], d: { e: 1 } }\ns: 1\n');
  rig.write('conf/m-big.yaml', 'depth: 8\n');
  rig.workflow(`
    rules:
      r:
        for: { m: [big] }
        config:
          - file: base.yaml
          - { file: "conf/m-\${{ m }}.yaml", at: model.net }
          - { set: { f: 2 }, at: a.d }
          - set: { a: { c: [3], b: "\${{ 1 + 1 }}" }, s: { t: 1 }, text: "m=\${{ m }}" }
        dir: out
        outputs: { o: o.json }
        run: cp \${{ job.file }} \${{ outputs.o }}
  `);
  await rig.ok('build');
  assert.equal(asMap(JSON.parse(rig.read('out/o.json')))['config'], {
    a: { b: 2, c: [3], d: { e: 1, f: 2 } },
    s: { t: 1 },
    model: { net: { depth: 8 } },
    text: 'm=big',
  });
});

rigTest('a layer with extend: false may only set what earlier layers have', async (rig) => {
  const workflow = (override: string): string => `
    rules:
      r:
        config:
          - { set: { sampler: { chains: 4, hmc: { steps: 3 } } } }
          - { set: ${override}, extend: false }
        dir: out
        outputs: { o: o.txt }
        run: cp \${{ job.config_file }} \${{ outputs.o }}
  `;
  await refused(rig, workflow('{ sampler: { hmc: { chains: 8 } } }'), 'sampler.hmc.chains', 'sampler.chains');
  rig.workflow(workflow('{ sampler: { chains: 8 } }'));
  await rig.ok('build');
  assert.match(rig.read('out/o.txt'), /chains: 8/);
});

rigTest('config files are data: an OmegaConf ${x} and a ${{ x }} in them reach the job as they are', async (rig) => {
  rig.write('c.yaml', 'a: "${oc.env:HOME}/x"\nb: "${{ not.ours }}"\n');
  rig.workflow(`
    rules:
      r: { config: [{ file: c.yaml }], dir: out, outputs: { o: o.json }, run: 'cp \${{ job.file }} \${{ outputs.o }}' }
  `);
  await rig.ok('build');
  const config = asMap(JSON.parse(rig.read('out/o.json')))['config'];
  assert.equal(config, { a: '${oc.env:HOME}/x', b: '${{ not.ours }}' });
});

rigTest('config: a file, an inline map, or a list of both, merged in order; output may use it', async (rig) => {
  rig.write('a.yaml', 'x: { a: 1, b: 1 }\nwhere: first\n');
  rig.workflow(`
    config: [a.yaml, { x: { b: 2, c: 3 }, where: second }]
    output: out/\${{ config.where }}
    rules: { r: { outputs: { o: o.txt }, run: 'echo \${{ config.x.a }}\${{ config.x.b }}\${{ config.x.c }} > \${{ outputs.o }}' } }
  `);
  await rig.ok('build', '--config', 'x.c=4', '--config', 'x.a=[7]', '--config', 'x.a=5');
  const job = await rig.job('r');
  assert.ok(job.dir.startsWith('out/second/r/'), job.dir);
  assert.is(rig.read(job.outputs[0]?.path ?? '').trim(), '524');
});

rigTest(
  'include adds rules; its paths are those of the workflow folder; a name given twice is an error',
  async (rig) => {
    rig.write('in.txt', 'in\n');
    rig.write(
      'rules/b.yaml',
      'rules:\n  b: { inputs: { i: in.txt }, dir: b, outputs: { o: o.txt }, run: "cp ${{ inputs.i }} ${{ outputs.o }}" }\n',
    );
    const workflow = `
    include: [rules/*.yaml]
    rules: { a: { inputs: { i: "\${{ b.outputs.o }}" }, dir: a, outputs: { o: o.txt }, run: 'cp \${{ inputs.i }} \${{ outputs.o }}' } }
  `;
    rig.workflow(workflow);
    await rig.ok('build', 'a');
    assert.is(rig.read('a/o.txt'), 'in\n');
    rig.write('rules/c.yaml', 'rules:\n  a: { outputs: { o: o.txt }, run: "true" }\n');
    await refused(rig, workflow, /rules\/c\.yaml:2/, /\ba\b/);
  },
);

rigTest('defaults are merged under every rule, maps deeply; merge keys work', async (rig) => {
  rig.workflow(`
    defaults: { env: { A: "1", B: "1" }, retries: 1 }
    rules:
      a: &a { dir: a, env: { B: "2" }, outputs: { o: o.txt }, run: 'echo $A$B > \${{ outputs.o }}' }
      b: { <<: *a, prefix: b, dir: b }
  `);
  await rig.ok('build');
  assert.is(rig.read('a/o.txt'), '12\n');
  assert.is(rig.read('b/o.txt'), '12\n');
});

rigTest('a rule without for is also its job; a rule with inputs alone is a name for them; default', async (rig) => {
  rig.workflow(`
    default: [all]
    rules:
      setup: { outputs: { o: env.txt }, run: '${ran('setup')}; echo env > \${{ outputs.o }}' }
      use: { for: { n: [1, 2] }, inputs: { env: "\${{ setup }}" }, outputs: [use.txt], run: '${ran('use${{ n }}')}; cp \${{ setup.outputs.o }} \${{ outputs[0] }}' }
      other: { outputs: { o: o.txt }, run: '${ran('other')}; echo > \${{ outputs.o }}' }
      all: { inputs: { uses: "\${{ use.map(u, u.outputs[0]) }}" } }
  `);
  assert.equal(await built(rig), ['setup', 'use1', 'use2']);
  await rig.ok('build', 'other');
  assert.equal(rig.ranSince(), ['other']);
  rig.edit('lhb.yaml', 'default: [all]\n', '');
  rig.edit('lhb.yaml', 'env.txt', 'environment.txt');
  await rig.ok('build', 'all');
  assert.ok(!rig.ranSince().includes('other'));
});

rigTest('outputs as a list, as a list of paths, as a tree with empty folders and a program', async (rig) => {
  rig.workflow(`
    rules:
      a:
        dir: a
        outputs: { many: { path: [x.txt, "sub/\${{ 'y' }}.txt"] }, t: tree/ }
        run: |
          for f in \${{ outputs.many }}; do echo $f > $f; done
          mkdir -p \${{ outputs.t }}/empty \${{ outputs.t }}/full
          printf '#!/bin/sh\\n' > \${{ outputs.t }}/full/x.sh
          chmod +x \${{ outputs.t }}/full/x.sh
      b:
        inputs: { t: "\${{ a.outputs.t }}", one: "\${{ a.outputs.t }}/full/x.sh" }
        dir: b
        outputs: [first.txt, second.txt]
        run: 'ls \${{ inputs.t }} > \${{ outputs[0] }}; echo \${{ inputs.one }} \${{ a.outputs.many[1] }} > \${{ outputs[1] }}'
  `);
  await rig.ok('build');
  assert.is(rig.read('a/sub/y.txt'), 'a/sub/y.txt\n');
  assert.is(rig.read('b/first.txt'), 'empty\nfull\n');
  assert.is(rig.read('b/second.txt'), 'a/tree/full/x.sh a/sub/y.txt\n', 'a tree has no trailing slash in outputs.t');
  const before = rig.tree('a');
  assert.match(before['tree/full/x.sh'] ?? '', /^program/);
  assert.is(before['tree/empty/'], 'empty folder');
  rig.remove('a');
  await rig.ok('build');
  assert.equal(rig.tree('a'), before);
  rig.write('a/tree/more.txt', 'an undeclared guest\n');
  await rig.ok('build');
  assert.equal(rig.tree('a'), before, 'a file too many in a tree is an edit');
});

rigTest('an empty tree counts, and is restored', async (rig) => {
  rig.workflow(`
    rules:
      a: { dir: a, outputs: { t: tree/ }, run: '${ran('a')}' }
      b: { inputs: { t: "\${{ a.outputs.t }}" }, dir: b, outputs: { o: o.txt }, run: '${ran('b')}; ls \${{ inputs.t }} > \${{ outputs.o }}' }
  `);
  assert.equal(await built(rig), ['a', 'b']);
  rig.remove('a/tree');
  assert.equal(await built(rig), []);
  assert.is(rig.tree('a')['tree/'], 'empty folder');
  rig.write('a/tree/x.txt', 'x');
  assert.equal(await built(rig), []);
  assert.is(rig.tree('a')['tree/'], 'empty folder');
});

rigTest('the inline config may hold expressions', async (rig) => {
  rig.workflow(`
    config: { who: "\${{ env.HOME }}", n: "\${{ 1 + 1 }}" }
    rules: { r: { dir: r, outputs: { o: o.txt }, run: 'echo \${{ config.who }} \${{ config.n }} > \${{ outputs.o }}' } }
  `);
  await rig.ok('build');
  assert.is(rig.read('r/o.txt'), `${rig.home} 2\n`);
});

rigTest('a file inside an upstream tree counts alone', async (rig) => {
  rig.write('v.txt', '1\n');
  rig.workflow(`
    rules:
      a:
        code: [v.txt]
        outputs: { t: tree/ }
        run: ${ran('a')}; echo same > \${{ outputs.t }}/same.txt; cp v.txt \${{ outputs.t }}/other.txt
      one: { inputs: { i: "\${{ a.outputs.t }}/same.txt" }, outputs: { o: o.txt }, run: '${ran('one')}; cp \${{ inputs.i }} \${{ outputs.o }}' }
      all: { inputs: { i: "\${{ a.outputs.t }}" }, outputs: { o: o.txt }, run: '${ran('all')}; ls \${{ inputs.i }} > \${{ outputs.o }}' }
  `);
  assert.equal(await built(rig), ['a', 'all', 'one']);
  rig.write('v.txt', '2\n');
  assert.equal(await built(rig), ['a', 'all']);
});

rigTest(
  'job.json holds id, config, for names, inputs, outputs, resources, attempt; inputs know their jobs',
  async (rig) => {
    rig.write('leaf.txt', 'x');
    rig.workflow(`
    rules:
      a: { for: { x: [7] }, dir: a, outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' }
      b:
        for: { y: [1.5] }
        inputs: { leaf: leaf.txt, paths: "\${{ a.map(j, j.outputs.o) }}", jobs: "\${{ a }}" }
        dir: b
        outputs: { o: o.json, t: t/ }
        resources: { cpus: 1, mem_mb: 77 }
        run: test "$LHB_JOB" -ef \${{ job.file }}; cp \${{ job.file }} \${{ outputs.o }}
  `);
    await rig.ok('build');
    const { id } = await rig.job('a');
    const job = asMap(JSON.parse(rig.read('b/o.json')));
    assert.match(asText(job['id']), /^b_[0-9a-f]{12}$/);
    assert.equal(job['config'], { y: 1.5 });
    assert.equal(asMap(job['outputs'])['o'], 'b/o.json');
    assert.equal(asMap(job['outputs'])['t'], 'b/t');
    assert.is(asMap(job['resources'])['mem_mb'], 77);
    assert.is(job['attempt'], 1);
    assert.is(asMap(job['for'] ?? job)['y'], 1.5);
    const inputs = asMap(job['inputs']);
    assert.ok(JSON.stringify(inputs['leaf']).includes('leaf.txt'));
    for (const name of ['paths', 'jobs']) {
      const producer = findMap(inputs[name] ?? null, (map) => map['id'] === id);
      assert.ok(producer !== undefined, `${name}: ${JSON.stringify(inputs[name])}`);
      assert.equal(producer?.['config'], { x: 7 });
      assert.is(asMap(producer?.['for'] ?? producer)['x'], 7);
    }
    assert.ok(JSON.stringify(inputs['paths']).includes('a/o.txt'));
  },
);

rigTest('labels: the scalar for values, those of bound jobs included, safe and at most 120 characters', async (rig) => {
  rig.workflow(`
    rules:
      a: { for: { n: [5], map: [{ no: scalar }] }, outputs: { o: "\${{ job.label }}.txt" }, run: 'echo > \${{ outputs.o }}' }
      b:
        for: { up: "\${{ a }}", mu: [0.1, "a b/c", "${'y'.repeat(300)}"] }
        outputs: { o: o.txt }
        dir: b/\${{ job.label }}
        run: echo > \${{ outputs.o }}
  `);
  await rig.ok('build');
  const { jobs } = await rig.summary();
  assert.match(jobs.find((job) => job.rule === 'a')?.outputs[0]?.path ?? '', /\/n=5\.txt$/);
  const labels = jobs.filter((job) => job.rule === 'b').map((job) => [job.id, job.dir.slice('b/'.length)] as const);
  assert.is(labels.length, 3);
  assert.ok(labels.some(([, label]) => label === 'n=5,mu=0.1'));
  for (const [id, label] of labels) {
    assert.ok(label.length <= 120 && /^[^\s/'"$]+$/.test(label), label);
    if (label.includes('yyy'))
      assert.ok(label.includes(id.slice(-12)) || label.includes(id.slice(-8)), `${label} ends with ${id}`);
  }
});

rigTest('load and glob as axes: a sample sheet, files on disk', async (rig) => {
  rig.write('samples.csv', 'name,n\nann,3\n"bob, jr",4\n');
  rig.write('samples.tsv', 'name\tn\ncy\t5\n');
  rig.write('data/one.txt', '1\n');
  rig.write('data/two.txt', '2\n');
  rig.workflow(`
    rules:
      sheet:
        for: { row: "\${{ load('samples.csv') + load('samples.tsv') }}" }
        outputs: { o: o.txt }
        run: ${ran('sheet')}; echo \${{ row.name }} \${{ row.n }} >> sheet.log; echo > \${{ outputs.o }}
      file:
        for: { f: "\${{ glob('data/*.txt') }}" }
        inputs: { f: "\${{ f }}" }
        outputs: { o: "\${{ stem(f) }}.out" }
        run: ${ran('file ${{ stem(f) }}')}; cp \${{ inputs.f }} \${{ outputs.o }}
  `);
  assert.equal(await built(rig), ['file one', 'file two', 'sheet', 'sheet', 'sheet']);
  assert.equal(rig.read('sheet.log').trim().split('\n').sort(), ['ann 3', 'bob, jr 4', 'cy 5']);
  rig.write('samples.csv', 'name,n\nann,3\n"bob, jr",4\ndi,6\n');
  rig.write('data/three.txt', '3\n');
  assert.equal(await built(rig), ['file three', 'sheet']);
});

rigTest('only joins by the values of for names', async (rig) => {
  rig.workflow(`
    rules:
      a: { for: { i: [1, 2, 3], k: [x, y] }, outputs: { o: o.txt }, run: 'echo \${{ i }}\${{ k }} > \${{ outputs.o }}' }
      b:
        for: { i: [1, 3] }
        inputs: { joined: "\${{ a.only({'i': i}).map(j, j.outputs.o) }}" }
        outputs: { o: o.txt }
        run: ${ran('${{ i }}')} ; echo $(cat \${{ inputs.joined }}) >> joined.log; echo > \${{ outputs.o }}
  `);
  assert.equal(await built(rig), ['1', '3']);
  assert.equal(
    rig
      .read('joined.log')
      .trim()
      .split('\n')
      .map((line) => line.trim())
      .sort(),
    ['1x 1y', '3x 3y'],
  );
});

rigTest('listfile: the path of a file with one item a line; the list is keyed', async (rig) => {
  rig.write('c.yaml', 'items: [a, "b c", 3]\n');
  rig.workflow(`
    config: c.yaml
    rules:
      r: { dir: out, outputs: { o: o.txt }, run: '${ran('r')}; cp \${{ listfile(config.items) }} \${{ outputs.o }}' }
  `);
  assert.equal(await built(rig), ['r']);
  assert.is(rig.read('out/o.txt'), 'a\nb c\n3\n');
  rig.write('c.yaml', 'items: [a, "b c", 4]\n');
  assert.equal(await built(rig), ['r']);
  assert.is(rig.read('out/o.txt'), 'a\nb c\n4\n');
});

rigTest('functions beside those of CEL', async (rig) => {
  const cases: readonly (readonly [string, string])[] = [
    ['json(range(1, 4))', '[1,2,3]'],
    ['json(range(0, 10, 4))', '[0,4,8]'],
    ['json(flatten([[1], [2, 3]]))', '[1,2,3]'],
    ["json(zip([1, 2], ['a', 'b']))", '[[1,"a"],[2,"b"]]'],
    ['json(unique([2, 1, 2]))', '[2,1]'],
    ["replace('a-b', '-', '+')", 'a+b'],
    ['json(sort([3, 1, 2]))', '[1,2,3]'],
    ['text(min([3, 1]))', '1'],
    ['text(max([3, 1]))', '3'],
    ['fixed(2.0 / 3.0, 2)', '0.67'],
    ['text(1.0) + text(1e-6) + text(2)', '1.01e-062'],
    ["basename('a/b.c.txt') + dirname('a/b.c') + stem('a/b.txt')", 'b.c.txtab'],
    ['fixed(pow(2, 10), 0)', '1024'],
    ['text(1 + 0.5)', '1.5'],
    ["{'a': {'b': 1} }.?a.?b.orValue(5) + {'a': 1}.?z.orValue(2) == 3 ? 'yes' : 'no'", 'yes'],
    ["json([1, 'a', 2.5])", '[1,"a",2.5]'],
  ];
  const set = cases.map(([expression], i) => `          c${i}: ${JSON.stringify(`\${{ ${expression} }}`)}`).join('\n');
  rig.write(
    'lhb.yaml',
    `lhb: 1\nrules:\n  r:\n    dir: out\n    config:\n      - set:\n${set}\n    outputs: { o: o.json }\n    run: cp \${{ job.file }} \${{ outputs.o }}\n`,
  );
  await rig.ok('build');
  const config = asMap(asMap(JSON.parse(rig.read('out/o.json')))['config']);
  const got = cases.map(([expression], i) => [expression, config[`c${i}`]]);
  assert.equal(got, cases);
});

rigTest(
  'an input that is another job output makes an edge, literal or by expression, inside its tree too',
  async (rig) => {
    rig.workflow(`
    rules:
      c: { inputs: { i: made/tree/x.txt }, outputs: { o: o.txt }, run: '${ran('c')}; cp \${{ inputs.i }} \${{ outputs.o }}' }
      b: { inputs: { i: "made/a-*.txt" }, outputs: { o: o.txt }, run: '${ran('b')}; cat \${{ inputs.i }} >> b.log; echo > \${{ outputs.o }}' }
      a:
        for: { x: [1, 2] }
        dir: made
        outputs: { o: "a-\${{ x }}.txt" }
        run: ${ran('a')}; echo \${{ x }} > \${{ outputs.o }}
      t: { dir: made, outputs: { t: tree/ }, run: '${ran('t')}; echo x > \${{ outputs.t }}/x.txt' }
  `);
    await rig.ok('build', 'b');
    assert.equal(rig.ranInOrder(), ['a', 'a', 'b']);
    assert.is(rig.read('b.log'), '1\n2\n');
    await rig.ok('build', 'c');
    assert.equal(rig.ranInOrder(), ['t', 'c']);
  },
);

rigTest('a glob never matches leftovers of older jobs, but does match files that no job made', async (rig) => {
  rig.write('c.yaml', 'xs: [1, 2]\n');
  rig.write('made/hand.txt', 'hand\n');
  rig.workflow(`
    config: c.yaml
    rules:
      a: { for: { x: "\${{ config.xs }}" }, dir: made, outputs: { o: "\${{ x }}.txt" }, run: 'echo \${{ x }} > \${{ outputs.o }}' }
      b: { inputs: { i: "made/*.txt" }, dir: b, outputs: { o: o.txt }, run: '${ran('b')}; cat \${{ inputs.i }} > \${{ outputs.o }}' }
  `);
  assert.equal(await built(rig), ['b']);
  assert.is(rig.read('b/o.txt'), '1\n2\nhand\n');
  rig.write('c.yaml', 'xs: [1]\n');
  assert.equal(await built(rig), ['b']);
  assert.is(rig.read('b/o.txt'), '1\nhand\n');
  assert.ok(rig.exists('made/2.txt'), 'the leftover stays where it is');
});

rigTest('a folder as an input: its whole content is keyed, its path is one word', async (rig) => {
  rig.write('data/raw/a.txt', '1\n');
  rig.write('data/raw/deep/b.txt', '2\n');
  rig.workflow(`
    rules:
      r: { inputs: { raw: data/raw/ }, dir: out, outputs: { o: o.txt }, run: '${ran('r')}; find \${{ inputs.raw }} -type f | sort > \${{ outputs.o }}' }
  `);
  assert.equal(await built(rig), ['r']);
  assert.is(rig.read('out/o.txt').replaceAll('//', '/'), 'data/raw/a.txt\ndata/raw/deep/b.txt\n');
  rig.write('data/raw/deep/b.txt', '3\n');
  assert.equal(await built(rig), ['r']);
  rig.write('data/raw/deep/c.txt', '3\n');
  assert.equal(await built(rig), ['r']);
  rig.remove('data/raw/deep/c.txt');
  assert.equal(await built(rig), []);
});

rigTest('duplicates that agree are one job; those that differ are an error that shows the difference', async (rig) => {
  rig.workflow(`
    rules:
      r: { for: { x: [1, 1, 2] }, outputs: { o: o.txt }, run: '${ran('${{ x }}')}; echo > \${{ outputs.o }}' }
  `);
  assert.equal(await built(rig), ['1', '2']);
  await refused(
    rig,
    `
    rules:
      r:
        for: { x: [{ a: 1, note: one }, { a: 1, note: two }] }
        unkeyed: [x.note]
        outputs: { o: o.txt }
        run: echo \${{ x.note }} > \${{ outputs.o }}
    `,
    'one',
    'two',
  );
});

rigTest('clashes of outputs: the same path, a path inside a tree, an output that is also an input', async (rig) => {
  rig.write('leaf.txt', 'x');
  const two = (a: string, b: string): string => `
    rules:
      a: { dir: out, outputs: { o: ${a} }, run: 'true' }
      b: { ${b}, run: 'true' }
  `;
  await refused(rig, two('same.txt', 'dir: out, outputs: { o: same.txt }'), 'out/same.txt', /\ba\b/, /\bb\b/);
  await refused(rig, two('tree/', 'dir: out, outputs: { o: tree/x.txt }'), 'out/tree');
  await refused(rig, two('tree/', 'dir: out/tree/sub, outputs: { o: x.txt }'), 'out/tree');
  await refused(rig, two('o.txt', 'dir: ., outputs: { o: leaf.txt }, inputs: { i: leaf.txt }'), 'leaf.txt');
  await refused(rig, two('o.txt', 'dir: ., outputs: { o: leaf.txt }, code: [leaf.txt]'), 'leaf.txt');
  rig.workflow(
    two('t/', 'dir: out, outputs: { o: tt.txt }').replaceAll("'true'", "'mkdir -p out/t; echo > out/tt.txt'"),
  );
  await rig.ok('build', 'b');
});

rigTest('paths outside: absolute ones and those with .. are errors', async (rig) => {
  const rule = (fields: string): string => `
    rules: { r: { ${fields}, run: 'true' } }
  `;
  await refused(rig, rule('outputs: { o: ../x.txt }'), '../x.txt');
  await refused(rig, rule('outputs: { o: /tmp/x.txt }'), '/tmp/x.txt');
  await refused(rig, rule('dir: ../up, outputs: { o: x.txt }'), '../up');
  await refused(rig, rule('dir: /tmp/up, outputs: { o: x.txt }'), '/tmp/up');
  await refused(rig, rule('outputs: { o: a/../../x.txt }'), 'a/../../x.txt');
});

rigTest(
  'inputs that nobody makes: rule, path and the nearest match are named; an empty glob is an error',
  async (rig) => {
    rig.write('data/samples.txt', 'x');
    const rule = (input: string): string => `
    rules: { reader: { inputs: { i: ${input} }, outputs: { o: o.txt }, run: 'true' } }
  `;
    await refused(rig, rule('data/sample.txt'), 'reader', 'data/sample.txt', 'data/samples.txt');
    await refused(rig, rule('"data/*.csv"'), 'reader', 'data/*.csv');
  },
);

rigTest('a circle is an error that prints the circle', async (rig) => {
  await refused(
    rig,
    `
    rules:
      a: { for: { x: "\${{ c }}" }, outputs: { o: a.txt }, run: 'true' }
      b: { for: { x: "\${{ a }}" }, outputs: { o: b.txt }, run: 'true' }
      c: { for: { x: "\${{ b }}" }, outputs: { o: c.txt }, run: 'true' }
    `,
    /[abc].*[abc].*[abc]/,
  );
  await refused(
    rig,
    `
    rules:
      a: { dir: x, inputs: { i: x/b.txt }, outputs: { o: a.txt }, run: 'true' }
      b: { dir: x, inputs: { i: x/a.txt }, outputs: { o: b.txt }, run: 'true' }
    `,
    /\ba\b/,
    /\bb\b/,
  );
});

rigTest(
  'a name used before its turn is an error that says so; so are an unknown one and a missing variable',
  async (rig) => {
    const rule = (fields: string): string => `
    rules: { r: { for: { x: [1] }, outputs: { o: o.txt }, ${fields} } }
  `;
    await refused(rig, rule(`inputs: { i: "\${{ job.id }}" }, run: 'true'`), /\bjob\b/);
    await refused(rig, rule(`where: resources.cpus > 1, run: 'true'`), /\bresources\b/);
    await refused(rig, rule(`run: 'echo \${{ y }}'`), /\by\b/);
    await refused(rig, rule(`run: 'echo \${{ env.LHB_TEST_NOT_SET }}'`), 'LHB_TEST_NOT_SET');
    rig.workflow(
      rule(`run: 'echo \${{ has(env.NOT_SET) ? env.NOT_SET : "unset" }} \${{ env.HOME }} > \${{ outputs.o }}'`),
    );
    await rig.ok('build');
  },
);

rigTest('dir: . is the workflow folder itself; job folders may lie in one another and be shared', async (rig) => {
  rig.workflow(`
    rules:
      a: { dir: ., outputs: { o: top.txt }, run: 'echo top > \${{ outputs.o }}' }
      b: { dir: shared, outputs: { o: b.txt }, run: '${ran('b')}; echo b > \${{ outputs.o }}; echo > shared/undeclared.txt' }
      c: { dir: shared, outputs: { o: c.txt }, run: '${ran('c')}; echo c > \${{ outputs.o }}' }
      d: { dir: shared/inner, outputs: { o: d.txt }, run: '${ran('d')}; echo d > \${{ outputs.o }}' }
  `);
  assert.equal(await built(rig), ['b', 'c', 'd']);
  assert.is(rig.read('top.txt'), 'top\n');
  const before = rig.tree('shared');
  rig.edit('lhb.yaml', 'echo b >', 'echo  b >');
  assert.equal(await built(rig), ['b']);
  assert.equal(rig.tree('shared'), before, 'a rerun removes its own declared outputs and nothing else');
});

rigTest(
  'symbolic links in outputs: inside the own tree a link, otherwise followed; broken or leading out an error',
  async (rig) => {
    rig.write('leaf.txt', 'leaf\n');
    const rule = (command: string): string => `
    rules: { r: { dir: out, outputs: { t: t/, f: f.txt }, run: 'echo f > out/f.txt; echo a > out/t/a.txt; ${command}' } }
  `;
    rig.workflow(rule('ln -s a.txt out/t/link; ln -sf ../leaf.txt out/f.txt'));
    await rig.ok('build');
    const before = rig.tree('out');
    assert.is(before['t/link'], '-> a.txt');
    rig.remove('out');
    await rig.ok('build');
    assert.is(rig.read('out/f.txt'), 'leaf\n');
    assert.is(rig.tree('out')['t/link'], '-> a.txt');
    for (const command of [
      'ln -s nothing out/t/broken',
      'ln -s /etc/hostname out/t/away',
      'ln -sf ../../../etc out/t/up',
    ]) {
      rig.workflow(rule(command));
      const ended = await rig.exits(1, 'build');
      assert.match(ended.stderr, /out\/t\/(broken|away|up)/, command);
    }
  },
);

function findMap(
  value: Json,
  test: (map: { readonly [name: string]: Json }) => boolean,
): { readonly [name: string]: Json } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    for (const item of asList(value)) {
      const found = findMap(item, test);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const map = asMap(value);
  if (test(map)) return map;
  for (const inner of Object.values(map)) {
    const found = findMap(inner, test);
    if (found !== undefined) return found;
  }
  return undefined;
}

rigTest('a name bound in for or given whole counts with what it names', async (rig) => {
  rig.write('leaf.txt', '1');
  rig.workflow(`
    rules:
      part: { for: { n: [1, 2] }, outputs: { o: o.txt }, run: 'echo 0 > \${{ outputs.o }}' }
      all: { inputs: { parts: "\${{ part }}", leaf: leaf.txt, same: { path: lhb.yaml, keyed: false } } }
      bound: { for: { a: "\${{ all }}" }, outputs: { o: o.txt }, run: '${ran('bound')}; cat \${{ a.inputs.leaf }} > \${{ outputs.o }}' }
      whole: { inputs: { a: "\${{ all }}" }, outputs: { o: o.txt }, run: '${ran('whole')}; touch \${{ outputs.o }}' }
      after: { inputs: { a: { path: "\${{ all }}", keyed: false } }, outputs: { o: o.txt }, run: '${ran('after')}; touch \${{ outputs.o }}' }
  `);
  assert.equal(await built(rig), ['after', 'bound', 'whole']);
  assert.equal(await built(rig), []);
  rig.write('leaf.txt', '2');
  assert.equal(await built(rig), ['bound', 'whole']);
  rig.edit('lhb.yaml', 'echo 0', 'echo ${{ n }}');
  assert.equal(await built(rig), ['bound', 'whole']);
});

rigTest('duplicates that differ in what no key has, or in an int for a float, are an error too', async (rig) => {
  await refused(
    rig,
    `
    rules:
      r: { for: { x: [{ a: 1, note: one }, { a: 1, note: two }] }, unkeyed: [x.note], outputs: { o: o.txt }, run: 'cp \${{ job.config_file }} \${{ outputs.o }}' }
    `,
    'x.note',
    'one',
    'two',
  );
  await refused(
    rig,
    `
    rules:
      r: { for: { x: [1, 1.0] }, outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' }
    `,
    '1.0',
  );
  await refused(
    rig,
    `
    rules:
      r: { for: { x: [1, 2] }, config: { k: 1 }, resources: { mem_mb: "\${{ x }}" }, outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' }
    `,
    'mem_mb',
  );
});

rigTest('the one job of a rule without for is also the list of its jobs', async (rig) => {
  rig.workflow(`
    rules:
      one: { outputs: { o: o.txt }, run: 'echo one > \${{ outputs.o }}' }
      two: { for: { n: [1, 2] }, outputs: { o: o.txt }, run: 'echo two > \${{ outputs.o }}' }
      all: { for: { j: "\${{ one + two }}" }, outputs: { o: o.txt }, run: '${ran('${{ j.rule }}')}; cp \${{ j.outputs.o }} \${{ outputs.o }}' }
      sum:
        dir: sum
        inputs: { all: "\${{ one.map(j, j.outputs.o) + two.map(j, j.outputs.o) }}" }
        outputs: { o: o.txt }
        run: 'cat \${{ inputs.all }} \${{ one[0].outputs.o }} \${{ one.filter(j, j.id == one.id).map(j, j.outputs.o) }} > \${{ outputs.o }}'
  `);
  assert.equal(await built(rig), ['one', 'two', 'two']);
  assert.is(rig.read('sum/o.txt'), 'one\ntwo\ntwo\none\none\n');
});

rigTest('listfile in a config: the list is there for the job that reads its path there', async (rig) => {
  rig.workflow(`
    rules:
      r:
        dir: out
        config: { files: "\${{ listfile(['a b', 1, 1.0]) }}" }
        outputs: { o: o.txt }
        run: cat "$(sed -n 's/^files. .\\(.*\\).$/\\1/p' "$LHB_CONFIG")" > \${{ outputs.o }}
  `);
  await rig.ok('build');
  assert.is(rig.read('out/o.txt'), 'a b\n1\n1.0\n');
});

test.run();
