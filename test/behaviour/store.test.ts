// Outputs and their blobs: shared bytes, damage, loss.
import { chmodSync, readdirSync, rmSync, statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ran, rigTest, type Rig } from '../support/rig.ts';

/** A job `a` with a text and a program, and a job `b` that reads them. */
function twoJobs(rig: Rig, more = ''): void {
  rig.workflow(`
    rules:
      a:
        dir: a
        outputs: { o: o.txt, t: tree/ }
        run: |
          ${ran('a')}
          echo data > \${{ outputs.o }}
          printf '#!/bin/sh\\n' > \${{ outputs.t }}/prog
          chmod +x \${{ outputs.t }}/prog
      b: { dir: b, inputs: { o: "\${{ a.outputs.o }}", p: "\${{ a.outputs.t }}" }, outputs: { o: o.txt }, run: '${ran('b')}; cat \${{ inputs.o }} > \${{ outputs.o }}' }
    ${more}
  `);
}

const isProgram = (rig: Rig, path: string): boolean => (statSync(rig.path(path)).mode & 0o111) !== 0;

rigTest('a program that was made no program, its blob with it, is restored, and stays so', async (rig) => {
  twoJobs(rig);
  await rig.runs(['a', 'b']);
  // With a hard link the mode of the blob goes too.
  chmodSync(rig.path('a/tree/prog'), 0o444);
  assert.is((await rig.job('a')).plan, 'restore');
  await rig.runs([]);
  assert.ok(isProgram(rig, 'a/tree/prog'));
  assert.is((await rig.job('a')).status, 'FRESH');
  rig.remove('a/tree');
  await rig.runs([]);
  assert.ok(isProgram(rig, 'a/tree/prog'));
});

rigTest('an output that is a part of another leaves nothing behind when it is stored twice', async (rig) => {
  rig.workflow(`
    rules:
      a: { dir: a, outputs: { t: sub/, f: sub/p.txt }, run: 'echo hi > a/sub/p.txt' }
  `);
  await rig.ok('build');
  assert.equal(readdirSync(rig.path('.lhb/tmp')), []);
});

rigTest('what is built and what is restored has the same modes, empty files too', async (rig) => {
  rig.workflow(`
    rules:
      a:
        dir: out
        outputs: { e: e.txt, x: e.sh, f: f.txt, t: t/ }
        run: "cd out; : > e.txt; : > e.sh; chmod +x e.sh; echo f > f.txt; : > t/e; echo > t/f"
  `);
  await rig.ok('build');
  const modes = (): (readonly [string, number])[] =>
    ['e.txt', 'e.sh', 'f.txt', 't/e', 't/f'].map((name) => [name, statSync(rig.path(`out/${name}`)).mode] as const);
  const built = modes();
  rmSync(rig.path('out'), { recursive: true });
  await rig.ok('build');
  assert.equal(modes(), built);
});

test.run();
