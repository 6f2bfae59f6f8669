// A folder and a local executor for one test; both are gone after it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import type { Completion, Launch, Running } from '../../src/execute/executor.ts';
import { readExitMarker, type ExitMarker } from '../../src/execute/exit-marker.ts';
import { LaunchLog, readLaunches } from '../../src/execute/launches.ts';
import { LocalExecutor } from '../../src/execute/local.ts';
import { defaultShell } from '../../src/execute/shell.ts';

const LIMIT_MS = 60_000;

export class LocalRig {
  readonly root = mkdtempSync(join(tmpdir(), 'lhb-local-'));
  readonly executor: LocalExecutor;
  #started = 0;

  constructor(slots: number, graceMs: number) {
    this.executor = new LocalExecutor({
      slots,
      cwd: this.root,
      graceMs,
      launches: new LaunchLog(this.path('launches')),
    });
  }

  path(name: string): string {
    return join(this.root, name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  /** Starts text for the default shell, as job `id`, whose folder is `id` and whose log is `id/log`. */
  start(text: string, changes: Partial<Launch> = {}): Running {
    return this.executor.start(this.launch(text, changes), () => {});
  }

  /** As `start`, of a job that waits for its turn. */
  startAhead(text: string, changes: Partial<Launch>, begun: () => void): Running {
    return this.executor.startAhead(this.launch(text, changes), begun);
  }

  launch(text: string, changes: Partial<Launch> = {}): Launch {
    const id = changes.jobId ?? `j${this.#started++}`;
    mkdirSync(this.path(id), { recursive: true });
    return {
      jobId: id,
      rule: 'r',
      attempt: 1,
      label: '',
      place: undefined,
      actionKey: 'k',
      resources: {},
      command: { kind: 'script', shell: defaultShell(), text },
      cwd: this.root,
      inherited: { PATH: process.env['PATH'] ?? '' },
      env: {},
      log: this.path(`${id}/log`),
      logName: `${id}/log`,
      jobDir: this.path(id),
      timeoutS: undefined,
      scratch: this.path('tmp'),
      gpus: undefined,
      ...changes,
    };
  }

  /** The exit marker of a job's last launch. */
  marker(id: string): ExitMarker | undefined {
    const launch = readLaunches(this.path('launches')).launches.findLast(({ jobId }) => jobId === id);
    return launch && readExitMarker(this.path(id), launch.token);
  }

  run(text: string, changes: Partial<Launch> = {}): Promise<Completion> {
    return this.start(text, changes).done;
  }
}

/** A test with a rig, and a limit to its time: uvu has none. */
export function localTest(
  name: string,
  run: (rig: LocalRig) => Promise<void>,
  { slots = 1, graceMs = 5000 }: { slots?: number; graceMs?: number } = {},
): void {
  test(name, async () => {
    const rig = new LocalRig(slots, graceMs);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${LIMIT_MS} ms`)), LIMIT_MS);
    });
    try {
      await Promise.race([run(rig), late]);
    } finally {
      clearTimeout(timer);
      await rig.executor.close();
      rmSync(rig.root, { recursive: true, force: true });
    }
  });
}

/** Waits until a condition holds; throws after 20 s. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const start = Date.now();
  while (!holds()) {
    if (Date.now() - start > 20_000) throw new Error(`still waiting: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Whether a process lives (a zombie does not). */
export function alive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
