// Every diagnostic code with its meaning in one line. Codes are stable: scripts may rely on them.

export const CODES = {
  'cli/usage': 'the command line is not of the form that the command takes',
  'cli/unknown-command': 'there is no such command',
  'cli/unknown-option': 'the command has no such option',
  'cli/no-workflow': 'no lhb.yaml here or in a parent folder',
} as const;

export type Code = keyof typeof CODES;
