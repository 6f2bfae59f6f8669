// Real servers for tests, started by the scripts in test/support/cache-servers and ended with the test process. Where one is
// not installed its tests are skipped by name; .ci/run installs them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import { cleanEnv } from './env.ts';
import { PROJECT } from './project.ts';
import { rigTest, type Rig } from './rig.ts';

export type Server = { readonly address: string; readonly port: number; readonly state: string };

const PROGRAMS = {
  nginx: ['/usr/sbin/nginx', '/usr/bin/nginx', '/usr/local/sbin/nginx'],
  swift: ['/usr/bin/swift-proxy-server'],
  sshd: ['/usr/sbin/sshd'],
} as const;

const SCRIPTS = { nginx: 'nginx-dav', swift: 's3', sshd: 'sshd' } as const;

export type ServerName = keyof typeof PROGRAMS;

const isInstalled = (name: ServerName): boolean =>
  PROGRAMS[name].some((path) => existsSync(path)) && (name !== 'sshd' || existsSync('/usr/bin/rsync'));

const started = new Map<ServerName, Promise<Server>>();

/** Five free ports in a row. */
async function freePorts(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    const free = await Promise.all([0, 1, 2, 3, 4].map((n) => isFree(port + n)));
    if (free.every(Boolean)) return port;
  }
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

function script(name: string, ...args: string[]): string {
  const file = join(PROJECT, 'test', 'support', 'cache-servers', name);
  const ran = spawnSync('bash', [file, ...args], {
    encoding: 'utf8',
    env: cleanEnv(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (ran.status !== 0) throw new Error(`${name}: ${ran.stdout}${ran.stderr}`);
  return ran.stdout.trim();
}

/** The server, started when it is first needed. */
export function server(name: ServerName): Promise<Server> {
  let one = started.get(name);
  if (one === undefined) started.set(name, (one = start(name)));
  return one;
}

async function start(name: ServerName): Promise<Server> {
  // Swift needs extended attributes, which a tmpfs may lack: TMPDIR names another place.
  const state = mkdtempSync(join(tmpdir(), `lhb-${name}-`));
  const port = await freePorts();
  process.once('exit', () => {
    spawnSync('bash', [join(PROJECT, 'test', 'support', 'cache-servers', `${SCRIPTS[name]}-down.sh`), state], {
      env: cleanEnv(),
      stdio: 'ignore',
    });
    rmSync(state, { recursive: true, force: true, maxRetries: 5 });
  });
  return { address: script(`${SCRIPTS[name]}-up.sh`, state, String(port)), port, state };
}

/** Runs another of the scripts. */
export const serverScript = script;

/** A `rigTest` that is skipped, by name, where a server is not installed. */
export function serverTest(
  name: ServerName,
  title: string,
  body: (rig: Rig, server: Server) => Promise<void>,
  timeoutS?: number,
): void {
  if (isInstalled(name)) {
    rigTest(title, async (rig) => body(rig, await server(name)), { ...(timeoutS !== undefined && { timeoutS }) });
    return;
  }
  process.stdout.write(`skipped, since there is no ${name}: ${title}\n`);
  test.skip(title, () => {});
}
