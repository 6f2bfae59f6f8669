// Part of `npm run build`: dist/src becomes the few files in dist/bundle that bin/lhb.js runs. Tests import dist/src; what
// they start is the bundle.
//
// In two steps, since esbuild splits only ES modules into chunks: bundle to ES chunks, then each chunk to CommonJS, which
// Node loads faster and for which V8's code cache can be kept (bin/load.js).
import { build, transform } from 'esbuild';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const DIST = join(ROOT, 'dist');
const BUNDLE = join(DIST, 'bundle');

/**
 * Packages with native code or WebAssembly stay outside; lmdb's JavaScript is bundled, since loading it file by file takes
 * 40 ms. execa and proper-lockfile are loaded where they are used.
 */
const OUTSIDE = ['blake3', '@napi-rs/blake-hash'];

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
  ['src/workflow/schema.js', 'createRequire(import.meta.url)(packageFile(VALIDATORS))', 'compiledSchema()'],
];
const IMPORTS = `import nativePackage from ${JSON.stringify(join(ROOT, 'src/bundle/native-package.cjs'))};
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
        if (/nativePackage|compiledSchema/.test(to)) text = IMPORTS + text;
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
  entryPoints: { main: 'dist/src/cli/main.js' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  outdir: BUNDLE,
  chunkNames: '[name]-[hash]',
  external: OUTSIDE,
  alias: {
    // Its ES modules use those of ordered-binary, which evaluates text with names of its own.
    lmdb: './node_modules/lmdb/dist/index.cjs',
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
  writeFileSync(join(BUNDLE, name), code);
  writeFileSync(join(BUNDLE, `${name}.map`), map);
}
