// Turns: a job that was handed to its helper shell early begins in the turn of one that has ended well, without a word from
// lhb. There are as many turns as slots, so no more jobs than that ever run. (Why: between the end of a short job and the
// beginning of the next lies lhb's own work for both, and a processor would be idle for a sixth of the time.)
//
// The turns that are free lie in a FIFO, a line each, empty. Lhb takes one for a job that begins at once; the helper of one
// that waits reads one, tells fd 3 `b`, and begins. A helper writes one back when its job has ended with 0. What another end
// means is lhb's to decide: it gives the turn back, or does not, and then nothing begins. No more than one job waits at a
// time, as two readers would each get half of a line: the line `x` calls it off. A helper has no end for writing open while
// it waits: should lhb be killed, its read ends without a line, and so does the helper. A turn that is lost, however that may
// be, costs no more than that a job waits in vain.
import { closeSync, constants, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { quoteWord } from './shell.ts';

/** The fd of a helper's end for reading. */
const FD = 4;
/** The helper's own variable: as STATUS of job-script.ts. */
const TURN = 'LHB_TURN';

/** What a helper reads to make the FIFO. */
export const makeTurnsText = (path: string): string =>
  `{ mkfifo -m 600 ${quoteWord(path)}\n${TURN}=$?\ntimes >&3\necho "e $${TURN}" >&3\n}\n`;

/** To close the helper's end in a job. */
export const SHUT = ` ${FD}<&-`;

/** How the text of a job is put into a turn (slotText). */
export type TurnLines = {
  /** Before the job. */
  readonly take: string;
  /** After its marker, with what gives its exit code; nothing of a job that has no turn. */
  readonly give: (status: string) => string;
  /** At the end of all. */
  readonly end: string;
};

export class Turns {
  readonly path: string;
  readonly #fd: number;
  readonly #byte = Buffer.alloc(1);

  /** @param path of the FIFO, which is there. @throws system errors */
  constructor(path: string) {
    this.path = path;
    // For both, as an end for reading alone would wait for one that writes.
    this.#fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  }

  give(): void {
    writeSync(this.#fd, '\n');
  }

  /** Takes a turn for a job that begins at once; false where there is none. Not while one waits that was called off. */
  take(): boolean {
    return this.#read() === '\n';
  }

  /** Calls off the job that waits. @param isFinal whether nothing may begin any more: then no turns are left either */
  callOff(isFinal: boolean): void {
    if (isFinal) while (this.take());
    writeSync(this.#fd, 'x\n');
  }

  /** Takes `callOff` back: the job had begun by then. Nothing may wait. */
  clear(): void {
    let turns = 0;
    for (let last = ''; ;) {
      const next = this.#read();
      if (next === '') break;
      if (next === '\n' && last !== 'x') turns++;
      last = next;
    }
    for (; turns > 0; turns--) this.give();
  }

  /** What waits now ends. */
  close(): void {
    closeSync(this.#fd);
    rmSync(this.path, { force: true });
  }

  /**
   * @param opens whether the helper has not opened the FIFO yet
   * @param from `waits`: the job waits for its turn; `has`: it has one
   */
  lines(opens: boolean, from: 'waits' | 'has'): TurnLines {
    const waits = from === 'waits';
    const path = quoteWord(this.path);
    // A FIFO that is gone must not end the helper. Its own end for both makes sure that the other is opened at once.
    const open = opens ? `[ -p ${path} ] && exec 5<>${path} ${FD}<${path} 5<&-\n` : '';
    const wait = `read ${TURN} <&${FD} || exit\ncase $${TURN} in x) echo x >&3 ;; *) echo b >&3\n`;
    return {
      take: waits ? open + wait : open,
      give: (status) => `[ "${status}" = 0 ] && echo 1<>/proc/self/fd/${FD}\n`,
      end: waits ? 'esac\n' : '',
    };
  }

  /** '' where there is nothing. */
  #read(): string {
    try {
      return readSync(this.#fd, this.#byte) === 1 ? this.#byte.toString('latin1') : '';
    } catch {
      return '';
    }
  }
}
