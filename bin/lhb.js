#!/usr/bin/env node
// Starts the compiled program. `npm ci` compiles and bundles it (the `prepare` script).
const { load } = require('./load.js');

load('main.cjs')
  .main(process.argv.slice(2))
  .then((code) => {
    process.exitCode = code;
  });
