// Jobs that end by themselves: how, with which environment, and what they leave.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readExitMarker } from '../../src/execute/exit-marker.ts';
import { readLaunches } from '../../src/execute/launches.ts';
import { LocalRig, localTest } from './local-rig.ts';

localTest('exit codes come back as they are', async (rig) => {
  assert.equal((await rig.run(':')).outcome, { kind: 'success' });
  assert.equal((await rig.run('exit 3')).outcome, { kind: 'exit-code', code: 3 });
  assert.equal((await rig.run('exit 255')).outcome, { kind: 'exit-code', code: 255 });
  assert.equal((await rig.run('no-such-program')).outcome, { kind: 'exit-code', code: 127 });
  assert.equal((await rig.run('false\necho not reached')).outcome, { kind: 'exit-code', code: 1 });
});

localTest('a pipe fails with its first part, and an unset variable is an error, in bash', async (rig) => {
  if (spawnSync('bash', ['-c', ':']).status !== 0) return;
  assert.equal((await rig.run('(exit 4) | cat')).outcome, { kind: 'exit-code', code: 4 });
  assert.is((await rig.run('echo $unset_name')).outcome.kind, 'exit-code');
});

localTest('death by a signal is told by its name, of the shell and of its last program', async (rig) => {
  assert.equal((await rig.run('kill -SEGV $$')).outcome, { kind: 'signal', signal: 'SIGSEGV' });
  assert.equal((await rig.run('sh -c "kill -KILL \\$\\$"')).outcome, { kind: 'signal', signal: 'SIGKILL' });
  assert.equal((await rig.run('kill -TERM $$')).outcome, { kind: 'signal', signal: 'SIGTERM' });
  assert.equal((await rig.run(':')).outcome, { kind: 'success' });
});

localTest(
  'the log has stdout and stderr in the order in which they were written, after what was there',
  async (rig) => {
    await rig.run(':', { jobId: 'a' });
    writeFileSync(rig.path('a/log'), 'earlier\n');
    await rig.run('echo one; echo two >&2; echo three; ls /no/such/path || printf end', { jobId: 'a' });
    const lines = rig.read('a/log').split('\n');
    assert.equal(lines.slice(0, 4), ['earlier', 'one', 'two', 'three']);
    assert.match(lines[4] ?? '', '/no/such/path');
    assert.is(lines[5], 'end');
  },
);

localTest('stdin is empty, and nothing but stdin, stdout and stderr is open', async (rig) => {
  // what the one who runs the tests left open stays so; ls itself opens one more
  const inherited = spawnSync('sh', ['-c', 'exec ls /proc/self/fd'], { encoding: 'utf8' }).stdout;
  await rig.run('readlink /proc/self/fd/0; cat; ls /proc/self/fd; (echo x >&3) 2>/dev/null || echo closed');
  assert.is(rig.read('j0/log'), `/dev/null\n${inherited}closed\n`);
  await rig.run('readlink /proc/self/fd/1');
  assert.is(rig.read('j1/log'), `${rig.path('j1/log')}\n`);
});

localTest('the environment is exactly what was given', async (rig) => {
  const nasty = {
    PATH: process.env['PATH'] ?? '',
    NEWLINES: 'a\n\nb\n',
    QUOTES: `it's "quoted" \`x\` $HOME \\ \\n`,
    UNICODE: 'naïve ☃ 𝒳',
    EMPTY: '',
    BLANKS: '  two  words  ',
    HUGE: 'x'.repeat(100_000),
    'not-a-name': `o'dd`,
    'a.b': '1',
    'BASH_FUNC_greet%%': '() { echo hi\n}',
    IFS: ':',
    UID: '77',
  };
  const dump = `${JSON.stringify(process.execPath).replaceAll('"', "'")} -e 'process.stdout.write(JSON.stringify(process.env))'`;
  const words = [process.execPath, '-e', 'process.stdout.write(JSON.stringify(process.env))'];
  await rig.run('', { jobId: 'argv', env: nasty, command: { kind: 'argv', wrapper: [], argv: words } });
  const seen = JSON.parse(rig.read('argv/log'));
  assert.match(seen.TMPDIR, rig.path('tmp/lhb-'));
  delete seen.TMPDIR;
  assert.equal(seen, { ...nasty, PWD: rig.root });
  await rig.run(`${dump}; :`, { jobId: 'script', env: { ...nasty, IFS: ' \t\n', UID: '0' } });
  const inScript = JSON.parse(rig.read('script/log'));
  for (const name of ['NEWLINES', 'QUOTES', 'UNICODE', 'EMPTY', 'BLANKS', 'HUGE', 'not-a-name', 'a.b'] as const) {
    assert.is(inScript[name], nasty[name]);
  }
  // the same where it is inherited, and its own wins
  const argv = { kind: 'argv', wrapper: [], argv: words } as const;
  await rig.run('', { jobId: 'heir', inherited: { ...nasty, EMPTY: 'not' }, env: { EMPTY: '' }, command: argv });
  const heir = JSON.parse(rig.read('heir/log'));
  delete heir.TMPDIR;
  assert.equal(heir, { ...nasty, PWD: rig.root });
  // the next job on the same helper has nothing of it
  await rig.run('', { jobId: 'next', command: { kind: 'argv', wrapper: [], argv: words } });
  assert.equal(Object.keys(JSON.parse(rig.read('next/log'))).sort(), ['PATH', 'PWD', 'TMPDIR']);
});

localTest('a variable that is called __proto__ is one like others', async (rig) => {
  const env = Object.fromEntries([['__proto__', 'own']]);
  await rig.run('env', { env });
  assert.match(rig.read('j0/log'), /^__proto__=own$/m);
  await rig.run('env');
  assert.not.match(rig.read('j1/log'), /__proto__/);
});

test('what the helper notes for itself changes no variable of a job', async () => {
  const names = { s: 'mine', t: 'too', LHB_STATUS: 'and', LHB_TURN: 'this' };
  for (const [name, value] of Object.entries(names)) process.env[name] = value;
  const rig = new LocalRig(1, 5000);
  try {
    for (const id of ['first', 'second']) {
      await rig.run('echo $s $t $LHB_STATUS $LHB_TURN', {
        jobId: id,
        env: { PATH: process.env['PATH'] ?? '', ...names },
      });
      assert.is(rig.read(`${id}/log`), 'mine too and this\n');
    }
  } finally {
    for (const name of Object.keys(names)) delete process.env[name];
    await rig.executor.close();
    rmSync(rig.root, { recursive: true, force: true });
  }
});

localTest('argv is run without a shell, and a wrapper comes before it', async (rig) => {
  const argv = ['printf', '%s|', `a b`, `$HOME`, `'`, '', '*', 'x\ny', '-e'];
  await rig.run('', { command: { kind: 'argv', wrapper: [], argv } });
  assert.is(rig.read('j0/log'), `a b|$HOME|'||*|x\ny|-e|`);
  await rig.run('', { command: { kind: 'argv', wrapper: ['env', 'A=1'], argv: ['sh', '-c', 'echo $A'] } });
  assert.is(rig.read('j1/log'), '1\n');
});

localTest('another shell gets the command as a file', async (rig) => {
  const command = { kind: 'script', shell: [process.execPath], text: 'console.log("by node", 1 + 1)' } as const;
  assert.is((await rig.run('', { command })).outcome.kind, 'success');
  assert.is(rig.read('j0/log'), 'by node 2\n');
  await rig.run('', { command: { kind: 'script', shell: ['sh', '-eu'], text: 'echo "$0"' } });
  assert.is(rig.read('j1/log'), `${rig.path('j1/command')}\n`);
});

localTest('a command that needs no shell does the same as in one', async (rig) => {
  await rig.run(`printf '%s,' one 'two  three' 'a
b' --x=1 'fo'o`);
  assert.is(rig.read('j0/log'), 'one,two  three,a\nb,--x=1,foo,');
  await rig.run('A=1 env\n', { env: { PATH: process.env['PATH'] ?? '' } });
  assert.match(rig.read('j1/log'), /^A=1$/m);
  // what says not by what it is run is run by the shell of the job
  writeFileSync(rig.path('bare'), 'echo "${BASH_VERSION:+bash}"\n', { mode: 0o755 });
  // an exported function has the name of a program
  const env = { PATH: process.env['PATH'] ?? '', 'BASH_FUNC_hostname%%': '() { echo function; }' };
  if (spawnSync('bash', ['-c', ':']).status === 0) {
    await rig.run('hostname', { env });
    assert.is(rig.read('j2/log'), 'function\n');
    await rig.run('./bare');
    assert.is(rig.read('j3/log'), 'bash\n');
    await rig.run('no-such-program');
    assert.match(rig.read('j4/log'), 'no-such-program: command not found');
  }
});

localTest('a script of 1 MB runs', async (rig) => {
  const text =
    'n=0\n' + 'n=$((n + 1)) # a line that is there for its length, and counts itself\n'.repeat(15_000) + 'echo $n\n';
  assert.ok(text.length > 1e6);
  assert.is((await rig.run(text)).outcome.kind, 'success');
  assert.is(rig.read('j0/log'), '15000\n');
});

localTest('what the kernel would refuse is refused with the reason', async (rig) => {
  const message = async (argv: string[], env = {}): Promise<string> => {
    const { outcome } = await rig.run('', { command: { kind: 'argv', wrapper: [], argv }, env });
    return outcome.kind === 'spawn-failed' ? outcome.message : outcome.kind;
  };
  assert.is(
    await message(['echo', 'x'.repeat(131_072)]),
    'an argument has 131073 bytes, and one may have 131072; hand it over in a file',
  );
  assert.is(await message(['true', 'x'.repeat(131_071)], { PATH: process.env['PATH'] }), 'success');
  assert.match(
    await message(['echo', ...Array<string>(100).fill('x'.repeat(100_000))]),
    /arguments and environment have 10/,
  );
  assert.is(
    await message(['true'], { BIG: 'x'.repeat(140_000) }),
    'the variable BIG has 140005 bytes, and one may have 131072; hand it over in a file',
  );
  assert.is(await message([]), 'the command is empty');
  assert.match(await message(['echo', 'a\0b']), 'NUL');
});

localTest('a log that cannot be written, or a folder that is not there, is spawn-failed', async (rig) => {
  const { outcome } = await rig.run('echo hi', { log: rig.path('no/such/log') });
  assert.equal(outcome, { kind: 'spawn-failed', message: `cannot write the log ${rig.path('no/such/log')}` });
  const elsewhere = await rig.run('pwd', { cwd: rig.path('nowhere') });
  assert.equal(elsewhere.outcome, {
    kind: 'spawn-failed',
    message: `the folder ${rig.path('nowhere')} does not exist`,
  });
});

localTest('a job runs in its folder, and PWD says so', async (rig) => {
  await rig.run('', { jobId: `it's here` });
  await rig.run('/bin/pwd; echo $PWD', { cwd: rig.path(`it's here`) });
  assert.is(rig.read('j0/log'), `${rig.path("it's here")}\n`.repeat(2));
  await rig.run('/bin/pwd; :');
  assert.is(rig.read('j1/log'), `${rig.root}\n`);
});

localTest('TMPDIR is there, is empty and its own, and all in it is gone afterwards', async (rig) => {
  const look = 'echo "$TMPDIR"; ls -ld "$TMPDIR" | cut -c1-10; ls -A "$TMPDIR"\n';
  const fill = `mkdir -p "$TMPDIR/a/b"; echo x >"$TMPDIR/a/b/c"; ln -s / "$TMPDIR/root"; chmod 500 "$TMPDIR/a/b" "$TMPDIR/a"`;
  for (const text of [
    look,
    look + fill,
    look + 'echo x >"$TMPDIR/y"; exit 1',
    look + 'chmod 0 "$TMPDIR"',
    look + 'rmdir "$TMPDIR"',
    look,
  ]) {
    const id = `j${text.length}`;
    await rig.run(text, { jobId: id, log: rig.path(`${id}.log`) });
    const [path = '', ...rest] = rig.read(`${id}.log`).trimEnd().split('\n').slice(-2);
    assert.equal(rest, ['drwx------']);
    assert.ok(path.startsWith(rig.path('tmp/lhb-')), path);
    if (text !== look) assert.not(existsSync(path));
  }
  await rig.executor.close();
  assert.equal(readdirSync(rig.path('tmp')), []);
});

localTest(
  'jobs that run at once have TMPDIRs of their own',
  async (rig) => {
    const text = 'echo "$TMPDIR"; echo >up$LHB_JOB_ID; until [ -e upa ] && [ -e upb ]; do sleep 0.01; done';
    const env = { PATH: process.env['PATH'] ?? '' };
    const both = ['a', 'b'].map((id) => rig.run(text, { jobId: id, env: { ...env, LHB_JOB_ID: id } }));
    await Promise.all(both);
    assert.is.not(rig.read('a/log'), rig.read('b/log'));
  },
  { slots: 2 },
);

localTest('GPUs are handed on', async (rig) => {
  await rig.run('echo "$CUDA_VISIBLE_DEVICES"', { gpus: ['2', 'GPU-x'] });
  assert.is(rig.read('j0/log'), '2,GPU-x\n');
});

localTest('the exit marker tells how the job ended', async (rig) => {
  const before = Date.now() / 1000 - 1;
  await rig.run('exit 3');
  const marker = rig.marker('j0');
  assert.is(marker?.code, 3);
  assert.ok((marker?.startedAt ?? 0) >= before);
  assert.ok((marker?.finishedAt ?? 0) >= before);
  await rig.run('kill -9 $$');
  assert.is(rig.marker('j1')?.code, 137);
  const whole = rig.read('j1/exit');
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(rig.path('j1/exit'), whole.slice(0, length));
    assert.is(rig.marker('j1'), undefined, 'half a marker does not count');
  }
  assert.is(readExitMarker(rig.path('none'), 'x'), undefined);
});

localTest('the exit marker has the CPU time of jobs before, and of one launch only', async (rig) => {
  const busy = 'i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done';
  await rig.run(busy, { jobId: 'a' });
  const first = rig.marker('a')?.cpuS ?? 0;
  assert.ok(first > 0.01, `${first} s`);
  await rig.run(busy, { jobId: 'b' });
  assert.ok((rig.marker('b')?.cpuS ?? 0) > first);
  const noted = readLaunches(rig.path('launches')).launches.map(({ cpuBefore }) => cpuBefore);
  assert.equal(noted, [0, first]);
  assert.is(readExitMarker(rig.path('a'), 'another-token'), undefined);
});

localTest('a failed job leaves a script that runs it again, all by itself', async (rig) => {
  const odd = { PATH: process.env['PATH'] ?? '', 'o.dd': `it's\nodd` };
  await rig.run(`echo "$TMPDIR" | wc -l; env | grep -A1 '^o.dd'; test -d "$TMPDIR"; exit 7`, { env: odd });
  const first = rig.read('j0/log');
  assert.is(first, `1\no.dd=it's\nodd\n`);
  const again = spawnSync('sh', [rig.path('j0/job.sh')], { env: { LEFT: 'over' }, encoding: 'utf8' });
  assert.equal([again.status, again.stdout, again.stderr], [7, '', '']);
  assert.is(rig.read('j0/log'), first + first);
  const marker = rig.marker('j0');
  assert.is(marker?.code, 7);
  assert.ok((marker?.finishedAt ?? 0) >= (marker?.startedAt ?? Infinity));
  await rig.run('true; :');
  assert.not(existsSync(rig.path('j1/job.sh')));
});

localTest(
  'more jobs than helpers run at once',
  async (rig) => {
    const jobs = [1, 2, 3, 4].map((n) => rig.start(`echo >here${n}; until [ -e all ]; do sleep 0.01; done`));
    while (readdirSync(rig.root).filter((name) => name.startsWith('here')).length < 4) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    writeFileSync(rig.path('all'), '');
    for (const job of jobs) assert.is((await job.done).outcome.kind, 'success');
  },
  { slots: 2 },
);

localTest(
  '500 quick jobs, two at a time',
  async (rig) => {
    let next = 0;
    const kinds = new Set<string>();
    const begin = performance.now();
    const worker = async (): Promise<void> => {
      while (next < 500) {
        const n = next++;
        mkdirSync(rig.path(`j${n}`));
        writeFileSync(rig.path(`j${n}/in`), String(n));
        kinds.add((await rig.run(`cp j${n}/in j${n}/out; :`, { jobId: `j${n}` })).outcome.kind);
      }
    };
    await Promise.all([worker(), worker()]);
    const seconds = (performance.now() - begin) / 1000;
    console.log(`\n  500 jobs at -j2: ${Math.round(500 / seconds)} a second, ${(seconds * 2).toFixed(2)} ms each`);
    assert.equal([...kinds], ['success']);
    for (let n = 0; n < 500; n++) assert.is(readFileSync(rig.path(`j${n}/out`), 'utf8'), String(n));
  },
  { slots: 2 },
);

test.run();
