// lhb lint: warnings about a workflow that is right but may not mean what its author thinks.
import { lintWorkflow } from '../../workflow/lint.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions } from '../invocation.ts';
import { withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';
import { diagnosticJson } from '../../report/diagnostic.ts';

export const lint = (common: CommonOptions, screen: Screen): Promise<ExitCode> =>
  withWorkspace(common, screen, false, (workspace) => {
    const warnings = [...lintWorkflow(workspace.workflow), ...workspace.graph.warnings];
    if (screen.json) screen.document({ warnings: diagnosticJson(warnings, process.cwd()).warnings ?? [] });
    else {
      screen.diagnostics(warnings);
      if (warnings.length === 0) screen.note('nothing to warn of');
    }
    return EXIT.ok;
  });
