// What the program prints with --json, held against the schemas in store-schema/.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { asList, asMap, asText, parseEvents, type JsonMap } from '../support/json.ts';
import { PROJECT } from '../support/project.ts';
import { rigTest, type Rig } from '../support/rig.ts';

const ajv = new Ajv({ strict: true, strictTypes: false, allErrors: true });

type Schema = { readonly text: JsonMap; readonly validate: ValidateFunction };

function schema(name: string): Schema {
  const text = asMap(JSON.parse(readFileSync(join(PROJECT, 'store-schema', `${name}.schema.json`), 'utf8')), name);
  return { text, validate: ajv.compile(text) };
}

const SUMMARY = schema('summary');
const WHY = schema('why');
const EVENTS = schema('events');
const GC = schema('gc');
const CLEAN = schema('clean');

function fits({ validate }: Schema, document: unknown, what: string): void {
  assert.ok(validate(document), `${what}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(document)}`);
}

/** The names that a map has and its schema does not describe. */
function undescribed(map: JsonMap, described: JsonMap): string[] {
  const known = asMap(described['properties'], 'properties');
  return Object.keys(map).filter((name) => !(name in known));
}

const definition = ({ text }: Schema, name: string): JsonMap => asMap(asMap(text['definitions'])[name], name);

const WORKFLOW = `
lhb: 1
config: { n: [1, 2, 3], lr: 0.1 }
rules:
  step:
    for: { n: "\${{ config.n }}" }
    config: { n: "\${{ n }}", lr: "\${{ config.lr }}" }
    outputs: { out: out.txt, tree: tree/ }
    code: step.sh
    run: sh step.sh \${{ n }} \${{ outputs.out }} \${{ outputs.tree }}
  total:
    inputs: { outs: "\${{ step.map(s, s.outputs.out) }}" }
    outputs: [total.txt]
    run: cat \${{ inputs.outs }} > \${{ outputs[0] }}
`;

/** Fresh, failed and new jobs: step n=3 fails, so the total is not made. */
async function built(rig: Rig): Promise<readonly JsonMap[]> {
  rig.write('lhb.yaml', WORKFLOW);
  rig.write('step.sh', 'set -e\ntest "$1" != 3\necho "$1" > "$2"\necho "$1" > "$3/x"\n');
  const { stdout } = await rig.exits(1, 'build', '-k', '--json');
  return parseEvents(stdout);
}

/** Checks the document of a query, and that every field in it is described. */
async function checkedJobs(rig: Rig, ...args: string[]): Promise<readonly JsonMap[]> {
  const document = asMap(await rig.json(...args));
  fits(SUMMARY, document, args.join(' '));
  const jobs = asList(document['jobs']).map((job) => asMap(job));
  assert.equal(undescribed(document, SUMMARY.text), []);
  for (const job of jobs) {
    assert.equal(undescribed(job, definition(SUMMARY, 'job')), []);
    for (const reason of asList(job['reasons']))
      assert.equal(undescribed(asMap(reason), definition(SUMMARY, 'reason')), []);
    for (const output of asList(job['outputs']))
      assert.equal(undescribed(asMap(output), definition(SUMMARY, 'output')), []);
  }
  return jobs;
}

async function checkedWhy(rig: Rig, selector: string): Promise<JsonMap> {
  const document = asMap(await rig.json('why', selector));
  fits(WHY, document, `why ${selector}`);
  assert.equal(undescribed(document, WHY.text), []);
  const reasons = [...asList(document['reasons']), ...asList(document['last_differences'] ?? [])];
  for (const reason of reasons) assert.equal(undescribed(asMap(reason), definition(WHY, 'reason')), []);
  return document;
}

const column = (jobs: readonly JsonMap[], name: string): string[] =>
  jobs.map((job) => asText(job[name])).filter((value, i, all) => all.indexOf(value) === i);

rigTest('summary and plan, of jobs in several states', async (rig) => {
  await built(rig);
  assert.equal(column(await checkedJobs(rig, 'summary'), 'status').sort(), ['FAILED', 'FRESH', 'NEW']);
  await checkedJobs(rig, 'summary', '--detailed');
  rig.remove('runs');
  assert.ok(column(await checkedJobs(rig, 'summary', 'step'), 'status').includes('MISSING'));
  rig.append('step.sh', '# a comment\n');
  assert.equal(column(await checkedJobs(rig, 'plan', 'step'), 'plan'), ['run']);
  assert.equal(column(await checkedJobs(rig, 'build', '-n', '-F', 'where:n==1'), 'rule'), ['step']);
  await checkedJobs(rig, 'forcerun', '-n', 'step');
});

rigTest('why, of a fresh, a failed, a stale, a new and an earlier job', async (rig) => {
  await built(rig);
  const fresh = await checkedWhy(rig, 'where:n==1');
  assert.is(fresh['status'], 'FRESH');
  assert.is((await checkedWhy(rig, 'where:n==3'))['status'], 'FAILED');
  rig.append('step.sh', '# a comment\n');
  const kinds = asList((await checkedWhy(rig, 'where:n==1'))['reasons']).map((reason) => asMap(reason)['kind']);
  assert.equal(kinds, ['code']);
  rig.write('lhb.yaml', WORKFLOW.replace('lr: 0.1', 'lr: 0.2'));
  const other = await checkedWhy(rig, 'where:n==1');
  assert.is(other['status'], 'NEW');
  const differing = asList(other['reasons']).map((reason) => asText(asMap(reason)['path']));
  assert.ok(differing.includes('lr'), differing.join(', '));
  const earlier = await checkedWhy(rig, asText(fresh['id']));
  assert.is(earlier['id'], fresh['id']);
});

rigTest('events, of jobs that end well, fail and are skipped', async (rig) => {
  const events = await built(rig);
  for (const event of events) fits(EVENTS, event, 'an event');
  const kinds = column(events, 'event');
  for (const kind of ['build-started', 'job-started', 'job-finished', 'job-failed', 'job-skipped', 'build-finished'])
    assert.ok(kinds.includes(kind), kind);
});

rigTest('gc and clean, before and after', async (rig) => {
  await built(rig);
  rig.append('step.sh', '# a comment\n');
  await rig.exits(1, 'build', '-k');
  rig.write('lhb.yaml', WORKFLOW.replace('[1, 2, 3]', '[2]'));
  rig.append('runs/step/notes.txt', 'mine');
  for (const yes of [[], ['--yes']]) {
    const collected = asMap(await rig.json('gc', '--keep-builds', '0', ...yes));
    fits(GC, collected, 'gc');
    assert.equal(undescribed(collected, GC.text), []);
    assert.ok(asList(collected['rules']).length > 0);
    const cleaned = asMap(await rig.json('clean', ...yes));
    fits(CLEAN, cleaned, 'clean');
    assert.equal(undescribed(cleaned, CLEAN.text), []);
    assert.ok(asList(cleaned['removed']).length > 0);
  }
});

test('documents that are wrong do not fit', () => {
  const job = {
    id: 'step_0123456789ab',
    rule: 'step',
    status: 'NEW',
    plan: 'run',
    reasons: [{ kind: 'new', detail: 'new' }],
    outputs: [],
    dir: 'runs',
    log: 'a.log',
    built_at: null,
    duration_s: null,
  };
  const { rule: _, ...without } = job;
  fits(SUMMARY, { jobs: [job], counts: { NEW: 1 } }, 'a right one');
  for (const [what, wrong] of [
    ['an unknown status', { jobs: [{ ...job, status: 'OK' }], counts: {} }],
    ['an unknown kind', { jobs: [{ ...job, reasons: [{ kind: 'mtime', detail: '' }] }], counts: {} }],
    ['a job without a rule', { jobs: [without], counts: {} }],
    ['an unknown status counted', { jobs: [job], counts: { OK: 1 } }],
    ['no counts', { jobs: [job] }],
  ] as const) {
    assert.not.ok(SUMMARY.validate(wrong), what);
  }
  assert.not.ok(WHY.validate({ id: job.id, plan: 'run', reasons: [{ kind: 'new' }] }), 'a reason without path');
});

test('every field has a description', () => {
  const found: string[] = [];
  const visit = (node: JsonMap, path: string): void => {
    for (const part of ['properties', 'definitions']) {
      for (const [name, value] of Object.entries(asMap(node[part] ?? {}))) {
        const inner = asMap(value);
        if (inner['description'] === undefined && inner['$ref'] === undefined) found.push(`${path}/${name}`);
        visit(inner, `${path}/${name}`);
      }
    }
  };
  visit(SUMMARY.text, 'summary');
  visit(WHY.text, 'why');
  visit(GC.text, 'gc');
  visit(CLEAN.text, 'clean');
  assert.equal(found, []);
});

test.run();
