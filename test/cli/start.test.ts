// How lhb starts: few files for little commands, and a bug that names the source.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readableStack } from '../../src/cli/stack.ts';
import { PROJECT } from '../support/project.ts';
import { loaded } from '../support/loaded.ts';
import { rigTest } from '../support/rig.ts';

const BUNDLE = join(PROJECT, 'dist', 'bundle');

test('the version and the help load neither the store nor the streams of Node', () => {
  for (const args of [['--version'], ['help'], ['build', '--help']]) {
    const names = loaded(args);
    const bytes = names
      .filter((name) => name.endsWith('.cjs'))
      .reduce((sum, name) => sum + readFileSync(join(BUNDLE, name)).length, 0);
    assert.ok(bytes > 10_000 && bytes < 150_000, `${args.join(' ')}: ${bytes} bytes of code`);
    assert.not.ok(names.includes('NativeModule internal/streams/readable'), `${args.join(' ')} loads streams`);
  }
});

rigTest(
  'a build that finds nothing to do loads neither node:crypto nor the index, a plan in a new tree no lmdb',
  async (rig) => {
    rig.workflow(`
    rules: { r: { outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' } }
  `);
    const planning = loaded(['-C', rig.dir, 'build', '-n', '-q'], { HOME: rig.home });
    assert.ok(planning.some((name) => name.startsWith('build-')));
    for (const name of ['lmdb.cjs', 'NativeModule worker_threads']) assert.not.ok(planning.includes(name), name);
    // A workflow that was written in the moment when it is read is read again by each build after.
    await delay(1100);
    await rig.ok('build');
    const names = loaded(['-C', rig.dir, 'build'], { HOME: rig.home });
    for (const name of ['NativeModule crypto', 'lmdb.cjs']) assert.not.ok(names.includes(name), name);
    assert.is(names.filter((name) => name.endsWith('.cjs')).length, 2, 'two files of the bundle');
  },
);

test('the code cache of this Node is there and is taken', () => {
  const { load, scripts, CACHE } = createRequire(import.meta.url)(join(PROJECT, 'bin', 'load.js')) as {
    load: (name: string) => unknown;
    scripts: ReadonlyMap<string, { readonly cachedDataRejected?: boolean }>;
    CACHE: string;
  };
  assert.ok(existsSync(CACHE), `npm run build wrote no ${CACHE}`);
  load('main.cjs');
  assert.is(scripts.get('main.cjs')?.cachedDataRejected, false);
});

test('a stack from the bundle names the source', () => {
  const name = readdirSync(BUNDLE).find((file) => /^summary-.*\.cjs$/.test(file)) ?? '';
  const lines = readFileSync(join(BUNDLE, name), 'utf8').split('\n');
  const line = lines.findIndex((text) => text.includes('planOf')) + 1;
  const error = new TypeError('boom');
  error.stack = `TypeError: boom\n    at summary (${join(BUNDLE, name)}:${line}:20)\n    at node:internal/x:1:1`;
  assert.match(
    readableStack(error),
    /at summary \(.*dist\/src\/cli\/commands\/summary\.js:\d+:\d+\)\n {4}at node:internal\/x:1:1$/,
  );
  assert.is(readableStack('no error'), 'no error');
});

test.run();
