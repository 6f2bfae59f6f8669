// A small terminal for tests: a screen of rows and columns with a scrollback, that understands what lhb writes and
// throws at anything else. Lines wrap as on xterm: a full last column wraps with the next character.

export class Screen {
  columns: number;
  rows: number;
  /** Lines that scrolled out above. */
  readonly scrollback: string[] = [];
  private lines: string[] = [''];
  private row = 0;
  private column = 0;
  writes = 0;
  private readonly listeners = new Set<() => void>();

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  onResize(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  get listening(): boolean {
    return this.listeners.size > 0;
  }

  /** A new width; long lines are wrapped again, the cursor stays behind its character (at the end of the text). */
  resize(columns: number): void {
    this.columns = columns;
    this.lines = this.lines.flatMap((line) => line.match(new RegExp(`.{1,${columns}}`, 'g')) ?? ['']);
    this.row = this.lines.length - 1;
    this.column = this.lines[this.row]?.length ?? 0;
    this.scroll();
    for (const listener of this.listeners) listener();
  }

  write(text: string): void {
    this.writes++;
    // oxlint-disable-next-line no-control-regex
    for (const [token] of text.matchAll(/\u001b\[[\d;?]*[A-Za-z]|[^]/gu)) this.put(token);
  }

  /** What is on the screen, without empty lines at its end. */
  get shown(): string[] {
    return this.lines
      .join('\n')
      .trimEnd()
      .split('\n')
      .map((line) => line.trimEnd());
  }

  /** Scrollback and screen. */
  get all(): string[] {
    return [...this.scrollback.map((line) => line.trimEnd()), ...this.shown];
  }

  private put(token: string): void {
    if (token === '\n') {
      this.row++;
      this.column = 0;
      this.scroll();
    } else if (token === '\r') this.column = 0;
    else if (token.startsWith('\u001b')) this.control(token);
    else if (token < ' ') throw new Error(`a control character on the terminal: ${JSON.stringify(token)}`);
    else this.print(token);
  }

  private control(token: string): void {
    const command = token.at(-1);
    const n = Number(token.slice(2, -1) || '1');
    if (command === 'A') this.row = Math.max(0, this.row - n);
    else if (command === 'J') {
      this.lines.length = this.row + 1;
      this.lines[this.row] = (this.lines[this.row] ?? '').slice(0, this.column);
    } else if (command !== 'm') throw new Error(`not known to this terminal: ${JSON.stringify(token)}`);
  }

  private print(char: string): void {
    if (this.column >= this.columns) {
      this.row++;
      this.column = 0;
      this.scroll();
    }
    const line = (this.lines[this.row] ?? '').padEnd(this.column);
    this.lines[this.row] = line.slice(0, this.column) + char + line.slice(this.column + char.length);
    this.column += char.length;
  }

  private scroll(): void {
    while (this.lines.length <= this.row) this.lines.push('');
    while (this.lines.length > this.rows) {
      this.scrollback.push(this.lines.shift() ?? '');
      this.row--;
    }
  }
}
