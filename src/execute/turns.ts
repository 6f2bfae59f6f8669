// Turns: a job that was handed to its helper shell early begins in the turn of one that has ended well, without a word from
// lhb. There are as many turns as slots, so no more jobs than that ever run. (Why: between the end of a short job and the
// beginning of the next lies lhb's own work for both, and a processor would be idle for a sixth of the time.)
//
// The turns that are free lie in a FIFO, a line each. A helper reads one before its job, tells fd 3 `b`, and writes one back
// when the job has ended with 0. What another end means is lhb's to decide: it gives the turn back, or does not, and then
// nothing begins. The line `x` calls off whatever reads it. A helper has no end for writing open while it waits: should lhb be
// killed, its read ends without a line, and so does the helper.
import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { quoteWord } from './shell.ts';

/** The fd of a helper's end for reading. */
const FD = 4;
/** The helper's own variable: as STATUS of job-script.ts. */
const TURN = 'LHB_TURN';

/** What a helper reads to make the FIFO. */
export const makeTurnsText = (path: string): string =>
  `{ mkfifo -m 600 ${quoteWord(path)}\n${TURN}=$?\ntimes >&3\necho "e $${TURN}" >&3\n}\n`;

/** How the texts of a job are put in a turn (slotText). */
export type TurnLines = {
  /** To close the helper's end in the job. */
  readonly shut: string;
  /** Before the job. */
  readonly take: string;
  /** After its marker, with the variable of its status. */
  readonly give: (status: string) => string;
  /** At the end of all. */
  readonly end: string;
};

export class Turns {
  readonly path: string;
  readonly #fd: number;

  /** @param path of the FIFO, which is there. @throws system errors */
  constructor(path: string) {
    this.path = path;
    // For both, as an end for reading alone would wait for one that writes.
    this.#fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  }

  give(): void {
    writeSync(this.#fd, '\n');
  }

  /** Calls off a job that waits, or, where that one has begun by now, one that comes to wait. */
  callOff(): void {
    writeSync(this.#fd, 'x\n');
  }

  /** What waits now ends. */
  close(): void {
    closeSync(this.#fd);
    rmSync(this.path, { force: true });
  }

  /** @param opens whether the helper has not opened the FIFO yet */
  lines(opens: boolean): TurnLines {
    const path = quoteWord(this.path);
    // Its own end for both makes sure that the other is opened at once.
    const open = opens ? `exec 5<>${path} ${FD}<${path} 5<&- || exit\n` : '';
    return {
      shut: ` ${FD}<&-`,
      take: `${open}read ${TURN} <&${FD} || exit\ncase $${TURN} in x) echo x >&3 ;; *) echo b >&3\n`,
      give: (status) => `[ "${status}" = 0 ] && echo 1<>/dev/fd/${FD}\n`,
      end: 'esac\n',
    };
  }
}
