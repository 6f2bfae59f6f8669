// Runs a program to its end: how long it took, and how much memory it had at most.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Node 20 parses the bundle that NODE_EXTRA_CA_CERTS names at each start, for all tools the same and for none the point. */
const { NODE_EXTRA_CA_CERTS: _certificates, NODE_OPTIONS: _options, ...inherited } = process.env;
export const ENV = { ...inherited, NO_COLOR: '1' };

/** GNU time gives the peak that the kernel kept; without it the process's own high-water mark is read again and again. */
const GNU_TIME = '/usr/bin/time';
const hasTime = existsSync(GNU_TIME);

/**
 * @param argv program and arguments; exit codes other than 0 are errors
 * @param options `cwd`; `stdout`: a file for its output (default: nowhere); `onLine`: called with each line of it instead;
 *   `env`: added to the environment
 * @returns seconds of wall time and peak memory in MB (10^6 bytes) of the largest process
 */
export async function run(argv, { cwd, stdout, onLine, env = {} }) {
  const scratch = mkdtempSync(join(tmpdir(), 'lhb-bench-time-'));
  const out = stdout === undefined ? undefined : openSync(stdout, 'w');
  const peakFile = join(scratch, 'peak');
  const [program, ...args] = hasTime ? [GNU_TIME, '-f', '%M', '-o', peakFile, ...argv] : argv;
  try {
    const begun = process.hrtime.bigint();
    const child = spawn(program, args, {
      cwd,
      env: { ...ENV, ...env },
      stdio: ['ignore', out ?? (onLine ? 'pipe' : 'ignore'), 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-4000)));
    if (onLine) eachLine(child.stdout, onLine);
    const watched = hasTime ? undefined : watchMemory(child.pid);
    const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
    const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
    if (code !== 0) throw new Error(`${argv.join(' ')} in ${cwd}: exit ${code}\n${said}`);
    const peakMb = hasTime ? (Number(readFileSync(peakFile, 'utf8').trim()) * 1024) / 1e6 : watched.end();
    return { seconds, peakMb };
  } finally {
    if (out !== undefined) closeSync(out);
    rmSync(scratch, { recursive: true });
  }
}

function eachLine(stream, onLine) {
  let rest = '';
  stream.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
}

/** Reads VmHWM in /proc every 10 ms, so the last 10 ms may be missing. NaN where there is no /proc. */
function watchMemory(pid) {
  let peakKb = Number.NaN;
  const timer = setInterval(() => {
    try {
      const found = /^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
      if (found) peakKb = Number(found[1]);
    } catch {
      // it has ended, or there is no /proc
    }
  }, 10);
  return {
    end: () => {
      clearInterval(timer);
      return (peakKb * 1024) / 1e6;
    },
  };
}

let asideCount = 0;

/**
 * Takes a file or folder away without deleting it. What was deleted some minutes ago makes what is measured slow: ext4 without
 * a journal looks past each inode that was freed lately when it needs one. The benchmark deletes all of it at its end.
 */
export function putAside(path) {
  if (existsSync(path)) renameSync(path, `${path}.aside${asideCount++}`);
}

export function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** What goes on, to stderr: results go to stdout. */
export const progress = (text) => process.stderr.write(`${text}\n`);
