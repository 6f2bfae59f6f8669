import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { jobEnvironment, wholeEnvironment } from '../../src/execute/environment.ts';

const outer = {
  PATH: '/bin',
  HOME: '/home/me',
  USER: 'me',
  LANG: 'C',
  SLURM_A: '1',
  SLURM_B: '2',
  OTHER: 'x',
  LHB_JOB_ID: 'outer',
  LHB_CACHE_TOKEN_LAB: 'secret',
  _: '/usr/bin/node',
  GONE: undefined,
};

const whole = (from: Parameters<typeof jobEnvironment>[0]) => wholeEnvironment(jobEnvironment(from));

test('all is inherited but the LHB_ variables of an outer lhb', () => {
  const env = whole({ outer, keepEnv: undefined, ruleEnv: {}, lhbVars: { LHB_RULE: 'r' } });
  assert.equal(env, {
    PATH: '/bin',
    HOME: '/home/me',
    USER: 'me',
    LANG: 'C',
    SLURM_A: '1',
    SLURM_B: '2',
    OTHER: 'x',
    LHB_RULE: 'r',
  });
});

test('keep_env narrows to names and globs and the four that always stay', () => {
  const env = whole({ outer, keepEnv: ['SLURM_*', 'OTHE?'], ruleEnv: {}, lhbVars: {} });
  assert.equal(Object.keys(env).sort(), ['HOME', 'LANG', 'OTHER', 'PATH', 'SLURM_A', 'SLURM_B', 'USER']);
  const bare = whole({ outer, keepEnv: [], ruleEnv: {}, lhbVars: {} });
  assert.equal(Object.keys(bare).sort(), ['HOME', 'LANG', 'PATH', 'USER']);
});

test('a dot in keep_env is a dot', () => {
  const env = whole({ outer: { 'a.b': '1', axb: '2' }, keepEnv: ['a.b'], ruleEnv: {}, lhbVars: {} });
  assert.equal(env, { 'a.b': '1' });
});

test("the rule's env wins over what is inherited and over LHB_ variables", () => {
  const env = whole({
    outer,
    keepEnv: [],
    ruleEnv: { PATH: '/rule', LHB_CPUS: '9' },
    lhbVars: { LHB_CPUS: '2', LHB_RULE: 'r' },
  });
  assert.is(env['PATH'], '/rule');
  assert.is(env['LHB_CPUS'], '9');
  assert.is(env['LHB_RULE'], 'r');
});

test.run();
