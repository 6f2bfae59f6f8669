// Outputs that cannot be captured, as the way in which a job ended.
import type { OutputProblem } from '../store/capture.ts';
import type { Outcome } from './executor.ts';

export function outcomeOf(problem: OutputProblem): Exclude<Outcome, { kind: 'success' }> {
  switch (problem.kind) {
    case 'missing':
      return { kind: 'output-missing', paths: problem.paths };
    case 'invalid':
      return { kind: 'output-invalid', message: problem.message };
    case 'failed':
      return { kind: 'capture-failed', message: problem.message };
  }
}
