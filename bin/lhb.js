#!/usr/bin/env node
// Starts the compiled program. `npm ci` compiles it (the `prepare` script).
import { main } from '../dist/src/cli/main.js';

process.exitCode = await main(process.argv.slice(2));
