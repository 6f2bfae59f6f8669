// Real schedulers on this machine, by the scripts beside this file: started when a test needs one first, stopped when the
// tests end. Root starts them. What is not installed skips the tests that need it, by name.
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import { PROJECT } from '../project.ts';
import { rigTest, type Rig } from '../rig.ts';

const SCRIPTS = join(PROJECT, 'test/support/cluster');
const DAEMON = { slurm: 'slurmctld', sge: '/usr/sbin/sge_qmaster' } as const;
const FOLDERS_OF_ROOT = '/usr/sbin:/sbin:/usr/lib/gridengine';

export type Kind = keyof typeof DAEMON;

export class Cluster {
  readonly kind: Kind;
  /** Holds its configuration, state and logs. */
  readonly dir: string;
  /** What its clients need. */
  readonly env: Readonly<Record<string, string>>;
  readonly #options: readonly string[];

  constructor(kind: Kind, options: readonly string[]) {
    this.kind = kind;
    this.#options = options;
    // Unix sockets lie in it: the path must be short.
    this.dir = mkdtempSync(join('/tmp', `lhb-${kind}-`));
    this.env = this.up();
  }

  /** Starts what is stopped. */
  up(): Record<string, string> {
    const printed = this.#script('up', [...this.#options, this.dir]);
    const found = [...printed.matchAll(/(\w+)=(\S*)/g)];
    return Object.fromEntries(found.map(([, name = '', value = '']) => [name, value]));
  }

  /** Stops one daemon, or ends it as a crash would. */
  stop(daemon: string, kill = false): void {
    this.#script('down', [...(kill ? ['--kill'] : []), this.dir, daemon]);
  }

  remove(): void {
    this.#script('down', ['--remove', this.dir]);
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** What a client of the scheduler prints. */
  ask(program: string, ...args: string[]): string {
    return execFileSync(program, args, { env: { ...process.env, ...this.env }, encoding: 'utf8' });
  }

  #script(what: 'up' | 'down', args: readonly string[]): string {
    const file = join(SCRIPTS, `${this.kind}-${what}.sh`);
    const { status, stdout, stderr } = spawnSync(file, args, {
      encoding: 'utf8',
      env: { ...process.env, ...this.env, PATH: `${process.env['PATH']}:${FOLDERS_OF_ROOT}` },
    });
    if (status !== 0) throw new Error(`${file} ${args.join(' ')}: exit ${status}\n${stderr}`);
    return stdout;
  }
}

const running = new Map<string, Cluster>();

process.on('exit', () => {
  for (const cluster of running.values()) cluster.remove();
});

function cluster(kind: Kind, options: readonly string[]): Cluster {
  const name = [kind, ...options].join(' ');
  const known = running.get(name) ?? new Cluster(kind, options);
  running.set(name, known);
  return known;
}

/** Says why the tests of a scheduler cannot run here; undefined where they can. */
function lacking(kind: Kind, options: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can start a scheduler';
  const hasGroups = ['memory', 'freezer'].every((name) => canWrite(`/sys/fs/cgroup/${name}/cgroup.procs`));
  if (options.includes('--cgroup') && !hasGroups) return 'there are no control groups of version 1';
  const path = `${process.env['PATH']}:${FOLDERS_OF_ROOT}`;
  const found = spawnSync('sh', ['-c', `command -v ${DAEMON[kind]}`], { env: { ...process.env, PATH: path } });
  return found.status === 0 ? undefined : `there is no ${kind === 'slurm' ? 'Slurm' : 'Grid Engine'}`;
}

function canWrite(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** A rig whose program runs with a scheduler at hand. */
export function clusterTest(
  name: string,
  kind: Kind,
  body: (rig: Rig, cluster: Cluster) => Promise<void>,
  { timeoutS = 300, options = [] }: { readonly timeoutS?: number; readonly options?: readonly string[] } = {},
): void {
  const why = lacking(kind, options);
  if (why === undefined) {
    rigTest(
      `${kind}: ${name}`,
      async (rig) => {
        const found = cluster(kind, options);
        rig.variables = { ...found.env, PATH: `${process.env['PATH']}` };
        await body(rig, found);
      },
      { timeoutS },
    );
    return;
  }
  process.stdout.write(`skipped, since ${why}: ${kind}: ${name}\n`);
  test.skip(`${kind}: ${name}`, () => {});
}

/** A profile of the built-in kind whose answers come soon enough for tests. */
export function quickProfile(rig: Rig, name: string, kind: string, more = ''): void {
  rig.write(
    `profiles/${name}.yaml`,
    `lhb-profile: 1\nextends: ${kind}\nlatency-wait: 5\njobs: 1000\ncluster:\n  status: { interval: 1 }\n${more}`,
  );
}

/** Counts the calls of a scheduler's programs: puts counting ones before them in PATH, and says how often each ran. */
export function countCalls(rig: Rig, programs: readonly string[]): () => Record<string, number> {
  const folder = join(rig.base, 'counting');
  const log = join(rig.base, 'calls.log');
  execFileSync('mkdir', ['-p', folder]);
  for (const program of programs) {
    const real = execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
    const file = join(folder, program);
    execFileSync('sh', ['-c', `cat > ${file}; chmod +x ${file}`], {
      input: `#!/bin/sh\necho ${program} >> ${log}\nexec ${real} "$@"\n`,
    });
  }
  rig.variables = { ...rig.variables, PATH: `${folder}:${process.env['PATH']}` };
  execFileSync('touch', [log]);
  return () => {
    const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1);
    return Object.fromEntries(programs.map((program) => [program, lines.filter((line) => line === program).length]));
  };
}
