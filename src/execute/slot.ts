// One persistent helper shell: a detached `sh` that reads jobs from its stdin and reports on fd 3. It is leader of a
// process group and session of its own, which its jobs share. (Why: node copies its page tables for each spawn, 1 to 100
// ms by its size; a helper forks for itself.) When its stdin ends, because lhb is gone, it finishes its job, writes the exit
// marker, and ends.
//
// TERM, INT and the like go to the whole group and must not end the helper: it catches them (a caught signal is back at
// its default in what it starts; an ignored one would not be). KILL ends it, and the executor takes another.
import { ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { cpuOfChildren } from './exit-marker.ts';

export type Report =
  | { readonly kind: 'ended'; readonly status: number; readonly cpuS: number | undefined }
  /** It did not begin: what stood in the place of its turn called it off (turns.ts). */
  | { readonly kind: 'called-off' }
  /** The helper itself is gone, and with it what it knew of the job. */
  | { readonly kind: 'helper-gone'; readonly signal: NodeJS.Signals | null; readonly message: string };

const PROLOGUE = `trap : HUP INT QUIT TERM USR1 USR2 ALRM PIPE\n`;

export class Slot {
  readonly pid: number | undefined;
  #gone = false;
  #closing = false;
  readonly #child: ChildProcess;
  #text = '';
  /** CPU seconds of all jobs before. */
  #cpuBefore: number | undefined = 0;
  #settle: ((report: Report) => void) | undefined;
  #begun: (() => void) | undefined;
  /** Whether it has opened the turns (turns.ts). */
  hasTurns = false;

  constructor(cwd: string, env: Readonly<Record<string, string>>) {
    const child = spawn('/bin/sh', [], { cwd, env, detached: true, stdio: ['pipe', 'ignore', 'ignore', 'pipe'] });
    this.#child = child;
    this.pid = child.pid;
    child.on('error', (error) => this.#end(null, `cannot start /bin/sh: ${error.message}`));
    // 'close', not 'exit': what it still reported comes first
    child.on('close', (_code, signal) =>
      this.#end(signal, 'the shell that lhb runs jobs from is gone; the exit code is lost'),
    );
    child.stdin?.on('error', () => undefined); // EPIPE: 'close' says it
    child.stdio[3]?.on('error', () => undefined);
    child.stdio[3]?.on('data', (chunk: Buffer) => this.#read(chunk));
    child.stdin?.write(PROLOGUE);
    this.#hold(false);
  }

  /** CPU seconds of all jobs so far; undefined where the shell does not tell. */
  get cpuS(): number | undefined {
    return this.#cpuBefore;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Runs one job; only when the one before has been reported. `settle` is called once; `begun` when one that waits for its turn begins. */
  run(text: string, settle: (report: Report) => void, begun?: () => void): void {
    this.#settle = settle;
    this.#begun = begun;
    if (this.#gone) {
      this.#end(null, 'the shell that lhb runs jobs from is gone');
      return;
    }
    this.#hold(true);
    this.#child.stdin?.write(text);
  }

  /** Lets the helper end by itself, once its job has. */
  close(): void {
    this.#hold(true);
    this.#closing = true;
    this.#child.stdin?.end();
  }

  /** Ends the helper at once. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Resolves when the helper has ended. */
  async ended(): Promise<void> {
    if (!this.#gone) await new Promise((resolve) => this.#child.once('close', resolve));
  }

  #read(chunk: Buffer): void {
    this.#text += chunk.toString('latin1');
    if (this.#text.startsWith('b\n')) {
      this.#text = this.#text.slice(2);
      this.#begun?.();
    } else if (this.#text.startsWith('x\n')) {
      this.#text = this.#text.slice(2);
      this.#hold(false);
      return this.#finish({ kind: 'called-off' });
    }
    const end = /^e (\d+)\n/m.exec(this.#text);
    if (end === null) return;
    const cpu = cpuOfChildren(this.#text.slice(0, end.index));
    this.#text = this.#text.slice(end.index + end[0].length);
    const used = cpu === undefined || this.#cpuBefore === undefined ? undefined : Math.max(0, cpu - this.#cpuBefore);
    this.#cpuBefore = cpu;
    this.#hold(false);
    this.#finish({ kind: 'ended', status: Number(end[1]), cpuS: used });
  }

  #end(signal: NodeJS.Signals | null, message: string): void {
    this.#gone = true;
    this.#finish({ kind: 'helper-gone', signal, message });
  }

  #finish(report: Report): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(report);
  }

  /** An idle helper does not keep lhb alive, but for its end where that is waited for. */
  #hold(busy: boolean): void {
    if (this.#closing) return;
    for (const handle of [this.#child, this.#child.stdin, this.#child.stdio[3]]) {
      if (!(handle instanceof ChildProcess || handle instanceof Socket)) continue;
      if (busy) handle.ref();
      else handle.unref();
    }
  }
}
