// Loads the bundle in dist/bundle: CommonJS chunks, of which a command loads those that it needs.
//
// V8 need not compile what it has compiled before: `npm run build` writes its code cache beside the chunks (see
// src/bundle/write-code-cache.cjs), for the Node that built them. Another version of V8 refuses it, and compiles as usual.
// A plain file, not ES modules: their loader alone costs as much as all that `lhb --version` does.
const { openSync, readFileSync, readSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join, resolve } = require('node:path');
const { pathToFileURL } = require('node:url');
const { Script } = require('node:vm');

const BUNDLE = join(__dirname, '..', 'dist', 'bundle');
const CACHE = join(BUNDLE, `code-${process.version}-${process.arch}.cache`);

const scripts = new Map();
const modules = new Map();
/** The chunks of the files that were read, as functions. */
const bodies = new Map();
const outside = createRequire(join(BUNDLE, 'main.cjs'));
let cache;

/** The exports of a chunk, or of a package when called by a chunk. */
function load(name) {
  const known = modules.get(name);
  if (known !== undefined) return known.exports;
  if (!bodies.has(name)) read(name);
  const module = { exports: {} };
  modules.set(name, module);
  bodies.get(name)(module.exports, requireFrom, module, join(BUNDLE, name), BUNDLE, urlOf);
  return module.exports;
}

/** Reads the file of a chunk, which may hold others too. */
function read(name) {
  const filename = join(BUNDLE, name);
  // Files are ASCII: so their text is not decoded, and takes a byte a character.
  const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData: readCached(name) });
  scripts.set(name, script);
  for (const [chunk, body] of Object.entries(script.runInThisContext())) bodies.set(chunk, body);
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
