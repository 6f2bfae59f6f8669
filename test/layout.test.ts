// The shape of the source: which folder imports which, who imports a package, and that every test file is run.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allSteps } from './crash/steps.ts';
import { COMPILED_TESTS, PROJECT } from './support/project.ts';

/** Each folder imports only from itself and from folders further right. */
const ORDER = 'cli report schedule execute plan key graph workflow expr cache store hash fs base'.split(' ');

/** The one file that imports a package. A package that is not named here may have any one importer. */
const IMPORTERS: Readonly<Record<string, string>> = {
  blake3: 'src/hash/digest.ts',
  '@napi-rs/blake-hash': 'src/hash/digest.ts',
  lmdb: 'src/store/index-tables.ts',
  'proper-lockfile': 'src/store/lock.ts',
  yaml: 'src/workflow/read.ts',
  '@marcbachmann/cel-js': 'src/expr/cel.ts',
  cac: 'src/cli/options.ts',
};

type Import = { readonly file: string; readonly specifier: string };

function files(folder: string, ending: string): readonly string[] {
  const root = join(PROJECT, folder);
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending))
    .map((file) => join(folder, file))
    .sort();
}

/** Every static and dynamic import, export-from and require of a file, comments left out. */
function importsOf(file: string): readonly Import[] {
  const text = readFileSync(join(PROJECT, file), 'utf8')
    .replace(/\/\*[^]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '');
  const pattern = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+|\brequire(?:\.resolve)?\s*\(\s*)(['"])([^'"\n]+)\1/g;
  return [...text.matchAll(pattern)].map((match) => ({ file, specifier: match[2] ?? '' }));
}

const IMPORTS = files('src', '.ts').flatMap(importsOf);

test('there is source to look at', () => {
  assert.ok(IMPORTS.length > 50);
});

test('imports go one way', () => {
  const wrong = IMPORTS.filter(({ file, specifier }) => {
    if (!specifier.startsWith('.')) return false;
    const target = relative(PROJECT, join(PROJECT, dirname(file), specifier));
    const [from, to] = [file, target].map((path) =>
      path.startsWith('src/') ? ORDER.indexOf(path.split('/')[1] ?? '') : -1,
    );
    return from === undefined || to === undefined || from === -1 || to === -1 || to < from;
  });
  assert.equal(
    wrong.map(({ file, specifier }) => `${file} imports ${specifier}`),
    [],
  );
});

test('every package has one importer, the named one where one is named', () => {
  const importers = new Map<string, Set<string>>();
  for (const { file, specifier } of IMPORTS) {
    if (specifier.startsWith('.') || isBuiltin(specifier)) continue;
    const name = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/');
    importers.set(name, (importers.get(name) ?? new Set()).add(file));
  }
  const wrong = [...importers].flatMap(([name, found]) => {
    const named = IMPORTERS[name];
    if (found.size > 1) return [`${name} is imported by ${[...found].join(', ')}`];
    return named === undefined || found.has(named)
      ? []
      : [`${name} is imported by ${[...found].join(', ')}, not by ${named}`];
  });
  assert.equal(wrong, []);
});

test('every package that is imported is a dependency, and every dependency is imported', () => {
  const manifest: unknown = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'));
  assert.ok(typeof manifest === 'object' && manifest !== null);
  const names = ['dependencies', 'optionalDependencies'].flatMap((key) =>
    Object.keys((manifest as Record<string, Record<string, string> | undefined>)[key] ?? {}),
  );
  const used = new Set(
    IMPORTS.map(({ specifier }) => specifier)
      .filter((specifier) => !specifier.startsWith('.') && !isBuiltin(specifier))
      .map((specifier) =>
        specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/'),
      ),
  );
  assert.equal([...used].sort(), names.sort());
});

test('source files are named in kebab case', () => {
  const wrong = files('src', '.ts').filter((file) => !/^src(\/[a-z0-9]+(-[a-z0-9]+)*)+\.ts$/.test(file));
  assert.equal(wrong, []);
});

test('every test file ends with test.run()', () => {
  const wrong = files('test', '.test.ts').filter(
    (file) => !readFileSync(join(PROJECT, file), 'utf8').trimEnd().endsWith('\ntest.run();'),
  );
  assert.equal(wrong, []);
});

test('tests use no hooks and are not focused', () => {
  const wrong = files('test', '.test.ts').filter((file) =>
    /\btest\.(before|after|only)\b/.test(readFileSync(join(PROJECT, file), 'utf8').replace(/\/.*\/\.test/g, '')),
  );
  assert.equal(
    wrong.filter((file) => file !== 'test/layout.test.ts'),
    [],
  );
});

test('no file that runs tests is left out of the run by its name', () => {
  // Those of test/crash and test/cluster have runs of their own (package.json).
  const isNamed = (file: string): boolean =>
    /\.test\.ts$|^test\/crash\/[^/]+\.crash\.ts$|^test\/cluster\/[^/]+\.cluster\.ts$/.test(file);
  const wrong = files('test', '.ts').filter(
    (file) => !isNamed(file) && /^test\.run\(/m.test(readFileSync(join(PROJECT, file), 'utf8')),
  );
  assert.equal(wrong, []);
});

test('the suites of test/crash and test/cluster are run by their scripts, and not with the other tests', () => {
  assert.equal([...files('test/crash', '.test.ts'), ...files('test/cluster', '.test.ts')], []);
  const manifest = readFileSync(join(PROJECT, 'package.json'), 'utf8');
  const run = readFileSync(join(PROJECT, '.ci/run'), 'utf8');
  for (const script of ['test:crash', 'test:full-disk', 'test:cluster']) {
    assert.match(manifest, `"${script}": "npm run --silent build && `);
    assert.match(run, `npm run --silent ${script}`);
  }
});

test('every step of the source is told of in src/base/step.ts and docs/durability.md', () => {
  const texts = ['src/base/step.ts', 'docs/durability.md'].map((file) => readFileSync(join(PROJECT, file), 'utf8'));
  for (const name of allSteps()) for (const text of texts) assert.match(text, name);
});

test('every test that docs/durability.md names is there', () => {
  const named = [...readFileSync(join(PROJECT, 'docs/durability.md'), 'utf8').matchAll(/`(test\/[\w/.-]+\.ts)`/g)];
  assert.ok(named.length > 10);
  for (const [, file = ''] of named) assert.ok(existsSync(join(PROJECT, file)), file);
});

test('every test file is compiled, and no compiled test is left of a file that is gone', () => {
  const sources = files('test', '.test.ts').map((file) => file.slice('test/'.length, -'.ts'.length));
  const compiled = readdirSync(COMPILED_TESTS, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => file.slice(0, -'.js'.length))
    .sort();
  assert.equal(compiled, [...sources].sort());
});

test.run();
