import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { join } from 'node:path';
import { loadWorkflow } from '../../src/workflow/check.ts';
import { EnvRecord } from '../../src/workflow/env-record.ts';
import { lintWorkflow } from '../../src/workflow/lint.ts';
import { brief, engine, inFolder, valueOf } from './support.ts';

const lint = (files: Readonly<Record<string, string>>): string[] =>
  inFolder(files, (folder) => {
    const workflow = valueOf(loadWorkflow({ file: join(folder, 'lhb.yaml'), engine, env: new EnvRecord({}) }));
    return lintWorkflow(workflow).map(brief);
  });

test('warns of scalars in the workflow, its config and its layers', () => {
  const found = lint({
    'lhb.yaml': 'lhb: 1\nconfig: c.yaml\nrules:\n  a: { run: x, config: [l.yaml], unkeyed: [on] }\n',
    'c.yaml': 'flag: yes\n',
    'l.yaml': 'lr: 1e-3\n',
  });
  assert.equal(
    found.map((line) => line.split(' is ')[0]),
    ["4:44 yaml/1.1: 'on'", "1:7 yaml/1.1: 'yes'", "1:5 yaml/1.1: '1e-3'"],
  );
});

test('warns of an expression that can make an empty word, and of no other', () => {
  const run = (expression: string): string[] =>
    lint({ 'lhb.yaml': `lhb: 1\nrules:\n  a:\n    for: { i: [1] }\n    run: >-\n      x \${{ ${expression} }}\n` });
  assert.match(
    run("i > 1 ? '-s' : ''")[0] ?? '',
    /^6:\d+ workflow\/empty-word: rule 'a': this expression can make an empty word in the command/,
  );
  assert.is(run('i > 1 ? "" : "-s"').length, 1);
  assert.is(run("i > 1 ? ['-s'] : []").length, 0);
  assert.is(run("i > 1 ? 'a' : 'b'").length, 0);
});

test("warns of a `for` name that the job's own field hides", () => {
  const [found, ...others] = lint({ 'lhb.yaml': 'lhb: 1\nrules:\n  a: { for: { file: [1], n: [1] }, run: x }\n' });
  assert.match(found ?? '', /^3:15 workflow\/hidden-name/);
  assert.is(others.length, 0);
});

test.run();
