// Part of `npm run build`: dist/src becomes the few files in dist/bundle that bin/lhb.js runs. Tests import dist/src; what
// they start is the bundle.
//
// In two steps, since esbuild splits only ES modules into chunks: bundle to ES chunks, then each chunk to CommonJS, which
// Node loads faster and for which V8's code cache can be kept (bin/load.js).
import { build, transform } from 'esbuild';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import loader from '../../bin/load.js';

const { BUNDLE } = loader;
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const DIST = join(ROOT, 'dist');

/** The chunk of lmdb, which bin/load.js finds. */
const LMDB = './lmdb.cjs';

/**
 * Packages with native code or WebAssembly stay outside; lmdb's JavaScript is bundled, since loading it file by file takes
 * 40 ms, but apart from all else. execa and proper-lockfile are loaded where they are used.
 */
const OUTSIDE = ['blake3', '@napi-rs/blake-hash', LMDB];

/**
 * The chunks that nearly every command begins with are in one file each with all that they import, since 30 files take 5 ms
 * more to load than two. What only the second brings has a file of its own as well, for commands that do without it.
 */
const AT_START = [/^main\.cjs$/, /^quick-build-\w+\.cjs$/];

/** What stands around a chunk's text: bin/load.js calls it. */
const FUNCTION = ['function (exports, require, module, __filename, __dirname, urlOf) {\n', '\n}'];

/** An expression for a module's own URL at run time, in the place of `import.meta.url`; see bin/load.js. */
function urlOf(path) {
  const file = relative(DIST, path);
  if (!file.startsWith('..')) return `urlOf(${JSON.stringify(`./${file}`)})`;
  return 'urlOf("./bundle/main.cjs")';
}

/** Where a module asks for another at run time, and the bundle has it: file (its end), what it says, what is put there. */
const INLINED = [
  // style.ts says itself whether there is colour; asking for stdout loads all of Node's streams.
  ['kleur/index.mjs', 'process.stdout && process.stdout.isTTY', 'false'],
  // fdir looks for a picomatch of its own, to filter by globs, which tinyglobby never asks it for.
  ['fdir/dist/index.mjs', '__require.resolve("picomatch")', '__require.resolve("./no-picomatch")'],
  // lmdb looks for its native part and its dictionary from where it lies.
  ['lmdb/dist/index.cjs', "'file:' + __filename", 'urlOf("lmdb")'],
  ['msgpackr-extract/index.js', '__dirname', '"msgpackr-extract"'],
  ['src/hash/digest.js', "require('@napi-rs/blake-hash')", 'nativePackage.blakeHash()'],
  ['src/store/index-tables.js', "load('lmdb')", 'bundledLmdb()'],
  ['src/workflow/schema.js', 'createRequire(import.meta.url)(packageFile(VALIDATORS))', 'compiledSchema()'],
];
const IMPORTS = `import nativePackage from ${JSON.stringify(join(ROOT, 'src/bundle/native-package.cjs'))};
const bundledLmdb = () => require(${JSON.stringify(LMDB)}).default;
const compiledSchema = () => require(${JSON.stringify(join(DIST, 'schema-validators.cjs'))});
`;

const atRunTime = {
  name: 'what modules find out at run time',
  setup(on) {
    on.onLoad({ filter: /\.[cm]?js$/ }, ({ path }) => {
      const original = readFileSync(path, 'utf8');
      let text = original;
      for (const [file, from, to] of INLINED) {
        if (!path.endsWith(file)) continue;
        if (!text.includes(from)) throw new Error(`${path} has no ${from}: see INLINED in src/bundle/bundle.mjs`);
        text = text.replaceAll(from, to);
        if (/nativePackage|compiledSchema|bundledLmdb/.test(to)) text = IMPORTS + text;
      }
      // Bundling renames what lies at the top of an ES module, also what a text to be evaluated names.
      if (/\beval\(/.test(text) && !path.endsWith('.cjs'))
        throw new Error(`${path} uses eval: bundle its CommonJS build`);
      text = text.replaceAll('import.meta.url', urlOf(path));
      return text === original ? undefined : { contents: text, loader: 'js' };
    });
  },
};

const { outputFiles } = await build({
  absWorkingDir: ROOT,
  entryPoints: { main: 'dist/src/cli/main.js', lmdb: 'node_modules/lmdb/dist/index.cjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  outdir: BUNDLE,
  chunkNames: '[name]-[hash]',
  external: OUTSIDE,
  alias: {
    'node-gyp-build-optional-packages': './src/bundle/native-package.cjs',
  },
  plugins: [atRunTime],
  sourcemap: 'inline',
  sourcesContent: false,
  legalComments: 'none',
  logLevel: 'warning',
  write: false,
});

rmSync(BUNDLE, { recursive: true, force: true });
mkdirSync(BUNDLE);
const chunks = new Map();
for (const { path, text } of outputFiles) {
  const name = basename(path).replace(/\.js$/, '.cjs');
  const names = text.replace(/((?:from|import) ?\(?")(\.\/[^"]+)\.js"/g, '$1$2.cjs"');
  const { code, map } = await transform(names, {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    supported: { 'dynamic-import': false },
    sourcefile: name,
    sourcemap: 'external',
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'warning',
  });
  const needs = [...names.matchAll(/(?:from|import) ?"\.\/([^"]+)"/g)].map(([, other]) => other);
  chunks.set(name, { code, map, needs });
}

const [main, quickBuild] = AT_START.map((begin) => [...chunks.keys()].find((name) => begin.test(name)));
const first = withNeeds(main);
for (const name of chunks.keys()) if (!first.has(name)) write(name, [name]);
write(main, [...first]);
write(
  quickBuild,
  [...withNeeds(quickBuild)].filter((name) => !first.has(name)),
);

/** A chunk with all that it imports. */
function withNeeds(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const other of chunks.get(name).needs) withNeeds(other, found);
  return found;
}

/** Writes chunks as one file: a map of their names to functions; and its source map. */
function write(file, names) {
  const sections = [];
  let text = '({\n';
  for (const name of names) {
    const { code, map } = chunks.get(name);
    text += `${JSON.stringify(name)}: ${FUNCTION[0]}`;
    sections.push({ offset: { line: text.split('\n').length - 1, column: 0 }, map: JSON.parse(map) });
    text += `${code}${FUNCTION[1]},\n`;
  }
  writeFileSync(join(BUNDLE, file), `${text}})\n`);
  writeFileSync(join(BUNDLE, `${file}.map`), JSON.stringify({ version: 3, sections }));
}
