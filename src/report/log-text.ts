// A log on a terminal: its text with its colours, and nothing else that a terminal obeys.
import { StringDecoder } from 'node:string_decoder';
import { safeText } from './format.ts';

// SGR sequences (ECMA-48, 8.3.117) only colour text. A carriage return goes no further than the line's beginning.
// oxlint-disable-next-line no-control-regex
const KEPT = /(\u001b\[[\d;:]*m|[\n\r\t])/;
/** What may be the beginning of such a sequence, at the end of a chunk. */
// oxlint-disable-next-line no-control-regex
const BEGUN = /\u001b(?:\[[\d;:]{0,40})?$/;

const RESET = '\u001b[0m';

export class LogText {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #colored = false;

  /** The text of the next bytes, as far as it is known. */
  write(bytes: Buffer): string {
    const text = this.#rest + this.#decoder.write(bytes);
    const begun = BEGUN.exec(text)?.index ?? text.length;
    this.#rest = text.slice(begun);
    return this.#shown(text.slice(0, begun));
  }

  /** What is left; colours end with the log. */
  end(): string {
    const last = this.#shown(this.#rest + this.#decoder.end());
    this.#rest = '';
    return this.#colored ? last + RESET : last;
  }

  #shown(text: string): string {
    return text
      .split(KEPT)
      .map((part, i) => {
        if (i % 2 === 0) return safeText(part);
        if (part.length > 1) this.#colored = true;
        return part;
      })
      .join('');
  }
}
