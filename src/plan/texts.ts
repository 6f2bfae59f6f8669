// Many texts as one run of bytes, of which a text is made when it is asked for.
export type TextBytes = {
  /** UTF-8, one after the other. */
  readonly bytes: Uint8Array;
  /** Where each ends, in bytes. */
  readonly ends: Int32Array;
};

export class Texts implements TextBytes {
  readonly bytes: Uint8Array;
  readonly ends: Int32Array;
  private readonly buffer: Buffer;
  /** '' where not all is ASCII. */
  private ascii: string | undefined;

  constructor({ bytes, ends }: TextBytes) {
    this.bytes = bytes;
    this.ends = ends;
    this.buffer = Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
  }

  static from(texts: readonly string[]): Texts {
    const ends = new Int32Array(texts.length);
    const whole = texts.join('');
    const bytes = Buffer.from(whole);
    let end = 0;
    const ascii = bytes.length === whole.length;
    for (const [i, text] of texts.entries()) {
      end += ascii ? text.length : Buffer.byteLength(text);
      ends[i] = end;
    }
    return new Texts({ bytes, ends });
  }

  get count(): number {
    return this.ends.length;
  }

  at(index: number): string {
    const from = index === 0 ? 0 : (this.ends[index - 1] ?? 0);
    const to = this.ends[index] ?? 0;
    const ascii = (this.ascii ??= this.wholeIfAscii());
    return ascii === '' ? this.buffer.toString('utf8', from, to) : ascii.slice(from, to);
  }

  /** Where all is ASCII, offsets in bytes are those in characters, and slices of one string cost next to nothing. */
  private wholeIfAscii(): string {
    const whole = this.buffer.toString('utf8');
    return whole.length === this.bytes.length ? whole : '';
  }

  all(): string[] {
    return Array.from(this.ends, (_end, i) => this.at(i));
  }
}
