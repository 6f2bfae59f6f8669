// A clock that a test moves by hand, and events with little to type.
import type { Clock } from '../../src/report/reporter.ts';
import type { BuildEvent } from '../../src/schedule/event.ts';

export class FakeClock implements Clock {
  private time = 1000;
  private timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.time;
  }

  after(seconds: number, callback: () => void): () => void {
    const timer = { at: this.time + seconds, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((t) => t !== timer);
    };
  }

  get waiting(): number {
    return this.timers.length;
  }

  /** Moves on, calling what is due in its order. */
  pass(seconds: number): void {
    const end = this.time + seconds;
    for (;;) {
      const next = this.timers.toSorted((a, b) => a.at - b.at)[0];
      if (!next || next.at > end + 1e-9) break;
      this.timers = this.timers.filter((t) => t !== next);
      this.time = Math.max(this.time, next.at);
      next.callback();
    }
    this.time = end;
  }
}

const job = (id: string) => ({ id, rule: 'train', label: `n=${id.slice(1)}` });

type Of<E extends BuildEvent['event']> = Partial<Extract<BuildEvent, { event: E }>>;

/** Events at the clock's time. A job `j1` is of the rule `train` with the label `n=1`. */
export function events(clock: Clock) {
  const at = () => ({ time: clock.now() });
  return {
    begin: (jobs: number, more: Of<'build-started'> = {}): BuildEvent => ({
      event: 'build-started',
      jobs,
      slots: 2,
      ...at(),
      ...more,
    }),
    start: (id: string, more: Of<'job-started'> = {}): BuildEvent => ({
      event: 'job-started',
      ...job(id),
      attempt: 1,
      log: `.lhb/logs/train/${id}.log`,
      reasons: ['new: no result on record'],
      expected_s: undefined,
      ...at(),
      ...more,
    }),
    finish: (id: string, more: Of<'job-finished'> = {}): BuildEvent => ({
      event: 'job-finished',
      ...job(id),
      result: 'built',
      unchanged: false,
      changed: false,
      duration_s: 1.5,
      max_rss_mb: 120.4,
      ...at(),
      ...more,
    }),
    fail: (id: string, more: Of<'job-failed'> = {}): BuildEvent => ({
      event: 'job-failed',
      ...job(id),
      attempt: 1,
      outcome: { kind: 'exit-code', code: 3 },
      message: 'exit code 3',
      will_retry: false,
      log: `.lhb/logs/train/${id}.log`,
      log_tail: ['reading', 'no such column'],
      duration_s: 0.4,
      ...at(),
      ...more,
    }),
    skip: (id: string): BuildEvent => ({ event: 'job-skipped', ...job(id), because: 'j1 failed', ...at() }),
    message: (level: 'info' | 'warning' | 'error', text: string): BuildEvent => ({
      event: 'message',
      level,
      text,
      ...at(),
    }),
    end: (counts: Of<'build-finished'>['counts'] | object = {}): BuildEvent => ({
      event: 'build-finished',
      counts: { built: 0, restored: 0, fresh: 0, failed: 0, skipped: 0, cancelled: 0, ...counts },
      duration_s: 184,
      ...at(),
    }),
  };
}
