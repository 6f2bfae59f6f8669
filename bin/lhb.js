#!/usr/bin/env node
// Starts the compiled program. `npm ci` compiles and bundles it (the `prepare` script).
const { load } = require('./load.js');

// Until it says otherwise: one that ends because nothing is left to wait for has a bug (70, as for any), and has not succeeded.
process.exitCode = 70;
load('main.cjs')
  .main(process.argv.slice(2))
  .then((code) => {
    process.exitCode = code;
  });
