// Loads the bundle in dist/bundle: CommonJS chunks, of which a command loads those that it needs.
//
// V8 need not compile what it has compiled before: `npm run build` writes its code cache beside the chunks (see
// scripts/write-code-cache.cjs), for the Node that built them. Another version of V8 refuses it, and compiles as usual.
// A plain file, not ES modules: their loader alone costs as much as all that `lhb --version` does.
const { openSync, readFileSync, readSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join, resolve } = require('node:path');
const { pathToFileURL } = require('node:url');
const { Script } = require('node:vm');

const BUNDLE = join(__dirname, '..', 'dist', 'bundle');
const CACHE = join(BUNDLE, `code-${process.version}-${process.arch}.cache`);
const WRAPPER = ['(function (exports, require, module, __filename, __dirname, urlOf) {', '\n})'];

const scripts = new Map();
const modules = new Map();
const outside = createRequire(join(BUNDLE, 'main.cjs'));
let cache;

/** The exports of a chunk, or of a package when called by a chunk. */
function load(name) {
  const known = modules.get(name);
  if (known !== undefined) return known.exports;
  const filename = join(BUNDLE, name);
  // Chunks are ASCII: so their text is not decoded, and takes a byte a character.
  const source = readFileSync(filename, 'latin1');
  const cachedData = readCached(name);
  const script = new Script(WRAPPER.join(source), { filename, cachedData });
  const module = { exports: {} };
  scripts.set(name, script);
  modules.set(name, module);
  script.runInThisContext()(module.exports, requireFrom, module, filename, BUNDLE, urlOf);
  return module.exports;
}

const requireFrom = Object.assign((id) => (id.startsWith('./') ? load(id.slice(2)) : outside(id)), {
  resolve: outside.resolve,
});

/** `import.meta.url` of a module before it was bundled: of one of ours, given from dist/, or of a package's entry. */
const urlOf = (id) => pathToFileURL(id.startsWith('./') ? resolve(BUNDLE, '..', id) : outside.resolve(id)).href;

/** A piece of the code cache, read alone: what `lhb --version` needs is a tenth of it. Undefined where there is none. */
function readCached(name) {
  cache ??= openCache();
  const place = cache.table.get(name);
  if (place === undefined) return undefined;
  const bytes = Buffer.allocUnsafeSlow(place.length);
  return readSync(cache.fd, bytes, 0, place.length, place.from) === place.length ? bytes : undefined;
}

/** The file: the length of its table in 8 digits, the table as JSON, the pieces one after the other. */
function openCache() {
  const table = new Map();
  try {
    const fd = openSync(CACHE);
    const head = Buffer.alloc(8192);
    const read = readSync(fd, head, 0, head.length, 0);
    const start = 8 + Number(head.toString('latin1', 0, 8));
    if (start > read) throw new Error('a table that long is no table');
    for (const [name, from, length] of JSON.parse(head.toString('latin1', 8, start))) {
      table.set(name, { from: start + from, length });
    }
    return { fd, table };
  } catch {
    return { fd: -1, table: new Map() }; // none for this Node, or damaged: the code is compiled
  }
}

module.exports = { load, scripts, BUNDLE, CACHE };
