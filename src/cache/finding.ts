// What `lhb cache doctor` tells: one line for each thing that was tried.

export type Finding = {
  readonly level: 'ok' | 'warning' | 'error';
  /** What was tried. */
  readonly what: string;
  readonly detail: string;
  /** What to do; '' where nothing. */
  readonly advice: string;
};

export const finding = (level: Finding['level'], what: string, detail: string, advice = ''): Finding => ({
  level,
  what,
  detail,
  advice,
});
